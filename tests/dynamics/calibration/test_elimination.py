"""Starts eliminated segment by segment give what the whole system of normal equations gives."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.dynamics.calibration.elimination import RIDGE, NormalEquations

RNG = np.random.default_rng(4)


def dense(J, r, d):
    """JᵀJ and Jᵀr of all starts, then parameters, as one matrix."""
    S, n, q = J.shape
    p = q - d
    whole = np.zeros((S * n, S * d + p))
    for s in range(S):
        whole[s * n : (s + 1) * n, s * d : (s + 1) * d] = J[s, :, :d]
        whole[s * n : (s + 1) * n, S * d :] = J[s, :, d:]
    H = whole.T @ whole
    H[: S * d, : S * d] += RIDGE * np.eye(S * d)
    return H, whole.T @ r.ravel()


@pytest.mark.parametrize(("d", "p", "S"), [(1, 1, 1), (2, 3, 5), (3, 0, 4), (4, 7, 2)])
@pytest.mark.parametrize("damping", [0.0, 1e-3, 10.0])
def test_moves_are_those_of_the_dense_equations(d, p, S, damping):
    J, r = RNG.standard_normal((S, 20, d + p)), RNG.standard_normal((S, 20))
    starts, theta = NormalEquations.of(J, r, d, np.ones(d)).solve(damping)
    H, g = dense(J, r, d)
    expected = -np.linalg.solve(H + damping * np.diag(np.diag(H)), g)
    np.testing.assert_allclose(np.concatenate([starts.ravel(), theta]), expected, rtol=1e-8, atol=1e-12)


def test_covariances_are_blocks_of_the_dense_inverse():
    d, p, S = 2, 3, 4
    J = RNG.standard_normal((S, 15, d + p))
    normal = NormalEquations.of(J, np.zeros((S, 15)), d, np.ones(d))
    inverse = np.linalg.inv(dense(J, np.zeros((S, 15)), d)[0])
    np.testing.assert_allclose(normal.covariance(), inverse[S * d :, S * d :], rtol=1e-8)
    own, cross = normal.start_covariances(normal.covariance())
    for s in range(S):
        rows = slice(s * d, (s + 1) * d)
        np.testing.assert_allclose(own[s], inverse[rows, rows], rtol=1e-8)
        np.testing.assert_allclose(cross[s], inverse[rows, S * d :], rtol=1e-7, atol=1e-12)


def test_a_parameter_without_influence_stays_and_is_said_to_be_unknown():
    J, r = RNG.standard_normal((2, 20, 4)), RNG.standard_normal((2, 20))
    J[:, :, 3] = 0.0
    normal = NormalEquations.of(J, r, 2, np.ones(2))
    assert normal.solve(1e-3)[1][1] == 0.0
    assert normal.covariance()[1, 1] > 1e12


def test_two_parameters_that_do_the_same_are_unknown_but_their_sum():
    J = RNG.standard_normal((2, 20, 4))
    J[:, :, 3] = J[:, :, 2]
    C = NormalEquations.of(J, np.zeros((2, 20)), 2, np.ones(2)).covariance()
    assert C[0, 0] > 1e9
    together = np.array([1.0, 1.0])
    alone = NormalEquations.of(J[:, :, :3], np.zeros((2, 20)), 2, np.ones(2)).covariance()
    assert together @ C @ together == pytest.approx(alone[0, 0], rel=0.01)


def test_singular_curvatures_of_starts_have_a_solution():
    """A start along one direction only acts: moves are along it, and the others of the batch are as without it."""
    J, r = RNG.standard_normal((3, 20, 4)), RNG.standard_normal((3, 20))
    alone = NormalEquations.of(J[1:], r[1:], 2, np.ones(2))
    J[0, :, :2] = 1e12 * np.outer(J[0, :, 0], [1.0, 1.0])
    normal = NormalEquations.of(J, r, 2, np.ones(2))
    normal = NormalEquations(np.where(np.abs(normal.A) > 1e20, 1e25, normal.A), normal.B, normal.D, normal.a, normal.b)
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.solve(normal.A, normal.B)
    starts, theta = normal.solve(0.0)
    assert np.isfinite(starts).all() and np.isfinite(theta).all()
    own, _ = normal.start_covariances(normal.covariance())
    np.testing.assert_allclose(own[1:], alone.start_covariances(normal.covariance())[0], rtol=1e-6)
