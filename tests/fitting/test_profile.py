"""Profile-likelihood intervals: exact in linear formulas, published ends, open ends, and the way through API and files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import hypo
from hypo.cli.main import main
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.fitting.constants.fit import TIGHT, DescentOptions, fit
from hypo.fitting.profile import profile_intervals
from hypo.likelihood.base import Gaussian
from hypo.likelihood.student_t import StudentT
from tests.oracles.places import NIST

pytestmark = pytest.mark.usefixtures("short_chains")

RNG = np.random.default_rng(2)
X = RNG.uniform(0.5, 3.0, (2, 30))
COLUMNS = ("x", "z")


def fitted(text: str, X: np.ndarray, likelihood: Gaussian, columns: tuple[str, ...] = COLUMNS) -> Expression:
    e = parse(text, variables=columns)
    rng = np.random.default_rng(0)
    return fit(e, X, columns, likelihood, starts=40, rng=rng, options=DescentOptions(steps=1000, tolerance=TIGHT))


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_linear_formulas_have_the_textbook_interval(known: bool, level: float) -> None:
    y = 2 * X[0] - 0.7 * X[1] + 1 + 0.3 * RNG.standard_normal(30)
    likelihood = Gaussian(y, np.full(30, 0.3) if known else None)
    found = profile_intervals(fitted("a*x + b*z + c", X, likelihood), X, COLUMNS, likelihood, level)
    A = np.stack([X[0], X[1], np.ones(30)], axis=1)
    theta, rss = np.linalg.lstsq(A, y)[:2]
    variance = 0.09 if known else rss[0] / 27
    quantile = stats.norm.ppf(0.5 + level / 2) if known else stats.t.ppf(0.5 + level / 2, 27)
    half = quantile * np.sqrt(variance * np.diag(np.linalg.inv(A.T @ A)))
    assert [i.value for i in found] == pytest.approx(theta, rel=1e-9)
    assert [i.lower for i in found] == pytest.approx(theta - half, rel=1e-6)
    assert [i.upper for i in found] == pytest.approx(theta + half, rel=1e-6)


def test_an_end_is_where_the_refitted_misfit_says() -> None:
    """Against a slow profile on a grid: all other constants by least squares at each point of it."""
    y = 2.0 * np.exp(-0.8 * X[0]) + 0.1 * RNG.standard_normal(30)
    likelihood = Gaussian(y)
    e = fitted("a*exp(-b*x)", X, likelihood)
    a, b = profile_intervals(e, X, COLUMNS, likelihood, 0.9)

    def rss(rate: float) -> float:
        f = np.exp(-rate * X[0])
        return float(np.sum((y - f * (f @ y) / (f @ f)) ** 2))

    least = rss(b.value)
    limit = least * (1 + stats.f.ppf(0.9, 1, 28) / 28)
    assert b.lower is not None and b.upper is not None and a.lower is not None
    assert rss(b.lower) == pytest.approx(limit, rel=1e-5) and rss(b.upper) == pytest.approx(limit, rel=1e-5)
    grid = np.linspace(b.lower - 0.5, b.upper + 0.5, 4001)
    inside = grid[[rss(v) <= limit for v in grid]]
    assert inside[0] == pytest.approx(b.lower, abs=2e-3) and inside[-1] == pytest.approx(b.upper, abs=2e-3)
    # Not symmetric, unlike Laplace's.
    assert abs((b.upper - b.value) / (b.value - b.lower) - 1) > 0.02


def test_a_scale_that_is_found_with_the_constants() -> None:
    """The median a*x of lognormal targets has the t interval of log a; Student's t with many degrees of freedom is Gaussian."""
    x = X[0]
    y = 1.7 * x * np.exp(0.2 * RNG.standard_normal(30))
    (a,) = hypo.score("a*x", {"x": x, "y": y}, "y", likelihood="lognormal", intervals="profile").constants
    logs = np.log(y / x)
    half = stats.t.ppf(0.975, 29) * logs.std(ddof=1) / np.sqrt(30)
    assert (a.value, a.lower, a.upper) == pytest.approx(np.exp(logs.mean() + np.array([0.0, -half, half])), rel=1e-6)
    kinds: tuple[dict[str, Any], ...] = ({"likelihood": "student_t", "dof": 1e7}, {})
    t, gaussian = (
        hypo.score("a*x + b", {"x": x, "y": y}, "y", **kind, intervals="profile").constants for kind in kinds
    )
    for one, two in zip(t, gaussian, strict=True):
        assert (one.lower, one.upper) == pytest.approx((two.lower, two.upper), rel=1e-4)


