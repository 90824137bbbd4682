"""Finds rows of the data that break the rules themselves, and rules that no row can test.

Bounds, signs and values are held against single rows, whose y may be off by some times the noise: the stated sigma, else the
spread around local linear fits. Slopes, curvature and invariances are held against local fits around the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hypo.expression.analysis.derivative import derivative
from hypo.expression.parser import parse
from hypo.expression.program import evaluate
from hypo.knowledge.linter.local_regression import Fits, Neighbours, beyond_chance
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.text.findings import Findings

if TYPE_CHECKING:
    from hypo.data import Dataset

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Breach:
    """Rows (numbers, the worst first) that break a rule, what the worst shows, and how many rows were looked at."""

    rows: NDArray[np.intp]
    example: str
    looked_at: int
    around: bool = False


class RowCheck:
    """A table, seen by rules."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.index = {name: j for j, name in enumerate(dataset.names)}

    def domain(self, where: Mapping[str, tuple[float, float]]) -> NDArray[np.bool_]:
        """Which rows lie in ``where``."""
        X = self.dataset.X
        inside = np.ones(len(X), dtype=bool)
        for name, (low, high) in where.items():
            if name in self.index:
                column = X[:, self.index[name]]
                inside &= (column >= low) & (column <= high)
        return inside

    @cached_property
    def neighbours(self) -> Neighbours:
        return Neighbours(self.dataset.X, self.dataset.y, self.dataset.sigma)

    @cached_property
    def noise(self) -> Values:
        """The noise of y, (n_row,); rounding only where there are too few rows to tell."""
        data = self.dataset
        if data.sigma is not None:
            return data.sigma
        return np.full(data.n_row, max(self.neighbours.noise or 0.0, 1e-9 * float(np.abs(data.y).max())))

    def excess_in_words(self, row: int, times: float) -> str:
        stated = self.dataset.sigma is not None
        if not stated and self.neighbours.noise is None:
            return "taken as exact, as there are too few rows to estimate the noise"
        return f"by {times:.3g} times the noise of {self.noise[row]:.3g}" + (
            "" if stated else ", estimated from neighbouring rows"
        )

    def breach(self, excess: Values, rows: NDArray[np.bool_], words: Callable[[int], str]) -> Breach | None:
        """The rows in ``rows`` by which ``excess`` (n_row,) > 0 is more than noise."""
        times = beyond_chance(int(rows.sum()))
        ratio = np.where(rows, excess / self.noise, -np.inf)
        found = np.flatnonzero(ratio > times)
        if not len(found):
            return None
        worst = int(np.argmax(ratio))
        example = f"{words(worst)} {self.excess_in_words(worst, float(ratio[worst]))}"
        return Breach(_worst_first(found, ratio), example, int(rows.sum()))

    def around(
        self, amount: Values, error: Values, usable: NDArray[np.bool_], threshold: float, words: Callable[[int], str]
    ) -> Breach | None:
        """The centres at which ``amount`` > 0 is beyond chance, given its standard ``error``."""
        tiny = 1e-9 * float(np.abs(amount).max(initial=0.0))
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(usable & (amount > tiny), amount / np.maximum(error, tiny), -np.inf)
        found = np.flatnonzero(ratio > threshold)
        if not len(found):
            return None
        worst = int(np.argmax(ratio))
        rows = self.neighbours.rows
        return Breach(rows[_worst_first(found, ratio)], words(worst), int(usable.sum()), around=True)


def _worst_first(found: NDArray[np.intp], ratio: Values) -> NDArray[np.intp]:
    worst = found[np.argmax(ratio[found])]
    return np.array([worst, *(r for r in found if r != worst)])


def check_rows(
    rules: tuple[Rule, ...], ranges: Mapping[str, tuple[float, float]], dataset: Dataset, out: Findings
) -> None:
    """Remarks on [ranges] and [[rule]] from the rows."""
    with np.errstate(all="ignore"):  # numbers beyond all floats fail every comparison, as they should
        _check_rows(rules, ranges, dataset, out)


def _check_rows(
    rules: tuple[Rule, ...], ranges: Mapping[str, tuple[float, float]], dataset: Dataset, out: Findings
) -> None:
    check = RowCheck(dataset)
    for name, (low, high) in ranges.items():
        if name in check.index:
            column = dataset.X[:, check.index[name]]
            outside = np.flatnonzero((column < low) | (column > high))
            if len(outside):
                out.note(
                    ("ranges", name),
                    f"the data reach from {column.min():g} to {column.max():g}, {len(outside)} of "
                    f"{len(column)} rows outside this range",
                )
    for i, rule in enumerate(rules):
        path = ("rule", i)
        if not rule.names() <= check.index.keys():
            continue
        where = {**ranges, **rule.where}
        rows = check.domain(where)
        if not rows.any():
            out.warning(
                path,
                f"no row of the data lies in its domain ({_domain_in_words(where, check)}), so no row can test "
                "this rule",
            )
            continue
        test = TESTS.get(rule.kind)
        if test is None:
            continue
        found = test(check, rule.as_dict(), rows)
        if isinstance(found, str):
            out.note(path, f"{found}, so no row can test this rule")
        elif found is not None:
            out.warning(path, _in_words(found, rule, dataset))


