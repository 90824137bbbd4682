"""Pairs of rules that no law keeps but a trivial one, found from the kinds and their parameters alone.

Every kind says which numbers it leaves to a law, and which other kinds it does not go together with; here the pairs are gone
through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.boxes import EVERYTHING, Box, clash

Conflict = tuple[int, int, str]
"""The numbers i < j of two rules, and why they do not go together."""


def contradictions(rules: Sequence[Rule], ranges: Box | None = None, target: str = "f") -> Iterator[Conflict]:
    """(i, j, why rules i < j do not go together) for each such pair; rules that only f = 0 keeps count as one.

    ``ranges`` are the domains of variables where a rule's ``where`` is silent. What is found holds whatever the domains of the
    others are; not every contradiction is found. ``target`` is what the law is called.
    """
    yield from _compare_pairs(rules, ranges or {}, target, _find_conflict, "do not go together")


def possible_contradictions(rules: Sequence[Rule], ranges: Box | None = None, target: str = "f") -> Iterator[Conflict]:
    """The pairs that would contradict each other if variables without a domain had all numbers, but do not for any domain."""
    known = dict(ranges or {})
    everywhere = {name: EVERYTHING for rule in rules for name in rule.names()} | known
    certain = {(i, j) for i, j, _ in contradictions(rules, known)}
    yield from (found for found in contradictions(rules, everywhere, target) if found[:2] not in certain)


def constraints(rules: Sequence[Rule], ranges: Box | None = None, target: str = "f") -> Iterator[Conflict]:
    """The pairs that only laws of a narrow kind keep: constant or linear in a variable."""
    yield from _compare_pairs(rules, ranges or {}, target, _find_narrowing, "together leave little")


_Comparison = Callable[[Rule, Rule, Box, str], str | None]


def _compare_pairs(
    rules: Sequence[Rule], known: Box, target: str, compare: _Comparison, verb: str
) -> Iterator[Conflict]:
    for (i, a), (j, b) in combinations(enumerate(rules), 2):
        why = compare(a, b, known, target)
        if why:
            yield i, j, f'"{a.describe(target)}" and "{b.describe(target)}" {verb}: {why}'


def _find_conflict(a: Rule, b: Rule, known: Box, target: str) -> str | None:
    return (
        _find_clash(a, b, known)
        or _find_clash(b, a, known)
        or a.conflict(b, known, target)
        or b.conflict(a, known, target)
    )


def _find_clash(a: Rule, b: Rule, known: Box) -> str | None:
    clashes = (clash(first, second) for first in a.allowed_values(known) for second in b.allowed_values(known))
    return next((why for why in clashes if why is not None), None)


def _find_narrowing(a: Rule, b: Rule, known: Box, target: str) -> str | None:
    return a.narrowing(b, known) or b.narrowing(a, known)
