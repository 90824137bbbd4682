"""Standard errors, intervals, predictions and profiles of formulas linear in their constants: those of weighted least squares
at every size of the noise, whatever the prior of constants; and what is said where the data leave constants open."""

import math

import numpy as np
import pytest
from scipy.stats import norm

import hypo
from hypo.api.score import Scored
from hypo.expression.parser import parse
from hypo.fitting.constants.fit import fit
from hypo.likelihood.base import Gaussian
from hypo.likelihood.censored import Limits
from hypo.likelihood.errors_in_x import ErrorsInX
from hypo.posterior.information import spread
from hypo.posterior.laplace import laplace
from hypo.posterior.posterior import make_posterior
from hypo.posterior.predictive import predictive
from hypo.scoring.score import Scorer

X5 = {"x": [0.0, 1.0, 2.0, 3.0, 4.0], "y": [1.0, -2.0, 1.0, -2.0, 1.0]}
S5 = np.array([1.0, 2.0, 1.0, 2.0, 1.0])
X3 = {"x": [0.0, 1.0, 2.0], "y": [1.2, 4.6, 7.8]}
SIZES = (1e-8, 1.0, 10.0, 100.0, 1e8)


def stds(scored: Scored) -> list[float | None]:
    return [c.std for c in scored.constants]


@pytest.mark.parametrize(
    ("size", "intervals"), [*((size, "laplace") for size in SIZES), *((size, "profile") for size in SIZES[1:])]
)
def test_known_noise_of_every_size(size: float, intervals: str) -> None:
    found = hypo.score("a + b*x", X5, "y", sigma=size * S5, intervals=intervals)
    want = size * np.array([0.869656553, 0.342997170])
    assert stds(found) == pytest.approx(want, rel=1e-7)
    z = norm.ppf(0.975)
    assert [c.upper - c.lower for c in found.constants] == pytest.approx(2 * z * want, rel=1e-5)
    found = hypo.score("a + b*x", X3, "y", sigma=size, intervals=intervals)
    assert stds(found) == pytest.approx([0.912870929 * size, 0.707106781 * size], rel=1e-7)


def test_unknown_noise() -> None:
    assert stds(hypo.score("a + b*x", X3, "y")) == pytest.approx([0.07453560, 0.05773503], rel=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_predictions(size: float) -> None:
    x, y = np.array([X5["x"]]), np.array(X5["y"])
    likelihood = Gaussian(y, size * S5)
    e = fit(parse("a + b*x", variables=["x"]), x, ["x"], likelihood)
    h = Scorer(x, ["x"], likelihood, symbols=15).score(e)
    p = make_posterior([h], x, ["x"], likelihood)
    new = np.array([[-5.0, 0.5, 2.0, 30.0]])
    found = predictive(p.structures, new, ["x"], 0.9)
    design = np.stack([np.ones(5), x[0]], axis=1) / (size * S5)[:, None]
    at = np.stack([np.ones(4), new[0]], axis=1)
    want = np.sqrt(np.einsum("ij,jk,ik->i", at, np.linalg.inv(design.T @ design), at))
    assert found.parts.constants == pytest.approx(want, rel=1e-7)
    noise = size * math.sqrt(np.mean(S5**2))
    assert found.std == pytest.approx(np.hypot(want, noise), rel=1e-7)
    # 200 draws: the ends are those of a mixture.
    assert found.upper - found.lower == pytest.approx(2 * norm.ppf(0.95) * np.hypot(want, noise), rel=0.05)


def test_limits_and_errors_in_x_without_any() -> None:
    """With no row censored and no error in x they are least squares."""
    x, y, sigma = np.array([X5["x"]]), np.array(X5["y"]), 10 * S5
    e = parse("a + b*x", variables=["x"]).with_values([4 / 7, 0.0])
    for likelihood in (Limits(y, y, y, sigma), ErrorsInX(y, sigma, {"x": np.zeros(5)})):
        found = laplace(e, x, ["x"], likelihood)
        assert found.std == pytest.approx([8.69656553, 3.42997170], rel=1e-7), likelihood.kind


def test_a_factor_of_two_constants_is_open() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 2, 20)
    data = {"x": x, "y": 3 * x + 0.1 * rng.standard_normal(20)}
    found = hypo.score("a*b*c*x + d", data, "y")
    assert stds(found)[:3] == [None] * 3 and found.constants[3].std == pytest.approx(0.12, abs=0.05)
    assert "The data determine a, b and c only together." in found.remarks()
    found = hypo.score("a*x + b*(x - x)", data, "y")
    assert found.constants[0].std is not None and found.constants[1].std is None
    assert "The data hardly determine b." in found.remarks()


def test_far_from_zero_is_not_open() -> None:
    """Columns whose squares lose all digits that differ: the slope's error comes from the rows themselves."""
    rng = np.random.default_rng(0)
    x = 1e8 + np.arange(10.0)
    found = hypo.score("a + b*x", {"x": x, "y": 2 * (x - 1e8) + rng.standard_normal(10)}, "y", sigma=1.0)
    assert found.constants[1].std == pytest.approx(1 / math.sqrt(82.5), rel=1e-6)


def test_spread_of_a_singular_matrix() -> None:
    rng = np.random.default_rng(1)
    lines = rng.standard_normal((3, 12))
    lines[2] = 2 * lines[0]
    found = spread(lines @ lines.T, np.eye(3) * 1e-4, lambda: lines)
    assert found is not None and found.open == ((0, 2),)
    two = np.linalg.inv(lines[:2] @ lines[:2].T)
    assert found.covariance[1, 1] == pytest.approx(two[1, 1], rel=1e-9)
    # Draws stay as wide as the prior, and what changes the lines is as sharp as the data have it.
    together = np.array([1.0, 0.0, 2.0])
    assert together @ found.covariance @ together == pytest.approx(two[0, 0], rel=1e-4)
    assert 1e3 < found.covariance[0, 0] < 1e5
