"""The benchmark of laws of motion: systems, recordings, the judge of forms, files of results. No engine runs here."""

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import hypo
from tests.oracles.places import BENCHMARKS

MODULES = (
    "judge",
    "agreement",
    "cases",
    "forms",
    "named",
    "rivals",
    "peers",
    "engines",
    "report",
    "run",
    "few_points",
    "calibration",
    "real",
)
LOGISTIC = np.column_stack([np.linspace(7.0, 70.0, 200), np.linspace(-2.0, 2.0, 200) ** 3])


@pytest.fixture(scope="module")
def bench() -> Iterator[SimpleNamespace]:
    """The benchmark scripts as modules; sys.path and sys.modules are put back afterwards."""
    folders = [BENCHMARKS / "dynamics", BENCHMARKS / "srbench", BENCHMARKS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*map(str, folders), *sys.path])
        for name in MODULES:
            patch.delitem(sys.modules, name, raising=False)
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
        for name in MODULES:
            sys.modules.pop(name, None)


def has_form(bench: SimpleNamespace, found: str, law: str, states: np.ndarray = LOGISTIC) -> bool:
    names = ("x", "y")
    return bench.forms.has_form(hypo.parse(found, variables=names), hypo.parse(law, variables=names), names, states)


@pytest.mark.parametrize(
    ("found", "law"),
    [
        ("0.7*x - 0.0096*x**2", "0.79*x*(1-x/74.3)"),
        ("0.6*x*(1-x/79.1)", "0.79*x*(1-x/74.3)"),
        ("-0.0106*x*(x-74.9)", "0.79*x*(1-x/74.3)"),
        ("x*(1.6 - x/45.3)/2", "0.79*x*(1-x/74.3)"),
        ("2*x", "2.1*x"),
        ("-3.1*cos(y + 1.57)", "3*sin(y)"),
        ("2.3*x/(17.1 + x) - y", "x/(7.7 + 0.44*x) - y"),
        ("exp(0.31*y + 1.1)", "2.7*exp(0.3*y)"),
        ("y", "y"),
        ("0.32*x**1.31", "0.3*x**1.3"),
        ("0.9*y*abs(y)", "y*sqrt(y**2)"),
    ],
)
def test_equal_forms_whatever_their_constants_and_spelling(bench: SimpleNamespace, found: str, law: str) -> None:
    assert has_form(bench, found, law)


@pytest.mark.parametrize(
    ("found", "law"),
    [
        ("0.79*x*(1-x/74.3) + 0.001", "0.79*x*(1-x/74.3)"),
        ("0.79*x*(1-x/74.3) + 1e-6*y", "0.79*x*(1-x/74.3)"),
        ("15.5*sin(0.042*x)", "0.79*x*(1-x/74.3)"),
        ("0.79*x", "0.79*x*(1-x/74.3)"),
        ("0.3*x*(1-x/74.3)", "0.79*x*(1-x/74.3)"),
        ("0.8*x**1.03", "0.79*x"),
        ("y**2.01", "y**2"),
        ("3*x", "2.1*x"),
        ("sin(2*y)", "sin(3*y)"),
        ("2.1*x/(1 + 0.001*x)", "2.1*x"),
        ("-2.1*x", "2.1*x"),
        ("log(y)", "y"),
        ("z", "y"),
    ],
)
def test_other_forms(bench: SimpleNamespace, found: str, law: str) -> None:
    assert not has_form(bench, found, law)


def test_a_state_that_never_moves_is_no_constant(bench: SimpleNamespace) -> None:
    still = np.column_stack([LOGISTIC[:, 0], np.full(200, 2.0)])
    assert has_form(bench, "1.1*x*y", "x*y", still)
    assert not has_form(bench, "2.2*x", "x*y", still)


def test_every_law_has_its_own_form(bench: SimpleNamespace) -> None:
    """The judge accepts each law of four suites with constants 2 % off, and rejects it with a term more."""
    for suite in ("strogatz", "partial", "textbook", "reactions"):
        for case in bench.cases.load(suite):
            states = np.vstack(case.truth)
            for law in case.laws:
                off = law.with_values([v * (1.0 if float(2 * v).is_integer() else 1.02) for v in law.values])
                assert bench.forms.has_form(off, law, case.states, states), (case.name, law)
                more = hypo.parse(f"{off} + 0.01*{case.states[0]}**4", variables=case.states)
                assert not bench.forms.has_form(more, law, case.states, states), (case.name, law)


