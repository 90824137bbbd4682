"""Simpler systems near a fitted one."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.edits import has_flat_divisor, snapped_numbers, snapped_together
from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.discovery.sums import as_sum
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


def test_numbers_that_can_be_simple_together_are_so():
    case = PENDULUM
    full = make_system({"x": "a*v", "v": "-k*sin(x) - b*v + d*x**2"}, {"a": 1.0, "k": 3.0, "b": 0.2, "d": 1e-3})
    best, data, smoothed = fitted(full, case)
    one, none = snapped_together(best, 4.0), snapped_together(best, 4.0, (0.0,))
    assert len(one.system.parameters) == 3 and one.system.equations[0].constants[0].value == 1.0
    assert not one.system.equations[0].constants[0].free
    # What is next to nothing stands at 0, which sums leave out; drag is too well known for that.
    assert len(none.system.parameters) == 3
    assert {t.form for t in as_sum(none.system.equations[1]).terms} == {"sin(x)", "v"}
    again = fit_system(none.system, data, smoothed, effort="full")
    assert again.misfit - best.misfit == pytest.approx(none.loss, abs=0.3)
    assert snapped_together(best, 0.0) is None


X = np.linspace(0.5, 2.0, 50)[None, :]


@pytest.mark.parametrize(
    "law, numbers, sd, is_flat",
    [
        ("a*x/(x + K)", {"a": 3e9, "K": 1e9}, [3e9, 1e9], True),
        ("a*x/(x + K)", {"a": 3e9, "K": 1e9}, [1.0, 1.0], True),
        ("a*x/(x + K)", {"a": 6.0, "K": 2.0}, [0.1, 0.1], False),
        ("a*x/(x + K)", {"a": 60.0, "K": 20.0}, [45.0, 15.0], True),
        ("a*x/(x + K)", {"a": 60.0, "K": 20.0}, [3.0, 1.0], False),
        ("a*x*(1 + b*x)**(-c)", {"a": 1.0, "b": 1e-7, "c": 1.0}, [0.1, 1e-7, 0.5], True),
        ("a*x*(1 + b*x)**c", {"a": 1.0, "b": 1e-7, "c": 1.0}, [0.1, 1e-7, 0.5], False),
        ("a*x/K", {"a": 60.0, "K": 20.0}, [30.0, 10.0], False),
        ("a*x/(1 + x**2)", {"a": 60.0}, [30.0], False),
    ],
)
def test_divisors_that_are_constant_within_their_errors(law, numbers, sd, is_flat):
    one, system = np.ones(1), make_system({"x": law}, numbers)
    order = [list(numbers.values()).index(v) for v in system.parameters]
    C = np.diag(np.array(sd)[order] ** 2)
    assert has_flat_divisor(Calibrated(system, (one,), one, one, one, C, 0.0), X) == is_flat
