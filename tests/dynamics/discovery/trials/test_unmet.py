"""The weight of laws that were not met grows with what the search still found at its end."""

import math

import numpy as np
import pytest

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery.trials.judge import Judged
from hypo.dynamics.discovery.trials.unmet import RIVALS, SHARE, late_records, unmet_weight
from tests.dynamics.calibration.systems import make_system


def judged(text, score):
    one = np.ones(1)
    system = make_system({"x": text}, {"a": 1.5})
    return Judged(Calibrated(system, (one,), one, one, one, np.eye(len(system.parameters)), 0.0), score)


EARLY = [judged("a*x", 9.0), judged("a*x**2", 5.0), judged("a", 7.0), None]


def test_a_search_that_found_its_best_early_has_met_most():
    assert late_records([*EARLY, judged("a*x**3", 6.0), None, None, None]) == 0
    assert unmet_weight(EARLY, [1.0]) == pytest.approx(1 - math.exp(-SHARE / 2))


def test_each_system_that_became_the_best_late_adds_to_it():
    late = [judged("a*x**3", 4.0), judged("a*sin(x)", 3.0), None, judged("a*x**4", 3.5)]
    assert late_records([*EARLY, *late]) == 2
    assert unmet_weight([*EARLY, *late], [1.0]) == pytest.approx(1 - math.exp(-SHARE * 2.5))


def test_another_number_of_one_form_is_no_other_law():
    assert late_records([*EARLY, judged("2*x**2", 4.0), judged("a*x**2", 3.0), None, None]) == 0


def test_a_choice_among_systems_is_one_among_others_too():
    """Of three systems with equal weights M is 3; one that has all of it leaves no choice."""
    assert unmet_weight(EARLY, [0.2] * 3) == pytest.approx(1 - math.exp(-SHARE * (0.5 + 2 * RIVALS)))
    assert unmet_weight(EARLY, [0.5, 0.0]) == pytest.approx(unmet_weight(EARLY, [1.0]))
