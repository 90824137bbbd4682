"""Conserved quantities: variables that hard rules let into the law only through one quantity are replaced by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from hypo.expression.analysis.dimension import infer
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.invariance import Conserved
from hypo.search.reductions.merge import ReducedColumns


def with_conserved(columns: ReducedColumns, rules: Iterable[Rule], scales: Mapping[str, float]) -> ReducedColumns:
    """``columns`` with each hard rule's quantity in place of its variables, as far as these are still there, the quantity is
    finite on all rows and, with units, its terms have one. Rules speak of columns divided by their ``scales``."""
    for rule in rules:
        if not (rule.hard and isinstance(rule, Conserved) and set(rule.quantity.variables) <= set(columns.names)):
            continue
        factors = {n: scales.get(n, 1.0) for n in rule.quantity.variables}
        quantity = rule.quantity.substitute(
            {n: Expression.variable(n) / Expression.constant(f) for n, f in factors.items() if f != 1.0}
        )
        values = Program.of(quantity, columns.names).value(columns.X)
        found = infer(quantity, dict(columns.dimensions)) if columns.dimensions else None
        if not np.all(np.isfinite(values)) or (found is not None and (found.inconsistent or found.dimension is None)):
            continue
        whole = quantity.substitute(columns.formulas)
        name = f"({whole})"
        rest = [k for k, n in enumerate(columns.names) if n not in factors]
        dimensions = dict(columns.dimensions)
        if found is not None and found.dimension is not None:
            dimensions[name] = found.dimension
        columns = ReducedColumns(
            (name, *(columns.names[k] for k in rest)),
            np.vstack([values, columns.X[rest]]),
            {**columns.formulas, name: whole},
            dimensions,
        )
    return columns
