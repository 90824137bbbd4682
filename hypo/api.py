"""The Python interface: data and knowledge in, a :class:`~hypo.result.Result` out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hypo.data import Dataset, from_arrays, from_frame, read_csv
from hypo.errors import DataError, InputError, KnowledgeError
from hypo.expression import ops
from hypo.report import tables
from hypo.report.constants import ConstantRow, shown_constants, unit_text
from hypo.result import Coverage, Efficiency, Result, check_folder, hypothesis_row, jsonable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from hypo.expression.expr import Expression
    from hypo.knowledge import Knowledge, Violation
    from hypo.scoring.score import Hypothesis
    from hypo.search.engine import Outcome, Progress
    from hypo.search.problem import Problem, Settings

    KnowledgeLike = Knowledge | Mapping[str, Any] | str | os.PathLike[str] | None
    ProgressLike = bool | Callable[[Progress], None] | None

SCORE_SCHEMA = "hypo-score/1"
PACKAGES = ("numba", "numpy", "scipy", "sympy")  # whose versions a result may depend on


def fit(
    data: Any,
    target: Any = None,
    *,
    features: Sequence[str] | str | None = None,
    knowledge: KnowledgeLike = None,
    time_limit: float = 60.0,
    seed: int = 0,
    sigma: float | str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    operators: Sequence[str] | str | None = None,
    max_complexity: int | None = None,
    workers: int | None = None,
    lam: float | None = None,
    units: Mapping[str, str] | None = None,
    drop_missing: bool = False,
    progress: ProgressLike = None,
    out: str | os.PathLike[str] | None = None,
) -> Result:
    """Search for the law behind a table: min over h of misfit(h) + complexity(h) + λ·violation(h), in nats.

    Args:
        data: path of a CSV file, DataFrame, :class:`Dataset`, pair ``(X, y)``, or array ``X`` (n_row, n_col).
        target: name of the target column; with an array ``X`` the values y (n_row,).
        features: columns that formulas may use, default all others; with arrays the names of X's columns.
        knowledge: :class:`Knowledge`, a dictionary of the file's shape, or the path of a TOML file.
        time_limit: seconds; the search stops earlier when the answer is certain.
        seed: equal seeds give equal results, unless the time limit cut the search.
        sigma: noise of the target, one standard deviation: a number, a column, or (n_row,); else estimated.
        weights: a column or (n_row,), ≥ 0.
        operators: names from the operator table, such as ``["+", "*", "sqrt"]`` or ``"+,*,sqrt"``.
        max_complexity: largest number of nodes.
        workers: threads, default one per core; does not change the result.
        lam: weight λ of soft violations, in nats per unit of violation.
        units: unit texts by column name, target included; must agree with headers and knowledge.
        drop_missing: leave out rows with missing or infinite cells instead of refusing them.
        progress: True shows progress on standard error; or a function called with :class:`Progress` reports.
        out: folder for ``result.json`` and ``front.csv``; nothing is written by default.

    Returns:
        the result; ``best`` is None when nothing acceptable was found. Ctrl-C ends the search with the best
        so far.

    Raises:
        DataError, KnowledgeError, UnitError: the input cannot be used; the message says where and why.
        InputError: a setting is wrong.
    """
    if out is not None:
        check_folder(out)
    dataset, columns = as_dataset(
        data, target, features=features, sigma=sigma, weights=weights, drop_missing=drop_missing
    )
    background = as_knowledge(knowledge, dataset, units)
    settings = as_settings(
        time_limit=time_limit,
        seed=seed,
        operators=operators,
        max_complexity=max_complexity,
        workers=workers,
        lam=lam,
    )
    from hypo.search.engine import search
    from hypo.search.problem import make_problem

    problem = make_problem(dataset, background, settings)
    shown, report = _display(progress, dataset.target)
    with shown:
        outcome = search(problem, settings, report)
    result = make_result(outcome, problem, settings, dataset, columns)
    if out is not None:
        result.save(out)
    return result


def score(
    formula: str | Expression,
    data: Any,
    target: Any = None,
    *,
    features: Sequence[str] | str | None = None,
    knowledge: KnowledgeLike = None,
    sigma: float | str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    lam: float | None = None,
    units: Mapping[str, str] | None = None,
    drop_missing: bool = False,
) -> Scored:
    """Score one formula by the score of :func:`fit`, with its free constants fitted.

    In a text every name that is neither a column nor a constant of ``knowledge`` is a constant to fit;
    numbers stay as they are. The other arguments are those of :func:`fit`. A formula that breaks a rule of
    the knowledge is scored all the same, and its violations are named.

    Raises:
        FormulaError: the text cannot be read.
        DataError: the formula uses a column that is not there, or is undefined on some row.
    """
    from hypo.expression.parser import parse
    from hypo.search.engine import score_formula
    from hypo.search.problem import make_problem

    dataset, _ = as_dataset(
        data, target, features=features, sigma=sigma, weights=weights, drop_missing=drop_missing
    )
    settings = as_settings(lam=lam)
    problem = make_problem(dataset, as_knowledge(knowledge, dataset, units), settings)
    e = formula
    if isinstance(e, str):
        e = parse(e, variables=dataset.names, constants=problem.constants)
    unknown = [name for name in e.variables if name not in dataset.names]
    if unknown:
        raise DataError(
            f"{dataset.source}: the formula uses {unknown[0]}, but the columns are {', '.join(dataset.names)}"
        )
    found = score_formula(e, problem, settings)
    if found is None:
        raise DataError(
            f"{dataset.source}: {e.pretty()} is undefined on some row, whatever its constants; correct the "
            "formula or leave out that row"
        )
    return Scored(
        hypothesis=in_target_unit(replace(found, expression=with_numbers(found.expression)), problem),
        constants=constant_rows(found.expression, problem),
        target=dataset.target,
        violations=problem.knowledge.violations(found.expression, dataset.target),
        unit_note=problem.unit_note,
    )


@dataclass(frozen=True)
class Scored:
    """What :func:`score` returns.

    ``hypothesis`` has the fitted values as numbers in its expression, ``constants`` has them by the names
    of the formula, with units; ``violations`` are the rules of the knowledge that the formula breaks.
    """

    hypothesis: Hypothesis
    constants: tuple[ConstantRow, ...]
    target: str
    violations: tuple[Violation, ...]
    unit_note: str = ""

    @property
    def expression(self) -> Expression:
        """The formula with its fitted constants."""
        return self.hypothesis.expression

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the keys of an entry of ``front`` in ``result.json``, and ``violations``."""
        violations = [{"rule": v.rule, "amount": v.amount, "message": v.message} for v in self.violations]
        row = hypothesis_row(self.hypothesis, self.constants)
        return jsonable({"schema": SCORE_SCHEMA, "target": self.target, **row, "violations": violations})

    def remarks(self) -> list[str]:
        """The violated rules and the note on units, in sentences."""
        lines = [f"Violates {v.rule} by {tables.number(v.amount)}: {v.message}." for v in self.violations]
        return [*lines, *([tables.sentence(self.unit_note)] if self.unit_note else [])]

    def __str__(self) -> str:
        parts = [tables.as_text(tables.front_table([self.hypothesis], None, self.target))]
        if self.constants:
            parts += ["", tables.as_text(tables.constants_table(self.constants))]
        return "\n".join([*parts, *self.remarks()])


