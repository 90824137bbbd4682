"""Fitting of constants against scipy's least squares, NIST's certified values and laws with known constants."""

import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from hypo.clock import Clock
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.expression.program import Program
from hypo.fitting.constants.fit import TIGHT, DescentOptions, Parameters, fit
from hypo.likelihood.base import Gaussian

COLUMNS = ("x", "z")


def formula(text: str, **values: float) -> Expression:
    """A formula whose names other than the columns and pi are free constants with these starting values."""

    def parameters(name: str) -> Expression:
        return Expression.constant(values[name], name=name, free=True)

    e = parse(text)
    for node in range(len(e.code) - 1, -1, -1):
        op, arg = e.code[node]
        if op == 0 and e.variables[arg] in values:
            e = e.replace_leaf(node, parameters(e.variables[arg]))
    return e


def rss(e: Expression, X: np.ndarray, likelihood: Gaussian) -> float:
    return likelihood.rss(likelihood.y - Program.of(e, COLUMNS).value(X))


def columns(seed: int, n: int = 80) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.2, 3.0, (2, n))


# formula, its NumPy form, true values, starting values
CASES: list[tuple[str, Callable[..., np.ndarray], dict[str, float], dict[str, float]]] = [
    ("a", lambda x, z, a: a + 0 * x, {"a": 3.7}, {"a": 1}),
    ("a*x + b", lambda x, z, a, b: a * x + b, {"a": -2.5, "b": 1e3}, {"a": 1, "b": 1}),
    (
        "a*x/z - b*sqrt(x) + c",
        lambda x, z, a, b, c: a * x / z - b * np.sqrt(x) + c,
        {"a": 2, "b": 3, "c": -1},
        {"a": 1, "b": 1, "c": 1},
    ),
    (
        "(a*x + b)/(1 + c*z)",
        lambda x, z, a, b, c: (a * x + b) / (1 + c * z),
        {"a": 2, "b": 0.5, "c": 0.8},
        {"a": 1, "b": 1, "c": 1},
    ),
    (
        "a*exp(-b*x) + c",
        lambda x, z, a, b, c: a * np.exp(-b * x) + c,
        {"a": 5, "b": 1.3, "c": 0.7},
        {"a": 1, "b": 1, "c": 0},
    ),
    ("a*x**b", lambda x, z, a, b: a * x**b, {"a": 2.2, "b": 1.7}, {"a": 1, "b": 1}),
    ("a*x**b*z**c", lambda x, z, a, b, c: a * x**b * z**c, {"a": 0.3, "b": -1.5, "c": 0.667}, {"a": 1, "b": 1, "c": 1}),
    (
        "a*sin(b*x + c)",
        lambda x, z, a, b, c: a * np.sin(b * x + c),
        {"a": 2, "b": 2.1, "c": 0.4},
        {"a": 1, "b": 2, "c": 0},
    ),
    ("a/(b + x)", lambda x, z, a, b: a / (b + x), {"a": 4, "b": 1.9}, {"a": 1, "b": 1}),
    ("a*tanh(b*(x - z))", lambda x, z, a, b: a * np.tanh(b * (x - z)), {"a": 3, "b": 0.6}, {"a": 1, "b": 1}),
    ("log(a + b*x*z)", lambda x, z, a, b: np.log(a + b * x * z), {"a": 2, "b": 5}, {"a": 1, "b": 1}),
    ("sqrt(a*x**2 + b*z)", lambda x, z, a, b: np.sqrt(a * x**2 + b * z), {"a": 2, "b": 0.4}, {"a": 1, "b": 1}),
    (
        "a*exp(-(x - b)**2/(2*c**2))",
        lambda x, z, a, b, c: a * np.exp(-((x - b) ** 2) / (2 * c**2)),
        {"a": 7, "b": 1.4, "c": 0.5},
        {"a": 1, "b": 1, "c": 1},
    ),
    ("a*x + a**2*z", lambda x, z, a: a * x + a**2 * z, {"a": 1.6}, {"a": 1}),
    (
        "(a + b*x)*exp(c*z)",
        lambda x, z, a, b, c: (a + b * x) * np.exp(c * z),
        {"a": 1, "b": 2, "c": -0.6},
        {"a": 1, "b": 1, "c": 0},
    ),
]
TEXTS = [case[0] for case in CASES]


