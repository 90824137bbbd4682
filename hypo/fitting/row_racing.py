"""Racing on subsets: with many rows a formula is fitted to few, and meets more only while it may belong on the front.

The rungs are nested samples of the rows, each up to ``RUNG_FACTOR`` times as large as the one before; the last is the data. On
each rung but the last, a formula is held against the rival: the best-scored formula that is no more complex. Both are
evaluated on the same rows, so what counts is the mean and the scatter of the differences of their squared residuals. What is
clearly worse leaves; what looks better on the rung below the data is fitted and scored on all rows, and only that is ever
archived. Of what is in doubt there, the most promising follow (:meth:`hypo.fitting.refiner.Refiner.snap_pending`).

Memory: the samples together are at most half the data, most often a fifth, and sums over all rows are taken block by block
(:mod:`hypo.scoring.row_sums`), so a search holds the table, the problem's copy of it, and a part that does not
depend on the rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock
from hypo.expression.expr import Expression
from hypo.fitting.constants.fit import Parameters
from hypo.problem.problem import Problem
from hypo.scoring.row_sums import RowSums
from hypo.scoring.score import Hypothesis

if TYPE_CHECKING:
    from hypo.parallel.executor import Executor

# Rows that proposers see at most.
PROPOSER_ROWS = 20_000
# Rows of the first rung of the ladder that there is from MANY_ROWS rows on.
FIRST_RUNG = 1_000
# How many times larger the next rung may be.
RUNG_FACTOR = 8.0
# A formula worse than its rival by more than this many standard errors leaves.
DOUBT = 2.0
# A step of the constants that promises less than this many nats is the last.
LAST_GAIN = 0.02
# Most steps.
MOST_STEPS = 6
# Shorter ones tried for each.
SHORTER = 3


def sample(problem: Problem, rows: NDArray[np.int64]) -> Problem:
    """The problem on some of its rows."""
    return replace(
        problem, X=np.ascontiguousarray(problem.X[:, rows]), y=problem.y[rows], likelihood=problem.likelihood.take(rows)
    )


def make_problem_for_proposers(problem: Problem, seed: int) -> Problem:
    """The problem as those see it who put forward formulas: a Gaussian one, on ``PROPOSER_ROWS`` rows at most."""
    return sample_problem(problem.working, seed)


def sample_problem(problem: Problem, seed: int) -> Problem:
    """The problem on ``PROPOSER_ROWS`` of its rows at most."""
    if len(problem.y) <= PROPOSER_ROWS:
        return problem
    return sample(
        problem, np.sort(np.random.default_rng([seed, 1]).choice(len(problem.y), PROPOSER_ROWS, replace=False))
    )


def make_rungs(problem: Problem, seed: int) -> tuple[Problem, ...]:
    """The problem on growing samples of its rows, and on all of them last; with up to ``MANY_ROWS`` rows itself alone."""
    n = len(problem.y)
    if not problem.has_many_rows:
        return (problem,)
    count = math.ceil(math.log(n / FIRST_RUNG) / math.log(RUNG_FACTOR))
    sizes = [round(FIRST_RUNG * (n / FIRST_RUNG) ** (k / count)) for k in range(count)]
    order = np.random.default_rng([seed, 2]).permutation(n)[: sizes[-1]]
    return (*(sample(problem, np.sort(order[:size])) for size in sizes), problem)


@dataclass(frozen=True)
class SubsetVerdict:
    """By how many nats a formula is estimated to score above its rival on all rows, and the standard error of that."""

    difference: float
    error: float

    @property
    def hopeless(self) -> bool:
        """True if it is clearly worse."""
        return self.difference > DOUBT * self.error

    @property
    def better(self) -> bool:
        """True if it looks better."""
        return self.difference <= 0.0


def judge_on_subset(h: Hypothesis, rival: Hypothesis | None, rung: Problem, data: Problem) -> SubsetVerdict:
    """The prospects of ``h``, fitted and scored on ``rung``, against ``rival``, scored on ``data``, there.

    With the squared residuals a_i of h and b_i of the rival on the n rows of the rung, the difference of their scores on all
    N rows is estimated by N/n·(misfit_h − misfit_rival) + ½ N/n·k for the k constants fitted to the rung, plus that of their
    costs. Its standard error follows from the scatter of a_i/ā − b_i/b̄ (of a_i − b_i where σ is known).
    """
    n, ratio = len(rung.y), data.likelihood.total_weight / rung.likelihood.total_weight
    if rival is None or not np.all(np.isfinite(its := _squares(rival.expression, rung))):
        return SubsetVerdict(-math.inf, 0.0)
    mine = _squares(h.expression, rung)
    a, b = float(mine.sum()), float(its.sum())
    known = rung.likelihood
    if known.is_noise_known:
        gain, scatter = 0.5 * (a - b), 0.5 * (mine - its)
    else:
        va, vb = known.noise_variance(a), known.noise_variance(b)
        gain, scatter = known.misfit(a) - known.misfit(b), 0.5 * (mine / va - its / vb)
    fitted = len(Parameters.of(h.expression).start)
    # A constant's code grows by half a nat for each factor e in the rows.
    cost = h.score - h.misfit + 0.5 * fitted * math.log(ratio) - (rival.score - rival.misfit)
    return SubsetVerdict(ratio * (gain + 0.5 * fitted) + cost, ratio * float(scatter.std()) * math.sqrt(n))


def _squares(e: Expression, p: Problem) -> NDArray[np.float64]:
    """The share of each row (n_row,) in the loss: squared whitened residuals, where the noise is Gaussian."""
    with np.errstate(all="ignore"):
        return p.likelihood.losses(p.likelihood.predict(e, p.X, p.columns))


def refit(
    e: Expression, problem: Problem, clock: Clock, executor: Executor | None = None
) -> tuple[Expression, RowSums] | None:
    """``e`` with its constants moved from a fit on fewer rows to the minimum over all, by Gauss–Newton steps on sums over
    blocks of rows; and these sums at the end. None where it is not finite on some row, or time was up."""

    def sums(x: Expression) -> RowSums | None:
        return RowSums.of(
            x, problem.X, problem.columns, problem.likelihood, gradient=bool(x.free), clock=clock, executor=executor
        )

    at = sums(e)
    if at is None or not e.free:
        return None if at is None else (e, at)
    parameters = Parameters.of(e)
    to = np.zeros((len(parameters.start), len(e.constants)))
    for i, p in enumerate(parameters.slot):
        if p >= 0:
            to[p, i] = 1.0
    theta = parameters.start
    for _ in range(MOST_STEPS):
        slope, normal = to @ at.slope, to @ at.normal @ to.T
        scale = np.sqrt(np.diag(normal))
        if not np.all(np.isfinite(normal)) or not np.all(np.isfinite(slope)):
            break
        scale[scale == 0.0] = 1.0
        step = (np.linalg.pinv(normal / np.outer(scale, scale), rcond=1e-13, hermitian=True) @ (slope / scale)) / scale
        if float(slope @ step) <= 2.0 * LAST_GAIN * problem.likelihood.noise_variance(at.rss):
            break
        for k in range(SHORTER + 1):
            trial = theta + step * 0.25**k
            new = e.with_values(parameters.values(trial, e.values))
            better = sums(new)
            if better is not None and better.rss < at.rss:
                e, theta, at = new, trial, better
                break
            if clock.expired:
                return e, at
        else:
            break
    return e, at
