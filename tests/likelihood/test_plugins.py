"""Likelihoods of installed packages: found by their entry points, imported when named, and no harm if broken."""

from __future__ import annotations

import configparser
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import hypo
from hypo.cli.main import main
from hypo.errors import DataError, InputError
from hypo.likelihood.registry import BUILT_IN, list_names, list_users, load_family, make_family
from hypo.result.entries import Damaged
from hypo.result.record import _read_search_settings
from tests.oracles.places import LIKELIHOOD_PLUGIN

SIGMA = 0.4


def install(folder: Path, name: str, version: str, points: dict[str, str]) -> None:
    """Writes what an installer leaves of a package's metadata: its name and its entry points."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    config = configparser.ConfigParser()
    config["hypo.likelihoods"] = points
    with (info / "entry_points.txt").open("w") as file:
        config.write(file)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose packages count as installed."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    loaded = set(sys.modules)
    yield folder
    for name in set(sys.modules) - loaded:
        if name.startswith(("hypo_weibull", "plugin_")):
            del sys.modules[name]


@pytest.fixture
def example(packages: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example package as if installed."""
    project = tomllib.loads((LIKELIHOOD_PLUGIN / "pyproject.toml").read_text())["project"]
    install(packages, project["name"], project["version"], project["entry-points"]["hypo.likelihoods"])
    monkeypatch.syspath_prepend(str(LIKELIHOOD_PLUGIN / "src"))
    return packages


def lifetimes(n: int = 80) -> dict[str, np.ndarray]:
    """y around 3x, with σ = 0.4."""
    rng = np.random.default_rng(2)
    x = rng.uniform(1.0, 5.0, n)
    return {"x": x, "y": 3.0 * x * rng.standard_exponential(n) ** SIGMA}


def test_names_are_listed_without_importing_them(example: Path) -> None:
    assert list_names() == (*BUILT_IN, "weibull")
    make_family("poisson")
    assert "hypo_weibull" not in sys.modules
    assert load_family("weibull").kind == "weibull"
    assert "hypo_weibull" in sys.modules


def test_without_the_package() -> None:
    assert list_names() == tuple(BUILT_IN)
    with pytest.raises(InputError, match="unknown likelihood 'weibull'; the likelihoods are gaussian, student_t"):
        make_family("weibull")


