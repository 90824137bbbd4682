"""Draws from the posterior predictive: joint over rows for linear laws, moments of all families, mixtures, wrong use."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest, t

import hypo
from hypo.errors import InputError
from hypo.expression.parser import parse
from hypo.fitting.constants.fit import fit
from hypo.likelihood.base import Gaussian
from hypo.likelihood.family import Family
from hypo.likelihood.registry import make_family
from hypo.posterior.posterior import Structure, make_posterior
from hypo.posterior.predictive import samples
from hypo.scoring.score import Scorer

pytestmark = pytest.mark.usefixtures("short_chains")

N = 20_000


def structures(text: str, x: np.ndarray, y: np.ndarray) -> tuple[Structure, ...]:
    X, likelihood = np.ascontiguousarray(x[None, :]), Gaussian(y)
    e = fit(parse(text, variables=["x"]), X, ["x"], likelihood, starts=5, rng=np.random.default_rng(0))
    h = Scorer(X, ["x"], likelihood, symbols=3).score(e)
    p = None if h is None else make_posterior([h], X, ["x"], likelihood)
    assert p is not None
    return p.structures


def test_rows_of_a_linear_law_are_drawn_together() -> None:
    """Textbook: f has scale matrix s²·V(XᵀX)⁻¹Vᵀ and ν degrees of freedom, a target s² more of its own."""
    rng = np.random.default_rng(3)
    x = rng.uniform(0.5, 3.0, 12)
    y = 2.0 * x + 1.0 + 0.3 * rng.standard_normal(12)
    found = structures("a*x + b", x, y)
    A = np.column_stack([x, np.ones(12)])
    theta, rest = np.linalg.lstsq(A, y, rcond=None)[:2]
    s2, new = float(rest[0]) / 10, np.array([0.7, 2.0, 5.0])
    V = np.column_stack([new, np.ones(3)])
    scale = s2 * V @ np.linalg.inv(A.T @ A) @ V.T
    clean = samples(found, new[None, :], ["x"], N, noise=False)
    # The prior's precision moves the scale by less than a percent here.
    for g in (np.array([1.0, 0.0, 0.0]), np.array([1.0, -1.0, 0.0]), np.array([1.0, 1.0, 1.0])):
        spread = math.sqrt(float(g @ scale @ g))
        assert kstest((clean @ g - g @ V @ theta) / spread, t(10).cdf).pvalue > 1e-4
    noisy = samples(found, new[None, :], ["x"], N)
    wide = np.sqrt(np.diag(scale) + s2)
    for k in range(3):
        assert kstest((noisy[:, k] - (V @ theta)[k]) / wide[k], t(10).cdf).pvalue > 1e-4


def test_one_structure_for_all_rows_of_a_draw() -> None:
    """Two structures that part by 10: the rows of a draw are on one side together, as often as the weights say."""
    rng = np.random.default_rng(4)
    x = np.linspace(0.5, 3.0, 30)
    one = structures("a*x", x, 2.0 * x + 0.01 * rng.standard_normal(30))[0]
    two = structures("a*x + 10", x, 2.0 * x + 10.0 + 0.01 * rng.standard_normal(30))[0]
    mixed = [replace(one, weight=0.3), replace(two, weight=0.7)]
    drawn = samples(mixed, np.linspace(0.5, 3.0, 7)[None, :], ["x"], N) - 2.0 * np.linspace(0.5, 3.0, 7)
    high = drawn > 5.0
    assert np.all(high.all(axis=1) | (~high).all(axis=1))
    assert abs(high[:, 0].mean() - 0.7) < 4 * math.sqrt(0.3 * 0.7 / N)


@pytest.mark.parametrize(
    ("family", "f", "scale", "trials"),
    [
        (make_family("gaussian"), 1.5, 0.4, 1),
        (make_family("student_t", 7.0), 1.5, 0.4, 1),
        (make_family("poisson"), 3.7, 1.0, 1),
        (make_family("poisson"), 2e16, 1.0, 1),
        (make_family("binomial"), 0.3, 1.0, 12),
        (make_family("lognormal"), 2.0, 0.3, 1),
    ],
    ids=lambda v: v.kind if isinstance(v, Family) else f"{v:g}",
)
def test_families_have_their_moments(family: Family, f: float, scale: float, trials: int) -> None:
    ones = np.full(N, f)
    y = family.draw(np.random.default_rng(5), ones, scale, trials)
    mean, variance = family.mean(ones[:1], scale, trials)[0], family.variance(ones[:1], scale, trials)[0]
    assert abs(y.mean() - mean) < 4 * math.sqrt(variance / N)
    fourth = float(np.mean((y - mean) ** 4))
    assert abs(np.mean((y - mean) ** 2) - variance) < 4 * math.sqrt((fourth - variance**2) / N)
    if family.is_discrete:
        assert np.all(y == np.round(y))


def test_what_cannot_be_is_no_number() -> None:
    y = make_family("poisson").draw(np.random.default_rng(0), np.array([2.0, -1.0, math.nan]))
    assert y[0] >= 0
    assert np.all(np.isnan(y[1:]))


def test_samples_of_a_result(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    x = rng.uniform(1.0, 4.0, 40)
    result = hypo.fit({"x": x, "y": 3.0 * x**2 + rng.standard_normal(40)}, "y", turns=4, workers=1)
    new = {"x": np.array([1.5, 3.5])}
    drawn = result.sample(new, 4000)
    p = result.predict(new, interval=0.8)
    assert drawn.shape == (4000, 2)
    error = 4 * np.sqrt(0.1 * 0.9 / 4000)
    # Quantiles of the prediction come from 200 draws of their own.
    assert np.all(np.abs(np.mean(drawn < p.lower, axis=0) - 0.1) < error + 0.01)
    assert np.all(np.abs(np.mean(drawn > p.upper, axis=0) - 0.1) < error + 0.01)
    assert np.all(result.sample(new, 500, noise=False).std(axis=0) < 0.6 * drawn.std(axis=0))
    result.save(tmp_path)
    assert np.array_equal(hypo.Result.load(tmp_path).sample(new, 50, seed=3), result.sample(new, 50, seed=3))
    assert not np.array_equal(result.sample(new, 50, seed=3), result.sample(new, 50, seed=4))
    for wrong in (0, -1, 2.5, True, "ten"):
        with pytest.raises(InputError, match="n must be a whole number, 1 or more"):
            result.sample(new, wrong)
    with pytest.raises(
        InputError, match=r"1000000000000 draws of 2 rows are more than 1e\+09 numbers: draw fewer at a time"
    ):
        result.sample(new, 10**12)
    with pytest.raises(InputError, match="seed must be a whole number, 0 or more"):
        result.sample(new, 5, seed=-1)


def test_a_result_without_posterior_has_no_samples() -> None:
    x = np.linspace(1.0, 2.0, 20)
    result = hypo.fit({"x": x, "y": 2.0 * x}, "y", turns=4, workers=1, posterior=False)
    with pytest.raises(InputError, match="there are no samples"):
        result.sample({"x": x})
