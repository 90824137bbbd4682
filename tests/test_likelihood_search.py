"""Other likelihoods through the whole product: laws found, intervals, files, the command line, the estimator, bad input."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

import hypo
from hypo.api.inputs import as_settings
from hypo.cli.main import main
from hypo.data import as_dataset
from hypo.errors import InputError
from hypo.expression.parser import parse
from hypo.expression.program import evaluate
from hypo.fitting.constants.fit import fit
from hypo.likelihood.binomial import Binomial
from hypo.likelihood.censored import Limits
from hypo.likelihood.family import Family
from hypo.likelihood.lognormal import LogNormal
from hypo.likelihood.poisson import Poisson
from hypo.likelihood.registry import make_family
from hypo.likelihood.row_likelihood import RowLikelihood
from hypo.likelihood.student_t import StudentT
from hypo.posterior.laplace import student_quantile
from hypo.posterior.posterior import make_posterior
from hypo.posterior.predictive import predictive
from hypo.problem.exact import is_exact
from hypo.problem.from_table import require_table
from hypo.problem.problem import make_problem
from hypo.result.result import Result
from hypo.scoring.score import Scorer
from hypo.search.engine import search
from hypo.search.outcome import Outcome
from tests.oracles.no_limit import NO_LIMIT

N = 200
RNG = np.random.default_rng(8)
X, Z = RNG.uniform(0.5, 5.0, N), RNG.uniform(0.5, 3.0, N)


def searched(y: np.ndarray, x: np.ndarray = X, turns: int = 1, **given: Any) -> Outcome:
    """A short search of fixed effort."""
    kind = {k: given.pop(k) for k in ("likelihood", "dof", "log_likelihood") if k in given}
    dataset, _ = as_dataset((np.column_stack([x, Z]), y), "y", features=["x", "z"], **given)
    settings = as_settings(time_limit=NO_LIMIT, operators="+,-,*,/,square,sqrt", **kind)
    settings = replace(settings, turns=turns, library_sizes=(250,))
    require_table(dataset, settings.likelihood)
    return search(make_problem(dataset, None, settings), settings)


def _censored() -> dict[str, Any]:
    y = 2 * X + Z**2 + 0.5 * RNG.standard_normal(N)
    return {"y": np.minimum(y, 11.0), "censored": np.where(y > 11.0, 1.0, 0.0)}


LAWS: dict[str, tuple[Callable[[], dict[str, Any]], Callable[[], np.ndarray]]] = {
    "poisson": (lambda: {"y": RNG.poisson(3 * X * Z) * 1.0, "likelihood": "poisson"}, lambda: 3 * X * Z),
    "binomial": (
        lambda: {"y": RNG.binomial(20, expit(1.5 * X - 2 * Z)) * 1.0, "likelihood": "binomial", "trials": 20},
        lambda: 1.5 * X - 2 * Z,
    ),
    "bernoulli": (
        lambda: {"y": RNG.binomial(1, expit(3 * X - 2 * Z**2)) * 1.0, "likelihood": "bernoulli"},
        lambda: 3 * X - 2 * Z**2,
    ),
    "lognormal": (
        lambda: {"y": 2 * X**2 / Z * np.exp(0.5 * RNG.standard_normal(N)), "likelihood": "lognormal"},
        lambda: 2 * X**2 / Z,
    ),
    "student_t": (
        lambda: {"y": 2 * X**2 / Z + 0.3 * RNG.standard_t(1.5, N), "likelihood": "student_t", "dof": 1.5},
        lambda: 2 * X**2 / Z,
    ),
    "censored": (_censored, lambda: 2 * X + Z**2),
    "errors in x": (
        lambda: {"y": X**2 / Z + 0.1 * RNG.standard_normal(N), "x": X + 0.1 * RNG.standard_normal(N),
                 "sigma": 0.1, "x_sigma": {"x": 0.1}},
        lambda: X**2 / Z,
    ),
    "custom": (
        lambda: {"y": 3 * X / Z + 0.4 * RNG.laplace(size=N), "log_likelihood": lambda y, f: -np.abs(y - f) / 0.4},
        lambda: 3 * X / Z,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAWS)
def test_known_laws_are_found(name: str) -> None:
    """The formula found is off by no more than constants can be, as a share of the target's spread; 0 and 1, and noise of half
    the value, say less."""
    given, law = LAWS[name]
    outcome = searched(**given())
    assert outcome.best is not None
    found = evaluate(outcome.best.expression, np.column_stack([X, Z]), ["x", "z"])
    true = law()
    loose = {"bernoulli": 0.6, "lognormal": 0.25}.get(name, 0.15)
    assert np.sqrt(np.mean((found - true) ** 2)) < loose * np.std(true), outcome.best.expression.pretty()
    assert outcome.status == "complete"


def test_counts_that_a_formula_meets_are_not_exact() -> None:
    """Small counts can be equal to a formula in every row by chance or design; the search goes on all the same."""
    x = np.arange(1.0, 9.0)
    settings = as_settings(likelihood="poisson")
    dataset, _ = as_dataset((x[:, None], x), "y")
    problem = make_problem(dataset, None, settings)
    h = problem.scorer(settings).score(parse("x0", variables=["x0"]))
    assert h is not None and h.rmse == 0.0
    assert not is_exact(h, problem)
    plain = make_problem(dataset, None, as_settings())
    assert is_exact(plain.scorer(settings).score(parse("x0", variables=["x0"])), plain)


# --- intervals ----------------------------------------------------------------------------------------------------

TRIALS = 15.0
MAKERS: dict[str, tuple[Callable[[np.ndarray, np.random.Generator], RowLikelihood], Family, float]] = {
    "poisson": (lambda f, rng: Poisson(rng.poisson(f) * 1.0), make_family("poisson"), 1.0),
    "binomial": (
        lambda f, rng: Binomial(rng.binomial(15, expit(f)) * 1.0, np.full(len(f), TRIALS)), make_family("binomial"), 1.0,
    ),
    "lognormal": (
        lambda f, rng: LogNormal(*(3 * (f * np.exp(0.4 * rng.standard_normal(len(f))),))), make_family("lognormal"), 0.4,
    ),
    "student_t": (lambda f, rng: StudentT(f + 0.5 * rng.standard_t(4, len(f))), make_family("student_t"), 0.5),
    "censored": (lambda f, rng: _limited(f + 0.5 * rng.standard_normal(len(f))), make_family(), 0.5),
}  # fmt: skip


def _limited(y: np.ndarray) -> Limits:
    seen = np.maximum(y, 1.5)
    return Limits(seen, np.where(y < 1.5, -np.inf, seen), seen)


@pytest.mark.parametrize("name", MAKERS)
def test_intervals_cover(name: str) -> None:
    """Over 25 data sets of 60 rows: the chance that 90 % intervals hold a new target and that 95 % intervals hold constants."""
    make, family, scale = MAKERS[name]
    rng = np.random.default_rng(4)
    e = parse("a*x + b", variables=["x"])
    new = np.linspace(0.6, 2.9, 12)[None]
    a, b = (1.2, -1.0) if name == "binomial" else (2.0, 0.5)
    trials = np.full(12, TRIALS) if name == "binomial" else np.ones(12)
    covered, held = [], []
    for _ in range(25):
        x = rng.uniform(0.5, 3, (1, 60))
        likelihood = make(a * x[0] + b, rng)
        found = fit(e, x, ["x"], likelihood)
        h = Scorer(x, ["x"], likelihood, symbols=10).score(found)
        assert h is not None
        posterior = make_posterior([h], x, ["x"], likelihood)
        assert posterior is not None
        s = posterior.structures[0]
        p = predictive([replace(s, weight=1.0)], new, ["x"], 0.9, family=family, trials=trials)
        f = a * new[0] + b
        # Where targets are whole numbers the lower end belongs to the interval.
        below = p.lower - 1 if family.is_discrete else p.lower
        covered.append(family.cdf(p.upper, f, scale, trials) - family.cdf(below, f, scale, trials))
        std = np.sqrt(np.diag(s.covariance))
        held += list(np.abs(np.array(s.constants) - [a, b]) < student_quantile(0.975, s.dof) * std)
    chance = np.mean(covered, axis=1)
    error = chance.std(ddof=1) / 5
    if family.is_discrete:
        assert 0.9 - 4 * error < chance.mean() < 0.975
    else:
        assert abs(chance.mean() - 0.9) < 4 * error + 0.005
    # Of 50 constants, in pairs that go together.
    assert np.mean(held) > 0.95 - 4 * math.sqrt(0.95 * 0.05 / 25)


def test_means_and_deviations_of_counts() -> None:
    """A Poisson mean has the variance mean + variance of the rate."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 3, (1, 400))
    likelihood = Poisson(rng.poisson(4 * x[0]) * 1.0)
    h = Scorer(x, ["x"], likelihood, symbols=10).score(fit(parse("a*x", variables=["x"]), x, ["x"], likelihood))
    assert h is not None
    posterior = make_posterior([h], x, ["x"], likelihood)
    assert posterior is not None
    p = predictive(posterior.structures, np.array([[1.0, 3.0]]), ["x"], 0.9, family=make_family("poisson"))
    a = posterior.structures[0].constants[0]
    assert p.mean == pytest.approx([a, 3 * a], rel=1e-6)
    assert p.parts.noise == pytest.approx(np.sqrt([a, 3 * a]), rel=1e-6)
    error = math.sqrt(posterior.structures[0].covariance[0][0])
    assert p.parts.constants == pytest.approx([error, 3 * error], rel=0.01)


