"""What is known, as a discovery asks for it: of one equation, of a system, and which laws follow from others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from hypo.dynamics.knowledge.derived import derive, find_derivations
from hypo.dynamics.knowledge.equation import NOTHING, knowledge_of_equation, known_equations, law_name, require_names
from hypo.dynamics.knowledge.quantities import values_of
from hypo.dynamics.knowledge.rules import SystemRules
from hypo.dynamics.rows.columns import Columns, speed_name
from hypo.dynamics.system import System
from hypo.errors import KnowledgeError
from hypo.expression.expr import Expression
from hypo.knowledge.claims.claim import Verdict
from hypo.knowledge.knowledge import Knowledge
from hypo.knowledge.motion import MotionKnowledge
from hypo.units import Unit, parse_unit

# Nats that a rule costs which is broken everywhere; that of hypo.fit.
LAMBDA = 10.0


@dataclass(frozen=True)
class Background:
    """A knowledge file, held against the columns of a discovery.

    Attributes:
        knowledge: the file.
        columns: names that laws may use.
        states: the measured states, whose laws are the last equations of a system.
        ranges: by column, the domain of rules.
        laws: the units of what the laws give, as far as they are known.
    """

    knowledge: Knowledge
    columns: tuple[str, ...]
    states: tuple[str, ...]
    ranges: Mapping[str, tuple[float, float]]
    laws: Mapping[str, Unit] = field(default_factory=dict)

    @property
    def motion(self) -> MotionKnowledge:
        """The section [dynamics]."""
        return self.knowledge.dynamics or NOTHING

    @cached_property
    def constants(self) -> dict[str, float]:
        """Values of the named constants."""
        return values_of(self.knowledge)

    @property
    def hard_units(self) -> Mapping[str, Unit]:
        """The units that laws must keep to."""
        return {} if self.knowledge.soft else self.knowledge.units

    @cached_property
    def rules(self) -> SystemRules:
        """Rules over the whole system."""
        return SystemRules(self.motion, self.ranges, self.constants)

    @cached_property
    def whole(self) -> Mapping[str, Expression]:
        """Right-hand sides that are known wholly, by state."""
        return known_equations(self.knowledge, self.columns, self.laws)

    @cached_property
    def _of_equations(self) -> dict[str, Knowledge]:
        law = law_name(self.columns)
        return {
            state: knowledge_of_equation(self.knowledge, state, self.columns, law, self.laws.get(state))
            for state in self.states
        }

    def of_equation(self, state: str) -> Knowledge:
        """Knowledge of the law of ``state`` as a single law, called ``law_name(columns)``."""
        return self._of_equations[state]

    def is_admissible(self, state: str, e: Expression) -> bool:
        """False for a law of ``state`` that breaks the grammar or uses what it may not; known laws are as they are."""
        return state in self.whole or not self.of_equation(state).is_hard_violated(e, law_name(self.columns))

    def violation(self, system: System) -> float:
        """Nats: λ times the violations of all rules; infinite where a law is not admissible."""
        laws = dict(zip(self.states, system.equations[-len(self.states) :], strict=True))
        if not all(self.is_admissible(state, e) for state, e in laws.items()):
            return math.inf
        priors = math.fsum(self.knowledge.prior_cost(e) for state, e in laws.items() if state not in self.whole)
        return priors + LAMBDA * self.rules.violation(system)

    def follow(self, system: System) -> Iterator[System]:
        """The same system with one law replaced by what follows from the others."""
        sought = dict(zip(system.states[-len(self.states) :], self.states, strict=True))
        for how in find_derivations(self.motion, system.states, self.constants):
            if sought.get(how.state, how.state) in self.whole or how.state not in sought:
                continue
            if (found := derive(system, how)) is not system:
                yield found

    def verdicts(self, system: System) -> list[tuple[str, Verdict]]:
        """Each rule in words, and how the system fares: proved, refuted, or held at points."""
        return self.rules.verdicts(system)


def make_background(knowledge: Knowledge | None, columns: Columns) -> Background | None:
    """Knowledge, and the units of the table, held against the columns; None where nothing is known.

    Raises KnowledgeError where it names what is no column, or units do not fit each other.
    """
    data = columns.data
    if knowledge is None:
        if not any(name in data.units for name in data.columns):
            return None
        knowledge = Knowledge(source=data.source)
    require_use(knowledge, columns)
    knowledge = replace(knowledge, units={**find_units(columns), **knowledge.units})
    order = 0 if columns.options.discrete else columns.options.order
    laws = {state: unit for state in data.states if (unit := data.rate_unit(state, order)) is not None}
    along = np.vstack(columns.at_rows)
    ends = zip(np.nanmin(along, axis=0).tolist(), np.nanmax(along, axis=0).tolist(), strict=True)
    ranges = dict(zip(columns.names, ends, strict=True))
    stated = {name: knowledge.ranges[name] for name in ranges if name in knowledge.ranges}
    found = Background(knowledge, columns.names, data.states, ranges | stated, laws)
    # So that units which do not fit are told before the search.
    _ = found.whole
    return found


def require_use(knowledge: Knowledge, columns: Columns) -> None:
    """Raises KnowledgeError where knowledge cannot be of use for laws of these columns."""
    require_names(knowledge, columns.data.states, columns.data.actions, columns.names)
    if columns.options.order == 2 and knowledge.dynamics and knowledge.dynamics.positive:
        raise KnowledgeError(
            f"{knowledge.source}: [dynamics] positive: the law of an acceleration does not keep a state from becoming "
            "negative; leave it out at order 2"
        )


def find_units(columns: Columns) -> dict[str, Unit]:
    """The units of all columns as far as they are known, speeds and former values too."""
    data = columns.data
    units = {name: parse_unit(text) for name, text in data.units.items() if name in columns.names}
    if columns.options.order == 2:
        rates = {speed_name(s): data.rate_unit(s) for s in data.states}
        units |= {name: rate for name, rate in rates.items() if rate is not None}
    return units | {d.column: units[d.state] for d in columns.delays if d.state in units}
