"""What leaves hypo is in the units of the columns: formulas, constants, posteriors, files; in SI on request."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import hypo
from hypo.cli.main import main
from hypo.expression.parser import parse
from hypo.report.formatting import format_value, round_to_error

pytestmark = pytest.mark.usefixtures("short_searches")

STRAIN = np.linspace(0.05, 2.0, 25)
STRESS = 420.0 * (1 - np.exp(-STRAIN / 0.6)) + np.random.default_rng(1).normal(0, 1, 25)
TABLE = {"strain [%]": STRAIN, "stress [MPa]": STRESS}
GUESS = "stress = S*(1 - exp(-strain/E))"
QUICK = {"workers": 1, "operators": "+,-,*,/,exp", "max_complexity": 9}


@pytest.fixture(scope="module")
def result() -> hypo.Result:
    return hypo.fit(TABLE, "stress", guesses=[GUESS], **QUICK)


def test_exports_hold_for_the_numbers_of_the_columns(result: hypo.Result) -> None:
    import sympy

    expected = result.predict({"strain": STRAIN})
    assert expected == pytest.approx(420.0 * (1 - np.exp(-STRAIN / 0.6)), abs=3.0)
    x = sympy.Symbol("strain", real=True)
    assert float(result.sympy().subs(x, 1.0)) == pytest.approx(float(result.predict({"strain": [1.0]})[0]), rel=1e-12)
    in_si = float(result.sympy(units="si").subs(x, 0.01))
    assert in_si == pytest.approx(1e6 * float(result.predict({"strain": [1.0]})[0]), rel=1e-9)
    assert result.latex() != result.latex(units="si")
    assert str(parse(str(result.expression), variables=["strain"])) == str(result.expression)
    with pytest.raises(hypo.InputError, match=r'units must be "columns" .* or "si", got'):
        result.latex(units="imperial")


def test_the_whole_front_and_its_constants(result: hypo.Result) -> None:
    for h, rows in zip(result.front, result.constants, strict=True):
        values = [c.value for c in h.expression.constants if c.free]
        assert {r.value for r in rows} == set(values)
        assert all(r.unit is not None and "kg" not in r.unit for r in rows)
    line = next(h for h in result.front if not h.expression.variables)
    assert line.expression.values[0] == pytest.approx(STRESS.mean()) and line.rmse == pytest.approx(STRESS.std())


def test_si_is_the_same_law(result: hypo.Result) -> None:
    si = result.in_units("si")
    assert result.in_units("columns") is result and si.settings["units"] == {"strain": "1", "stress": "Pa"}
    mine, theirs = (r.predict({"strain": x}, interval=0.9) for r, x in ((result, STRAIN), (si, STRAIN / 100)))
    for name in ("mean", "std", "lower", "upper"):
        assert getattr(theirs, name) == pytest.approx(1e6 * getattr(mine, name), rel=1e-6)
    for rows, others in zip(result.constants, si.constants, strict=True):
        assert [o.unit for o in others] == [
            {"MPa": "Pa", "MPa/%": "Pa", "%": "1", "1/%": "1"}.get(str(r.unit), o.unit)
            for r, o in zip(rows, others, strict=True)
        ]
    assert "SI units" in str(si) and "Written" not in str(si)


def test_files_and_old_files(result: hypo.Result, tmp_path: Path) -> None:
    result.save(tmp_path / "r")
    loaded = hypo.Result.load(tmp_path / "r")
    assert loaded == result and loaded.profile(data=TABLE) == result.profile()
    # A file as older versions wrote it: formulas and constants in SI, and the factors that lead there.
    si = result.in_units("si")
    content = si.to_dict()
    settings = content["manifest"]["settings"]
    settings |= {
        "scales": {"strain": 0.01, "stress": 1e6},
        **{key: result.settings[key] for key in ("units", "ranges")},
    }
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "result.json").write_text(json.dumps(content))
    old = hypo.Result.load(tmp_path / "old")
    assert old.predict({"strain": STRAIN}) == pytest.approx(result.predict({"strain": STRAIN}), rel=1e-9)
    mine, theirs = (r.predict({"strain": STRAIN}, interval=0.9) for r in (result, old))
    assert theirs.std == pytest.approx(mine.std, rel=1e-6)
    assert [(c.name, c.unit) for c in old.constants[-1]] == [(c.name, c.unit) for c in result.constants[-1]]
    assert [c.std for c in old.constants[-1]] == pytest.approx([c.std for c in result.constants[-1]], rel=1e-9)
    assert old.settings["scales"] == {"strain": 1.0, "stress": 1.0}


def test_a_winning_guess_keeps_its_form_and_names(result: hypo.Result) -> None:
    assert "The answer is your guess 1: stress = S*(1 - exp(-strain/E))." in result.remarks()
    assert result.expression is not None and result.expression.pretty().count("(1 - exp(-strain/") == 1
    assert result.best is not None
    rows = result.constants[result.front.index(result.best)]
    assert [(r.name, r.unit) for r in rows] == [("S", "MPa"), ("E", "%")]
    assert [r.value for r in rows] == [pytest.approx(420, abs=5), pytest.approx(0.6, abs=0.02)]
    assert [(r.name, r.unit) for r in result.profile()] == [("S", "MPa"), ("E", "%")]
    lines = result.constant_lines()
    assert lines[0].startswith("  with S = 4") and lines[1].startswith("  with E = 0.") and lines[1].endswith(" [%]")
    assert str(result).count("standard error") == 1
    names = [c["name"] for c in result.to_dict()["best"]["constants"]]
    assert names == ["S", "E"]


def test_one_name_is_one_constant() -> None:
    x = np.linspace(0.5, 4.0, 30)
    y = 0.813 * x + 0.813**2 * np.cos(3 * x) + 0.01 * np.random.default_rng(1).standard_normal(30)
    more = QUICK | {"operators": "+,*,cos,square", "max_complexity": 12}
    found = hypo.fit({"x": x, "y": y}, "y", guesses=["k*x + k**2*cos(3*x)"], **more)
    if "guess" in found.manifest:  # the rows may know it by two constants
        assert [r.name for r in found.profile()] == ["k"]
    scored = hypo.score("k*x + k**2*cos(3*x)", {"x": x, "y": y}, "y")
    assert [r.name for r in scored.constants] == ["k"] and scored.constants[0].value == pytest.approx(0.813, abs=0.01)


def test_another_law_than_the_guess_is_not_called_so() -> None:
    x = np.linspace(0.5, 4.0, 20)
    y = 3.17 * x**2 + 0.1 * np.random.default_rng(4).standard_normal(20)
    found = hypo.fit({"x": x, "y": y}, "y", guesses=["a*x**b", "a + x"], **QUICK | {"operators": "+,*,square,**"})
    said = " ".join(found.remarks())
    assert found.expression is not None and len(found.expression.free) == 1
    assert "is your guess" not in said and "guess" not in found.manifest
    assert "The answer is a variant of your guess 1, y = a*x**b, with exact numbers for some of its constants." in said
    assert said.count("variant") == 1 and "The guess a + x scores" in said


def test_formulas_come_in_as_they_leave(result: hypo.Result) -> None:
    """What --quiet prints has the same misfit when it is scored; so has a law among quantities, whatever their units."""
    again = hypo.score(str(result.expression), TABLE, "stress").hypothesis
    assert result.best is not None and again.misfit == pytest.approx(result.best.misfit, abs=1e-3)
    assert again.rmse == pytest.approx(result.best.rmse, rel=1e-6)
    length = np.linspace(10.0, 90.0, 12)
    period = 2 * np.pi * np.sqrt(length / 100 / 9.81)
    pendulum = {"L [cm]": length, "T [s]": period}
    knowledge = {"constants": {"g": {"value": 9.81, "unit": "m/s^2"}}}
    for formula in ("2*pi*sqrt(L/g)", "2*pi*sqrt(0.01*L/g)"):
        scored = hypo.score(formula, pendulum, "T", knowledge=knowledge)
        assert scored.hypothesis.r2 == pytest.approx(1.0), formula
        values = np.array([float(v) for v in hypo_values(scored.expression, length)])
        assert values == pytest.approx(period)
    assert scored.in_units("si").expression.pretty() == "2*pi*sqrt(L/g)"


def hypo_values(e: hypo.Expression, x: np.ndarray) -> np.ndarray:
    from hypo.expression.program import evaluate

    return evaluate(e, x[:, None], ["L"])


def test_rules_speak_of_the_columns() -> None:
    found = hypo.fit(TABLE, "stress", knowledge={"rule": [{"kind": "bounds", "max": 300.0, "weight": 1e-3}]}, **QUICK)
    (row,) = found.rules
    assert row.level == "refuted" and row.left is not None and 300.0 < max(row.left, row.right or 0.0) < 500.0
    assert row.without is None or max(abs(c.value) for c in parse(row.without, variables=["strain"]).constants) < 1e5


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    angle = np.linspace(5, 80, 25)
    power = 3.2 * np.sin(np.deg2rad(angle)) ** 2 + np.random.default_rng(2).normal(0, 0.01, 25)
    table = tmp_path / "m.csv"
    table.write_text("theta [deg],I [mW]\n" + "".join(f"{a},{b}\n" for a, b in zip(angle, power, strict=True)))
    asked = ["fit", str(table), "--target", "I", "--workers", "1", "--max-complexity", "5"]
    asked += ["--operators", "*,sin,square", "--out", str(tmp_path / "r")]
    assert main([*asked, "--quiet"]) == 0
    e = parse(capsys.readouterr().out.strip(), variables=["theta"])
    assert float(hypo_at(e, 40.0)) == pytest.approx(3.2 * math.sin(math.radians(40)) ** 2, rel=0.02)
    assert main(["show", str(tmp_path / "r")]) == 0
    text = capsys.readouterr().out
    assert "[mW]" in text and "(0.01745*theta)" in text and "--si" in text
    assert main(["show", str(tmp_path / "r"), "--si"]) == 0
    text = capsys.readouterr().out
    assert "[W]" in text and "sin(theta)" in text
    assert main(["score", "a*sin(theta*pi/180)**2", str(table), "--target", "I", "--json"]) == 0
    (a,) = json.loads(capsys.readouterr().out)["constants"]
    assert a["unit"] == "mW" and a["value"] == pytest.approx(3.2, rel=0.01)
    assert main(["score", "a*sin(theta)**2", str(table), "--target", "I", "--si"]) == 0
    assert " W\n" in capsys.readouterr().out
    assert main(["profile", str(tmp_path / "r"), str(table), "--json", "--si"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["constants"][0]["unit"] == "W" and shown["constants"][0]["value"] == pytest.approx(3.2e-3, rel=0.01)


def hypo_at(e: hypo.Expression, x: float) -> float:
    from hypo.expression.program import evaluate

    return float(evaluate(e, np.array([[x]]), ["theta"])[0])


def test_event_bounds_and_suggestions(result: hypo.Result) -> None:
    found = result.bound("stress > 300", {"strain": [0.2, 1.9]}, prior=1e-3)
    assert found.upper[0] < 0.5 < found.average[1]
    assert all("e+" not in text for text in found.formulas())
    asked = result.suggest(n=2)
    assert np.all(np.abs(asked.mean) < 1000) and "disagreement" in str(asked)


def test_digits_fit_the_error() -> None:
    assert round_to_error(0.0123, 3.14159, 0.0123, 2.5) == ("3.142", "0.012", "2.500")
    assert round_to_error(230.0, 12345.678, 230.0) == ("12346", "230")
    assert round_to_error(2e-13, 6.674e-11, 2e-13) == ("6.674e-11", "0.020e-11")
    assert round_to_error(None, 1.23456789) == ("1.23457",)
    assert format_value(0.99943, 0.00003) == "0.99943 ± 0.00003"
