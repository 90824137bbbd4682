"""What a search found, made into a result: constants with units, rmse in the target's unit, the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypo.report.constants import ConstantRow, shown_constants, unit_text
from hypo.report.rules import RuleRow
from hypo.result import Coverage, Efficiency, Result

if TYPE_CHECKING:
    from hypo.data import Dataset
    from hypo.expression.expr import Expression
    from hypo.scoring.score import Hypothesis
    from hypo.search.engine import Outcome
    from hypo.search.problem import Problem, Settings

PACKAGES = ("numba", "numpy", "scipy", "sympy")  # whose versions a result may depend on
PYSR_PACKAGES = ("juliacall", "pysr")  # and those it may where PySR took part
CUDA_PACKAGES = ("torch", "triton")


def make_result(
    outcome: Outcome, problem: Problem, settings: Settings, dataset: Dataset, columns: Sequence[str]
) -> Result:
    """The engine's outcome with constants, units and manifest."""
    front = tuple(in_target_unit(h, problem) for h in outcome.front)
    best = None if outcome.best is None else in_target_unit(outcome.best, problem)
    if best is not None and best not in front:
        front = tuple(sorted((*front, best), key=lambda h: (h.complexity, -h.score)))
    from hypo.scoring.posterior import make_posterior

    return Result(
        best=best,
        front=front,
        status=outcome.status,
        message=outcome.message,
        coverage=Coverage(outcome.complete_to, outcome.scored, outcome.distinct),
        efficiency=Efficiency(outcome.outcome_share, outcome.diversity),
        timing={**outcome.timing, "workers": settings.workers},
        manifest=_manifest(problem, settings, dataset, columns),
        constants=tuple(constant_rows(h.expression, problem) for h in front),
        rules=tuple(RuleRow.of(report, dataset.target) for report in outcome.rules),
        posterior=make_posterior(outcome.archive, problem.X, problem.columns, problem.likelihood, outcome.complete_to)
        if outcome.archive
        else None,
        data=dataset,
    )


def in_target_unit(h: Hypothesis, problem: Problem) -> Hypothesis:
    """``h`` with its rmse in the user's unit of the target."""
    scale = problem.scales.get(problem.target, 1.0)
    return h if scale == 1.0 else replace(h, rmse=h.rmse / scale)


def constant_rows(e: Expression, problem: Problem) -> tuple[ConstantRow, ...]:
    """The constants of ``e`` with their intervals and units; the unit is None where none is known."""
    from hypo.scoring.laplace import laplace, sampled_sums

    k = problem.knowledge
    given = [
        *(k.units[n] for n in (*problem.columns, problem.target) if n in k.units),
        *(c.unit for c in k.constants.values()),
    ]
    converted = bool(problem.unit_note)
    units = [None if d is None else unit_text(d, given, converted) for d in problem.constant_units(e)]
    approximation = None
    if e.free:
        rows = problem.X, problem.columns, problem.likelihood
        sums = sampled_sums(e, *rows)
        approximation = None if sums is None else laplace(e, *rows, sums)
    return shown_constants(e, units, (*problem.columns, problem.target, *problem.constants), approximation)


def _manifest(
    problem: Problem, settings: Settings, dataset: Dataset, columns: Sequence[str]
) -> dict[str, Any]:
    """Everything needed to run the search again, and nothing that depends on when or where it ran."""
    import platform
    from importlib.metadata import version

    import hypo
    from hypo.search.problem import ALL, CUDA, PYSR

    more = {CUDA: CUDA_PACKAGES, PYSR: PYSR_PACKAGES, ALL: PYSR_PACKAGES}
    packages = (*PACKAGES, *more.get(settings.backend, ()))
    knowledge = problem.knowledge
    names = (*dataset.names, dataset.target)
    return {
        "version": hypo.__version__,
        "seed": settings.seed,
        "data_sha256": dataset.sha256,
        "settings": {
            "target": dataset.target,
            "features": list(dataset.names),
            "columns": list(columns),
            "units": {n: knowledge.units[n].text for n in names if n in knowledge.units},
            "scales": {n: float(problem.scales.get(n, 1.0)) for n in names},
            "unit_note": problem.unit_note,
            "constants": {n: float(v) for n, v in problem.constants.items()},
            "knowledge": knowledge.as_dict(),
            "n_row": dataset.n_row,
            "n_dropped": dataset.n_dropped,
            "notes": list(dataset.notes),
            "sigma": dataset.sigma is not None,
            "weights": dataset.weights is not None,
            **{key: value for key, value in settings.as_dict().items() if key not in ("seed", "workers")},
        },
        "packages": {"python": platform.python_version(), **{name: version(name) for name in packages}},
    }
