"""Hard rules that a formula breaks, in words."""

from __future__ import annotations

from hypo.knowledge.claims.claim import REFUTED, Witness
from hypo.knowledge.claims.law import Law
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.text.wording import join

POINTS = 2048
"""Points at which a formula is held against a hard rule: more than in a search, for it is done once."""


def hard_breach(i: int, rule: Rule, law: Law) -> str | None:
    """The message about ``law``, without free constants, if it breaks the rule number ``i`` (from 0) and that is hard."""
    verdict = rule.check(law, points=POINTS) if rule.hard else None
    if verdict is None or verdict.level != REFUTED:
        return None
    return f"breaks the hard rule {i + 1} ({rule.describe(law.target)}){in_words(verdict.witness)}"


def in_words(witness: Witness | None) -> str:
    """``; at x = 2: -2 > 0 is false``, or nothing."""
    if witness is None:
        return ""
    sides = witness.sides
    place = f" at {join(f'{name} = {value:.4g}' for name, value in witness.at.items())}:" if witness.at else ""
    return f";{place} {sides.left:.4g} {sides.relation} {sides.right:.4g} is false"
