"""Simpler systems near a fitted one."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.dynamics.calibration.edits import snapped_numbers
from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.smoothing.smoothed import smooth_all
from tests.dynamics.calibration.systems import PENDULUM, SIR, make_data, make_system, noisy

RNG = np.random.default_rng(11)


def fitted(system, case):
    data = make_data(case.system, [case.time], [noisy(case.states(), RNG, relative=0.01)])
    smoothed = smooth_all(data)
    return fit_system(system, data, smoothed, effort="full"), data, smoothed


def test_numbers_become_simple_where_they_may():
    best, _, _ = fitted(PENDULUM.system, PENDULUM)
    edits = [e for e in snapped_numbers(best) if e.loss < 5]
    assert any("3*sin(x)" in str(e.system.equations[1]).replace("(3)", "3") for e in edits)
    assert all(len(e.system.parameters) == 1 for e in edits)


def test_the_loss_of_a_simple_number_is_that_of_a_fit():
    best, data, smoothed = fitted(PENDULUM.system, PENDULUM)
    edit = min(snapped_numbers(best), key=lambda e: e.loss)
    again = fit_system(edit.system, data, smoothed, effort="full")
    assert again.misfit - best.misfit == pytest.approx(edit.loss, abs=0.2)


def test_edits_keep_what_is_shared():
    shared = make_system(
        {"s": "-b*s*i", "i": "b*s*i - g*i + h*s"}, {"b": 0.5, "g": 0.1, "h": 1e-4}, shared=(0, 0, 1, 2)
    )
    best, _, _ = fitted(shared, SIR)
    for edit in snapped_numbers(best):
        system = edit.system
        assert len(system.of_constants) == sum(len(e.free) for e in system.equations)
        assert sorted(set(system.of_constants)) == list(range(len(system.parameters)))
        assert np.all(np.isfinite(system.parameters))
