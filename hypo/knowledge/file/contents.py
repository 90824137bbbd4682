"""The checked content of a knowledge file: plain values that :class:`~hypo.knowledge.Knowledge` is made of."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from hypo.knowledge.grammar import Grammar
from hypo.knowledge.limits import NamedConstant
from hypo.knowledge.motion import MotionKnowledge
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.template import Template
from hypo.units import Unit


@dataclass
class FileContent:
    """The checked content of a knowledge file; the names are those of :class:`~hypo.knowledge.Knowledge`."""

    units: dict[str, Unit] = field(default_factory=dict)
    constants: dict[str, NamedConstant] = field(default_factory=dict)
    grammar: Grammar = field(default_factory=Grammar)
    strict_angles: bool = False
    soft: bool = False
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    template: Template | None = None
    guesses: tuple[str, ...] = ()
    dynamics: MotionKnowledge | None = None

    def as_keywords(self) -> dict[str, Any]:
        """The keywords of :class:`~hypo.knowledge.Knowledge`, which states its grammar key by key."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "grammar"}
        return own | self.grammar.keys()