def test_student_t_holds_its_level() -> None:
    """90 % intervals of a slope with 1.5 degrees of freedom, over 120 data sets: within three standard errors."""
    rng, held = np.random.default_rng(11), 0
    x = np.linspace(1.0, 3.0, 30)
    e = parse("a*x", variables=["x"])
    for _ in range(120):
        likelihood = StudentT(2.0 * x + 0.3 * rng.standard_t(1.5, 30), None, 1.5)
        (a,) = profile_intervals(fit(e, x[None], ("x",), likelihood), x[None], ("x",), likelihood, 0.9)
        held += a.lower is not None and a.upper is not None and a.lower < 2.0 < a.upper
    assert abs(held / 120 - 0.9) < 3 * np.sqrt(0.09 / 120)


def test_puromycin_as_published() -> None:
    """Bates & Watts (1988), treated enzyme: 95 % profile intervals as R's confint gives them for Vm and K."""
    x = np.array([0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.10, 1.10])
    y = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200.0])
    likelihood = Gaussian(y)
    e = fitted("a*x/(b + x)", x[None], likelihood, ("x",))
    a, b = profile_intervals(e, x[None], ("x",), likelihood)
    assert (a.value, b.value) == pytest.approx((212.7, 0.06412), rel=1e-3)
    assert (a.lower, a.upper) == pytest.approx((197.30, 229.29), abs=0.02)
    assert (b.lower, b.upper) == pytest.approx((0.04692, 0.08616), abs=2e-5)


def test_what_the_data_do_not_bound_is_open() -> None:
    """Rows at the start of a saturation curve: any longer half-way point fits as well."""
    x = np.linspace(0.1, 1.0, 15)
    y = x / (1 + 0.05 * x) + 0.05 * np.random.default_rng(1).standard_normal(15)
    likelihood = Gaussian(y)
    e = fitted("a*x/(b + x)", x[None], likelihood, ("x",))
    a, b = profile_intervals(e, x[None], ("x",), likelihood)
    assert (a.upper is None) == (b.upper is None)
    assert None in (a.lower, a.upper, b.lower, b.upper)


def test_an_interval_ends_with_the_domain() -> None:
    """log(x + c) needs c > -min x: nothing beyond is in the interval."""
    x = np.linspace(1.0, 4.0, 12)
    y = np.log(x - 0.9) + 1.5 * np.random.default_rng(3).standard_normal(12)
    likelihood = Gaussian(y)
    e = fitted("log(x + c)", x[None], likelihood, ("x",))
    (c,) = profile_intervals(e, x[None], ("x",), likelihood, 0.99)
    assert c.lower is not None and c.lower > -1.0


def test_no_freedom_no_interval() -> None:
    likelihood = Gaussian(np.array([1.0, 2.0]))
    e = fitted("a*x + b", X[:1, :2], likelihood, ("x",))
    assert profile_intervals(e, X[:1, :2], ("x",), likelihood) == ()


