"""Lags of laws that look back that are worth a trial, each with first laws to begin it with.

On one cycle the present and the value at almost any time before tell the rate, each pair by a law of its own: the data leave
many lags, and only how simple the law is tells the right one, once trajectories have said how well each does. So lags are
scanned over their whole range. For each of a grid the best sums of one, two and three rate-law terms are found on the samples
as integrals of the law (:mod:`hypo.dynamics.discovery.proposals.views`). For each number of terms the nats of the best sum have
valleys: a law of few terms has a sharp one at its lag, which one of more terms, that does well at many, would hide. Rows begin
where the longest lag has been recorded, whatever lag is looked at, so that nats compare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from hypo.clock import Clock, now
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery.proposals.permitted import Permitted
from hypo.dynamics.discovery.proposals.sparse import in_view, write_terms
from hypo.dynamics.discovery.proposals.subsets import best_subsets, fit_columns, nats_of
from hypo.dynamics.discovery.proposals.terms import LINEAR, POLYNOMIAL, QUADRATIC, Terms, make_terms
from hypo.dynamics.discovery.proposals.views import View, make_equation
from hypo.dynamics.discovery.propose import costs_beyond_one
from hypo.dynamics.kinds import Kind, without_idle_delays
from hypo.dynamics.rows.lags import former_values, lag_grid
from hypo.dynamics.system import Delay, System
from hypo.expression.expr import Expression
from hypo.interrupts import has_come

Values = NDArray[np.float64]
Index = NDArray[np.int64]

# Lags, or sets of lags where there are several delays, that are tried by trajectories.
CHOICES = 6
# Terms of the longest sum in the scan, and of first laws.
SIZES = 3
LONGEST = 4
# First laws of each number of terms, from one on.
OF_EACH = (2, 2, 2, 1)
# Rounds in which each lag is sought with the others held, where there are several.
ROUNDS = 2
# Lags, spread over the range, that are tried where no law of terms is sought: all of it is known, or its form.
SPREAD = 12
# Share of the time in which lags are scanned; first laws need the rest.
SCANNING = 0.7
# Steps to more digits than the grid's.
STEPS = 12
# Nats behind the best within which a lag stays in the range of later fits, and the room that this leaves beyond it.
LIKELY_LAG = 25.0
ROOM = 1.25
PLAIN = (LINEAR, QUADRATIC, POLYNOMIAL)


@dataclass(frozen=True)
class LagChoice:
    """Delays with lags, and first laws by number of the measured state, likeliest of each number of terms first."""

    delays: tuple[Delay, ...]
    laws: dict[int, tuple[Expression, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Valley:
    """A lag of one delay that is likelier than its neighbours, and its nats."""

    lag: float
    nats: float


def choose_lags(kind: Kind, sought: Sequence[int], clock: Clock) -> list[LagChoice]:
    """The likeliest lags, at most ``CHOICES`` sets of them, likeliest first.

    Args:
        kind: of the laws; its delays say in which bounds lags lie.
        sought: numbers of the measured states whose laws are sought.
        clock: ends the scan; lags that it has not come to are no choice.
    """
    scans = [_Scan(kind, k) for k in sought]
    grids = [lag_grid(kind.data, each, kind.options.discrete) for each in kind.options.delays]
    delays = [replace(d, lag=float(grid[len(grid) // 2])) for d, grid in zip(kind.delays, grids, strict=True)]
    scanning = Clock(now() + SCANNING * clock.left)
    valleys: list[list[_Valley]] = [[_Valley(d.lag, np.inf)] for d in delays]
    for _ in range(ROUNDS if len(delays) > 1 else 1):
        for q, grid in enumerate(grids):
            found = _valleys_of(scans, tuple(delays), q, grid, kind.options.discrete, scanning)
            if found:
                valleys[q] = found
                delays[q] = replace(delays[q], lag=min(found, key=lambda v: v.nats).lag)
            elif not any(np.isfinite(v.nats) for v in valleys[q]):
                chosen = np.unique(np.linspace(0, len(grid) - 1, SPREAD).astype(int))
                valleys[q] = [_Valley(float(lag), np.inf) for lag in grid[chosen]]
    sets = {tuple(delays): None}
    for each in zip_longest(*valleys):
        for q, valley in enumerate(each):
            if valley is not None:
                sets.setdefault((*delays[:q], replace(delays[q], lag=valley.lag), *delays[q + 1 :]))
    most = CHOICES if any(np.isfinite(v.nats) for each in valleys for v in each) else SPREAD
    return [LagChoice(c, {s.k: tuple(s.laws(c, clock)) for s in scans}) for c in list(sets)[:most]]


def narrow(delays: Sequence[Delay], tried: Sequence[tuple[float, System]]) -> tuple[Delay, ...]:
    """Delays with bounds that likely lags keep to: the rows before the longest one are rows of the past alone.

    Args:
        delays: those of the best system.
        tried: systems with the same delays and their scores in nats, best first.
    """
    out = []
    for q, delay in enumerate(delays):
        least, most = delay.bounds or (delay.lag, delay.lag)
        likely = [system.delays[q].lag for score, system in tried if score <= tried[0][0] + LIKELY_LAG]
        out.append(replace(delay, bounds=(least, min(most, max(ROOM * max(likely), least)))))
    return tuple(out)


def with_bounds(system: System, delays: Sequence[Delay]) -> System:
    """A system with lags of its own, in the bounds of ``delays``."""
    pairs = zip(system.delays, delays, strict=True)
    new = replace(system, delays=tuple(replace(own, bounds=present.bounds) for own, present in pairs))
    return new.with_parameters(new.within_bounds(new.parameters))


def without_idle(fitted: Calibrated) -> Calibrated:
    """The fit without former values that no equation uses."""
    return replace(fitted, system=without_idle_delays(fitted.system))


def _valleys_of(
    scans: Sequence[_Scan], delays: tuple[Delay, ...], q: int, grid: Values, is_discrete: bool, clock: Clock
) -> list[_Valley]:
    """Valleys of one lag with the others held: by turns those of each equation and number of terms, likeliest first."""
    lists = []
    for scan in scans:
        nats = np.full((len(grid), SIZES), np.inf)
        for g in _spread_first(len(grid)):
            if clock.expired or has_come():
                break
            nats[g] = scan.nats(_with_lag(delays, q, grid[g]), clock)
        known = np.flatnonzero(np.isfinite(nats).any(1))
        for size in range(SIZES):
            each = nats[known, size]
            lists.append([(scan, size, grid[known], at, each[at]) for at in _valleys(each)])
    # The equation that gains most by its law comes first; among its valleys those of each number of terms by turns.
    lists.sort(key=lambda found: min((f[4] for f in found), default=np.inf))
    out: list[_Valley] = []
    apart = float(grid[1] - grid[0]) if len(grid) > 1 else 0.0
    for turn in zip_longest(*lists):
        for found in turn:
            if found is None or not np.isfinite(found[4]) or len(out) >= CHOICES:
                continue
            scan, size, lags, at, value = found
            lag = lags[at]
            if not is_discrete and len(lags) > 2:
                ends = lags[max(at - 1, 0)], lags[min(at + 1, len(lags) - 1)]
                lag = _refined(scan.misfit_of_best(_with_lag(delays, q, lag), size, q, clock), float(lag), ends)
            if all(abs(lag - v.lag) > 0.6 * apart for v in out):
                out.append(_Valley(float(lag), float(value)))
    return out


def _with_lag(delays: tuple[Delay, ...], q: int, lag: float) -> tuple[Delay, ...]:
    return (*delays[:q], replace(delays[q], lag=float(lag)), *delays[q + 1 :])


def _refined(misfit: Callable[[float], float], lag: float, ends: tuple[float, float]) -> float:
    found = minimize_scalar(misfit, bounds=ends, method="bounded", options={"maxiter": STEPS})
    return float(found.x) if found.fun < misfit(lag) else lag


def _spread_first(n: int) -> Iterator[int]:
    """All numbers below n, first some that are spread over all: a scan that is cut short has looked everywhere."""
    step, seen = 1 << max(n - 1, 1).bit_length(), set()
    while step:
        for k in range(0, n, step):
            if k not in seen:
                seen.add(k)
                yield k
        step //= 2


def _valleys(nats: Values) -> Index:
    """Places lower than both neighbours, lowest first."""
    around = np.concatenate([[np.inf], nats, [np.inf]])
    low: Index = np.flatnonzero((nats <= around[:-2]) & (nats <= around[2:]))
    return low[np.argsort(nats[low], kind="stable")]


class _Scan:
    """One equation, looked at with former values at any lags."""

    def __init__(self, kind: Kind, k: int) -> None:
        equation = make_equation(kind.data, kind.smoothed, kind.options, k, kind.delays)
        self.k, self.names, self.view, self.columns = k, equation.names, equation.views[0], kind.columns
        self.own = equation.own
        background = kind.background
        known = None if background is None else background.of_equation(kind.data.states[k])
        self.permitted = Permitted(known, tuple(self.names))
        self.costs: dict[str, float] = {}

    def at(self, delays: Sequence[Delay]) -> View:
        """The view with former values at other lags."""
        X = self.view.X.copy()
        for d in delays:
            X[self.names.index(d.column)] = former_values(self.columns, d, self.view.run, self.view.time)
        return replace(self.view, X=X)

    def terms(self, view: View, delays: Sequence[Delay]) -> Terms:
        """Products of powers, and whatever has a former value in it."""
        terms = self.permitted.terms(make_terms(self.names, view.X, former=[d.column for d in delays]))
        late = {d.column for d in delays}
        plain = set(terms.within(PLAIN).tolist())
        return terms.keep(
            np.array([n in plain or bool(late & set(e.variables)) for n, e in enumerate(terms.expressions)])
        )

    def best(self, delays: Sequence[Delay], sizes: int, clock: Clock) -> tuple[View, Terms, Values, list[Index]]:
        """The view, its terms, their columns, and the best sums of each number of terms."""
        view = self.at(delays)
        with np.errstate(all="ignore"):
            terms = self.terms(view, delays)
            if not terms.expressions:
                return view, terms, np.empty((0, len(view.target))), []
            unknown = terms.keep(np.array([f not in self.costs for f in terms.forms], bool))
            self.costs |= costs_beyond_one(unknown, self.own, len(self.names), len(view.target))
            cost = np.array([self.costs[f] for f in terms.forms])
            A = in_view(terms, self.names, view)
            return view, terms, A, best_subsets(A, view.target, cost, terms.numbers, sizes, clock)

    def nats(self, delays: Sequence[Delay], clock: Clock) -> Values:
        """Nats (SIZES,) of the best sum of each number of terms, infinite where there is none."""
        view, terms, A, found = self.best(delays, SIZES, clock)
        out = np.full(SIZES, np.inf)
        for n, subsets in enumerate(found):
            if len(subsets):
                cost = sum(self.costs[terms.forms[i]] for i in subsets[0])
                out[n] = nats_of(fit_columns(A[subsets[0]], view.target)[1], view.target) + cost
        return out

    def misfit_of_best(self, delays: tuple[Delay, ...], size: int, q: int, clock: Clock) -> Callable[[float], float]:
        """The misfit of the best sum of so many terms with these lags, as a function of lag q."""
        _, terms, _, found = self.best(delays, size + 1, clock)
        if len(found) <= size or not len(found[size]):
            return lambda lag: 0.0
        keeps = np.zeros(len(terms.expressions), bool)
        keeps[found[size][0]] = True
        chosen = terms.keep(keeps)

        def misfit(lag: float) -> float:
            view = self.at(_with_lag(delays, q, lag))
            return nats_of(fit_columns(in_view(chosen, self.names, view), view.target)[1], view.target)

        return misfit

    def laws(self, delays: tuple[Delay, ...], clock: Clock) -> Iterator[Expression]:
        """First laws with these lags: by turns the best of each number of terms."""
        view, terms, A, found = self.best(delays, LONGEST, clock)
        lists = [
            [(write_terms(terms, s, A, view), "lags") for s in subsets[:most]]
            for subsets, most in zip(found, OF_EACH, strict=False)
        ]
        each = [f for turn in zip_longest(*lists) for f in turn if f is not None]
        for e, _ in (*self.permitted.laws(self.permitted.filled(view.X)), *self.permitted.laws(each)):
            yield e