def _in_words(found: Breach, rule: Rule, dataset: Dataset) -> str:
    where = dataset.rows_in_words(list(found.rows))
    n = len(found.rows)
    words = rule.describe(dataset.target)
    place = dataset.rows_in_words([int(found.rows[0])]) if n > 1 else "there"
    if found.around:
        return (
            f"the rows around {where} break this rule ({words}), {n} of {found.looked_at} places looked at; around "
            f"{place} {found.example}"
            if n > 1
            else f"the rows around {where} break this rule ({words}): {found.example}"
        )
    what = f"{n} rows of {found.looked_at} break" if n > 1 else f"1 row of {found.looked_at} breaks"
    return f"{what} this rule ({words}): {where}; {'in ' if n > 1 else ''}{place} {found.example}"


def _domain_in_words(where: Mapping[str, tuple[float, float]], check: RowCheck) -> str:
    parts = []
    for name, (low, high) in where.items():
        if name in check.index:
            column = check.dataset.X[:, check.index[name]]
            if not check.domain({name: (low, high)}).any():
                parts.append(f"{name} from {low:g} to {high:g}, but the data have {column.min():g} to {column.max():g}")
    return "; ".join(parts) or ", ".join(f"{name} from {low:g} to {high:g}" for name, (low, high) in where.items())


# --- the kinds: (table, rule as in a file, rows in its domain) → breach, why nothing can be tested, or None -------------

Result = Breach | str | None


def _bounds(check: RowCheck, rule: Mapping[str, Any], rows: NDArray[np.bool_]) -> Result:
    y, target = check.dataset.y, check.dataset.target
    low, high = rule.get("min", -np.inf), rule.get("max", np.inf)
    return check.breach(
        np.maximum(low - y, y - high),
        rows,
        lambda r: f"{target} = {y[r]:.6g} is {f'below {low:g}' if y[r] < low else f'above {high:g}'}",
    )


def _sign(check: RowCheck, rule: Mapping[str, Any], rows: NDArray[np.bool_]) -> Result:
    limits = {
        "positive": {"min": 0.0},
        "nonnegative": {"min": 0.0},
        "negative": {"max": 0.0},
        "nonpositive": {"max": 0.0},
    }
    return _bounds(check, limits[rule["sign"]], rows) if rule["sign"] in limits else None


def _value(check: RowCheck, rule: Mapping[str, Any], rows: NDArray[np.bool_]) -> Result:
    data, at, equals = check.dataset, rule["at"], rule["equals"]
    names = [name for name in at if name in check.index]
    columns = [check.index[name] for name in names]
    point = np.array([at[name] for name in names])
    tolerance = rule.get("tolerance") or 0.0
    exact = np.all(np.isclose(data.X[:, columns], point, rtol=1e-9, atol=0.0), axis=1)
    if exact.any():
        return check.breach(
            np.abs(data.y - equals) - tolerance, exact, lambda r: f"{data.target} = {data.y[r]:.6g} misses {equals:g}"
        )
    low, high = data.X[:, columns].min(axis=0), data.X[:, columns].max(axis=0)
    beyond = [
        f"{name} = {at[name]:g}, the data {a:g} to {b:g}"
        for name, a, b in zip(names, low, high, strict=True)
        if not a <= at[name] <= b
    ]
    if beyond:
        return f"the point lies outside the data ({'; '.join(beyond)})"
    if len(names) < len(data.names) or not check.neighbours.enough:
        return None
    full = np.array([[at[name] for name in data.names]])
    fit = check.neighbours.around(full)
    off = float(abs(fit.value[0] - equals)) - tolerance
    if not fit.inside[0] or off <= _sure(check.neighbours, fit) * fit.miss[0]:
        return None
    nearest = np.argsort((((data.X - full) / check.neighbours.widths) ** 2).sum(axis=1))[: check.neighbours.k]
    return Breach(
        nearest,
        f"{data.target} is {fit.value[0]:.4g} ± {fit.miss[0]:.2g} at the point, not {equals:g}",
        len(nearest),
        around=True,
    )


