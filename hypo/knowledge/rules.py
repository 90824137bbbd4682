"""Rules about a law: what a kind of rule must offer, and what it is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from hypo.expression.expr import Expression
from hypo.knowledge.claims import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Law:
    """A formula under test, in the units of the table.

    ``variables`` are all columns, in order (``f(a, b)`` in a first-order rule fills them in this order); ``ranges`` gives each its
    domain: that of [ranges], else that of the data. ``constants`` are the named ones.
    """

    expression: Expression
    target: str
    variables: Sequence[str]
    ranges: Mapping[str, tuple[float, float]]
    constants: Mapping[str, float] = field(default_factory=dict)


class Rule(ABC):
    """What is known of a law. Subclasses are kinds; third parties add theirs through the entry point group ``hypo.rules``.

    ``weight`` multiplies the violation, ``hard`` excludes formulas that break the rule, ``where`` narrows the domain.
    """

    kind: ClassVar[str]
    weight: float
    hard: bool
    where: Mapping[str, tuple[float, float]]

    @abstractmethod
    def check(self, law: Law, *, points: int, proof: bool) -> Verdict:
        """How ``law`` fares: at ``points`` points and, with ``proof``, by interval arithmetic over the whole domain."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """The table of a knowledge file that reads back as this rule."""

    @abstractmethod
    def __str__(self) -> str:
        """The rule in words, such as "T is increasing in L on 0.1 <= L <= 10"."""
