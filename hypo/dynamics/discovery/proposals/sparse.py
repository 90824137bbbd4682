"""Sums of rate-law terms: the best few of every size, in every view of the equation and several choices of families."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock
from hypo.dynamics.discovery.proposals import terms as families
from hypo.dynamics.discovery.proposals.subsets import best_subsets
from hypo.dynamics.discovery.proposals.terms import Terms
from hypo.dynamics.discovery.proposals.views import View
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.search.proposers.stepwise import write_sum

Values = NDArray[np.float64]

# Families among which sums are sought together, from plain to all.
POLYNOMIALS = (families.LINEAR, families.QUADRATIC, families.POLYNOMIAL)
UNIONS = (
    POLYNOMIALS,
    (families.LINEAR, families.QUADRATIC, families.WAVE),
    (families.LINEAR, families.QUADRATIC, families.POWER, families.SATURATION),
    tuple(range(7)),
)
# The same in views that are trusted less.
FEWER_UNIONS = (POLYNOMIALS, tuple(range(7)))
# Sums kept of each size, from one term on, in the first view and in the others.
KEEP = (16, 40, 32, 16, 10)
FEWER = (4, 8, 8, 6, 4)
_OPERATORS = frozenset("+-*/")


def sparse_sums(
    terms: Terms, columns: Sequence[str], costs: Mapping[str, float], views: Sequence[View], clock: Clock
) -> Iterator[tuple[Expression, str]]:
    """Sums with their coefficients fitted in the view that found them, and where each comes from; every set of forms once.

    Args:
        terms: to choose from.
        columns: names of columns.
        costs: code lengths of terms by form.
        views: the most trustworthy first.
        clock: ends the search.
    """
    if not terms.expressions:
        return
    number = {form: i for i, form in enumerate(dict.fromkeys(terms.forms))}
    form = np.array([number[f] for f in terms.forms], np.int64)
    cost = np.array([costs[f] for f in terms.forms])
    seen: set[tuple[int, ...]] = set()
    for v, view in enumerate(views):
        A = in_view(terms, columns, view)
        for u, union in enumerate(FEWER_UNIONS if v else UNIONS):
            if clock.expired:
                return
            members = terms.within(union)
            found = best_subsets(A[members], view.target, cost[members], form[members], len(KEEP), clock)
            for subsets, most in zip(found, FEWER if v else KEEP, strict=False):
                for subset in members[subsets[:most]]:
                    key = tuple(sorted(form[subset].tolist()))
                    if key not in seen:
                        seen.add(key)
                        yield _write(terms, subset, A, view), f"{view.name} {u}"


def in_view(terms: Terms, columns: Sequence[str], view: View) -> Values:
    """Columns (n_term, n_row) of all terms; 0 where one has no value on the view's grid."""
    with np.errstate(all="ignore"):
        values = np.array([Program.of(e, columns).value(view.X) for e in terms.expressions])
    fine = np.all(np.isfinite(values), axis=1)
    return np.where(fine[:, None], view.of(np.where(fine[:, None], values, 0.0)), 0.0)


def _write(terms: Terms, subset: NDArray[np.int64], A: Values, view: View) -> Expression:
    size = np.linalg.norm(A[subset], axis=1)
    c = np.linalg.lstsq((A[subset] / size[:, None]).T, view.target, rcond=None)[0] / size
    c[c == 0] = 1e-300
    return write_sum(c, [terms.expressions[i] for i in subset], _OPERATORS)
