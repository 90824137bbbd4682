"""A first system, before any search: all plain terms in all equations at once, and what is left of them.

Candidates come from smoothed paths, which mislead where a state changes faster than it is sampled, or where a fast one follows
a slow one. A system of all monomials up to a degree is fitted to the samples themselves, from short segments on, and needs no
good path to begin with. Where the law is nearly a polynomial its path is right to within the noise, so that laws with few terms
are seen along it. With a good system known this early, hopeless ones are given up early, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import comb

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock, Expiring
from hypo.dynamics.calibration.edits import snapped_together
from hypo.dynamics.discovery.proposals.permitted import Permitted
from hypo.dynamics.discovery.proposals.sparse import in_view
from hypo.dynamics.discovery.proposals.terms import LINEAR, POLYNOMIAL, QUADRATIC, Terms, make_terms
from hypo.dynamics.discovery.proposals.views import make_equation
from hypo.dynamics.discovery.trials.fits import Fit
from hypo.dynamics.discovery.trials.judge import Judge, Judged
from hypo.dynamics.discovery.trials.sharing import signed, written
from hypo.dynamics.kinds import Kind
from hypo.dynamics.system import System
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc

Values = NDArray[np.float64]

# Terms of an equation and coefficients of all together at most, and the highest degree.
MOST_TERMS = 15
MOST_NUMBERS = 60
HIGHEST = 3
# Share of the mean square of columns that keeps coefficients of terms that act alike from running away.
RIDGE = 1e-4
# Nats that each number may be predicted to lose as 0: first those that are sure to go. Rounds of leaving out for each.
OUT = (4.0, 8.0)
ROUNDS = 4


def begin(kind: Kind, judge: Judge, fit: Fit, late: Expiring) -> bool:
    """Fit a dense system and what is left of it, into ``judge``, by ``fit`` within its own time; True where that ended it.

    Not for one equation, whose sums are soon tried, and not for delays and discrete laws, whose rows need no smoothing.
    """
    if len(kind.sought) < 2 or kind.pattern.delays or kind.options.discrete:
        return False
    system = dense_system(kind, kind.sought)
    if system is not None:
        first = replace(judge, fit=fit, judged={}, count=0)
        dense = first.judge(system)
        if dense is not None and not late.expired:
            leave_out(first, dense)
        for form, found in first.judged.items():
            judge.keep(form, found)
    return late.expired


def dense_system(kind: Kind, sought: Sequence[int]) -> System | None:
    """All monomials up to a degree in the equations of some states, coefficients from a regression in their most trustworthy
    views; None where they would be too many, or where an equation has none that is permitted."""
    n = len(kind.columns.names)
    most = min(MOST_TERMS, MOST_NUMBERS // len(sought))
    degree = next((p for p in range(HIGHEST, 0, -1) if comb(n + p, p) <= most), 0)
    if not degree:
        return None
    equations = list(kind.pattern.equations)
    for k in sought:
        measured = k - kind.first
        known = None if kind.background is None else kind.background.of_equation(kind.data.states[measured])
        equation = make_equation(kind.data, kind.smoothed, kind.options, measured, kind.pattern.delays)
        view = equation.views[0]
        permitted = Permitted(known, tuple(equation.names))
        terms = permitted.terms(make_terms(equation.names, view.X))
        plain = [_degree(e) <= degree for e in terms.expressions]
        terms = terms.keep(np.isin(terms.family, (LINEAR, QUADRATIC, POLYNOMIAL)) & np.array(plain, bool))
        if not len(terms.expressions):
            return None
        equations[k] = _ridge(terms, in_view(terms, equation.names, view), view.target)
    return kind.pattern.with_equations(tuple(equations))


def leave_out(judge: Judge, judged: Judged) -> Judged:
    """The fitted system without the numbers that it can do without, in rounds: what is left is fitted after each."""
    for furthest in OUT:
        for _ in range(ROUNDS):
            edit = None if judge.is_over else snapped_together(judged.fitted, furthest, (0.0,))
            found = None if edit is None else judge.judge(signed(edit.system))
            if found is None or found.score >= judged.score:
                break
            judged = found
    return judged


def leave_out_of_best(judge: Judge, n: int, fit: Fit, clock: Clock) -> None:
    """The same for the ``n`` best systems of ``judge``, by ``fit`` and within a ``clock`` of their own."""
    own = replace(judge, fit=fit, clock=clock, most=judge.count + n * ROUNDS * len(OUT))
    for judged in judge.ranked()[:n]:
        leave_out(own, judged)


def _degree(e: Expression) -> int:
    """Degree of a monomial, as :func:`make_terms` writes it: whole powers stand as numbers."""
    powers = sum(int(c.value) - 1 for c in e.constants) if e.variables else 0
    return powers + sum(op == oc.VAR for op, _ in e.code)


def _ridge(terms: Terms, A: Values, target: Values) -> Expression:
    size = np.maximum(np.linalg.norm(A, axis=1), 1e-300)
    B = A / size[:, None]
    c = np.linalg.solve(B @ B.T + RIDGE * np.eye(len(B)), B @ target) / size
    out: Expression | None = None
    for number, e in zip(c, terms.expressions, strict=True):
        term = Expression.constant(float(number) or 1e-300, free=True) * e
        out = term if out is None else out + term
    assert out is not None
    return written(out)
