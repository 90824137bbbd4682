"""The systems of the suites, simulated: laws, initial states, noise, missing samples."""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hypo
from hypo.expression.expr import Expression
from hypo.expression.program import Program

Values = NDArray[np.float64]

BENCHMARKS = Path(__file__).resolve().parent.parent
SUITES = ("odebench", "strogatz", "partial", "textbook", "oscillators", "reactions")
# ODEBench's clock: 150 samples of ten units of time.
ODEBENCH_TIMES = np.linspace(0.0, 10.0, 150)
# Numbers of states of the systems that are made in any size.
SIZES = (2, 4, 8, 12, 20)
# Relative accuracy of simulations.
RTOL = 1e-9
# Accuracy of simulations in absolute terms, as a share of the largest initial value.
ATOL = 1e-10
# Evaluations of all rates after which a simulation counts as without end: stiff or blown up.
MOST_EVALUATIONS = 200_000


@dataclass(frozen=True)
class Case:
    """A system to be found.

    Attributes:
        name: in the files of results.
        states: positions before their speeds where only positions are measured.
        rates: laws in hypo's syntax, one for each state.
        starts: initial states; the first ones are learned from.
        times: of samples, and of what is compared.
        measured: number of measured states, the first ones.
        n_learned: trajectories to learn from where nothing else is asked.
        sampled: of samples, where they are others.
    """

    name: str
    states: tuple[str, ...]
    rates: tuple[str, ...]
    starts: tuple[tuple[float, ...], ...]
    times: Values
    measured: int
    n_learned: int = 1
    sampled: Values | None = None

    @property
    def order(self) -> int:
        """2 where only positions are measured."""
        return 1 if self.measured == len(self.states) else 2

    @cached_property
    def laws(self) -> tuple[Expression, ...]:
        """The rates as expressions."""
        return tuple(hypo.parse(text, variables=self.states) for text in self.rates)

    @cached_property
    def truth(self) -> tuple[Values, ...]:
        """By start: the states without noise (n_time, n_state)."""
        return tuple(follow(self.laws, self.states, start, self.times) for start in self.starts)


@dataclass(frozen=True)
class Recording:
    """What is measured of one trajectory: times (n,), measured states (n, n_measured)."""

    time: Values
    values: Values


class _EndlessError(Exception):
    pass


def follow(laws: Sequence[Expression], names: Sequence[str], start: Sequence[float], times: Values) -> Values:
    """States (n_time, n_state) of a system of rates from a start at ``times[0]``, by SciPy's LSODA; NaN where it fails."""
    from scipy.integrate import solve_ivp

    programs = [Program.of(law, tuple(names)) for law in laws]
    out = np.full((len(times), len(names)), np.nan)
    count = 0

    def rate(_: float, state: Values) -> list[float]:
        nonlocal count
        count += 1
        if count > MOST_EVALUATIONS:
            raise _EndlessError
        column = np.ascontiguousarray(state[:, None])
        return [float(p.value(column)[0]) for p in programs]

    atol = ATOL * max(float(np.max(np.abs(start))), 1e-3)
    try:
        with np.errstate(all="ignore"), _quiet():
            done = solve_ivp(rate, (times[0], times[-1]), start, method="LSODA", t_eval=times, rtol=RTOL, atol=atol)
    except (_EndlessError, ValueError, ArithmeticError):
        return out
    out[: done.y.shape[1]] = done.y.T
    return out


def _quiet() -> Any:
    """LSODA's warnings of too much work say what NaN says already."""
    import warnings

    return warnings.catch_warnings(action="ignore")


def record(case: Case, sigma: float, rho: float, seed: int, n: int | None = None) -> tuple[Recording, ...]:
    """The first ``n`` trajectories as measured: x·(1 + σξ), and a share ``rho`` of samples left out at random.

    As ODEFormer does it. Equal seeds give equal recordings of a case.
    """
    rng = np.random.default_rng([seed, zlib.crc32(case.name.encode())])
    n = case.n_learned if n is None else n
    times, truth = case.times, case.truth[:n]
    if case.sampled is not None:
        times = case.sampled
        truth = tuple(follow(case.laws, case.states, start, times) for start in case.starts[:n])
    out = []
    for states in truth:
        seen = states[:, : case.measured]
        seen = seen * (1.0 + sigma * rng.standard_normal(seen.shape))
        kept = np.sort(rng.permutation(len(seen))[: len(seen) - round(rho * len(seen))])
        out.append(Recording(times[kept], seen[kept]))
    return tuple(out)


@cache
def load(suite: str) -> tuple[Case, ...]:
    """All systems of a suite, in the order of its file; ValueError for an unknown suite."""
    if suite not in SUITES:
        raise ValueError(f"unknown suite {suite!r}: expected one of {', '.join(SUITES)}")
    if suite == "odebench":
        return tuple(_read_case(row, ODEBENCH_TIMES) for row in _read("odes")["system"])
    if suite == "strogatz":
        content = _read("srbench")
        times = content["grid"]["step"] * np.arange(content["grid"]["points"])
        return tuple(_read_case(row, times, len(row["initial"])) for row in content["system"])
    if suite in ("partial", "textbook"):
        content = _read("dynamics", "problems" if suite == "partial" else suite)
        return tuple(_read_case(row, ODEBENCH_TIMES) for row in content["system"])
    make: Callable[[int], Case] = oscillators if suite == "oscillators" else reactions
    return tuple(make(n) for n in SIZES)


def oscillators(n: int, times: Values = ODEBENCH_TIMES) -> Case:
    """A chain of n/2 damped oscillators (n states), each coupled to its neighbours by springs."""
    m = n // 2
    positions, speeds = [f"x{i}" for i in range(m)], [f"v{i}" for i in range(m)]
    laws = []
    for i in range(m):
        own = f"-{1.5 + 0.37 * i:.2f}*x{i}-{0.11 + 0.02 * i:.2f}*v{i}"
        laws.append(own + "".join(f"+0.83*(x{j}-x{i})" for j in (i - 1, i + 1) if 0 <= j < m))
    starts = [tuple(np.cos(k + 1.9 * np.arange(n) + 0.4 * k).round(2).tolist()) for k in range(10)]
    return Case(f"oscillators_{n}", (*positions, *speeds), (*speeds, *laws), tuple(starts), times, n)


def reactions(n: int, times: Values = ODEBENCH_TIMES) -> Case:
    """A chain of n substances (mass action): two of the first make one of the second, each further one decays into the next."""
    names = [f"c{i}" for i in range(n)]
    k = [f"{0.6 + 0.35 * np.sin(1.7 * i):.3f}" for i in range(n)]
    flow = [f"{k[0]}*c0**2", *(f"{k[i]}*c{i}" for i in range(1, n))]
    laws = [f"-{flow[0]}", *(f"{flow[i - 1]}-{flow[i]}" for i in range(1, n))]
    starts = [tuple((1.4 + np.sin(2.3 * k + 1.1 * np.arange(n))).round(2).tolist()) for k in range(10)]
    return Case(f"reactions_{n}", tuple(names), tuple(laws), tuple(starts), times, n)


def _read(folder: str, name: str = "problems") -> dict[str, Any]:
    return tomllib.loads((BENCHMARKS / folder / f"{name}.toml").read_text(encoding="utf-8"))


def _read_case(row: dict[str, Any], times: Values, n_learned: int = 1) -> Case:
    return Case(
        row["name"],
        tuple(row["variables"]),
        tuple(row["rates"]),
        tuple(map(tuple, row["initial"])),
        times,
        row.get("measured", len(row["variables"])),
        n_learned,
    )
