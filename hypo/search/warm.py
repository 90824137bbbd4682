"""Compiling the kernels before the clock starts: once per installation, in two processes side by side.

numba keeps what it compiled beside the sources (or where NUMBA_CACHE_DIR says). A marker there, named after the sources, the
processor and the versions, tells that nothing is left to compile; without it two tiny searches call every kernel.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hypo.search.problem import Problem, Settings

# What each process compiles, by the proposers that call it. All of them fit formulas; the second process begins with what
# evolution alone calls, and finds the kernels of fits compiled by the first.
SHARES = (("library", "reduction"), ("evolution", "beam", "atoms"))
# Longest wait for the other process, in seconds.
LONGEST = 600.0


def warm(report: Callable[[str], None] | None = None) -> None:
    """Compile what has not been compiled yet; does nothing on all but the first call after an installation.

    ``report`` hears of it before; without one it is logged, as a warning: nobody expects minutes of silence.
    """
    if os.environ.get(_INSIDE):
        return
    marker = _marker()
    if marker is None or marker.exists():
        return
    if report is not None:
        report("compiling, once for this installation")
    else:
        logging.getLogger("hypo").warning("compiling the kernels, once for this installation; this takes a minute or more")
    with _alone(marker):
        if not marker.exists():
            _compile(marker)


def _compile(marker: Path) -> None:
    """Both shares, each in a process of its own; leaves the marker where they end well."""
    environment = {**os.environ, _INSIDE: "1"}
    others: list[subprocess.Popen[bytes]] = []
    try:
        # Compiling takes more memory than most searches, and not of this process. Where no process can be started the kernels
        # are compiled as they are called first.
        with suppress(OSError, subprocess.TimeoutExpired):
            for share in SHARES:
                command = [sys.executable, "-c", f"from hypo.search.warm import compile_share; compile_share({share!r})"]
                others.append(
                    subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                )
            if all(other.wait(timeout=LONGEST) == 0 for other in others):
                marker.touch()
    finally:
        for other in others:
            if other.poll() is None:
                other.kill()


def compile_share(proposers: tuple[str, ...]) -> None:
    """Call the kernels that some proposers need, on a tiny problem."""
    from hypo.data import from_arrays
    from hypo.search.engine import search
    from hypo.search.problem import Settings, make_problem

    before = os.environ.get(_INSIDE)
    os.environ[_INSIDE] = "1"
    try:
        rng = np.random.default_rng(0)
        X = rng.uniform(1.0, 3.0, (80, 3))
        y = X[:, 0] * np.exp(-X[:, 1]) + X[:, 2] + 0.01 * rng.standard_normal(80)
        # Guesses are fitted by kernels of their own.
        guesses = ("a*exp(-b*x0)",) if "library" in proposers else ()
        settings = Settings(time_limit=LONGEST, library_sizes=(100,), guesses=guesses, proposers=proposers, turns=5)
        problem = make_problem(from_arrays(X, y), None, settings)
        if "evolution" in proposers:
            _breed(problem, settings)
        search(problem, settings)
    finally:
        if before is None:
            del os.environ[_INSIDE]


def _breed(problem: Problem, settings: Settings) -> None:
    """Call the kernels of evolution, whose finds are not fitted any further."""
    from hypo.search.archive import Archive
    from hypo.search.context import Context
    from hypo.search.evolve import Evolution
    from hypo.search.proposer import Turn
    from hypo.search.scan import Clock
    from hypo.search.seeds import plain_library

    clock = Clock()
    with np.errstate(all="ignore"):
        ctx = Context.of(problem, settings, clock, None)
        evolution = Evolution(ctx, settings, plain_library(ctx, settings, range(len(problem.columns))))
        turn = Turn(problem, Archive(problem.X, problem.columns), clock, np.random.default_rng(0), 0)
        next(iter(evolution.propose(turn)), None)


_INSIDE = "HYPO_COMPILING"


@contextmanager
def _alone(marker: Path) -> Iterator[None]:
    """Holds a lock while kernels are compiled: who comes second finds them compiled. Where there are no locks all compile."""
    with ExitStack() as stack:
        with suppress(ImportError, OSError):
            import fcntl

            lock = stack.enter_context(marker.with_suffix(".lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _marker() -> Path | None:
    """The marker's path, or None where it cannot be written and so nothing would be kept."""
    import numba

    kernels = Path(__file__).parent.parent / "kernels"
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__} {sys.version}".encode())
    for path in sorted(kernels.glob("*.py")):
        digest.update(path.read_bytes())
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or kernels / "__pycache__")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        return None
    return folder / f"compiled-{digest.hexdigest()[:16]}"
