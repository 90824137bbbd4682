"""Scaling symmetries, known beforehand or found in the data: what units would say, without units.

y is symmetric under x_j → λ^{a_j} x_j, y → λ^b y when Σ a_j x_j ∂y/∂x_j = b·y everywhere (Euler). The directions (a, b) are
the null space of the matrix with columns x_j ∂y/∂x_j and −y at the data points, the derivatives taken from a smooth
surrogate. A candidate space is rounded to simple fractions and kept when a surrogate in its invariants alone predicts held-out
rows as well as the full one. Each direction then counts as a base unit, and dimensional analysis prunes the search.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.invariance import Homogeneous, ScaleInvariant
from hypo.problem.surrogate import Surrogate, held_out
from hypo.search.reductions.scalings import (
    HALF_NATS,
    Reduced,
    Scalings,
    estimate_exponents,
    round_exponents,
    with_pivots,
)
from hypo.units import Dimension

# Rounding by less than this is beyond doubt.
CLEAR = 0.02
# By this share the held-out error may grow when only the invariants are used.
ERROR_GROWTH = 0.02
# Nats that it may cost at most.
CHANCE_NATS = 10.0
# Where even the best error is more than this share of the spread of y, all would predict alike.
POOR = 0.5
# Errors below this share of the target's RMS are none: rounding and normal equations.
NO_ERROR = 1e-8
# Base units of dimensional analysis: no more symmetries come from units.
MOST_UNITS = 7


@dataclass(frozen=True)
class Symmetry:
    """Independent scalings: ``exponents[j]`` of variable j under each of them, and those of the ``target``."""

    exponents: tuple[tuple[Fraction, ...], ...]
    target: tuple[Fraction, ...]

    @property
    def rank(self) -> int:
        """Number of independent scalings."""
        return len(self.target)


def symmetry_of_units(dimensions: Sequence[Dimension], target: Dimension | None) -> Symmetry | None:
    """The scalings that units speak of: one for each independent exponent; None without any, or without the target's unit."""
    if target is None:
        return None
    return _independent(zip(*(d.exponents for d in (*dimensions, target)), strict=True))


def symmetry_of_rules(names: Sequence[str], rules: Iterable[Rule], units: Symmetry | None) -> Symmetry | None:
    """The scalings of ``units`` and those of hard rules by which f is homogeneous, or invariant under scaling; None without
    any."""
    rows: list[Sequence[Fraction]] = []
    if units is not None:
        rows += ((*(of[k] for of in units.exponents), units.target[k]) for k in range(units.rank))
    for rule in rules:
        if rule.hard and isinstance(rule, Homogeneous | ScaleInvariant) and set(rule.variables) <= set(names):
            degree = Fraction(getattr(rule, "degree", 0.0)).limit_denominator(12)
            rows.append((*(Fraction(n in rule.variables) for n in names), degree))
    return _independent(rows)


def powers_of_rules(names: Sequence[str], rules: Iterable[Rule]) -> dict[int, Fraction]:
    """Exponents of the variables, by their positions in ``names``, that enter as pure powers because a hard rule says that f is
    homogeneous in them alone."""
    out: dict[int, Fraction] = {}
    for rule in rules:
        if rule.hard and isinstance(rule, Homogeneous) and len(rule.variables) == 1 and rule.variables[0] in names:
            power = Fraction(rule.degree).limit_denominator(12)
            if power:
                out.setdefault(names.index(rule.variables[0]), power)
    return out


def _independent(rows: Iterable[Sequence[Fraction]]) -> Symmetry | None:
    """The scalings of linearly independent rows (exponents of the variables, that of the target)."""
    independent: list[list[Fraction]] = []
    for row in rows:
        table = np.array([[float(v) for v in r] for r in (*independent, row)])
        if len(independent) < MOST_UNITS and np.linalg.matrix_rank(table[:, :-1]) > len(independent):
            independent.append([Fraction(v) for v in row])
    if not independent:
        return None
    return Symmetry(tuple(zip(*(r[:-1] for r in independent), strict=True)), tuple(r[-1] for r in independent))


def find_symmetry(
    surrogate: Surrogate,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    clock: Clock | None = None,
) -> Symmetry | None:
    """The largest space of scaling symmetries of y over X (n_var, n_row) that the data bear out, or None; None too when the
    ``clock`` expires first."""
    clock = clock or Clock()
    E = X * surrogate.gradient(X)
    f = surrogate.value(X)
    if not (np.all(np.isfinite(E)) and np.all(np.isfinite(f))):
        return None
    # Rows of like importance: the equation holds for each of them, whatever the size of y there.
    M = np.vstack([E, -f]) * np.sqrt(weight)
    size = np.sqrt(np.mean(M**2, axis=1))
    size[size == 0] = 1.0
    _, _, directions = np.linalg.svd((M / size[:, None]).T, full_matrices=False)
    positive = np.all(X > 0, axis=1)
    found: list[tuple[float, Scalings]] = []
    for rank in range(min(MOST_UNITS, len(X)), 0, -1):
        start = with_pivots(directions[-rank:] / size, positive)
        if start is None:
            continue
        trials = [round_exponents(start)]
        in_doubt = trials[0] is None or np.max(np.abs(trials[0].A - start.A)) > CLEAR
        # Smaller spaces than one that fits are looked at as a measure only.
        if in_doubt and all(error > (1.0 + ERROR_GROWTH) * surrogate.error for error, _ in found):
            trials.append(estimate_exponents(start, surrogate, X, y, weight, clock))
        for scalings in {t.key: t for t in trials if t is not None}.values():
            if clock.expired:
                return None
            reduced = Reduced.of(scalings, X, y, weight)
            if reduced is not None:
                found.append((reduced.error, scalings))
    # The stand-in in all variables may be poor for want of rows: what the best of all invariants tell is the measure.
    least = min([surrogate.error, *(error for error, _ in found)])
    if least > POOR * float(np.std(y)):
        return None
    least = max(least, NO_ERROR * float(np.sqrt(np.mean(y**2))))
    n_held = int(held_out(len(y)).sum())
    worse = 1.0 + min(ERROR_GROWTH, CHANCE_NATS / n_held)
    fitting = [(error, s) for error, s in found if error <= worse * least]
    if not fitting:
        return None
    rank = max(len(s.A) for _, s in fitting)
    alike = [(error, s) for error, s in fitting if len(s.A) == rank]
    alike += [
        (reduced.error, other)
        for _, s in list(alike)
        for other in s.whole()
        if not clock.expired and (reduced := Reduced.of(other, X, y, weight)) is not None
    ]
    # Rows that hardly know an exponent do not ask for a half: it has to be worth some nats.
    return _symmetry(min(alike, key=lambda a: a[0] * math.exp(HALF_NATS * a[1].halves / n_held))[1])


def _symmetry(s: Scalings) -> Symmetry:
    exact = [[Fraction(float(v)).limit_denominator(2) for v in row] for row in s.A]
    return Symmetry(
        tuple(tuple(c) for c in zip(*(row[:-1] for row in exact), strict=True)), tuple(r[-1] for r in exact)
    )
