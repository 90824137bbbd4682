"""Every object that a user may meet says in one short line what it is; texts do not depend on where they are printed."""

import json
import pickle
from typing import Any

import numpy as np
import pytest

import hypo

pytestmark = pytest.mark.usefixtures("short_chains")

X = np.linspace(1.0, 3.0, 60).reshape(30, 2)
Y = 2.537 * X[:, 0] * X[:, 1] + 0.01 * np.sin(37.0 * X[:, 0])
FAST: dict[str, Any] = {"operators": ["+", "*"], "max_complexity": 7, "workers": 1}
KNOWLEDGE = {"units": {"a": "kg", "b": "m/s^2", "F": "N"}, "rule": [{"kind": "bounds", "min": 0.0}]}
LONG = "+".join(f"{k}.123456789*x{k}" for k in range(200))


@pytest.fixture(scope="module")
def law() -> hypo.Result:
    return hypo.fit((X, Y), "F", features=["a", "b"], knowledge=KNOWLEDGE, turns=4, **FAST)


@pytest.fixture(scope="module")
def objects(law: hypo.Result) -> dict[str, Any]:
    """One of each kind."""
    assert law.best is not None and law.posterior is not None
    predicted = law.predict(X, return_std=True)
    audit = hypo.audit(X, Y, seeds=2, bootstrap=1, turns=1, scheduler="threads", **FAST)
    many = {f"column_{k}": np.arange(30.0) ** (1 + k / 50) for k in range(100)}
    return {
        "result": law,
        "best": law.best,
        "constant": law.constants[-1][0],
        "rule": law.rules[0],
        "data": law.data,
        "posterior": law.posterior,
        "structure": law.posterior.structures[0],
        "prediction": predicted,
        "parts": predicted.parts,
        "bound": law.bound("F > 9", X),
        "suggestions": law.suggest(n=2),
        "profile": law.profile(),
        "audit": audit,
        "group": audit.groups[0],
        "run": audit.runs[0],
        "scored": hypo.score("k*x0*x1", X, Y),
        "knowledge": hypo.Knowledge.from_dict(KNOWLEDGE, target="F"),
        "grammar": hypo.Knowledge().grammar,
        "expression": law.expression,
        "long": hypo.parse(LONG),
        "estimator": hypo.SymbolicRegressor(guesses=["a*x0"]),
        "wide": _wide(many),
        "coverage": law.coverage,
        "efficiency": law.efficiency,
    }


def _wide(columns: dict[str, Any]) -> Any:
    import pandas

    from hypo.data import from_frame

    return from_frame(pandas.DataFrame({**columns, "y": np.arange(30.0) ** 2}), "y")


def test_each_is_short_and_says_what_it_is(objects: dict[str, Any]) -> None:
    for name, thing in objects.items():
        text = repr(thing)
        assert len(text) < 260, (name, text)
        assert "\n" not in text and "array(" not in text, (name, text)


@pytest.mark.parametrize(("name", "rows"), [("scored", 4), ("suggestions", 3), ("audit", 2)])
def test_other_results_are_tables_in_notebooks(objects: dict[str, Any], name: str, rows: int) -> None:
    page = objects[name]._repr_html_()
    assert page.count("<tr>") >= rows
    for line in str(objects[name]).splitlines()[-1:]:
        assert line.split(" ", 1)[0] in page


def test_the_line_of_a_result(law: hypo.Result) -> None:
    assert law.best is not None
    assert repr(law).startswith(f"<Result F = {law.best.pretty}; score ")
    assert repr(law).endswith(f"front of {len(law.front)} formulas, {law.status}>")
    assert repr(law.expression) == f"Expression({str(law.expression)!r})"
    assert "± " in repr(law.constants[-1][0])


def test_a_result_without_a_formula() -> None:
    nothing = hypo.fit(
        ([[1.0], [2.0], [3.0]], [1.0, 2.0, 4.0]),
        workers=1,
        turns=2,
        knowledge={
            "rule": [{"kind": "bounds", "min": 9.0, "hard": True}, {"kind": "depends", "variable": "x0", "hard": True}],
            "grammar": {"max_complexity": 1},
        },
    )
    assert nothing.best is None
    assert repr(nothing) == "<Result for y: no formula, nothing_found>"
    assert "<li>" in nothing._repr_html_() and nothing._repr_latex_() is None


def test_best_has_its_formula_as_text(law: hypo.Result) -> None:
    best = law.best
    assert best is not None
    assert best.pretty == best.pretty() == best.expression.pretty()
    assert best.latex == best.latex() == law.latex()
    assert best.pretty(8) == best.expression.pretty(8) != best.pretty
    assert json.loads(json.dumps(best.pretty)) == best.pretty
    assert type(pickle.loads(pickle.dumps(best.latex))) is str  # noqa: S301  (our own bytes)


def test_tables_are_text_whatever_the_terminal(law: hypo.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    before = str(law)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert str(law) == before
    assert "complexity" in before and "\x1b" not in before


def test_html_is_escaped_and_only_the_law_is_mathematics() -> None:
    frame = {"<b>": X[:, 0], "price [$]": X[:, 1]}
    import pandas

    result = hypo.fit(
        pandas.DataFrame({**frame, "y": Y}).rename(columns={"price [$]": "price $"}), "y", turns=4, **FAST
    )
    page = result._repr_html_()
    assert "<b>" not in page and "&lt;b&gt;" in page
    law, *others = page.split('<div class="tex2jax_ignore mathjax_ignore">')
    assert law.count("$") == 2 and len(others) > 2


def test_a_figure_is_a_picture_that_pyplot_does_not_know(law: hypo.Result) -> None:
    import matplotlib.pyplot

    before = matplotlib.pyplot.get_fignums()
    figure = law.plot()
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    assert matplotlib.pyplot.get_fignums() == before


def test_the_target_is_typeset_as_columns_are() -> None:
    result = hypo.fit((X, Y), "v_max", turns=4, **FAST)
    latex = result._repr_latex_()
    assert latex is not None and latex.startswith(r"$v_{\mathrm{max}} = ")
    figure = result.plot()
    assert r"v_{\mathrm{max}} = " in figure.get_suptitle()
