"""Table, knowledge and settings, checked alone and against each other: how ``fit``, ``score`` and ``audit`` begin."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from hypo.api.inputs import make_knowledge, make_settings
from hypo.api.parameters.calls import list_names
from hypo.api.parameters.parameter import FIT, LIKELIHOOD, SEARCH, TABLE
from hypo.data import TableOptions, as_dataset
from hypo.errors import InputError
from hypo.expression.printing import shortened
from hypo.units import DIMENSIONLESS

if TYPE_CHECKING:
    from hypo.data import Dataset
    from hypo.knowledge import Knowledge
    from hypo.problem.problem import Settings


class Inputs(NamedTuple):
    """Checked inputs of a search; ``columns`` are the names of all columns given, as prediction expects them of arrays."""

    dataset: Dataset
    columns: tuple[str, ...]
    knowledge: Knowledge
    settings: Settings


def validate_inputs(data: Any, target: Any, given: Mapping[str, Any]) -> Inputs:
    """Table, knowledge and settings, checked: ``given`` are parameters of :func:`hypo.fit` by name, with those of a call
    itself left aside.

    Errors are named in this order: of the table, of the knowledge, of the settings, of what the likelihood cannot have.

    Raises:
        DataError, KnowledgeError, UnitError, InputError: the message says where and why.
    """
    from hypo.problem.from_table import require_table

    def part(*parts: str) -> dict[str, Any]:
        return {name: given[name] for name in list_names(FIT, *parts) if name in given}

    table = {name: value for name, value in part(TABLE).items() if name not in ("data", "target")}
    dataset, columns = as_dataset(data, target, TableOptions(**table))
    background = make_knowledge(given.get("knowledge"), dataset, given.get("units"))
    if background.rules:
        from hypo.knowledge.file.column_names import misread_rules

        traps = [f"[[rule]] {i + 1}: {trap}" for i, trap in misread_rules(background, dataset.names, dataset.target)]
        for trap in traps:
            logging.getLogger("hypo").warning(trap)
        dataset = replace(dataset, notes=(*dataset.notes, *traps))
    dataset = replace(dataset, notes=(*dataset.notes, *_target_without_unit(dataset, background)))
    checked = make_settings(**part(SEARCH, LIKELIHOOD))
    for guess in (*checked.guesses, *background.guesses):
        names = re.findall(r"[^\W\d]\w*", guess) if isinstance(guess, str) else guess.variables
        require_kept(names, dataset, f'the guess "{shortened(str(guess))}"')
    require_table(dataset, checked.likelihood)
    return Inputs(dataset, columns, background, checked)


def _target_without_unit(dataset: Dataset, background: Knowledge) -> list[str]:
    """A sentence where columns have units and the target none."""
    units = background.units
    with_unit = [name for name in dataset.names if name in units and units[name].dimension != DIMENSIONLESS]
    if not with_unit or dataset.target in units:
        return []
    return [
        f"the target {dataset.target} has no unit, while {with_unit[0]} has one, so formulas of any unit are taken: "
        f"give it one, as in {dataset.target} [{units[with_unit[0]].text}], or [1] for a pure number"
    ]


def require_kept(names: Collection[str], dataset: Dataset, what: str) -> None:
    """Raises InputError where ``what`` uses a column that was left out because it holds no numbers: its name would be taken for
    that of a constant."""
    for name, why in dataset.left_out.items():
        if name in names:
            raise InputError(f"{what} uses {name}, but the {why}")
