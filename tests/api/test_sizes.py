"""Very large and very small numbers: what is in range gives the law of ordinary numbers, what is not is refused."""

from typing import Any

import numpy as np
import pytest

import hypo
from hypo.data import from_arrays
from hypo.expression.parser import parse
from hypo.fitting.constants.fit import fit
from hypo.knowledge import Knowledge
from hypo.likelihood.base import Gaussian
from hypo.posterior.laplace import laplace
from hypo.posterior.posterior import make_posterior
from hypo.problem.problem import Settings, make_problem
from hypo.scoring.score import Scorer
from hypo.units import parse_unit

RNG = np.random.default_rng(8)
X = RNG.uniform(1.0, 3.0, 30)
Y = 2.3 * X + 0.05 * RNG.standard_normal(30)
TAKES = "but hypo takes sizes from 1e-50 to 1e\\+50, so that squares of products stay in the range of numbers; give"


@pytest.mark.parametrize("of_y", [1e-300, 1e-160, 1e-60, 1e60, 1e160, 1e300])
def test_targets_out_of_range(of_y: float) -> None:
    data = {"x": X, "y": np.where(np.arange(30) == 0, 7.0, Y) * of_y}
    for call in (
        lambda d: hypo.fit(d, "y", time_limit=1.0),
        lambda d: hypo.score("a*x", d, "y"),
        lambda d: hypo.audit(d, "y"),
    ):
        with pytest.raises(hypo.DataError, match=f'row 0 .from 0.: the largest number of column "y" is .*, {TAKES} it'):
            call(data)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"x": X * 1e300, "y": Y}, 'the largest number of column "x" is 2.*e\\+300'),
        ({"x": X * 1e-310, "y": Y}, 'the largest number of column "x" is 2.*e-310'),
        ({"x": X, "y": Y, "sigma": 1e60}, 'the largest number of sigma of column "y" is 1e\\+60'),
        (
            {"x": X, "y": Y, "sigma": 0.05, "x_sigma": {"x": 1e200}},
            'the largest number of x_sigma of column "x" is 1e\\+200',
        ),
        ({"x": X, "y": Y, "weights": np.full(30, 1e300)}, "the largest number of the weights is 1e\\+300"),
        (
            {"x": X, "y": Y, "upper": np.where(X > 2, np.inf, 1e250), "lower": Y, "sigma": 1.0},
            "number of the upper limits of",
        ),
    ],
)
def test_what_else_is_out_of_range(given: dict[str, Any], words: str) -> None:
    data = {name: given.pop(name) for name in ("x", "y")}
    with pytest.raises(hypo.DataError, match=f"{words}.*{TAKES}"):
        hypo.score("a*x", data, "y", **given)


def test_units_count() -> None:
    """In range in the user's unit, out of it in SI, where formulas would be; and the other way round."""
    dataset = from_arrays(np.column_stack([X, X]), Y * 1e45)
    units = Knowledge(units={n: parse_unit(u) for n, u in (("x0", "min"), ("x1", "m/s"), ("y", "Em"))})
    with pytest.raises(hypo.DataError, match=r"of column \"y\" is .*e\+45 \(.*e\+63 in SI units\)"):
        make_problem(dataset, units, Settings())


def test_zeros_and_single_small_numbers_are_fine() -> None:
    data = {"x": np.where(np.arange(30) < 3, 1e-300, X), "y": np.where(np.arange(30) < 3, 0.0, Y)}
    assert hypo.score("a*x", data, "y").constants[0].value == pytest.approx(2.3, abs=0.1)


@pytest.mark.parametrize(
    ("of_x", "of_y"), [(1e-45, 1.0), (1e45, 1.0), (1.0, 1e-45), (1.0, 1e45), (1e45, 1e-45), (1e-45, 1e45)]
)
def test_what_is_in_range_does_not_depend_on_the_scale(of_x: float, of_y: float) -> None:
    """The slope and its standard error scale, the evidence changes by n log of the factor of the target."""
    shapes = []
    for a, b in ((1.0, 1.0), (of_x, of_y)):
        rows, likelihood = (X * a)[None], Gaussian(Y * b)
        e = fit(parse("a*x", variables=["x"]), rows, ["x"], likelihood, starts=5, rng=np.random.default_rng(0))
        shape = laplace(e, rows, ["x"], likelihood)
        assert shape is not None
        shapes.append(shape)
    one, other = shapes
    assert other.theta * (of_x / of_y) == pytest.approx(one.theta, rel=1e-9)
    assert other.std * (of_x / of_y) == pytest.approx(one.std, rel=1e-9)
    assert other.log_evidence + 30 * np.log(of_y) == pytest.approx(one.log_evidence, rel=1e-9)


@pytest.mark.parametrize("of_x", [1e-45, 1e-30, 1e-20, 1e20, 1e30, 1e45])
def test_fits_begin_anywhere(of_x: float) -> None:
    """A formula whose constants begin at 1, which predicts far more or less than the target."""
    for text in ("a*x", "a*x + b", "a*x/(1 + exp(-c*x)) + b"):
        plain, scaled = (hypo.score(text, {"x": X * factor, "y": Y}, "y") for factor in (1.0, of_x))
        assert scaled.hypothesis.r2 >= plain.hypothesis.r2 - 1e-6
    slope = hypo.score("a*x", {"x": X * of_x, "y": Y}, "y").constants[0]
    assert slope.value * of_x == pytest.approx(X @ Y / (X @ X), rel=1e-12)


def test_the_law_is_found_at_the_ends_of_the_range() -> None:
    small: dict[str, Any] = {"operators": "+,*,/", "max_complexity": 5, "time_limit": 20.0, "workers": 1}
    found = hypo.fit({"x": X * 1e45, "y": Y * 1e-45}, "y", **small)
    again = found.predict({"x": X[:3] * 1e45}, interval=0.9)
    plain = hypo.fit({"x": X, "y": Y}, "y", **small).predict({"x": X[:3]}, interval=0.9)
    for one, other in zip(again[:4], plain[:4], strict=True):
        assert one * 1e45 == pytest.approx(other, rel=1e-3)


def test_no_posterior_where_variances_are_no_numbers() -> None:
    """A constant of size 1e190 has a variance beyond 1e308; without it weights would be those of its rivals alone."""
    rows, likelihood = (X * 1e-48)[None], Gaussian(X**3 * 2.3e45 + Y * 1e43)
    found = []
    for text in ("a*x**3", "a*x"):
        e = fit(parse(text, variables=["x"]), rows, ["x"], likelihood, starts=5, rng=np.random.default_rng(0))
        h = Scorer(rows, ["x"], likelihood, symbols=3).score(e)
        assert h is not None
        found.append(h)
    assert make_posterior(found, rows, ["x"], likelihood) is None
    assert make_posterior(found[1:], rows, ["x"], likelihood) is not None
