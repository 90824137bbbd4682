"""Predictions with intervals: exact for linear laws, coverage of simulated ones, units, files, undefined rows."""

import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm, t

import hypo
from hypo.cli.main import main
from hypo.expression.parser import parse
from hypo.expression.program import Program
from hypo.fitting.constants.fit import fit
from hypo.likelihood.base import Gaussian
from hypo.likelihood.gaussian import GaussianFamily
from hypo.posterior.posterior import Posterior, Structure, make_posterior
from hypo.posterior.predictive import Prediction, predictive, samples
from hypo.result.uncertainty import cautions
from hypo.scoring.score import Scorer

pytestmark = pytest.mark.usefixtures("short_chains")


def posterior(texts: list[str], x: np.ndarray, y: np.ndarray, sigma: np.ndarray | None = None) -> Posterior:
    likelihood = Gaussian(y, sigma)
    X, found = np.ascontiguousarray(x[None, :]), []
    for text in texts:
        e = fit(parse(text, variables=["x"]), X, ["x"], likelihood, starts=5, rng=np.random.default_rng(0))
        h = Scorer(X, ["x"], likelihood, symbols=3).score(e)
        assert h is not None
        found.append(h)
    p = make_posterior(found, X, ["x"], likelihood)
    assert p is not None
    return p


def predicted(p: Posterior, x: np.ndarray, level: float) -> Prediction:
    return predictive(p.structures, np.ascontiguousarray(x[None, :]), ["x"], level)


# --- against formulas ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [False, True], ids=["unknown noise", "known noise"])
def test_linear_regression(known: bool) -> None:
    """The textbook's prediction interval ŷ ± t·s·sqrt(1 + xᵀ(XᵀX)⁻¹x), up to the 200 draws."""
    rng = np.random.default_rng(2)
    x = rng.uniform(0.5, 3.0, 15)
    y = 2.0 * x + 1.0 + 0.3 * rng.standard_normal(15)
    p = posterior(["a*x + b"], x, y, np.full(15, 0.3) if known else None)
    new = np.array([0.0, 1.0, 2.0, 5.0, 12.0])
    found = predicted(p, new, 0.9)
    design, rows = np.column_stack([x, np.ones(15)]), np.column_stack([new, np.ones(5)])
    theta, rss = np.linalg.lstsq(design, y, rcond=None)[:2]
    leverage = np.einsum("ij,jk,ik->i", rows, np.linalg.inv(design.T @ design), rows)
    s = 0.3 if known else math.sqrt(rss[0] / 13)
    quantile = norm.ppf(0.95) if known else t.ppf(0.95, 13)
    half = quantile * s * np.sqrt(1 + leverage)
    assert found.mean == pytest.approx(rows @ theta, abs=0.01)
    assert found.upper - found.mean == pytest.approx(half, rel=0.05)
    assert found.mean - found.lower == pytest.approx(half, rel=0.05)
    assert np.all(found.parts.structure < 1e-12)
    if known:
        assert found.parts.noise == pytest.approx(0.3)
        assert found.parts.constants == pytest.approx(0.3 * np.sqrt(leverage), rel=0.03)


def test_parts_add_up_and_structures_part_where_there_are_no_data() -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(1.0, 2.0, 30)
    y = 2.0 * x + 0.1 * rng.standard_normal(30)
    p = posterior(["a*x", "a*x**2 + b", "a*x + b"], x, y)
    assert len(p.structures) > 1
    found = predicted(p, np.array([1.5, 20.0]), 0.9)
    parts = found.parts
    assert found.std**2 == pytest.approx(parts.noise**2 + parts.constants**2 + parts.structure**2)
    assert parts.structure[0] < parts.noise[0]
    assert parts.structure[1] > parts.noise[1]
    assert found.upper[1] - found.lower[1] > 2 * (found.upper[0] - found.lower[0])


def test_mixture_quantiles() -> None:
    rng = np.random.default_rng(4)
    centre, sigma = rng.normal(size=(30, 50)) * 5, rng.uniform(0.01, 1.0, (30, 1))
    weight = np.tile(rng.dirichlet(np.ones(30))[:, None], 50)
    for p in (0.025, 0.5, 0.9):
        found = GaussianFamily().mixture_quantile(p, centre, sigma, 1.0, weight)
        assert np.sum(weight * norm.cdf((found - centre) / sigma), axis=0) == pytest.approx(p, abs=1e-5)


def test_undefined_draws_are_left_out() -> None:
    rng = np.random.default_rng(5)
    x = rng.uniform(2.0, 4.0, 30)
    y = np.log(x - 1.0) + 0.05 * rng.standard_normal(30)
    p = posterior(["log(x - a)"], x, y)
    found = predicted(p, np.array([3.0, p.structures[0].constants[0] + 1e-4, 0.0, np.nan]), 0.9)
    assert np.isfinite(found.mean[:1]).all() and np.isnan(found.mean[2:]).all() and np.isnan(found.lower[2:]).all()


