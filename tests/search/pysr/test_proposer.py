"""The PySR backend: what PySR is asked, how its hall of fame comes back, and what happens where something is missing.

Most tests let a stand-in for PySR write the hall of fame. The contract tests run the installed PySR with a stand-in for
juliacall, so that PySR itself judges our arguments; the last test needs Julia.
"""

import csv
import json
import math
import time
from pathlib import Path

import numpy as np
import pytest

import hypo
from hypo.cli.main import main
from hypo.data import from_arrays
from hypo.errors import HypoError, InputError, MissingExtraError
from hypo.expression.parser import parse
from hypo.expression.program import evaluate
from hypo.knowledge import Knowledge
from hypo.problem.problem import Settings, make_problem
from hypo.result.result import Result
from hypo.search.pysr.translate import LEAST_SIZE, Task, translate, unit_text, write_seed
from hypo.units import parse_unit
from tests.oracles.places import STANDINS
from tests.oracles.pysr_case import HEADER, LAW, NAMES, X, Y, fit, left_behind, needs_pysr, write

RNG = np.random.default_rng(0)
ROUGH = '1,3.5,"x1"\n3,2.5,"x1 * x2"\n5,2.2,"(x1 * -0.7) + 3.1"\n'


def problem_of(settings: Settings | None = None, knowledge: Knowledge | None = None, **data):
    return make_problem(from_arrays(X, Y, names=NAMES, target="y", **data), knowledge, settings or Settings())


def task_of(settings: Settings | None = None, knowledge: Knowledge | None = None, threads: int = 1, **data) -> Task:
    s = settings or Settings()
    return translate(problem_of(s, knowledge, **data), s, threads)


# --- what PySR is asked ----------------------------------------------------------------------------------------


def test_limits_seed_and_threads() -> None:
    alone = task_of(Settings(seed=7, max_complexity=25)).model
    assert (alone["maxsize"], alone["random_state"], alone["precision"]) == (25, 7, 64)
    assert (alone["deterministic"], alone["parallelism"]) == (True, "serial")
    several = task_of(threads=3).model
    assert (several["deterministic"], several["parallelism"]) == (False, "multithreading")
    assert task_of(Settings(max_complexity=4)).model["maxsize"] == LEAST_SIZE


def test_columns_go_by_names_that_pysr_takes() -> None:
    task = task_of()
    assert task.fit["variable_names"] == ["x1", "x2"]
    assert np.array_equal(task.X, X)
    assert task.read("x1 - x2") == parse("a - S")


def test_operators_and_nesting_of_the_knowledge() -> None:
    k = Knowledge(
        operators=("+", "*", "**", "sin", "exp", "max"), forbid=("exp",), nesting={"sin": ("sin", "+", "exp")}
    )
    model = task_of(knowledge=k).model
    assert model["binary_operators"] == ["+", "*", "^", "max"]
    assert model["unary_operators"] == ["sin"]
    assert model["nested_constraints"] == {"sin": {"sin": 0, "+": 0}}
    assert model["constraints"] == {"^": [-1, 1]}
    plain = task_of(Settings(operators=("+", "sin"), complexity_weights={"sin": 3, "exp": 2})).model
    assert (plain["constraints"], plain["nested_constraints"]) == (None, None)
    assert plain["complexity_of_operators"] == {"sin": 3}


def test_units_and_named_constants() -> None:
    k = Knowledge(units={"a": "m", "S": "s", "y": "m/s^2"}, constants={"g": {"value": 9.81, "unit": "m/s^2"}})
    task = task_of(knowledge=k)
    assert task.fit["X_units"] == ["m", "s", "m*s^-2"]
    assert task.fit["y_units"] == "m*s^-2"
    assert task.model["dimensional_constraint_penalty"] > 1e4 * np.mean(Y**2)
    assert task.model["dimensionless_constants_only"] is False
    assert np.array_equal(task.X[:, 2], np.full(80, 9.81))
    read = task.read("x3 * x2")
    assert str(read) == "g*S"
    assert not read.free


def test_soft_units_are_left_to_the_score() -> None:
    task = task_of(knowledge=Knowledge(units={"a": "m", "y": "s"}, soft=True))
    assert (task.fit["X_units"], task.fit["y_units"]) == (None, None)
    assert task.model["dimensional_constraint_penalty"] is None


