"""What a knowledge file says of one equation of a system, as knowledge of a single law."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypo.dynamics.knowledge.quantities import fits, in_units_of_columns, values_of
from hypo.errors import KnowledgeError
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.knowledge.knowledge import Knowledge
from hypo.knowledge.motion import MotionKnowledge
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.shape import Bounds
from hypo.units import Unit

NOTHING = MotionKnowledge()
# Sections that speak of one law. A system has several, so it would not be clear which is meant.
OF_ONE_LAW = (("rule", "rules"), ("template", "template"), ("guesses", "guesses"))


def law_name(columns: Sequence[str]) -> str:
    """The name of the law of one equation where it stands alone: one that no column has."""
    name = "rate"
    while name in columns:
        name += "_"
    return name


def require_names(knowledge: Knowledge, states: Sequence[str], actions: Sequence[str], columns: Sequence[str]) -> None:
    """Raises KnowledgeError where [dynamics] names what is no state, input or column, or a section speaks of one law only."""
    problems = [
        f"{knowledge.source}: [{section}] is about one law, and a system has several; write into [dynamics] instead"
        for section, name in OF_ONE_LAW
        if getattr(knowledge, name)
    ]
    motion = knowledge.dynamics or NOTHING
    for path, message in motion.misfits(states, actions, columns, tuple(knowledge.constants)):
        where = " ".join((f"[{path[0]}]", ".".join(map(str, path[1:]))))
        problems.append(f"{knowledge.source}: {where}: {message}")
    if problems:
        error = KnowledgeError("\n".join(problems))
        error.__dict__["problems"] = tuple(problems)
        raise error


def knowledge_of_equation(
    knowledge: Knowledge, state: str, columns: Sequence[str], target: str, unit: Unit | None = None
) -> Knowledge:
    """Knowledge of the law of ``state``, as a single law called ``target``.

    Args:
        columns: names that the law may use.
        unit: that of the rate, acceleration or next value; None: not stated.
    """
    motion = knowledge.dynamics or NOTHING
    forbidden = motion.must_not_use.get(state, ())
    units: dict[str, Unit] = {
        name: u for name, u in knowledge.units.items() if name in columns or name in knowledge.constants
    }
    if unit is not None and units:
        units[target] = unit
    template = motion.templates.get(state)
    if template is not None and not fits(template.bind(columns, values_of(knowledge)), knowledge, unit):
        # Exact numbers in it stand for what has units.
        units = {}
    rules: tuple[Rule, ...] = ()
    if state in motion.positive and state in columns:
        above = {other: (0.0, math.inf) for other in motion.positive if other in columns}
        rules = (Bounds(min=0.0, where={**above, state: (0.0, 0.0)}, label=f"{state} never becomes negative"),)
    return replace(
        knowledge,
        units=units if len(units) > (target in units) else {},
        must_use=tuple(dict.fromkeys([*knowledge.must_use, *motion.must_use.get(state, ())])),
        must_not_use=tuple(dict.fromkeys([*knowledge.must_not_use, *forbidden])),
        template=template,
        ranges={name: ends for name, ends in knowledge.ranges.items() if name in columns},
        rules=rules,
        dynamics=None,
    )


def known_equations(
    knowledge: Knowledge, columns: Sequence[str], laws: Mapping[str, Unit] | None = None
) -> Mapping[str, Expression]:
    """Right-hand sides that are known wholly, by state; names that are neither columns nor named constants are constants to
    fit. ``laws`` has the units of the left-hand sides, as far as they are known.

    Raises KnowledgeError where units do not fit each other.
    """
    motion, constants = knowledge.dynamics or NOTHING, values_of(knowledge)
    return {
        state: in_units_of_columns(
            parse(text, variables=tuple(columns), constants=constants),
            knowledge,
            (laws or {}).get(state),
            f"[dynamics] {state}",
        )
        for state, text in motion.whole.items()
    }
