"""Prior probabilities of structures: what code lengths are shares of.

A structure h has P(h) = exp(-L(h)) / Z, with L the code length of the formula without that of its fitted constants
(:mod:`hypo.scoring.code_length`), the costs of units and operators, and λ·violation. Z makes it a probability. Every node costs
log S, so with u unary and b binary operators (each counted with its weight in the knowledge) and l leaves

    Z ≤ Σ_n T_n,    T_1 = l/S,    T_n = (u·T_{n-1} + b·Σ_{i+j=n-1} T_i·T_j)/S,

over all n that matter: up to L/log S nodes for formulas of code length up to L. Leaves are columns, named constants, π, and
three kinds of number: fitted, whole, and fractions, where the code lengths of exact ones have Σ exp(-cost) ≤ 1. It is a bound,
because spellings of one structure count apart here, and formulas that units or rules exclude count too. S is the number of
symbols that the library enumerates; formulas may use others, so that Z can be above 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# Kinds of number in the place of a leaf: fitted, whole, fraction.
NUMBERS = 3


@dataclass(frozen=True)
class Prior:
    """The prior of one search: its counts, and the code length L of each structure of its posterior by the text of its formula.

    ``symbols`` is S, ``leaves``, ``unary`` and ``binary`` are l, u and b, ``largest`` is the most nodes of a formula.
    """

    symbols: int
    leaves: float
    unary: float
    binary: float
    largest: int
    code_lengths: Mapping[str, float] = field(default_factory=dict)

    def log_normaliser(self, code_length: float = math.inf) -> float:
        """log Z over formulas whose L is at most ``code_length`` nats; not below 0."""
        most = self.largest
        if math.isfinite(code_length):
            most = min(most, max(1, math.floor(code_length / math.log(self.symbols) + 1e-9)))
        return max(0.0, math.log(sum(self._by_nodes(most))))

    def _by_nodes(self, most: int) -> list[float]:
        """T_1 … T_most."""
        t = [self.leaves / self.symbols]
        for n in range(2, most + 1):
            pairs = sum(t[i - 1] * t[n - 2 - i] for i in range(1, n - 1))
            t.append((self.unary * t[-1] + self.binary * pairs) / self.symbols)
        return t

    def as_dict(self) -> dict[str, Any]:
        """The entry ``prior`` of the manifest."""
        return {**asdict(self), "code_lengths": dict(self.code_lengths)}

    @staticmethod
    def read(content: Mapping[str, Any]) -> Prior:
        """The prior whose :meth:`as_dict` is ``content``; raises KeyError, TypeError or ValueError if there is none."""
        return Prior(
            symbols=int(content["symbols"]),
            leaves=_read_count(content["leaves"]),
            unary=_read_count(content["unary"]),
            binary=_read_count(content["binary"]),
            largest=int(content["largest"]),
            code_lengths={str(k): float(v) for k, v in dict(content["code_lengths"]).items()},
        )


def _read_count(value: Any) -> float:
    """A number as it is, so that it is written again as it was."""
    if not isinstance(value, int | float):
        raise TypeError(f"a count must be a number, got {value!r}")
    return value
