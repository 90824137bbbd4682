"""Other likelihoods in results, files and the estimator, and on the command line."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

import hypo
from hypo.cli.main import main
from hypo.errors import InputError
from hypo.likelihood.registry import make_family
from hypo.result.result import Result
from tests.likelihood.rows import RNG, N, X

pytestmark = pytest.mark.usefixtures("short_searches")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of counts and the result of hypo fit on it."""
    out = tmp_path_factory.mktemp("counts")
    n = 60
    x, shots = X[:n], np.full(n, 12.0)
    hits = np.random.default_rng(1).binomial(12, expit(1.5 * x - 3))
    table = np.column_stack([x, hits, shots])
    np.savetxt(out / "hits.csv", table, delimiter=",", header="x,hits,shots", comments="")
    code = main(
        ["fit", str(out / "hits.csv"), "--target", "hits", "--likelihood", "binomial", "--trials", "shots",
         "--operators", "+,-,*", "--quiet", "--out", str(out / "found")]
    )  # fmt: skip
    assert code == 0
    return out


def test_the_manifest_says_which_likelihood(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads((folder / "found" / "result.json").read_text())
    assert content["manifest"]["settings"]["likelihood"] == {"kind": "binomial"}
    assert content["manifest"]["settings"]["trials"] is True
    assert main(["show", str(folder / "found")]) == 0
    shown = capsys.readouterr().out
    assert "Likelihood binomial: the formula is the log-odds of success, log(P/(1 - P))." in shown
    assert "Scans ranked formulas by least squares" in shown


def test_loaded_results_predict_with_their_likelihood(folder: Path) -> None:
    result = Result.load(folder / "found")
    x = {"x": np.array([0.5, 2.0, 4.5])}
    chance = result.predict(x)
    assert np.all((chance > 0) & (chance < 1)) and np.all(np.diff(chance) > 0)
    assert result.predict(x, trials=12) == pytest.approx(12 * chance)
    p = result.predict({**x, "n": [1.0, 12.0, 30.0]}, interval=0.8, trials="n")
    assert isinstance(p.lower, np.ndarray)
    assert np.all(p.lower == np.round(p.lower)) and np.all(p.upper == np.round(p.upper))
    assert np.all((p.lower >= 0) & (p.upper <= [1, 12, 30]))
    assert p.mean == pytest.approx(np.array([1, 12, 30]) * chance, rel=0.2)


def test_a_likelihood_that_is_none_is_damage(folder: Path, tmp_path: Path) -> None:
    text = (folder / "found" / "result.json").read_text()
    (tmp_path / "result.json").write_text(text.replace('"kind": "binomial"', '"kind": "bimodal"'))
    with pytest.raises(InputError, match=r'is damaged \(the entry "likelihood" names none\); run hypo fit again'):
        Result.load(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c: c["posterior"][0].update(weight=math.nan), "an entry has the wrong form"),
        (lambda c: c["posterior"][0].update(weight=-3.0), "an entry has the wrong form"),
        (lambda c: c["posterior"][0].update(covariance=[[1.0, 2.0]]), "an entry has the wrong form"),
        (lambda c: c["manifest"].update(prior={}), 'the entry "prior" has the wrong form'),
        (lambda c: c["manifest"].update(prior="a"), 'the entry "prior" is not a table'),
        (
            lambda c: c["manifest"]["settings"]["ranges"].update(x0=["a", 1]),
            'a member of the entry "ranges" is not a number',
        ),
        (lambda c: c["manifest"]["settings"]["ranges"].update(x0=3), 'a member of the entry "ranges" is not a pair'),
    ],
)
def test_what_intervals_and_bounds_need_is_checked(
    folder: Path, tmp_path: Path, damage: Callable[[dict[str, Any]], None], message: str
) -> None:
    content = json.loads((folder / "found" / "result.json").read_text())
    damage(content)
    (tmp_path / "result.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        Result.load(tmp_path)


def test_predict_on_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "new.csv").write_text("x,shots\n1.0,12\n3.0,12\n")
    arguments = ["predict", str(folder / "found"), str(folder / "new.csv"), "--interval", "0.9", "--trials", "shots"]
    assert main(arguments) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header == "x,shots,hits_mean,hits_std,hits_lower,hits_upper"
    ends = [[float(v) for v in line.split(",")] for line in lines]
    assert all(0 <= row[4] <= row[2] <= row[5] <= 12 for row in ends)
    assert main(arguments[:-2]) == 0
    assert "note: every row was taken as one trial" in capsys.readouterr().err
    assert main([*arguments[:-1], "0.5"]) == 2
    assert "trials must be whole numbers, 1 or more" in capsys.readouterr().err


def test_score_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    y = 2 * X + 0.2 * RNG.standard_normal(N)
    y[:10] += 50
    np.savetxt(tmp_path / "t.csv", np.column_stack([X, y]), delimiter=",", header="x,y", comments="")
    start = ["score", "a*x", str(tmp_path / "t.csv"), "--target", "y"]
    slopes = {}
    for kind in (["--likelihood", "student_t", "--dof", "3"], []):
        assert main([*start, *kind, "--json"]) == 0
        content = json.loads(capsys.readouterr().out)
        slopes[bool(kind)] = content["constants"][0]["value"]
        assert content["likelihood"] == ({"kind": "student_t", "dof": 3.0} if kind else {"kind": "gaussian"})
    assert abs(slopes[True] - 2) < 0.02 < abs(slopes[False] - 2)
    assert main([*start, "--likelihood", "student_t"]) == 0
    assert "Likelihood student_t with 4 degrees of freedom: the formula is the location" in capsys.readouterr().out


