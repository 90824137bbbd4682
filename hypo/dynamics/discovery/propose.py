"""Candidates for one equation, from several searches side by side, in one list.

1. Whole searches on thinned rows (:mod:`~hypo.dynamics.discovery.proposals.searched`).
2. Sums of rate-law terms in linear views (:mod:`~hypo.dynamics.discovery.proposals.sparse`): thinned rows, averages over bumps,
   and the samples themselves as integrals of the law.
3. Quotients of such sums, by implicit rates (:mod:`~hypo.dynamics.discovery.proposals.implicit`).

All constants are fitted in one view, so that candidates compare, and the list is ordered by misfit + code length under the
prior for rate laws. The best few with each number of constants are kept whatever their score: errors in x bias rates, and the
trajectory decides (:mod:`hypo.dynamics.discovery.discover`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock, now
from hypo.dynamics.discovery.prior.lengths import code_length, costs_of_terms
from hypo.dynamics.discovery.proposals.candidate import Candidate, distinct
from hypo.dynamics.discovery.proposals.implicit import rational_laws
from hypo.dynamics.discovery.proposals.permitted import Permitted
from hypo.dynamics.discovery.proposals.polish import misfit_in, polish
from hypo.dynamics.discovery.proposals.searched import Budget, search_rates
from hypo.dynamics.discovery.proposals.sparse import sparse_sums
from hypo.dynamics.discovery.proposals.subsets import nats_of
from hypo.dynamics.discovery.proposals.terms import Terms, make_terms
from hypo.dynamics.discovery.proposals.views import Equation, View, make_equation
from hypo.dynamics.discovery.proposals.waves import waves_in_time
from hypo.dynamics.discovery.proposals.widen import widen
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import Delay
from hypo.errors import HypoError
from hypo.expression.expr import Expression
from hypo.failures import Failures
from hypo.kernels import opcodes as oc
from hypo.knowledge.knowledge import Knowledge

Values = NDArray[np.float64]
Found = tuple[Expression, str]

# Candidates of an equation, and how many of them with each number of free constants whatever their score.
MOST = 60
OF_EACH = 2
# The share of the time that the whole search has at most; its work is bounded, too.
SEARCH_SHARE = 0.6
# Candidates with a divisor or an exponential that get a further column in there.
WIDENED = 8
# How often the slopes of the best candidate so far take the place of a quadratic's.
SECOND_LOOKS = 1
# Nats that a fitted number costs at least, and candidates of a source whose code length is looked at.
LEAST_PER_NUMBER = 3.0
LOOKED_AT = 250
# Candidates of a source that are fitted even when time is up.
LEAST_FITTED = 5


def propose(
    smoothed: Smoothed,
    k: int,
    options: Options,
    seconds: float,
    budget: Budget,
    delays: Sequence[Delay] = (),
    knowledge: Knowledge | None = None,
    failures: Failures | None = None,
) -> tuple[Candidate, ...]:
    """Right-hand sides of state k, likeliest first, at most ``MOST``. Where one source fails unexpectedly the others stand.

    Args:
        smoothed: the runs and their paths.
        k: number of the measured state whose rate, acceleration or next value is sought.
        options: the kind of law.
        seconds: time at most, which nothing else depends on.
        budget: of the search on rows.
        delays: former values that laws may use, with the lags to take them at.
        knowledge: of the law; None: nothing is known.
        failures: takes what failed.
    """
    data, clock = smoothed.data, Clock(now() + seconds)
    equation = make_equation(data, smoothed, options, k, delays)
    names = equation.names
    permitted = Permitted(knowledge, tuple(names))
    X = equation.views[0].X
    waves = waves_in_time(data.time, X[names.index(data.time)]) if options.use_time else ()
    terms = permitted.terms(make_terms(names, X, waves, [d.column for d in delays]))
    own = equation.own
    of_terms = costs_beyond_one(terms, own, len(names), len(equation.views[0].target))
    failures = failures or Failures()
    ranking = _Ranking(equation, own, clock)
    # Sums first: they find most, and their work is small.
    sources: dict[str, Callable[[], Sequence[Found]]] = {
        "sums of terms": lambda: permitted.laws(sparse_sums(terms, names, of_terms, equation.views, clock)),
        "quotients of sums": lambda: permitted.laws(rational_laws(terms, names, of_terms, equation.views[0], clock)),
        "the search on rates": lambda: permitted.laws(
            permitted.named(_searched(equation, min(SEARCH_SHARE * seconds, clock.left), budget, knowledge))
        ),
        "forms that are known": lambda: permitted.laws(permitted.filled(X)),
        "wider terms": lambda: permitted.laws(_widened(ranking.ranked, names)),
    }
    with np.errstate(all="ignore"):
        for part, source in sources.items():
            with failures.guarded(f"{part} for {data.states[k]}"):
                ranking.add(source())
        for _ in range(SECOND_LOOKS):
            if not ranking.ranked or clock.expired:
                break
            with failures.guarded(f"the second look at {data.states[k]}"):
                ranking = _look_again(ranking, terms, of_terms, permitted)
        return select(ranking.ranked, names, equation.views[0].X)


def _look_again(ranking: _Ranking, terms: Terms, of_terms: dict[str, float], permitted: Permitted) -> _Ranking:
    """Candidates with errors of columns weighed anew: their effect depends on the law's slopes, better known by now."""
    before, names, clock = ranking.ranked, ranking.equation.names, ranking.clock
    equation = ranking.equation.knowing(min(before, key=lambda c: c.score).expression)
    known = {c.expression.masked() for c in before}
    found = permitted.laws(sparse_sums(terms, names, of_terms, equation.views[:1], clock))
    again = _Ranking(equation, ranking.own, clock, ranking.costs)
    again.add([*((c.expression, c.source) for c in before), *(f for f in found if f[0].masked() not in known)])
    return again


