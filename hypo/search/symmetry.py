"""Scaling symmetries, known beforehand or found in the data: what units would say, without units.

y is symmetric under x_j → λ^{a_j} x_j, y → λ^b y when Σ a_j x_j ∂y/∂x_j = b·y everywhere (Euler). The directions (a, b) are
the null space of the matrix with columns x_j ∂y/∂x_j and −y at the data points, the derivatives taken from a smooth
surrogate. A candidate space is rounded to simple fractions and kept when a surrogate in its invariants alone predicts held-out
rows as well as the full one. Each direction then counts as a base unit, and dimensional analysis prunes the search.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hypo.knowledge.invariances import Homogeneous, ScaleInvariant
from hypo.knowledge.rules import Rule
from hypo.search.surrogate import Surrogate, fit_surrogate, held_out
from hypo.units import Dimension

# Exponents are multiples of 1/2 and not larger than this; how far an estimate may be from one.
LARGEST, MISS = 8, 0.2
# The held-out error may grow by this factor when only the invariants are used.
WORSE = 1.02
# Errors below this share of the target's RMS are none: rounding and normal equations.
NO_ERROR = 1e-8
# Base units of dimensional analysis.
MOST = 7


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
        if len(independent) < MOST and np.linalg.matrix_rank(table[:, :-1]) > len(independent):
            independent.append([Fraction(v) for v in row])
    if not independent:
        return None
    return Symmetry(tuple(zip(*(r[:-1] for r in independent), strict=True)), tuple(r[-1] for r in independent))


def find_symmetry(
    surrogate: Surrogate,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> Symmetry | None:
    """The largest space of scaling symmetries of y over X (n_var, n_row) that the data bear out, or None."""
    E = X * surrogate.gradient(X)
    f = surrogate.value(X)
    if not (np.all(np.isfinite(E)) and np.all(np.isfinite(f))):
        return None
    # Rows of like importance: the equation holds for each of them, whatever the size of y there.
    M = np.vstack([E, -f]) * np.sqrt(weight)
    size = np.sqrt(np.mean(M**2, axis=1))
    size[size == 0] = 1.0
    _, _, directions = np.linalg.svd((M / size[:, None]).T, full_matrices=False)
    positive = np.array(surrogate.coordinates.log)
    for rank in range(min(MOST, len(X)), 0, -1):
        space = directions[-rank:] / size
        rounded = _round(space, positive)
        if rounded is not None and _holds(rounded, surrogate, X, y, weight):
            return Symmetry(tuple(tuple(column) for column in zip(*rounded[0], strict=True)), tuple(rounded[1]))
    return None


def _round(
    space: NDArray[np.float64], positive: NDArray[np.bool_]
) -> tuple[list[list[Fraction]], list[Fraction], list[int]] | None:
    """The space in reduced form, with pivots on positive variables, rounded: exponents [rank][n_var], target's, pivots."""
    A = space.copy()
    n_var = A.shape[1] - 1
    pivots: list[int] = []
    for r in range(len(A)):
        # Full pivoting: dividing by the largest entry keeps the others small and their errors too.
        usable = [j for j in range(n_var) if positive[j] and j not in pivots]
        if not usable:
            return None
        block = np.abs(A[r:, usable])
        i, k = divmod(int(np.argmax(block)), block.shape[1])
        if block[i, k] < 1e-9:
            return None
        A[[r, r + i]] = A[[r + i, r]]
        pivots.append(usable[k])
        A[r] /= A[r, pivots[r]]
        for other in range(len(A)):
            if other != r:
                A[other] -= A[other, pivots[r]] * A[r]
    rounded = np.round(2 * A) / 2
    if np.any(np.abs(rounded - A) > MISS) or np.any(np.abs(rounded) > LARGEST):
        return None
    exact = [[Fraction(float(v)).limit_denominator(2) for v in row] for row in rounded]
    return [row[:-1] for row in exact], [row[-1] for row in exact], pivots


def _holds(
    found: tuple[list[list[Fraction]], list[Fraction], list[int]],
    surrogate: Surrogate,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> bool:
    """Whether a surrogate in the invariants predicts as well as the one in all variables."""
    exponents, target, pivots = found
    logs = np.log(X[pivots])
    rest = [j for j in range(len(X)) if j not in pivots]
    invariants = np.array([X[j] * np.exp(-np.array([float(e[j]) for e in exponents]) @ logs) for j in rest])
    scale = np.exp(np.array([float(b) for b in target]) @ logs)
    most = max(WORSE * surrogate.error, NO_ERROR * float(np.sqrt(np.mean(y**2))))
    # Both errors on the same rows: from other rows even the noise would differ by more than WORSE.
    held = held_out(len(y))
    if not rest:
        lead = np.average((y / scale)[~held], weights=(weight * scale**2)[~held])
        return float(np.sqrt(np.average((y - lead * scale)[held] ** 2, weights=weight[held]))) <= most
    reduced = fit_surrogate(invariants, y / scale, weight * scale**2)
    if reduced is None:
        return False
    # The error of the reduced surrogate is weighted by scale², so it is one in y.
    return reduced.error * float(np.sqrt(np.average(scale[held] ** 2, weights=weight[held]))) <= most
