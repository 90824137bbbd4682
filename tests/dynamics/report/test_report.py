"""World models in words and as JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

import hypo
from hypo.dynamics.model.world_model import WorldModel
from hypo.dynamics.report.agreement import measure_agreement
from hypo.dynamics.report.equations import describe_laws
from hypo.dynamics.report.json_record import to_dict, to_json
from hypo.dynamics.report.text import find_undetermined, round_shares, write_report
from hypo.dynamics.system import Delay, System
from hypo.expression.parser import parse
from tests.dynamics.report.models import T, fitted, follow, law, model_of, pendulum, spring


def test_laws_of_first_order() -> None:
    model = spring()
    x, v = describe_laws(model.best, model.data)
    assert (x.text(), x.unit, x.constants) == ("dx/dt = v", "m/s", ())
    assert (v.text(), v.lettered_text, v.unit) == ("dv/dt = -4*x - 0.5*v", "dv/dt = -c1*x - c2*v", "m/s^2")
    assert v.latex == r"\frac{dv}{dt} = -4 \cdot x - 0.5 \cdot v"
    k, c = v.constants
    assert [(row.name, row.value, row.unit) for row in (k, c)] == [("c1", 4.0, "1/s^2"), ("c2", 0.5, "1/s")]
    assert (k.std, c.std) == (pytest.approx(0.01), pytest.approx(0.02))
    # 82 samples, two constants, two starts.
    assert k.upper == pytest.approx(4.0 + 0.01 * student.ppf(0.975, 78))


def test_laws_of_second_order() -> None:
    model = pendulum()
    (only,) = describe_laws(model.best, model.data)
    assert only.text() == "d²x/dt² = -9.81*sin(x) - 0.2*x_dot"
    assert only.latex.startswith(r"\frac{d^{2}x}{dt^{2}} = ")
    assert (only.order, only.unit) == (2, "1/s^2")
    assert [row.unit for row in only.constants] == ["1/s^2", "1/s"]
    text = write_report(model)
    assert "x_dot is dx/dt, which was not measured." in text


def test_laws_of_the_next_value() -> None:
    e = law("r*x*(1 - x)", ["x"], r=3.7)
    system = System((e,), ("x",), is_discrete=True)
    model = model_of((fitted(system, [0.3], [1e-6]), 1.0), states=np.ones((41, 1)), units={"x": "1"})
    (only,) = describe_laws(model.best, model.data)
    assert (only.text(), only.order, only.latex[:8]) == ("x[n+1] = 3.7*x[n]*(1 - x[n])", 0, "x[n+1] =")
    assert only.constants[0].unit == "1"


def test_former_values() -> None:
    system = System((law("a*x_before - x", ["x", "x_before"], a=2.0),), ("x",), delays=(Delay("x_before", "x", 1.25),))
    model = model_of((fitted(system, [1.0], [1e-6]), 1.0), states=np.ones((41, 1)))
    (only,) = describe_laws(model.best, model.data)
    assert only.text() == "dx/dt = 2*x(t - 1.25) - x"
    # The 1 before the second x is exact, so nothing gives x the unit of its rate.
    assert len(only.constants) == 1


def test_shared_constants_have_one_name() -> None:
    states = ("x", "y")
    system = System((law("-k*x", states, k=2.0), law("k*x", states, k=2.0)), states, shared=(0, 0))
    model = model_of((fitted(system, [1.0, 0.0], [1e-4]), 1.0), states=follow(system, [1.0, 0.0]), units={})
    assert [law.lettered_text for law in describe_laws(model.best, model.data)] == ["dx/dt = -c1*x", "dy/dt = c1*x"]
    assert write_report(model).count("\nc1 ") == 1


def test_without_units_there_are_none() -> None:
    model = spring()
    bare = replace(model.data, units={"x": "m"})
    laws = describe_laws(model.best, bare)
    assert [(law.unit, [row.unit for row in law.constants]) for law in laws] == [(None, []), (None, [None, None])]


def test_constants_without_an_error() -> None:
    model = spring()
    loose = replace(model.best, covariance=np.diag([np.inf, 0.0]))
    rows = describe_laws(loose, model.data)[1].constants
    assert [(row.std, row.lower) for row in rows] == [(None, None)] * 2


def test_constants_that_the_data_do_not_determine() -> None:
    states = ("x", "y")
    system = System(
        (law("a*x + b*x**2 + c*x**3 + d", states, a=1.0, b=2.0, c=3.0, d=0.1), law("k*y", states, k=1.0)), states
    )
    model = model_of((fitted(system, [1.0, 1.0], [1.0] * 5), 1.0), states=np.ones((41, 2)), units={})
    together = np.eye(5)
    together[0, 1] = together[1, 0] = together[1, 2] = together[2, 1] = 0.999
    together[0, 2] = together[2, 0] = 0.998
    together[3, 3] = 1e6
    assert find_undetermined(replace(model.best, covariance=together)) == [
        "The data determine c1, c2 and c3 only together.",
        "The data hardly determine c4.",
    ]
    together[0, 2] = together[2, 0] = together[1, 2] = together[2, 1] = 0.0
    together[3, 3] = np.inf
    assert find_undetermined(replace(model.best, covariance=together)) == [
        "The data determine c1 and c2 together and hardly apart (correlation 0.999).",
        "The data hardly determine c4.",
    ]
    assert find_undetermined(replace(model.best, covariance=np.zeros((5, 5)))) == []


def test_agreement_of_the_true_laws() -> None:
    model = spring()
    for found in measure_agreement(model.best, model.data):
        assert found.total == pytest.approx(1.0, abs=1e-9)
        assert found.states.keys() == {"x", "v"}


def test_agreement_from_both_starts() -> None:
    """R² as scikit-learn has it; the fitted start is off by 10 %, a state that was not measured first has the fitted one."""
    from sklearn.metrics import r2_score

    model = spring()
    best = replace(model.best, starts=(np.array([1.1, 0.0]),))
    own, given = measure_agreement(best, model.data)
    states = model.data.runs[0].states
    off = follow(best.system, [1.1, 0.0])
    assert own.states["x"] == pytest.approx(r2_score(states[:, 0], off[:, 0]), abs=1e-6)
    assert own.total == pytest.approx(
        1 - np.sum((off - states) ** 2) / np.sum((states - states.mean(0)) ** 2), abs=1e-6
    )
    assert given.total == pytest.approx(1.0, abs=1e-9)
    blind = states.copy()
    blind[0, 0] = np.nan
    lacking = replace(model.data, runs=(replace(model.data.runs[0], states=blind),))
    assert measure_agreement(best, lacking)[1].total < 0.999


def test_states_that_run_away() -> None:
    system = System((parse("x**2", variables=["x"]),), ("x",))
    model = model_of((fitted(system, [1.0], []), 1.0), states=T[:, None] + 1, units={})
    own, _ = measure_agreement(model.best, model.data)
    assert np.isnan(own.total)
    assert "From the given start the states run away." in write_report(model)
    assert to_dict(model)["r2"]["fitted_start"] == {"x": None, "total": None}


def test_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    lines = write_report(spring()).split("\n")
    assert lines[:4] == ["dx/dt = v", "dv/dt = -4*x - 0.5*v", "", "dv/dt = -c1*x - c2*v"]
    text = "\n".join(lines)
    for part in (
        "constant   value       ±   95 % interval    unit",
        "c1         4.000   0.010   3.980 to 4.020   1/s^2",
        "state      noise   effective rows   R² fitted start   R² given start",
        "x         0.01 m         12 of 41                 1                1",
        "weight   score   system",
        "80 %    0.00   dx/dt = v; dv/dt = -4*x - 0.5*v",
        "20 %   10.00   dx/dt = v; dv/dt = -3*x",
        "± is one standard error.",
        "A remark.",
        "A note.",
    ):
        assert part in text


def test_models_print_themselves() -> None:
    model = hypo.WorldModel(spring().discovered)
    assert str(model) == write_report(model)
    assert repr(model) == "<WorldModel x: v; v: -4*x - 0.5*v; 2 systems>"
    page = model._repr_html_()
    assert r"\displaystyle \frac{dv}{dt} = -4 \cdot x" in page
    for part in ("<code>dv/dt = -c1*x - c2*v</code>", "<td>1/s^2</td>", "A remark."):
        assert part in page


def test_names_in_remarks() -> None:
    system = System((law("a*x_before", ["x", "x_before"], a=2.0),), ("x",), delays=(Delay("x_before", "x", 1.25),))
    model = model_of((fitted(system, [1.0], [1e-6]), 1.0), states=np.ones((41, 1)) + T[:, None])
    found = replace(model.discovered, remarks=("x is undersampled", "the data cannot tell x_before from x"))
    lines = write_report(WorldModel(found)).split("\n")
    assert "x is undersampled." in lines
    assert "The data cannot tell x(t - 1.25) from x." in lines


def test_a_sure_model_says_so() -> None:
    assert " 100 %" in write_report(pendulum())


def test_shares_make_a_hundred() -> None:
    assert round_shares([0.815, 0.005, 0.18]) == ["82 %", "< 1 %", "18 %"]
    assert round_shares([1 / 3, 1 / 3, 1 / 3, 0.0]) == ["34 %", "33 %", "33 %", "0 %"]


def test_json() -> None:
    content = json.loads(to_json(spring(), "interrupted"))
    assert content["schema"] == "hypo-dynamics/1"
    assert content["status"] == "interrupted"
    assert content["equations"]["v"]["pretty"] == "-4*x - 0.5*v"
    assert parse(content["equations"]["v"]["expression"]).variables == ("x", "v")
    assert content["equations"]["v"]["constants"][0] == {
        "name": "c1",
        "value": 4.0,
        "std": pytest.approx(0.01),
        "lower": pytest.approx(3.98, abs=1e-3),
        "upper": pytest.approx(4.02, abs=1e-3),
        "unit": "1/s^2",
    }
    assert [s["weight"] for s in content["systems"]] == [0.8, 0.2]
    assert content["systems"][1]["equations"]["v"]["equation"] == "dv/dt = -3*x"
    assert content["noise"] == {"x": 0.01, "v": 0.01}
    assert content["effective_rows"] == {"x": 12, "v": 12}
    assert content["r2"]["given_start"]["total"] == pytest.approx(1.0, abs=1e-9)
    manifest = content["manifest"]
    assert (manifest["seed"], manifest["measured"], manifest["units"]["v"]) == (7, ["x", "v"], "m/s")
    assert manifest["runs"] == [{"name": "", "rows": 41, "duration": 4.0}]
    assert {"python", "numpy"} <= manifest["packages"].keys()
