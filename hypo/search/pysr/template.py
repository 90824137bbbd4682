"""Templates in PySR's terms: the form as PySR's TemplateExpressionSpec, and what it finds for the parts as whole formulas.

PySR searches for the parts only. Its hall of fame lists them as ``f1 = #1 * 2.0; f2 = exp(#2); p = [1.0, 3.0]``: ``#k`` is the
k-th argument of the part, ``p`` the values of the form's own constants (string_tree of SymbolicRegression.jl's
TemplateExpression). PySR takes no units beside a template, and counts the nodes of the parts alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypo.expression import operators as ops
from hypo.expression.expr import Constant, Expression
from hypo.kernels import opcodes as oc
from hypo.knowledge.template import BoundTemplate

# The name of the form's own constants in PySR.
PARAMETERS = "p"
# What stands between the parts of an answer.
SEPARATOR = ";"
_ARGUMENT = re.compile(r"#([0-9]+)")


@dataclass(frozen=True)
class PySRTemplate:
    """A template over the ``columns`` of a table. They go by ``x1``, ``x2``, … and the unknowns by ``f1``, ``f2``, …"""

    template: BoundTemplate
    columns: Sequence[str]

    @property
    def constants(self) -> tuple[str, ...]:
        """Names of the constants to be fitted, in the order of PySR's parameters."""
        return tuple(dict.fromkeys(c.name or "" for c in self.template.expression.constants if c.free))

    @property
    def own_size(self) -> int:
        """Nodes of a law of the form that belong to none of its parts."""
        e = self.template.expression
        return sum(op != oc.VAR or e.variables[arg] not in self.template.unknowns for op, arg in e.code)

    @property
    def spec(self) -> dict[str, Any]:
        """Arguments of PySR's TemplateExpressionSpec."""
        return {
            "combine": self._combine_parts(),
            "expressions": list(self._parts.values()),
            "variable_names": list(self._names.values()),
            "parameters": {PARAMETERS: len(self.constants)} if self.constants else None,
        }

    def read(self, text: str, formula: Callable[[str], Expression | None]) -> Expression | None:
        """The whole formula that one row of the hall of fame stands for, ``formula`` reading the parts; None when it cannot be
        read."""
        sides = dict(self._side(piece) for piece in text.split(SEPARATOR))
        parts: dict[str, Expression] = {}
        for name, called in self._parts.items():
            arguments = [self._names[a] for a in self.template.unknowns[name]]
            named = _with_arguments(sides.get(called, ""), arguments)
            part = None if named is None else formula(named)
            if part is None or not set(part.variables) <= set(self.template.unknowns[name]):
                return None
            parts[name] = part
        values = _numbers(sides.get(PARAMETERS, "[]"))
        if values is None or len(values) != len(self.constants):
            return None
        return self._with(dict(zip(self.constants, values, strict=True))).fill(parts)

    def guess(self, e: Expression, written: Callable[[Expression], str | None]) -> dict[str, Any] | None:
        """The formulas that PySR is to start from so that it starts from ``e``, whose parts are ``written``; None if ``e`` has
        another form.

        The same formula written differently counts as another form, but for the order of sums and products.
        """
        found = _match(self.template.expression, e, self.template.unknowns, {})
        if found is None:
            return None
        out: dict[str, Any] = {}
        for name, called in self._parts.items():
            text = written(found[name])
            if text is None:
                return None
            for k, argument in enumerate(self.template.unknowns[name], start=1):
                text = re.sub(rf"\b{self._names[argument]}\b", f"#{k}", text)
            out[called] = text
        if self.constants:
            out[PARAMETERS] = [float(found[_constant(name)].values[0]) for name in self.constants]
        return out

    @property
    def _names(self) -> dict[str, str]:
        return {column: f"x{k}" for k, column in enumerate(self.columns, start=1)}

    @property
    def _parts(self) -> dict[str, str]:
        return {name: f"f{k}" for k, name in enumerate(self.template.unknowns, start=1)}

    def _side(self, piece: str) -> tuple[str, str]:
        left, _, right = piece.partition("=")
        return left.strip(), right.strip()

    def _with(self, values: Mapping[str, float]) -> BoundTemplate:
        """The template with values of its constants."""
        e = self.template.expression
        constants = [replace(c, value=values[c.name or ""]) if c.free else c for c in e.constants]
        return replace(self.template, expression=replace(e, constants=tuple(constants))).without_single_names()

    def _combine_parts(self) -> str:
        """The form in Julia's syntax, a call for each unknown."""
        e, names = self.template.expression, self._names
        stack: list[str] = []
        for op, arg in e.code:
            if op == oc.VAR:
                name = e.variables[arg]
                arguments = ", ".join(names[a] for a in self.template.unknowns.get(name, ()))
                stack.append(f"{self._parts[name]}({arguments})" if arguments else names[name])
            elif op == oc.CONST:
                stack.append(self._number(e.constants[arg]))
            else:
                row = ops.BY_OPCODE[op]
                args = [stack.pop() for _ in range(row.arity)][::-1]
                stack.append(row.julia_text.format(*args))
        return stack[0]

    def _number(self, c: Constant) -> str:
        if not c.free:
            return repr(float(c.value))
        # One value for all rows: Julia's logarithm or root of a negative number would end the search, that of a row only makes
        # the formula invalid.
        return f"({PARAMETERS}[{self.constants.index(c.name or '') + 1}] + 0.0 * x1)"


def _with_arguments(text: str, arguments: Sequence[str]) -> str | None:
    """``text`` with the names of the arguments in place of their numbers; None when there are not so many."""
    if any(not 1 <= int(k) <= len(arguments) for k in _ARGUMENT.findall(text)):
        return None
    return _ARGUMENT.sub(lambda m: arguments[int(m[1]) - 1], text)


def _numbers(text: str) -> list[float] | None:
    """The values of ``[1.0, 2.5]``; None for anything else."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    try:
        values = [float(word) for word in text[1:-1].split(",") if word.strip()]
    except ValueError:
        return None
    return values if all(map(math.isfinite, values)) else None


def _constant(name: str) -> str:
    """Where :func:`_matched` keeps a constant of the form; no unknown can be called so."""
    return f"{name}="


def _match(
    form: Expression, e: Expression, unknowns: Mapping[str, Sequence[str]], found: Mapping[str, Expression]
) -> dict[str, Expression] | None:
    """The parts of ``e`` that stand for the unknowns and constants of ``form``, with what was ``found``; None if it is no such
    law."""

    def bound(key: str) -> dict[str, Expression] | None:
        return {**found, key: e} if str(found.get(key, e)) == str(e) else None

    if form.root == oc.VAR:
        name = form.variables[0]
        if name in unknowns:
            return bound(name) if set(e.variables) <= set(unknowns[name]) else None
        return dict(found) if e.root == oc.VAR and e.variables[0] == name else None
    if form.root == oc.CONST:
        c = form.constants[0]
        if e.root != oc.CONST:
            return None
        if c.free:
            return bound(_constant(c.name or ""))
        return dict(found) if e.constants[0].value == c.value and not e.constants[0].free else None
    if e.root != form.root:
        return None
    orders = [e.children, e.children[::-1]] if ops.BY_OPCODE[e.root].commutative else [e.children]
    for children in orders:
        so_far: dict[str, Expression] | None = dict(found)
        for part, child in zip(form.children, children, strict=True):
            so_far = None if so_far is None else _match(part, child, unknowns, so_far)
        if so_far is not None:
            return so_far
    return None
