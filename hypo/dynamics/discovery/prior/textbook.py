"""Choices of textbooks: counts of the choices that spell the systems of ``textbook.toml``.

The chance of a symbol in a context is its share of the n choices counted there, drawn towards its base chance q,

    P(symbol | context) = (n_symbol + α q) / (n + α).

α was chosen by leaving out one field at a time, which also compares grammars (``benchmarks/dynamics/fields.py``).
"""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from hypo.dynamics.discovery.prior.grammar import Choice, Seen, choices
from hypo.dynamics.discovery.sums import as_sum
from hypo.expression.expr import Expression
from hypo.expression.parser import parse

# Names of states in the file, in the order of equations; other letters are numbers.
STATES = ("x", "y", "z", "w")
# α: choices that the base chances count for.
SMOOTHING = 4.0


@dataclass(frozen=True)
class Entry:
    """A system of a textbook: field, name, right-hand sides of the states ``STATES`` with fitted numbers."""

    field: str
    name: str
    equations: tuple[Expression, ...]

    def spelled(self, distribute: bool) -> Iterator[Choice]:
        """The choices that lead to it, multiplied out or as written."""
        seen = Seen()
        for own, e in zip(STATES, self.equations, strict=False):
            yield from choices(as_sum(e, distribute), own, len(self.equations), seen)


class Counts:
    """Choices counted in some systems."""

    def __init__(self, spelled: Iterable[Choice]) -> None:
        self._symbols = Counter((c.context, c.symbol) for c in spelled)
        self._contexts: Counter[str] = Counter()
        for (context, _), n in self._symbols.items():
            self._contexts[context] += n

    def nats(self, choice: Choice, smoothing: float = SMOOTHING) -> float:
        """Code length of a choice."""
        n, of = self._symbols[choice.context, choice.symbol], self._contexts[choice.context]
        return choice.nats - math.log((n + smoothing * choice.base) / (of + smoothing))


@cache
def entries() -> tuple[Entry, ...]:
    """All systems of the file."""
    text = (files("hypo.dynamics.discovery.prior") / "textbook.toml").read_text(encoding="utf-8")
    out = []
    for field, systems in tomllib.loads(text).items():
        for name, laws in systems.items():
            out.append(Entry(field, name, tuple(_with_numbers(law) for law in laws)))
    return tuple(out)


@cache
def counts(distribute: bool) -> Counts:
    """Counts of all systems, with right-hand sides multiplied out or as they are written."""
    return Counts(c for entry in entries() for c in entry.spelled(distribute))


def _with_numbers(law: str) -> Expression:
    """A law with a fitted number for each letter; one letter is one number in all equations."""
    e = parse(law)
    values = {v: 1.0 + (ord(v) - 96) / 73 for v in e.variables if v not in STATES}
    return e.substitute({v: Expression.constant(value, free=True) for v, value in values.items()})
