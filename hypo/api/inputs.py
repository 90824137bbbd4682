"""Knowledge and settings of a search, from all that users give beside a table."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from hypo.checks import require_number
from hypo.data.columns import identifier
from hypo.durations import seconds
from hypo.errors import DataError, InputError, KnowledgeError
from hypo.expression import operators as ops
from hypo.expression.user_operators import Operator

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from hypo.data import Dataset
    from hypo.expression.expr import Expression
    from hypo.knowledge import Knowledge
    from hypo.problem.problem import Settings

    KnowledgeLike = Knowledge | Mapping[str, Any] | str | os.PathLike[str] | None


def as_knowledge(knowledge: KnowledgeLike, dataset: Dataset, units: Mapping[str, str] | None = None) -> Knowledge:
    """Knowledge with the units of the caller and of the table's header.

    Raises KnowledgeError where these disagree, and for names that the table does not have, and for hard rules that
    contradict each other on the domain of the data.
    """
    from hypo.knowledge import Knowledge

    if units is not None and not (isinstance(units, Mapping) and all(isinstance(key, str) for key in units)):
        raise InputError(f'units must name columns, such as {{"x": "m", "y": "m/s"}}, got {units!r:.40}')
    if knowledge is None:
        loaded = Knowledge()
    elif isinstance(knowledge, Knowledge):
        loaded = knowledge
    elif isinstance(knowledge, Mapping):
        loaded = Knowledge.from_dict(knowledge, target=dataset.target)
    elif isinstance(knowledge, str | os.PathLike):
        loaded = Knowledge.load(knowledge, dataset.target)
    else:
        raise KnowledgeError(f"knowledge must be a Knowledge, a dictionary or a path, got {type(knowledge).__name__}")
    named = (
        dict(zip(dataset.labels, dataset.names, strict=True)) | {dataset.target_label: dataset.target} | dataset.written
    )
    _require_kept(loaded, units or {}, dataset)
    # The unit of a column that was left out because it never changes is of no use, and no mistake.
    given = {key: text for key, text in (units or {}).items() if identifier(key, 0) not in dataset.constant}
    stated = {named.get(key, key): text for key, text in given.items()}
    for key in stated:
        if key not in dataset.names and key != dataset.target:
            raise KnowledgeError(
                f"units: {key} is not a column; the columns are {', '.join(dataset.names)} and the "
                f"target is {dataset.target}"
            )
    loaded.require_names(dataset.names, dataset.target, dataset.constant)
    if loaded.rules:
        from hypo.knowledge.file.column_names import data_ranges

        loaded.require_agreement(data_ranges(dataset), dataset.target)
    loaded = loaded.with_units(stated)
    return loaded.with_units(dataset.units_beside(loaded.units))


def _require_kept(knowledge: Knowledge, units: Mapping[str, str], dataset: Dataset) -> None:
    """Raises KnowledgeError where the knowledge or the units speak of a column that was left out for holding no numbers."""
    if not dataset.left_out:
        return
    columns, constants = dataset.names, {name: c.value for name, c in knowledge.constants.items()}
    said = {*knowledge.units, *(identifier(key, 0) for key in units), *knowledge.must_use}
    if knowledge.template is not None:
        said |= {*knowledge.template.names, *(a for given in knowledge.template.unknowns.values() for a in given)}
    for rule in knowledge.rules:
        # A rule that would be fine with these columns speaks of one of them.
        alone, beside = (
            list(rule.misfits(c, dataset.target, constants)) for c in (columns, (*columns, *dataset.left_out))
        )
        if len(beside) < len(alone):
            values = [value for key, value in rule.as_dict().items() if key not in ("kind", "label")]
            said |= set(re.findall(r"\w+", repr(values)))
    for name, why in dataset.left_out.items():
        if name in said:
            raise KnowledgeError(f"the knowledge speaks of {name}, but the {why}")


def as_settings(
    *,
    time_limit: float | str = 60.0,
    seed: int = 0,
    operators: Sequence[str | Operator] | str | None = None,
    max_complexity: int | None = None,
    workers: int | None = None,
    lam: float | None = None,
    guesses: Sequence[str | Expression] | str | Expression | None = None,
    backend: str = "native",
    scheduler: str | None = None,
    max_memory: str | float | None = None,
    shard: str | Sequence[int] | None = None,
    posterior: bool = True,
    intervals: str = "laplace",
    likelihood: str | None = None,
    dof: float | None = None,
    log_likelihood: Callable[..., Any] | None = None,
) -> Settings:
    """Checked settings of the engine; raises InputError naming the wrong one."""
    from hypo.likelihood.family import family_of
    from hypo.problem.problem import BACKENDS, LAPLACE, PROFILE, Settings

    if backend not in BACKENDS:
        raise InputError(f"the backend must be {', '.join(BACKENDS[:-1])} or {BACKENDS[-1]}, got {backend!r}")

    if intervals not in (LAPLACE, PROFILE):
        raise InputError(f"intervals must be {LAPLACE} or {PROFILE}, got {intervals!r}")
    if not isinstance(posterior, bool):
        raise InputError(f"posterior must be True or False, got {posterior!r}")
    limit = seconds("time_limit", time_limit)
    require_number("seed", seed, Integral, "a whole number, 0 or more")
    for name, value in (("max_complexity", max_complexity), ("workers", workers)):
        if value is not None:
            require_number(name, value, Integral, "a whole number, 1 or more")
    if lam is not None:
        require_number("lam", lam, Real, "a number, 0 or more")
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
        time_limit=limit,
        seed=int(seed),
        workers=workers or available_cores(),
        operators=None if operators is None else operator_names(operators),
        guesses=_check_formulas(guesses),
        backend=backend,
        scheduler=_check_scheduler(scheduler),
        max_memory=_read_bytes(max_memory),
        shard=_read_shard(shard),
        likelihood=family_of(likelihood, dof, log_likelihood),
        posterior=posterior,
        intervals=intervals,
        **{name: value for name, value in given.items() if value is not None},
    )


def as_folds(
    dataset: Dataset, by: Any, fraction: float | None, folds: str | ArrayLike | None, settings: Settings
) -> list[NDArray[np.bool_]]:
    """Masks (n_row,) of the rows that each search holds out, none unless ``by`` is validation; a column of folds is in the
    data set. Raises InputError."""
    from hypo.search.model_selection import CRITERIA, POSTERIOR, VALIDATION
    from hypo.search.validation import folds_of

    given = dataset.folds if folds is None or isinstance(folds, str) else folds
    if by not in CRITERIA:
        raise InputError(f"model_selection must be {', '.join(CRITERIA[:-1])} or {CRITERIA[-1]}, got {by!r}")
    if by == POSTERIOR and not settings.posterior:
        raise InputError('model_selection "posterior" needs the posterior: leave out --no-posterior (posterior=False)')
    if by != VALIDATION:
        for name, value in (("validation_fraction", fraction), ("folds", given)):
            if value is not None:
                raise InputError(f'{name} is of use with model_selection "{VALIDATION}" only, but that is "{by}"')
        return []
    if settings.shard is not None:
        raise InputError("a shard of a search cannot choose by validation; choose by score, posterior or accuracy")
    if fraction is not None and given is not None:
        raise InputError("give either validation_fraction or folds, not both")
    if fraction is not None:
        require_number("validation_fraction", fraction, Real, "a share between 0 and 1")
        if not 0 < fraction < 1:
            raise InputError(f"validation_fraction must be a share between 0 and 1, got {fraction}")
    return folds_of(dataset, fraction, None if given is None else fold_numbers(given), settings.seed)


def fold_numbers(folds: ArrayLike) -> NDArray[np.float64] | NDArray[np.bool_]:
    """A mask, or numbers with NaN where there is none; raises InputError for what is neither."""
    import numpy as np

    from hypo.data.roles import vector

    wrong = "folds must be one whole number or truth value for each row"
    try:
        array = np.asarray(folds)
    except ValueError:
        raise InputError(wrong) from None
    if array.ndim == 1 and all(isinstance(v, bool | np.bool_) for v in array):
        return array.astype(bool)
    try:
        return vector("folds", array)
    except DataError as error:
        raise InputError(f"{wrong}; {error}") from None


def _check_scheduler(scheduler: Any) -> str | None:
    """``scheduler`` if it is one of ours or looks like an address; raises InputError."""
    from hypo.parallel.executor import LOCAL, PROCESSES, THREADS

    ours = (THREADS, PROCESSES, LOCAL)
    if scheduler is None or scheduler in ours or (isinstance(scheduler, str) and "://" in scheduler):
        return scheduler
    raise InputError(
        f"the scheduler must be {', '.join(ours)} or the address of a Dask scheduler, such as tcp://host:8786, "
        f"got {scheduler!r}"
    )


def _read_bytes(max_memory: str | float | None) -> float | None:
    """Bytes for a number, or a text such as ``"4 GB"`` or ``"512M"``; raises InputError."""
    if max_memory is None:
        return None
    wrong = f'max_memory must be a number of bytes or a size such as "4 GB", got {max_memory!r}'
    if isinstance(max_memory, str):
        found = re.fullmatch(r"\s*([0-9]+\.?[0-9]*)\s*([kKmMgGtT]?)(i?)[bB]?\s*", max_memory)
        if found is None:
            raise InputError(wrong)
        number, prefix, binary = found.groups()
        return float(number) * (1024 if binary else 1000) ** " KMGT".index(prefix.upper() or " ")
    if isinstance(max_memory, bool) or not isinstance(max_memory, Real) or not 0 < max_memory < float("inf"):
        raise InputError(wrong)
    return float(max_memory)


def _read_shard(shard: str | Sequence[int] | None) -> tuple[int, int] | None:
    """(Number, of how many) for ``"3/16"`` or ``(3, 16)``; raises InputError."""
    if shard is None:
        return None
    try:
        number, of = (int(part) for part in shard.split("/")) if isinstance(shard, str) else map(operator.index, shard)
    except (TypeError, ValueError):
        raise InputError(f"the shard must be written NUMBER/TOTAL, such as 3/16, got {shard!r}") from None
    if not 1 <= number <= of:
        raise InputError(
            f"the shard must be one of 1/{of} to {of}/{of}, got {number}/{of}"
            if of > 0
            else f"the number of shards must be 1 or more, got {of}"
        )
    return number, of


def _check_formulas(guesses: Sequence[str | Expression] | str | Expression | None) -> tuple[str | Expression, ...]:
    """Guesses as a tuple; raises InputError for what is neither text nor Expression."""
    from hypo.expression.expr import Expression

    if guesses is None:
        return ()
    listed = [guesses] if isinstance(guesses, str | Expression) or not isinstance(guesses, Iterable) else list(guesses)
    for guess in listed:
        if not isinstance(guess, str | Expression):
            raise InputError(f'guesses must be formulas, such as ["a*x/(b + x)"], got {guess!r}')
    return tuple(listed)


def operator_names(operators: Sequence[str | Operator] | str) -> tuple[str, ...]:
    """Names of the operator table for what a user wrote, such as ``"+, ^, ln"``; raises InputError."""
    if not isinstance(operators, Iterable):
        raise InputError(f'operators must be names of operators, such as ["+", "*", "exp"], got {operators!r:.40}')
    listed = operators.replace(",", " ").split() if isinstance(operators, str) else list(operators)
    if not listed:
        raise InputError("the list of operators is empty; give some, such as +,-,*,/,sqrt")
    names = []
    for text in listed:
        name = text.name if isinstance(text, Operator) else text
        row = ops.lookup(name) if isinstance(name, str) else None
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
