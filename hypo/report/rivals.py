"""Rival structures: how sure the likeliest one is, as far as the search earned to say so, and the runners-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypo.report.formatting import format_r2, format_share
from hypo.report.layout import TextTable
from hypo.report.sentences import as_sentence

if TYPE_CHECKING:
    from hypo.posterior.posterior import Posterior, Structure

# So few rows do not settle a law: the runners-up are shown.
FEW_ROWS = 20
# Nor does a posterior weight of the likeliest structure below this.
UNSETTLED = 0.9
# Runners-up are shown until these and the likeliest have so much of the weight together.
SHOWN = 0.99
# The most lines of runners-up.
LINES = 10


def describe_rivals(posterior: Posterior, n_row: int | None = None) -> str:
    """How sure the structure is among those that the search met, or why that cannot be said, in a sentence."""
    from hypo.posterior.posterior import ODDS

    first = posterior.structures[0]
    few = n_row is not None and n_row <= FEW_ROWS and first.weight < UNSETTLED
    if posterior.unearned:
        # What the search lacked is not all: more of it would not settle what the rows leave open.
        open_ = (
            f"{n_row} rows do not settle the law, and " if few and posterior.unearned.startswith("the search") else ""
        )
        return as_sentence(open_ + posterior.unearned)
    weight = "over 99%" if first.weight > 0.99 else f"{first.weight:.0%}"
    if posterior.within == 1:
        return f"Of the structures that the search met the likeliest has {weight} of the posterior weight."
    begin = f"{n_row} rows do not settle the law: of" if few else "Of"
    return (
        f"{begin} the structures that the search met {posterior.within} are within odds of {ODDS:g}; the likeliest, "
        f"{first.expression.pretty()}, has {weight} of the posterior weight."
    ) + (" More rows would tell them apart, and hypo suggest says which." if few else "")


def choose_runners_up(posterior: Posterior | None, n_row: int | None) -> tuple[Structure, ...]:
    """The structures to show by weight, the likeliest first; none where it has no rivals, or many rows settled it."""
    if posterior is None:
        return ()
    settled = posterior.structures[0].weight >= UNSETTLED and not posterior.unearned
    if settled and (n_row is None or n_row > FEW_ROWS):
        return ()
    if posterior.unearned and (n_row is None or n_row > FEW_ROWS):
        return ()
    shown = posterior.top(SHOWN)[:LINES]
    return shown if len(shown) > 1 else ()


def make_rivals_table(posterior: Posterior, n_row: int | None, target: str) -> TextTable | None:
    """The runners-up as a table by falling weight, with R²; None where none are to be shown. Weights that the search did
    not earn order the lines, and are not said."""
    shown = choose_runners_up(posterior, n_row)
    if not shown:
        return None
    table = TextTable()
    for name in ("rival", *(() if posterior.unearned else ("weight",)), "R²"):
        table.add_column(name, right=True)
    table.add_column(f"{target} =", wraps=True)
    weights = {str(s.expression): s.weight for s in posterior.structures}
    for k, s in enumerate(shown, 1):
        share = () if posterior.unearned else (format_share(weights[str(s.expression)]),)
        table.add_row(str(k), *share, format_r2(s.r2), s.expression.pretty())
    return table
