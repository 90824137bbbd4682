"""Events: what happens to the states of a system at the moment when a condition comes true.

``x > 2: v = -0.9*v`` is a wall, ``x > 2: x = 2`` a clip (the state stays at the bound while its rate points outward), and
``n > 100: n = n/2, k = 0`` a dilution. Right-hand sides see the values before the event. Where v is the rate of x, a wall that
takes all speed (``x > 2: v = 0``), or whose bounces come too quickly to be followed, holds both until the forces point inward.
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
        wall: the state that the condition compares with a number, None where it compares something else.
    """

    text: str
    margin: Expression
    assignments: tuple[tuple[str, Expression], ...]
    clip: Clip | None = None
    wall: Clip | None = None

    @staticmethod
    def parse(
        text: str,
        columns: Sequence[str],
        constants: Mapping[str, float] | None = None,
        states: Sequence[str] | None = None,
    ) -> Event:
        """The event written in ``text``: ``condition: state = value, state = value``.

        Args:
            text: the condition compares two formulas by ``>`` or ``<`` (``>=`` and ``<=`` are the same).
            columns: names that formulas may use.
            constants: values of other names.
            states: what can be assigned; None: all columns.

        Raises:
            FormulaError: the text has another form, a formula cannot be read, or a name is not known.
        """
        condition, colon, happens = text.partition(":")
        sides = re.split(r"[<>]=?", condition)
        if not colon or len(sides) != 2 or not happens.strip():
            raise FormulaError(f"the event {text!r} cannot be read: {_FORM}")
        left, right = (_read(text, side, columns, constants) for side in sides)
        is_above = ">" in condition
        assignments, states = [], columns if states is None else states
        for part in _split(happens):
            match = _ASSIGNMENT.fullmatch(part)
            if match is not None and match[1] in columns and match[1] not in states:
                raise FormulaError(
                    f"the event {text!r} assigns {match[1]}, which is no state; events can set the states {', '.join(states)}"
                )
            if match is None or match[1] not in states:
                raise FormulaError(
                    f"the event {text!r} cannot be read at {part.strip()!r}: {_FORM}, of the states {', '.join(states)}"
                )
            assignments.append((match[1], _read(text, match[2], columns, constants)))
        names = [name for name, _ in assignments]
        if len(set(names)) < len(names):
            raise FormulaError(f"the event {text!r} assigns a state twice; give each one value")
        margin = left - right if is_above else right - left
        wall = _find_wall(left, right, is_above)
        clips = wall is not None and any(n == wall.state and is_number(e, wall.bound) for n, e in assignments)
        return Event(text, margin, tuple(assignments), wall if clips else None, wall)


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


def is_number(e: Expression, number: float) -> bool:
    """True for a formula that is this number alone."""
    return not e.variables and len(e) == 1 and e.constants[0].value == number


def _find_wall(left: Expression, right: Expression, is_above: bool) -> Clip | None:
    """The state that is compared with a number."""
    state, bound = (left, right) if left.variables else (right, left)
    if len(state) > 1 or not state.variables or bound.variables or len(bound) > 1:
        return None
    return Clip(state.variables[0], bound.constants[0].value, is_above == (state is left))
