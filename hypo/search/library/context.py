"""The common ground of all scans of one search: rows, weights, clock; and the library rows that take part."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock
from hypo.parallel.batches import Batches, Processor
from hypo.parallel.executor import Executor, Serial
from hypo.problem.problem import Problem, Settings
from hypo.problem.surrogate import Surrogate, fit_surrogate
from hypo.scoring.score import Scorer
from hypo.search.library.library import Library, LibraryRows

# Rows that the smooth stand-in is fitted to.
SMOOTH_ROWS = 5000
# An error of the stand-in below this share of the target's RMS is no noise.
NO_NOISE = 1e-6

# X (n_var, n), y (n,) and weights (n,) of the rows that a stand-in is fitted to.
SmoothingRows = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Workers:
    """Who does the work of a search: ``executor`` is for scans and may reach other machines, ``local`` works in this process
    only; ``batches`` are fitted, and libraries made by ``make_library``, where the backend has it done."""

    local: Executor
    executor: Executor
    batches: Batches
    make_library: Callable[..., Library] = Library

    @staticmethod
    def of(local: Executor | None = None, executor: Executor | None = None) -> Workers:
        """The processor, by way of these executors; without any the work is done in this thread."""
        local = local or Serial()
        return Workers(local, executor or local, Processor(local))


@dataclass(frozen=True)
class Smoothing:
    """The smooth stand-in of a smaller problem, where it is known: the ``rows`` it was fitted to and the ``surrogate`` (None:
    there is none). Where it does not follow y as closely as that of the whole problem does, ``denoised`` (n_race,) is what
    that one made of y, None without noise."""

    rows: SmoothingRows
    surrogate: Surrogate | None
    does_follow: bool = True
    denoised: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Context:
    """Racing rows ``X`` (n_var, n_race), ``y``, ``weight`` (n_race,), and the ``probe`` rows among them (n_probe,); the work is
    done by ``workers``."""

    problem: Problem
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    weight: NDArray[np.float64]
    root: NDArray[np.float64]
    probe: NDArray[np.int64]
    clock: Clock
    workers: Workers
    scorer: Scorer
    smoothing: Smoothing | None = None

    @staticmethod
    def of(problem: Problem, settings: Settings, clock: Clock, workers: Workers | None = None) -> Context:
        """Racing and probe rows drawn with the settings' seed; without ``workers`` the work is done in this thread."""
        rng = np.random.default_rng(settings.seed)
        race_rows = np.sort(rng.permutation(len(problem.y))[: settings.n_race])
        probe = np.sort(rng.permutation(len(race_rows))[: settings.n_probe])
        whitening = problem.gaussian.root_weights
        root = np.ones(len(race_rows)) if whitening is None else whitening[race_rows]
        return Context(
            problem,
            np.ascontiguousarray(problem.X[:, race_rows]),
            problem.y[race_rows],
            root**2,
            root,
            probe,
            clock,
            workers or Workers.of(),
            problem.scorer(settings),
        )

    @cached_property
    def surrogate(self) -> Surrogate | None:
        """A smooth stand-in for y, from many more rows than take part in the race."""
        return fit_surrogate(*self.smoothing_rows) if self.smoothing is None else self.smoothing.surrogate

    @cached_property
    def smoothing_rows(self) -> SmoothingRows:
        """X (n_var, n), y and weights of the rows that stand-ins are fitted to."""
        if self.smoothing is not None:
            return self.smoothing.rows
        p = self.problem
        chosen = np.sort(np.random.default_rng(0).permutation(len(p.y))[:SMOOTH_ROWS])
        root = p.gaussian.root_weights
        weight = np.ones(len(chosen)) if root is None else root[chosen] ** 2
        return np.ascontiguousarray(p.X[:, chosen]), p.y[chosen], weight / weight.mean()

    def in_variables(self, problem: Problem, X: NDArray[np.float64], smoothing: Smoothing) -> Context:
        """The context of a reduced problem: the same rows in its variables ``X`` (n_var, n_race), with the stand-in found for
        it."""
        return replace(self, problem=problem, X=X, smoothing=smoothing)

    def divide_target(
        self, problem: Problem, X: NDArray[np.float64], scale: NDArray[np.float64], rows: SmoothingRows
    ) -> Context:
        """The context of a problem for y/scale in other variables ``X`` (n_var, n_race); noise and weights scale along.
        ``rows`` are the smoothing rows in its terms, their weights times scale²."""
        size = np.abs(scale)
        root = self.root * size / np.sqrt(np.mean(size**2))
        own, weight = fit_surrogate(*rows), rows[2]
        smoothing = Smoothing((*rows[:2], weight / weight.mean()), own)
        error = math.inf if own is None else own.error * math.sqrt(weight.mean() / self.smoothing_rows[2].mean())
        # In fewer variables a stand-in mostly follows y more closely.
        if self.surrogate is not None and error > self.surrogate.error:
            denoised = None if self.smooth is None else self.smooth / scale
            smoothing = replace(smoothing, does_follow=False, denoised=denoised)
        return replace(
            self,
            problem=problem,
            X=X,
            y=self.y / scale,
            root=root,
            weight=root**2,
            scorer=replace(
                self.scorer,
                X=problem.X,
                columns=problem.columns,
                likelihood=problem.likelihood,
                extra_cost=None,
                violation=None,
            ),
            smoothing=smoothing,
        )

    @cached_property
    def smooth(self) -> NDArray[np.float64] | None:
        """Denoised y (n_race,), where a smooth stand-in leaves nothing but noise; else None."""
        if self.smoothing is not None and not self.smoothing.does_follow:
            return self.smoothing.denoised
        s = self.surrogate
        if s is None or not s.saturated or s.error < NO_NOISE * self.scale:
            return None
        values = s.value(self.X)
        return values if np.all(np.isfinite(values)) else None

    def log_root(self) -> NDArray[np.float64]:
        """Roots of the weights (n_probe,) of log|y|: first order in the noise, where there is any."""
        root = self.root[self.probe]
        return root if self.smooth is None else root * first_order(np.abs(self.smooth[self.probe]))

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
        """True if products of powers are allowed and there are rows enough to fit ``n_line`` exponents and more."""
        return {"*", "/"} <= self.problem.allowed and self.n_probe >= n_line + 5


