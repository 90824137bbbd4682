"""The kind of noise is found, and misfits are what the likelihood gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from hypo.dynamics.calibration.noise import FLOOR, Noise, choose_mix, misfit_by_state, variance

RNG = np.random.default_rng(2)
PATH = np.exp(RNG.uniform(-3, 3, 300))


def as_state(values):
    return values[:, None, None]


def chosen(residuals):
    return float(choose_mix(as_state(residuals), as_state(PATH), np.ones((300, 1, 1)), np.array([np.mean(PATH**2)]))[0])


def test_constant_noise_is_found():
    assert chosen(0.3 * RNG.standard_normal(300)) >= 0.3


def test_noise_in_proportion_is_found():
    assert chosen(0.05 * PATH * RNG.standard_normal(300)) <= 1e-4


def test_a_mixture_is_found():
    both = np.sqrt(0.05 + 0.95 * PATH**2 / np.mean(PATH**2)) * RNG.standard_normal(300)
    assert 0.01 <= chosen(both) <= 0.1


@pytest.mark.parametrize("mix", [1.0, 0.1, 1e-4])
def test_the_misfit_is_the_best_likelihood_up_to_what_is_equal_for_all(mix):
    v = variance(PATH, mix, np.array(np.mean(PATH**2)))
    r = 0.2 * np.sqrt(v) * RNG.standard_normal(300)
    fit = minimize_scalar(
        lambda s: -norm.logpdf(r, scale=math.exp(s) * np.sqrt(v)).sum(), bounds=(-9, 9), method="bounded"
    )
    nats = misfit_by_state(np.array([np.sum(r**2 / v)]), np.array([300.0]), np.array([np.log(v).sum()]))[0]
    assert fit.fun - 150 * (1 + math.log(2 * math.pi)) == pytest.approx(nats, abs=1e-3)


def test_exact_data_have_a_floor():
    count, logs = np.array([100.0]), np.zeros(1)
    assert misfit_by_state(np.zeros(1), count, logs)[0] == pytest.approx(100 * math.log(FLOOR))


def test_the_deviation_of_a_sample():
    noise = Noise(np.array([2.0, 1.0]), np.array([1.0, 1e-6]), np.array([4.0, 9.0]))
    sd = noise.sd(np.array([[5.0, 6.0]]))
    np.testing.assert_allclose(sd, [[2.0, 2.0]], rtol=1e-5)
    assert list(noise.mix < 0.5) == [False, True]
