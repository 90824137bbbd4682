"""One equation of a fitted system sought anew, along the path of that system.

A smoothed path has errors that bias what is regressed on it. The path of a fitted system has hardly any left. Near it, putting
Σ c_k g_k(x) in the place of the right-hand side f changes the predicted samples by

    Σ c_k ∫ Φ(t, s) e_j g_k(x(s)) ds - ∫ Φ(t, s) e_j f(x(s)) ds

(:mod:`hypo.dynamics.calibration.tangent`), so that sums of library terms are a linear regression on the samples themselves,
whose errors are those of measurement. Starts, and constants of the other equations, are projected out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.tangent import Linearised, evaluate_library
from hypo.dynamics.discovery.prior.lengths import code_length
from hypo.dynamics.discovery.proposals.candidate import best_of_each
from hypo.dynamics.discovery.proposals.sparse import UNIONS
from hypo.dynamics.discovery.proposals.subsets import best_subsets
from hypo.dynamics.discovery.proposals.terms import Terms
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
from hypo.expression.expr import Expression

Values = NDArray[np.float64]

# Sums returned: the best of all, and of each number of terms.
BEST = 5
OF_EACH = 1
# Terms of the longest sum, and sums of each number of terms that are looked at.
LONGEST = 5
LOOKED_AT = 12


@dataclass(frozen=True)
class Anew:
    """A right-hand side, and the nats that it is expected to have, misfit and code: for the order only."""

    expression: Expression
    score: float


def seek_anew(
    fitted: Calibrated, equation: int, terms: Terms, costs: Values, data: Trajectories, clock: Clock
) -> list[Anew]:
    """Sums of library terms that could stand in the place of an equation, likeliest first.

    Args:
        fitted: the system.
        equation: number of the equation.
        terms: the library.
        costs: code lengths of its terms (n_term,), nats.
        data: what the system was fitted to.
        clock: ends the search.
    """
    columns, target = linear_problem(fitted, equation, terms, data)
    system = fitted.system
    number = {form: i for i, form in enumerate(dict.fromkeys(terms.forms))}
    form = np.array([number[f] for f in terms.forms], np.int64)
    found: dict[str, tuple[int, Anew]] = {}
    for union in UNIONS:
        members = terms.within(union)
        A = np.ascontiguousarray(columns[members])
        for subsets in best_subsets(A, target, costs[members], form[members], LONGEST, clock):
            for subset in members[subsets[:LOOKED_AT]]:
                if clock.expired:
                    break
                e, left = _written(terms, subset, columns, target)
                nats = 0.5 * left + code_length(e, system.states[equation], len(system.columns), len(target))
                found.setdefault(e.masked(), (len(subset), Anew(e, nats)))
    ranked = sorted(found.values(), key=lambda each: each[1].score)
    return [each for _, each in best_of_each(ranked, lambda r: r[0], BEST, OF_EACH)]


def linear_problem(fitted: Calibrated, equation: int, terms: Terms, data: Trajectories) -> tuple[Values, Values]:
    """Columns (n_term, n_sample) and target (n_sample,) of the regression, in units of the noise."""
    system = fitted.system
    frozen = _frozen(system, equation)
    along = Linearised(replace(fitted, system=frozen), data)
    present = frozen.equations[equation]
    library = (*terms.expressions, present)

    def values(X: Values) -> Values:
        return evaluate_library(library, X, system.columns)

    tangent = along.tangent(equation, values)
    columns = np.ascontiguousarray(tangent.columns.T)
    return columns[:-1], columns[-1] - tangent.residuals


def _frozen(system: System, equation: int) -> System:
    """The system with the constants of one equation fixed; shared ones stay fitted in the other equations."""
    e = system.equations[equation]
    fixed = replace(e, constants=tuple(replace(c, free=False) for c in e.constants))
    left = [k for n, k in enumerate(system.of_constants) if n not in system.places[equation]]
    number = {k: i for i, k in enumerate(dict.fromkeys(left))}
    shared = None if system.shared is None else tuple(number[k] for k in left)
    return system.with_equation(equation, fixed, shared)


def _written(terms: Terms, subset: NDArray[np.int64], columns: Values, target: Values) -> tuple[Expression, float]:
    """The sum with its coefficients fitted, and the sum of squares that it leaves."""
    size = np.linalg.norm(columns[subset], axis=1)
    A = (columns[subset] / size[:, None]).T
    unit = np.linalg.lstsq(A, target, rcond=None)[0]
    left = target - A @ unit
    out: Expression | None = None
    for k, value in zip(subset, unit / size, strict=True):
        term = Expression.constant(float(value), free=True) * terms.expressions[k]
        out = term if out is None else out + term
    return Expression.constant(0.0) if out is None else out, float(left @ left)
