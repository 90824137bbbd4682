"""One law in several spellings: A*exp(-k*x) and A/exp(k*x), x + abs(1 - x) - c and 2*(max(1, x) - c).

Two formulas with as many fitted constants are spellings of one law where the constants of one can be chosen so that it predicts
what the other does, on the rows and on points around them: to rounding, whatever their fits left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hypo.expression.program import Program

Values = NDArray[np.float64]

# Predictions that differ by more than this share of the greatest are not looked at further: fits of one law do not part so far.
CLOSE = 0.02
# Share of the difference that a change of the constants may leave, to first order.
LEFT_AT_FIRST = 0.1
# Steps to the end.
STEPS = 6
# Share of the values at each point, and of those on all rows, that may be left at the end.
LEFT_AT_END = 1e-8
# How far from their middle the points around the rows reach, in multiples of how far the rows do.
STRETCH = 1.25


@dataclass(frozen=True)
class Spelling:
    """A formula on ``points`` (n_var, n_point), the first ``rows`` of which are rows, with the places ``slot`` (n_leaf,) of its
    numbers among the fitted constants ``theta`` (k,), -1 for exact ones."""

    program: Program
    slot: tuple[int, ...]
    theta: tuple[float, ...]
    points: Values
    rows: int

    @cached_property
    def values(self) -> Values:
        """Predictions (n_point,)."""
        return self.program.value(self.points)

    @cached_property
    def size(self) -> float:
        """The greatest prediction on the rows, whatever its sign."""
        return float(np.max(np.abs(self.values[: self.rows])))

    @cached_property
    def _plane(self) -> tuple[Values, Values]:
        """An orthonormal basis (n_point, k) of what small changes of the constants do, and the weights of the points."""
        values, change = self._at(np.array(self.theta))
        weight = np.where(
            np.isfinite(values) & np.all(np.isfinite(change), axis=0), 1.0 / (np.abs(values) + self.size), 0.0
        )
        weighed = np.where(weight > 0, change, 0.0) * weight
        norm = np.sqrt(np.sum(weighed**2, axis=1, keepdims=True))
        return np.linalg.qr((weighed / np.where(norm > 0, norm, 1.0)).T)[0], weight

    def _at(self, theta: Values) -> tuple[Values, Values]:
        """Predictions, and their derivatives (k, n_point)."""
        leaves = self.program.values.copy()
        which = np.array(self.slot, np.int64)
        leaves[which >= 0] = theta[which[which >= 0]]
        values, gradient = self.program.value_and_gradient(self.points, leaves)
        change = np.zeros((len(theta), self.points.shape[1]))
        np.add.at(change, which[which >= 0], gradient[which >= 0])
        return values, change

    def says(self, other: Spelling) -> bool:
        """True if it predicts, its constants chosen for that, what ``other`` does."""
        if len(self.theta) != len(other.theta) or not self.theta:
            return False
        apart = other.values - self.values
        if float(np.max(np.abs(apart[: self.rows]))) > CLOSE * min(self.size, other.size):
            return False
        with np.errstate(all="ignore"):
            basis, weight = self._plane
            weighed = np.where(np.isfinite(apart) & (weight > 0), apart, 0.0) * weight
            left = weighed - basis @ (basis.T @ weighed)
            if float(np.sum(left**2)) > LEFT_AT_FIRST**2 * float(np.sum(weighed**2)):
                return False
            return self._reaches(other)

    def _reaches(self, other: Spelling) -> bool:
        theta = np.array(self.theta)
        for _ in range(STEPS):
            values, change = self._at(theta)
            defined = np.isfinite(values) & np.isfinite(other.values) & np.all(np.isfinite(change), axis=0)
            if not np.all(defined[: self.rows]):
                return False
            apart = np.where(defined, other.values - values, 0.0)
            scale = np.where(defined, np.abs(other.values), 0.0) + self.size
            if np.all(np.abs(apart) <= LEFT_AT_END * scale):
                return True
            norm = np.sqrt(np.sum((np.where(defined, change, 0.0) / scale) ** 2, axis=1))
            if not np.all(np.isfinite(norm) & (norm > 0)):
                return False
            lines = np.where(defined, change, 0.0) / scale / norm[:, None]
            theta = theta + np.linalg.lstsq(lines.T, apart / scale, rcond=1e-13)[0] / norm
        return False


def around(rows: Values) -> Values:
    """``rows`` (n_var, n), points between them, and points farther out (n_var, 3 n)."""
    middle = 0.5 * (rows.min(axis=1, keepdims=True) + rows.max(axis=1, keepdims=True))
    return np.ascontiguousarray(
        np.hstack([rows, 0.5 * (rows + np.roll(rows, 1, axis=1)), middle + STRETCH * (rows - middle)])
    )