def _searched(
    equation: Equation, seconds: float, budget: Budget, knowledge: Knowledge | None
) -> list[tuple[Expression, str]]:
    """Formulas of a whole search on thinned rows; none where there is no time, or where rows are too few for one."""
    rows = equation.rows
    try:
        found = search_rates(rows.X, rows.target, rows.sd, equation.names, seconds, budget, knowledge)
    except HypoError:
        return []
    return [(e, "search") for e in found]


def _widened(ranked: Sequence[Candidate], names: Sequence[str]) -> list[tuple[Expression, str]]:
    """The best candidates with a divisor or an exponential, with a further column in there."""
    inside = [c for c in sorted(ranked, key=lambda c: c.score) if _has_inside(c.expression)]
    return [(w, "widened") for c in inside[:WIDENED] for w in widen(c.expression, names)]


@dataclass
class _Ranking:
    """Candidates for the rate of state ``own``, fitted in the first view of its ``equation``; ``costs`` holds code lengths by
    structure."""

    equation: Equation
    own: str
    clock: Clock
    costs: dict[str, float] = field(default_factory=dict)
    ranked: list[Candidate] = field(default_factory=list)

    def add(self, found: Sequence[Found]) -> None:
        """Take the ``LOOKED_AT`` most promising of ``found``, those without a value left out; fewer when time is up."""
        view, names = self.equation.views[0], self.equation.names
        fitted: list[tuple[float, Expression, str]] = []
        # The most promising first, for those that there is no time for.
        promise = [misfit(misfit_in(e, names, view), view) + LEAST_PER_NUMBER * len(e.free) for e, _ in found]
        for n in np.argsort(promise, kind="stable"):
            e, source = found[n]
            if self.clock.expired and len(fitted) >= LEAST_FITTED:
                break
            e, squares = polish(e, names, view)
            if math.isfinite(squares):
                fitted.append((misfit(squares, view), e, source))
        # Code lengths take longer than fits: what cannot come far has none.
        fitted.sort(key=lambda f: f[0] + LEAST_PER_NUMBER * len(f[1].free))
        for n, (nats, e, source) in enumerate(fitted[:LOOKED_AT]):
            if self.clock.expired and n >= LEAST_FITTED:
                break
            structure = e.masked()
            if structure not in self.costs:
                self.costs[structure] = code_length(e, self.own, len(names), len(view.target))
            self.ranked.append(Candidate(e, self.costs[structure], nats + self.costs[structure], source))


def costs_beyond_one(terms: Terms, own: str, n_column: int, rows: int) -> dict[str, float]:
    """Code lengths of terms with a coefficient, by form, beyond those of sums of one term."""
    alone = code_length(Expression.constant(1.0, free=True), own, n_column, rows, signs=False)
    costs = costs_of_terms(terms.forms, terms.expressions, own, n_column, rows)
    return {form: max(cost - 0.5 * alone, 1.0) for form, cost in costs.items()}


def _has_inside(e: Expression) -> bool:
    return any(op in (oc.DIV, oc.EXP) for op, _ in e.code)


def misfit(squares: float, view: View) -> float:
    """Nats of a view's rows, the size of errors integrated out."""
    return nats_of(squares, view.target) if math.isfinite(squares) else math.inf


def select(found: Sequence[Candidate], columns: Sequence[str], X: Values) -> tuple[Candidate, ...]:
    """The best ones, and the best few of each number of constants, by score."""
    candidates = distinct(found, columns, X)
    taken: dict[int, int] = {}
    first: list[Candidate] = []
    rest: list[Candidate] = []
    for c in candidates:
        size = len(c.expression.free)
        taken[size] = taken.get(size, 0) + 1
        (first if taken[size] <= OF_EACH else rest).append(c)
    return tuple(sorted((first + rest)[:MOST], key=lambda c: c.score))
