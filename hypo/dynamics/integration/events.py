"""Events: what happens to the states of a system at the moment when a condition comes true.

``x > 2: v = -0.9*v`` is a wall, ``x > 2: x = 2`` a clip (the state stays at the bound while its rate points outward), and
``n > 100: n = n/2, k = 0`` a dilution. Right-hand sides see the values before the event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypo.errors import FormulaError
from hypo.expression.expr import Expression
from hypo.expression.parser import parse

_ASSIGNMENT = re.compile(r"\s*(\w+)\s*=(?!=)(.*)", re.DOTALL)
_FORM = 'an event is a condition, a colon, and assignments, such as "x > 2: v = -0.9*v"'


@dataclass(frozen=True)
class Clip:
    """A bound that a state does not pass: from below with ``is_above``, else from above."""

    state: str
    bound: float
    is_above: bool


@dataclass(frozen=True)
class Event:
    """A condition ``margin > 0`` and what it does when it comes true.

    Attributes:
        text: as it was written.
        margin: an expression over columns.
        assignments: states and their new values, all from the values before.
        clip: the state that is held at a bound, None where there is none.
    """

    text: str
    margin: Expression
    assignments: tuple[tuple[str, Expression], ...]
    clip: Clip | None = None

    @staticmethod
    def parse(text: str, columns: Sequence[str], constants: Mapping[str, float] | None = None) -> Event:
        """The event written in ``text``: ``condition: state = value, state = value``.

        Args:
            text: the condition compares two formulas by ``>`` or ``<`` (``>=`` and ``<=`` are the same).
            columns: names that formulas may use; what is assigned must be one of them.
            constants: values of other names.

        Raises:
            FormulaError: the text has another form, a formula cannot be read, or a name is not known.
        """
        condition, colon, happens = text.partition(":")
        sides = re.split(r"[<>]=?", condition)
        if not colon or len(sides) != 2 or not happens.strip():
            raise FormulaError(f"the event {text!r} cannot be read: {_FORM}")
        left, right = (_read(text, side, columns, constants) for side in sides)
        is_above = ">" in condition
        assignments = []
        for part in _split(happens):
            match = _ASSIGNMENT.fullmatch(part)
            if match is None or match[1] not in columns:
                raise FormulaError(
                    f"the event {text!r} cannot be read at {part.strip()!r}: {_FORM}, of the states {', '.join(columns)}"
                )
            assignments.append((match[1], _read(text, match[2], columns, constants)))
        names = [name for name, _ in assignments]
        if len(set(names)) < len(names):
            raise FormulaError(f"the event {text!r} assigns a state twice; give each one value")
        margin = left - right if is_above else right - left
        return Event(text, margin, tuple(assignments), _find_clip(left, right, is_above, assignments))


def _read(text: str, formula: str, columns: Sequence[str], constants: Mapping[str, float] | None) -> Expression:
    e = parse(formula, variables=columns, constants=constants)
    unknown = sorted({c.name for c in e.constants if c.free and c.name})
    if unknown:
        raise FormulaError(
            f"the event {text!r} has the unknown name {unknown[0]}; known are {', '.join([*columns, *(constants or {})])}"
        )
    return e


def _split(text: str) -> list[str]:
    """Parts between commas that stand outside brackets."""
    parts, depth = [""], 0
    for mark in text:
        depth += (mark == "(") - (mark == ")")
        if mark == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += mark
    return parts


def _find_clip(
    left: Expression, right: Expression, is_above: bool, assignments: Sequence[tuple[str, Expression]]
) -> Clip | None:
    """A state beyond a number is set to this number."""
    if len(left) > 1 and len(right) == 1:
        return None
    state, bound = (left, right) if left.variables else (right, left)
    if len(state) > 1 or not state.variables or bound.variables or len(bound) > 1:
        return None
    for name, value in assignments:
        is_number = not value.variables and len(value) == 1
        if name == state.variables[0] and is_number and value.constants[0].value == bound.constants[0].value:
            return Clip(name, bound.constants[0].value, is_above == (state is left))
    return None
