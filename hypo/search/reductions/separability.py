"""Multiplicative separability: variables that enter y as a pure power, found by a fit and divided out.

log|y| is fitted by a polynomial in the logs of the variables. A variable is separable when dropping all its terms
but the linear one, with the exponent rounded to a simple fraction, does not make the fit worse: then y = x^p·t with t
free of x. What remains is a smaller problem.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

# Largest number of polynomial terms, as a share of the rows.
TERMS_SHARE = 0.4
# The residual may grow by this factor when a variable's terms go.
RESIDUAL_GROWTH = 1.3
# The exponent of a variable may miss a fraction by this much.
EXPONENT_MISS = 0.06


@dataclass(frozen=True)
class Separation:
    """Exponents of the separable variables, by line of X; and the lines that remain."""

    powers: dict[int, Fraction]
    rest: tuple[int, ...]


def _design(z: NDArray[np.float64], lines: Sequence[int], degree: int) -> NDArray[np.float64]:
    columns = [np.ones(z.shape[1])]
    for d in range(1, degree + 1):
        for chosen in combinations_with_replacement(lines, d):
            columns.append(np.prod(z[list(chosen)], axis=0))
    return np.column_stack(columns)


def _degree(n_var: int, n_row: int) -> int:
    """Highest degree up to 5 whose polynomial has few enough terms; 0 if not even the quadratic one has."""
    from math import comb

    fitting = [d for d in range(2, 6) if comb(n_var + d, d) <= min(TERMS_SHARE * n_row, 400)]
    return max(fitting, default=0)


def _rms(A: NDArray[np.float64], t: NDArray[np.float64]) -> float:
    coefficients = np.linalg.lstsq(A, t, rcond=1e-12)[0]
    r = t - A @ coefficients
    return float(np.sqrt(r @ r / max(1, len(t) - A.shape[1])))


def separate(
    X: NDArray[np.float64], y: NDArray[np.float64], known: Mapping[int, Fraction] | None = None
) -> Separation | None:
    """Separable variables of ``y`` over ``X`` (n_var, n_row), or None when there are none or all are. The ``known`` ones, with
    their exponents, count whatever the data say.

    Needs y and the variables concerned without zeros.
    """
    known = {k: p for k, p in (known or {}).items() if np.all(X[k] > 0)}
    left = [k for k in range(len(X)) if k not in known]
    if not known:
        return _separate(X, y)
    if not left:
        return None
    factor = np.prod([X[k] ** float(p) for k, p in known.items()], axis=0)
    found = _separate(X[left], y / factor) or Separation({}, tuple(range(len(left))))
    return Separation({**known, **{left[k]: p for k, p in found.powers.items()}}, tuple(left[k] for k in found.rest))


def _separate(X: NDArray[np.float64], y: NDArray[np.float64]) -> Separation | None:
    if np.any(y == 0) or len(X) < 2:
        return None
    usable = [k for k in range(len(X)) if np.all(X[k] > 0)]
    if not usable:
        return None
    logs = np.log(np.abs(y))
    z = X.copy()
    z[usable] = np.log(X[usable])
    spread = z.std(axis=1, keepdims=True)
    if not np.all(spread > 0):
        return None
    unit = (z - z.mean(axis=1, keepdims=True)) / spread
    lines = list(range(len(X)))
    degree = _degree(len(lines), len(y))
    if degree < 2:
        return None
    full = _rms(_design(unit, lines, degree), logs)
    if full > 0.7 * float(logs.std()):
        return None
    powers: dict[int, Fraction] = {}
    rest = logs
    remaining = lines
    for k in usable:
        others = [j for j in remaining if j != k]
        if not others:
            break
        # The same degree for both fits, so that only the terms of variable k differ.
        A = np.column_stack([_design(unit, others, degree), z[k]])
        coefficients = np.linalg.lstsq(A, rest, rcond=1e-12)[0]
        p = Fraction(round(float(coefficients[-1]) * 2), 2)
        if p == 0 or abs(float(coefficients[-1]) - float(p)) > EXPONENT_MISS or abs(p) > 6:
            continue
        reduced = rest - float(p) * z[k]
        if _rms(_design(unit, others, degree), reduced) <= RESIDUAL_GROWTH * max(
            full, 1e-12 * float(np.abs(logs).max())
        ):
            powers[k] = p
            rest = reduced
            remaining = others
    if not powers or len(remaining) < 1:
        return None
    return Separation(powers, tuple(remaining))
