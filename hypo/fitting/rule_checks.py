"""The rules of K in the search: what formulas break them, constants fitted under them, and the tally of what each rule did.

While the search goes on a formula is held against the rules at ``QUICK`` points; the front is checked at ``FULL`` points at
the end, and by interval arithmetic. The tally says how many formulas each rule pruned or penalised, and the best one that only
this rule kept from being the answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hypo.clock import Expiring
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.fitting.archive import rank
from hypo.fitting.constants.fit import Parameters
from hypo.fitting.row_racing import sample_problem
from hypo.kernels import opcodes as oc
from hypo.knowledge.claims.claim import Claim, Points, Values, Verdict, violation
from hypo.knowledge.claims.law import Law
from hypo.knowledge.claims.proof import without_doubtful
from hypo.knowledge.rules.base import Rule
from hypo.problem.problem import Problem
from hypo.scoring.score import Hypothesis

# Points at which rules are tried while the search goes on.
QUICK = 128
# Points at its end.
FULL = 2048
# Forms whose claims are kept.
REMEMBERED = 200
# Rows on which formulas are compared.
SHOWN_ROWS = 64
# Margin where a side is undefined.
UNDEFINED = -10.0
# Misfit where the formula is, in nats.
FAR = 1e12
# Formulas are held against the rules if without them they are no worse than those on the front by more nats.
WORTH = 5.0
# Constants are fitted under the rules if there are no more of them.
MOST_FITTED = 6
# Most steps of such a fit.
STEPS = 15
# Before that, a step of each constant as a share of itself.
TRIAL = 0.1
# Share of what is missing that steps of the full size of all must promise: constants can be far off, but where they hardly
# matter to what is broken no values will mend it.
REACHABLE = 0.02
# Steps beyond the edge of what a hard rule allows, as shares of the way there.
BEYOND = (0.0, 1e-9, 1e-6, 1e-4, 1e-2)


@dataclass(frozen=True)
class RuleReport:
    """The fate of one rule: how the best formula fares, and what the rule did to others.

    Of ``tried`` formulas it pruned (if hard) or penalised ``broken``. ``without`` is the best formula that this rule alone kept
    from being the answer, by ``gain`` nats (None where there is no answer); None when the rule did not change the answer.
    ``pruned`` subexpressions were not enumerated because a hard rule wants a value all over the stated ranges.
    """

    rule: Rule
    verdict: Verdict | None
    tried: int
    broken: int
    without: Hypothesis | None
    gain: float | None
    pruned: int = 0


class _FitEnded(Exception):
    """Ends a fit."""


@dataclass
class _Tally:
    tried: int = 0
    broken: int = 0
    rival: Hypothesis | None = None


class _FormClaims:
    """The claims of rules on one form: its fitted constants stand as variables, so claims are made once for all their
    values."""

    def __init__(self, book: Rulebook, e: Expression) -> None:
        self._book = book
        nodes = {arg: node for node, (op, arg) in enumerate(e.code) if op == oc.CONST and e.constants[arg].free}
        self._slots = tuple(sorted(nodes))
        for slot in self._slots:
            e = e.replace_leaf(nodes[slot], Expression.variable(_parameter(slot)))
        law = book.law(e)
        self._parts = [self._claims(rule, law) for rule in book.rules]

    def _claims(self, rule: Rule, law: Law) -> list[tuple[Claim, Points]] | None:
        """The claims of a rule and the points they are tried at; None where it has a way of its own to check."""
        if not rule.is_settled_by_claims:
            return None
        own = {_parameter(slot) for slot in self._slots}
        try:
            return [
                (claim, domain.of(frozenset(claim.names - own)).sample(QUICK)) for claim, domain in rule.claims(law)
            ]
        # Some kinds look at numbers while they make their claims, and the constants have none here.
        except Exception:
            return None

    def amounts(self, e: Expression) -> Values:
        """Violations (n_rule,) with the constants of ``e``."""
        out = np.zeros(len(self._parts))
        for k, (rule, parts) in enumerate(zip(self._book.rules, self._parts, strict=True)):
            if parts is None:
                out[k] = rule.check(self._book.law(e), points=QUICK, proof=False).amount
                continue
            for claim, points in parts:
                at = self._with_constants(points, e)
                margins = claim.margin(at)
                if not (margins >= 0).all():
                    margins, _ = without_doubtful(claim, at, margins)
                    out[k] = max(out[k], violation(margins))
        return out

    def scaled(self, e: Expression) -> _FormClaims:
        """The form with the scales of all claims fixed at what they are for the constants of ``e``: margins that grow with the
        breach also where a claim's own scale grows along."""
        out = copy(self)
        out._parts = [
            None if parts is None else [(c.fix_scale(self._with_constants(at, e)), at) for c, at in parts]
            for parts in self._parts
        ]
        return out

    def least_margins(self, e: Expression) -> Values:
        """The least margin (n_rule,) over all claims and points; minus the violation for rules that have no margins."""
        out = np.empty(len(self._parts))
        for k, (rule, parts) in enumerate(zip(self._book.rules, self._parts, strict=True)):
            if parts is None:
                out[k] = -rule.check(self._book.law(e), points=QUICK, proof=False).amount
            else:
                least = [
                    np.min(claim.margin(self._with_constants(points, e)), initial=np.inf) for claim, points in parts
                ]
                out[k] = np.nan_to_num(np.min(least), nan=UNDEFINED, posinf=1.0, neginf=UNDEFINED)
        return out

    def _with_constants(self, points: Points, e: Expression) -> Points:
        n = max((len(v) for v in points.values()), default=1)
        return {**points, **{_parameter(slot): np.full(n, e.constants[slot].value) for slot in self._slots}}


