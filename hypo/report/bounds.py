"""Worst-case bounds in words: what they guarantee, what they assume, and when there is nothing to say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hypo.errors import InputError

if TYPE_CHECKING:
    from hypo.scoring.bounds import Assumed
    from hypo.scoring.posterior import Structure


def require_coverage(plausible: Sequence[Structure], complete_to: int, size: float, exact: bool = False) -> None:
    """Raises InputError where a bound would say nothing: the plausible set is one formula, and formulas of its ``size`` were
    not looked through. With libraries complete up to c nodes, formulas of up to 2c + 1 were, as pairs of their members. A
    formula that meets every row to rounding (``exact``) needs no rivals."""
    if exact or len(plausible) > 1 or (complete_to and size <= 2 * complete_to + 1):
        return
    searched = f"looked through formulas of up to {2 * complete_to + 1} nodes" if complete_to else "searched no size completely"
    raise InputError(
        f"there is no bound: the only plausible formula, {plausible[0].expression.pretty()}, has {size:g} nodes, but the "
        f"search {searched}, so that its rivals may not have been met; search longer"
    )


def bound_remarks(
    plausible: Sequence[Structure], kept: int, level: Assumed, complete: bool, complete_to: int
) -> tuple[str, ...]:
    """Guarantee, assumptions and limits of a bound, one sentence each; ``complete`` says that the set lost nothing where the
    search's list of ``kept`` structures ends."""
    many = f"{len(plausible)} structures are" if len(plausible) != 1 else "1 structure is"
    sure = f"{100 * (1 - level.delta):.6g} %"
    code = f"a code of at most {level.code_length:.1f} nats, so " if math.isfinite(level.code_length) else ""
    assumption = (
        f"Assumed: the law is one of the structures that the search kept, and has {code}a prior probability of at least "
        f"{level.prior:.2g}; its constants are as their prior says. The chance is that of a structure with its constants "
        "as uncertain as the data leave them."
    )
    ends = "" if complete else (
        " The set would reach further down than the search's list of structures does: a law below that is left out too."
    )
    searched = (
        f"all formulas without fitted constants of up to {complete_to} node{'s' if complete_to > 1 else ''} were among them"
        if complete_to
        else "no size was searched completely"
    )
    return (
        f"If what is assumed holds, the true chance is below the bound with probability {sure} over the data, in all rows "
        "and for every number of data at once.",
        assumption,
        f"{many} plausible (of {kept} kept): those with a weight of at least {level.alpha:.2g} of the sum of it and all larger "
        f"ones.{ends}",
        f"The bound says nothing if the law is outside of what the search looked at; {searched}.",
    )
