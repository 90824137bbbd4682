"""Gaussian processes against difference quotients of their kernel and a dense solution."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from hypo.dynamics.smoothing.process import Process, covariance

LENGTH = 0.7


def kernel(x, y):
    a = 3 * abs(x - y) / LENGTH
    return (1 + a + 3 * a**2 / 7 + 2 * a**3 / 21 + a**4 / 105) * mpmath.exp(-a)


@pytest.mark.parametrize("order_a", [0, 1, 2])
@pytest.mark.parametrize("order_b", [0, 1, 2])
def test_covariances_of_derivatives_are_derivatives_of_the_kernel(order_a, order_b):
    a, b = np.array([0.3, 1.1, 2.0]), np.array([0.0, 0.5])
    expected = [[float(mpmath.diff(kernel, (x, y), (order_a, order_b))) for y in b] for x in a]
    assert covariance(a, b, LENGTH, order_a, order_b) == pytest.approx(np.array(expected), abs=1e-10)


def test_the_posterior_is_that_of_a_dense_solution():
    rng = np.random.default_rng(1)
    t, at = np.sort(rng.uniform(0, 5, 30)), np.linspace(0.2, 4.8, 7)
    z, noise, scale, mean = rng.normal(size=30), rng.uniform(0.01, 0.1, 30), 2.3, 0.4
    A = covariance(t, t, LENGTH) + np.diag(noise)
    lam, Q = np.linalg.eigh(A)
    half = Q / np.sqrt(lam)
    process = Process(t, half, np.linalg.solve(A, z - mean), mean, LENGTH, scale)
    stacked = np.vstack([covariance(at, t, LENGTH, a) for a in range(3)])
    prior = np.block([[covariance(at, at, LENGTH, a, b) for b in range(3)] for a in range(3)])
    dense = scale * (prior - stacked @ np.linalg.solve(A, stacked.T))
    means = (stacked @ np.linalg.solve(A, z - mean)).reshape(3, 7)
    means[0] += mean
    assert process.means(at) == pytest.approx(means, abs=1e-9)
    for k in range(7):
        assert process.errors(at)[k] == pytest.approx(dense[k::7, k::7], abs=1e-8)
    by = rng.normal(size=(7, 3))
    M = np.hstack([np.diag(by[:, a]) for a in range(3)])
    assert process.joint_errors(at, by) == pytest.approx(M @ dense @ M.T, abs=1e-7)
