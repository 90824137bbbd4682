"""Where fits begin: constants found over decades, in every likelihood, with all of them beginning at 1."""

import math

import numpy as np
import pytest

import hypo
from hypo.expression.parser import parse
from hypo.fitting.constants.fit import DescentOptions, fit
from hypo.fitting.constants.inner_linear import Beneath
from hypo.fitting.constants.other_minima import blocks
from hypo.fitting.constants.parameters import Parameters, Tree
from hypo.fitting.constants.start_values import Starts
from hypo.likelihood.poisson import Poisson
from hypo.likelihood.student_t import StudentT
from hypo.problem.working_response import working_responses

# Viscosity over temperature.
T = np.arange(273.0, 594.0, 10.0)
MU = np.array([
    0.143, 0.0738, 0.0416, 0.0252, 0.0163, 0.0111, 0.00793, 0.00589, 0.00452, 0.00356, 0.00288, 0.00238, 0.002, 0.00171,
    0.00148, 0.00129, 0.00114, 0.00102, 0.000913, 0.000825, 0.000749, 0.000683, 0.000625,
    0.000574, 0.000528, 0.000488, 0.000451, 0.000418,
    0.000387, 0.00036, 0.000334, 0.00031, 0.000289,
])  # fmt: skip


def misfit(text: str, data: dict, **options: object) -> float:
    return hypo.score(text, data, "y", **options).hypothesis.misfit


def constants(text: str, data: dict, **options: object) -> dict[str, float]:
    return {c.name: c.value for c in hypo.score(text, data, "y", **options).constants}


# --- whole fits ---------------------------------------------------------------------------------------------------


def test_viscosity_over_decades() -> None:
    """The misfit that least squares of the logarithm reaches from a = 2.4e15, b = 6.5, c = 0.0174."""
    assert misfit("(a/T**b + c)**2", {"T": T, "y": MU}, likelihood="lognormal") == pytest.approx(-224.557, abs=2e-3)


@pytest.mark.parametrize("rate", [1e-7, 3e-3, 40.0, 1e5])
def test_rates_over_decades(rate: float) -> None:
    rng = np.random.default_rng(3)
    x = np.sort(rng.uniform(0, 6 / rate, 60))
    y = 2 * np.exp(-rate * x) + 0.5 + 0.01 * rng.standard_normal(60)
    assert constants("a*exp(b*x) + c", {"x": x, "y": y})["b"] == pytest.approx(-rate, rel=0.05)


@pytest.mark.parametrize("power", [-9.0, 0.3, 14.0])
def test_exponents(power: float) -> None:
    rng = np.random.default_rng(4)
    x = rng.uniform(200, 400, 50)
    y = (3 * (x / 300) ** power + 0.4) * np.exp(0.01 * rng.standard_normal(50))
    found = constants("(a*x**b + c)", {"x": x, "y": y}, likelihood="lognormal")
    f = found["a"] * x ** found["b"] + found["c"]
    assert np.std(np.log(y / f)) < np.std(np.log(y / (3 * (x / 300) ** power + 0.4)))


def peaks(x: np.ndarray) -> np.ndarray:
    return 40 * np.exp(-(((x - 212) / 4) ** 2)) + 25 * np.exp(-(((x - 260) / 9) ** 2)) + 3


def test_two_narrow_peaks_in_counts() -> None:
    x = np.linspace(200.0, 300.0, 101)
    y = np.random.default_rng(5).poisson(peaks(x)).astype(float)
    text = "a*exp(-((x - m)/s)**2) + c*exp(-((x - n)/t)**2) + b"
    found = constants(text, {"x": x, "y": y}, likelihood="poisson")
    assert sorted([found["m"], found["n"]]) == pytest.approx([212, 260], abs=1.5)
    truth = -float(np.sum(y * np.log(peaks(x)) - peaks(x) - [math.lgamma(v + 1) for v in y]))
    assert misfit(text, {"x": x, "y": y}, likelihood="poisson") < truth


def test_a_wave_among_outliers() -> None:
    rng = np.random.default_rng(6)
    x = np.sort(rng.uniform(0, 50, 120))
    y = 2 * np.sin(1.7 * x + 0.5) + 1 + 0.1 * rng.standard_normal(120)
    y[rng.permutation(120)[:18]] += 30 * rng.standard_normal(18)
    found = constants("a*sin(b*x + c) + d", {"x": x, "y": y}, likelihood="student_t")
    assert abs(found["b"]) == pytest.approx(1.7, abs=0.01) and found["d"] == pytest.approx(1, abs=0.1)


def test_a_narrow_step_of_chances() -> None:
    rng = np.random.default_rng(7)
    x = rng.uniform(1000, 2000, 300)
    odds = 3 * np.tanh((x - 1700) / 20)
    y = rng.binomial(20, 1 / (1 + np.exp(-odds))).astype(float)
    found = constants("a*tanh((x - m)/s)", {"x": x, "y": y}, likelihood="binomial", trials=20)
    assert found["m"] == pytest.approx(1700, abs=15)


