"""The fields of a result: the formulas that a search found, what is known of them, and the record of the fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, Any, NoReturn

from hypo.errors import HypoError, InputError
from hypo.report.constants import ConstantRow
from hypo.report.coverage import Coverage, Efficiency
from hypo.report.rules import RuleRow
from hypo.result.record import Record

if TYPE_CHECKING:
    from hypo.data import Dataset
    from hypo.expression.expr import Expression
    from hypo.failures import Failure
    from hypo.likelihood.family import Family
    from hypo.posterior.posterior import Posterior
    from hypo.scoring.score import Hypothesis


@dataclass(frozen=True)
class ResultFields:
    """The data of a :class:`hypo.Result`, which adds the questions to them; what answers one needs no more than these."""

    best: Hypothesis | None
    front: tuple[Hypothesis, ...]
    status: str
    message: str
    coverage: Coverage
    efficiency: Efficiency
    timing: dict[str, Any]
    record: Record
    constants: tuple[tuple[ConstantRow, ...], ...]
    rules: tuple[RuleRow, ...] = ()
    posterior: Posterior | None = None
    data: Dataset | None = field(default=None, compare=False, repr=False)
    failures: tuple[Failure, ...] = field(default=(), compare=False, repr=False)

    @property
    def manifest(self) -> dict[str, Any]:
        """The record as ``result.json`` has it, to look at."""
        return read_only(self.record.as_dict())

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the manifest, to look at."""
        return read_only(self.record.settings())

    @property
    def target(self) -> str:
        """Name of the target."""
        return self.record.table.target

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns the formulas could use."""
        return self.record.table.features

    @property
    def family(self) -> Family:
        """The kind of distribution that targets have around the formula's values."""
        return self.record.likelihood

    @property
    def expression(self) -> Expression | None:
        """The best formula, None when nothing was found."""
        return None if self.best is None else self.best.expression


def find_formula(result: ResultFields, index: int | None = None) -> Hypothesis:
    """Formula number ``index`` of the front, the best one by default.

    Raises InputError where the front has no such formula, and HypoError where the search found none.
    """
    if index is not None and (isinstance(index, bool) or not isinstance(index, Integral)):
        raise InputError(f"the index of a formula of the front must be a whole number, got {index!r}")
    if index is not None and not -len(result.front) <= index < len(result.front):
        raise InputError(f"the front has {len(result.front)} formulas, so there is no number {index}")
    chosen = result.best if index is None else result.front[index]
    if chosen is None:
        raise HypoError("the search found no formula, so there is nothing to work with: allow more time or operators")
    return chosen


class ReadOnlyDict(dict[str, Any]):
    """A dictionary to look at: a change of it would not change the record that it shows."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("the manifest of a result cannot be changed; copy it first, as with dict(result.manifest)")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)


def read_only(content: Mapping[str, Any]) -> ReadOnlyDict:
    """``content``, and all tables within, as dictionaries that cannot be changed."""
    return ReadOnlyDict(
        {name: read_only(value) if isinstance(value, Mapping) else value for name, value in content.items()}
    )