def test_limits_and_errors_in_x_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    y = 2 * X + 0.5 * RNG.standard_normal(N)
    rows = ["x,y,low,c,dx"]
    for x, v in zip(X, y, strict=True):
        # Above 8 the target itself is missing.
        rows.append(f"{x},{'' if v > 8 else v},{'8' if v > 8 else ''},{int(v > 8)},0.1")
    (tmp_path / "low.csv").write_text("\n".join(rows))
    (tmp_path / "c.csv").write_text("\n".join([rows[0], *(r.replace(",,8,", ",8,,") for r in rows[1:])]))
    found = []
    for name, option in (("low", ["--lower", "low"]), ("c", ["--censored", "c"])):
        extra = ["--features", "x", "--json"]
        assert main(["score", "a*x", str(tmp_path / f"{name}.csv"), "--target", "y", *option, *extra]) == 0
        found.append(json.loads(capsys.readouterr().out)["constants"][0])
    assert found[0] == found[1]
    assert abs(found[0]["value"] - 2) < 4 * found[0]["std"]
    noise = ["--sigma", "0.5", "--x-sigma", "x=dx"]
    assert main(["score", "a*x", str(tmp_path / "c.csv"), "--target", "y", "--features", "x", *noise, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["misfit"] > 0


def test_quantiles_of_large_counts() -> None:
    one = np.ones((1, 1))
    for rate in (1e10, 1e12, 1e18):
        assert make_family("poisson").mixture_quantile(0.5, rate * one, one, one[0], one) == pytest.approx(
            rate, rel=1e-6
        )


@pytest.mark.slow
def test_predictions_with_errors_in_x_say_whose_noise_they_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    y = 2 * X + 0.5 * RNG.standard_normal(N)
    folder, new = tmp_path / "found", tmp_path / "new.csv"
    result = hypo.fit((X[:, None], y), sigma=0.5, x_sigma={"x0": 0.1}, operators="+,*", out=folder)
    new.write_text("x0\n1\n")
    assert main(["predict", str(folder), str(new), "--interval", "0.9"]) == 0
    assert "note: errors of the columns, and of the target itself, were taken as large" in capsys.readouterr().err
    assert result.bound("y > 3", new).remarks[-1].startswith("Errors of the columns")


def test_errors_in_x_count_by_the_slope_in_the_new_row(tmp_path: Path) -> None:
    x = np.linspace(1.0, 3.0, 80)
    seen, y = x + 0.1 * RNG.standard_normal(80), 2 * x**2 + 0.2 * RNG.standard_normal(80)
    result = hypo.fit(
        (seen[:, None], y), sigma=0.2, x_sigma={"x0": 0.1}, operators="*", guesses=["a*x0*x0"], out=tmp_path / "found"
    )
    for r in (result, hypo.Result.load(tmp_path / "found")):
        p = r.predict(np.array([[1.0], [2.5]]), interval=0.9)
        slope = 2 * p.mean / np.array([1.0, 2.5])
        np.testing.assert_allclose(p.parts.noise, np.sqrt(0.2**2 + (0.1 * slope) ** 2), rtol=0.02)
        # At the mean a threshold is passed half the time whatever the noise; one of its widths away by its size.
        far = p.mean + p.std
        bounds = [r.bound(f"y > {t}", np.array([[v]])).average[0] for t, v in zip(far, (1.0, 2.5), strict=True)]
        np.testing.assert_allclose(bounds, 0.1587, atol=0.01)


def test_the_estimator(tmp_path: Path) -> None:
    y = RNG.poisson(3 * X) * 1.0
    model = hypo.SymbolicRegressor("+,*", likelihood="poisson", guesses=["a*x0"])
    model.fit(X[:, None], y, sample_weight=np.r_[np.zeros(5), np.full(N - 5, 2.0)])
    assert model.result_.family == make_family("poisson")
    assert model.predict(np.array([[2.0]]))[0] == pytest.approx(6.0, rel=0.1)
    limited = hypo.SymbolicRegressor("+,*", guesses=["a*x0"])
    with pytest.raises(InputError, match="censored has 3 values, but there are 200 rows"):
        limited.fit(X[:, None], y, censored=[0, 0, 1])


def test_a_users_own_likelihood_and_its_result(tmp_path: Path) -> None:
    y = 3 * X + 0.3 * RNG.standard_normal(N)
    result = hypo.fit(
        (X[:, None], y), log_likelihood=lambda y, f: -0.5 * ((y - f) / 0.3) ** 2, operators="+,*",
        guesses="a*x0", out=tmp_path / "own",
    )  # fmt: skip
    assert result.family.kind == "custom"
    again = Result.load(tmp_path / "own")
    assert again.predict(np.array([2.0]))[0] == pytest.approx(6.0, rel=0.02)
    with pytest.raises(InputError, match="says nothing of new targets"):
        again.predict(np.array([2.0]), interval=0.9)
