"""Candidates from a whole search on thinned rows: all that its archive keeps, of every complexity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.discovery.proposals.candidate import best_of_each
from hypo.dynamics.knowledge.equation import law_name
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.knowledge.knowledge import Knowledge

Values = NDArray[np.float64]

# Formulas of each complexity that are kept, by score.
OF_EACH = 4
# Formulas kept by score alone.
BEST = 25
# Less time than this gives nothing.
LEAST_SECONDS = 0.05
# Numbers that are left exact.
EXACT = (0.0, 1.0, 2.0, 3.0, 4.0, 0.5)
# Errors of rates are not below this share of the rates' spread.
LEAST_ERROR = 1e-6


@dataclass(frozen=True)
class Budget:
    """Bounds of a search: ``work`` in seconds on an ordinary core by its own estimates, so that no clock decides what it
    finds, and the ``seed`` of its random numbers. ``threads`` do not change that; None: one per core."""

    work: float
    seed: int
    threads: int | None = None


def search_rates(
    X: Values,
    y: Values,
    sd: Values,
    columns: Sequence[str],
    seconds: float,
    budget: Budget,
    knowledge: Knowledge | None = None,
) -> list[Expression]:
    """Right-hand sides from a search on rows X (n, n_column) of rates y (n,) with deviations sd (n,), best first; ``knowledge``
    is of a law called :func:`~hypo.dynamics.knowledge.equation.law_name`."""
    if seconds < LEAST_SECONDS:
        return []
    from hypo.api.parameters.calls import complete_arguments
    from hypo.api.parameters.parameter import FIT
    from hypo.api.validate import validate_inputs
    from hypo.fitting.archive import rank
    from hypo.problem.problem import make_problem
    from hypo.search.engine import search
    from hypo.search.table_units import Border

    sigma = np.maximum(sd, LEAST_ERROR * float(np.std(y)) + 1e-300)
    given = complete_arguments(
        FIT,
        {
            "features": list(columns),
            "sigma": sigma,
            "time_limit": seconds,
            "seed": budget.seed,
            "workers": budget.threads,
            "progress": False,
            "knowledge": knowledge,
        },
    )
    inputs = validate_inputs((X, y), law_name(columns), given)
    # Weights of structures come from trajectories: no chain walks around the best ones here.
    settings = replace(inputs.settings, work=budget.work, posterior=False)
    problem = make_problem(inputs.dataset, inputs.knowledge, settings)
    outcome, border = search(problem, settings), Border.out_of(problem)
    out = {str(h.expression): h.expression for h in outcome.front}
    for h in best_of_each(sorted(outcome.archive, key=rank), lambda h: h.complexity, BEST, OF_EACH):
        out.setdefault(str(h.expression), h.expression)
    # Numbers are freed in the units of the search: exact factors of units stay exact.
    found = {(e := border.formula(unsnapped(f))).masked(): e for f in reversed(out.values())}
    return [*found.values()][::-1]


def unsnapped(e: Expression) -> Expression:
    """``e`` with its numbers free but exponents, ±1 and what textbooks write in front of terms: others were measured, and only
    a trajectory can tell that one is simple."""
    code = e.code
    exponents = {code[i - 1][1] for i, (op, _) in enumerate(code) if op == oc.POW and code[i - 1][0] == oc.CONST}
    constants = tuple(
        c if k in exponents or c.name or abs(c.value) in EXACT else replace(c, free=True)
        for k, c in enumerate(e.constants)
    )
    return replace(e, constants=constants)
