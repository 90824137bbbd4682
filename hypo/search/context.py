"""What every scan of one search shares: rows, weights, clock; and the library rows that take part."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.search.library import Library
from hypo.search.problem import Problem, Settings
from hypo.search.race import RowSet
from hypo.search.scan import Clock


@dataclass(frozen=True)
class Context:
    """Racing rows ``X`` (n_var, n_race), ``y``, ``weight`` (n_race,), and the ``probe`` rows among them (n_probe,)."""

    problem: Problem
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    weight: NDArray[np.float64]
    root: NDArray[np.float64]
    probe: NDArray[np.int64]
    clock: Clock
    executor: Executor | None

    @staticmethod
    def of(problem: Problem, settings: Settings, clock: Clock, executor: Executor | None) -> Context:
        """Racing and probe rows drawn with the settings' seed."""
        rng = np.random.default_rng(settings.seed)
        race_rows = np.sort(rng.permutation(len(problem.y))[: settings.n_race])
        probe = np.sort(rng.permutation(len(race_rows))[: settings.n_probe])
        whitening = problem.likelihood.root_weights
        root = np.ones(len(race_rows)) if whitening is None else whitening[race_rows]
        return Context(
            problem, np.ascontiguousarray(problem.X[:, race_rows]), problem.y[race_rows], root**2, root, probe, clock, executor
        )

    @property
    def scale(self) -> float:
        """RMS of the target."""
        return float(np.sqrt(np.mean(self.y**2))) or 1.0

    def whiten(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rows (…, n_probe) times the roots of the weights, so that plain inner products are weighted ones."""
        return rows * self.root[self.probe]

    @property
    def n_probe(self) -> int:
        """Number of probe rows."""
        return len(self.probe)

    def can_fit_logs(self, n_line: int) -> bool:
        """Whether products of powers are allowed and there are rows enough to fit ``n_line`` exponents and more."""
        return {"*", "/"} <= self.problem.allowed and self.n_probe >= n_line + 5


class View:
    """Rows of a library that take part in scans: one per shape, not constant, of cost up to ``max_cost``, within the first
    ``limit`` members."""

    def __init__(self, library: Library, X: NDArray[np.float64], limit: int, max_cost: int) -> None:
        n = min(limit, library.count)
        index = np.arange(n)
        values = library.values[:n]
        varies = np.ptp(values, axis=1) > 1e-9 * library.norm[:n]
        fits = library.cost[:n] <= max_cost
        self.members = index[(library.shape[:n] == index) & varies & fits]
        self.values = library.values[self.members]
        self.dims = library.dims[self.members]
        self.rows = RowSet(library, self.members, np.zeros(len(self.members), np.bool_), X)

    def of_dimension(self, dimension: int | None, limit: int | None = None) -> NDArray[np.int64]:
        """Indices of rows of one dimension (None: all), the simplest first."""
        found = np.arange(len(self.members)) if dimension is None else np.flatnonzero(self.dims == dimension)
        return found if limit is None else found[:limit]
