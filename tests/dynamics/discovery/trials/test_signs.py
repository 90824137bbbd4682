"""Fitted coefficients that are positive."""

from __future__ import annotations

import numpy as np

from hypo.dynamics.calibration.calibrated import Calibrated, Segment
from hypo.dynamics.discovery.trials.signs import with_positive_coefficients
from hypo.dynamics.system import System
from tests.dynamics.cases import free


def test_signs_are_written_out_and_nothing_else_changes() -> None:
    laws = (free("-0.3*x + -1.5*x*y - -2.0*y"), free("0.7*x/(0.2 + y)"), free("-0.4"))
    values = [[-0.3, -1.5, -2.0], [-0.7, -0.2], [-0.4]]
    system = System(tuple(e.with_values(v) for e, v in zip(laws, values, strict=True)), ("x", "y", "z"))
    n = len(system.parameters)
    C = np.random.default_rng(0).standard_normal((n, n))
    C = C @ C.T
    segment = Segment(0, 0, 9, np.zeros(3), np.eye(3), np.ones((3, n)))
    fitted = Calibrated(system, (np.zeros(3),), np.ones(3), np.ones(3), np.ones(3), C, 1.0, (segment,))
    found = with_positive_coefficients(fitted)
    X = np.random.default_rng(1).uniform(0.5, 2.0, (3, 20))
    before = system.rates(X, np.repeat(system.parameters[:, None], 20, axis=1))
    after = found.system.rates(X, np.repeat(found.system.parameters[:, None], 20, axis=1))
    np.testing.assert_allclose(after, before, rtol=1e-14)
    # The one in a divisor stays.
    assert (found.system.parameters > 0).tolist() == [True, True, True, True, False, True]
    sign = np.sign(found.system.parameters * system.parameters)
    np.testing.assert_allclose(found.covariance, C * np.outer(sign, sign))
    np.testing.assert_allclose(found.segments[0].with_parameters, np.tile(sign, (3, 1)))
    assert with_positive_coefficients(found) is found
