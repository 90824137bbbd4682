"""Fitting constants: variable projection for the linear ones, Levenberg–Marquardt for the others, from many starts if asked.

Minimises the loss of a likelihood, which is the weighted residual sum of squares of
:class:`hypo.scoring.likelihood.Gaussian`, over the free constants of one expression. Leaves that share a name are one
parameter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hypo.expression.evaluate import Program
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.scoring.likelihood import Gaussian, Likelihood
from hypo.scoring.sums import Sums

MAX_STEPS = 60
# A step that gains less than this share of the sum of squares is the last; the second asks for all digits there are.
TOLERANCE, TIGHT = 1e-12, 1e-26
# From the given values it goes downhill boldly and then cautiously: the first leads far, the second to what is near.
DAMPINGS = 1e-2, 1.0
# The residual of a better minimum is smaller by this share, and by this share of the target.
CLEARLY, ROUNDING = 1e-9, 1e-14
# Minima whose sums of squares differ by a smaller share are the same one, or its mirror image.
SAME = 1e-7
# Minima found on few rows that go on to all: these first ones, and those with a sum of squares up to so many times the least.
SURELY, HOPEFUL = 3, 2.0
# With many starts: candidates screened for each start, those tried for a few steps, and how many steps.
SCREENED, TRIED, FEW_STEPS = 60, 4, 20
# Of descents in other likelihoods: most steps, and damped ones tried for each; the first damping, a share of the information;
# the least one; and the last step's gain in nats, ordinarily and where all digits are wanted.
NEWTON_STEPS, NEWTON_TRIALS, NEWTON_DAMPING, LEAST_DAMPING = 30, 10, 1e-4, 1e-10
LAST_NATS, TIGHT_NATS = 1e-4, 1e-13
# A start whose residual is larger than the target by this factor has its linear parameters, which are solved for anyway, at 0.
FAR = 1e8
# Rows on which candidates are screened; node values, or else steps, between two looks at the clock.
SCREEN_ROWS, WORK, LEAST_STEPS = 400, 4_000_000, 6

# X (n_var, n_row), the target and the roots of the weights (or nothing) of some rows.
Rows = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


class Deadline(Protocol):
    """Something that knows when time is up."""

    @property
    def expired(self) -> bool:
        """Whether it is."""


@dataclass(frozen=True)
class Parameters:
    """How an expression's constant slots map to parameters to fit.

    ``slot[i]`` is the parameter of constant slot i, or -1 for a fixed one; ``linear[p]`` says that the formula is
    linear in parameter p (given the others that are not).
    """

    slot: NDArray[np.int64]
    linear: NDArray[np.bool_]
    start: NDArray[np.float64]

    @staticmethod
    def of(e: Expression) -> Parameters:
        """Parameters of ``e`` in order of appearance."""
        slot = np.full(len(e.constants), -1, np.int64)
        names: dict[str, int] = {}
        start: list[float] = []
        shared: set[int] = set()
        for i, c in enumerate(e.constants):
            if not c.free:
                continue
            if c.name is not None and c.name in names:
                slot[i] = names[c.name]
                shared.add(int(slot[i]))
                continue
            slot[i] = len(start)
            if c.name is not None:
                names[c.name] = len(start)
            start.append(c.value)
        linear = np.zeros(len(start), np.bool_)
        for i in _linear_slots(e):
            if slot[i] >= 0 and int(slot[i]) not in shared:
                linear[slot[i]] = True
        return Parameters(slot, linear, np.array(start))

    def linear_first(self) -> Parameters:
        """The same parameters, the linear ones before the others."""
        order = np.argsort(~self.linear, kind="stable")
        place = np.empty(len(order) + 1, np.int64)
        place[order] = np.arange(len(order))
        place[-1] = -1
        return Parameters(place[self.slot], self.linear[order], self.start[order])

    def values(self, theta: NDArray[np.float64], fixed: NDArray[np.float64]) -> NDArray[np.float64]:
        """All constant slots' values for parameters ``theta``."""
        return np.where(self.slot >= 0, theta[self.slot], fixed) if len(theta) else fixed


