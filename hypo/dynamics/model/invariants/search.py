"""Conserved sums of a library's functions, simplest first.

u(s) = Σ_j c_j g_j(s) is conserved where Σ_j c_j ∇g_j·f vanishes at all states: c is in the nullspace of the matrix of rates at
sampled states. Functions are taken up in order; one whose rate is a combination of the rates of those before it gives a
conserved sum with the simplest functions there are, and stays out, so that the next sum is another one. What is a function
of sums already found (the square of the energy) has a gradient that depends on theirs.

With fitted constants a sum may be conserved only within their errors: its rate is then no larger than what the errors of the
constants make of it. Its coefficients are rounded to simple ratios where the errors allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# Size of a rate, as a share of its terms, that is rounding.
EXACT = 1e-10
# Rates within so many times what the errors of the constants make of them count as 0.
WITHIN = 2.0
# A rate whose terms the errors of constants blur by more than this share says nothing.
BLURRED = 0.05
# Terms of a sum that is conserved within errors: more terms can imitate it.
MOST_TERMS = 6
# Functions, from the simplest on, that sums within errors are made of.
MOST_COMPARED = 40
# Coefficients below this share of the largest term are rounding.
NEGLIGIBLE = 1e-7
# Ratios that coefficients are rounded to.
SIMPLE = np.array([1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 3.0, -3.0, 4.0, -4.0, 1 / 3, -1 / 3, 0.25, -0.25, 1.5, -1.5])
# Singular values of gradients below this share of the first count as 0.
RANK = 1e-5


@dataclass(frozen=True)
class Gradients:
    """Gradients G (n_function, n_state, n) of functions at sampled states, and their rates under a field."""

    G: Values

    def rates(self, f: Values) -> Values:
        """∇g·f (n, n_function) for f (n_state, n)."""
        return np.asarray(np.einsum("msn,sn->nm", self.G, f))

    def sizes(self, f: Values) -> Values:
        """Σ_i |∂g/∂x_i·f_i|, root mean square over the states, by function (n_function,)."""
        total = np.abs(self.G * f[None]).sum(1)
        return np.asarray(np.sqrt(np.mean(total**2, axis=1)))

    def rank(self, combinations: Sequence[Values]) -> int:
        """The largest number of independent gradients of combinations (n_function,) at one state."""
        each = np.array([np.einsum("m,msn->sn", c, self.G) for c in combinations])
        size = np.linalg.norm(each, axis=1, keepdims=True)
        unit = np.divide(each, size, out=np.zeros_like(each), where=size > 0)
        s = np.linalg.svd(np.moveaxis(unit, 2, 0), compute_uv=False)
        return int(np.max((s > RANK * s[:, :1]).sum(1), initial=0))


@dataclass(frozen=True)
class Conserved:
    """Coefficients of a conserved sum (n_function,), and whether it is conserved within errors of constants only."""

    coefficients: Values
    is_approximate: bool


def find_conserved(gradients: Gradients, f: Values, spread: Sequence[Values], most: int) -> list[Conserved]:
    """At most ``most`` independent conserved sums.

    Args:
        gradients: of the library's functions at sampled states.
        f: rates (n_state, n) at these states.
        spread: the same with other constants, drawn from their errors; empty where only exact sums count.
        most: sums that can be independent.
    """
    A, sizes = gradients.rates(f), gradients.sizes(f)
    others = [gradients.rates(g) for g in spread]
    found: list[Conserved] = []
    independent: list[int] = []
    Q = np.empty((len(A), 0))
    for j in range(A.shape[1]):
        if len(found) >= most:
            break
        if not (np.isfinite(sizes[j]) and np.all(np.isfinite(A[:, j]))):
            continue
        scale = sizes[j] or 1.0
        a = A[:, j] / scale
        left = a - Q @ (Q.T @ a)
        left -= Q @ (Q.T @ left)
        size = float(np.linalg.norm(left)) / np.sqrt(len(a))
        exact = _exact(A, sizes, independent, j) if size <= EXACT else None
        sum_: Conserved | None = None
        if exact is not None:
            rounded = _rounded(exact, A, sizes, others)
            sum_ = Conserved(exact, False) if rounded is None else Conserved(rounded, True)
        elif others and len(independent) < MOST_COMPARED:
            sum_ = _within_errors(A, sizes, others, independent, j)
        if sum_ is None:
            independent.append(j)
            # What differs from the others by rounding alone gives no direction.
            Q = np.column_stack([Q, left / np.linalg.norm(left)]) if size > EXACT else Q
        elif gradients.rank([c.coefficients for c in (*found, sum_)]) > len(found):
            found.append(sum_)
    return found


def solve_for(A: Values, sizes: Values, columns: Sequence[int], j: int) -> Values:
    """Coefficients (n_function,) of the sum of function j and ``columns`` whose rate is least, that of j being 1."""
    c = np.zeros(A.shape[1])
    c[j] = 1.0
    if len(columns):
        scales = np.where(sizes[list(columns)] > 0, sizes[list(columns)], 1.0)
        c[list(columns)] = -np.linalg.lstsq(A[:, list(columns)] / scales, A[:, j], rcond=1e-13)[0] / scales
    return c


def _exact(A: Values, sizes: Values, columns: Sequence[int], j: int) -> Values | None:
    """The conserved sum of j and ``columns``, without what is rounding; None where it is none."""
    c = solve_for(A, sizes, columns, j)
    for _ in range(3):
        parts = np.abs(c) * np.where(sizes > 0, sizes, 1.0)
        kept = np.flatnonzero(parts > NEGLIGIBLE * parts.max())
        c = solve_for(A, sizes, [int(k) for k in kept if k != j], j)
    return c if _residual(A, sizes, c) <= 100 * EXACT else None


def _residual(A: Values, sizes: Values, c: Values) -> float:
    """The rate of a sum, as a share of its terms' rates."""
    total = float(np.sum(np.abs(c) * sizes))
    return float(np.sqrt(np.mean((A @ c) ** 2))) / total if total > 0 else 0.0