class LibraryView:
    """Rows of a library that take part in scans: one per shape, not constant, of cost up to ``max_cost``, within the first
    ``limit`` members."""

    def __init__(self, library: Library, X: NDArray[np.float64], limit: int, max_cost: int) -> None:
        n = min(limit, library.count)
        index = np.arange(n)
        values = library.values[:n]
        # Without seeds a library has no rows to look at either.
        span = values.max(axis=1, initial=-np.inf) - values.min(axis=1, initial=np.inf)
        varies = span > 1e-9 * library.norm[:n]
        fits = library.cost[:n] <= max_cost
        self.max_cost = max_cost
        self.members = index[(library.shape[:n] == index) & varies & fits]
        self.values = library.values[self.members]
        self.dims = library.dims[self.members]
        self.rows = LibraryRows(library, self.members, np.zeros(len(self.members), np.bool_), X)

    def of_dimension(self, dimension: int | None, limit: int | None = None) -> NDArray[np.int64]:
        """Indices of rows of one dimension (None: all), the simplest first."""
        found = np.arange(len(self.members)) if dimension is None else np.flatnonzero(self.dims == dimension)
        return found if limit is None else found[:limit]


def first_order(slope: NDArray[np.float64]) -> NDArray[np.float64]:
    """|dy/dt| as roots of weights: relative to its largest value, and not so small that a row would be lost."""
    slope = np.where(np.isfinite(slope), slope, 0.0)
    top = float(slope.max(initial=0.0))
    return np.maximum(slope / top, 1e-4) if top > 0 else np.ones_like(slope)