def test_fit_predict_save_and_load(example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, new = lifetimes(), {"x": np.linspace(1.0, 5.0, 9)}
    result = hypo.fit(table, "y", likelihood="Weibull", time_limit=10.0, operators="*", guesses="a*x")
    assert str(result.expression).count("x") >= 1
    assert result.predict(new) == pytest.approx(3.0 * new["x"], rel=0.15)
    p = result.predict(new, interval=0.9)
    true = [3.0 * new["x"] * (-np.log(1.0 - q)) ** SIGMA for q in (0.05, 0.95)]
    assert p.lower == pytest.approx(true[0], rel=0.3) and p.upper == pytest.approx(true[1], rel=0.2)
    assert np.all(result.sample(new, 20) > 0)
    assert any("the lifetime that 63 % do not reach" in line for line in result.remarks())
    result.save(tmp_path / "found")
    loaded = hypo.Result.load(tmp_path / "found")
    assert loaded.family == make_family("weibull")
    assert loaded.predict(new, interval=0.9).upper == pytest.approx(p.upper)
    assert main(["show", str(tmp_path / "found")]) == 0
    assert "Likelihood weibull: the formula is the lifetime that 63 % do not reach." in capsys.readouterr().out


def test_a_score_is_the_likelihood_at_its_maximum(example: Path) -> None:
    """The fitted constant and σ are scipy's, and the standard error is that of the expected information."""
    table = lifetimes()
    found = hypo.score("a*x", table, "y", likelihood="weibull")
    shape, _, scale = stats.weibull_min.fit(table["y"] / table["x"], floc=0.0)
    row = found.constants[0]
    assert row.value == pytest.approx(scale, rel=1e-3)
    n, sigma = len(table["x"]), 1.0 / shape
    # What is left of the information on log a after σ is π²/6 of π²/6 + (1-γ)²; hypo widens for one constant of few rows.
    left = (np.pi**2 / 6) / (np.pi**2 / 6 + (1 - np.euler_gamma) ** 2)
    assert row.std == pytest.approx(scale * sigma / np.sqrt(n * left), rel=0.02)
    log_density = stats.weibull_min.logpdf(table["y"], shape, scale=scale * table["x"])
    assert found.hypothesis.misfit == pytest.approx(-float(np.sum(log_density)), rel=1e-4)


def test_its_own_checks(example: Path) -> None:
    with pytest.raises(DataError, match="a lifetime must be above 0 for the likelihood weibull, got -1"):
        hypo.score("a*x", {"x": [1.0, 2.0, 3.0], "y": [1.0, -1.0, 2.0]}, "y", likelihood="weibull")
    with pytest.raises(
        InputError, match="sigma cannot be used with the likelihood weibull; it is for gaussian, student_t"
    ):
        hypo.score("a*x", lifetimes(), "y", likelihood="weibull", sigma=0.1)
    with pytest.raises(InputError, match="dof is for the likelihood student_t only, got it with weibull"):
        make_family("weibull", 3)
    assert list_users("sigma") == ("gaussian", "student_t", "lognormal")


def test_a_name_nearly_given(example: Path) -> None:
    with pytest.raises(InputError, match="unknown likelihood 'weibul'; did you mean weibull"):
        make_family("weibul")


def test_help_lists_it(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "gaussian (default), student_t, poisson, binomial, lognormal or weibull." in shown
    assert "hypo_weibull" not in sys.modules


BROKEN = {
    "raises": ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
    "lacks": ("", "AttributeError: module 'plugin_lacks' has no attribute 'Kind'"),
    "needs": ("import not_installed_anywhere", "ModuleNotFoundError: No module named 'not_installed_anywhere'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_package_that_cannot_be_imported(packages: Path, name: str) -> None:
    source, reason = BROKEN[name]
    (packages / f"plugin_{name}.py").write_text(source)
    install(packages, f"hypo-{name}", "0.1", {name: f"plugin_{name}:Kind"})
    with pytest.raises(InputError) as caught:
        make_family(name)
    assert str(caught.value) == f"the likelihood {name} of the package hypo-{name} 0.1 cannot be loaded: {reason}"
    assert make_family("poisson").kind == "poisson"
    with pytest.raises(Damaged, match=r"its likelihood cannot be used: .* cannot be loaded"):
        _read_search_settings({"likelihood": {"kind": name}})
    with pytest.raises(Damaged, match='the entry "likelihood" names none'):
        _read_search_settings({"likelihood": {"kind": "not_installed"}})


def test_packages_that_offer_something_else(packages: Path) -> None:
    (packages / "plugin_else.py").write_text(
        "from hypo.likelihood.poisson import PoissonFamily\nclass Kind(PoissonFamily):\n    pass\ndef function(): pass\n"
    )
    install(packages, "hypo-else", "2", {"named": "plugin_else:Kind", "function": "plugin_else:function"})
    with pytest.raises(InputError, match='offers the likelihood named, but plugin_else:Kind calls itself "poisson"'):
        make_family("named")
    with pytest.raises(
        InputError,
        match=r"the package hypo-else 2 offers the likelihood function, but plugin_else:function is no subclass of "
        r"hypo\.likelihoods\.Family",
    ):
        make_family("function")


def test_built_in_families_stay(packages: Path) -> None:
    for name in ("poisson", "custom"):
        (packages / f"plugin_{name}.py").write_text("raise RuntimeError")
        install(packages, f"hypo-{name}", "1", {name: f"plugin_{name}:Kind"})
        assert load_family(name).__module__ == f"hypo.likelihood.{name}"
    assert list_names() == tuple(BUILT_IN)


def test_two_packages_with_one_name(packages: Path) -> None:
    install(packages, "hypo-one", "1", {"both": "plugin_one:Kind"})
    install(packages, "hypo-two", "1", {"both": "plugin_two:Kind"})
    with pytest.raises(InputError, match="both offer the likelihood both; uninstall one of them"):
        make_family("both")


def test_built_in_names_look_for_no_packages() -> None:
    """Listing what is installed takes time, so it is done only for a name that is not built in."""
    code = (
        "from hypo.likelihood import registry; registry.find_offers = None; "
        "assert registry.make_family('Normal').kind == 'gaussian'; registry.make_family('poisson')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