def _zeros(check: RowCheck, rule: Mapping[str, Any], rows: NDArray[np.bool_]) -> Result:
    data = check.dataset
    column = data.X[:, check.index[rule["variable"]]]
    exact = rows & np.any(np.isclose(column[:, None], rule["at"], rtol=1e-9, atol=0.0), axis=1)
    if not exact.any():
        return None
    return check.breach(
        np.abs(data.y) - (rule.get("tolerance") or 0.0), exact, lambda r: f"{data.target} = {data.y[r]:.6g} is not 0"
    )


def _monotone(check: RowCheck, rule: Mapping[str, Any], rows: NDArray[np.bool_]) -> Result:
    if not check.neighbours.enough:
        return None
    sign = 1.0 if rule["direction"] == "increasing" else -1.0
    fits, j = check.neighbours.at_rows, check.index[rule["variable"]]
    slope, error = fits.gradient[:, j], fits.gradient_error[:, j]
    verb = "falls" if sign > 0 else "rises"
    return check.around(
        -sign * slope,
        error,
        rows[check.neighbours.rows],
        fits.threshold,
        lambda i: f"{check.dataset.target} {verb} with {rule['variable']} (slope {slope[i]:.3g} ± {error[i]:.2g})",
    )


def _not_depends(check: RowCheck, rule: Mapping[str, Any], rows: NDArray[np.bool_]) -> Result:
    if not check.neighbours.enough:
        return None
    fits, j = check.neighbours.at_rows, check.index[rule["variable"]]
    slope, error = fits.gradient[:, j], fits.gradient_error[:, j]
    return check.around(
        np.abs(slope),
        error,
        rows[check.neighbours.rows],
        fits.threshold,
        lambda i: f"{check.dataset.target} changes with {rule['variable']} (slope {slope[i]:.3g} ± {error[i]:.2g})",
    )


def _lipschitz(check: RowCheck, rule: Mapping[str, Any], rows: NDArray[np.bool_]) -> Result:
    if not check.neighbours.enough:
        return None
    fits, j = check.neighbours.at_rows, check.index[rule["variable"]]
    slope, error = fits.gradient[:, j], fits.gradient_error[:, j]
    return check.around(
        np.abs(slope) - rule["constant"],
        error,
        rows[check.neighbours.rows],
        fits.threshold,
        lambda i: f"{check.dataset.target} has the slope {slope[i]:.3g} ± {error[i]:.2g} in {rule['variable']}",
    )


def _compare_sides(sign: float) -> Callable[..., Result]:
    """The test of convexity (``sign`` 1) or concavity (-1): local fits on both sides of a row, along each variable, against
    the fit around it."""

    def test(check: RowCheck, rule: Mapping[str, Any], rows: NDArray[np.bool_]) -> Result:
        near = check.neighbours
        if not near.enough:
            return None
        X, target = check.dataset.X[near.rows], check.dataset.target
        middle = near.around(X)
        for name in rule.get("variables") or [rule["variable"]]:
            j = check.index[name]
            step = _STEP * float(np.ptp(check.dataset.X[:, j]))
            low, high = rule.get("where", {}).get(name, (-np.inf, np.inf))
            left, right = X.copy(), X.copy()
            left[:, j] -= step
            right[:, j] += step
            a, b = near.around(left), near.around(right)
            usable = rows[near.rows] & a.inside & b.inside & (left[:, j] >= float(low)) & (right[:, j] <= float(high))
            sides = (a.value + b.value) / 2
            error = np.sqrt(middle.value_error**2 + (a.value_error**2 + b.value_error**2) / 4)

            def words(
                i: int, name: str = name, step: float = step, sides: Values = sides, error: Values = error
            ) -> str:
                return (
                    f"{target} is {middle.value[i]:.4g}, {'above' if sign > 0 else 'below'} the mean {sides[i]:.4g} "
                    f"(± {error[i]:.2g}) of its values where {name} is {step:.3g} less and more"
                )

            found = check.around(sign * (middle.value - sides), error, usable, _sure(near, middle), words)
            if found is not None:
                return found
        return None

    return test