def _blur(sizes: Values, others: Sequence[Values], A: Values, c: Values) -> float:
    """The part of the rate of a sum that errors of the constants make, as a share of its terms' rates."""
    total = float(np.sum(np.abs(c) * sizes))
    return float(np.sqrt(np.mean([np.mean(((B - A) @ c) ** 2) for B in others]))) / total if total > 0 else 0.0


def _is_within(A: Values, sizes: Values, others: Sequence[Values], c: Values) -> bool:
    blur = _blur(sizes, others, A, c)
    return blur <= BLURRED and _residual(A, sizes, c) <= WITHIN * blur


def _rounded(c: Values, A: Values, sizes: Values, others: Sequence[Values]) -> Values | None:
    """The sum with ratios rounded as far as errors allow; None where nothing is to round."""
    if not others:
        return None
    used = np.flatnonzero(c)
    first = int(used[0])
    ratios = c / c[first]
    drawn = []
    for B in others:
        each = solve_for(B, sizes, [int(k) for k in used[1:]], first)
        drawn.append(each)
    sd = np.std(drawn, axis=0)
    out, changed = ratios.copy(), False
    for k in used[1:]:
        nearest = SIMPLE[np.argmin(np.abs(SIMPLE - ratios[k]))]
        off = abs(nearest - ratios[k])
        if 1e-9 * abs(nearest) < off <= WITHIN * sd[k] and sd[k] <= BLURRED * abs(nearest):
            out[k], changed = nearest, True
    return out if changed and _is_within(A, sizes, others, out) else None


def _within_errors(
    A: Values, sizes: Values, others: Sequence[Values], columns: Sequence[int], j: int
) -> Conserved | None:
    """A sum of few terms that is conserved within errors of the constants."""
    c = solve_for(A, sizes, columns, j)
    if not _is_within(A, sizes, others, c):
        return None
    used = [int(k) for k in np.flatnonzero(c) if k != j]
    while used:
        weakest = min(used, key=lambda k: abs(c[k]) * sizes[k])
        fewer = [k for k in used if k != weakest]
        shorter = solve_for(A, sizes, fewer, j)
        if not _is_within(A, sizes, others, shorter):
            break
        used, c = fewer, shorter
    if not used or len(used) >= MOST_TERMS:
        return None
    rounded = _rounded(c, A, sizes, others)
    return Conserved(c if rounded is None else rounded, True)
