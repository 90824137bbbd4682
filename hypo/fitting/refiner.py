"""Refinement: from a raw formula to scored hypotheses: simplify, fit, score, snap, archive."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock
from hypo.expression.edits.neighbours import neighbours, simpler
from hypo.expression.edits.relatives import halved, phased, relatives, rooted
from hypo.expression.edits.spellings import ready, spellings
from hypo.expression.expr import Expression
from hypo.fitting.archive import BEYOND, CLOSER, Archive, loss, rank
from hypo.fitting.between_rows.aliases import is_told_apart
from hypo.fitting.between_rows.definedness import is_sound
from hypo.fitting.constants.fit import DescentOptions, fit
from hypo.fitting.covariance import covariance
from hypo.fitting.level_parts import drop_level_parts
from hypo.fitting.row_racing import judge_on_subset, make_rungs, refit
from hypo.fitting.rule_checks import WORTH, Rulebook, RuleReport
from hypo.problem.exact import FEW_CONSTANTS, is_exact
from hypo.problem.problem import Problem, Settings
from hypo.scoring.score import NATIVE, Hypothesis
from hypo.scoring.snap import expected_snap_score, round_constants, snap

if TYPE_CHECKING:
    from hypo.parallel.executor import Executor

# Hypotheses that snapping could not bring closer to the best than this many nats are archived as they are.
SNAP_WITHIN = 2.0
# Formulas whose constants are snapped at the end of a turn.
SNAPPED = 8
# Formulas among which these are chosen.
LOOKED_AT = 60
# Formulas with a relative residual below this are snapped at once.
NEARLY_EXACT = 1e-6
# Variables that are looked at alone before the search: it looks at all of them, and a thousand take a second.
ALONE = 100
# Rows on which formulas that were in doubt on fewer of them are fitted at the end of a turn; one formula always is.
AGAIN = 60_000
# Formulas a turn whose constants are fitted under rules.
RULED = 12
# Formulas that are finished at the end, at most,
FINISHED = 3
# and no worse than the best by more nats.
FINISH_WITHIN = 20.0
# Starts of the last fit of what lies on the front beyond the best score.
STARTS = 4
# Formulas that are worse than the front by more nats than the posterior weighs are not looked at between the rows.
SOUND_WITHIN = 10.0
# Formulas whose neighbours are fitted for the posterior, at most,
SURROUNDED = 8
# and no worse than the best by more nats.
SURROUND_WITHIN = 12.0


class Refiner:
    """Turns formulas with free constants into archived hypotheses of one problem, marked with the ``origin`` of the time."""

    def __init__(
        self, problem: Problem, settings: Settings, archive: Archive, clock: Clock, executor: Executor | None = None
    ) -> None:
        self.problem = problem
        self.settings = settings
        self.archive = archive
        self.clock = clock
        self._executor = executor
        self.scorer = problem.scorer(settings)
        self.rules = Rulebook(problem, settings.lam)
        self._rungs = make_rungs(problem, settings.seed)
        self._scorers = [p.scorer(settings) for p in self._rungs[:-1]]
        self._seen: set[str] = set()
        self._unsnapped: list[Hypothesis] = []
        self._unruled: list[Hypothesis] = []
        # By their residuals, of which equal ones are of equal formulas: the expected score, and the formula.
        self._doubtful: dict[str, tuple[float, Expression]] = {}
        self.origin = NATIVE
        self._scale = float(np.sqrt(np.mean(problem.y**2))) or 1.0

    def add_baselines(self, report: Callable[[str], None] = lambda stage: None) -> None:
        """Variables alone, and the constant: the simplest members of the front."""
        p = self.problem
        for name in select_likeliest(p.columns, p.X, p.y):
            if self.clock.expired and self.archive.best is not None:
                break
            self.consider(Expression.variable(name))
        report("baselines")
        if self.settings.fit_constants:
            constant = Expression.constant(float(np.mean(p.y)), free=True)
            if self.archive.best is None:
                # There is something to show before the first fit, whose kernels may have to be compiled.
                self.keep(self._under_rules(self.scorer.score(constant)))
                report("baselines")
            # Not snapped: a formula without variables is a yardstick, and 0 would be a poor one.
            self.keep(self._under_rules(self._fit(constant), at_once=True))
            report("baselines")

    def consider(self, e: Expression, fitted: bool = False) -> Hypothesis | None:
        """Simplify, fit, score, snap where promising, archive; returns the best form found or None.

        A formula without free constants is scored as it stands too: another spelling may break a rule, or cost more, as
        2*x does for x + x. ``fitted``: the constants are good ones, so the form is looked at even if it was before, with
        others.
        """
        if not e.free:
            self.keep(self._under_rules(self._fit(e)))
        e = self.problem.simplify(e)
        key = e.masked()
        if key in self._seen and not (fitted and e.free):
            return None
        self._seen.add(key)
        if len(e) > 2 * self.problem.max_complexity:
            return None
        h, dropped = self._race(e)
        h = self._sound(h)
        if h is None and not dropped:
            h = self._within_domain(e)
        h = self._under_rules(h)
        if h is None:
            return None
        self.keep(h)
        if not h.expression.free:
            return h
        if h.rmse <= NEARLY_EXACT * self._scale:
            return self._snap(h)
        self._unsnapped.append(h)
        return h

    def snap_pending(self) -> None:
        """Of the formulas since the last call, look again at those that were in doubt on fewer rows, and snap the constants of
        those that could become the best by it."""
        self._look_again()
        self._fit_under_rules()
        waiting, self._unsnapped = sorted(self._unsnapped, key=self._optimistic_score), []
        promising: list[tuple[float, int]] = []
        for k, h in enumerate(waiting[:LOOKED_AT]):
            if self.clock.expired or not self._within_reach(self._optimistic_score(h)):
                break
            promising.append((expected_snap_score(h, self.covariance(h.expression), self.scorer), k))
        for score, k in sorted(promising)[:SNAPPED]:
            if self.clock.expired or not self._within_reach(score):
                return
            self._snap(waiting[k])

    def _look_again(self) -> None:
        """Fit the most promising of the formulas in doubt to all rows."""
        waiting, self._doubtful = sorted(self._doubtful.values(), key=lambda d: d[0]), {}
        for _, e in waiting[: max(1, AGAIN // len(self.problem.y))]:
            if self.clock.expired:
                return
            h = self._under_rules(self._sound(self._on_all_rows(e)))
            self.keep(h)
            if h is not None and h.expression.free:
                self._unsnapped.append(h)

    def _within_reach(self, score: float) -> bool:
        best = self.archive.best
        return best is None or score <= best.score + SNAP_WITHIN

    def finish(self, whole: bool = False) -> None:
        """Try the best formulas without parts that do nothing, simpler relatives (neither where they are to stay ``whole``) and
        other spellings, as long as the best one changes."""
        changed = True
        while changed:
            best = self.archive.best
            for h in self.archive.all()[:FINISHED]:
                if not self._within_reach(h.score - FINISH_WITHIN):
                    break
                self.origin = h.origin
                either = (h.expression, *halved(h.expression)) if ready(self.clock.left) else ()
                equal = (s for e in either for s in spellings(e))
                part = () if whole else chain(self._drop_level_parts(h.expression), relatives(h.expression))
                for e in chain(part, rooted(h.expression), equal):
                    if self.clock.expired:
                        return
                    self.consider(e)
                for e in phased(h.expression):
                    self.consider(e, fitted=True)
                self.snap_pending()
            changed = self.archive.best is not best

    def finish_front(self) -> None:
        """Fit the formulas of the front that the score does not believe to the end and snap them: the search did so only with
        what could win."""
        best = self.archive.best
        if best is None or is_exact(best, self.problem):
            return
        believed = self.archive.believed()
        for h in self.archive.front():
            if h in believed or not h.expression.free:
                continue
            if self.clock.expired:
                return
            self.origin = h.origin
            again = self._under_rules(self._sound(self._to_the_end(h.expression)), at_once=True) or h
            self.keep(again)
            self._snap(again)

    def _to_the_end(self, e: Expression) -> Hypothesis | None:
        """``e`` with its constants at the best minimum that some starts reach."""
        if len(self._rungs) > 1:
            return self._on_all_rows(e)
        p = self.problem
        rng = np.random.default_rng([self.settings.seed, 4])
        with np.errstate(all="ignore"):
            return self.scorer.score(fit(e, p.X, p.columns, p.likelihood, starts=STARTS, rng=rng, clock=self.clock))

    def _drop_level_parts(self, e: Expression) -> Iterator[Expression]:
        # With many rows a sample shows which parts are level.
        p = self._rungs[0]
        return drop_level_parts(e, p.X, p.columns, self.settings.fit_constants)

    def add_neighbours(self) -> None:
        """Fit and archive what stands around the best formulas, for the posterior: it may come close without winning."""
        best = self.archive.best
        if best is None or is_exact(best, self.problem):
            return
        near = [h for h in self.archive.all()[:SURROUNDED] if h.score <= best.score + SURROUND_WITHIN]
        allowed, fit_constants = self.problem.allowed, self.settings.fit_constants
        # What is simpler comes first, around all of them: there is less of it.
        for first, h in product((True, False), near):
            self.origin = h.origin
            for e in simpler(h.expression) if first else neighbours(h.expression, allowed, fit_constants):
                if self.clock.expired:
                    return
                key = e.masked()
                if key not in self._seen and len(e) <= 2 * self.problem.max_complexity:
                    self._seen.add(key)
                    self.keep(self._under_rules(self._fit(e)))

    def score_for_posterior(self, e: Expression) -> Hypothesis | None:
        """``e`` as it stands, fitted and scored under the rules for the posterior: archived nowhere, counted in no tally."""
        return None if self.problem.breaks(e) else self._charge(self._fit(e))

    def score_near(self, e: Expression) -> Hypothesis | None:
        """``e``, its constants near the best ones, fitted to all rows and scored under the rules, whatever else was found."""
        return None if self.problem.breaks(e) else self._charge(self._on_all_rows(e))

    def _charge(self, h: Hypothesis | None) -> Hypothesis | None:
        return self.rules.charge(h) if h is not None and self.rules else h

    def _sound(self, h: Hypothesis | None) -> Hypothesis | None:
        """``h`` unless it goes astray between the rows, or has waves there that they do not tell from slower ones. Not asked of
        those that are too far from the front to matter; an exact law is believed, but for its waves."""
        if h is None or h.score > self.archive.least_score(h.complexity) + max(SURROUND_WITHIN + SOUND_WITHIN, BEYOND):
            return h
        e, spacing = h.expression, self.problem.spacing
        exact = is_exact(h, self.problem) and len(e) < len(self.problem.y)
        if not (exact or is_sound(e, spacing, h.rmse)) or not is_told_apart(e, spacing, h.misfit, self._fitted_misfit):
            return None
        return h

    def _fitted_misfit(self, e: Expression) -> float:
        """The misfit that ``e`` has on all rows with its constants fitted."""
        h = self._race(e, 1)[0]
        return math.inf if h is None else h.misfit

    def _within_domain(self, e: Expression) -> Hypothesis | None:
        """The best of ``e`` with exact numbers near its constants: noise in fitted ones can put rows outside a domain."""
        if not 0 < len(e.free) <= FEW_CONSTANTS or self.clock.expired:
            return None
        found = [h for h in (self._fit(self.problem.simplify(x)) for x in round_constants(e)) if h is not None]
        return min(found, key=rank, default=None)

    def keep(self, h: Hypothesis | None) -> None:
        """Archive ``h``, which was scored on all rows; None counts as tried."""
        self.archive.add(None if h is None else replace(h, origin=self.origin), self.clock.scored)

    def _snap(self, h: Hypothesis) -> Hypothesis:
        out = snap(h, self.covariance, self._refit, self.scorer)
        if out is not h:
            self.keep(out)
        return out

    def _optimistic_score(self, h: Hypothesis) -> float:
        """The score if snapping removed every fitted constant together with the operation it stands in."""
        size = h.complexity - 2 * len(h.expression.free)
        return h.misfit + size * math.log(self.scorer.symbols)

    def _refit(self, e: Expression) -> Hypothesis | None:
        e = self.problem.simplify(e)
        # The constants that are left are nearly right for all rows.
        h = self._fit(e, 1) if len(self._rungs) == 1 else self._sound(self._on_all_rows(e))
        return self._under_rules(h, at_once=True)

    def _under_rules(self, h: Hypothesis | None, at_once: bool = False) -> Hypothesis | None:
        """``h`` charged for the rules it breaks. Where its constants fitted under them may bring the best formula, that is done
        ``at_once``, or at the end of the turn."""
        if h is None or not self.rules:
            return h
        behind = h.score - self.archive.least_score(h.complexity)
        if behind > WORTH and (behind > BEYOND or loss(h) > self.archive.least_loss(h.complexity) - CLOSER):
            # Rules only add to a score, and this one is far from the front without them.
            return None
        found = self.rules.apply(h)
        if (found is None or found.violation > h.violation) and h.expression.free:
            if not at_once:
                self._unruled.append(h)
            elif self._is_worth_fitting(h):
                again = self.rules.fit_under_rules(h, self.scorer.score, self.clock)
                found = min((x for x in (found, again) if x is not None), key=rank, default=None)
        return found

    def _is_worth_fitting(self, h: Hypothesis) -> bool:
        """True if ``h``, scored without the rules, may be the best under them: they only add to a score."""
        best = self.archive.best
        return not self.clock.expired and (best is None or h.score < best.score)

    def _fit_under_rules(self) -> None:
        """Fit the constants of the best formulas since the last call that break rules."""
        waiting, self._unruled = sorted(self._unruled, key=rank), []
        for h in waiting[:RULED]:
            if not self._is_worth_fitting(h):
                return
            found = self.rules.fit_under_rules(h, self.scorer.score, self.clock)
            self.keep(found)
            if found is not None:
                self._unsnapped.append(found)

    def final_rule_check(self) -> tuple[RuleReport, ...]:
        """Check the front with care: formulas that break a hard rule after all leave. Reports on each rule."""
        if not self.rules:
            return ()
        seen: set[Hypothesis] = set()
        while True:
            best = self.archive.best
            verdicts = () if best is None else self.rules.verdicts(best.expression)
            if best is not None and not self.rules.are_hard_kept(verdicts):
                self.archive.drop(best)
                continue
            # Proofs take time: only the best formula gets them.
            for h in self.archive.front(is_exact(best, self.problem)):
                if h is not best and h not in seen and not self.rules.keeps_hard(h.expression):
                    self.archive.drop(h)
                    break
                seen.add(h)
            else:
                return self.rules.reports(best, verdicts)

    def report_unchecked(self) -> tuple[RuleReport, ...]:
        """Reports on each rule without a check of the answer, where there was no time for :meth:`final_rule_check`."""
        return self.rules.reports(self.archive.best, ())

    def _fit(self, e: Expression, descents: int = 2) -> Hypothesis | None:
        """``e`` fitted and scored on all rows; with many rows None unless it may belong on the front
        (:mod:`hypo.fitting.row_racing`), or it goes astray between them."""
        return self._sound(self._race(e, descents)[0])

    def _race(self, e: Expression, descents: int = 2) -> tuple[Hypothesis | None, bool]:
        """The same, and whether it is None for its score, rather than for rows outside its domain."""
        p = self._rungs[0]
        with np.errstate(all="ignore"):
            if e.free:
                options = DescentOptions(steps=30, descents=descents)
                e = fit(e, p.X, p.columns, p.likelihood, options=options, clock=self.clock)
            if len(self._rungs) == 1:
                return self.scorer.score(e), False
            for k, (rung, scorer) in enumerate(zip(self._rungs, self._scorers, strict=False)):
                refitted = refit(e, rung, self.clock, self._executor) if k else (e, None)
                if refitted is None:
                    return None, False
                e = refitted[0]
                h = scorer.score(*refitted)
                if h is None or self.clock.expired:
                    return None, False
                found = judge_on_subset(h, rival := self.archive.rival(h.complexity), rung, self.problem)
                if found.hopeless:
                    return None, True
                if rival is not None and not found.better and k == len(self._rungs) - 2:
                    expected = rival.score + found.difference
                    known = self._doubtful.get(f"{h.rmse:.9g}")
                    if known is None or expected < known[0]:
                        self._doubtful[f"{h.rmse:.9g}"] = expected, e
                    return None, True
            return self._on_all_rows(e), False

    def _on_all_rows(self, e: Expression) -> Hypothesis | None:
        with np.errstate(all="ignore"):
            refitted = refit(e, self.problem, self.clock, self._executor)
            return None if refitted is None else self.scorer.score(*refitted)

    def covariance(self, e: Expression) -> NDArray[np.float64]:
        """Covariance (n_constant, n_constant) of the free constants; 0 for others."""
        # With many rows that of the highest rung below, as if it had as many.
        return covariance(e, self._rungs[max(0, len(self._rungs) - 2)], len(self.problem.y))


def select_likeliest(columns: tuple[str, ...], X: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[str, ...]:
    """All ``columns``, or where there are very many the nearest to y (n_row,) by themselves, in their order."""
    if len(columns) <= ALONE:
        return columns
    with np.errstate(all="ignore"):
        apart = np.sum((X - y) ** 2, axis=1)
    return tuple(columns[k] for k in np.sort(np.argsort(apart, kind="stable")[:ALONE]))
