"""From a table to its likelihood: targets checked against the kind, noise brought to the units of the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.data import Dataset
from hypo.errors import DataError, InputError
from hypo.likelihood.base import Gaussian, Likelihood
from hypo.likelihood.censored import Limits, LogNormal
from hypo.likelihood.custom import Custom, checked
from hypo.likelihood.errors_in_x import ErrorsInX
from hypo.likelihood.families import Binomial, Poisson, StudentT
from hypo.likelihood.family import BINOMIAL, CUSTOM, GAUSSIAN, LOGNORMAL, POISSON, STUDENT_T, Family

# Which kinds can use what a table may have beside targets.
_USES = {
    "sigma": (GAUSSIAN, STUDENT_T, LOGNORMAL),
    "trials": (BINOMIAL,),
    "limits (censored, lower or upper)": (GAUSSIAN, LOGNORMAL),
    "x_sigma": (GAUSSIAN,),
}


# Sizes that the largest number of a column may have: the square of a product of three is in the range of numbers.
SMALLEST, LARGEST = 1e-50, 1e50


def require(dataset: Dataset, family: Family) -> None:
    """Raises DataError naming the first row whose target ``family`` cannot give, and InputError for what does not belong
    together."""
    given = {
        "sigma": dataset.sigma is not None,
        "trials": dataset.trials is not None,
        "limits (censored, lower or upper)": dataset.lower is not None,
        "x_sigma": bool(dataset.x_sigma),
    }
    for name, there in given.items():
        if there and family.kind not in _USES[name]:
            raise InputError(
                f"{name} cannot be used with the likelihood {family.kind}; it is for {_either(_USES[name])}"
            )
    if dataset.x_sigma and dataset.sigma is None:
        raise InputError(
            "x_sigma needs sigma, the noise of the target, too: only their ratio says whose errors residuals are"
        )
    if dataset.x_sigma and dataset.lower is not None:
        raise InputError("x_sigma cannot be used with censored targets; leave out one of them")
    y = dataset.y
    whole = y == np.round(y)
    if family.kind == POISSON:
        _all(dataset, (y >= 0) & whole, "a count must be a whole number, 0 or more, for the likelihood poisson")
    elif family.kind == BINOMIAL and dataset.trials is None:
        _all(dataset, (y == 0) | (y == 1), "without trials the target must be 0 or 1 for the likelihood binomial")
    elif family.kind == BINOMIAL and dataset.trials is not None:
        _all(
            dataset,
            (y >= 0) & whole & (y <= dataset.trials),
            "the target must be a whole number from 0 to the number of trials for the likelihood binomial",
        )
    elif family.kind == LOGNORMAL:
        end = y if dataset.upper is None else dataset.upper
        _all(dataset, end > 0, "the target must be above 0 for the likelihood lognormal")
    elif family.kind == CUSTOM:
        assert family.log_likelihood is not None
        checked(family.log_likelihood, y)
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


def _all(dataset: Dataset, good: NDArray[np.bool_], rule: str) -> None:
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        raise DataError(
            f'{dataset.source}, {dataset.rows_in_words([row])}, column "{dataset.target_label or dataset.target}": '
            f"{rule}, got {dataset.y[row]:g}"
        )


def _either(names: Sequence[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def likelihood_of(
    dataset: Dataset,
    family: Family,
    y: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    scales: Mapping[str, float],
) -> Likelihood:
    """The likelihood of ``dataset``, whose target is ``y`` in the units of the search; ``scales`` lead there, by name.

    Raises InputError where counts would have to be converted.
    """
    factor = scales.get(dataset.target, 1.0)
    if factor != 1.0 and family.kind in (POISSON, BINOMIAL):
        raise InputError(
            f"the target of the likelihood {family.kind} is a count, but its unit would have it multiplied by {factor:g}; "
            "leave out that unit"
        )
    sigma = None if dataset.sigma is None else dataset.sigma * (1.0 if family.kind == LOGNORMAL else factor)
    if family.kind == STUDENT_T:
        return StudentT(y, sigma, family.dof, weights=weights)
    if family.kind == POISSON:
        return Poisson(y, weights=weights)
    if family.kind == BINOMIAL:
        return Binomial(y, dataset.trials, weights=weights)
    if family.kind == CUSTOM:
        assert family.log_likelihood is not None
        function = family.log_likelihood

        def in_own_unit(values: NDArray[np.float64], f: NDArray[np.float64]) -> NDArray[np.float64]:
            return function(values / factor, f / factor)

        return Custom(y, function if factor == 1.0 else in_own_unit, weights=weights, unit=float(np.std(y)) or 1.0)
    if dataset.x_sigma:
        assert sigma is not None
        noise = {name: s * scales.get(name, 1.0) for name, s in dataset.x_sigma.items()}
        return ErrorsInX(y, sigma, noise, weights=weights)
    if family.kind == LOGNORMAL:
        lower, upper = (y if v is None else v * factor for v in (dataset.lower, dataset.upper))
        # A lower limit of 0 or less is none.
        middle = np.where((lower <= 0) & np.isfinite(upper), 0.5 * upper, y)
        return LogNormal(middle, lower, upper, sigma, weights=weights)
    if dataset.lower is not None and dataset.upper is not None:
        return Limits(y, dataset.lower * factor, dataset.upper * factor, sigma, weights=weights)
    return Gaussian(y, sigma, weights)