def test_suites_are_complete(bench: SimpleNamespace) -> None:
    odebench = bench.cases.load("odebench")
    assert [c.name for c in odebench] == [f"ode{k}" for k in range(1, 64)]
    dimensions = [len(c.states) for c in odebench]
    assert [dimensions.count(d) for d in (1, 2, 3, 4)] == [23, 28, 10, 2]
    assert all(len(c.starts) == 2 and len(c.times) == 150 and c.times[-1] == 10.0 for c in odebench)
    assert sum(len(c.rates) for c in bench.cases.load("strogatz")) == 14
    partial = bench.cases.load("partial")
    assert len(partial) == 10 and all(c.order == 2 and 2 * c.measured == len(c.states) for c in partial)
    textbook = bench.cases.load("textbook")
    assert len(textbook) == 16 and all(np.isfinite(np.vstack(c.truth)).all() for c in textbook)
    assert [len(c.states) for s in ("oscillators", "reactions") for c in bench.cases.load(s)] == [2, 4, 8, 12, 20] * 2
    with pytest.raises(ValueError, match="unknown suite 'nothing': expected one of odebench"):
        bench.cases.load("nothing")


def test_states_follow_the_law(bench: SimpleNamespace) -> None:
    """Against closed forms: a logistic curve, an oscillation; and NaN where a law has no states any more."""
    times = np.linspace(0.0, 10.0, 150)
    logistic = bench.cases.load("odebench")[2]
    x = 74.3 / (1 + (74.3 / 7.3 - 1) * np.exp(-0.79 * times))
    np.testing.assert_allclose(logistic.truth[0][:, 0], x, rtol=1e-7)
    spring = bench.cases.load("partial")[0]
    w = np.sqrt(2.3)
    np.testing.assert_allclose(spring.truth[0][:, 0], 1.7 * np.cos(w * times) + 0.4 / w * np.sin(w * times), atol=1e-7)
    gone = bench.cases.follow([hypo.parse("x**2")], ("x",), [1.0], times)
    assert np.isnan(gone[20:]).all()


def test_recordings_have_the_stated_noise_and_size(bench: SimpleNamespace) -> None:
    case = bench.cases.load("odebench")[2]
    (exact,) = bench.cases.record(case, 0.0, 0.0, seed=0)
    np.testing.assert_array_equal(exact.values, case.truth[0])
    first, second = bench.cases.record(case, 0.05, 0.5, seed=3, n=2)
    assert len(first.time) == len(second.time) == 75 and np.all(np.diff(first.time) > 0)
    truth = case.truth[0][np.isin(case.times, first.time)]
    xi = (first.values / truth - 1) / 0.05
    # Mean and spread of 75 standard normal numbers, within four standard errors.
    assert abs(xi.mean()) < 4 / np.sqrt(75) and abs(xi.std() - 1) < 4 / np.sqrt(150)
    (again, _) = bench.cases.record(case, 0.05, 0.5, seed=3, n=2)
    np.testing.assert_array_equal(first.values, again.values)
    (other,) = bench.cases.record(case, 0.05, 0.5, seed=4)
    assert not np.array_equal(first.time, other.time)
    eight = np.linspace(0.0, 10.0, 8)
    (few,) = bench.cases.record(replace(case, sampled=eight), 0.0, 0.0, seed=0)
    np.testing.assert_allclose(few.values[[0, -1]], case.truth[0][[0, -1]], rtol=1e-7)
    np.testing.assert_array_equal(few.time, eight)
    positions = bench.cases.record(bench.cases.load("partial")[8], 0.0, 0.0, seed=0)[0]
    assert positions.values.shape == (150, 2)


def test_answers_are_judged(bench: SimpleNamespace) -> None:
    case = bench.cases.load("odebench")[2]
    right = bench.run.judged(case, 1, ["0.785*x - 0.0105*x**2"])
    assert right["reconstruction"] and right["generalisation"] and right["exact"] and right["right"] == [True]
    wrong = bench.run.judged(case, 1, ["15.5*sin(0.042*x)"])
    assert wrong["reconstruction"] and not wrong["exact"]
    blown = bench.run.judged(case, 1, ["x**3"])
    assert blown["r2"] == [None] and not blown["reconstruction"]
    assert bench.run.judged(case, 2, ["x"])["generalisation"] is None
    none = bench.run.judged(case, 1, None)
    assert not none["exact"] and none["right"] == [False]
    spring = bench.cases.load("partial")[0]
    # That a position changes by its speed is no finding.
    assert bench.run.judged(spring, 1, ["x_dot", "-2.2*x"])["right"] == [True]
    with pytest.raises(ValueError, match="not rates over x"):
        bench.run.judged(case, 1, ["k*x"])