def test_constants_of_far_apart_sizes() -> None:
    """The draws are those of the same law in other units of the column: constants of 1e-61 and 5 beside each other."""
    e = hypo.parse("a/x + b*x**2 + c", variables=["x"])
    found = []
    for unit, target in ((1.0, 1.0), (1e20, 1e-20)):
        change = target * np.array([unit, unit**-2, 1.0])
        size = np.array([[0.04, 0.01, -0.005], [0.01, 0.09, 0.003], [-0.005, 0.003, 0.01]])
        covariance = size * change * change[:, None]
        theta = np.array([-1.0, 2.0, 3.0]) * change
        rows = tuple(tuple(row) for row in covariance.tolist())
        s = Structure(e.with_values(theta), 1.0, 1.0, 0.0, (0, 1, 2), tuple(theta.tolist()), rows, 20.0, 0.1 * target)
        p = predictive([s], np.array([[0.5, 1.0, 4.0]]) * unit, ["x"], 0.9)
        draws = samples([s], np.array([[0.5, 1.0, 4.0]]) * unit, ["x"], 50)
        found.append(np.vstack([p.mean, p.std, p.lower, p.upper, draws]) / target)
    assert found[1] == pytest.approx(found[0], rel=1e-9)


@pytest.mark.filterwarnings("error")
def test_rows_whose_squares_overflow() -> None:
    p = posterior(["a*x", "a*x**2 + b"], *np.random.default_rng(0).uniform(1.0, 2.0, (2, 12)))
    found = predicted(p, np.array([1.0, 1e160]), 0.9)
    assert np.all(np.isfinite(found.lower)) and np.all(found.lower < found.upper)
    assert np.isfinite(found.std).tolist() == [True, False]


# --- coverage ---------------------------------------------------------------------------------------------------------

LAWS: list[tuple[str, list[float], int]] = [
    ("a*x + b", [2.0, -1.0], 12),
    ("a*exp(-b*x)", [3.0, 0.7], 25),
    ("a*x/(b + x)", [4.0, 1.5], 40),
    ("sin(a*x) + b", [1.3, 0.5], 25),
]


@pytest.mark.parametrize(("text", "theta", "n"), LAWS, ids=[law[0] for law in LAWS])
def test_coverage_of_simulated_laws(text: str, theta: list[float], n: int) -> None:
    """Shares held by 80 % intervals, of constants and of fresh rows in range and outside, within 3 standard errors."""
    from hypo.posterior.laplace import laplace

    law = parse(text, variables=["x"]).with_values(theta)
    program = Program.of(law, ["x"])
    rng = np.random.default_rng(len(text) + n)
    runs, hits, rows = 200, [], []
    for _ in range(runs):
        X = rng.uniform(0.5, 3.0, (1, n))
        new = rng.uniform(0.5, 3.5, (1, 5))
        noise = 0.1 * float(np.sqrt(np.mean(program.value(X) ** 2)))
        y, fresh = (program.value(at) + noise * rng.standard_normal(at.shape[1]) for at in (X, new))
        likelihood = Gaussian(y)
        e = fit(law, X, ["x"], likelihood)
        shape = laplace(e, X, ["x"], likelihood)
        h = Scorer(X, ["x"], likelihood, symbols=3).score(e)
        assert shape is not None and h is not None
        lower, upper = shape.interval(0.8)
        hits.append(np.mean((lower <= theta) & (theta <= upper)))
        p = make_posterior([h], X, ["x"], likelihood)
        assert p is not None
        q = predictive(p.structures, new, ["x"], 0.8)
        rows.append(np.mean((q.lower <= fresh) & (fresh <= q.upper)))
    for shares in (hits, rows):
        error = np.std(shares, ddof=1) / math.sqrt(runs)
        assert np.mean(shares) == pytest.approx(0.8, abs=3 * error)


# --- results and files ------------------------------------------------------------------------------------------------

