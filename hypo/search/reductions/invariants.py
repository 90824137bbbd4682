"""The problem in invariants: y = L·F(π₁, …), with L a product of powers that scales as y does and π products that do not scale.

With r independent scalings of d variables F has d − r arguments and no units (Buckingham): the smallest problem of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hypo.expression.algebra.simplify import simplify
from hypo.expression.expr import Expression
from hypo.search.library.pi_groups import product
from hypo.search.reductions.symmetry import Symmetry

# Sets of pivots that are looked at, at most.
MOST_SETS = 200
# Exponents of pivots larger than this make no simple invariant.
LARGEST_EXPONENT = 8


@dataclass(frozen=True)
class Invariants:
    """``lead`` and ``groups`` as exponents (n_var,) of the variables."""

    lead: tuple[Fraction, ...]
    groups: tuple[tuple[Fraction, ...], ...]


def find_invariants(symmetry: Symmetry, usable: NDArray[np.bool_]) -> Invariants | None:
    """The invariants with the smallest exponents; pivots are taken among ``usable`` variables, those that are positive."""
    n, r = len(symmetry.exponents), symmetry.rank
    best: tuple[Fraction, Invariants] | None = None
    for k, pivots in enumerate(combinations([j for j in range(n) if usable[j]], r)):
        if k == MOST_SETS:
            break
        rows = [list(symmetry.exponents[p]) for p in pivots]
        lead = _solve(rows, symmetry.target)
        if lead is None:
            continue
        rest = [j for j in range(n) if j not in pivots]
        powers = [_solve(rows, symmetry.exponents[j]) for j in rest]
        groups = [_vector(n, pivots, [-q for q in p], j) for j, p in zip(rest, powers, strict=True) if p is not None]
        found = Invariants(_vector(n, pivots, lead), tuple(groups))
        size = sum((abs(q) * q.denominator for e in (found.lead, *groups) for q in e), Fraction(0))
        if all(abs(q) <= LARGEST_EXPONENT for e in (found.lead, *groups) for q in e) and (
            best is None or size < best[0]
        ):
            best = (size, found)
    return None if best is None else best[1]


def _vector(n: int, pivots: Sequence[int], powers: Sequence[Fraction], own: int | None = None) -> tuple[Fraction, ...]:
    out = [Fraction(0)] * n
    for p, q in zip(pivots, powers, strict=True):
        out[p] = q
    if own is not None:
        out[own] = Fraction(1)
    return tuple(out)


def _solve(rows: Sequence[Sequence[Fraction]], wanted: Sequence[Fraction]) -> list[Fraction] | None:
    """q with Σ q_i rows_i = wanted, by exact elimination; None when the rows are dependent."""
    r = len(rows)
    table = [[rows[i][k] for i in range(r)] + [wanted[k]] for k in range(len(wanted))]
    for column in range(r):
        pivot = next((k for k in range(column, len(table)) if table[k][column]), None)
        if pivot is None:
            return None
        table[column], table[pivot] = table[pivot], table[column]
        head = table[column][column]
        table[column] = [v / head for v in table[column]]
        for k in range(len(table)):
            if k != column and table[k][column]:
                factor = table[k][column]
                table[k] = [a - factor * b for a, b in zip(table[k], table[column], strict=True)]
    return [table[i][-1] for i in range(r)]


def power_product(names: Sequence[str], exponents: Sequence[Fraction]) -> Expression:
    """Π name**exponent, simplified."""
    factors = [
        Expression.variable(n) ** Expression.constant(float(q)) for n, q in zip(names, exponents, strict=True) if q
    ]
    return simplify(product(factors)) if factors else Expression.constant(1.0)