def test_equal_seeds_give_equal_fits() -> None:
    x = np.linspace(0.1, 5, 40)
    y = np.random.default_rng(8).poisson(20 * np.exp(-x) + 2).astype(float)
    likelihood, e = Poisson(y), parse("a*exp(-b*x) + c", variables=["x"])
    first, second = (fit(e, x[None], ["x"], likelihood, starts=4, rng=np.random.default_rng(1)) for _ in range(2))
    assert first == second


def test_fits_of_other_likelihoods_converge() -> None:
    """At the end no small move of a constant gains anything."""
    rng = np.random.default_rng(9)
    x = np.linspace(0.1, 5, 60)
    y = 3 * np.exp(-0.7 * x) + 1 + 0.05 * rng.standard_t(2, 60)
    likelihood = StudentT(y)
    law, options = parse("a*exp(-b*x) + c", variables=["x"]), DescentOptions(tolerance=1e-30)
    e = fit(law, x[None], ["x"], likelihood, starts=4, options=options)
    least = likelihood.loss(likelihood.predict(e, x[None], ["x"]))
    for k in range(3):
        for step in (1e-4, -1e-4):
            values = e.values
            values[k] *= 1 + step
            assert likelihood.loss(likelihood.predict(e.with_values(values), x[None], ["x"])) > least


# --- parts --------------------------------------------------------------------------------------------------------


def drawn(text: str, X: np.ndarray, columns: list[str], n: int = 400) -> dict[str, np.ndarray]:
    e = parse(text, variables=columns)
    p = Parameters.of(e)
    values = Starts(e, p, X, columns).draw(n, p.start, np.random.default_rng(0))
    names = list(dict.fromkeys(c.name for c in e.constants if c.free))
    return dict(zip(names, values.T, strict=True))


def test_draws_go_by_the_role_of_a_constant() -> None:
    x = np.linspace(1000.0, 1500.0, 200)[None]
    found = drawn("k*exp(-(x - m)**2/(2*s**2))", x, ["x"])
    assert np.all(found["k"] == 1.0)
    assert np.mean((found["m"] > 1000) & (found["m"] < 1500)) > 0.4
    assert np.mean((np.abs(found["s"]) > 5) & (np.abs(found["s"]) < 500)) > 0.2
    found = drawn("x**n + exp(b*x) + sin(w*x + f)", x, ["x"])
    assert np.mean(found["n"] > 0) == pytest.approx(0.5, abs=0.1) and np.max(found["n"]) > 8
    assert np.min(np.abs(found["b"])) < 1e-4 and np.max(np.abs(found["b"])) > 0.1
    assert np.max(np.abs(found["w"])) == pytest.approx(math.pi * 200 / 500, rel=0.1)
    assert np.all(np.abs(found["f"]) <= math.pi)


def test_constants_beneath_functions_are_solved_for() -> None:
    e = parse("(a/T**b + c)**2", variables=["T"])
    p = Parameters.of(e)
    part = Beneath.of(e, p)
    assert part is not None and part.which == (0, 2)
    y = (2.4e15 / T**6.5 + 0.0174) ** 2
    found = part.solved(np.array([1.0, 6.5, 1.0]), T[None], ["T"], y, 1 / y)
    assert found == pytest.approx([2.4e15, 0.0174], rel=1e-6)
    e = parse("5/log(2 + exp(a + b*x))", variables=["x"])
    part = Beneath.of(e, Parameters.of(e))
    x = np.linspace(-1, 2, 30)[None]
    assert part is not None
    found = part.solved(e.values, x, ["x"], 5 / np.log(2 + np.exp(0.3 - 0.8 * x[0])), np.empty(0))
    assert found == pytest.approx([0.3, -0.8], rel=1e-6)
    assert Beneath.of(parse("a*x + b", variables=["x"]), Parameters.of(parse("a*x + b", variables=["x"]))) is None


def test_terms_with_constants_of_their_own() -> None:
    def of(text: str) -> list[list[int]]:
        e = parse(text, variables=["x", "z"])
        return blocks(e, Parameters.of(e))

    assert of("a*exp(-b*x) + c*exp(-d*x) + f") == [[1], [3]]
    assert of("a*sin(b*x) + c*cos(b*x)") == [[1]]
    assert of("(exp(a*x) + exp(b*z))*c - z**d") == [[0], [1], [3]]
    assert of("exp(a*x)*exp(b*z)") == [[0, 1]]


def test_values_of_parts_of_a_tree() -> None:
    e = parse("a*x + exp(b*x)*c", variables=["x"])
    x = np.array([[1.0, 2.0]])
    node = e.code.index((8, 0))
    assert Tree(e).value(node, np.array([1.0, 0.5, 3.0]), x, ["x"]) == pytest.approx(np.exp(0.5 * x[0]))


def test_outliers_do_not_count_in_one_of_the_pilots() -> None:
    rng = np.random.default_rng(10)
    x = np.linspace(0, 10, 80)
    y = np.sin(x) + 0.02 * rng.standard_normal(80)
    y[[7, 40, 66]] += 25.0
    last = working_responses(StudentT(y), x[None])[-1]
    assert last.sigma is not None
    far = last.sigma > 100 * np.median(last.sigma)
    assert far[[7, 40, 66]].all() and far.sum() < 10