def with_numbers(e: Expression) -> Expression:
    """``e`` with its named free constants as plain numbers."""
    constants = tuple(replace(c, name=None) if c.free else c for c in e.constants)
    return replace(e, constants=constants)


# --- what a search needs ---------------------------------------------------------------------------------


def as_dataset(
    data: Any,
    target: Any,
    *,
    features: Sequence[str] | str | None = None,
    sigma: float | str | ArrayLike | None = None,
    weights: str | ArrayLike | None = None,
    drop_missing: bool = False,
) -> tuple[Dataset, tuple[str, ...]]:
    """The data set, and the names of all columns given, as prediction expects them of arrays."""
    if isinstance(features, str):
        features = [name.strip() for name in features.split(",")]
    if isinstance(data, Dataset):
        return data, data.names
    if isinstance(data, str | os.PathLike):
        _need_target(target, data)
        dataset = read_csv(
            data,
            target,
            features=features,
            sigma=sigma,
            weights=weights,  # type: ignore[arg-type]
            drop_missing=drop_missing,
        )
        return dataset, dataset.names
    if isinstance(data, Mapping):
        import pandas

        data = pandas.DataFrame(dict(data))
    named = isinstance(target, str | int) or target is None
    if hasattr(data, "columns") and named:
        _need_target(target, data)
        dataset = from_frame(
            data, target, features=features, sigma=sigma, weights=weights, drop_missing=drop_missing
        )
        return dataset, dataset.names
    if isinstance(data, tuple) and len(data) == 2 and named:
        X, y = data
        name = "y" if target is None else str(target)
    elif not named:
        X, y, name = data, target, str(getattr(target, "name", None) or "y")
    else:
        raise DataError(
            "with an array X give the target's values, fit(X, y), or a pair, fit((X, y), target='y')"
        )
    if isinstance(sigma, str) or isinstance(weights, str):
        raise DataError(
            "with arrays sigma and weights must be arrays too, with one number per row, not names of columns"
        )
    dataset = from_arrays(
        X, y, names=features, target=name, sigma=sigma, weights=weights, drop_missing=drop_missing
    )
    return dataset, _given_names(X, features, dataset)