def _linear_slots(e: Expression) -> list[int]:
    """Constant slots in which ``e`` is jointly linear: those reached from the root through sums and through products or
    quotients whose other part holds none of them."""
    starts = e.starts

    def visit(node: int) -> list[int]:
        op, arg = e.code[node]
        if op == oc.CONST:
            return [arg] if e.constants[arg].free else []
        if op == oc.NEG:
            return visit(node - 1)
        if op in (oc.ADD, oc.SUB):
            return visit(starts[node - 1] - 1) + visit(node - 1)
        if op == oc.DIV:
            return visit(starts[node - 1] - 1)
        if op == oc.MUL:
            return visit(starts[node - 1] - 1) or visit(node - 1)
        return []

    return visit(len(e.code) - 1)


def fit(
    e: Expression,
    X: NDArray[np.float64],
    columns: Sequence[str],
    likelihood: Likelihood,
    *,
    starts: int = 1,
    rng: np.random.Generator | None = None,
    steps: int = MAX_STEPS,
    tolerance: float = TOLERANCE,
    descents: int = len(DAMPINGS),
    clock: Deadline | None = None,
) -> Expression:
    """``e`` with its free constants at a minimum of the weighted residual sum of squares.

    The given values are the first start; ``starts > 1`` goes on from that many, drawn with ``rng``, for the parameters
    that enter non-linearly, while linear ones are always solved for. ``descents`` 1 is enough near a minimum. The result is
    never worse than the given constants. It stops with the best so far when ``clock`` has expired.

    Other likelihoods than the Gaussian one are minimised from the better of the given constants and those that fit the Gaussian
    problem which stands for them.
    """
    if not e.free:
        return e
    if not isinstance(likelihood, Gaussian):
        pilot = fit(
            e, X, columns, likelihood.gaussian,
            starts=starts, rng=rng, steps=steps, tolerance=tolerance, descents=descents, clock=clock,
        )
        with np.errstate(all="ignore"):
            losses = [likelihood.loss(likelihood.predicted(x, X, columns)) for x in (e, pilot)]
            nearer = e if losses[0] <= losses[1] else pilot
            return _descended(nearer, X, columns, likelihood, LAST_NATS if tolerance > TIGHT else TIGHT_NATS, clock)
    problem = _Problem(e, X, columns, likelihood, clock)
    with np.errstate(all="ignore"):
        given = problem.parameters.start
        best, best_rss = given, problem.rss(given)
        start = problem.start(best_rss)
        downhill = (problem.minimise(start, damping, steps, tolerance) for damping in problem.dampings[:descents])
        for k, theta in enumerate(chain(downhill, problem.elsewhere(start, starts, rng, steps, tolerance))):
            rss = problem.rss(theta)
            # Mirrored constants can fit as well; those nearest to what was given stay unless others are clearly better.
            margin = (1.0 - CLEARLY) * math.sqrt(best_rss) - ROUNDING * problem.norm if k else math.sqrt(best_rss)
            if math.sqrt(rss) < margin:
                best, best_rss = theta, rss
            if math.sqrt(best_rss) <= ROUNDING * problem.norm:
                break
    return e.with_values(problem.parameters.values(best, e.values))


