"""Work on single equations, which workers can do side by side: candidates, and their trials alone.

How much is done is counted in work and in trials, never in seconds, so that equal seeds give equal answers; the clock only ends
what takes too long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypo.clock import Clock, Deadline, now
from hypo.dynamics.calibration.segments import AtRows
from hypo.dynamics.discovery.proposals.searched import Budget
from hypo.dynamics.discovery.propose import propose
from hypo.dynamics.discovery.quick import quick_law
from hypo.dynamics.discovery.score import Scorer
from hypo.dynamics.discovery.sums import form_and_count
from hypo.dynamics.discovery.trials.alone import Alone
from hypo.dynamics.discovery.trials.combine import Ranked, rank_alone
from hypo.dynamics.discovery.trials.fits import Fitter
from hypo.dynamics.discovery.trials.judge import Judge
from hypo.dynamics.discovery.trials.sharing import written
from hypo.dynamics.kinds import Kind
from hypo.dynamics.options import Options
from hypo.dynamics.rows.columns import Columns
from hypo.expression.expr import Expression
from hypo.failures import Failure, Failures
from hypo.interrupts import has_come
from hypo.parallel.executor import Executor

# Work of the search for one equation, and of those for all together (seconds on an ordinary core by its own estimates).
WORK = 2.0
WORK_OF_ALL = 14.0
# Turns after which the work of a turn grows no more; each has twice that of the one before.
GROWING = 4
# Seeds of two turns differ by more than the number of equations.
APART = 1000
# Share of the time limit that searches for all equations have at most, and the share of it from which on one may be cut.
PROPOSING = 0.4
CUT = 0.6
# Share of the time limit in which candidates are tried alone.
ALONE = 0.25
# Trials alone of all equations together, and those of one equation at least.
MOST_ALONE = 360
LEAST_ALONE = 10


@dataclass(frozen=True)
class Turn:
    """One turn of a search: its ``number`` gives its random numbers, and ``before`` says how many there were before it here."""

    number: int = 0
    before: int = 0

    def budget(self, options: Options, k: int, n_equation: int) -> Budget:
        """Bounds of the search for equation ``k`` of so many."""
        work = min(WORK, WORK_OF_ALL / n_equation) * 2 ** min(self.before, GROWING)
        # Where processes share the work, each has one core.
        threads = None if options.workers == 1 and options.scheduler is None else 1
        return Budget(work, options.seed + k + APART * self.number, threads)


FIRST_TURN = Turn()


@dataclass(frozen=True)
class Found:
    """Candidates for one equation, whether more time might have brought others, whether there was none for a search, and parts
    that failed."""

    candidates: tuple[Expression, ...]
    is_cut: bool = False
    is_hasty: bool = False
    failures: tuple[Failure, ...] = ()


def find_candidates(k: int, kind: Kind, turn: Turn, late: Deadline) -> Found:
    """Candidates for the equation of measured state ``k``, as sums, each form once."""
    options, d = kind.options, len(kind.sought)
    if has_come() or late.expired:
        return Found((find_line(k, kind),), True, True)
    failures = Failures()
    known = None if kind.background is None else kind.background.of_equation(kind.data.states[k])
    seconds = min(PROPOSING * options.time_limit / d, late.at - now())
    began, budget = now(), turn.budget(options, k, d)
    distinct: dict[tuple[str, int], Expression] = {}
    with failures.guarded(f"the search for the law of {kind.data.states[k]}"):
        found = propose(kind.smoothed, k, options, seconds, budget, kind.pattern.delays, known, failures)
        for c in found:
            e = written(c.expression)
            distinct.setdefault(form_and_count(e), e)
    kept = [*distinct.values()][: max(MOST_ALONE // d, LEAST_ALONE)]
    is_cut = now() - began > CUT * seconds
    return Found(tuple(kept or [find_line(k, kind)]), is_cut, is_cut and not kept, tuple(failures.found))


def find_line(k: int, kind: Kind) -> Expression:
    """A few terms of a line through the smoothed rates of measured state ``k``, where there is no time for more."""
    return quick_law(kind.rows(k), tuple(kind.columns.names))


def try_alone(
    k: int,
    candidates: Sequence[Expression],
    kind: Kind,
    columns: Columns,
    rows: float,
    late: Deadline,
    executor: Executor,
    failures: Failures,
) -> tuple[list[Ranked], bool]:
    """Candidates for the equation of measured state ``k`` ranked by their own trial, and whether time ended it; ``columns`` are
    those of laws, ``rows`` is the number of independent ones. ``failures`` takes what failed."""
    d = len(kind.sought)
    if len(candidates) == 1:
        return [Ranked(candidates[0], 0.0)], False
    if late.expired or has_come():
        return [Ranked(candidates[0], 0.0)], True
    if any(x.state != kind.data.states[k] for x in kind.delays):
        # Beside its state former values of others would be inputs, whose past is not there: the order is that of proposals.
        return [Ranked(e, float(n)) for n, e in enumerate(candidates)], False
    trial = Alone(kind.pattern, columns, k)
    clock = Clock(min(now() + ALONE * kind.options.time_limit / d, late.at))
    fit = Fitter(trial.data, AtRows.of(trial.smoothed), Deadline(clock.deadline))
    scorer = Scorer(trial.columns, (len(trial.own) - 1,), rows)
    judge = Judge(fit, scorer, clock, len(candidates), executor, failures=failures)
    ranked: list[Ranked] = []
    with failures.guarded(f"trials of laws of {kind.data.states[k]}"):
        ranked = rank_alone(judge, trial, candidates)
    return ranked or [Ranked(e, 0.0) for e in candidates[:1]], clock.expired
