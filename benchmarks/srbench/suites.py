"""The problems of a suite and their data: law, columns, units, rows to learn from and fresh points to judge with."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hypo
from hypo.expression.expr import Expression
from hypo.expression.program import Program, evaluate

BENCHMARKS = Path(__file__).resolve().parent.parent
SUITES = ("srbench", "second", "odes")
MAX_ROWS = 10_000
# Share of the rows to learn from; the others are held out, as in SRBench.
TRAIN_SHARE = 0.75
# A rate of change with a pole is compared where it is at most this many times the largest one in the data.
POLE_LIMIT = 3.0


@dataclass(frozen=True)
class Problem:
    """One problem: ``target = formula`` in the variables ``names``.

    ``ranges`` has one row (low, high) per variable. ``states`` (n, n_var) are given where the system was simulated; they are
    the rows if ``on_states``, otherwise points are drawn uniformly from the ranges. ``units`` holds unit texts by column,
    or None.
    """

    name: str
    formula: str
    names: tuple[str, ...]
    target: str
    ranges: NDArray[np.float64]
    units: dict[str, str] | None = None
    never_solved: bool = False
    states: NDArray[np.float64] | None = field(default=None, repr=False)
    on_states: bool = False

    @cached_property
    def law(self) -> Expression:
        """The law as an expression."""
        return hypo.parse(self.formula, variables=self.names)

    def value(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """The law at the points ``X`` (n, n_var); NaN where it is not defined."""
        return evaluate(self.law, X, self.names)

    def rows(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rows to learn from and rows held out, at most ``n`` in all: (n_train, n_var) and (n_test, n_var)."""
        X = rng.permutation(self.states)[:n] if self.states is not None and self.on_states else self.fresh(n, rng)
        n_train = round(TRAIN_SHARE * len(X))
        return X[:n_train], X[n_train:]

    def fresh(self, n: int, rng: np.random.Generator, stretch: float = 0.0) -> NDArray[np.float64]:
        """Points (n, n_var) uniform in the ranges, widened on both sides by ``stretch`` of their width.

        A positive variable stays above half its lower bound. Points of a simulated problem at which the
        law exceeds ``POLE_LIMIT`` times its largest value in the data are left out.
        """
        low, high = self.ranges.T
        extra = stretch * (high - low)
        below = np.where(low > 0, np.maximum(low - extra, low / 2), low - extra)
        X = rng.uniform(below, high + extra, (n, len(low)))
        if self.states is None:
            return X
        return X[np.abs(self.value(X)) <= POLE_LIMIT * np.abs(self.value(self.states)).max()]

    def to_fit(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Points (n, n_var) on which a formula's constants are fitted to the law without noise."""
        return self.states if self.states is not None and self.on_states else self.fresh(n, rng)


@cache
def load(suite: str) -> tuple[Problem, ...]:
    """All problems of a suite, in the order of its file; ValueError for an unknown suite."""
    if suite not in SUITES:
        raise ValueError(f"unknown suite {suite!r}: expected one of {', '.join(SUITES)}")
    if suite == "second":
        return tuple(_tabled(row, row["name"]) for row in _read("second")["problem"])
    if suite == "odes":
        content = _read("odes")
        return tuple(
            _rate(system, k, f"{system['name']}_{k + 1}", simulate(system, **content["grid"]))
            for system in content["system"]
            if "repeats" not in system
            for k, text in enumerate(system["rates"])
            if text not in system["variables"]
        )
    content = _read("srbench")
    feynman = {row["name"]: row for row in _read("feynman")["problem"]}
    systems = {system["name"]: system for system in content["system"]}
    states = {name: simulate(system, **content["grid"]) for name, system in systems.items()}
    problems = [_tabled(feynman[p["row"]], p["name"], p.get("never_solved", False)) for p in content["feynman"]]
    problems += [
        _rate(systems[p["system"]], p["rate"], p["name"], states[p["system"]], p.get("never_solved", False), True)
        for p in content["strogatz"]
    ]
    return tuple(problems)


def _rate(
    system: dict[str, Any],
    rate: int,
    name: str,
    states: NDArray[np.float64],
    never_solved: bool = False,
    on_states: bool = False,
) -> Problem:
    """One of a system's rates of change."""
    return Problem(
        name=name,
        formula=system["rates"][rate],
        names=tuple(system["variables"]),
        target="rate",
        ranges=np.column_stack([states.min(axis=0), states.max(axis=0)]),
        never_solved=never_solved,
        states=states,
        on_states=on_states,
    )


def simulate(system: dict[str, Any], step: float, points: int) -> NDArray[np.float64]:
    """States (n_initial * points, n_var) of a system of rates of change, one trajectory after the other."""
    from scipy.integrate import solve_ivp

    names = system["variables"]
    rates = [Program.of(hypo.parse(text, variables=names), names) for text in system["rates"]]

    def rate(_: float, state: NDArray[np.float64]) -> list[float]:
        return [float(program.value(state[:, None])[0]) for program in rates]

    times = step * np.arange(points)
    runs = [
        solve_ivp(rate, (0.0, times[-1]), start, method="LSODA", t_eval=times, rtol=1e-10, atol=1e-12)
        for start in system["initial"]
    ]
    return np.vstack([run.y.T for run in runs])


def _read(suite: str) -> dict[str, Any]:
    return tomllib.loads((BENCHMARKS / suite / "problems.toml").read_text(encoding="utf-8"))


def _tabled(row: dict[str, Any], name: str, never_solved: bool = False) -> Problem:
    variables = row["variables"]
    return Problem(
        name=name,
        formula=row["formula"],
        names=tuple(variables),
        target=row["target"],
        ranges=np.array([[v["low"], v["high"]] for v in variables.values()], dtype=np.float64),
        units={n: v["unit"] for n, v in variables.items()} | {row["target"]: row["unit"]},
        never_solved=never_solved,
    )
