"""Quotients of sums: t ≈ (a₀ + Σ a_i f_i)/(1 + Σ c_j g_j), by orthogonal matching pursuit.

Multiplied out, t = a₀ + Σ a_i f_i − Σ c_j t (g_j − ḡ_j) is linear: rows f and rows t∘(g − ḡ) stand side by side in one scan,
and tuples grow by the row that explains most of the rest. Without the means ḡ members that combine to a constant would make
the denominator vanish and t = t meet every target; with them its mean is 1. The fit has t on both sides; it is a start for
the fit of the quotient itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.search.library.context import Context, LibraryView
from hypo.search.library.unit_rows import orthonormal, unit_rows
from hypo.search.scan.pair_scan import scan_sums
from hypo.search.scan.race import free_sum
from hypo.search.scan.targets import Target
from hypo.search.scan.tuple_scan import extend_tuples

# Members on each side.
MEMBERS = 250
# Tuples kept while they grow.
BEAM = 60
# Terms of the longest tuples.
LONGEST = 5
# Formulas of each length handed on.
BEST = 4


def quotients(ctx: Context, view: LibraryView, target: Target) -> Iterator[Expression]:
    """Formulas for y from quotients for ``target``, the shorter ones first, with constants to be refined."""
    constant = target.dimension in (None, 0)
    n = ctx.n_probe
    if "/" not in ctx.problem.allowed or n < 30:
        return
    probe = target.values[ctx.probe]
    q = orthonormal([ctx.whiten(np.ones(n))] if constant else [], n)
    above = view.of_dimension(target.dimension, MEMBERS)
    below = view.of_dimension(None if target.dimension is None else 0, MEMBERS)
    stacked = np.concatenate([view.values[above], _centre(view.values[below]) * probe])
    rows, kept = unit_rows(ctx.whiten(stacked), q)
    unit, _ = unit_rows(ctx.whiten(probe[None, :]), q, least=1e-12)
    if len(unit) == 0 or len(rows) < 3:
        return
    best = scan_sums(unit, rows, None, keep=BEAM * 4, clock=ctx.clock, executor=ctx.workers.executor)[0]
    terms = np.column_stack([best.i, best.j])
    while len(terms) and terms.shape[1] < LONGEST:
        terms, r2 = extend_tuples(unit[0], rows, terms[:BEAM], keep=BEAM, clock=ctx.clock)
        quotient = [t for t in terms if np.any(kept[t] >= len(above)) and np.any(kept[t] < len(above))]
        for t in quotient[:BEST]:
            e = _build(ctx, view, target, kept[t], above, below, constant)
            if e is not None:
                yield target.wrap(e)
        if len(r2) == 0 or r2[0] > 1.0 - 1e-14:
            return


def _build(
    ctx: Context,
    view: LibraryView,
    target: Target,
    chosen: NDArray[np.int64],
    above: NDArray[np.int64],
    below: NDArray[np.int64],
    constant: bool,
) -> Expression | None:
    """One quotient, its constants fitted to the multiplied-out form on the racing rows."""
    top = [above[k] for k in chosen if k < len(above)]
    bottom = [below[k - len(above)] for k in chosen if k >= len(above)]
    t = target.values
    values = view.rows.values(np.array([*top, *bottom], np.int64))
    means = values[len(top) :].mean(axis=1)
    values[len(top) :] = _centre(values[len(top) :]) * t
    A = np.vstack([np.ones((1, len(t))), values] if constant else [values])
    if not np.all(np.isfinite(A)):
        return None
    scale = np.linalg.norm(A, axis=1)
    root = target.fit_root(ctx.root, False)
    c = np.linalg.lstsq((A / scale[:, None] * root).T, target.fitted * root, rcond=None)[0] / scale
    first = 1 if constant else 0
    # The denominator (1 + Σ c ḡ) − Σ c g, divided by its constant.
    whole = 1.0 + float(c[first + len(top) :] @ means)
    if whole == 0.0:
        return None
    c = c / whole
    formulas = [view.rows.library.expression(int(view.members[k])) for k in (*top, *bottom)]
    one = Expression.constant(1.0)
    numerator = free_sum(c[: first + len(top)], [one] * first + formulas[: len(top)])
    denominator = one + free_sum(-c[first + len(top) :], formulas[len(top) :])
    return numerator / denominator


def _centre(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = rows.mean(axis=1, keepdims=True)
    return rows - means
