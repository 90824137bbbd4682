"""Dimensional analysis: the dimension of a formula and of its constants, and which nodes do not fit.

Each operator's rule stands in its table row (see :mod:`hypo.expression.operators`). Constants of unknown dimension are unknown
vectors of exponents; every node's dimension is affine in them, and each rule is a linear equation, solved exactly with
Fractions on the way up. An equation that contradicts the earlier ones marks its node as inconsistent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

from hypo.expression import operators as ops
from hypo.expression.expr import PI, Expression
from hypo.kernels import opcodes as oc
from hypo.units import DIMENSIONLESS, Dimension

_NONE: Mapping[int, Fraction] = {}
_MAX_DENOMINATOR = 12


class _Affine(NamedTuple):
    """``known * prod_k unknown_k ** unknown[k]``; ``value`` where the node is a plain number that may be an exponent."""

    known: Dimension
    unknown: Mapping[int, Fraction] = _NONE
    value: float | None = None


class _Fault(NamedTuple):
    node: int
    kind: str
    found: tuple[Dimension, ...]


_PURE = _Affine(DIMENSIONLESS)
_WORDS = {
    "same": "its parts have the dimensions {0} and {1}, which must be equal",
    "pure": "its argument has the dimension {0}, but must be a pure number",
    "own": "its argument has the dimension {0}, which the operator does not take",
    "exponent": "its exponent has the dimension {0}, but must be a pure number",
    "base": "its base has the dimension {0}, but must be a pure number under this exponent",
    "target": "the formula has the dimension {0}, but the target has {1}",
}


@dataclass(frozen=True)
class DimensionReport:
    """The findings of :func:`infer`.

    ``dimension`` is that of the whole, None where constants leave it open; ``inconsistent`` counts the nodes whose rule
    cannot be met, and the target if missed; ``constant_dimensions`` goes with ``expression.constants``, None where open.
    """

    expression: Expression
    dimension: Dimension | None
    inconsistent: int
    constant_dimensions: tuple[Dimension | None, ...]
    faults: tuple[_Fault, ...] = ()

    @cached_property
    def messages(self) -> tuple[str, ...]:
        """One sentence for each inconsistency: the subformula, what it has, and what it would need."""
        return tuple(map(self._sentence, self.faults))

    def _sentence(self, f: _Fault) -> str:
        what = _WORDS[f.kind].format(*f.found)
        if f.kind == "target":
            return what
        part = self.expression.subtree(f.node)
        if f.kind == "base":
            base, exponent = part.children
            what += "; divide it by a constant of its unit first"
            # With a name that is not taken.
            name = f"{base.variables[0]}0" if base.root == oc.VAR else ""
            if name and name not in self.expression.variables and len(exponent) == 1:
                what += f", as in ({base.pretty()}/{name})**{exponent.pretty()}"
        return f"in {part.pretty()}, {what}"

    @property
    def message(self) -> str:
        """All messages in one line; empty when the formula is consistent."""
        return "; ".join(self.messages)


def infer(
    e: Expression,
    dims: Mapping[str, Dimension],
    constants: Mapping[str, Dimension] | None = None,
    target: Dimension | None = None,
) -> DimensionReport:
    """Dimensions of ``e`` and of its constants, given those of variables (``dims``) and of named ``constants``.

    A named constant missing in ``constants`` is looked up in ``dims``. Exact numbers and ``pi`` are pure numbers, but an
    exact 0 has whatever dimension is needed; constants to be fitted and names not given may have any dimension, found
    from the context (equal names share one). ``target`` is the dimension the whole should have; missing it counts 1.
    A power of something with a dimension needs a number as exponent, within 1e-9 of a fraction with denominator ≤ 12.
    """
    return _Inference(e, dims, constants or {}).run(target)


class _Inference:
    """One pass over the postfix program with a stack of affine dimensions."""

    def __init__(self, e: Expression, dims: Mapping[str, Dimension], constants: Mapping[str, Dimension]) -> None:
        self.e = e
        self.dims = dims
        self.named = constants
        self.names: dict[str, int] = {}
        self.count = 0
        self.solved: dict[int, _Affine] = {}
        self.faults: list[_Fault] = []
        self.node = 0

    def run(self, target: Dimension | None) -> DimensionReport:
        e = self.e
        variables = [self.named_leaf(name, self.dims.get(name)) for name in e.variables]
        constants = [self.constant(i) for i in range(len(e.constants))]
        stack: list[_Affine] = []
        for node, (op, arg) in enumerate(e.code):
            if op == oc.VAR:
                stack.append(variables[arg])
            elif op == oc.CONST:
                stack.append(constants[arg])
            else:
                self.node = node
                if op < oc.FIRST_BINARY:
                    stack[-1] = self.unary(op, stack[-1])
                else:
                    v = stack.pop()
                    stack[-1] = self.binary(op, stack[-1], v)
        whole = stack[0]
        if target is not None:
            self.require(whole, _Affine(target), "target")
        return DimensionReport(
            e, self.settled(whole), len(self.faults), tuple(map(self.settled, constants)), tuple(self.faults)
        )

    # --- leaves ---------------------------------------------------------------------------------------------

    def named_leaf(self, name: str, dimension: Dimension | None) -> _Affine:
        if dimension is not None:
            return _Affine(dimension)
        if name not in self.names:
            self.names[name] = self.count
            self.count += 1
        return _Affine(DIMENSIONLESS, {self.names[name]: Fraction(1)})

    def constant(self, i: int) -> _Affine:
        c = self.e.constants[i]
        if c.name is not None:
            dimension = self.named.get(c.name, self.dims.get(c.name))
            if dimension is None and c == PI and not c.free:
                dimension = DIMENSIONLESS
            return self.named_leaf(c.name, dimension)._replace(value=c.value)
        if not c.free and c.value != 0:
            return _Affine(DIMENSIONLESS, value=c.value)
        self.count += 1
        return _Affine(DIMENSIONLESS, {self.count - 1: Fraction(1)}, c.value)

    # --- rules ----------------------------------------------------------------------------------------------

    def unary(self, op: int, u: _Affine) -> _Affine:
        row = ops.BY_OPCODE[op]
        rule, value = row.dimension, None
        if u.value is not None:  # a number may be written -2 or 1/3
            value = -u.value if op == oc.NEG else 1 / u.value if op == oc.INV and u.value else None
        if rule == "keep":
            return _Affine(u.known, u.unknown, value)
        if rule == "scale":
            assert row.exponent is not None
            return self.power(u, row.exponent)._replace(value=value)
        if callable(rule):
            return self.by_function(rule, u)
        if rule != "dimensionless":
            raise ops.unknown(op, f"the dimension rule {rule!r} of functions (dimension.py)")
        self.require(u, _PURE, "pure")
        return _PURE

    def by_function(self, rule: Callable[[Dimension], Dimension | None], u: _Affine) -> _Affine:
        """The dimension that the rule of a user's operator gives; an argument of open dimension has to be a pure number."""
        u = self.reduced(u)
        if u.unknown:
            self.require(u, _PURE, "pure")
            u = _PURE
        value = rule(u.known)
        if value is None:
            self.faults.append(_Fault(self.node, "own", (u.known,)))
            return _PURE
        return _Affine(value)

    def binary(self, op: int, u: _Affine, v: _Affine) -> _Affine:
        rule = ops.BY_OPCODE[op].dimension
        if rule == "multiply" or rule == "divide":
            sign = 1 if rule == "multiply" else -1
            known = u.known * v.known if sign == 1 else u.known / v.known
            value = None
            if sign == -1 and u.value is not None and v.value:
                value = u.value / v.value
            return _Affine(known, _combined(u.unknown, v.unknown, sign), value)
        if rule == "same":
            self.require(u, v, "same")
            return _Affine(u.known, u.unknown) if len(u.unknown) <= len(v.unknown) else _Affine(v.known, v.unknown)
        if rule != "power":
            raise ops.unknown(op, f"the dimension rule {rule!r} of two arguments (dimension.py)")
        return self.raised(u, v)

    def raised(self, u: _Affine, v: _Affine) -> _Affine:
        self.require(v, _PURE, "exponent")
        if v.value is not None and not self.is_pure(u):
            exponent = Fraction(v.value).limit_denominator(_MAX_DENOMINATOR)
            if abs(float(exponent) - v.value) <= 1e-9 * max(1.0, abs(v.value)):
                return self.power(u, exponent)
        self.require(u, _PURE, "base")
        return _PURE

    def power(self, u: _Affine, exponent: Fraction) -> _Affine:
        unknown = {k: c * exponent for k, c in u.unknown.items()} if u.unknown and exponent else _NONE
        return _Affine(u.known**exponent, unknown)

    # --- the linear system --------------------------------------------------------------------------------------

    def reduced(self, a: _Affine) -> _Affine:
        """``a`` in terms of unknowns not yet solved."""
        if not a.unknown or not self.solved:
            return a
        known, left = a.known, dict(a.unknown)
        for k, c in a.unknown.items():
            solution = self.solved.get(k)
            if solution is not None:
                del left[k]
                known *= solution.known**c
                left = _combined(left, {j: b * c for j, b in solution.unknown.items()}, 1)
        return _Affine(known, left)

    def require(self, u: _Affine, v: _Affine, kind: str) -> None:
        """States that ``u`` and ``v`` have the same dimension; a contradiction is noted as a fault of this node."""
        if not u.unknown and not v.unknown:
            if u.known != v.known:
                self.faults.append(_Fault(self.node, kind, (u.known, v.known)))
            return
        u, v = self.reduced(u), self.reduced(v)
        known, unknown = u.known / v.known, _combined(u.unknown, v.unknown, -1)
        if not unknown:
            if not known.is_dimensionless:
                self.faults.append(_Fault(self.node, kind, (u.known, v.known)))
            return
        pivot, factor = next(iter(unknown.items()))
        solution = _Affine(known ** (-1 / factor), {k: -c / factor for k, c in unknown.items() if k != pivot})
        self.solved[pivot] = solution
        for k, earlier in self.solved.items():  # keeps every solution free of solved unknowns
            if pivot in earlier.unknown:
                self.solved[k] = self.reduced(earlier)

    def is_pure(self, a: _Affine) -> bool:
        a = self.reduced(a)
        return not a.unknown and a.known.is_dimensionless

    def settled(self, a: _Affine) -> Dimension | None:
        a = self.reduced(a)
        return None if a.unknown else a.known


def _combined(a: Mapping[int, Fraction], b: Mapping[int, Fraction], sign: int) -> dict[int, Fraction]:
    out = dict(a)
    for k, c in b.items():
        total = out.get(k, 0) + sign * c
        if total:
            out[k] = Fraction(total)
        else:
            out.pop(k, None)
    return out
