"""Settings shared by all tests: no display, and the same random examples on every run."""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import hypo
from hypo.posterior import structure_mcmc
from hypo.search.compile import warm
from tests.oracles.falling import FAST, S, T
from tests.oracles.places import STANDINS

os.environ.setdefault("MPLBACKEND", "Agg")
# Sentences go on in the next line where this says how wide the page is, as pytest-xdist does.
os.environ.pop("COLUMNS", None)


hypothesis.settings.register_profile("hypo", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("hypo")


def pytest_configure(config: pytest.Config) -> None:
    """Compile the kernels once, before there are several processes that would each compile them."""
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        warm(lambda message: print(message, flush=True))


@pytest.fixture(autouse=True)
def own_random_numbers(request: pytest.FixtureRequest) -> None:
    """A module's ``RNG`` starts anew for each test, with numbers of the test's own, whichever tests came before it."""
    rng = getattr(getattr(request.node, "module", None), "RNG", None)
    if rng is not None:
        rng.bit_generator.state = np.random.default_rng(zlib.crc32(request.node.name.encode())).bit_generator.state


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a test tells the stand-in for PySR what to find."""
    packages = tmp_path / "packages"
    for name in ("pysr", "juliacall"):
        info = packages / f"{name}-0.0.1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.0.1\n")
    monkeypatch.syspath_prepend(packages)
    monkeypatch.syspath_prepend(STANDINS / "pysr")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    folder = tmp_path / "stages"
    folder.mkdir()
    monkeypatch.setenv("HYPO_TEST_STAGES", str(folder))
    return folder


@pytest.fixture(scope="module")
def law() -> hypo.Result:
    """s = 2.5*t**2 with units."""
    return hypo.fit({"t [s]": T, "s [m]": S}, "s", **FAST)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """As in the engine: threads of BLAS cost small systems more than they give."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def no_numpy_noise() -> Iterator[None]:
    """For tests in which invalid rows are part of the matter."""
    with np.errstate(all="ignore"):
        yield


@pytest.fixture(scope="module")
def short_chains() -> Iterator[None]:
    """Chains over structures end after few formulas."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structure_mcmc, "MOST_WEIGHED", 300)
        yield
