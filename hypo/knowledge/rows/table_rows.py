"""The rows of a table as rules see them: single values beyond noise, and local fits beyond chance.

Bounds, signs and values are held against single rows, whose y may be off by some times the noise: the stated sigma, else the
spread around local linear fits. Slopes, curvature and invariances are held against local fits around the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hypo.knowledge.rows.breach import RowBreach, RowResult
from hypo.knowledge.rows.local_regression import Fits, Neighbours, beyond_chance

if TYPE_CHECKING:
    from hypo.data import Dataset

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

_ROUNDING = 1e-9
"""Relative size of differences that are rounding."""
_SIDE_STEP = 0.25
"""How far to the sides curvature is looked for, in widths of the column."""
_MISS_MARGIN = 1.5
"""A miss counts from so many times the largest that local fits have among the rows themselves."""


class TableRows:
    """A table, seen by rules; ``columns`` maps the names of its columns to their numbers.

    The methods ``check_…`` take the ``rows`` (n_row,) that lie in the domain of a rule and return what they say of it.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.columns = {name: j for j, name in enumerate(dataset.names)}

    def select(self, where: Mapping[str, tuple[float, float]]) -> Mask:
        """Marks (n_row,) the rows that lie in ``where``."""
        X = self.dataset.X
        inside = np.ones(len(X), dtype=bool)
        for name, (low, high) in where.items():
            if name in self.columns:
                column = X[:, self.columns[name]]
                inside &= (column >= low) & (column <= high)
        return inside

    def select_at(self, at: Mapping[str, float]) -> Mask:
        """Marks (n_row,) the rows at which the variables have the values of ``at``, up to rounding."""
        values = self.dataset.X[:, [self.columns[name] for name in at]]
        found: Mask = np.all(np.isclose(values, np.array([*at.values()]), rtol=_ROUNDING, atol=0.0), axis=1)
        return found

    @cached_property
    def neighbours(self) -> Neighbours:
        """The local fits."""
        return Neighbours(self.dataset.X, self.dataset.y, self.dataset.sigma)

    @cached_property
    def noise(self) -> Values:
        """The noise of y, (n_row,); rounding only where there are too few rows to tell."""
        data = self.dataset
        if data.sigma is not None:
            return data.sigma
        return np.full(data.n_row, max(self.neighbours.noise or 0.0, _ROUNDING * float(np.abs(data.y).max())))

    # --- single rows ------------------------------------------------------------------------------

    def check_excess(self, excess: Values, rows: Mask, words: Callable[[int], str]) -> RowBreach | None:
        """The rows at which ``excess`` (n_row,) > 0 is more than noise; ``words`` says what a row shows."""
        times = beyond_chance(int(rows.sum()))
        ratio = np.where(rows, excess / self.noise, -np.inf)
        found = np.flatnonzero(ratio > times)
        if not len(found):
            return None
        worst = int(np.argmax(ratio))
        example = f"{words(worst)} {self._describe_excess(worst, float(ratio[worst]))}"
        return RowBreach(_sort_worst_first(found, ratio), example, int(rows.sum()))

    def check_limits(self, low: float, high: float, rows: Mask) -> RowResult:
        """Is y between ``low`` and ``high``?"""
        y, target = self.dataset.y, self.dataset.target
        return self.check_excess(
            np.maximum(low - y, y - high),
            rows,
            lambda r: f"{target} = {y[r]:.6g} is {f'below {low:g}' if y[r] < low else f'above {high:g}'}",
        )

    def _describe_excess(self, row: int, times: float) -> str:
        stated = self.dataset.sigma is not None
        if not stated and self.neighbours.noise is None:
            return "taken as exact, as there are too few rows to estimate the noise"
        return f"by {times:.3g} times the noise of {self.noise[row]:.3g}" + (
            "" if stated else ", estimated from neighbouring rows"
        )

    # --- local fits -------------------------------------------------------------------------------

    def check_places(
        self, amount: Values, error: Values, usable: Mask, threshold: float, words: Callable[[int], str]
    ) -> RowBreach | None:
        """The centres of local fits at which ``amount`` > 0 is beyond chance, given its standard ``error``."""
        tiny = _ROUNDING * float(np.abs(amount).max(initial=0.0))
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(usable & (amount > tiny), amount / np.maximum(error, tiny), -np.inf)
        found = np.flatnonzero(ratio > threshold)
        if not len(found):
            return None
        worst = int(np.argmax(ratio))
        rows = self.neighbours.rows
        return RowBreach(rows[_sort_worst_first(found, ratio)], words(worst), int(usable.sum()), around=True)

    def check_slopes(
        self, variable: str, amount: Callable[[Values], Values], rows: Mask, words: Callable[[str], str]
    ) -> RowResult:
        """Where is the slope in ``variable`` wrong by ``amount`` of it > 0? ``words`` makes a sentence of a slope."""
        if not self.neighbours.enough:
            return None
        fits, j = self.neighbours.at_rows, self.columns[variable]
        slope, error = fits.gradient[:, j], fits.gradient_error[:, j]
        return self.check_places(
            amount(slope),
            error,
            rows[self.neighbours.rows],
            fits.threshold,
            lambda i: words(f"{slope[i]:.3g} ± {error[i]:.2g}"),
        )

    def check_curvature(
        self, variables: Sequence[str], sign: float, where: Mapping[str, tuple[float, float]], rows: Mask
    ) -> RowResult:
        """Is the law convex (``sign`` 1) or concave (-1)? Compares local fits on both sides of a row, along each variable,
        with the fit around it."""
        near = self.neighbours
        if not near.enough:
            return None
        X, target = self.dataset.X[near.rows], self.dataset.target
        middle = near.around(X)
        for name in variables:
            j = self.columns[name]
            step = _SIDE_STEP * float(np.ptp(self.dataset.X[:, j]))
            low, high = where.get(name, (-np.inf, np.inf))
            left, right = X.copy(), X.copy()
            left[:, j] -= step
            right[:, j] += step
            a, b = near.around(left), near.around(right)
            usable = rows[near.rows] & a.inside & b.inside & (left[:, j] >= low) & (right[:, j] <= high)
            sides = (a.value + b.value) / 2
            error = np.sqrt(middle.value_error**2 + (a.value_error**2 + b.value_error**2) / 4)

            def words(
                i: int, name: str = name, step: float = step, sides: Values = sides, error: Values = error
            ) -> str:
                return (
                    f"{target} is {middle.value[i]:.4g}, {'above' if sign > 0 else 'below'} the mean {sides[i]:.4g} "
                    f"(± {error[i]:.2g}) of its values where {name} is {step:.3g} less and more"
                )

            found = self.check_places(sign * (middle.value - sides), error, usable, self.sure(middle), words)
            if found is not None:
                return found
        return None

    def check_moved(
        self, move: Callable[[Values], Values], image: Callable[[Values], tuple[Values, Values]], rows: Mask
    ) -> RowResult:
        """Is f(moved x) the image of f(x)? Compares what the rows around a moved row say with the row itself.

        ``move`` takes rows (m, n_col) to where the rule takes them, ``image`` values of the target (m,) to those expected
        there, with the derivative (m,).
        """
        near = self.neighbours
        if not near.enough:
            return None
        y = self.dataset.y[near.rows]
        expected, factor = image(y)
        if not np.all((factor != 0) & np.isfinite(factor)):
            return "it changes the target by a factor beyond all numbers"
        there = near.around(move(self.dataset.X[near.rows]))
        usable = rows[near.rows] & there.inside
        if not usable.any():
            return "moved as the rule says, no row comes to lie among the others"
        error = np.hypot(there.miss, factor * self.noise[near.rows])
        target = self.dataset.target
        return self.check_places(
            np.abs(there.value - expected),
            error,
            usable,
            self.sure(there),
            lambda i: (
                f"{target} is {y[i]:.4g}, and {there.value[i]:.4g} ± {there.miss[i]:.2g} where the rule takes it, "
                f"not {expected[i]:.4g}"
            ),
        )

    def sure(self, fits: Fits) -> float:
        """From how many standard deviations on a miss is neither chance nor what local fits miss anyway."""
        return max(fits.threshold, _MISS_MARGIN * self.neighbours.worst_miss)


def _sort_worst_first(found: NDArray[np.intp], ratio: Values) -> NDArray[np.intp]:
    worst = found[np.argmax(ratio[found])]
    return np.array([worst, *(r for r in found if r != worst)])
