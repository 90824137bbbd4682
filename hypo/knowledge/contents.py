"""The checked content of a knowledge file: plain values that :class:`~hypo.knowledge.Knowledge` is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypo.knowledge.fields import NamedConstant, NumberLimits
from hypo.knowledge.rules import Rule
from hypo.knowledge.template import Template
from hypo.units import Unit


@dataclass
class FileContent:
    """The checked content of a knowledge file; the names are those of :class:`~hypo.knowledge.Knowledge`."""

    units: dict[str, Unit] = field(default_factory=dict)
    constants: dict[str, NamedConstant] = field(default_factory=dict)
    operators: tuple[str, ...] | None = None
    forbid: tuple[str, ...] = ()
    max_complexity: int | None = None
    nesting: dict[str, tuple[str, ...]] = field(default_factory=dict)
    strict_angles: bool = False
    soft: bool = False
    max_depth: int | None = None
    must_use: tuple[str, ...] = ()
    must_not_use: tuple[str, ...] = ()
    never_together: tuple[tuple[str, ...], ...] = ()
    only: dict[str, tuple[str, ...]] = field(default_factory=dict)
    never_inside: dict[str, tuple[str, ...]] = field(default_factory=dict)
    constant_limits: NumberLimits | None = None
    exponents: NumberLimits | None = None
    priors: dict[str, float] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    template: Template | None = None
    guesses: tuple[str, ...] = ()