def _descended(
    e: Expression,
    X: NDArray[np.float64],
    columns: Sequence[str],
    likelihood: Likelihood,
    last: float,
    clock: Deadline | None,
) -> Expression:
    """``e`` with its constants moved downhill to a minimum of the loss, by Gauss–Newton steps, damped where they fail, until
    one gains less than ``last`` nats."""
    at = Sums.of(e, X, columns, likelihood, clock=clock)
    if at is None:
        return e
    parameters = Parameters.of(e)
    to = np.zeros((len(parameters.start), len(e.constants)))
    to[parameters.slot[parameters.slot >= 0], np.flatnonzero(parameters.slot >= 0)] = 1.0
    theta, damping = parameters.start, NEWTON_DAMPING
    for _ in range(NEWTON_STEPS):
        slope, normal = to @ at.slope, to @ at.normal @ to.T
        if not (np.all(np.isfinite(normal)) and np.all(np.isfinite(slope))):
            break
        scale = np.sqrt(np.maximum(np.diag(normal), 0.0))
        scale[scale == 0.0] = 1.0
        scaled, down = normal / np.outer(scale, scale), slope / scale
        better = None
        for _ in range(NEWTON_TRIALS):
            damped = scaled + damping * np.eye(len(theta))
            step = np.linalg.solve(damped, down) / scale
            promise = float(slope @ step)
            if promise <= 0.1 * last or (clock is not None and clock.expired):
                break
            new = e.with_values(parameters.values(theta + step, e.values))
            if likelihood.loss(likelihood.predicted(new, X, columns)) < at.rss:
                better = Sums.of(new, X, columns, likelihood, clock=clock)
                break
            damping = max(10.0 * damping, NEWTON_DAMPING)
        if better is None:
            break
        # Some damping stays: constants that only matter together would leave the matrix without an inverse.
        gain, damping = 0.5 * (at.rss - better.rss), max(0.1 * damping, LEAST_DAMPING)
        e, theta, at = new, theta + step, better
        if gain < last:
            break
    return e