@pytest.mark.parametrize("name", ["Misra1a", "Chwirut2", "Rat42"])
def test_through_score(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where data are plenty the ends are near Laplace's; the command line says the same as the API."""
    import tomllib

    folder = NIST / name
    description = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))
    formula, target = description["fit"]["formula"], description["target"]
    start = {n: c["starts"][1] for n, c in description["fit"]["constants"].items()}
    by_laplace, by_profile = (
        hypo.score(formula, folder / "data.csv", target, start=start, intervals=kind) for kind in ("laplace", "profile")
    )
    for one, two in zip(by_laplace.constants, by_profile.constants, strict=True):
        assert (one.value, one.std) == (two.value, two.std)
        assert one.lower is not None and two.lower is not None and one.upper is not None and two.upper is not None
        assert one.std is not None and two.lower != one.lower
        assert two.lower == pytest.approx(one.lower, abs=0.5 * one.std)
        assert two.upper == pytest.approx(one.upper, abs=0.5 * one.std)
    first = ",".join(f"{n}={v}" for n, v in start.items())
    code = main(
        [
            "score",
            formula,
            str(folder / "data.csv"),
            "--target",
            target,
            "--start",
            first,
            "--intervals",
            "profile",
            "--json",
        ]
    )
    assert code == 0
    shown = json.loads(capsys.readouterr().out)["constants"]
    assert [c["lower"] for c in shown] == pytest.approx([c.lower for c in by_profile.constants])


@pytest.mark.slow
def test_through_fit(tmp_path: Path) -> None:
    x = np.linspace(0.5, 3.0, 25)
    data = {"x": x, "y": 1.7 * np.exp(-0.6 * x) + 0.03 * np.random.default_rng(5).standard_normal(25)}
    one, two = (
        hypo.fit(
            data,
            "y",
            operators="*,exp",
            turns=4,
            workers=1,
            posterior=False,
            intervals=kind,
            guesses="a*exp(b*x)",
            out=tmp_path / kind,
        )
        for kind in ("laplace", "profile")
    )
    assert one.best is not None and one.posterior is None
    rows = [r.constants[r.front.index(r.best)] for r in (one, two) if r.best is not None]
    assert [c.value for c in rows[0]] == [c.value for c in rows[1]]
    fitted_rows = [(a, b) for a, b in zip(*rows, strict=True) if a.std is not None]
    assert fitted_rows and all(
        a.lower != b.lower and b.lower == pytest.approx(a.lower, abs=a.std) for a, b in fitted_rows
    )
    assert two.settings["intervals"] == "profile"
    lines = {r.settings["intervals"]: "\n".join(r.constant_lines()) for r in (one, two)}
    assert " to " in lines["profile"] and " to " not in lines["laplace"]
    assert hypo.Result.load(tmp_path / "profile").constants == two.constants
    # What is asked for afterwards is the same, with the data at hand or given again.
    loaded = hypo.Result.load(tmp_path / "laplace")
    assert one.profile() == two.profile() == loaded.profile(data=data) == rows[1]
    assert loaded.profile(data=(x, data["y"])) == rows[1] == loaded.profile(loaded.front.index(loaded.best), data=data)
    narrow, wide = loaded.profile(level=0.5, data=data), loaded.profile(level=0.99, data=data)
    for a, b in zip(narrow, wide, strict=True):
        assert b.lower < a.lower < a.value < a.upper < b.upper  # type: ignore[operator]
    _messages(loaded, data)


def _messages(loaded: hypo.Result, data: dict[str, np.ndarray]) -> None:
    given: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "profile intervals need the data of the fit, which a result does not keep in its file: give data"),
        ({"data": data, "level": 1.0}, "the probability of an interval must be between 0 and 1, got 1.0"),
        ({"data": data, "level": 1e-300}, "the probability of an interval must differ from 0 and 1 by more than 1e-15"),
        ({"data": data, "index": 99}, "there is no number 99"),
        ({"data": data, "index": "best"}, "the index of a formula of the front must be a whole number, got 'best'"),
        ({"data": {**data, "y": 2 * data["y"]}}, "this is not the table of the fit, whose numbers were others"),
        ({"data": data, "sigma": 0.1}, "the fit had no sigma: leave it out"),
        ({"data": {**data, "x": data["x"][:3]}}, "the columns do not make a table: "),
        ({"data": {"x": data["x"]}}, 'there is no column "y" as target'),
        ({"data": data, "log_likelihood": np.subtract}, "that of the fit, and this one is gaussian: leave it out"),
    )
    for options, message in given:
        with pytest.raises(hypo.InputError, match=message):
            loaded.profile(**options)


