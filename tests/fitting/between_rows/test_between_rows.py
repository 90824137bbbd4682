"""What formulas do between the rows: defined there, near the data, and no waves that the rows do not tell from slower ones."""

import math

import numpy as np
import pytest

import hypo
from hypo.data import from_arrays
from hypo.fitting.between_rows.aliases import find_slower
from hypo.fitting.between_rows.definedness import is_sound
from hypo.fitting.constants.fit import fit
from hypo.likelihood.base import Gaussian
from hypo.problem.problem import Settings, make_problem
from hypo.problem.spacing import Spacing

pytestmark = pytest.mark.usefixtures("short_chains")

RNG = np.random.default_rng(8)


def line(*values: float) -> Spacing:
    return Spacing(np.array([values]), ("x",))


EVEN = line(*np.arange(62.5, 300.0, 25.0))
AROUND_ZERO = line(*np.linspace(-5.0, 5.0, 10))
BRANCHES = line(*(np.linspace(-4.0, 4.0, 60)))
TWO_SIDES = line(*np.concatenate([-np.linspace(1, 4, 15), np.linspace(1, 4, 15)]))
DECADES = line(*np.logspace(-3, 3, 13))


@pytest.mark.parametrize(("text", "rows"), [
    ("446*asin((sin(x) + 1)**2)", EVEN),
    ("200*exp(-x/80) + 0.001/(x - 127)", EVEN),
    ("200*exp(-x/80) + 0.001/(x - 127.001)**2", EVEN),
    ("300 - x + 1e-9/(x - 211.234567)", EVEN),
    ("200/(1 + 900*cos(x)**2)", line(*(np.arange(12) * math.pi))),
    ("300 - x + 30*log(abs(sin(x/25*pi)) - 0.001)", line(*(np.arange(12.5, 300.0, 25.0)))),
    ("1/x**2 + 0*sqrt(x**2 - 0.01)", DECADES),
    ("sqrt((x - 3.1)*(x - 3.2))", line(*np.arange(0.0, 9.0))),
    ("100 - x + 0.01/(x - 3.4)", line(*np.arange(0.0, 9.0, 0.5))),
    ("exp(1/(x - 103))", EVEN),
])  # fmt: skip
def test_what_no_row_hints_at_is_refused(text: str, rows: Spacing) -> None:
    assert not is_sound(hypo.parse(text), rows, 0.1)


@pytest.mark.parametrize(("text", "rows"), [
    ("766*exp(-x/50)", EVEN), ("-2.9e-5*(x - 255)**3", EVEN), ("9673/x", EVEN), ("1/(1 + exp((x - 150)/9))", EVEN),
    ("1/x", AROUND_ZERO), ("1/x**2", AROUND_ZERO), ("sin(x)/x", AROUND_ZERO), ("1/(x - 0.3)", AROUND_ZERO),
    ("100 + 1/x", AROUND_ZERO), ("tan(x)", BRANCHES), ("sin(x)/cos(x)", BRANCHES), ("log(x**2)", AROUND_ZERO),
    ("3*sqrt(x**2 - 1)", TWO_SIDES), ("sqrt(x)/(1 + x)", DECADES), ("1/x", DECADES), ("log(x)", DECADES),
    ("100/((x - 14.5)**2 + 4)", line(*np.arange(1.0, 31.0))), ("2*sin(10*x)", line(*RNG.uniform(0.0, 10.0, 50))),
    ("5", EVEN), ("acos(x/5)", AROUND_ZERO),
])  # fmt: skip
def test_laws_stay(text: str, rows: Spacing) -> None:
    assert is_sound(hypo.parse(text), rows, 0.01)


COLUMNS = ("a", "b", "c")
CUBE = Spacing(np.random.default_rng(2).uniform([[1.0], [1.0], [0.0]], [[5.0], [5.0], [1.0]], (3, 150)), COLUMNS)


@pytest.mark.parametrize(("text", "good"), [
    ("1/(a - b)", True), ("c/(a - b)**2", True), ("tan(a*b)", True), ("a*sqrt(1 - c**2)/b", True), ("asin(c*sin(a))", True),
    ("sqrt(b + sin(9*a))", True), ("a/(b*c)", True),
    ("a + b*asin(1.2*sin(40*c))", False), ("a + b + 1e-5/(a - 2.5)", False), ("a + b + 1e-4/(a - b)", False),
    ("a*b + 1e-6/((a - 2.5)**2*c)", False), ("a + log(abs(sin(50*b)) - 0.2)", False),
])  # fmt: skip
def test_several_columns_are_looked_at_between_neighbours(text: str, good: bool) -> None:
    assert is_sound(hypo.parse(text), CUBE, 0.01) == good


