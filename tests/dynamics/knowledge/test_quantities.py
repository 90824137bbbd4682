"""Laws of motion among quantities: named constants, degrees, terms whose units do not fit, names of constants."""

from __future__ import annotations

import math

import numpy as np
import pytest

import hypo
from hypo.dynamics.discovery.prior.lengths import code_length
from hypo.dynamics.discovery.proposals.filled import refilled
from hypo.dynamics.knowledge.quantities import among_quantities, in_units_of_columns, with_constants_like
from hypo.dynamics.report.equations import describe_laws
from hypo.dynamics.system import System
from hypo.errors import KnowledgeError
from hypo.expression.parser import parse
from hypo.expression.program import Program
from hypo.knowledge.template import Template
from hypo.units import parse_unit

HOURS = np.linspace(0, 12, 25)
DECAY = {"t [h]": HOURS, "n [mol]": 10 * np.exp(-0.3 * HOURS) + 0.01 * np.cos(9 * HOURS)}


def test_a_named_constant_has_the_units_of_the_table() -> None:
    known = {"constants": {"kk": {"value": 0.005, "unit": "1/min"}}, "dynamics": {"n": "-kk*n"}}
    model = hypo.fit_dynamics(DECAY, knowledge=known, time_limit=10)
    (law,) = describe_laws(model.best, model.data)
    assert law.text() == "dn/dt = -kk*n"
    assert [(row.name, row.value, row.unit) for row in law.constants] == [("kk", 0.3, "1/h")]
    assert model.score(DECAY).r2["n"] > 0.999
    assert "kk           0.3" in str(model)


def test_units_of_constants_that_no_column_has() -> None:
    known = hypo.Knowledge.from_dict({"constants": {"g": {"value": 9.81, "unit": "m/s^2"}}})
    g = with_constants_like(known, {"t": "ms", "theta": "rad"}).constants["g"]
    assert g.value == pytest.approx(9.81e-6, rel=1e-14)
    assert g.unit.text == "m/ms^2"
    assert with_constants_like(known, {"t": "s", "theta": "rad"}).constants["g"].value == 9.81
    assert with_constants_like(known, {}) is known


def test_what_has_other_units_than_the_law_is_refused() -> None:
    known = {"constants": {"kk": {"value": 0.005, "unit": "1/min"}}, "dynamics": {"n": "-kk*n*n"}}
    with pytest.raises(KnowledgeError, match=r"\[dynamics\] n: the formula has the dimension"):
        hypo.fit_dynamics(DECAY, knowledge=known, time_limit=5)


def test_exact_numbers_may_stand_for_what_has_units() -> None:
    known = hypo.Knowledge(units={"x": "mol", "y": "mol"})
    law = parse("0.05*x*y - m*y", variables=("x", "y"))
    assert in_units_of_columns(law, known, parse_unit("mol/h"), "here") == law


def test_degrees_have_their_exact_factor() -> None:
    known = hypo.Knowledge(units={"theta": "deg"})
    law = in_units_of_columns(parse("-k*sin(theta)", variables=("theta",)), known, parse_unit("deg/s^2"), "here")
    assert float(Program.of(law, ["theta"]).value(np.array([[90.0]]))[0]) == pytest.approx(-1.0)
    assert [c.name for c in law.constants if c.free] == ["k"]
    term = among_quantities(parse("sin(theta)"), known.units)
    assert term is not None
    assert term.constants[0].value == math.pi / 180
    # Nobody chose that number: the law costs what it costs in radians.
    assert code_length(term, "theta", 2) == code_length(parse("sin(theta)"), "theta", 2)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("x*y", "x*y"),
        ("sin(x)", None),
        ("sin(x - y)", None),
        ("cos(x)*x", None),
        ("x + y", None),
        ("exp(-x)", None),
        ("sin(a)", "sin(a)"),
        ("x/abs(x)", "x/abs(x)"),
        ("x*log(x)", "x*log(1*x)"),
    ],
)
def test_terms_whose_units_do_not_fit_are_none(term: str, expected: str | None) -> None:
    units = {"x": parse_unit("m"), "y": parse_unit("m/s"), "a": parse_unit("rad")}
    found = among_quantities(parse(term), units)
    assert (found if found is None else str(found)) == expected


def test_no_law_has_units_that_do_not_fit() -> None:
    t = np.arange(0, 8, 0.1)
    x = 5 * np.exp(-0.5 * t) * np.cos(2 * t) + 0.02 * np.random.default_rng(1).standard_normal(len(t))
    model = hypo.fit_dynamics({"t [s]": t, "x [m]": x}, order=2, time_limit=4)
    units = hypo.Knowledge(units={"x": "m", "x_dot": "m/s", "law": "m/s^2"})
    assert all(not units.is_hard_violated(s.fitted.system.equations[1], "law") for s in model.systems)


def test_a_search_gives_constants_of_the_form_their_names_back() -> None:
    form = Template("-g/L*sin(x) + h(v)").bind(("x", "v"), {"g": 9.81})
    law = parse("-19.6*sin(x) - 0.3*v")
    found = refilled(law, form)
    assert [c.name for c in found.constants if c.name] == ["g", "L"]
    assert set(found.variables) == {"x", "v"}
    # What is no sum of the form and something else stays as it is.
    product = Template("x*h(v)").bind(("x", "v"))
    assert refilled(law, product) is law


def test_constants_of_one_name_are_one() -> None:
    laws = (parse("a*x - b*x*y", variables=("x", "y")), parse("b*x*y - c*y", variables=("x", "y")))
    system = System(laws, ("x", "y"))
    assert system.of_constants == (0, 1, 1, 2)
    assert len(system.parameters) == 3
