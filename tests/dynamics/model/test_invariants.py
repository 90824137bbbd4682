"""Conserved and dissipated quantities of textbook systems, by their names, and none where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.dynamics.model.invariants.invariants import find_invariants
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from tests.dynamics.model import cases
from tests.dynamics.model.cases import Case, make_model, simulate


def along(case: Case, quantity: Expression) -> np.ndarray:
    """Values of a quantity along the true trajectory."""
    X = simulate(case, np.linspace(0.0, case.until, 200)).T
    return Program.of(quantity, tuple(case.laws)).value(np.ascontiguousarray(X))


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (cases.PENDULUM, ["w**2/2 - a*cos(th)"]),
        (cases.LOTKA_VOLTERRA, ["x + b/d*y - g/d*log(x) - a/d*log(y)"]),
        (cases.SIR, ["S + I + R", "S + I - g/k*log(S)"]),
        (cases.KEPLER, ["x*v - y*u", "u**2/2 + v**2/2 - m/sqrt(x**2 + y**2)"]),
        (cases.LORENZ, []),
        (cases.VAN_DER_POL, []),
    ],
    ids=["pendulum", "lotka-volterra", "sir", "kepler", "lorenz", "van der pol"],
)
@pytest.mark.parametrize("error", [0.0, 0.01])
def test_textbook_systems(case: Case, expected: list[str], error: float) -> None:
    found = [i for i in find_invariants(make_model(case, relative_error=error)) if i.kind == "conserved"]
    assert [i.expression.pretty() for i in found] == expected
    for i in found:
        assert i.is_proved
        values = along(case, i.expression)
        assert np.ptp(values) < 1e-6 * max(1.0, np.abs(values).max())
        assert 0.0 < i.drift < 0.1


def test_friction_dissipates_the_energy() -> None:
    found = find_invariants(make_model(cases.DAMPED))
    assert [(i.expression.pretty(), i.kind, i.because) for i in found] == [("w**2/2 - a*cos(th)", "dissipated", "-b*w")]
    assert np.all(np.diff(along(cases.DAMPED, found[0].expression)) < 1e-9)
    assert str(found[0]) == "w**2/2 - a*cos(th): dissipated by -b*w"


def test_friction_of_two_coupled_oscillators() -> None:
    laws = {"x": "u", "y": "v", "u": "-k*x - q*(x - y) - b*u", "v": "-k*y - q*(y - x) - b*v"}
    case = Case(laws, {"k": 2.0, "q": 0.7, "b": 0.3}, [1.0, -0.3, 0.2, 0.5])
    found = [i for i in find_invariants(make_model(case)) if i.kind == "dissipated"]
    assert found and found[0].because == "-b*u and -b*v"
    assert np.all(np.diff(along(case, found[0].expression)) < 1e-9)


def test_constants_that_differ_by_their_errors_keep_the_angular_momentum() -> None:
    laws = {**cases.KEPLER.laws, "v": "-p*y/(x**2 + y**2)**1.5"}
    case = Case(laws, {"m": 1.7, "p": 1.708}, cases.KEPLER.start)
    exact = find_invariants(make_model(case))
    assert all(i.expression.pretty() != "x*v - y*u" for i in exact)
    found = [i for i in find_invariants(make_model(case, relative_error=0.01)) if i.kind == "conserved within errors"]
    assert "x*v - y*u" in [i.expression.pretty() for i in found]
    assert not any(i.is_proved for i in found)


def test_a_sum_with_ratios_near_one_is_rounded() -> None:
    case = Case(
        {"A": "-k*A", "B": "q*A - g*B", "C": "h*B"}, {"k": 0.5, "q": 0.503, "g": 0.3, "h": 0.299}, [1.0, 0.1, 0.0]
    )
    found = find_invariants(make_model(case, relative_error=0.02))
    assert ("A + B + C", "conserved within errors") in [(i.expression.pretty(), i.kind) for i in found]


def test_a_rotation_in_steps_keeps_the_distance() -> None:
    c, s = float(np.cos(0.3)), float(np.sin(0.3))
    case = Case({"x": f"{c!r}*x - {s!r}*y", "y": f"{s!r}*x + {c!r}*y"}, {}, [1.0, 0.4], discrete=True)
    found = find_invariants(make_model(case))
    assert "x**2/2 + y**2/2" in [i.expression.pretty() for i in found]


def test_a_relabelling_in_steps_is_proved() -> None:
    case = Case({"x": "y", "y": "x"}, {}, [1.0, 0.4], discrete=True)
    found = {i.expression.pretty(): i.is_proved for i in find_invariants(make_model(case))}
    assert found["x + y"]


def test_inputs_break_what_is_conserved_without_them() -> None:
    laws = {"x": "v", "v": "-k*x"}
    free = find_invariants(make_model(Case(laws, {"k": 2.0}, [1.0, 0.0])))
    assert [(i.kind, i.is_proved) for i in free] == [("conserved", True)]
    driven = Case({**laws, "v": "-k*x + u"}, {"k": 2.0}, [1.0, 0.0], inputs={"u": (-1.0, 1.0)})
    assert not [i for i in find_invariants(make_model(driven)) if i.kind == "conserved"]
