"""Further columns inside divisors and exponentials."""

import numpy as np

from hypo.dynamics.discovery.proposals.widen import widen
from hypo.expression.parser import parse
from hypo.expression.program import Program


def _texts(text):
    e = parse(text, variables=["x", "y", "z"])
    wider = list(widen(e, ("x", "y", "z")))
    X = np.random.default_rng(0).uniform(0.5, 2, (3, 10))
    for w in wider:
        assert np.array_equal(Program.of(w, ("x", "y", "z")).value(X), Program.of(e, ("x", "y", "z")).value(X))
        assert len(w.free) == len(e.free) + 1
    return [w.variables for w in wider]


def test_a_divisor_gets_a_column_it_lacks():
    assert _texts("a*x/(c + x)") == [("x", "y"), ("x", "z")]


def test_an_exponential_gets_one_too():
    assert _texts("1/(1 + exp(a - b*x))") == [("x", "y"), ("x", "z")]


def test_sums_and_plain_quotients_stay():
    assert _texts("a*x + b*y/z") == []
