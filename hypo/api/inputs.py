"""Knowledge and settings of a search, from all that users give beside a table."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

from hypo.api.parameters.calls import complete_arguments, list_names, list_parameters
from hypo.api.parameters.parameter import FIT, LIKELIHOOD, SEARCH
from hypo.checks import require_number
from hypo.data.columns import make_identifier
from hypo.errors import DataError, InputError, KnowledgeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from hypo.data import Dataset
    from hypo.knowledge import Knowledge
    from hypo.problem.problem import Settings

    KnowledgeLike = Knowledge | Mapping[str, Any] | str | os.PathLike[str] | None


def load_knowledge(knowledge: Knowledge | Mapping[str, Any] | str | os.PathLike[str], target: str = "f") -> Knowledge:
    """Knowledge as it is, from a dictionary, or from a file; raises KnowledgeError with all its problems, which call the law
    ``target``."""
    from hypo.knowledge import Knowledge

    if isinstance(knowledge, Knowledge):
        return knowledge
    if isinstance(knowledge, Mapping):
        return Knowledge.from_dict(knowledge, target=target)
    if isinstance(knowledge, str | os.PathLike):
        return Knowledge.load(knowledge, target)
    raise KnowledgeError(f"knowledge must be a Knowledge, a dictionary or a path, got {type(knowledge).__name__}")


def make_knowledge(knowledge: KnowledgeLike, dataset: Dataset, units: Mapping[str, str] | None = None) -> Knowledge:
    """Knowledge with the units of the caller and of the table's header.

    Raises KnowledgeError where these disagree, and for names that the table does not have, and for hard rules that
    contradict each other on the domain of the data.
    """
    from hypo.knowledge import Knowledge

    if units is not None and not (isinstance(units, Mapping) and all(isinstance(key, str) for key in units)):
        raise InputError(f'units must name columns, such as {{"x": "m", "y": "m/s"}}, got {units!r:.40}')
    loaded = Knowledge() if knowledge is None else load_knowledge(knowledge, dataset.target)
    named = (
        dict(zip(dataset.labels, dataset.names, strict=True)) | {dataset.target_label: dataset.target} | dataset.written
    )
    _require_kept(loaded, units or {}, dataset)
    # The unit of a column that was left out because it never changes is of no use, and no mistake.
    given = {key: text for key, text in (units or {}).items() if make_identifier(key, 0) not in dataset.constant}
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
    said = {*knowledge.units, *(make_identifier(key, 0) for key in units), *knowledge.must_use}
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


def make_settings(**given: Any) -> Settings:
    """Checked settings of the engine, with defaults for what is not ``given``; raises InputError naming the wrong one.

    ``given`` are parameters of the table that go to the search or to the likelihood.
    """
    from hypo.likelihood.registry import make_family
    from hypo.problem.problem import Settings

    if unknown := given.keys() - set(list_names(FIT, SEARCH, LIKELIHOOD)):
        raise TypeError(f"there is no setting {min(unknown)}")
    values = complete_arguments(FIT, given)
    rows = [p for p in list_parameters(FIT) if p.goes_to == SEARCH and p.convert is not None]
    checked = {p.name: p.convert(p.name, values[p.name]) for p in rows if p.convert is not None}
    # None stands for the engine's own default.
    return Settings(
        likelihood=make_family(values["likelihood"], values["dof"], values["log_likelihood"]),
        **{name: value for name, value in checked.items() if value is not None},
    )


def make_folds(
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
    return folds_of(dataset, fraction, None if given is None else read_folds(given), settings.seed)


def read_folds(folds: ArrayLike) -> NDArray[np.float64] | NDArray[np.bool_]:
    """A mask, or numbers with NaN where there is none; raises InputError for what is neither."""
    import numpy as np

    from hypo.data.roles import as_vector

    wrong = "folds must be one whole number or truth value for each row"
    try:
        array = np.asarray(folds)
    except ValueError:
        raise InputError(wrong) from None
    if array.ndim == 1 and all(isinstance(v, bool | np.bool_) for v in array):
        return array.astype(bool)
    try:
        return as_vector("folds", array)
    except DataError as error:
        raise InputError(f"{wrong}; {error}") from None
