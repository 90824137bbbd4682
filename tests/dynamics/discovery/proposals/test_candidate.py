"""Lists of candidates without two that say the same."""

import numpy as np

from hypo.dynamics.discovery.proposals.candidate import Candidate, distinct
from hypo.expression.parser import parse


def _candidate(text, score):
    e = parse(text, variables=["x"])
    return Candidate(e, 0.0, score)


def test_factored_and_expanded_forms_are_one():
    x = np.linspace(0.1, 2, 50)[None]
    a = Candidate(parse("2*x - x**2"), 1.0, 5.0)
    b = Candidate(parse("x*(2 - x)"), 1.0, 4.0)
    c = Candidate(parse("2*x - x**3"), 1.0, 4.5)
    assert distinct([a, b, c], ("x",), x) == [b, c]


def test_more_constants_for_the_same_values_are_another_candidate():
    x = np.linspace(0.1, 2, 50)[None]
    a, b = _candidate("a*x", 1.0), _candidate("a*x**b", 2.0)
    assert distinct([b, a], ("x",), x) == [a, b]


def test_what_has_no_value_is_left_out():
    assert distinct([Candidate(parse("log(x)"), 0.0, 0.0)], ("x",), np.linspace(-1, 1, 9)[None]) == []


def test_laws_that_agree_along_one_run_only_stay_apart():
    """Along x = y nothing tells x² and x·y apart."""
    t = np.linspace(0.1, 2, 50)
    a, b = Candidate(parse("x**2"), 0.0, 1.0), Candidate(parse("x*y"), 0.0, 2.0)
    assert distinct([a, b], ("x", "y"), np.vstack([t, t])) == [a, b]
