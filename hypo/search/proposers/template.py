"""Partial knowledge of the law: a template such as y = a·g(x) + h(u, v), of which only the unknown functions are searched for.

With all unknowns but one held at what is known of them, the template is solved for the last one on every row (Newton's
method): that is its *working target*, whose noise is the data's over |∂y/∂h|, so rows carry weights (∂y/∂h)². First every
unknown is a smooth surrogate, and they take turns until the misfit settles (backfitting); then each is searched for as a
law of its own, of its working target; what the searches find is put together, and only whole formulas are fitted and scored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray

from hypo.clock import now
from hypo.expression.analysis.derivative import derivative
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.fitting.constants.fit import DescentOptions, fit
from hypo.knowledge import Knowledge
from hypo.likelihood.base import Gaussian
from hypo.problem.problem import Problem, Settings
from hypo.problem.surrogate import fit_surrogate
from hypo.scoring.score import Hypothesis
from hypo.search.proposers.base import Turn, Workspace

Values = NDArray[np.float64]

# Rounds of backfitting with surrogates.
ROUNDS = 30
# The misfit settles when it falls by a smaller share.
SETTLED = 1e-3
# Newton steps for a working target.
STEPS = 40
# The relative residual that ends them.
SOLVED = 1e-13
# Work in the first search of an unknown, in seconds on an ordinary core.
FIRST = 2.0
# Each next turn takes this many times as much.
LONGER = 2.0
# Formulas of each unknown that are put together with those of the others.
KEPT = 6
# Formulas take the place of surrogates when the sum of squares grows by no more than this factor.
NO_WORSE = 1.05


class TemplateSearch:
    """Proposes formulas of the template's form. ``solve`` searches a problem and returns the front of what it found, and how
    many hypotheses were scored for it."""

    def __init__(
        self, workspace: Workspace, solve: Callable[[Problem, Settings], tuple[tuple[Hypothesis, ...], int]]
    ) -> None:
        self.name = "template"
        self.cost = FIRST
        problem = workspace.problem.working
        assert workspace.problem.template is not None
        template = workspace.problem.template.without_single_names()
        self._problem, self._settings, self._template, self._solve = problem, workspace.settings, template, solve
        self._unknowns = tuple(template.unknowns)
        self._X = {name: problem.X[k] for k, name in enumerate(problem.columns)}
        self._known: dict[str, Values] = {}
        self._form = template.expression
        self._found: dict[str, list[Expression]] = {name: [] for name in self._unknowns}

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """Whole formulas, from one more search of every unknown."""
        if not self._known:
            self._backfit(turn)
        for name in self._unknowns:
            if turn.clock.expired:
                return
            self._search(name, turn)
            yield from self._together(turn)
        self.cost *= LONGER
        if turn.alone and self.cost > self._settings.time_limit:
            self.cost = math.inf

    # --- working targets ---------------------------------------------------------------------------------

    @property
    def _names(self) -> tuple[str, ...]:
        """The rows that a form is evaluated on: the columns and the unknowns."""
        return (*self._problem.columns, *self._unknowns)

    def _values(self) -> Values:
        """Their values (n_name, n_row)."""
        return np.array([*self._problem.X, *(self._known[u] for u in self._unknowns)])

    def _at(self, e: Expression) -> Values:
        with np.errstate(all="ignore"):
            return Program.of(e, self._names).value(self._values())

    def _solve_for(self, name: str) -> tuple[Values, Values]:
        """The values that ``name`` must take for the template to meet y, the others as they are, and |∂y/∂name| there.

        Rows on which no value does so keep the value that comes closest.
        """
        slope = derivative(self._form, name)
        y, start = self._problem.y, self._known[name]
        scale = float(np.sqrt(np.mean(y**2))) or 1.0
        at, best, error = start.copy(), start.copy(), np.full(len(y), np.inf)
        for _ in range(STEPS):
            self._known[name] = at
            miss = y - self._at(self._form)
            better = np.abs(miss) < error
            best, error = np.where(better, at, best), np.where(better, np.abs(miss), error)
            if np.all(error <= SOLVED * scale):
                break
            with np.errstate(all="ignore"):
                step = miss / self._at(slope)
            # Where the last step made it worse, go half way back.
            at = np.where(better & np.isfinite(step), at + step, 0.5 * (at + best))
        self._known[name] = best
        gradient = np.abs(self._at(slope))
        self._known[name] = start
        return best, np.where(np.isfinite(gradient), gradient, 0.0)

    def _backfit(self, turn: Turn) -> None:
        """Surrogates for all unknowns, from constants."""
        y = self._problem.y
        rng = turn.rng
        self._known = {u: np.full(len(y), 1.0) + 1e-3 * rng.standard_normal(len(y)) for u in self._unknowns}
        free = self._form.free
        before = math.inf
        for _ in range(ROUNDS if len(self._unknowns) > 1 else 1):
            for name in self._unknowns:
                if turn.clock.expired:
                    return
                target, weight = self._solve_for(name)
                if len(self._unknowns) == 1:
                    self._known[name] = target
                    continue
                smooth = self._smooth(name, target, weight)
                if smooth is not None:
                    self._known[name] = smooth
            if free and len(self._unknowns) > 1:
                self._refit_form()
            rss = self._rss()
            if not rss < (1.0 - SETTLED) * before:
                break
            before = rss

    def _refit_form(self) -> None:
        """The template's own constants, the unknowns as they are."""
        options = DescentOptions(steps=10)
        self._form = fit(self._form, self._values(), self._names, self._problem.likelihood, options=options)

    def _smooth(self, name: str, target: Values, weight: Values) -> Values | None:
        rows = self._rows(name)
        usable = np.isfinite(target) & (weight > 0)
        if usable.sum() < 8:
            return None
        w = weight[usable] ** 2
        s = fit_surrogate(np.ascontiguousarray(rows[:, usable]), target[usable], w / w.mean())
        values = None if s is None else s.value(rows)
        return values if values is not None and np.all(np.isfinite(values)) else None

    def _rows(self, name: str) -> Values:
        return np.array([self._X[a] for a in self._template.unknowns[name]])

    # --- searches -----------------------------------------------------------------------------------------

    def _search(self, name: str, turn: Turn) -> None:
        """Search for one unknown as a law of its own."""
        target, weight = self._solve_for(name)
        rows = self._rows(name)
        usable = np.isfinite(target) & (weight > 1e-12 * float(weight.max(initial=0.0)))
        if usable.sum() < 3 or np.ptp(target[usable]) == 0:
            return
        w = weight[usable] ** 2
        own = self._problem.gaussian.root_weights
        if own is not None:
            w = w * own[usable] ** 2
        y = target[usable]
        inner = replace(
            self._problem,
            X=np.ascontiguousarray(rows[:, usable]),
            y=y,
            columns=self._template.unknowns[name],
            likelihood=Gaussian(y, None, w / w.mean()),
            # Named constants stand in the form; within a part they would need its unit, which is not known.
            constants={},
            dimensions={},
            target_dimension=None,
            knowledge=_grammar_only(self._problem.knowledge),
        )
        left = turn.clock.deadline - now()
        if left <= 0:
            return
        # By work and not by time: equal seeds are to give equal answers.
        work = self.cost / len(self._unknowns)
        settings = replace(self._settings, time_limit=left / 2, work=work, turns=None, guesses=(), backend="native")
        front, scored = self._solve(inner, settings)
        turn.clock.scored += scored
        new = [h.expression for h in sorted(front, key=lambda h: h.score)]
        old = [e for e in self._found[name] if str(e) not in {str(x) for x in new}]
        self._found[name] = [*new, *old][: 2 * KEPT]

    def _together(self, turn: Turn) -> Iterator[Expression]:
        """Whole formulas with what was found so far, the best of each unknown first."""
        lists = [self._found[u][:KEPT] for u in self._unknowns]
        if not all(lists):
            return
        order = sorted(product(*(range(len(each)) for each in lists)), key=lambda places: (sum(places), places))
        for places in islice(order, KEPT**2):
            parts = {u: each[k] for u, each, k in zip(self._unknowns, lists, places, strict=True)}
            before = turn.archive.best
            yield self._template.fill(parts)
            # Whoever takes formulas has scored this one by now.
            if turn.archive.best is not before:
                self._adopt(parts)

    def _adopt(self, parts: Mapping[str, Expression]) -> None:
        """Go on from the parts of the best formula, if they fit no worse than what is there: working targets become sharper."""
        if len(parts) < 2:
            return
        before, known = self._rss(), self._known
        columns = self._problem.columns
        with np.errstate(all="ignore"):
            self._known = {u: Program.of(e, columns).value(self._problem.X) for u, e in parts.items()}
        if not self._rss() <= NO_WORSE * before:
            self._known = known

    def _rss(self) -> float:
        miss = self._problem.y - self._at(self._form)
        return float(miss @ miss)


def _grammar_only(k: Knowledge) -> Knowledge:
    """The knowledge that holds for a part of the law: operators and nesting, not units, size or shape."""
    return Knowledge(operators=k.operators, forbid=k.forbid, nesting=k.nesting)
