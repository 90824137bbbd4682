"""A second look at the constants of the best formulas: fitted from many starts, as a formula that the user gives is.

While a search goes on a formula is fitted from one start, which is often enough and always fast. What is about to be shown
may have a better minimum elsewhere.
"""

from __future__ import annotations

import numpy as np

from hypo.fitting.constants.fit import DescentOptions, Parameters, fit
from hypo.fitting.refiner import FINISH_WITHIN, Refiner
from hypo.fitting.row_racing import make_rungs
from hypo.problem.exact import is_exact

# Formulas that are looked at.
FORMULAS = 5
# Starts for each constant that enters non-linearly.
STARTS = 3
# Most of these constants.
MOST_CONSTANTS = 6
# Most steps from a start.
STEPS = 200


def widen(refiner: Refiner) -> None:
    """Fit the best formulas of the front again from many starts, on few rows where there are many, and put forward what is
    better."""
    best = refiner.archive.best
    if best is None or is_exact(best, refiner.problem):
        return
    problem = make_rungs(refiner.problem, refiner.settings.seed)[0]
    near = sorted(refiner.archive.front(), key=lambda h: h.score)[:FORMULAS]
    for h in near:
        curved = int(np.count_nonzero(~Parameters.of(h.expression).linear))
        if not 0 < curved <= MOST_CONSTANTS or h.score > best.score + FINISH_WITHIN or refiner.clock.expired:
            continue
        rows = problem.X, problem.columns, problem.likelihood
        with np.errstate(all="ignore"):
            e = fit(
                h.expression, *rows, starts=STARTS * curved + 1, rng=np.random.default_rng(refiner.settings.seed),
                options=DescentOptions(steps=STEPS), clock=refiner.clock,
            )  # fmt: skip
            losses = [problem.likelihood.loss(problem.likelihood.predict(x, *rows[:2])) for x in (e, h.expression)]
        if losses[0] < losses[1]:
            refiner.origin = h.origin
            refiner.consider(e, fitted=True)
    refiner.snap_pending()