class _Problem:
    """The least squares problem of one expression; parameters are ordered with the linear ones first."""

    def __init__(
        self,
        e: Expression,
        X: NDArray[np.float64],
        columns: Sequence[str],
        likelihood: Gaussian,
        clock: Deadline | None = None,
    ) -> None:
        self.program = Program.of(e, columns)
        self.parameters = Parameters.of(e).linear_first()
        self.n_linear = int(np.count_nonzero(self.parameters.linear))
        self.likelihood = likelihood
        self.norm = math.sqrt(likelihood.rss(likelihood.y))
        self.clock = clock
        root = likelihood.root_weights
        weights = np.empty(0) if root is None else np.broadcast_to(root, likelihood.y.shape).astype(np.float64)
        self.rows: Rows = (X, likelihood.y, weights)

    @property
    def dampings(self) -> tuple[float, ...]:
        """With which dampings to begin at the given values; linear parameters need none."""
        return DAMPINGS[:1] if self.n_linear == len(self.parameters.start) else DAMPINGS

    @property
    def expired(self) -> bool:
        return self.clock is not None and self.clock.expired

    def rss(self, theta: NDArray[np.float64]) -> float:
        """Weighted residual sum of squares; infinite where a value is invalid."""
        values = self.parameters.values(theta, self.program.values)
        return self.likelihood.rss(self.likelihood.y - self.program.value(self.rows[0], values))

    def start(self, rss: float) -> NDArray[np.float64]:
        """The given values, whose sum of squares is ``rss``: a target that is small beside what they predict would be lost in
        rounding."""
        theta = self.parameters.start
        if not math.sqrt(rss) <= FAR * self.norm:
            theta = np.concatenate([np.zeros(self.n_linear), theta[self.n_linear :]])
        return theta

    def minimise(
        self, theta: NDArray[np.float64], damping: float, steps: int, tolerance: float, rows: Rows | None = None
    ) -> NDArray[np.float64]:
        """The minimum downhill from ``theta``, as far as ``steps`` steps lead."""
        from hypo.kernels.least_squares import RUNNING, minimise

        theta = theta.copy()
        at_once = steps
        if self.clock is not None:
            at_once = max(LEAST_STEPS, WORK // (len(self.program.op) * (rows or self.rows)[0].shape[1]))
        while True:
            status, _, damping = self._run(minimise, rows, theta, damping, min(at_once, steps), tolerance)
            steps -= at_once
            if status != RUNNING or steps <= 0 or self.expired:
                return theta

    def elsewhere(
        self, start: NDArray[np.float64], starts: int, rng: np.random.Generator | None, steps: int, tolerance: float
    ) -> Iterator[NDArray[np.float64]]:
        """Minima from up to ``starts - 1`` other points than ``start``: the best of those screened, then tried on few rows."""
        from hypo.kernels.least_squares import project

        if starts < 2 or self.n_linear == len(self.parameters.start):
            return
        few = self._few_rows()
        thetas = self._draw(start, SCREENED * starts, rng or np.random.default_rng(0))
        rss = self._run(project, few, thetas)
        order = np.argsort(rss, kind="stable")
        tried: list[NDArray[np.float64]] = []
        for theta in thetas[order[np.isfinite(rss[order])]][: TRIED * starts]:
            if self.expired:
                break
            tried.append(self.minimise(theta, DAMPINGS[0], FEW_STEPS, TOLERANCE, few))
        if not tried:
            return
        ends = np.array(tried)
        rss = self._run(project, few, ends)
        order = np.argsort(rss, kind="stable")
        all_rows = len(few[1]) == len(self.likelihood.y)
        first = done = 0
        while first < len(order) and done < starts - 1 and not self.expired:
            level = rss[order[first]]
            if not (level < np.inf and (all_rows or done < SURELY or level <= HOPEFUL * rss[order[0]])):
                return
            last = int(np.searchsorted(rss[order], level * (1.0 + SAME), side="right"))
            theta = min(ends[order[first:last]], key=self._oddity)
            yield self.minimise(theta, DAMPINGS[0], steps, tolerance)
            first, done = last, done + 1

    def _oddity(self, theta: NDArray[np.float64]) -> tuple[float, int]:
        """What orders the images of one minimum: small constants come before large ones, positive before negative."""
        return float(f"{np.abs(theta[self.n_linear :]).sum():.5g}"), int(np.count_nonzero(theta < 0))

    def _run(self, kernel: Callable[..., Any], rows: Rows | None, *rest: Any) -> Any:
        """A kernel of this problem on ``rows`` (default: all)."""
        p = self.program
        return kernel(p.op, p.arg, self.parameters.slot, p.values, *(rows or self.rows), self.n_linear, *rest)

    def _few_rows(self) -> Rows:
        """About ``SCREEN_ROWS`` rows, evenly spaced."""
        X, y, root = self.rows
        stride = -(-X.shape[1] // SCREEN_ROWS)
        return np.ascontiguousarray(X[:, ::stride]), y[::stride].copy(), root[::stride].copy()

    def _draw(self, start: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Starting points (n, n_param): a third near ``start``, the others of the data's magnitudes.

        A parameter that is not linear is most often a place or length on some column, the inverse of one, or a pure
        number; so its magnitude is that of a cell to the power 1, -1 or 0, times a factor.
        """
        X = self.rows[0]
        out = np.tile(start, (n, 1))
        m = len(start) - self.n_linear
        free = out[:, self.n_linear :]
        near = rng.uniform(size=n) < 1 / 3
        cells = np.abs(rng.choice(X[:, rng.integers(X.shape[1], size=200)].ravel(), (n, m)))
        cells[~(cells > 0)] = 1.0
        size = cells ** rng.choice([-1.0, 0.0, 1.0], (n, m)) * 10.0 ** rng.normal(0.0, 0.7, (n, m))
        sign = np.where(rng.uniform(size=(n, m)) < 0.3, -1.0, 1.0)
        around = free * 10.0 ** rng.normal(0.0, 0.7, (n, m)) * np.where(rng.uniform(size=(n, m)) < 0.1, -1.0, 1.0)
        out[:, self.n_linear :] = np.where(near[:, None], around, sign * size)
        return out
