"""Terms of which textbooks make rate laws, for sparse sums: monomials, saturations, waves, logistic steps, their products.

Constants inside a term (the c of x/(c + x)) stand on a grid that follows the data; whoever uses a term fits them. Terms come
in families, from polynomials to products of functions, so that sums can be sought among the plain ones first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations, combinations_with_replacement
from math import comb

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program

Values = NDArray[np.float64]

# Families of terms. Sums are sought in unions of them.
LINEAR, QUADRATIC, POLYNOMIAL, POWER, WAVE, FUNCTION, SATURATION = range(7)
# Most monomials of all columns together: the degree falls as columns become more.
MOST_MONOMIALS = 130
# Highest total degree of mixed monomials, and of one column alone.
MIXED_DEGREE = 4
SINGLE_DEGREE = 5
# Columns up to which differences of two are taken.
DIFFERENCES = 12
# Columns up to which functions of one are multiplied by others.
MANY_COLUMNS = 5
# Half-saturation constants as multiples of the median size of a column.
SATURATION_GRID = (0.03, 0.1, 0.2, 0.35, 0.6, 1.0, 1.7, 3.0, 8.0)
# Values that a finer grid has between two neighbours; steps beyond its ends, and their factor.
BETWEEN = 3
STEPS_BEYOND = 3
BEYOND = 1.7
# Decay constants of exp(-x/c), the same.
DECAY_GRID = (0.1, 0.3, 0.6, 1.0, 1.7, 3.0)
# Exponents of Hill terms x^n/(c^n + x^n).
HILL = (1, 2, 3, 4)
# Exponents of feedback that sets in at a threshold, and thresholds as multiples of the median size of a column.
STEEP = (6.0, 9.0)
THRESHOLDS = (0.6, 0.8, 1.0, 1.25, 1.6)
# Centres (quantiles) and widths (shares of the spread) of logistic steps.
STEP_CENTRES = (0.05, 0.2, 0.5, 0.8, 0.95)
STEP_WIDTHS = (0.1, 0.3, 1.0)
# Values smaller than this share of the largest count as a crossing of zero.
ZERO = 1e-3
# Terms whose values agree in so many digits, up to a factor, are one.
DIGITS = 9


@dataclass(frozen=True)
class Terms:
    """Terms of sums.

    Attributes:
        expressions: the terms.
        family: of each (n_term,).
        forms: of each, its text without the values of constants; terms of one form differ in these only.
    """

    expressions: tuple[Expression, ...]
    family: NDArray[np.int64]
    forms: tuple[str, ...]

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """Of each term the number of its form (n_term,), in the order in which forms first stand."""
        number = {form: i for i, form in enumerate(dict.fromkeys(self.forms))}
        return np.array([number[form] for form in self.forms], np.int64)

    def within(self, families: Sequence[int]) -> NDArray[np.int64]:
        """Numbers of the terms of some families."""
        return np.flatnonzero(np.isin(self.family, families))

    def keep(self, keeps: NDArray[np.bool_]) -> Terms:
        """Only some of the terms."""
        chosen = np.flatnonzero(keeps)
        return Terms(
            tuple(self.expressions[i] for i in chosen), self.family[chosen], tuple(self.forms[i] for i in chosen)
        )


def refine_grids(terms: Terms) -> Terms:
    """The same terms, and behind them more of those with one constant inside: ``BETWEEN`` values in geometric steps between any
    two neighbours on its grid, and some beyond its ends. A constant that is a third off hides a term from a regression with
    little noise."""
    by_form: dict[str, list[Expression]] = {}
    family = dict(zip(terms.forms, terms.family.tolist(), strict=True))
    for form, e in zip(terms.forms, terms.expressions, strict=True):
        if len(e.free) == 1:
            by_form.setdefault(form, []).append(e)
    more: list[tuple[Expression, int, str]] = []
    for form, each in by_form.items():
        at = each[0].free[0]
        known = np.sort([e.constants[at].value for e in each])
        if known[0] > 0:
            steps = np.arange(1, BETWEEN + 1) / (BETWEEN + 1)
            inner = known[:-1, None] * (known[1:] / known[:-1])[:, None] ** steps
            outer = BEYOND ** np.arange(1.0, STEPS_BEYOND + 1)
            for value in np.concatenate([inner.ravel(), known[-1] * outer, known[0] / outer]):
                values = each[0].values
                values[at] = value
                more.append((each[0].with_values(values), family[form], form))
    return Terms(
        (*terms.expressions, *(e for e, _, _ in more)),
        np.concatenate([terms.family, np.array([f for _, f, _ in more], np.int64)]),
        (*terms.forms, *(form for _, _, form in more)),
    )


# The last terms that were made: the equations of a system have the same ones.
_last: tuple[tuple[object, ...], Terms] | None = None


def make_terms(
    columns: Sequence[str], X: Values, waves: Iterable[Expression] = (), former: Sequence[str] = ()
) -> Terms:
    """All terms over ``columns``, ``waves``, and steep feedback by ``former`` values, with finite values at X (n_column, n); of
    those alike up to a factor the first one."""
    global _last
    waves = tuple(waves)
    key = (tuple(columns), X.shape, X.tobytes(), tuple(map(str, waves)), tuple(former))
    if _last is None or _last[0] != key:
        _last = key, _make_terms(columns, X, waves, former)
    return _last[1]


def _make_terms(columns: Sequence[str], X: Values, waves: Sequence[Expression], former: Sequence[str]) -> Terms:
    X = np.ascontiguousarray(X)
    # A column that stands still says nothing that a constant does not.
    moving = [i for i, x in enumerate(X) if np.ptp(x) > 1e-9 * np.max(np.abs(x), initial=1e-300)]
    names, rows = [columns[i] for i in moving], X[moving]
    found: dict[str, tuple[Expression, int]] = {}
    late = [steep_feedback(n, x, [m for m in names if m != n]) for n, x in zip(names, rows, strict=True) if n in former]
    more = chain(((WAVE, e) for e in waves), ((SATURATION, e) for each in late for e in each))
    for family, e in chain(_all_terms(names, rows), more):
        found.setdefault(str(e), (e, family))
    expressions = [e for e, _ in found.values()]
    values = np.array([Program.of(e, columns).value(X) for e in expressions])
    families = np.array([f for _, f in found.values()], np.int64)
    kept = _distinct(values)
    forms = tuple(expressions[k].masked() for k in kept)
    return Terms(tuple(expressions[k] for k in kept), families[kept], forms)


def _distinct(values: Values) -> NDArray[np.int64]:
    """Rows that are finite, not nothing, and not another one times a factor."""
    with np.errstate(all="ignore"):
        size = np.sqrt(np.mean(values**2, axis=1))
        fine = np.flatnonzero(np.isfinite(size) & (size > 1e-150) & np.all(np.isfinite(values), axis=1))
    unit = values[fine] / size[fine, None]
    largest = unit[np.arange(len(fine)), np.argmax(np.abs(unit), axis=1)]
    unit *= np.sign(largest)[:, None]
    probe = np.linspace(0, values.shape[1] - 1, min(values.shape[1], 24)).astype(np.int64)
    _, first = np.unique(np.round(unit[:, probe], DIGITS), axis=0, return_index=True)
    kept: NDArray[np.int64] = fine[np.sort(first)]
    return kept


def _all_terms(names: Sequence[str], X: Values) -> Iterator[tuple[int, Expression]]:
    yield LINEAR, Expression.constant(1.0)
    yield from _monomials(names)
    for name, x in zip(names, X, strict=True):
        yield from _functions_of_one(name, x)
    for name, x in zip(names, X, strict=True):
        yield from _products(name, x, [n for n in names if n != name] if len(names) <= MANY_COLUMNS else [])
    if len(names) <= DIFFERENCES:
        yield from _of_two(names, len(names) <= MANY_COLUMNS)


def _monomials(names: Sequence[str]) -> Iterator[tuple[int, Expression]]:
    leaves = [Expression.variable(n) for n in names]
    for degree in range(1, MIXED_DEGREE + 1):
        if degree > 2 and comb(len(names) + degree, degree) > MOST_MONOMIALS:
            break
        for which in combinations_with_replacement(range(len(names)), degree):
            powers = [which.count(i) for i in range(len(names))]
            family = LINEAR if degree == 1 else QUADRATIC if degree == 2 else POLYNOMIAL
            yield family, product([power(leaf, p) for leaf, p in zip(leaves, powers, strict=True) if p])
    for leaf in leaves:
        for p in range(2, SINGLE_DEGREE + 1):
            yield QUADRATIC if p == 2 else POLYNOMIAL, power(leaf, p)


def _functions_of_one(name: str, x: Values) -> Iterator[tuple[int, Expression]]:
    """Functions of one column, without others."""
    u = Expression.variable(name)
    size = float(np.median(np.abs(x)))
    for f in ("sin", "cos"):
        yield WAVE, Expression.apply(f, u)
    yield WAVE, Expression.apply("sin", u) * Expression.apply("cos", u)
    yield WAVE, power(Expression.apply("sin", u), 2)
    yield WAVE, Expression.apply("sin", _number(2.0) * u)
    yield FUNCTION, u * Expression.apply("abs", u)
    yield FUNCTION, Expression.apply("tanh", u)
    for c in DECAY_GRID:
        yield FUNCTION, Expression.apply("exp", -(u * _free(1.0 / (c * size + 1e-300))))
        yield FUNCTION, u * Expression.apply("exp", -(u * _free(1.0 / (c * size + 1e-300))))
    yield FUNCTION, Expression.apply("exp", -u)
    if keeps_off_zero(x):
        yield POWER, _number(1.0) / u
        yield POWER, _number(1.0) / power(u, 2)
    if np.min(x) >= 0:
        yield POWER, Expression.apply("sqrt", u)
        yield POWER, u * Expression.apply("sqrt", u)
        if np.min(x) > ZERO * np.max(x):
            yield POWER, Expression.apply("log", u)
        yield POWER, u * Expression.apply("log", u)
    for s in saturations(u, x):
        yield SATURATION, s
    for centre in np.quantile(x, STEP_CENTRES):
        for width in STEP_WIDTHS:
            w = width * float(np.std(x))
            inside = _free(float(centre) / w) - u * _free(1.0 / w)
            yield SATURATION, _number(1.0) / (_number(1.0) + Expression.apply("exp", inside))


def saturations(u: Expression, x: Values) -> list[Expression]:
    """Hill terms of a column and what is left of one, on a grid of half-saturation constants."""
    size = float(np.median(np.abs(x))) + 1e-300
    out = []
    for n in HILL:
        # The odd ones have a pole where u is negative.
        if n % 2 and np.min(x) < 0:
            continue
        for c in SATURATION_GRID:
            below = _free((c * size) ** n) + power(u, n)
            out += [power(u, n) / below, _number(1.0) / below]
            if n == 2:
                out.append(u / below)
    return out


def steep_feedback(name: str, x: Values, others: Sequence[str]) -> Iterator[Expression]:
    """1, the column itself and others over θⁿ + xⁿ with large n, thresholds θ and exponents on a grid and fitted: feedback that
    sets in at a threshold, which makes laws with a delay oscillate (M. Mackey & L. Glass 1977). None where x is negative."""
    if np.min(x) < 0:
        return
    u = Expression.variable(name)
    above = [_number(1.0), u, *(Expression.variable(n) for n in others)]
    for n in STEEP:
        for share in THRESHOLDS:
            below = _free((share * float(np.median(x)) + 1e-300) ** n) + u ** _free(n)
            yield from (v / below for v in above)


def _products(name: str, x: Values, others: Sequence[str]) -> Iterator[tuple[int, Expression]]:
    """Functions of one column times itself or another one."""
    u = Expression.variable(name)
    leaves = [Expression.variable(n) for n in others]
    for v in (u, *leaves):
        for f in ("sin", "cos"):
            yield WAVE, v * Expression.apply(f, u)
        if keeps_off_zero(x):
            yield POWER, v / u
    if keeps_off_zero(x):
        for v in leaves:
            for f in ("sin", "cos"):
                yield FUNCTION, Expression.apply(f, v) / u
    for v in leaves:
        yield FUNCTION, v * Expression.apply("exp", -u)
        yield FUNCTION, v * Expression.apply("tanh", u)
        yield FUNCTION, v * Expression.apply("abs", u)
        for s in saturations(u, x):
            yield SATURATION, v * s


def _of_two(names: Sequence[str], has_products: bool) -> Iterator[tuple[int, Expression]]:
    """Functions of two columns: waves of differences, and with products waves of sums and products of waves."""
    for i, j in combinations(range(len(names)), 2):
        u, v = Expression.variable(names[i]), Expression.variable(names[j])
        for f in ("sin", "cos"):
            yield WAVE, Expression.apply(f, u - v)
        if not has_products:
            continue
        yield FUNCTION, (u - v) * Expression.apply("abs", u - v)
        for f in ("sin", "cos"):
            yield WAVE, Expression.apply(f, u + v)
            for g in ("sin", "cos"):
                yield WAVE, Expression.apply(f, u) * Expression.apply(g, v)


def keeps_off_zero(x: Values) -> bool:
    """True where a column has one sign and is never near 0: it may be divided by."""
    return bool(np.min(np.abs(x)) > ZERO * np.max(np.abs(x)) and np.min(x) * np.max(x) > 0)


def power(u: Expression, p: int) -> Expression:
    """u to a whole power."""
    return u if p == 1 else u ** _number(float(p))


def product(factors: Sequence[Expression]) -> Expression:
    """The product of expressions."""
    out = factors[0]
    for f in factors[1:]:
        out = out * f
    return out


def _number(value: float) -> Expression:
    return Expression.constant(value)


def _free(value: float) -> Expression:
    return Expression.constant(value, free=True)