@pytest.mark.parametrize(
    ("unit", "text"), [("1", ""), ("N", "m*kg*s^-2"), ("m^(1/2)", "m^0.5"), ("rad", ""), ("mol/m^3", "m^-3*mol")]
)
def test_units_as_dynamic_quantities_reads_them(unit: str, text: str) -> None:
    assert unit_text(parse_unit(unit, strict_angles=True).dimension) == text


def test_weights_are_the_precision_of_the_rows() -> None:
    assert task_of().weights is None
    sigma = RNG.uniform(0.5, 2.0, 80)
    task = task_of(sigma=sigma)
    assert task.weights == pytest.approx(sigma**-2)
    assert task.model["early_stop_condition"] is None


@pytest.mark.parametrize(
    "text",
    [
        "a + S + 2 - a",
        "-a*S**2/(1/S + a**3)",
        "sqrt(a)*max(a, S) - 0.25*exp(-S)",
        "a**-1.5 + S**(-2)",
        "a**0.5*cube(S)",
        "pi*a",
    ],
)
def test_a_seed_read_back_has_the_same_values(text: str) -> None:
    operators = ("+", "-", "*", "/", "**", "exp", "max", "sqrt")
    task = task_of(Settings(operators=operators))
    e = parse(text)
    seed = write_seed(e, task.leaves, operators)
    assert seed is not None and "**" not in seed
    assert evaluate(task.read(seed), X, NAMES) == pytest.approx(evaluate(e, X, NAMES), rel=1e-12)


def test_seeds_that_need_other_operators_are_left_out() -> None:
    settings = Settings(operators=("+", "*"))
    task = translate(problem_of(settings), settings, 1, [parse("a + S*2"), parse("sin(a)"), parse("a - S")])
    assert task.model["guesses"] == ["(x1 + (x2 * 2.0))"]


# --- how its formulas come back --------------------------------------------------------------------------------


def test_numbers_come_back_free() -> None:
    e = task_of().read("(x1 * -0.5) + sin(1.0e-3 / x2)")
    assert [(c.value, c.free) for c in e.constants] == [(-0.5, True), (0.001, True)]
    fixed = task_of(Settings(fit_constants=False)).read("x1 ^ 2.5")
    assert [c.free for c in fixed.constants] == [False]


@pytest.mark.parametrize(
    "text", ["", "x1 + ", "x1 + NaN", "Inf * x1", "x9 + x1", "__import__('os')", "(x1 + x2", "f(x1)"]
)
def test_what_cannot_be_read_is_passed_over(text: str) -> None:
    assert task_of().read(text) is None


# --- the backend, with a stand-in for PySR ---------------------------------------------------------------------


def test_the_hall_of_fame_is_fitted_scored_and_marked(stages: Path, tmp_path: Path) -> None:
    write(stages, ROUGH + LAW)
    result = fit(backend="pysr", seed=3, out=tmp_path / "r")
    assert result.status == "exact"
    assert result.best.origin == "pysr"
    assert result.best.rmse < 1e-12  # refitted: the hall of fame has other numbers
    assert result.front[0].origin == "native"  # the constant alone
    assert result.predict(X) == pytest.approx(Y)
    assert re_read(tmp_path / "r") == [h.origin for h in result.front]
    assert hypo.Result.load(tmp_path / "r") == result
    assert not left_behind(stages)
    manifest = result.manifest
    assert (manifest["settings"]["backend"], manifest["packages"]["pysr"]) == ("pysr", "0.0.1")
    record = json.loads((stages / "record.json").read_text())
    assert record["rows"] == [80, 2]
    assert record["model"]["random_state"] == 3
    assert record["model"]["timeout_in_seconds"] == 20
    assert record["weighted"] is False


def re_read(folder: Path) -> list[str]:
    rows = json.loads((folder / "result.json").read_text())["front"]
    with (folder / "front.csv").open(encoding="utf-8") as table:
        assert [line["origin"] for line in csv.DictReader(table)] == [row["origin"] for row in rows]
    return [row["origin"] for row in rows]


