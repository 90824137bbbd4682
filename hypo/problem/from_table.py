"""From a table to the rows of a search: targets checked against the likelihood, numbers brought to the units of the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hypo.data import Dataset
from hypo.errors import DataError, InputError
from hypo.likelihood.base import Likelihood, Values
from hypo.likelihood.family import LIMITS, SIGMA, TRIALS, X_SIGMA, Family
from hypo.likelihood.registry import list_users
from hypo.problem.working_response import with_working_response

# Least size that the largest number of a column may have.
SMALLEST = 1e-50
# Greatest such size: the square of a product of three is in the range of numbers.
LARGEST = 1e50


def require_table(dataset: Dataset, family: Family) -> None:
    """Raises DataError naming the first row whose target ``family`` cannot give, and InputError for what does not belong
    together."""
    given = {
        SIGMA: dataset.sigma is not None,
        TRIALS: dataset.trials is not None,
        LIMITS: dataset.lower is not None,
        X_SIGMA: bool(dataset.x_sigma),
    }
    for name, there in given.items():
        if there and name not in family.uses:
            raise InputError(
                f"{name} cannot be used with the likelihood {family.kind}; it is for {_either(list_users(name))}"
            )
    if dataset.x_sigma and dataset.sigma is None:
        raise InputError(
            "x_sigma needs sigma, the noise of the target, too: only their ratio says whose errors residuals are"
        )
    if dataset.x_sigma and dataset.lower is not None:
        raise InputError("x_sigma cannot be used with censored targets; leave out one of them")
    family.require_targets(dataset)
    if dataset.lower is not None and not np.any(dataset.lower == dataset.upper) and dataset.sigma is None:
        raise DataError(f"{dataset.source}: every target is censored, so the noise cannot be estimated; give sigma")


def require_sizes(dataset: Dataset, scales: Mapping[str, float]) -> None:
    """Raises DataError unless the largest number of the target, of each column and of the noise is from ``SMALLEST`` to
    ``LARGEST`` in size, in the units of the search, where ``scales`` lead. Beyond, squares of products are no numbers."""
    target, scale = dataset.target_label or dataset.target, scales.get(dataset.target, 1.0)
    # What stands for a censored target comes from its limits, so these are looked at first.
    of_target = {"the lower limits of ": dataset.lower, "the upper limits of ": dataset.upper, "": dataset.y}
    sized = [(f'{what}column "{target}"', v, scale) for what, v in of_target.items() if v is not None]
    if dataset.sigma is not None:
        sized.append((f'sigma of column "{target}"', dataset.sigma, scale))
    if dataset.weights is not None:
        sized.append(("the weights", dataset.weights, 1.0))
    for name, label, values in zip(dataset.names, dataset.labels, dataset.X.T, strict=True):
        sized.append((f'column "{label}"', values, scales.get(name, 1.0)))
        if name in dataset.x_sigma:
            sized.append((f'x_sigma of column "{label}"', dataset.x_sigma[name], scales.get(name, 1.0)))
    for what, values, factor in sized:
        sizes = np.abs(np.where(np.isfinite(values), values, 0.0))
        row = int(np.argmax(sizes))
        if sizes[row] > 0 and not SMALLEST <= sizes[row] * factor <= LARGEST:
            unit = "" if factor == 1.0 else f" ({values[row] * factor:g} in SI units)"
            raise DataError(
                f"{dataset.source}, {dataset.rows_in_words([row])}: the largest number of {what} is {values[row]:g}{unit}, but "
                f"hypo takes sizes from {SMALLEST:g} to {LARGEST:g}, so that squares of products stay in the range of numbers; "
                "give it in another unit"
            )


def rows_of(dataset: Dataset, family: Family, scales: Mapping[str, float]) -> tuple[Values, Values, Likelihood]:
    """Columns (n_var, n_row), target (n_row,) and likelihood in the units of the formulas, where ``scales`` lead, by name.

    Raises DataError where sizes of numbers are out of range.
    """
    if dataset.weights is not None and np.any(dataset.weights == 0):
        # A row of weight 0 is no row: it must not decide where formulas have to be defined.
        dataset = dataset.rows(dataset.weights > 0)
    require_sizes(dataset, scales)
    X = np.empty(dataset.X.T.shape)
    for line, column, name in zip(X, dataset.X.T, dataset.names, strict=True):
        np.multiply(column, scales[name], out=line)
    y = dataset.y * scales[dataset.target]
    # Weights are relative: scaled to mean 1, so that equal ones say nothing.
    weights = None if dataset.weights is None else dataset.weights / dataset.weights.mean()
    return X, y, with_working_response(family.likelihood(dataset, y, weights, scales), X, dataset.names)


def _either(names: Sequence[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