T, V = np.linspace(1.0, 4.0, 30), np.random.default_rng(6).uniform(5.0, 15.0, 30)
LAW = 1.73 * V * (60 * T) / 1000
NOISE = np.random.default_rng(7).standard_normal(30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result in units that do not belong together: the search is in SI, the result in the user's units."""
    out = tmp_path_factory.mktemp("fall") / "r"
    data = {"t [min]": T, "v [m/s]": V, "s [km]": LAW + 0.05 * NOISE}
    hypo.fit(data, "s", operators="+,-,*,/", turns=4, workers=1, out=out)
    return out


def test_units_of_predictions(folder: Path) -> None:
    result = hypo.Result.load(folder)
    assert "in the units of the columns" in result.settings["unit_note"]
    found = result.predict({"t": T, "v": V}, interval=0.9)
    assert isinstance(found, Prediction)
    assert found.mean == pytest.approx(LAW, abs=0.1)
    assert found.parts.noise == pytest.approx(0.05, rel=0.4)
    assert np.all((found.lower < found.mean) & (found.mean < found.upper))
    in_seconds = result.predict({"t [s]": 60 * T, "v": V}, interval=0.9)
    assert isinstance(in_seconds, Prediction) and in_seconds.mean == pytest.approx(found.mean)
    # Without an interval the answer is what it was.
    plain = result.predict({"t": T, "v": V})
    assert isinstance(plain, np.ndarray) and plain.shape == T.shape
    default = result.predict({"t": T, "v": V}, return_std=True)
    assert isinstance(default, Prediction) and np.array_equal(default.lower, found.lower)


def test_constants_have_intervals_in_their_unit(folder: Path) -> None:
    content = json.loads((folder / "result.json").read_text())
    fitted = [c for row in content["front"] for c in row["constants"]]
    assert fitted and all(c["lower"] < c["value"] < c["upper"] for c in fitted)
    (factor,) = content["best"]["constants"]
    assert factor["unit"] == "km*s/m/min" and abs(factor["value"] - 1.73 * 60 / 1000) < 4 * factor["std"]
    assert factor["upper"] - factor["value"] == pytest.approx(t.ppf(0.975, 29) * factor["std"])


def test_wrong_use(folder: Path) -> None:
    result = hypo.Result.load(folder)
    for level in (0.0, 1.0, -1.0, math.nan, "a"):
        with pytest.raises(hypo.InputError, match="must be between 0 and 1"):
            result.predict({"t": T, "v": V}, interval=level)  # type: ignore[call-overload]
    for level in (1e-300, math.nextafter(1.0, 0.0)):
        with pytest.raises(hypo.InputError, match="must differ from 0 and 1 by more than 1e-15"):
            result.predict({"t": T, "v": V}, interval=level)
    with pytest.raises(hypo.InputError, match="leave out the index"):
        result.predict({"t": T, "v": V}, 0, interval=0.9)


@pytest.fixture
def cli(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """``hypo predict`` of the result on a table."""
    monkeypatch.chdir(tmp_path)

    def run(table: str, *options: str) -> tuple[int, str, str]:
        Path("new.csv").write_text(table)
        code = main(["predict", str(folder), "new.csv", *options])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_command_line(cli: Callable[..., tuple[int, str, str]], folder: Path) -> None:
    code, out, err = cli("who,t,v\nAnn,2,10\nBob,,10\nEve,3.5,10\n", "--interval", "0.9")
    rows = list(csv.reader(io.StringIO(out)))
    assert code == 0
    assert rows[0] == ["who", "t", "v", "s_mean", "s_std", "s_lower", "s_upper"]
    assert rows[2] == ["Bob", "", "10", "", "", "", ""]
    found = hypo.Result.load(folder).predict({"t": [2.0, 3.5], "v": [10.0, 10.0]}, interval=0.9)
    assert isinstance(found, Prediction)
    assert [float(v) for v in rows[1][3:]] == [float(v[0]) for v in found[:4]]
    assert "likely formulas have no value in 1 of 3 rows" in err
    assert cli("t,v\n2,10\n", "--interval", "2")[::2] == (
        2,
        "error: the probability of an interval must be between 0 and 1, got 2.0\n",
    )
    assert 'there is a column "s_std" already' in cli("t,v,s_std\n2,10,1\n", "--interval", "0.9")[2]
    assert cli("t,v\n2,10\n")[1].startswith("t,v,s_predicted\n2,10,")


@pytest.mark.parametrize("dof", [1.0, 2.0, 3.0])
def test_an_infinite_variance_is_said(
    folder: Path, tmp_path: Path, dof: float, capsys: pytest.CaptureFixture[str]
) -> None:
    result = hypo.Result.load(folder)
    search = result.record.search.changed(likelihood={"kind": "student_t", "dof": dof})
    result = replace(result, record=replace(result.record, search=search))
    found = result.predict({"t": [2.0], "v": [10.0]}, interval=0.9)
    assert isinstance(found, Prediction) and np.isfinite([found.mean, found.lower, found.upper]).all()
    assert math.isfinite(found.std[0]) == math.isfinite(found.parts.noise[0]) == (dof > 2)
    (tmp_path / "new.csv").write_text("t,v\n2,10\n")
    assert main(["predict", str(result.save(tmp_path / "r")), str(tmp_path / "new.csv"), "--interval", "0.9"]) == 0
    out, err = capsys.readouterr()
    assert (out.splitlines()[1].split(",")[3] == "") == (dof <= 2)
    said = f"Student's t with {dof:g} degrees of freedom, 2 or fewer, have an infinite variance, so s_std is empty"
    assert (said in err) == (dof <= 2)


def test_few_rows_that_are_met_exactly_are_no_certainty() -> None:
    """Any formula as large as the table is long may meet it: nothing is said of new rows then."""
    for n in (3, 12):
        x = np.arange(1.0, n + 1)
        found = hypo.fit({"x": x, "y": np.sqrt(x) + 1 / x}, "y", turns=4, workers=1)
        assert found.status == "exact" and found.expression is not None
        assert (n <= len(found.expression)) == (n == 3) == (found.posterior is None)
        assert ("posterior weight" in str(found)) == (n == 12)
        assert any("rows of the fit are met exactly" in line for line in cautions(found)) == (n == 3)
        if n == 3:
            assert "with 3 rows so may others of its size" in found.message
            with pytest.raises(hypo.InputError, match="too few rows for its formulas"):
                found.predict({"x": x}, interval=0.9)
