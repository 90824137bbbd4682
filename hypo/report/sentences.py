"""Sentences of a report that have no module of their own: on standard errors, on stand-ins, and on what a search covered."""

from __future__ import annotations

from collections.abc import Mapping

from hypo.report.formatting import group_digits

STANDARD_ERROR = "± is one standard error."
# How far the coverage goes where the likelihood is not Gaussian.
STAND_IN = (
    "Scans ranked formulas by least squares around a smooth estimate; what they put forward was fitted and scored by the "
    "likelihood itself."
)


def as_sentence(text: str) -> str:
    """``text`` with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


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
