"""Audits: grouping by structure, spreads against numpy, resamples, the same answer with any workers, ends, page, command."""

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

import hypo
from hypo.api.audit import AuditProgress, resample
from hypo.checks import NO_LIMIT
from hypo.cli.main import main
from hypo.data import TableOptions, as_dataset
from hypo.likelihood.base import Gaussian
from hypo.problem.problem import Settings, make_problem
from hypo.report.questions.audit import Audit, Run, group_runs, wilson_interval

RNG = np.random.default_rng(5)
XS = RNG.uniform(0.5, 3.0, 30)
DATA = {"x": XS, "y": 2.5 * XS + 0.1 * RNG.standard_normal(30)}
FAST: dict[str, Any] = {"operators": "+,-,*,/", "time_limit": NO_LIMIT, "turns": 2, "max_complexity": 7}


def run(kind: str, number: int, text: str | None, score: float = 0.0, status: str = "complete") -> Run:
    e = None if text is None else hypo.parse(text, variables=["x", "z"])
    return Run(kind, number, status, e, score)


def test_grouped_by_structure_and_not_by_numbers() -> None:
    runs = [
        run("seed", 0, "2*x + 1", 5.0),
        run("seed", 1, "x + x*3.5", 9.0),
        run("resample", 0, "1.9*x + 1.1"),
        run("resample", 1, "0.9 + x*2.1"),
        run("resample", 2, "2*x*z"),
        run("resample", 3, None),
    ]
    groups = group_runs(runs)
    assert [(g.seeds, g.resamples) for g in groups] == [(1, 2), (0, 1), (1, 0)]
    first = groups[0]
    assert str(first.expression) == "2*x + 1" and first.form == "c1*x + c2"
    slope, intercept = first.numbers
    assert (slope.value, intercept.value) == (2.0, 1.0)
    assert (slope.mean, intercept.mean) == pytest.approx((2.0, 1.0))
    assert slope.std == pytest.approx(np.std([1.9, 2.1], ddof=1))
    assert (slope.lower, slope.upper) == pytest.approx(tuple(np.quantile([1.9, 2.1], [0.05, 0.95])))
    assert slope.runs == 2


def test_share_intervals_are_wilsons() -> None:
    for hits, n in ((0, 5), (3, 7), (50, 50)):
        ci = binomtest(hits, n).proportion_ci(0.95, method="wilson")
        assert wilson_interval(hits, n) == pytest.approx((ci.low, ci.high), abs=1e-6)


def test_resamples_count_rows() -> None:
    """Fits and evidence are those of the table with its rows written out as often as they were drawn."""
    data, _ = as_dataset({**DATA, "w": np.linspace(1.0, 2.0, 30)}, "y", TableOptions(features=["x"], weights="w"))
    problem = make_problem(data, None, Settings())
    few = resample(problem, np.random.default_rng(3))
    counts = np.bincount(np.random.default_rng(3).integers(0, 30, 30), minlength=30)
    rows = np.repeat(np.arange(30), counts)
    assert problem.likelihood.weights is not None
    whole = Gaussian(problem.y[rows], None, problem.likelihood.weights[rows])
    own = few.likelihood
    assert own.total_weight == pytest.approx(whole.total_weight)
    assert own.rss(few.y - 2 * few.X[0]) == pytest.approx(whole.rss(problem.y[rows] - 2 * problem.X[0, rows]))
    assert few.X.shape[1] == np.count_nonzero(counts)


@pytest.fixture(scope="module")
def one_by_one() -> Audit:
    return hypo.audit(DATA, "y", seeds=1, bootstrap=2, workers=1, **FAST)


@pytest.mark.slow
def test_a_clear_law_comes_back(one_by_one: Audit) -> None:
    first = one_by_one.groups[0]
    assert (first.form, first.seeds) == ("c1*x", 1) and first.resamples >= 1
    (slope,) = first.numbers
    assert slope.lower <= slope.mean <= slope.upper and slope.mean == pytest.approx(2.5, abs=0.1)
    assert one_by_one.variables == {"x": 1.0}
    page = str(one_by_one)
    assert page.startswith("Audit of y (30 rows): 1 seeds, 2 resamples\n") and len(page.splitlines()) < 40
    assert f"c1*x, came back with 1 of 1 seeds and in {first.resamples} of 2 resamples" in page


@pytest.mark.slow
def test_the_same_with_other_workers(one_by_one: Audit) -> None:
    spread = hypo.audit(DATA, "y", seeds=1, bootstrap=2, workers=2, scheduler="processes", **FAST)
    assert spread.to_dict() == one_by_one.to_dict()
    assert json.loads(spread.to_json())["schema"] == "hypo-audit/1"