def _given_names(X: Any, features: Sequence[str] | None, dataset: Dataset) -> tuple[str, ...]:
    """Names of all columns of ``X``, those left out as constant included."""
    import numpy as np

    from hypo.data.columns import Columns

    shape = np.shape(X)
    headers = features or [str(c) for c in getattr(X, "columns", ())]
    headers = headers or [f"x{k}" for k in range(1 if len(shape) == 1 else shape[1])]
    return tuple(column.name for column in Columns(headers, source=dataset.source, place=dataset.source))


def _need_target(target: Any, data: Any) -> None:
    """Raises DataError with the columns to choose from when no target is given."""
    if target is not None and not isinstance(target, str | int):
        raise DataError(f"the target must be the name of a column, got {type(target).__name__}")
    if target is None:
        if isinstance(data, str | os.PathLike):
            from hypo.data import read_table

            place, names = f"{os.fspath(data)}: ", read_table(data).labels
        else:
            place, names = "", tuple(str(name) for name in data.columns)
        raise DataError(f"{place}no target is given; choose one of the columns {', '.join(names)}")


def as_knowledge(
    knowledge: KnowledgeLike, dataset: Dataset, units: Mapping[str, str] | None = None
) -> Knowledge:
    """Knowledge with the units of the caller and of the table's header.

    Raises KnowledgeError where these disagree.
    """
    from hypo.knowledge import Knowledge

    if knowledge is None:
        loaded = Knowledge()
    elif isinstance(knowledge, Knowledge):
        loaded = knowledge
    elif isinstance(knowledge, Mapping):
        loaded = Knowledge.from_dict(knowledge)
    elif isinstance(knowledge, str | os.PathLike):
        loaded = Knowledge.load(knowledge)
    else:
        raise KnowledgeError(
            f"knowledge must be a Knowledge, a dictionary or a path, got {type(knowledge).__name__}"
        )
    named = dict(zip(dataset.labels, dataset.names, strict=True)) | {dataset.target_label: dataset.target}
    stated = {named.get(key, key): text for key, text in (units or {}).items()}
    for key in stated:
        if key not in dataset.names and key != dataset.target:
            raise KnowledgeError(
                f"units: {key} is not a column; the columns are {', '.join(dataset.names)} and the "
                f"target is {dataset.target}"
            )
    return loaded.with_units(stated).with_units(dataset.units)