@pytest.mark.parametrize("kind", ["plain", "sigma", "weights", "both"])
@pytest.mark.parametrize(("text", "f", "true", "start"), CASES, ids=TEXTS)
def test_reaches_the_least_squares_optimum(text: str, f: Callable, true: dict, start: dict, kind: str) -> None:
    X, rng = columns(1), np.random.default_rng(2)
    sigma = rng.uniform(0.5, 2.0, 80) if kind in ("sigma", "both") else None
    weights = rng.uniform(0.1, 3.0, 80) if kind in ("weights", "both") else None
    clean = f(*X, **true)
    y = clean + 0.02 * np.std(clean) * rng.standard_normal(80) if np.std(clean) else clean + rng.standard_normal(80)
    likelihood = Gaussian(y, sigma, weights)
    root = (1 if weights is None else np.sqrt(weights)) / (1 if sigma is None else sigma)
    want = least_squares(lambda c: root * (f(*X, *c) - y), list(true.values()), xtol=1e-15, ftol=1e-15, gtol=1e-15)

    fitted = fit(formula(text, **start), X, COLUMNS, likelihood)
    assert rss(fitted, X, likelihood) <= 2 * want.cost * (1 + 1e-9)
    got = {c.name: c.value for c in fitted.constants if c.free}
    assert list(got) == list(true)
    # The signs of a width and the like are the data's to choose.
    np.testing.assert_allclose(np.abs(list(got.values())), np.abs(want.x), rtol=1e-5, atol=1e-7)
    assert all(c.free == (c.name in true) for c in fitted.constants)


@pytest.mark.parametrize(("text", "f", "true", "start"), CASES, ids=TEXTS)
def test_exact_data_give_the_constants_to_rounding(text: str, f: Callable, true: dict, start: dict) -> None:
    X = columns(3)
    y = f(*X, **true)
    fitted = fit(formula(text, **start), X, COLUMNS, Gaussian(y), options=DescentOptions(steps=200))
    for c in fitted.constants:
        if c.free:
            assert abs(c.value) == pytest.approx(abs(true[c.name or ""]), rel=1e-8)


# --- linear constants -------------------------------------------------------------------------------------------

LINEAR = [
    ("a", "a"),
    ("a + b*x", "ab"),
    ("-(a - b*x)", "ab"),
    ("(a*x + b*z)/exp(z) + c", "abc"),
    ("a*sin(b*x)", "a"),
    ("sin(b*x)*a", "a"),
    ("exp(c*x)*(a + b*x)", "ab"),
    ("(a + b*x)*exp(c*z)", "ab"),
    ("(a + b*x)*(c + d*z)", "ab"),
    ("a/(b + x)", "a"),
    ("(a + b*x)/(c + d*x)", "ab"),
    ("sqrt(a + b*x)", ""),
    ("x**b", ""),
    ("a*b*x", "a"),
    ("a*x + a*z", ""),
    ("a*x + exp(a)", ""),
    ("x/a", ""),
    ("a*(b*x + c)", "a"),
    ("2*a*x - 3*b", "ab"),
]


@pytest.mark.parametrize(("text", "linear"), LINEAR, ids=[text for text, _ in LINEAR])
def test_which_constants_are_linear(text: str, linear: str) -> None:
    names = {n: 1.1 for n in "abcd" if n in text.replace("exp", "")}
    e = formula(text, **names)
    order = list(dict.fromkeys(c.name for c in e.constants if c.free))
    flags = Parameters.of(e).linear
    assert {n for n, flag in zip(order, flags, strict=True) if flag} == set(linear)


@pytest.mark.parametrize("text", ["a + b*x + c*z", "(a*x + b)/z - c*exp(x)", "-(a - b*sqrt(x*z))", "exp(-x)*(a + b*z)"])
def test_linear_constants_need_no_step_at_all(text: str) -> None:
    X, rng = columns(4), np.random.default_rng(5)
    e = formula(text, **{n: -3.0 for n in "abc" if n in text.replace("exp", "")})
    target = rng.standard_normal(80)
    likelihood = Gaussian(target, weights=rng.uniform(0.5, 2, 80))
    once, often = (fit(e, X, COLUMNS, likelihood, options=DescentOptions(steps=n)) for n in (0, 50))
    np.testing.assert_allclose(once.values, often.values, rtol=1e-7)
    assert rss(once, X, likelihood) == pytest.approx(rss(often, X, likelihood), rel=1e-12)


def test_far_scales_of_linear_constants() -> None:
    X = columns(6)
    y = 3e12 * X[0] + 5e-9 + 4e3 * X[1]
    fitted = fit(formula("a*x + b*z", a=1, b=1), X, COLUMNS, Gaussian(y))
    np.testing.assert_allclose(fitted.values, [3e12, 4e3], rtol=1e-3)
    np.testing.assert_allclose(fitted.values[0], 3e12, rtol=1e-12)


# --- names, starts, safety --------------------------------------------------------------------------------------


def test_leaves_of_one_name_stay_one_parameter() -> None:
    X = columns(7)
    e = formula("k*x + exp(-k*z)", k=0.2)
    assert len(e.constants) == 2 and len(Parameters.of(e).start) == 1
    fitted = fit(e, X, COLUMNS, Gaussian(1.3 * X[0] + np.exp(-1.3 * X[1])))
    np.testing.assert_allclose(fitted.values, [1.3, 1.3], rtol=1e-9)


def test_unnamed_and_fixed_constants() -> None:
    x, c = Expression.variable("x"), Expression.constant
    e = c(2.0, free=True) * x + c(5.0) + c(math.pi, name="pi") * c(7.0, free=True)
    X = columns(8)
    fitted = fit(e, X, COLUMNS, Gaussian(4 * X[0] + 5 + 3 * math.pi))
    np.testing.assert_allclose(fitted.values, [4, 5, math.pi, 3], rtol=1e-12)
    assert [k.free for k in fitted.constants] == [True, False, False, True]
    assert fit(x + c(5.0), X, COLUMNS, Gaussian(X[0])) == x + c(5.0)


@pytest.mark.parametrize("frequency", [0.7, 3.3, 8.0, 17.0])
def test_many_starts_find_the_frequency_of_a_sine(frequency: float) -> None:
    rng = np.random.default_rng(9)
    X = np.ascontiguousarray(np.vstack([np.sort(rng.uniform(0, 6, 150)), np.ones(150)]))
    y = 2.0 * np.sin(frequency * X[0]) + 0.05 * rng.standard_normal(150)
    e = formula("a*sin(b*x)", a=1.0, b=1.0)
    fitted = fit(e, X, COLUMNS, Gaussian(y), starts=40, rng=np.random.default_rng(0))
    assert abs(fitted.values[1]) == pytest.approx(frequency, rel=0.01)
    assert rss(fitted, X, Gaussian(y)) / 150 < 0.06**2


def test_equal_seeds_give_equal_fits() -> None:
    X = columns(10)
    y = np.sin(5 * X[0]) * X[1]
    e = formula("a*sin(b*x + c)", a=1, b=1, c=0)
    one, two = (fit(e, X, COLUMNS, Gaussian(y), starts=10, rng=np.random.default_rng(3)) for _ in range(2))
    assert one.values.tolist() == two.values.tolist()


@given(st.sampled_from(CASES), st.integers(0, 2**32 - 1), st.floats(-3, 3), st.integers(1, 3))
@settings(max_examples=60)
def test_never_worse_than_the_start(case: tuple, seed: int, log_size: float, starts: int) -> None:
    text, _, true, _ = case
    rng = np.random.default_rng(seed)
    X = columns(seed % 1000, 20)
    y = rng.standard_normal(20) * 10**log_size
    likelihood = Gaussian(y, weights=rng.uniform(0, 2, 20))
    e = formula(text, **{n: float(v) for n, v in zip(true, rng.standard_normal(len(true)) * 3, strict=True)})
    with np.errstate(all="ignore"):
        before = rss(e, X, likelihood)
        fitted = fit(e, X, COLUMNS, likelihood, starts=starts)
        assert rss(fitted, X, likelihood) <= before
    assert np.isfinite(fitted.values).all()


def test_a_start_that_is_invalid_is_given_back_or_left() -> None:
    X = columns(11)
    y = np.log(0.5 + X[0])
    e = formula("log(a + x)", a=-10.0)
    assert fit(e, X, COLUMNS, Gaussian(y)) == e
    fitted = fit(e, X, COLUMNS, Gaussian(y), starts=5)
    assert fitted.values[0] == pytest.approx(0.5, rel=1e-8)


def test_fewer_rows_than_constants() -> None:
    X = np.array([[1.0, 2.0], [3.0, 5.0]])
    likelihood = Gaussian(np.array([1.0, -2.0]))
    fitted = fit(formula("a + b*x + c*z + d*x*z", a=1, b=1, c=1, d=1), X, COLUMNS, likelihood)
    assert rss(fitted, X, likelihood) < 1e-20


def test_a_constant_without_effect_is_left_alone() -> None:
    X = columns(12)
    e = formula("a*x + 0*b", a=1, b=7)
    fitted = fit(e, X, COLUMNS, Gaussian(3 * X[0]))
    assert fitted.values[0] == pytest.approx(3) and np.isfinite(fitted.values).all()


def test_weights_say_which_rows_count() -> None:
    X = np.array([[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    y = np.array([1.0, 1.0, 5.0, 5.0])
    for likelihood, want in [
        (Gaussian(y), 3.0),
        (Gaussian(y, weights=np.array([1.0, 1.0, 3.0, 3.0])), 4.0),
        (Gaussian(y, weights=np.array([1.0, 1.0, 0.0, 0.0])), 1.0),
        (Gaussian(y, sigma=np.array([1.0, 1.0, 0.5, 0.5])), (2 + 8 * 5) / 10),
    ]:
        assert fit(formula("a*x", a=9), X, COLUMNS, likelihood).values[0] == pytest.approx(want, rel=1e-12)


# --- other starts, exactness, time --------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.sampled_from(["plain", "sigma", "weights", "both"]))
@settings(max_examples=40)
def test_linear_constants_are_solved_exactly(seed: int, kind: str) -> None:
    """In a*φ1 + b*φ2 + c, the weighted residual is orthogonal to every φ, and numpy's solution is met."""
    rng = np.random.default_rng(seed)
    X, y = columns(seed % 1000, 30), rng.standard_normal(30) * 10.0 ** rng.integers(-6, 7)
    sigma = rng.uniform(0.5, 2.0, 30) if kind in ("sigma", "both") else None
    weights = rng.uniform(0.1, 3.0, 30) if kind in ("weights", "both") else None
    root = (1 if weights is None else np.sqrt(weights)) / (1 if sigma is None else sigma)
    e = formula("a*x + b*exp(-z) + c", a=1, b=1, c=1)
    fitted = fit(e, X, COLUMNS, Gaussian(y, sigma, weights), options=DescentOptions(steps=1))
    A = np.array([X[0], np.exp(-X[1]), np.ones(30)]) * root
    got = np.array([c.value for c in fitted.constants if c.free])
    np.testing.assert_allclose(got, np.linalg.lstsq(A.T, y * root, rcond=None)[0], rtol=1e-9)
    residual = root * y - got @ A
    assert np.abs(A @ residual).max() <= 1e-12 * np.linalg.norm(A, axis=1).max() * np.linalg.norm(root * y)


@given(st.sampled_from(CASES), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_a_second_fit_stays_where_the_first_ended(case: tuple, seed: int) -> None:
    text, f, true, start = case
    X = columns(seed % 1000, 40)
    likelihood = Gaussian(f(*X, **true) + 0.1 * np.random.default_rng(seed).standard_normal(40))
    once = fit(formula(text, **start), X, COLUMNS, likelihood, options=DescentOptions(steps=500, tolerance=TIGHT))
    again = fit(once, X, COLUMNS, likelihood, options=DescentOptions(steps=500, tolerance=TIGHT))
    assert rss(again, X, likelihood) <= rss(once, X, likelihood)
    assert rss(again, X, likelihood) == pytest.approx(rss(once, X, likelihood), rel=1e-9)


@pytest.mark.parametrize(("text", "f", "true", "start"), CASES, ids=TEXTS)
def test_more_starts_are_never_worse(text: str, f: Callable, true: dict, start: dict) -> None:
    X = columns(13, 40)
    likelihood = Gaussian(f(*X, **true) + 0.3 * np.random.default_rng(14).standard_normal(40))
    one, many = (fit(formula(text, **start), X, COLUMNS, likelihood, starts=n) for n in (1, 8))
    assert rss(many, X, likelihood) <= rss(one, X, likelihood)


class Countdown:
    """A clock that expires after it was looked at ``looks`` times."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    @property
    def expired(self) -> bool:
        self.looks -= 1
        return self.looks < 0


@pytest.mark.parametrize("looks", [0, 1, 5, 20])
def test_an_expired_clock_stops_with_the_best_so_far(looks: int) -> None:
    X = columns(15)
    likelihood = Gaussian(np.sin(7 * X[0]) + X[1])
    e = formula("a*sin(b*x + c) + d*z", a=1, b=1, c=0, d=0)
    clock = Countdown(looks)
    fitted = fit(e, X, COLUMNS, likelihood, starts=50, clock=clock)
    assert rss(fitted, X, likelihood) <= rss(e, X, likelihood)
    assert clock.looks >= -2


def test_many_rows_stop_in_time() -> None:
    rng = np.random.default_rng(16)
    X = rng.uniform(0.2, 3.0, (2, 200_000))
    y = 3 * np.sin(5 * X[0]) * np.exp(-0.3 * X[1]) + 0.1 * rng.standard_normal(200_000)
    likelihood = Gaussian(y)
    e = formula("a*sin(b*x + c)*exp(-d*z)", a=1, b=1, c=1, d=1)
    fit(e, X[:, :50].copy(), COLUMNS, Gaussian(y[:50]), starts=2)
    begin = time.monotonic()
    fitted = fit(
        e, X, COLUMNS, likelihood, starts=40, options=DescentOptions(steps=2000), clock=Clock(deadline=begin + 0.5)
    )
    assert time.monotonic() - begin < 3.0
    assert rss(fitted, X, likelihood) <= rss(e, X, likelihood)


# --- NIST -------------------------------------------------------------------------------------------------------

# NIST StRD Misra1a (D. Misra 1978, dental research, monomolecular adsorption): pressure, volume.
MISRA1A = np.array(
    [
        [77.6, 10.07],
        [114.9, 14.73],
        [141.1, 17.94],
        [190.8, 23.93],
        [239.9, 29.61],
        [289.0, 35.18],
        [332.8, 40.02],
        [378.4, 44.82],
        [434.8, 50.76],
        [477.3, 55.05],
        [536.8, 61.01],
        [593.1, 66.40],
        [689.1, 75.47],
        [760.0, 81.78],
    ]
).T


@pytest.mark.parametrize("start", [(500, 0.0001), (250, 0.0005), (1, 0.001)])
def test_misra1a_reaches_the_certified_values(start: tuple[float, float]) -> None:
    X = np.ascontiguousarray(np.vstack([MISRA1A[0], MISRA1A[0]]))
    likelihood = Gaussian(MISRA1A[1].copy())
    fitted = fit(formula("b1*(1 - exp(-b2*x))", b1=start[0], b2=start[1]), X, COLUMNS, likelihood)
    got = [c.value for c in fitted.constants if c.free]
    np.testing.assert_allclose(got, [2.3894212918e02, 5.5015643181e-04], rtol=1e-6)
    assert rss(fitted, X, likelihood) == pytest.approx(1.2455138894e-01, rel=1e-9)