# --- results, files, the command line -----------------------------------------------------------------------------


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
        ["fit", str(out / "hits.csv"), "--target", "hits", "--likelihood", "binomial", "--trials", "shots", "--time-limit", "2",
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


def test_predictions_with_errors_in_x_say_whose_noise_they_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    y = 2 * X + 0.5 * RNG.standard_normal(N)
    folder, new = tmp_path / "found", tmp_path / "new.csv"
    result = hypo.fit((X[:, None], y), sigma=0.5, x_sigma={"x0": 0.1}, operators="+,*", time_limit=1, out=folder)
    new.write_text("x0\n1\n")
    assert main(["predict", str(folder), str(new), "--interval", "0.9"]) == 0
    assert "note: errors of the columns, and of the target itself, were taken as large" in capsys.readouterr().err
    assert result.bound("y > 3", new).remarks[-1].startswith("Errors of the columns")


def test_errors_in_x_count_by_the_slope_in_the_new_row(tmp_path: Path) -> None:
    x = np.linspace(1.0, 3.0, 80)
    seen, y = x + 0.1 * RNG.standard_normal(80), 2 * x**2 + 0.2 * RNG.standard_normal(80)
    result = hypo.fit(
        (seen[:, None], y),
        sigma=0.2,
        x_sigma={"x0": 0.1},
        operators="*",
        guesses=["a*x0*x0"],
        time_limit=2,
        out=tmp_path / "found",
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
    model = hypo.SymbolicRegressor("+,*", likelihood="poisson", time_limit=1.0, guesses=["a*x0"])
    model.fit(X[:, None], y, sample_weight=np.r_[np.zeros(5), np.full(N - 5, 2.0)])
    assert model.result_.family == make_family("poisson")
    assert model.predict(np.array([[2.0]]))[0] == pytest.approx(6.0, rel=0.1)
    limited = hypo.SymbolicRegressor("+,*", time_limit=1.0, guesses=["a*x0"])
    with pytest.raises(InputError, match="censored has 3 values, but there are 200 rows"):
        limited.fit(X[:, None], y, censored=[0, 0, 1])


def test_a_users_own_likelihood_and_its_result(tmp_path: Path) -> None:
    y = 3 * X + 0.3 * RNG.standard_normal(N)
    result = hypo.fit(
        (X[:, None], y), log_likelihood=lambda y, f: -0.5 * ((y - f) / 0.3) ** 2, operators="+,*", time_limit=1,
        guesses="a*x0", out=tmp_path / "own",
    )  # fmt: skip
    assert result.family.kind == "custom"
    again = Result.load(tmp_path / "own")
    assert again.predict(np.array([2.0]))[0] == pytest.approx(6.0, rel=0.02)
    with pytest.raises(InputError, match="says nothing of new targets"):
        again.predict(np.array([2.0]), interval=0.9)


# --- bad input ----------------------------------------------------------------------------------------------------


def test_a_users_own_likelihood_that_fails_late() -> None:
    calls = []

    def fails(y: np.ndarray, f: np.ndarray) -> np.ndarray:
        calls.append(0)
        if len(calls) > 50:
            raise ZeroDivisionError("too late")
        return -((y - f) ** 2)

    with pytest.raises(
        InputError, match=r"log_likelihood\(y, f\) raises ZeroDivisionError during the search: too late"
    ):
        hypo.fit((X[:, None], 3 * X), log_likelihood=fails, operators="+,*", time_limit=1)


COUNTS = np.array([0.0, 2.0, 5.0, 1.0])
ROWS = np.array([[1.0], [2.0], [3.0], [4.0]])
WRONG: list[tuple[dict[str, Any], np.ndarray, str]] = [
    ({"likelihood": "poisson"}, COUNTS - 1, 'row 0 (from 0), column "y": a count must be a whole number, 0 or more'),
    ({"likelihood": "poisson"}, COUNTS + [0, 0, 0.5, 0], "got 5.5"),
    ({"likelihood": "bernoulli"}, COUNTS, "without trials the target must be 0 or 1 for the likelihood binomial, got 2"),
    ({"likelihood": "binomial", "trials": 4}, COUNTS, "row 2 (from 0)"),
    ({"likelihood": "binomial", "trials": [3, 0, 5, 5]}, COUNTS, "trials must be a whole number, 1 or more, got 0"),
    ({"likelihood": "lognormal"}, COUNTS, "the target must be above 0 for the likelihood lognormal, got 0"),
    ({"likelihood": "poisson", "sigma": 1.0}, COUNTS, "sigma cannot be used with the likelihood poisson"),
    ({"trials": 4}, COUNTS, "trials cannot be used with the likelihood gaussian; it is for binomial"),
    ({"censored": [0, 1, 2, 0]}, COUNTS, "censored must be 0 (measured), 1 (the true value is above the target) or -1"),
    ({"censored": [1, 1, 1, 1]}, COUNTS, "every target is censored, so the noise cannot be estimated; give sigma"),
    ({"censored": [1, 0, 0, 0], "lower": COUNTS}, COUNTS, "give either censored, or lower and upper; not both"),
    ({"lower": COUNTS + 1, "upper": COUNTS}, COUNTS, "the upper limit must not be below the lower one"),
    ({"lower": 3.0}, COUNTS, "lower must be a column, or an array with one value per row"),
    ({"censored": "c"}, COUNTS, "with arrays censored must be an array too"),
    ({"x_sigma": {"x0": 0.1}}, COUNTS, "x_sigma needs sigma, the noise of the target, too"),
    ({"x_sigma": {"u": 0.1}, "sigma": 1.0}, COUNTS, 'there is no column "u" as x_sigma'),
    ({"x_sigma": {"y": 0.1}, "sigma": 1.0}, COUNTS, 'x_sigma gives an error to "y", which is no feature'),
    ({"x_sigma": "x0", "sigma": 1.0}, COUNTS, 'x_sigma must be written COLUMN=NUMBER or COLUMN=COLUMN, such as x=0.1'),
    ({"x_sigma": {"x0": [0.1, 0.1, -1.0, 0.1]}, "sigma": 1.0}, COUNTS, "x_sigma of x0 must be 0 or more, got -1"),
    ({"x_sigma": {"x0": 0.1}, "sigma": 1.0, "censored": [0, 0, 1, 0]}, COUNTS, "cannot be used with censored targets"),
    ({"x_sigma": 0.1, "sigma": 1.0}, COUNTS, 'x_sigma must name columns, such as {"x": 0.1}, got 0.1'),
    ({"likelihood": "poisson", "sigma": 2.0}, COUNTS, "it is for gaussian, student_t or lognormal"),
    ({"log_likelihood": lambda y, f: 0j * f}, COUNTS, "must give real numbers, got complex ones"),
    ({"log_likelihood": lambda y, f: 0.0}, COUNTS, "must give one number for each row, shape (4,), got shape ()"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "y", "message"), WRONG)
def test_bad_input_is_refused_in_a_sentence(given: dict[str, Any], y: np.ndarray, message: str) -> None:
    for call in (lambda: hypo.fit((ROWS, y), time_limit=1, **given), lambda: hypo.score("a*x0", (ROWS, y), **given)):
        with pytest.raises(InputError) as caught:
            call()
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_formulas_that_give_impossible_rates_are_refused() -> None:
    with pytest.raises(InputError, match="x0 - 2 is undefined or impossible on some row"):
        hypo.score("x0 - 2", (ROWS, COUNTS), likelihood="poisson")


def test_counts_keep_their_unit() -> None:
    with pytest.raises(InputError, match="is a count, but its unit would have it multiplied by"):
        hypo.score("a*x0", (ROWS, COUNTS), likelihood="poisson", units={"y": "km", "x0": "ft"})


def test_units_of_censored_targets() -> None:
    """Targets and limits in another unit give the same law, in that unit."""
    y = 2 * X + 0.5 * RNG.standard_normal(N)
    upper = np.where(y > 8, np.inf, np.nan)
    one, two = (
        hypo.score(
            "a*x", (X[:, None], np.minimum(y, 8) / k), "y", features=["x"], units={"x": "m", "y": unit},
            lower=np.where(y > 8, 8 / k, np.nan), upper=upper,
        )
        for k, unit in ((1.0, "m"), (1000.0, "km"))
    )  # fmt: skip
    assert one.constants[0].value == pytest.approx(1000 * two.constants[0].value, rel=1e-6)
    assert one.constants[0].std == pytest.approx(1000 * (two.constants[0].std or 0), rel=1e-6)
    assert (one.constants[0].unit, two.constants[0].unit) == ("1", "km/m")
    assert abs(one.constants[0].value - 2) < 4 * (one.constants[0].std or 0)
