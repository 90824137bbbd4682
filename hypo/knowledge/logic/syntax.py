"""The parts of a first-order rule, and how it is written back.

Numbers are formulas of the table's operators (:class:`LogicTerm`) whose leaves may also be the law at other arguments, its
derivatives, and integrals; statements compare numbers, combine statements, and quantify over intervals. ``str`` of each gives
text that :mod:`hypo.knowledge.logic.parser` reads back to an equal one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from hypo.expression.expr import Constant, Expression
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc

# --- numbers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LogicTerm:
    """A number: ``expression``, in which the variable ``#k`` stands for ``parts[k]``."""

    expression: Expression
    parts: tuple[Part, ...] = ()

    @staticmethod
    def of(draft: Draft) -> LogicTerm:
        """The term whose postfix program is ``draft``."""
        parts: list[Part] = []
        names: dict[str, int] = {}
        constants: list[Constant] = []
        op: list[int] = []
        arg: list[int] = []
        for item in draft:
            if isinstance(item, int):
                op.append(item)
                arg.append(0)
            elif isinstance(item, Constant):
                op.append(oc.CONST)
                arg.append(len(constants))
                constants.append(item)
            else:
                name = item if isinstance(item, str) else f"#{len(parts)}"
                if not isinstance(item, str):
                    parts.append(item)
                op.append(oc.VAR)
                arg.append(names.setdefault(name, len(names)))
        return LogicTerm(Expression.from_arrays(op, arg, list(names), constants), tuple(parts))

    @property
    def value(self) -> float:
        """The value of a term without variables."""
        return float(Program.of(self.expression, ()).value(np.empty((0, 1)))[0])

    def __str__(self) -> str:
        return re.sub(r"#(\d+)", lambda m: str(self.parts[int(m[1])]), str(self.expression))


@dataclass(frozen=True)
class Argument:
    """One argument of the law: ``value``, or ``name=value``."""

    name: str | None
    value: LogicTerm

    def __str__(self) -> str:
        return str(self.value) if self.name is None else f"{self.name}={self.value}"


@dataclass(frozen=True)
class Call:
    """The law at other arguments: by position all of them, or by name some; without any, at the point itself."""

    name: str
    arguments: tuple[Argument, ...] = ()

    def __str__(self) -> str:
        return self.name + _in_brackets(self.arguments)


@dataclass(frozen=True)
class Derivative:
    """A derivative of the law, as written (``d2f/dxdy``): by the columns ``by``, one for each time; at ``arguments`` if any."""

    written: str
    by: tuple[str, ...] = field(default=(), compare=False)
    arguments: tuple[Argument, ...] = ()

    def __str__(self) -> str:
        return self.written + _in_brackets(self.arguments)


@dataclass(frozen=True)
class Integral:
    """``∫ integrand d(variable)`` from ``low`` to ``high``."""

    integrand: LogicTerm
    variable: str
    low: LogicTerm
    high: LogicTerm

    def __str__(self) -> str:
        return f"int({self.integrand}, {self.variable}, {self.low}, {self.high})"


Part = Call | Derivative | Integral
Draft = list[int | Constant | str | Part]
"""A number being read, in postfix order: operator codes, constants, names and parts."""


def _in_brackets(arguments: tuple[Argument, ...]) -> str:
    return f"({', '.join(map(str, arguments))})" if arguments else ""


# --- statements ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chain:
    """``first relation term``, and so on: ``0 <= f < 1`` has two links."""

    first: LogicTerm
    links: tuple[tuple[str, LogicTerm], ...]

    def __str__(self) -> str:
        return str(self.first) + "".join(f" {relation} {term}" for relation, term in self.links)


@dataclass(frozen=True)
class Negation:
    """``not body``."""

    body: Statement

    def __str__(self) -> str:
        return f"not {_within(self.body, 4)}"


@dataclass(frozen=True)
class Conjunction:
    """``a and b and …``."""

    parts: tuple[Statement, ...]

    def __str__(self) -> str:
        return " and ".join(_within(part, 4) for part in self.parts)


@dataclass(frozen=True)
class Disjunction:
    """``a or b or …``."""

    parts: tuple[Statement, ...]

    def __str__(self) -> str:
        return " or ".join(_within(part, 3) for part in self.parts)


@dataclass(frozen=True)
class Implication:
    """``premise implies conclusion``."""

    premise: Statement
    conclusion: Statement

    def __str__(self) -> str:
        return f"{_within(self.premise, 2)} implies {_within(self.conclusion, 1)}"


@dataclass(frozen=True)
class Equivalence:
    """``left iff right``."""

    left: Statement
    right: Statement

    def __str__(self) -> str:
        return f"{_within(self.left, 0)} iff {_within(self.right, 1)}"


@dataclass(frozen=True)
class QuantifierInterval:
    """Where a quantified variable runs: from ``low`` to ``high``, each end ``closed`` or not."""

    low: LogicTerm
    high: LogicTerm
    closed: tuple[bool, bool] = (True, True)

    def __str__(self) -> str:
        return f"{'(['[self.closed[0]]}{self.low}, {self.high}{')]'[self.closed[1]]}"


@dataclass(frozen=True)
class Quantified:
    """``forall x in [0, 1], y in [0, 1]: body``, or ``exists``; a variable without an interval runs over its column's range."""

    universal: bool
    over: tuple[tuple[str, QuantifierInterval | None], ...]
    body: Statement

    def __str__(self) -> str:
        ranges = ", ".join(f"{name} in {interval or 'domain'}" for name, interval in self.over)
        return f"{'forall' if self.universal else 'exists'} {ranges}: {self.body}"


Statement = Chain | Negation | Conjunction | Disjunction | Implication | Equivalence | Quantified


_BINDING = {Equivalence: 0, Implication: 1, Disjunction: 2, Conjunction: 3, Negation: 4, Chain: 5}


def _within(statement: Statement, least: int) -> str:
    """Text of a part, in brackets unless it binds at least as tightly as asked; a quantifier would reach beyond it."""
    return str(statement) if _BINDING.get(type(statement), -1) >= least else f"({statement})"


def operands(statement: Statement) -> tuple[Statement, ...]:
    """The statements directly within."""
    if isinstance(statement, Negation | Quantified):
        return (statement.body,)
    if isinstance(statement, Conjunction | Disjunction):
        return statement.parts
    if isinstance(statement, Implication):
        return (statement.premise, statement.conclusion)
    return () if isinstance(statement, Chain) else (statement.left, statement.right)