def test_a_run_is_resumed_and_summed_up(
    bench: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def stand_in(recordings: list, case: object, seconds: float, seed: int) -> object:
        asked.append((len(recordings), seed))
        if seed:
            raise RuntimeError("no idea")
        return bench.engines.Answer(("0.23*x",), {"weight": 0.5})

    monkeypatch.setitem(bench.engines.ENGINES, "standin", stand_in)
    given = ["--engine", "standin", "--only", "ode2", "--out", str(tmp_path), "--noise", "0.01"]
    bench.run.main(given)
    bench.run.main([*given, "--seeds", "2", "--resume"])
    assert asked == [(1, 0), (1, 1)]
    (file,) = tmp_path.glob("*.jsonl")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [r["exact"] for r in rows] == [True, False]
    assert rows[0]["weight"] == 0.5 and rows[1]["status"] == "RuntimeError: no idea"
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "| odebench | standin | 0.01 | 0 | 1 | 60 | 0.5 (0–1) of 1 | 0.5 (0–1) of 1 | 0.5 (0–1) of 1 |" in text
    assert "| ode2 | RGX --- |" in text
    assert "RGX ode2" in capsys.readouterr().out


def test_a_name_that_is_not_there(bench: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="not in the suite partial: ode2"):
        bench.run.main(["--suite", "partial", "--only", "ode2", "--out", str(tmp_path)])


def test_named_constants_are_parameters_shared_by_equations(bench: SimpleNamespace) -> None:
    system = bench.named.make_system(("x", "y"), ("-p*x", "p*x-q*y"), {"q": 0.3, "p": 0.7})
    np.testing.assert_array_equal(system.parameters, [0.3, 0.7])
    assert system.shared == (1, 1, 0)
    np.testing.assert_allclose(system.rates(np.array([[2.0], [1.0]]), np.array([[0.3], [0.7]]))[:, 0], [-1.4, 1.1])
    second = bench.named.make_system(("x", "x_dot"), ("-k*x",), {"k": 2.0}, measured=1)
    assert list(map(str, second.equations)) == ["x_dot", "-k*x"]


def test_drawn_systems_move_and_obey_their_law(bench: SimpleNamespace) -> None:
    for number in range(len(bench.calibration.FAMILIES)):
        drawn = bench.calibration.draw(number)
        states = drawn.case.truth[0]
        true = drawn.true.parameters[:, None].repeat(len(states), axis=1)
        rates = drawn.true.rates(np.ascontiguousarray(states.T), true).T
        # Differences of second order, in the middle, where they are good to about h².
        slopes = np.gradient(states, drawn.case.times, axis=0)
        inner = slice(2, -2)
        error = np.sqrt(np.mean((slopes[inner] - rates[inner]) ** 2, axis=0) / np.mean(rates[inner] ** 2, axis=0))
        assert error.max() < 0.1, drawn.family.name
        np.testing.assert_array_equal(bench.calibration.draw(number).fresh, drawn.fresh)
        assert drawn.case.name.startswith(bench.calibration.FAMILIES[number].name)


def test_tables_of_calibration(bench: SimpleNamespace) -> None:
    held = {"0.5": 0.5, "0.8": 1.0, "0.95": 1.0}
    rows = [
        {"part": "given", "noise": 0.01, "constants": held},
        {"part": "given", "noise": 0.01, "constants": held | {"0.5": 0.0}},
        {"part": "search", "noise": 0.05, "weights": [0.85, 0.1], "right": [True, False]},
        {"part": "search", "noise": 0.05, "weights": [0.9], "right": [False]},
        {"part": "search", "noise": 0.05, "family": "drag", "number": 3, "failed": True, "status": "no"},
    ]
    lines = list(bench.calibration.tables(rows))
    assert "| given | 0.01 | 2 | constants | 25.0 ± 25.0 | 100.0 ± 0.0 | 100.0 ± 0.0 |" in lines
    assert "| 0.8–1 | 2 | 50.0 ± 50.0 |" in lines
    assert lines[-1] == "\n1 failed\n- search drag 3: no"


def test_more_trajectories_than_odebench_has_starts_for(bench: SimpleNamespace) -> None:
    case = bench.cases.load("odebench")[24]
    more = bench.few_points.with_starts(case, 6)
    assert more.starts[:2] == case.starts and len(set(more.starts)) == 6
    assert bench.few_points.with_starts(case, 2) is case
    low, high = np.vstack(case.truth).min(0), np.vstack(case.truth).max(0)
    assert all(np.all((low <= start) & (start <= high)) for start in more.starts[2:])


def test_data_sets_are_read_with_their_laws(bench: SimpleNamespace) -> None:
    names = [folder.name for folder in bench.real.folders("")]
    assert {"hare_lynx", "cooling", "pinene", "influenza_1978", "galileo_fall", "sunspots", "indometacin"} <= set(names)
    hares = bench.real.load(bench.real.DATASETS / "hare_lynx")
    assert hares.data.states == ("hare", "lynx") and hares.data.n_row == 21 and hares.order == 1
    path = hares.path()
    assert path.shape == (200, 2) and np.all(path > 0)
    assert bench.real.has_law(hares, hares.law, path)
    fall = bench.real.load(bench.real.DATASETS / "galileo_fall")
    assert fall.law.states == ("distance", "distance_dot") and fall.order == 2
    assert len(bench.real.load(bench.real.DATASETS / "indometacin").data.runs) == 6