def test_neighbours_on_a_grid_are_sought_along_every_column() -> None:
    # The values of b are close to each other, those of a are not: only along a the formula is undefined.
    a, b = (v.ravel() for v in np.meshgrid(np.arange(8.0), np.linspace(0.0, 1.0, 40), indexing="ij"))
    assert not is_sound(hypo.parse("b + asin(1.5*sin(pi*a))"), Spacing(np.array([a, b]), ("a", "b")), 0.01)


def test_an_alias_is_as_slow_as_it_can_be_and_meets_the_rows() -> None:
    x = EVEN.X[0]
    (other,) = find_slower(hypo.parse("3*sin(x) + 1"), EVEN)
    likelihood = Gaussian(3 * np.sin(x) + 1)
    fitted = fit(other, EVEN.X, ("x",), likelihood)
    rate = 1.0 + next(c.value for c in fitted.constants if c.free)
    assert abs(rate) * 25.0 <= math.pi
    assert likelihood.rss(likelihood.y - likelihood.predict(fitted, EVEN.X, ("x",))) < 1e-18


@pytest.mark.parametrize(("text", "count"), [
    ("sin(x/10)", 0), ("sin(x)*cos(2*x)", 2), ("exp(-x/90)*tan(x)", 1), ("sin(x**2/1000)", 0), ("sin(pi*x/25)", 0), ("x", 0),
])  # fmt: skip
def test_only_waves_of_more_than_half_a_turn_from_row_to_row_have_slower_ones(text: str, count: int) -> None:
    assert len(find_slower(hypo.parse(text), EVEN)) == count


def test_rows_that_are_not_even_have_no_aliases() -> None:
    rows = line(*RNG.uniform(0.0, 300.0, 40))
    assert not find_slower(hypo.parse("sin(x)"), rows)


def test_a_given_frequency_pays_for_the_slower_ones_that_the_rows_do_not_see() -> None:
    assert EVEN.cost(hypo.parse("2*sin(x)")) == pytest.approx(math.log(25.0 / math.pi))
    assert EVEN.cost(hypo.parse("sin(2*x) + cos(x)")) == pytest.approx(
        math.log(50.0 / math.pi) + math.log(25.0 / math.pi)
    )
    assert EVEN.cost(hypo.parse("sin(x/25)*exp(x)")) == 0.0
    fitted = hypo.Expression.apply("sin", hypo.Expression.constant(1.1, free=True) * hypo.Expression.variable("x"))
    assert EVEN.cost(fitted) == 0.0
    assert line(*np.linspace(0, 1, 10_000)).cost(hypo.parse("sin(20*pi*x)")) == 0.0


def test_a_sample_of_the_rows_pays_as_all_of_them() -> None:
    from hypo.fitting.row_racing import sample

    x = np.linspace(0.0, 30.0, 400)[:, None]
    problem = make_problem(from_arrays(x, RNG.normal(size=400), names=["x"]), None, Settings())
    e = hypo.parse("sin(3*x)")
    assert sample(problem, np.arange(0, 400, 40)).extra_cost(e) == 0.0 and problem.extra_cost(e) == 0.0


@pytest.mark.parametrize("step", [25.0, 2 * math.pi, 44.1])
def test_a_decay_on_even_steps_is_answered_without_waves(step: float) -> None:
    x = 60.0 + step * np.arange(10)
    y = np.array([211.94, 139.3, 80.09, 48.29, 26.94, 12.12, 3.99, 1.02, 0.09, 0.02])
    result = hypo.fit(x[:, None], y, turns=4, workers=1, posterior=False)
    between = result.predict(np.linspace(x[0], x[-1], 1001)[:, None])
    assert np.all(np.isfinite(between))
    assert between.max() < 260 and between.min() > -20
    assert np.all(np.diff(between[:700]) < 0)


def test_a_pole_with_rows_on_both_sides_is_found() -> None:
    x = np.linspace(-5.0, 5.0, 30)
    result = hypo.fit(
        x[:, None], 1 / x + 0.02 * np.sin(99 * x), operators="+,-,*,/", turns=4, workers=1, posterior=False
    )
    np.testing.assert_allclose(result.predict([[0.01]]), 100.0, rtol=0.02)
