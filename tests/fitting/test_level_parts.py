"""Parts of a formula that do nothing on the rows are taken out."""

import numpy as np
import pytest

from hypo.clock import Clock
from hypo.data import from_arrays
from hypo.expression.algebra.simplify import simplify
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.fitting.archive import Archive
from hypo.fitting.level_parts import drop_level_parts
from hypo.fitting.refiner import Refiner
from hypo.problem.exact import is_exact
from hypo.problem.problem import Settings, make_problem

NAMES = ("A", "g", "w", "t")
X = np.random.default_rng(0).uniform([[1.0], [0.1], [1.0], [0.1]], [[3.0], [1.0], [5.0], [4.0]], (4, 200))


def free(text):
    """The formula of ``text``, its numbers with a decimal point to be fitted."""
    e = parse(text, variables=NAMES)
    constants = tuple(
        Expression.constant(c.value, free=not float(c.value).is_integer()).constants[0] for c in e.constants
    )
    return Expression(e.code, constants, e.variables)


def forms(text):
    return {str(simplify(e)) for e in drop_level_parts(free(text), X, NAMES)}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A*cos(w*t) + t**(-1.5e-16)", "1 + A*cos(t*w)"),
        ("A*cos(w*t)*t**(-1.5e-16)", "A*cos(t*w)"),
        ("A*cos(w*t)*0.1026**(1.5e-17*g)", "A*cos(t*w)"),
        ("A*cos(w*t)*exp(1.5e-12*g*t)", "A*cos(t*w)"),
        ("A*(cos(w*t) + tanh(100.5*t*w))", "A*(1 + cos(t*w))"),
        ("A*t**(1.5e-16) + w*g**(2.5e-16)", "A + w"),
    ],
)
def test_a_level_part_becomes_the_number_that_it_is(text, wanted):
    assert str(simplify(parse(wanted, variables=NAMES))) in forms(text)


def test_a_level_part_near_no_whole_number_becomes_a_constant_to_fit():
    found = list(drop_level_parts(free("A*(cos(w*t) + 2.5*t**(1.5e-16))"), X, NAMES))
    assert any(len(e.free) == 1 and "2.5" in str(e) and "**" not in str(e) for e in found)
    fixed = list(drop_level_parts(free("A*(cos(w*t) + 2.5*t**(1.5e-16))"), X, NAMES, fit_constants=False))
    assert all(not e.free or "**" not in str(e) for e in fixed)


def test_what_varies_stays():
    assert not list(drop_level_parts(free("A*exp(-g*t)*cos(w*t)"), X, NAMES))
    # Not defined on all rows.
    assert not list(drop_level_parts(free("A + log(t - 2.5)"), X, NAMES))


LAW = X[0] * np.exp(-X[1] * X[3]) * np.cos(X[2] * X[3])


@pytest.mark.parametrize(
    "text",
    [
        "A*cos(w*t)*(((0.1026**g)**0.4391886)**t + t**(-1.5e-16) - 1.00000001)",
        "A*cos(w*t)*((0.3678794412**g)**t*t**(1.5e-15))",
        "A*cos(w*t + 1.5e-16*g**3)*exp(-1.0000000001*g*t)",
    ],
)
def test_finishing_leaves_no_part_that_does_nothing(text):
    settings = Settings()
    problem = make_problem(from_arrays(X.T, LAW, names=NAMES), None, settings)
    archive = Archive(problem.X, problem.columns)
    refiner = Refiner(problem, settings, archive, Clock())
    refiner.consider(free(text))
    refiner.finish()
    assert is_exact(archive.best, problem)
    assert str(archive.best.expression) == "A*cos(t*w)*exp(-(g*t))"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("((0.1026**g)**0.1464)**t", "0.1026**(0.1464*g*t)"),
        ("exp(g)**t", "exp(g*t)"),
        ("(2**g)**t", "2**(g*t)"),
        ("(g**2)**t", "(g**2)**t"),
    ],
)
def test_powers_of_powers_of_numbers_are_drawn_together(text, wanted):
    assert str(simplify(free(text))) == wanted
