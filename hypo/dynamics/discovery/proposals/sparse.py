"""Sums of rate-law terms: the best few of every size, in every view of the equation and several choices of families."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.clock import Clock, now
from hypo.dynamics.discovery.proposals import terms as families
from hypo.dynamics.discovery.proposals.subsets import NEAR, best_subsets, fit_columns
from hypo.dynamics.discovery.proposals.terms import Terms, refine_grids
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
# Beside one form with constants inside: families, terms of the longest sum, sums of each form and size, and of each size.
BESIDE = (families.LINEAR, families.QUADRATIC)
LONGEST_BESIDE = 4
OF_FORM = 2
FORMS = 30
# Share of the time left that they have at most.
FORMS_SHARE = 0.5
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
    form = terms.numbers
    cost = np.array([costs[f] for f in terms.forms])
    seen: set[tuple[int, ...]] = set()

    def new(found: Iterable[tuple[tuple[int, ...], Expression]], name: str) -> Iterator[tuple[Expression, str]]:
        for key, e in found:
            if key not in seen:
                seen.add(key)
                yield e, name

    def of_union(
        u: int, union: Sequence[int], view: View, A: Values, keep: Sequence[int]
    ) -> Iterator[tuple[Expression, str]]:
        members = terms.within(union)
        found = best_subsets(A[members], view.target, cost[members], form[members], len(KEEP), clock)
        best = (members[each] for subsets, most in zip(found, keep, strict=False) for each in subsets[:most])
        sums = ((tuple(sorted(form[each].tolist())), write_terms(terms, each, A, view)) for each in best)
        return new(sums, f"{view.name} {u}")

    for v, view in enumerate(views):
        A = in_view(terms, columns, view)
        for u, union in enumerate(FEWER_UNIONS if v else UNIONS):
            if clock.expired:
                return
            yield from of_union(u, union, view, A, FEWER if v else KEEP)
            if u == v == 0:
                # Polynomials, whose search is short, come first: with many columns there is no time for all of these.
                some = Clock(now() + FORMS_SHARE * clock.left)
                yield from new(_one_form_each(terms, columns, costs, view, some), f"{view.name} form")


def _one_form_each(
    terms: Terms, columns: Sequence[str], costs: Mapping[str, float], view: View, clock: Clock
) -> Iterator[tuple[tuple[int, ...], Expression]]:
    """For each form with constants inside sums of one such term and plain ones, with the numbers of their forms: the best forms
    of each size. Among all terms together a form whose constant stands a little off its best value is hidden by many others."""
    fine = refine_grids(terms)
    A, cost, form = in_view(fine, columns, view), np.array([costs[f] for f in fine.forms]), fine.numbers
    plain = terms.within(BESIDE)
    has_grid = np.array([bool(e.free) for e in fine.expressions])
    found: dict[int, list[tuple[int, NDArray[np.int64]]]] = {}
    for number in np.unique(form[has_grid]):
        if clock.expired:
            break
        grid = np.flatnonzero(form == number)
        members = np.concatenate([grid, plain])
        of_each = best_subsets(A[members], view.target, cost[members], form[members], LONGEST_BESIDE, clock)
        for subsets in of_each:
            holding = np.flatnonzero((subsets < len(grid)).sum(1) == 1)[:OF_FORM]
            for rank, which in enumerate(holding):
                found.setdefault(subsets.shape[1], []).append((rank, members[subsets[which]]))
    for each in found.values():
        chosen = [(_left(A[subset], view.target, cost[subset]), rank, subset) for rank, subset in each]
        for _, _, subset in sorted(chosen, key=lambda f: f[:2])[:FORMS]:
            yield tuple(sorted(form[subset].tolist())), write_terms(fine, subset, A, view)


def _left(A: Values, target: Values, cost: Values) -> float:
    """Nats of a sum whose coefficients are fitted."""
    share = fit_columns(A, target)[1] / float(target @ target)
    return 0.5 * len(target) * float(np.log(max(share, NEAR))) + float(cost.sum())


def in_view(terms: Terms, columns: Sequence[str], view: View) -> Values:
    """Columns (n_term, n_row) of all terms; 0 where one has no value on the view's grid."""
    values, fine = on_grid(terms.expressions, columns, view)
    return np.where(fine[:, None], view.of(values), 0.0)


def on_grid(terms: Sequence[Expression], columns: Sequence[str], view: View) -> tuple[Values, NDArray[np.bool_]]:
    """Values (n_term, n) on the grid of a view, 0 for terms that have none somewhere; and which ones (n_term,) have values."""
    with np.errstate(all="ignore"):
        values = np.array([Program.of(e, columns).value(view.X) for e in terms])
    fine = np.all(np.isfinite(values), axis=1)
    return np.where(fine[:, None], values, 0.0), fine


def write_terms(terms: Terms, subset: NDArray[np.int64], A: Values, view: View) -> Expression:
    """The sum of some terms with their coefficients fitted in a view, in which ``A`` (n_term, n_row) are their columns."""
    c, _ = fit_columns(A[subset], view.target)
    c[c == 0] = 1e-300
    return write_sum(c, [terms.expressions[i] for i in subset], _OPERATORS)