def _parameter(slot: int) -> str:
    return f"θ{slot}"


class Rulebook:
    """The rules of a problem's knowledge. ``lam`` is the weight λ of violations, in nats."""

    def __init__(self, problem: Problem, lam: float) -> None:
        self._problem = problem
        self._lam = lam
        self.rules: tuple[Rule, ...] = tuple(problem.knowledge.rules)
        self._tallies = [_Tally() for _ in self.rules]
        self._forms: dict[tuple[object, ...], _FormClaims] = {}

    def __bool__(self) -> bool:
        return bool(self.rules)

    @cached_property
    def _ranges(self) -> dict[str, tuple[float, float]]:
        """The domain of each column in the user's unit: as stated, else that of the data."""
        p = self._problem
        stated = p.knowledge.ranges
        spans = {
            n: (float(line.min() / p.scales.get(n, 1.0)), float(line.max() / p.scales.get(n, 1.0)))
            for n, line in zip(p.columns, p.X, strict=True)
        }
        return {n: stated.get(n, span) for n, span in spans.items()}

    @cached_property
    def _rows(self) -> Problem:
        """The problem on the rows that constants are fitted to under the rules."""
        return sample_problem(self._problem, seed=0)

    def law(self, e: Expression) -> Law:
        """``e`` in the user's units, which is what rules speak of."""
        p = self._problem
        factors = {n: p.scales.get(n, 1.0) for n in e.variables}
        e = e.substitute({n: Expression.constant(f) * Expression.variable(n) for n, f in factors.items() if f != 1.0})
        scale = p.scales.get(p.target, 1.0)
        if scale != 1.0:
            e = e / Expression.constant(scale)
        named = {n: c.value for n, c in p.knowledge.constants.items()}
        return Law(e, p.target, p.columns, self._ranges, named)

    def amounts(self, e: Expression) -> Values:
        """Violations (n_rule,) at ``QUICK`` points."""
        return self._form(e).amounts(e)

    def _form(self, e: Expression) -> _FormClaims:
        """The claims of the rules on formulas that differ from ``e`` in fitted constants only."""
        key = (e.code, e.variables, tuple(None if c.free else c for c in e.constants))
        if key not in self._forms:
            if len(self._forms) >= REMEMBERED:
                self._forms.clear()
            self._forms[key] = _FormClaims(self, e)
        return self._forms[key]

    def keeps_hard(self, e: Expression) -> bool:
        """True if ``e`` keeps all hard rules at ``FULL`` points."""
        law = self.law(e)
        return not any(r.hard and r.check(law, points=FULL, proof=False).amount > 0 for r in self.rules)

    def are_hard_kept(self, verdicts: Sequence[Verdict]) -> bool:
        """True if no hard rule is broken by these verdicts."""
        return not any(rule.hard and v.amount > 0 for rule, v in zip(self.rules, verdicts, strict=True))

    def verdicts(self, e: Expression) -> tuple[Verdict, ...]:
        """Every rule checked with care: at ``FULL`` points and by interval arithmetic."""
        law = self.law(e)
        return tuple(rule.check(law, points=FULL, proof=True) for rule in self.rules)

    def check_for_show(self, h: Hypothesis) -> tuple[Hypothesis, tuple[Verdict, ...]]:
        """``h`` charged for all rules it breaks, hard ones too, and the verdicts."""
        found = self.verdicts(h.expression)
        return self._with(h, sum(rule.weight * v.amount for rule, v in zip(self.rules, found, strict=True))), found

    # --- the score under the rules ---------------------------------------------------------------------

    def apply(self, h: Hypothesis) -> Hypothesis | None:
        """``h`` with what the rules make of its score; None where it breaks a hard one. Counted in the tally."""
        found = self.amounts(h.expression)
        self._count(h, found)
        return self._charge(h, found)

    def charge(self, h: Hypothesis) -> Hypothesis | None:
        """:meth:`apply` without the tally."""
        return self._charge(h, self.amounts(h.expression))

    def _charge(self, h: Hypothesis, found: Values) -> Hypothesis | None:
        if any(rule.hard and a > 0 for rule, a in zip(self.rules, found, strict=True)):
            return None
        return self._with(h, float(sum(rule.weight * a for rule, a in zip(self.rules, found, strict=True))))

    def _with(self, h: Hypothesis, amount: float) -> Hypothesis:
        return replace(h, violation=h.violation + amount, score=h.score + self._lam * amount) if amount else h

    def _count(self, h: Hypothesis, found: Values) -> None:
        for k, tally in enumerate(self._tallies):
            tally.tried += 1
            if not found[k] > 0:
                continue
            tally.broken += 1
            others = np.where(np.arange(len(found)) == k, 0.0, found)
            rival = self._charge(h, others)
            if rival is not None and (tally.rival is None or rank(rival) < rank(tally.rival)):
                tally.rival = rival

    # --- constants under the rules ----------------------------------------------------------------------

    def fit_under_rules(
        self, h: Hypothesis, score: Callable[[Expression], Hypothesis | None], clock: Expiring | None = None
    ) -> Hypothesis | None:
        """``h`` with its constants fitted anew where they touch the rules: least score subject to the hard rules; None where
        none were found. ``score`` gives a formula's hypothesis without the rules.

        Sequential quadratic programming on misfit + λ·soft violations with margin ≥ 0 for each hard rule, from the constants
        that fit best; the end is moved on along the way there until the hard rules hold.
        """
        from scipy.optimize import minimize

        parameters = Parameters.of(h.expression)
        start = parameters.start
        if not 0 < len(start) <= MOST_FITTED:
            return None
        if clock is not None and clock.expired:
            return None
        size = np.where(start != 0, np.abs(start), 1.0)
        hard = np.array([rule.hard for rule in self.rules])
        weight = np.array([rule.weight for rule in self.rules])
        form = self._form(h.expression).scaled(h.expression)
        known: dict[bytes, tuple[float, Values]] = {}

        def formula(u: Values) -> Expression:
            return h.expression.with_values(parameters.values(u * size, h.expression.values))

        def figures(u: Values) -> tuple[float, Values]:
            key = u.tobytes()
            if key not in known:
                if clock is not None and clock.expired:
                    raise _FitEnded
                e = formula(u)
                misfit = self._misfit(e)
                known[key] = (misfit, form.least_margins(e)) if misfit < FAR else (FAR, np.full(len(hard), UNDEFINED))
            return known[key]

        def objective(u: Values) -> float:
            misfit, margins = figures(u)
            short = np.maximum(-margins[~hard], 0.0)
            return misfit + self._lam * float(weight[~hard] @ (short / (1.0 + short)))

        constraints = [{"type": "ineq", "fun": lambda u: figures(u)[1][hard]}] if hard.any() else ()
        u0 = start / size
        try:
            if hard.any() and not self._within_reach(u0, lambda u: figures(u)[1][hard]):
                return None
            found = minimize(
                objective, u0, method="SLSQP", constraints=constraints, options={"maxiter": STEPS, "ftol": 1e-4}
            )
        except _FitEnded:
            return None
        if not np.all(np.isfinite(found.x)):
            return None
        best: Hypothesis | None = None
        for step in BEYOND:
            u = found.x + step * (found.x - u0)
            again = score(formula(u))
            best = None if again is None else self._charge(again, self.amounts(again.expression))
            if best is not None or not hard.any():
                break
        return best

    @staticmethod
    def _within_reach(u0: Values, margins: Callable[[Values], Values]) -> bool:
        """True if other constants may make all margins >= 0: to first order these change with them."""
        here = margins(u0)
        change = np.zeros_like(here)
        for k in range(len(u0)):
            u = u0.copy()
            u[k] *= 1.0 + TRIAL
            change += np.abs(margins(u) - here) / TRIAL
        return bool(np.all((here >= 0) | (change >= REACHABLE * np.abs(here))))

    def _misfit(self, e: Expression) -> float:
        """The misfit of the rows that proposers see, as if all were like them; ``FAR`` where undefined."""
        p = self._rows
        rss = p.likelihood.loss(p.likelihood.predict(e, p.X, p.columns))
        return p.likelihood.misfit(rss) * (len(self._problem.y) / len(p.y)) if math.isfinite(rss) else FAR

    def _same(self, a: Expression, b: Expression) -> bool:
        """True if two formulas predict the same on the first rows, to the digits that are shown."""
        X = np.ascontiguousarray(self._problem.X[:, :SHOWN_ROWS])
        one, two = (Program.of(e, self._problem.columns).value(X) for e in (a, b))
        return bool(np.allclose(one, two, rtol=1e-3, atol=1e-3 * float(np.std(one))))

    # --- the end ------------------------------------------------------------------------------------------

    def reports(self, best: Hypothesis | None, verdicts: Sequence[Verdict]) -> tuple[RuleReport, ...]:
        """The fate of each rule."""
        out = []
        for k, (rule, tally) in enumerate(zip(self.rules, self._tallies, strict=True)):
            rival, gain = tally.rival, None
            if rival is not None and best is not None:
                gain = best.score - rival.score
                # The answer itself may break a soft rule: it is the answer all the same.
                rival = rival if gain > 0 and not self._same(best.expression, rival.expression) else None
            verdict = verdicts[k] if verdicts else None
            value_ranges = self._problem.value_ranges
            pruned = int(value_ranges.pruned[0]) if value_ranges is not None and rule.hard and rule.total else 0
            gain = gain if rival is not None else None
            out.append(RuleReport(rule, verdict, tally.tried, tally.broken, rival, gain, pruned))
        return tuple(out)