X_NOISY = np.linspace(0.3, 3.0, 30)
NOISY = {
    "x": X_NOISY,
    "y": 0.8 * X_NOISY * np.exp(-0.8 * X_NOISY) + 0.02 * np.random.default_rng(9).standard_normal(30),
}
SMALL: dict[str, Any] = {"operators": "*,exp", "turns": 4, "workers": 1, "posterior": False}


def test_units_and_weights(tmp_path: Path) -> None:
    """A search in SI of data in other units; rows of weight 0 do not count. Against the textbook's slope."""
    t, v = np.random.default_rng(6).uniform(1.0, 4.0, (2, 20))
    s = 0.1037 * t * v + 0.02 * np.random.default_rng(7).standard_normal(20)
    w = np.where(np.arange(20) < 5, 0.0, 1.0)
    data = {"t [min]": t, "v [m/s]": v, "s [km]": s, "w": w}
    hypo.fit(data, "s", weights="w", **SMALL, max_complexity=5, out=tmp_path / "r")
    loaded = hypo.Result.load(tmp_path / "r")
    (slope,) = loaded.profile(data=data, weights="w")
    f, s = t[5:] * v[5:], s[5:]
    value = f @ s / (f @ f)
    half = stats.t.ppf(0.975, 14) * np.sqrt(np.sum((s - value * f) ** 2) / 14 / (f @ f))
    assert (slope.lower, slope.upper, slope.unit) == (
        pytest.approx(value - half),
        pytest.approx(value + half),
        "km*s/m/min",
    )


@pytest.mark.slow
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    table.write_text("x,y,e\n" + "".join(f"{a},{b},0.02\n" for a, b in zip(NOISY["x"], NOISY["y"], strict=True)))
    result = hypo.fit(table, "y", sigma="e", out=tmp_path / "r", **SMALL)
    start = ["profile", str(tmp_path / "r"), str(table)]
    assert main([*start, "--sigma", "e", "--json", "--formula", "0", "--level", "0.9"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["level"] == 0.9 and shown["constants"] == [row.as_dict() for row in result.profile(0, 0.9)]
    assert main([*start, "--sigma", "e", "--level", "0.9"]) == 0
    assert "90 % interval" in capsys.readouterr().out
    assert main(start) == 2
    assert capsys.readouterr().err == "error: the fit had sigma: give what it was given\n"
    with pytest.raises(hypo.InputError, match="sigma goes with data, and without data the table of the fit is taken"):
        result.profile(sigma=0.1)
    assert main([*start, "--sigma", "0.03"]) == 2
    assert "this is not the table of the fit" in capsys.readouterr().err


def test_kinds_of_intervals_are_two() -> None:
    with pytest.raises(hypo.InputError, match=r"^intervals must be laplace or profile, got 'exact'$"):
        hypo.score("a*x", {"x": X[0], "y": X[1]}, "y", intervals="exact")
    with pytest.raises(hypo.InputError, match="intervals must be laplace or profile"):
        hypo.fit({"x": X[0], "y": X[1]}, "y", intervals="exact")


def test_tables_show_open_ends() -> None:
    from hypo.report import tables
    from hypo.report.console import as_text
    from hypo.report.constants import ConstantRow

    ends = {"a": (0.25, None), "b": (None, 2.0), "c": (None, None)}
    rows = [ConstantRow(name, 1.0, None, 0.5, *both) for name, both in ends.items()]
    text = as_text(tables.make_constants_table(rows))
    assert "from 0.25" in text and "up to 2" in text and "open" in text
