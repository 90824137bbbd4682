"""How far a search went, and how well it spent its work: in numbers, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hypo.report.formatting import group_digits


@dataclass(frozen=True)
class Coverage:
    """The certificate of a search.

    All ``distinct`` formulas without fitted constants of up to ``complete_to`` nodes were among the ``scored`` hypotheses.
    """

    complete_to: int
    scored: int
    distinct: int


@dataclass(frozen=True)
class Efficiency:
    """How well a search spent its work.

    ``outcome`` is the share of the work that was done when the answer first appeared; ``diversity`` is the share of the
    enumerated formulas that were distinct.
    """

    outcome: float
    diversity: float


def describe_coverage(coverage: Mapping[str, int], dimensional: bool = False) -> str:
    """The formulas that the search covered for certain, in a sentence or two; ``coverage`` as in ``result.json``.

    ``dimensional`` says that only formulas with the target's unit were hypotheses.
    """
    complete, distinct, scored = coverage["complete_to"], coverage["distinct"], coverage["scored"]
    if not scored:
        return "The search ended before it scored a formula of its own."
    total = f"{group_digits(scored)} {'hypothesis was' if scored == 1 else 'hypotheses were'} scored"
    if not complete:
        return f"{total}; formulas were not looked through size by size."
    size = f"of up to {complete} {'node' if complete == 1 else 'nodes'} without fitted constants"
    if not distinct:
        kind = (
            "has the target's unit, so it takes a fitted constant with a unit" if dimensional else "can be the target"
        )
        return f"All formulas {size} were looked through: none {kind}. In all, {total}."
    kind = f"{size} that have the target's unit" if dimensional else size
    if distinct == 1:
        one = kind.replace("that have", "that has")
        return f"The only formula {one} was scored. In all, {total}."
    return f"All {group_digits(distinct)} distinct formulas {kind} were scored. In all, {total}."
