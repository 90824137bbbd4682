"""The benchmark suites: problem files, data, judges, and resuming. No engine runs here."""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import hypo
from hypo.expression.analysis.dimension import infer
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.units import parse_unit
from tests.oracles.places import BENCHMARKS

MODULES = ("suites", "judge", "peers", "run", "report")


@pytest.fixture(scope="module")
def bench() -> Iterator[SimpleNamespace]:
    """The benchmark scripts as modules; sys.path and sys.modules are put back afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(BENCHMARKS / "srbench"), str(BENCHMARKS), *sys.path])
        for name in MODULES:
            patch.delitem(sys.modules, name, raising=False)
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
        for name in MODULES:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def srbench(bench: SimpleNamespace) -> dict:
    return {p.name: p for p in bench.suites.load("srbench")}


@pytest.fixture(scope="module")
def second(bench: SimpleNamespace) -> dict:
    return {p.name: p for p in bench.suites.load("second")}


# --- problem files --------------------------------------------------------------------------------------------------


def test_srbench_has_the_published_counts(srbench: dict) -> None:
    assert len(srbench) == 130
    assert sum(name.startswith("strogatz_") for name in srbench) == 14
    assert sum(p.never_solved for p in srbench.values()) == 43


def test_second_suite_is_large_and_not_feynmans(second: dict, srbench: dict) -> None:
    assert len(second) >= 44
    known = {str(p.law) for p in srbench.values()}
    assert not known & {str(p.law) for p in second.values()}


def test_laws_use_all_their_variables_and_no_other_name(srbench: dict, second: dict) -> None:
    for p in [*srbench.values(), *second.values()]:
        assert set(p.law.variables) <= set(p.names), p.name
        assert all(c.name in (None, "pi") for c in p.law.constants), p.name
        assert p.target not in p.names, p.name
    for p in second.values():
        assert set(p.law.variables) == set(p.names), p.name


def test_laws_are_finite_on_their_ranges(srbench: dict, second: dict) -> None:
    for p in [*srbench.values(), *second.values()]:
        X, X_test = p.rows(400, np.random.default_rng(0))
        assert len(X) == 300 and len(X_test) == 100, p.name
        assert np.isfinite(p.value(X)).all() and np.isfinite(p.value(X_test)).all(), p.name
        assert np.isfinite(p.value(p.fresh(1000, np.random.default_rng(1)))).all(), p.name


def empirical(law: Expression) -> Expression:
    """``law`` with those numbers free that may carry a unit: not whole, or at least 10, and no exponents."""
    powers = [i for i, (op, _) in enumerate(law.code) if op == oc.POW]
    exponents = {law.code[i - 1][1] for i in powers if law.code[i - 1][0] == oc.CONST}
    return Expression(
        law.code,
        tuple(
            replace(c, free=c.name is None and i not in exponents and (not c.value.is_integer() or abs(c.value) >= 10))
            for i, c in enumerate(law.constants)
        ),
        law.variables,
    )


def test_second_suite_is_dimensionally_consistent(second: dict) -> None:
    for p in second.values():
        units = {name: parse_unit(text) for name, text in p.units.items()}
        law = empirical(p.law)
        report = infer(law, {n: units[n].dimension for n in p.names}, target=units[p.target].dimension)
        assert report.inconsistent == 0, f"{p.name}: {report.message}"
        if not law.free:
            # With pure numbers only, a law holds in every coherent system: also for the numbers in SI units.
            X = p.fresh(50, np.random.default_rng(0))
            si = p.value(X * [units[n].factor for n in p.names])
            np.testing.assert_allclose(si, p.value(X) * units[p.target].factor, rtol=1e-9, err_msg=p.name)


def test_strogatz_rates_are_the_derivatives_of_the_simulated_states(srbench: dict) -> None:
    from scipy.interpolate import CubicSpline

    for system in ("bacres", "barmag", "glider", "lv", "predprey", "shearflow", "vdp"):
        for k in range(2):
            p = srbench[f"strogatz_{system}{k + 1}"]
            assert p.states.shape == (400, 2)
            errors, rates = [], []
            for start in range(0, 400, 100):
                X = p.states[start : start + 100]
                slope = CubicSpline(0.1 * np.arange(100), X[:, k]).derivative()(0.1 * np.arange(100))
                errors.append(slope - p.value(X))
                rates.append(p.value(X))
            # The median: a spline through states 0.1 apart cannot follow the fastest transients.
            assert np.median(np.abs(errors)) < 1e-3 * np.sqrt(np.mean(np.square(rates))), p.name


@pytest.mark.slow
def test_rates_of_textbook_systems_are_finite_in_the_box_of_the_trajectories(bench: SimpleNamespace) -> None:
    problems = bench.suites.load("odes")
    assert len(problems) == 95 and len({p.name for p in problems}) == 95
    for p in problems:
        assert str(p.law) not in p.names and set(p.law.variables) <= set(p.names), p.name
        low, high = p.ranges.T
        X, _ = p.rows(400, np.random.default_rng(0))
        # Where a rate grows far beyond what the trajectories meet, points are left out: never most of them.
        assert 60 <= len(X) <= 300 and np.all((low <= X) & (high >= X)), p.name
        y = p.value(X)
        assert np.isfinite(y).all() and np.ptp(y) > 0, p.name
        largest = np.abs(p.value(p.states)).max()
        assert np.all(np.abs(y) <= bench.suites.POLE_LIMIT * largest), p.name


# --- judges ---------------------------------------------------------------------------------------------------------


def problem(bench: SimpleNamespace, formula: str, low: float = 1.0, high: float = 3.0):
    return bench.suites.Problem("made", formula, ("x", "y"), "z", np.array([[low, high], [low, high]]))


def found(text: str) -> Expression:
    return hypo.parse(text, variables=["x", "y"])


def recovers(bench: SimpleNamespace, text: str, p) -> bool:
    return bench.judge.recovered(found(text), p, np.random.default_rng(3))


EQUAL = [
    ("x*(y+1)", "x*y + x"),
    ("x*(y+1)", "1.0002*(y*x + x)"),
    ("exp(-x**2/2)/sqrt(2*pi)", "0.39891*exp(-0.49997*x*x)"),
    ("sin(x+y)", "sin(x)*cos(y) + cos(x)*sin(y)"),
    ("x**2/y", "exp(2.0001*log(x) - log(y))"),
    ("sqrt(x**2+y**2)", "x*sqrt(1 + (y/x)**2)"),
    ("x/y", "1.3*x/y"),
    ("3.7*(y-x/5)", "1.0123*(3.655*(y - 0.2001*x))"),
    ("x/y", "x/y + 0.4"),
]
OTHER = [
    ("x*(y+1)", "x*y + 1"),
    ("sin(x)*y", "(x - x**3/6 + 0.0083*x**5 - 0.0002*x**7)*y"),
    ("x*y", "x*y + 0.01*sin(x)"),
    ("exp(x)/y", "(1 + x + 0.5*x**2 + 0.1667*x**3 + 0.0417*x**4 + 0.0083*x**5)/y"),
]


@pytest.mark.parametrize(
    ("law", "text", "same"), [(*pair, True) for pair in EQUAL] + [(*pair, False) for pair in OTHER]
)
def test_judges_accept_equal_forms_and_no_others(bench: SimpleNamespace, law: str, text: str, same: bool) -> None:
    p = problem(bench, law)
    assert bench.judge.solved(found(text), p) is same
    assert recovers(bench, text, p) is same


def test_a_constant_does_not_solve_a_law(bench: SimpleNamespace) -> None:
    p = problem(bench, "x*y")
    for text in ("0", "2.5", "x - x"):
        assert bench.judge.solved(found(text), p) is False
        assert not recovers(bench, text, p)


def test_noise_in_constants_fails_the_symbolic_judge_only(bench: SimpleNamespace) -> None:
    p = problem(bench, "exp(-x)*sin(2*y)")
    text = "0.97*exp(-1.02*x)*sin(1.99*y + 0.0)"
    assert bench.judge.solved(found(text), p) is False
    assert recovers(bench, text, p)


def test_rounding_is_to_three_decimals(bench: SimpleNamespace) -> None:
    p = problem(bench, "x+0.25*y")
    assert bench.judge.solved(found("x+0.2504*y"), p) is True
    assert bench.judge.solved(found("x+0.2506*y"), p) is False


def test_undefined_answers_are_refused(bench: SimpleNamespace) -> None:
    p = problem(bench, "x*y")
    for text in ("log(-x)*y", "sqrt(x - 2)*y", "x*y/0"):
        assert not bench.judge.solved(found(text), p)
        assert not recovers(bench, text, p)


# --- runner, peers, report ------------------------------------------------------------------------------------------


def test_finished_problems_are_skipped(bench: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(p, X, y, args):
        asked.append(p.name)
        return p.law, "made up", SimpleNamespace(complexity=3.0, score=-1.0)

    monkeypatch.setattr(bench.run, "answer", answer)
    monkeypatch.setattr(bench.run, "ready", lambda engine: None)
    out = tmp_path / "results.jsonl"
    first = ["--rows", "200", "--out", str(out), "--only"]
    bench.run.main([*first, "feynman_I_12_1"])
    # As after a crash in the middle of a line.
    out.write_text(out.read_text(encoding="utf-8") + '{"name": "feynman_I_12', encoding="utf-8")
    bench.run.main([*first, "feynman_I_12_1,strogatz_vdp2"])
    assert asked == ["feynman_I_12_1", "strogatz_vdp2"]
    rows = bench.run.finished(out)
    assert [r["name"] for r in rows] == asked
    assert all(r["solved"] is True and r["recovered"] is True and r["r2"] == 1.0 for r in rows)
    assert json.loads(out.read_text(encoding="utf-8").splitlines()[-1]) == rows[-1]


def test_an_engine_that_fails_leaves_a_line(
    bench: SimpleNamespace, srbench: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(bench.run, "answer", answer)
    row = bench.run.run(srbench["feynman_I_12_1"], bench.run.options(["--rows", "100"]))
    assert row["status"] == "error: ZeroDivisionError: by nothing"
    assert (row["found"], row["solved"], row["recovered"]) == (None, False, False)


def test_noise_is_on_the_training_targets_only(
    bench: SimpleNamespace, srbench: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = srbench["feynman_I_12_1"]

    def answer(_, X, y, args):
        noise = (y - p.value(X)) / np.sqrt(np.mean(p.value(X) ** 2))
        # 3 750 rows: the standard error of the deviation is 0.1 / sqrt(7500).
        assert abs(noise.std() - 0.1) < 5 * 0.1 / np.sqrt(7500)
        return p.law, "made up", None

    monkeypatch.setattr(bench.run, "answer", answer)
    row = bench.run.run(p, bench.run.options(["--noise", "0.1", "--rows", "5000"]))
    assert row["status"] == "made up" and row["r2"] == 1.0


def test_shards_cover_the_suite_once(bench: SimpleNamespace) -> None:
    names = [
        [p.name for p in bench.run.chosen(bench.run.options(["--never-solved", "--shard", f"{k}/3"]))]
        for k in (1, 2, 3)
    ]
    assert len(set().union(*names)) == sum(map(len, names)) == 43


def test_unknown_problem_is_named(bench: SimpleNamespace) -> None:
    with pytest.raises(SystemExit, match=re.escape("not in the suite second: nothing")):
        bench.run.chosen(bench.run.options(["--suite", "second", "--only", "nothing"]))


def test_gplearn_programs_are_translated(bench: SimpleNamespace) -> None:
    def call(name: str, arity: int) -> SimpleNamespace:
        return SimpleNamespace(name=name, arity=arity)

    program = [call("sub", 2), call("div", 2), 0, -2.5, call("sqrt", 1), 1]
    e = bench.peers._from_gplearn(program, ["x", "y"])
    assert e == found("x/(-2.5) - sqrt(abs(y))")


def test_report_counts_each_setting(bench: SimpleNamespace, tmp_path: Path) -> None:
    base = {
        "engine": "hypo",
        "units": False,
        "noise": 0.0,
        "law": "x",
        "found": "x",
        "size": 1,
        "seed": 0,
        "time_limit": 60.0,
        "rows": 1000,
    }
    rows = [
        base | {"name": "a", "never_solved": True, "solved": True, "recovered": True, "seconds": 1.0, "r2": 1.0},
        base | {"name": "b", "never_solved": False, "solved": None, "recovered": False, "seconds": 3.0, "r2": None},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    ((setting, summary),) = bench.report.summaries(bench.report.read([path])).items()
    assert setting == ("hypo", False, 0.0, 60.0, 1000)
    assert (summary.problems, summary.solved, summary.recovered, summary.never_solved) == (2, 0.5, 0.5, 1)
    assert (summary.seconds, summary.accurate) == (2.0, 0.5)
    bench.report.plot(bench.report.summaries(rows), tmp_path / "rate.png")
    assert (tmp_path / "rate.png").stat().st_size > 1000


@pytest.mark.slow
def test_problems_are_shared_out_and_judged_as_they_come(tmp_path: Path) -> None:
    """The whole script, in processes of its own: the functions that go to workers are found there."""
    out = tmp_path / "r.jsonl"
    command = [
        sys.executable,
        str(BENCHMARKS / "srbench" / "run.py"),
        "--only",
        "feynman_I_12_1,feynman_I_12_5",
        "--rows",
        "60",
        "--time-limit",
        "2",
        "--workers",
        "2",
        "--out",
        str(out),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {r["name"] for r in rows} == {"feynman_I_12_1", "feynman_I_12_5"}
    assert all(r["recovered"] and r["threads"] == 1 for r in rows)
    assert "2 problems, solved 2, recovered 2" in done.stdout


def test_a_cluster_that_is_not_there_is_said_in_a_sentence(bench: SimpleNamespace, tmp_path: Path) -> None:
    given = ["--only", "feynman_I_12_1", "--scheduler", "nonsense://x", "--out", str(tmp_path / "r.jsonl")]
    with pytest.raises(SystemExit, match=r"^no Dask scheduler answers at nonsense://x; start one"):
        bench.run.main(given)