def test_the_table_says_where_formulas_come_from(stages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    write(stages, LAW)
    result = fit(backend="pysr")
    head, _, *rows = str(result).split("\n\n")[1].splitlines()
    assert head.split()[-3:] == ["origin", "y", "="]
    assert "pysr" in rows[-1] and "native" in rows[0]
    assert "<th>origin</th>" in result._repr_html_() and "<td>pysr</td>" in result._repr_html_()


def test_results_of_before_there_were_origins_can_be_read(stages: Path) -> None:
    write(stages, LAW)
    content = json.loads(fit(backend="pysr").to_json())
    for row in (content["best"], *content["front"]):
        del row["origin"]
    assert {h.origin for h in Result.from_dict(content).front} == {"native"}


def test_both_backends_share_one_front(stages: Path) -> None:
    write(stages, LAW)
    (stages / "stay").touch()
    result = fit(backend="all", workers=2, operators="+,-,*,/,sqrt,sin,exp,**")
    assert result.best.rmse < 1e-9
    assert result.coverage.complete_to > 0  # the native search took part
    assert "pysr" in {h.origin for h in result.front}
    assert not left_behind(stages)


def test_rules_and_limits_hold_for_what_pysr_brings(stages: Path) -> None:
    write(stages, '1,3.0,"x1"\n2,2.0,"sin(x1)"\n9,1.0,"x1 * x2 * x1 * x2 * x1 * x2"\n5,0.5,"cos(x1) + x2"\n')
    k = {"grammar": {"forbid": ["cos"], "nesting": {"sin": ["sin"]}}}
    result = fit(backend="pysr", knowledge=k, max_complexity=6)
    assert result.message == "PySR ended its search"
    assert all("cos" not in str(h.expression) and h.complexity <= 6 for h in result.front)


def test_the_time_limit_ends_pysr_and_keeps_what_it_found(stages: Path) -> None:
    write(stages, '12,0.5,"sin((x1 * x2) * 1.71) + (x1 ^ 1.3)"\n')
    (stages / "stay").touch()
    begin = time.monotonic()
    result = fit(backend="pysr", time_limit=2)
    assert result.status == "time_limit"
    assert "pysr" in {h.origin for h in result.front}
    assert result.timing["total"] < 5
    assert time.monotonic() - begin < 60
    assert not left_behind(stages)


def test_patience_ends_pysr_once_it_has_had_its_say(stages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hypo.search.pysr.proposer.SAY", 0.5)
    monkeypatch.setattr("hypo.search.stopping.PATIENCE", 2.0)
    write(stages, '3,0.01,"x1 * x2"\n')
    (stages / "stay").touch()
    y = X[:, 0] * X[:, 1] + 0.1 * RNG.normal(size=80)
    result = hypo.fit(X, y, features=NAMES, backend="pysr", time_limit=60, workers=1)
    assert result.message == "further search brought nothing better, and the residuals look like noise"
    assert result.best.origin == "pysr"
    assert not left_behind(stages)


def test_an_interrupt_still_reads_the_hall_of_fame(stages: Path) -> None:
    write(stages, ROUGH, LAW, go=False)
    (stages / "go1").touch()
    (stages / "stay").touch()

    def interrupt(progress) -> None:
        if progress.stage == "pysr":
            (stages / "go2").touch()
            while not (stages / "done2").exists():
                time.sleep(0.01)
            raise KeyboardInterrupt

    result = fit(backend="pysr", progress=interrupt)
    assert result.status == "interrupted"
    assert result.best.origin == "pysr"
    assert result.best.rmse < 1e-9
    assert not left_behind(stages)


def test_better_constants_of_a_known_form_are_looked_at(stages: Path) -> None:
    far = '16,2.0,"(sin((x1 * x2) * 9.0) * exp(x2 * 0.3)) + (x1 ^ 1.31)"\n'
    write(stages, far, LAW, go=False)
    (stages / "go1").touch()

    def go_on(progress) -> None:
        if progress.stage == "pysr":
            (stages / "go2").touch()

    assert fit(backend="pysr", progress=go_on).best.rmse < 1e-9


def test_guesses_become_seeds(stages: Path) -> None:
    write(stages, LAW)
    fit(backend="pysr", guesses=["k*a + S"])
    seeds = json.loads((stages / "record.json").read_text())["model"]["guesses"]
    assert len(seeds) == 1
    assert task_of().read(seeds[0]).variables == ("a", "S")


def test_the_estimator_and_the_command_line_take_the_backend(
    stages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(stages, LAW)
    model = hypo.SymbolicRegressor(backend="pysr", time_limit=20, workers=1).fit(X, Y)
    assert model.result_.best.origin == "pysr"
    lines = ["a,S,y", *(f"{x!r},{s!r},{y!r}" for (x, s), y in zip(X.tolist(), Y.tolist(), strict=True))]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    arguments = ["fit", str(tmp_path / "data.csv"), "--target", "y", "--backend", "pysr", "--out", str(tmp_path / "r")]
    assert main(arguments) == 0
    assert " pysr " in capsys.readouterr().out


# --- what is missing is said in one sentence -------------------------------------------------------------------


def test_an_unknown_backend() -> None:
    with pytest.raises(InputError, match=r"^the backend must be native, cuda, pysr or all, got 'julia'$"):
        fit(backend="julia")


def test_without_pysr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hypo.search.pysr.process.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"PySR, which is not installed: pip install 'hypo\[pysr\]'$"):
        fit(backend="pysr")


@pytest.mark.parametrize("backend", ["pysr", "all"])
def test_without_julia(stages: Path, backend: str) -> None:
    (stages / "absent").touch()
    stagewise = []
    with pytest.raises(
        MissingExtraError, match=r"needs Julia.*could not find Julia 1\.10; .*python -c 'import pysr'"
    ) as error:
        fit(backend=backend, progress=lambda p: stagewise.append(p.stage))
    assert "\n" not in str(error.value)
    assert stagewise == ["starting Julia"]  # before any work
    assert not left_behind(stages)


@pytest.mark.slow
def test_a_search_that_pysr_refuses(stages: Path) -> None:
    (stages / "fail").touch()
    with pytest.raises(
        HypoError, match=r"ended before it found anything \(ValueError: this is no search for PySR; its last"
    ):
        fit(backend="pysr")
    beside = hypo.fit(
        X, X[:, 0] * X[:, 1] + RNG.normal(size=80), features=NAMES, time_limit=3, workers=1, backend="all"
    )
    assert beside.best is not None
    assert not left_behind(stages)


# --- contract: the installed PySR, with a stand-in for juliacall -----------------------------------------------


@pytest.mark.slow
@needs_pysr
def test_the_installed_pysr_takes_what_we_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(STANDINS / "julia")
    monkeypatch.setenv("HYPO_TEST_HALL", str(tmp_path / "hall.csv"))
    monkeypatch.setenv("HYPO_TEST_RECORD", str(tmp_path / "record.json"))
    (tmp_path / "hall.csv").write_text(HEADER + '3,1.0,"x1 * x2"\n5,0.1,"(x1 * x3) / x2"\n')
    k = {
        "units": {"L": "m", "S": "s", "v": "m/s"},
        "constants": {"q": {"value": 2.5, "unit": "1"}},
        "grammar": {"operators": ["+", "*", "/", "**", "sin", "exp"], "nesting": {"sin": ["exp"]}},
    }
    v = 2.5 * X[:, 0] / X[:, 1]
    result = hypo.fit(
        (X, v),
        "v",
        features=["L", "S"],
        knowledge=k,
        backend="pysr",
        seed=5,
        workers=1,
        time_limit=20,
        max_complexity=12,
        sigma=np.linspace(0.1, 0.2, 80),
        guesses=["k*L/S"],
    )
    assert result.best.origin == "pysr"
    assert str(result.best.expression) == "L*q/S"
    record = json.loads((tmp_path / "record.json").read_text())
    options = record["options"]
    assert record["X_units"] == ["m", "s", ""] and record["y_units"] == "m*s^-1"
    assert record["variable_names"] == ["x1", "x2", "x3"]
    assert record["X"] == [3, 80]
    assert record["weights"] == pytest.approx(np.linspace(0.1, 0.2, 80) ** -2.0)
    assert record["parallelism"] == "serial" and options["deterministic"] is True
    assert options["maxsize"] == 12
    assert options["operators"] == [["exp", "sin"], ["+", "*", "/", "^"]]
    assert options["constraints"]["2"][-1] == [-1, 1]
    assert options["nested_constraints"] == "Dict((sin) => Dict((exp) => 0, ), )"
    assert options["timeout_in_seconds"] == 20
    assert len(record["guesses"][0]) == 1


@needs_pysr
def test_a_search_with_julia() -> None:
    """The whole way, where Julia is installed."""
    y = 2.5 * X[:, 0] * X[:, 1] + np.sin(X[:, 0])
    try:
        result = hypo.fit(X, y, features=NAMES, backend="pysr", time_limit=120, operators="+,*,sin")
    except MissingExtraError as error:
        pytest.skip(str(error))
    assert result.best.origin == "pysr"
    assert result.best.r2 > 0.999
    assert math.isfinite(result.best.score)