def _conserved(check: RowCheck, rule: Mapping[str, Any], rows: NDArray[np.bool_]) -> Result:
    """The gradient of local fits against that of the quantity, for each two of its variables."""
    near = check.neighbours
    if not near.enough:
        return None
    quantity, fits, names = parse(rule["quantity"]), near.at_rows, check.dataset.names
    X = check.dataset.X[near.rows]
    of_q = {x: evaluate(derivative(quantity, x), X, names) * near.widths[check.index[x]] for x in quantity.variables}
    for a, b in combinations(quantity.variables, 2):
        i, j = check.index[a], check.index[b]
        slope = fits.gradient * near.widths
        error = fits.gradient_error * near.widths
        off = np.abs(slope[:, i] * of_q[b] - slope[:, j] * of_q[a])
        # Slopes of straight fits to a curved law differ by what it bends between their rows.
        scatter = np.hypot(error[:, i] * of_q[b], error[:, j] * of_q[a])
        usable = rows[near.rows] & np.isfinite(off)

        def words(k: int, a: str = a, b: str = b, i: int = i, j: int = j) -> str:
            return (
                f"the slopes of {check.dataset.target} in {a} and {b} are {fits.gradient[k, i]:.3g} ± "
                f"{fits.gradient_error[k, i]:.2g} and {fits.gradient[k, j]:.3g} ± {fits.gradient_error[k, j]:.2g}"
            )

        found = check.around(off, scatter, usable, _sure(near, fits), words)
        if found is not None:
            return found
    return None


def _compare_moved(
    move: Callable[[RowCheck, Mapping[str, Any], Values], Values],
    factor: Callable[[Mapping[str, Any]], float] = lambda rule: 1.0,
) -> Callable[..., Result]:
    """The test of f(moved x) = factor·f(x): what the rows around a moved row say, against the row itself."""

    def test(check: RowCheck, rule: Mapping[str, Any], rows: NDArray[np.bool_]) -> Result:
        near = check.neighbours
        if not near.enough:
            return None
        size = factor(rule)
        if not 0 < abs(size) < np.inf:
            return "it changes the target by a factor beyond all numbers"
        y = check.dataset.y[near.rows]
        there = near.around(move(check, rule, check.dataset.X[near.rows].copy()))
        usable = rows[near.rows] & there.inside
        if not usable.any():
            return "moved as the rule says, no row comes to lie among the others"
        error = np.hypot(there.miss, size * check.noise[near.rows])
        target = check.dataset.target
        return check.around(
            np.abs(there.value - size * y),
            error,
            usable,
            _sure(near, there),
            lambda i: (
                f"{target} is {y[i]:.4g}, and {there.value[i]:.4g} ± {there.miss[i]:.2g} where the rule takes it, "
                f"not {size * y[i]:.4g}"
            ),
        )

    return test


def _sure(near: Neighbours, fits: Fits) -> float:
    """From how many standard deviations on a miss is neither chance nor what local fits miss anyway."""
    return max(fits.threshold, 1.5 * near.worst_miss)


def _mirror(check: RowCheck, rule: Mapping[str, Any], X: Values) -> Values:
    X[:, check.index[rule["variable"]]] *= -1
    return X


def _swap(check: RowCheck, rule: Mapping[str, Any], X: Values) -> Values:
    a, b = (check.index[name] for name in rule["swap"])
    X[:, [a, b]] = X[:, [b, a]]
    return X


def _shift_by_period(check: RowCheck, rule: Mapping[str, Any], X: Values) -> Values:
    X[:, check.index[rule["variable"]]] += rule["period"]
    return X


_SCALE = 1.25
"""The factor by which rows are moved to see whether a rule of scaling holds."""
_STEP = 0.25
"""Of the width of a column: how far to the sides curvature is looked for."""


def _scale_up(check: RowCheck, rule: Mapping[str, Any], X: Values) -> Values:
    X[:, [check.index[name] for name in rule["variables"]]] *= _SCALE
    return X


def _shift(check: RowCheck, rule: Mapping[str, Any], X: Values) -> Values:
    columns = [check.index[name] for name in rule["variables"]]
    X[:, columns] += 0.25 * float(np.ptp(check.dataset.X[:, columns], axis=0).min())
    return X


TESTS: Mapping[str, Callable[[RowCheck, Mapping[str, Any], NDArray[np.bool_]], Result]] = {
    "bounds": _bounds,
    "sign": _sign,
    "value": _value,
    "zeros": _zeros,
    "monotone": _monotone,
    "not_depends": _not_depends,
    "lipschitz": _lipschitz,
    "even": _compare_moved(_mirror),
    "odd": _compare_moved(_mirror, lambda rule: -1.0),
    "symmetric": _compare_moved(_swap),
    "antisymmetric": _compare_moved(_swap, lambda rule: -1.0),
    "periodic": _compare_moved(_shift_by_period),
    "homogeneous": _compare_moved(_scale_up, lambda rule: float(np.power(_SCALE, rule["degree"]))),
    "scale_invariant": _compare_moved(_scale_up),
    "translation_invariant": _compare_moved(_shift),
    "convex": _compare_sides(1.0),
    "concave": _compare_sides(-1.0),
    "conserved": _conserved,
}
