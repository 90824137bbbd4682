"""Simpler systems near a fitted one, and the way to them."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.dynamics.calibration.edits import dropped_terms, edits_of, shared_parameters, snapped_numbers
from hypo.dynamics.calibration.finish import finish
from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.dynamics.system import System
from tests.dynamics.calibration.systems import LOTKA_VOLTERRA, PENDULUM, SIR, make_data, make_system, noisy

RNG = np.random.default_rng(11)


def fitted(system, case):
    data = make_data(case.system, [case.time], [noisy(case.states(), RNG, relative=0.01)])
    smoothed = smooth_all(data)
    return fit_system(system, data, smoothed, effort="full"), data, smoothed


def cost(system: System) -> float:
    """Three nats a parameter, one a node."""
    return 3.0 * len(system.parameters) + float(sum(len(e) for e in system.equations))


MANY = make_system({"x": "v", "v": "-k*sin(x) - c*v + e*x**2"}, {"k": 3.0, "c": 0.2, "e": 0.01})


def test_each_term_of_a_sum_can_go():
    best, _, _ = fitted(MANY, PENDULUM)
    left = {e.system.equations[1].masked() for e in dropped_terms(best)}
    assert len(left) == 4
    assert "-1.2345*sin(x) - 1.2345*v" in {t.replace("(1.2345)", "1.2345") for t in left}


def test_the_loss_of_a_dropped_term_is_that_of_a_fit():
    best, data, smoothed = fitted(MANY, PENDULUM)
    edit = next(
        e for e in dropped_terms(best) if "x**2" not in str(e.system.equations[1]) and len(e.system.parameters) == 2
    )
    again = fit_system(edit.system, data, smoothed, effort="full")
    assert again.misfit - best.misfit == pytest.approx(edit.loss, abs=1.0)


def test_numbers_become_simple_where_they_may():
    best, _, _ = fitted(PENDULUM.system, PENDULUM)
    edits = [e for e in snapped_numbers(best) if e.loss < 5]
    assert any("3*sin(x)" in str(e.system.equations[1]).replace("(3)", "3") for e in edits)
    assert all(len(e.system.parameters) == 1 for e in edits)


def test_two_parameters_become_one():
    apart = make_system({"s": "-b*s*i", "i": "e*s*i - g*i"}, {"b": 0.5, "e": 0.5, "g": 0.1})
    best, data, smoothed = fitted(apart, SIR)
    edit = min(shared_parameters(best), key=lambda e: e.loss)
    assert edit.loss < 5
    assert len(edit.system.parameters) == 2
    assert edit.system.of_constants == (0, 0, 1)
    again = fit_system(edit.system, data, smoothed, effort="full")
    assert again.misfit - best.misfit == pytest.approx(edit.loss, abs=1.0)


def test_edits_keep_what_is_shared():
    shared = make_system(
        {"s": "-b*s*i", "i": "b*s*i - g*i + h*s"}, {"b": 0.5, "g": 0.1, "h": 1e-4}, shared=(0, 0, 1, 2)
    )
    best, _, _ = fitted(shared, SIR)
    for edit in edits_of(best, furthest=np.inf):
        system = edit.system
        assert len(system.of_constants) == sum(len(e.free) for e in system.equations)
        assert sorted(set(system.of_constants)) == list(range(len(system.parameters)))
        assert np.all(np.isfinite(system.parameters))


def test_finishing_finds_the_simple_law():
    best, data, smoothed = fitted(MANY, PENDULUM)
    end = finish(best, data, smoothed, cost)
    assert end.misfit + cost(end.system) < best.misfit + cost(best.system)
    text = str(end.system.equations[1]).replace("(", "").replace(")", "")
    assert text.startswith("-3*sinx - 0.2*v") or len(end.system.parameters) <= 2
    assert "x**2" not in text


def test_what_is_needed_stays():
    best, data, smoothed = fitted(LOTKA_VOLTERRA.system, LOTKA_VOLTERRA)
    end = finish(best, data, smoothed, lambda system: float(len(system.parameters)))
    assert end.misfit <= best.misfit + 4
    assert {v for e in end.system.equations for v in e.variables} == {"x", "y"}
