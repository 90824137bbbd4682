"""Sums of rate-law terms: the best few of every size, in every view of the equation and every choice of families."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
UNIONS = (
    (families.LINEAR,),
    (families.LINEAR, families.QUADRATIC),
    (families.LINEAR, families.QUADRATIC, families.POLYNOMIAL),
    (families.LINEAR, families.QUADRATIC, families.WAVE),
    (families.LINEAR, families.QUADRATIC, families.POWER, families.SATURATION),
    tuple(range(7)),
)
# Terms of the longest sum.
LONGEST = 5
# Structures kept of each size, view and union.
KEEP = 8
# Beside one form with constants inside: families, the longest sum, subsets that are grown, and forms kept of each size.
BESIDE = (families.LINEAR, families.QUADRATIC)
LONGEST_BESIDE = 4
BEAM_BESIDE = 10
FORMS = 12
_OPERATORS = frozenset("+-*/")


def sparse_sums(
    terms: Terms, names_of_columns: Sequence[str], views: Sequence[View], clock: Clock
) -> Iterator[tuple[Expression, str]]:
    """Sums with their coefficients fitted in the view that found them, and where each comes from; structures once."""
    if not terms.expressions:
        return
    names = terms.forms
    seen: set[tuple[str, ...]] = set()
    for v, view in enumerate(views):
        A = _in_view(terms, names_of_columns, view)
        if v == 0:
            for subset in _one_form_each(terms, A, view, clock):
                key = tuple(sorted(names[i] for i in subset))
                if key not in seen:
                    seen.add(key)
                    yield _write(terms, subset, A, view), f"{view.name} form"
        for u, union in enumerate(UNIONS):
            if clock.expired:
                return
            members = terms.within(union)
            for subsets, _ in best_subsets(A[members], view.target, LONGEST, 40, clock):
                kept = 0
                here: set[tuple[str, ...]] = set()
                for subset in members[subsets]:
                    key = tuple(sorted(names[i] for i in subset))
                    if key in here:
                        continue
                    here.add(key)
                    kept += 1
                    if key not in seen:
                        seen.add(key)
                        yield _write(terms, subset, A, view), f"{view.name} {u}"
                    if kept >= KEEP:
                        break


def _one_form_each(terms: Terms, A: Values, view: View, clock: Clock) -> Iterator[NDArray[np.int64]]:
    """For each form with constants inside, on all of its grid: sums of one such term and plain ones, the best forms of each
    size. Among all terms together coarse grids of the many hide the right form of the few."""
    plain = terms.within(BESIDE)
    found: dict[int, list[tuple[float, NDArray[np.int64]]]] = {}
    for grid in terms.grids:
        if clock.expired:
            break
        members = np.concatenate([grid, plain])
        for subsets, left in best_subsets(A[members], view.target, LONGEST_BESIDE, BEAM_BESIDE, clock, BEAM_BESIDE):
            has = np.flatnonzero((subsets < len(grid)).sum(1) == 1) if subsets.size else np.empty(0, np.int64)
            if len(has):
                found.setdefault(subsets.shape[1], []).append((float(left[has[0]]), members[subsets[has[0]]]))
    for each in found.values():
        for _, subset in sorted(each, key=lambda f: f[0])[:FORMS]:
            yield subset


def _in_view(terms: Terms, columns: Sequence[str], view: View) -> Values:
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