@pytest.mark.slow
def test_ends_with_what_is_done() -> None:
    """At the total time, and when the user interrupts."""
    begin = time.monotonic()
    late = hypo.audit(DATA, "y", seeds=30, bootstrap=0, workers=1, total_time=1.5, operators="+,-,*,/", time_limit=0.6)
    assert time.monotonic() - begin < 10.0
    assert 0 < len(late.runs) < 30 and "fits were done before the total time was over" in " ".join(late.remarks())

    seen: list[AuditProgress] = []

    def stop(p: AuditProgress) -> None:
        seen.append(p)
        if p.done == 2:
            raise KeyboardInterrupt

    ended = hypo.audit(DATA, "y", seeds=5, bootstrap=0, workers=1, progress=stop, **FAST)
    assert ended.interrupted and len(ended.runs) == 2 and [p.done for p in seen] == [1, 2] and seen[0].total == 5
    assert "2 of 5 fits were done before the user ended it." in ended.remarks()


def test_nothing_done_has_no_table() -> None:
    a = Audit((), "y", ("x", "z"), 10, (2, 3), 3.0, None, 0, True, "")
    assert str(a) == "Audit of y (10 rows): 0 seeds, 0 resamples\n\n0 of 5 fits were done before the user ended it."


def test_remarks() -> None:
    runs = (run("seed", 0, None, math.nan), run("seed", 1, "x", 1.0, "time_limit"))
    a = Audit(runs, "y", ("x", "z"), 10, (2, 0), 3.0, None, 0, False, "")
    assert "1 fit found no formula." in a.remarks()
    assert "1 fit ended by the time limit of 3 s, so that another audit may differ." in a.remarks()
    assert "Columns in the formulas: x 50%, z 0%" in str(a)
    json.loads(a.to_json())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": -1}, "seeds must be a whole number, 0 or more, got -1"),
        ({"bootstrap": 1.5}, "bootstrap must be a whole number, 0 or more, got 1.5"),
        ({"seeds": 0, "bootstrap": 0}, "an audit needs at least one seed or one resample"),
        ({"turns": 0}, "turns must be a whole number, 1 or more, got 0"),
        ({"total_time": 0.0}, "the total time must be a positive number of seconds, got 0.0"),
        ({"scheduler": "cloud"}, "the scheduler must be"),
        ({"progress": 3}, "progress must be True, False or a function"),
    ],
)
def test_messages(options: dict[str, Any], message: str) -> None:
    with pytest.raises(hypo.InputError, match=message):
        hypo.audit(DATA, "y", **{"time_limit": 1.0, **options})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "target"),
    [
        ({"likelihood": "poisson"}, np.round(10.0 * XS)),
        ({"likelihood": "binomial", "trials": 40}, np.round(40.0 / (1.0 + np.exp(2.0 - XS)))),
        ({"censored": XS > 2.5}, 2.5 * np.minimum(XS, 2.5) + 0.1 * RNG.standard_normal(30)),
        ({"x_sigma": {"x0": 0.01}, "sigma": 0.1}, DATA["y"]),
    ],
)
def test_other_likelihoods(given: dict[str, Any], target: np.ndarray) -> None:
    options = {key: value for key, value in FAST.items() if key != "operators"}
    found = hypo.audit(XS[:, None], target, seeds=1, bootstrap=1, workers=1, **options, **given)
    assert len(found.runs) == 2 and all(r.expression is not None for r in found.runs)
    if "likelihood" in given:
        with pytest.raises(hypo.InputError, match="x_sigma cannot be used with the likelihood"):
            hypo.audit(XS[:, None], target, **given, x_sigma={"x0": 0.1})


@pytest.mark.slow
def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text("x,y\n" + "".join(f"{a},{b}\n" for a, b in zip(*DATA.values(), strict=True)))
    fast = ["--operators", "+,-,*,/", "--turns", "2", "--workers", "1", "--seeds", "1", "--bootstrap", "1"]
    assert main(["audit", "d.csv", "--target", "y", *fast, "--out", "a.json"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("Audit of y (30 rows): 1 seeds, 1 resamples\n") and "2 of 2 fits in" in err
    assert json.loads(Path("a.json").read_text())["done"] == {"seeds": 1, "resamples": 1}
    assert main(["audit", "d.csv", "--target", "y", *fast, "--likelihood", "student_t"]) == 0
    capsys.readouterr()
    # Before the first fit.
    for out, why in ((".", "it is a folder; give the name of a file"), ("none/a.json", "No such file or directory")):
        assert main(["audit", "d.csv", "--target", "y", "--seeds", "1000000", "--out", out]) == 2
        assert capsys.readouterr().err == f"error: cannot write to {out}: {why}\n"
    assert main(["audit", "d.csv", "--target", "q", *fast]) == 2
    assert capsys.readouterr().err.startswith("error: d.csv")
