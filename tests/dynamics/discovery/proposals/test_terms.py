"""The library of rate-law terms."""

import numpy as np
import pytest

from hypo.dynamics.discovery.proposals.terms import (
    LINEAR,
    POLYNOMIAL,
    POWER,
    QUADRATIC,
    SATURATION,
    WAVE,
    make_terms,
    refine_grids,
)
from hypo.dynamics.discovery.proposals.waves import waves_in_time
from hypo.expression.program import Program


@pytest.fixture(scope="module")
def columns():
    rng = np.random.default_rng(0)
    return np.vstack([rng.uniform(0.5, 3.0, 50), rng.uniform(-1.0, 2.0, 50)])


def test_values_are_finite_and_no_two_terms_are_alike(columns):
    terms = make_terms(("x", "y"), columns)
    values = np.array([Program.of(e, ("x", "y")).value(columns) for e in terms.expressions])
    assert np.isfinite(values).all()
    unit = values / np.linalg.norm(values, axis=1)[:, None]
    alike = np.abs(unit @ unit.T) - np.eye(len(unit))
    # Members of a grid may come close, no two are one.
    assert alike.max() < 1 - 1e-13


@pytest.mark.parametrize(
    ("family", "text"),
    [
        (LINEAR, "x"),
        (QUADRATIC, "x*y"),
        (POLYNOMIAL, "x**2*y"),
        (POWER, "1/x"),
        (WAVE, "sin(x - y)"),
        (WAVE, "y*cos(x)"),
    ],
)
def test_textbook_terms_are_there(columns, family, text):
    terms = make_terms(("x", "y"), columns)
    found = {terms.expressions[i].pretty().replace(" ", "") for i in terms.within((family,))}
    assert text.replace(" ", "") in found


def test_saturations_stand_on_a_grid_as_one_form(columns):
    terms = make_terms(("x", "y"), columns)
    of = [terms.expressions[i] for i in terms.within((SATURATION,)) if terms.expressions[i].variables == ("x",)]
    hill = [e for e in of if e.masked() == "x/(1.2345 + x)"]
    constants = np.array([e.values[0] for e in hill])
    assert len(hill) >= 5
    assert constants.min() < 0.2 < 2.5 < constants.max()


def test_what_has_no_value_is_left_out(columns):
    """y crosses zero: neither its logarithm nor its inverse, nor a saturation with a pole."""
    texts = [e.pretty() for e in make_terms(("x", "y"), columns).expressions]
    assert not any("log(y)" in t or "/y" in t or "sqrt(y)" in t for t in texts)
    assert any("log(x)" in t for t in texts)


def test_a_column_that_stands_still_is_none(columns):
    terms = make_terms(("x", "k"), np.vstack([columns[0], np.full(50, 2.0)]))
    assert all("k" not in e.variables for e in terms.expressions)


def test_time_has_waves_of_any_frequency():
    t = np.linspace(0, 10, 80)
    terms = make_terms(("x", "t"), np.vstack([np.exp(-t), t]), waves_in_time("t", t))
    frequencies = [e.values[0] for e in terms.expressions if e.masked() == "sin(1.2345*t)"]
    assert min(frequencies) == pytest.approx(np.pi / 10)
    assert max(frequencies) > 7


def test_twenty_columns_make_a_library_that_can_be_searched():
    rng = np.random.default_rng(1)
    assert len(make_terms([f"x{i}" for i in range(20)], rng.uniform(0.1, 1, (20, 100))).expressions) < 4000


def test_finer_grids_leave_the_terms_as_they_are_and_add_values_between_and_beyond(columns):
    terms = make_terms(("x", "y"), columns)
    fine = refine_grids(terms)
    assert fine.expressions[: len(terms.expressions)] == terms.expressions
    assert set(fine.forms) == set(terms.forms)

    def constants(of):
        return np.sort([e.values[0] for e in of.expressions if e.masked() == "x/(1.2345 + x)"])

    coarse, dense = constants(terms), constants(fine)
    assert dense[0] < coarse[0] and dense[-1] > coarse[-1]
    # No constant is further than a tenth from one on the grid, between its old ends.
    inside = dense[(dense >= coarse[0]) & (dense <= coarse[-1])]
    assert np.max(inside[1:] / inside[:-1]) < np.max(coarse[1:] / coarse[:-1]) ** 0.26
    assert set(coarse) <= set(dense)