def as_settings(
    *,
    time_limit: float = 60.0,
    seed: int = 0,
    operators: Sequence[str] | str | None = None,
    max_complexity: int | None = None,
    workers: int | None = None,
    lam: float | None = None,
) -> Settings:
    """Checked settings of the engine; raises InputError naming the wrong one."""
    from hypo.search.problem import Settings

    if not 0 < time_limit < float("inf"):
        raise InputError(f"the time limit must be a positive number of seconds, got {time_limit}")
    if seed < 0:
        raise InputError(f"the seed must be 0 or more, got {seed}")
    if workers is not None and workers < 1:
        raise InputError(f"the number of workers must be 1 or more, got {workers}")
    if max_complexity is not None and max_complexity < 1:
        raise InputError(f"the largest complexity must be 1 or more, got {max_complexity}")
    if lam is not None and not 0 <= lam < float("inf"):
        raise InputError(f"lambda must be a number from 0 on, got {lam}")
    given: dict[str, Any] = {"max_complexity": max_complexity, "lam": lam}
    return Settings(
        time_limit=float(time_limit),
        seed=int(seed),
        workers=workers or available_cores(),
        operators=None if operators is None else operator_names(operators),
        **{name: value for name, value in given.items() if value is not None},
    )


def operator_names(operators: Sequence[str] | str) -> tuple[str, ...]:
    """Names of the operator table for what a user wrote, such as ``"+, ^, ln"``; raises InputError."""
    listed = operators.replace(",", " ").split() if isinstance(operators, str) else list(operators)
    if not listed:
        raise InputError("the list of operators is empty; give some, such as +,-,*,/,sqrt")
    names = []
    for text in listed:
        row = ops.lookup(text) if isinstance(text, str) else None
        if row is None:
            import difflib

            near = difflib.get_close_matches(str(text), [*ops.BY_NAME, *ops.ALIASES], n=1)
            hint = f"did you mean {near[0]}? The" if near else "the"
            raise InputError(f"unknown operator {text}; {hint} operators are {' '.join(ops.BY_NAME)}")
        names.append(row.name)
    return tuple(dict.fromkeys(names))


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _display(
    progress: ProgressLike, target: str
) -> tuple[AbstractContextManager[Any], Callable[[Progress], None] | None]:
    """A context that shows progress, and the function that feeds it."""
    if callable(progress):
        return nullcontext(), progress
    if not progress:
        return nullcontext(), None
    from hypo.report.progress import display_for

    display = display_for(sys.stderr, target)
    return display, display


# --- what comes back -------------------------------------------------------------------------------------


def make_result(
    outcome: Outcome, problem: Problem, settings: Settings, dataset: Dataset, columns: Sequence[str]
) -> Result:
    """The engine's outcome with constants, units and manifest."""
    front = tuple(in_target_unit(h, problem) for h in outcome.front)
    best = None if outcome.best is None else in_target_unit(outcome.best, problem)
    if best is not None and best not in front:
        front = tuple(sorted((*front, best), key=lambda h: (h.complexity, -h.score)))
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
        data=dataset,
    )


def in_target_unit(h: Hypothesis, problem: Problem) -> Hypothesis:
    """``h`` with its rmse in the user's unit of the target."""
    scale = problem.scales.get(problem.target, 1.0)
    return h if scale == 1.0 else replace(h, rmse=h.rmse / scale)


def constant_rows(e: Expression, problem: Problem) -> tuple[ConstantRow, ...]:
    """The constants of ``e`` with their units; the unit is None where none is known."""
    k = problem.knowledge
    given = [
        *(k.units[n] for n in (*problem.columns, problem.target) if n in k.units),
        *(c.unit for c in k.constants.values()),
    ]
    converted = bool(problem.unit_note)
    units = [None if d is None else unit_text(d, given, converted) for d in problem.constant_units(e)]
    return shown_constants(e, units, taken=(*problem.columns, problem.target, *problem.constants))


def _manifest(
    problem: Problem, settings: Settings, dataset: Dataset, columns: Sequence[str]
) -> dict[str, Any]:
    """Everything needed to run the search again, and nothing that depends on when or where it ran."""
    import platform
    from importlib.metadata import version

    import hypo

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
        "packages": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }
