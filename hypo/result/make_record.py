"""The record of a fit, from its problem, its settings and its table."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

import hypo
from hypo.result.record import FittedTable, Record, SearchSettings
from hypo.result.unit_system import StatedConstant, UnitSystem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hypo.data import Dataset
    from hypo.problem.problem import Problem, Settings

# Packages whose versions an answer may depend on.
PACKAGES = ("numba", "numpy", "scipy", "sympy")
# Those it may depend on where PySR took part.
PYSR_PACKAGES = ("juliacall", "pysr")
# Those it may depend on where a GPU did.
CUDA_PACKAGES = ("torch", "triton")
# Settings that the record has elsewhere, or that do not change the answer.
_NOT_RECORDED = ("seed", "workers")


def make_record(
    problem: Problem, settings: Settings, dataset: Dataset, columns: Sequence[str], model_selection: str
) -> Record:
    """The record of a fit whose table had ``columns``, before anything is known of its answer."""
    given = {key: value for key, value in settings.as_dict().items() if key not in _NOT_RECORDED}
    return Record(
        version=hypo.__version__,
        seed=settings.seed,
        data_sha256=dataset.sha256,
        table=_describe_table(dataset, columns),
        units=_make_unit_system(problem, dataset),
        knowledge=problem.knowledge.as_dict(),
        search=SearchSettings({**given, "model_selection": model_selection}),
        packages={"python": platform.python_version(), **{name: version(name) for name in _list_packages(settings)}},
    )


def _describe_table(dataset: Dataset, columns: Iterable[str]) -> FittedTable:
    features = zip(dataset.names, dataset.X.T, strict=True)
    has_x_sigma = bool(dataset.x_sigma)
    return FittedTable(
        target=dataset.target,
        features=dataset.names,
        columns=tuple(columns),
        ranges={name: (float(x.min()), float(x.max())) for name, x in features},
        n_row=dataset.n_row,
        n_dropped=dataset.n_dropped,
        notes=tuple(dataset.notes),
        thousands=dataset.thousands,
        has_sigma=dataset.sigma is not None,
        has_weights=dataset.weights is not None,
        has_trials=dataset.trials is not None,
        is_censored=dataset.lower is not None,
        x_sigma={name: _root_mean_square(sigma) for name, sigma in sorted(dataset.x_sigma.items())},
        y_sigma=_root_mean_square(dataset.sigma) if has_x_sigma and dataset.sigma is not None else None,
    )


def _make_unit_system(problem: Problem, dataset: Dataset) -> UnitSystem:
    """The units of the columns, which all that leaves the search is in."""
    knowledge, names = problem.knowledge, (*dataset.names, dataset.target)
    return UnitSystem(
        target=dataset.target,
        texts={name: knowledge.units[name].text for name in names if name in knowledge.units},
        scales=dict.fromkeys(names, 1.0),
        constants={name: float(c.value) for name, c in knowledge.constants.items()},
        stated={name: StatedConstant(c.value, c.unit.text) for name, c in knowledge.constants.items()},
        has_strict_angles=knowledge.strict_angles,
        note=problem.unit_note,
    )


def _list_packages(settings: Settings) -> tuple[str, ...]:
    from hypo.problem.problem import ALL, CUDA, PYSR

    more = {CUDA: CUDA_PACKAGES, PYSR: PYSR_PACKAGES, ALL: PYSR_PACKAGES}
    return (*PACKAGES, *more.get(settings.backend, ()))


def _root_mean_square(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(values**2)))
