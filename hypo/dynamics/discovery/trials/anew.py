"""One equation of a fitted system sought anew, along the path of that system.

A smoothed path has errors that bias what is regressed on it. The path of a fitted system has hardly any left. Near it, putting
Σ c_k g_k(x) in the place of the right-hand side f changes the predicted samples by

    Σ c_k ∫ Φ(t, s) e_j g_k(x(s)) ds - ∫ Φ(t, s) e_j f(x(s)) ds

(:mod:`hypo.dynamics.calibration.tangent`), so that sums of library terms are a linear regression on the samples themselves,
whose errors are those of measurement. Starts, and constants of the other equations, are projected out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.tangent import Linearised, evaluate_library
from hypo.dynamics.discovery.prior.lengths import system_code_length
from hypo.dynamics.discovery.proposals.candidate import best_of_each
from hypo.dynamics.discovery.proposals.sparse import POLYNOMIALS, UNIONS
from hypo.dynamics.discovery.proposals.subsets import best_subsets, fit_columns
from hypo.dynamics.discovery.proposals.terms import Terms
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
from hypo.expression.expr import Expression

Values = NDArray[np.float64]

# Sums returned: the best of all, and of each number of terms.
BEST = 5
OF_EACH = 1
# Terms of the longest sum of all families, and of the plainest; sums of each number of terms that are looked at.
LONGEST = 5
LONGEST_PLAIN = 8
LOOKED_AT = 6
# Terms of all equations together for each of them, and at most; systems of each number of terms that are looked at, and those
# returned.
EACH = 4
LONGEST_TOGETHER = 12
OF_SIZE = 3
# Nats by which the gain of a further term may fall short of its length: what is linear here, and fits, differ.
NEARLY = 4.0
SYSTEMS = 6


@dataclass(frozen=True)
class Anew:
    """A right-hand side, and the nats that it is expected to have, misfit and code: for the order only."""

    expression: Expression
    score: float


@dataclass(frozen=True)
class LinearProblem:
    """The regression for one equation: ``library`` columns (n_term, n_sample) and ``target`` (n_sample,) in units of the noise;
    laws of the rate of the state ``own`` are of columns ``names``."""

    library: Values
    target: Values
    names: tuple[str, ...]
    own: str


def seek_anew(
    problem: LinearProblem,
    terms: Terms,
    costs: Values,
    clock: Clock,
    others: Mapping[str, Expression],
    unions: Sequence[Sequence[int]] = UNIONS,
) -> list[Anew]:
    """Sums of library terms that could stand in the place of an equation, likeliest first.

    Args:
        problem: of the equation.
        terms: the library.
        costs: code lengths of its terms (n_term,), nats.
        clock: ends the search.
        others: other equations, by state; terms that they have cost less.
        unions: families among which sums are sought together.
    """
    columns, target = problem.library, problem.target
    form = terms.numbers
    found: dict[tuple[str, ...], tuple[int, Anew]] = {}
    for union in unions:
        longest = LONGEST_PLAIN if union == POLYNOMIALS else LONGEST
        members = terms.within(union)
        A = np.ascontiguousarray(columns[members])
        for subsets in best_subsets(A, target, costs[members], form[members], longest, clock):
            for subset in members[subsets[:LOOKED_AT]]:
                if clock.expired:
                    break
                key = tuple(sorted(terms.forms[i] for i in subset))
                if key not in found:
                    e, left = _written(terms, subset, columns, target)
                    code = system_code_length(
                        (*others.values(), e), (*others, problem.own), len(problem.names), len(target)
                    )
                    found[key] = len(subset), Anew(e, 0.5 * left + code)
    ranked = sorted(found.values(), key=lambda each: each[1].score)
    return [each for _, each in best_of_each(ranked, lambda r: r[0], BEST, OF_EACH)]


def rank_further_terms(
    fitted: Calibrated, equation: int, terms: Terms, costs: Values, data: Trajectories
) -> list[tuple[int, float]]:
    """Numbers of the terms that would help an equation most for their length, and their coefficients.

    With residuals r and the effect C of a term, both in units of the noise, its coefficient is -rᵀC/CᵀC, and ½ (rᵀC)²/CᵀC nats
    are gained.
    """
    along = Linearised(fitted, data)
    tangent = along.tangent(equation, lambda X: evaluate_library(terms.expressions, X, fitted.system.columns))
    squares = np.einsum("nk,nk->k", tangent.columns, tangent.columns)
    number = -(tangent.residuals @ tangent.columns) / np.where(squares > 0, squares, np.inf)
    worth = 0.5 * number**2 * squares - costs
    order = np.argsort(-worth, kind="stable")
    return [(int(i), float(number[i])) for i in order if worth[i] > -NEARLY]


def linear_problem(fitted: Calibrated, equation: int, terms: Terms, data: Trajectories) -> LinearProblem:
    """The regression for an equation along the path of a fitted system."""
    system = fitted.system
    frozen = _frozen(system, equation)
    along = Linearised(replace(fitted, system=frozen), data)
    present = frozen.equations[equation]
    library = (*terms.expressions, present)

    def values(X: Values) -> Values:
        return evaluate_library(library, X, system.columns)

    tangent = along.tangent(equation, values)
    columns = np.ascontiguousarray(tangent.columns.T)
    return LinearProblem(columns[:-1], columns[-1] - tangent.residuals, system.columns, system.states[equation])


def seek_together(
    fitted: Calibrated,
    sought: Sequence[int],
    terms: Terms,
    costs: Mapping[int, Values],
    data: Trajectories,
    clock: Clock,
) -> list[dict[int, Expression]]:
    """Right-hand sides for all sought equations at once, likeliest first: one regression with the terms of each.

    Where two equations are wrong alike, as those between which something flows, neither can be put right alone.

    Args:
        fitted: the system along whose path they are sought.
        sought: numbers of the equations.
        terms: the library, the same for all.
        costs: by equation code lengths of its terms (n_term,), nats.
        data: what the system was fitted to.
        clock: ends the search.
    """
    system = fitted.system
    frozen = system
    for k in sought:
        frozen = _frozen(frozen, k)
    along = Linearised(replace(fitted, system=frozen), data)
    blocks, target = [], None
    for k in sought:
        library = (*terms.expressions, frozen.equations[k])
        tangent = along.tangent(k, lambda X, library=library: evaluate_library(library, X, system.columns))  # type: ignore[misc]
        columns = np.ascontiguousarray(tangent.columns.T)
        blocks.append(columns[:-1])
        target = columns[-1] - tangent.residuals if target is None else target + columns[-1]
    if target is None:
        return []
    every = np.vstack(blocks)
    form = np.concatenate([terms.numbers + n * len(terms.forms) for n in range(len(sought))])
    longest = min(EACH * len(sought), LONGEST_TOGETHER)
    found: list[tuple[float, dict[int, Expression]]] = []
    for subsets in best_subsets(every, target, np.concatenate([costs[k] for k in sought]), form, longest, clock):
        for subset in subsets[:OF_SIZE]:
            number, left = fit_columns(every[subset], target)
            laws = {
                k: _sum_of(terms, subset[own] - n * len(terms.forms), number[own])
                for n, k in enumerate(sought)
                for own in [subset // len(terms.forms) == n]
            }
            code = system_code_length(
                [*laws.values()], [system.states[k] for k in laws], len(system.columns), len(target)
            )
            found.append((0.5 * left + code, laws))
    return [laws for _, laws in sorted(found, key=lambda f: f[0])[:SYSTEMS]]


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
    number, left = fit_columns(columns[subset], target)
    return _sum_of(terms, subset, number), left


def _sum_of(terms: Terms, subset: NDArray[np.int64], number: Values) -> Expression:
    out: Expression | None = None
    for k, value in zip(subset, number, strict=True):
        term = Expression.constant(float(value), free=True) * terms.expressions[k]
        out = term if out is None else out + term
    return Expression.constant(0.0) if out is None else out
