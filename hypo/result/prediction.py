"""Predictions for new rows under a result, their distribution, and draws from it."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hypo.checks import require_whole_number
from hypo.errors import InputError
from hypo.result.fields import ResultFields, find_formula
from hypo.result.new_rows import read_columns, read_trials

if TYPE_CHECKING:
    from hypo.posterior.posterior import Posterior, Structure
    from hypo.posterior.predictive import Prediction

# Predictions average over the structures that have this share of the posterior.
AVERAGED = 0.99
# Most numbers that are drawn at a time (8 GB).
MOST_DRAWN = 10**9


def predict_formula(result: ResultFields, data: Any, index: int | None, trials: Any) -> NDArray[np.float64]:
    """:meth:`hypo.Result.predict` of one formula."""
    from hypo.expression.operators import check_defined
    from hypo.expression.program import evaluate

    chosen = find_formula(result, index).expression
    check_defined(op for op, _ in chosen.code)
    values = evaluate(chosen, read_columns(result, data, chosen.variables), chosen.variables)
    return result.family.centre(values, read_trials(result, data, trials, len(values)))


def predict_distribution(
    result: ResultFields, data: Any, index: int | None, level: float, trials: Any = None
) -> Prediction:
    """:meth:`hypo.Result.predict` under the posterior."""
    from hypo.posterior.predictive import predictive

    find_formula(result)
    if index is not None:
        raise InputError("intervals average over all structures of the posterior: leave out the index (--formula)")
    require_level(level)
    structures, X, columns, n = _prepare_rows(result, "intervals", data, trials)
    return predictive(structures, X, columns, level, family=result.family, trials=n)


def draw_samples(result: ResultFields, data: Any, n: int, noise: bool, seed: int, trials: Any) -> NDArray[np.float64]:
    """:meth:`hypo.Result.sample`."""
    from hypo.posterior.predictive import samples

    find_formula(result)
    require_whole_number("n", n, 1)
    require_whole_number("seed", seed, 0)
    structures, X, columns, each = _prepare_rows(result, "samples", data, trials)
    if n * X.shape[1] > MOST_DRAWN:
        raise InputError(f"{n} draws of {X.shape[1]} rows are more than {MOST_DRAWN:.0e} numbers: draw fewer at a time")
    return samples(structures, X, columns, int(n), noise=noise, seed=int(seed), family=result.family, trials=each)


def require_posterior(result: ResultFields, what: str) -> Posterior:
    """The posterior; raises InputError where there is none."""
    if result.posterior is None:
        raise InputError(
            "this result has no posterior (left out, too few rows for its formulas, or an older version): there are no "
            f"{what}"
        )
    return result.posterior


def require_distribution(result: ResultFields, what: str) -> None:
    """Raises InputError where nothing is known of the distribution of new targets."""
    if not result.family.has_distribution:
        raise InputError(f"a likelihood of your own says nothing of new targets, so there are no {what}")


def require_level(level: Any) -> None:
    """Raises InputError where an interval cannot have the probability ``level``."""
    if isinstance(level, bool) or not isinstance(level, Real) or not 0.0 < float(level) < 1.0:
        raise InputError(f"the probability of an interval must be between 0 and 1, got {level!r}")
    # Its ends are quantiles at (1 ± level)/2, and must differ from the median and from infinity after rounding.
    if not 0.5 < 0.5 + 0.5 * float(level) < 1.0:
        raise InputError(f"the probability of an interval must differ from 0 and 1 by more than 1e-15, got {level!r}")


def _prepare_rows(
    result: ResultFields, what: str, data: Any, trials: Any
) -> tuple[tuple[Structure, ...], NDArray[np.float64], tuple[str, ...], NDArray[np.float64]]:
    """The structures that new rows are averaged over, the rows (n_var, n_row) with the names of their columns, and the trials
    (n_row,)."""
    structures = require_posterior(result, what).top(AVERAGED)
    columns = tuple(dict.fromkeys(name for s in structures for name in s.expression.variables))
    X = read_columns(result, data, columns)
    require_distribution(result, what)
    return structures, np.ascontiguousarray(X.T), columns, read_trials(result, data, trials, len(X))
