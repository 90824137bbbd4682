"""Worst-case bounds in words: what they guarantee, what they assume, and when there is nothing to say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hypo.errors import InputError

if TYPE_CHECKING:
    from hypo.posterior.bounds import Assumed
    from hypo.posterior.posterior import Structure


def require_coverage(plausible: Sequence[Structure], complete_to: int, size: float, exact: bool = False) -> None:
    """Raises InputError where a bound would say nothing: the plausible set is one formula, and formulas of its ``size`` were
    not looked through. With libraries complete up to c nodes, formulas of up to 2c + 1 were, as pairs of their members. A
    formula that meets every row to rounding (``exact``) needs no rivals."""
    if exact or len(plausible) > 1 or (complete_to and size <= 2 * complete_to + 1):
        return
    searched = (
        f"looked through those of up to {2 * complete_to + 1}"
        if complete_to
        else "did not go through them size by size"
    )
    raise InputError(
        f"there is no bound: the only plausible formula, {plausible[0].expression.pretty()}, has {size:g} nodes, and the "
        f"search {searched}, so that its rivals may not have been met; search longer"
    )


def explain_bound(
    plausible: Sequence[Structure], kept: int, level: Assumed, complete: bool, complete_to: int
) -> tuple[str, ...]:
    """Guarantee, assumptions and limits of a bound, one sentence each; ``complete`` says that the set lost nothing where the
    search's list of ``kept`` structures ends."""
    one = len(plausible) == 1
    sure = f"{100 * (1 - level.delta):.6g} %"
    code = f" (a code of at most {level.code_length:.1f} nats)" if math.isfinite(level.code_length) else ""
    nodes = "1 node" if complete_to == 1 else f"{complete_to} nodes"
    searched = f"looked at all formulas of up to {nodes} without fitted constants, and at longer ones as they came"
    searched = searched if complete_to else "looked at formulas as they came, not size by size"
    ends = (
        ""
        if complete
        else (" The search's list of structures ends before the plausible ones do: a law further down is left out too.")
    )
    return (
        f"The true chance is below the bound with probability {sure} over the data, in all rows at once and also when more "
        "data come in, if what is assumed holds.",
        "Assumed: the law is one of the structures that the search kept, its prior probability is at least "
        f"{level.prior:.2g}{code}, and its constants are as their prior says. The chance is that of a structure with its "
        "constants as uncertain as the data leave them.",
        f"Of {kept} structures that were kept {len(plausible)} {'is' if one else 'are'} plausible: {'its' if one else 'their'} "
        f"weight is at least {level.alpha:.2g} of the sum of it and all larger ones.{ends}",
        f"The search {searched}; the bound says nothing of a law that it did not look at.",
    )
