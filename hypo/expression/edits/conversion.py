"""A formula in other units: the same law for numbers that are larger or smaller by known factors.

A unit is a product of powers of unit names, as in MPa¹·%⁻¹; ``sizes`` has for each name the number of old units in a new one,
so that old number = new number · size. Every part of the formula has a unit: that of a column is given, a sum has that of its
parts, a function's argument is a pure number. Fitted constants have whatever unit makes this right, so they take up the
factors; where no constant can, an exact factor is written, as in ``sin(0.01745*theta)`` for theta in degrees.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from hypo.expression import operators as ops
from hypo.expression.expr import Constant, Expression
from hypo.kernels import opcodes as oc

Powers = Mapping[str, Fraction]
"""A unit: names with their powers; empty for pure numbers."""

PURE: Powers = {}
DEEPEST = 150  # levels of a formula up to which constants take up factors
SAME = 1e-12  # factors nearer to 1 are rounding

_LONG = 10  # characters of a number
_SUMS = (oc.ADD, oc.SUB, oc.MIN, oc.MAX)


@dataclass(frozen=True)
class Units:
    """The units of columns and named constants by name, and of the target. ``values`` are those of the named constants in
    their new units."""

    leaves: Mapping[str, Powers]
    target: Powers
    sizes: Mapping[str, float]
    values: Mapping[str, float] = field(default_factory=dict)

    def size(self, unit: Powers) -> float:
        """Old units in one new ``unit``, rounded to what a decimal number can mean."""
        value = math.prod(self.sizes[name] ** float(p) for name, p in sorted(unit.items()))
        short = float(f"{value:.12g}")
        return short if math.isclose(short, value, rel_tol=4e-15) else value

    @property
    def same(self) -> bool:
        """True if no number changes."""
        used = {name for unit in (*self.leaves.values(), self.target) for name in unit}
        return all(self.sizes[name] == 1.0 for name in used)


@dataclass(frozen=True)
class Converted:
    """A formula in new units. Of its constants ``origin`` tells the place in the old formula, -1 for factors that were
    written in. Of the old constants ``factor`` leads to the new value, and ``units`` are the new units, None of exact ones."""

    expression: Expression
    origin: tuple[int, ...]
    factor: tuple[float, ...]
    units: tuple[Powers | None, ...]


def converted(e: Expression, units: Units, slot: Sequence[int] | None = None) -> Converted:
    """``e`` in the new units: at numbers in these it has the value of ``e`` at the old numbers, in the new unit of the target.

    Constants of one ``slot`` (n_constant,), by default of one name, keep one value.
    """
    if slot is None:
        names: dict[str, int] = {}
        slot = [names.setdefault(c.name, i) if c.free and c.name else i for i, c in enumerate(e.constants)]
    pinned: dict[int, Powers] = {}
    if e.depth <= DEEPEST:
        first = _Conversion(e, units, pinned).done()
        pinned = _torn(e, first, units, slot)
        return _Conversion(e, units, pinned).done() if pinned else first
    return _Conversion(e, units, dict.fromkeys(e.free, PURE)).plainly()


def _torn(e: Expression, found: Converted, units: Units, slot: Sequence[int]) -> dict[int, Powers]:
    """Units for constants that are one and came out in different units: those of the first."""
    groups: dict[int, list[int]] = {}
    for i in e.free:
        groups.setdefault(slot[i], []).append(i)
    torn = [g for g in groups.values() if len({found.factor[i] for i in g}) > 1]
    return {i: found.units[g[0]] or PURE for g in torn for i in g}


def times(a: Powers, b: Powers, power: Fraction | int = 1) -> Powers:
    """a·b**power."""
    out = dict(a)
    for name, p in b.items():
        out[name] = out.get(name, Fraction(0)) + power * p
    return {name: p for name, p in out.items() if p}


class _Conversion:
    """One formula on its way. Of each node: ``_own``, the unit that it has whatever its constants, None where a fitted constant
    can give it any; ``_liked``, the unit it has where nothing else is asked; ``_ready``, how well it takes up factors."""

    def __init__(self, e: Expression, units: Units, pinned: Mapping[int, Powers]) -> None:
        self._e, self._units, self._pinned = e, units, pinned
        self._factor = [1.0] * len(e.constants)
        self._unit: list[Powers | None] = [None] * len(e.constants)
        self._origin: dict[int, int] = {}
        self._kept: list[Constant] = []  # so that no two constants have one id
        self._own: list[Powers | None] = []
        self._liked: list[Powers] = []
        self._ready: list[int] = []
        for node in range(len(e)):
            self._look_at(node)

    def done(self) -> Converted:
        return self._result(self._as(len(self._e) - 1, self._units.target))

    def plainly(self) -> Converted:
        """With a factor at every column and one for the whole."""
        out = self._e.rebuilt(lambda i, _: self._leaf(i, PURE))
        return self._result(_scaled(out, 1.0 / self._units.size(self._units.target)))

    def _result(self, out: Expression) -> Converted:
        origin = tuple(self._origin.get(id(c), -1) for c in out.constants)
        return Converted(out, origin, tuple(self._factor), tuple(self._unit))

    # --- from the leaves up ------------------------------------------------------------------------------

    def _arguments(self, node: int) -> tuple[int, ...]:
        n = oc.arity(self._e.code[node][0])
        return () if n == 0 else (node - 1,) if n == 1 else (self._e.starts[node - 1] - 1, node - 1)

    def _look_at(self, node: int) -> None:
        op, arg = self._e.code[node]
        args = self._arguments(node)
        own: Powers | None = PURE
        liked: Powers = PURE
        ready = 0
        if op == oc.VAR:
            own = self._units.leaves.get(self._e.variables[arg], PURE)
        elif op == oc.CONST:
            c = self._e.constants[arg]
            if c.free and arg not in self._pinned:
                own, ready = None, 2
            else:
                own = self._pinned.get(arg, PURE) if c.free else self._units.leaves.get(c.name or "", PURE)
        elif op in _SUMS:
            known = [a for a in args if self._own[a] is not None]
            known.sort(key=lambda a: self._e.code[a][0] == oc.CONST)
            own = self._own[known[0]] if known else None
            liked, ready = self._liked[args[0]], 1
        elif op in (oc.MUL, oc.DIV):
            sign = 1 if op == oc.MUL else -1
            a, b = (self._own[k] for k in args)
            own = None if a is None or b is None else times(a, b, sign)
            liked = times(self._liked[args[0]], self._liked[args[1]], sign)
            ready = max(self._ready[k] if self._own[k] is None else 0 for k in args)
        elif op in (oc.NEG, oc.ABS):
            own, liked, ready = self._own[args[0]], self._liked[args[0]], self._ready[args[0]]
        elif (power := self._power(node)) is not None:
            own = self._own[args[0]]
            own = None if own is None else times(PURE, own, power)
            liked, ready = times(PURE, self._liked[args[0]], power), min(1, self._ready[args[0]])
        self._own.append(own)
        self._liked.append(liked if own is None else own)
        self._ready.append(ready)

    def _power(self, node: int) -> Fraction | None:
        """The power to which a node raises its argument; None where it is no power, or not a known one."""
        op, _ = self._e.code[node]
        if op != oc.POW:
            return ops.BY_OPCODE[op].exponent
        inner, arg = self._e.code[node - 1]
        if inner != oc.CONST or not self._e.constants[arg].is_literal:
            return None
        value = self._e.constants[arg].value
        near = Fraction(value).limit_denominator(1000) if abs(value) < 1000 else Fraction(0)
        return near if near and abs(float(near) - value) <= 1e-12 else None

    # --- and down again ----------------------------------------------------------------------------------

    def _as(self, node: int, unit: Powers) -> Expression:
        """The part at ``node`` in ``unit``."""
        own, (op, _) = self._own[node], self._e.code[node]
        args = self._arguments(node)
        if not args:
            return self._leaf(node, unit)
        if op in _SUMS:
            if own is not None and self._stiff(node, unit) > 1:
                return self._given(Expression.join(op, [self._as(a, own) for a in args]), own, unit)
            return Expression.join(op, [self._as(a, unit) for a in args])
        if op in (oc.NEG, oc.ABS) and own is None:
            return Expression.join(op, [self._as(args[0], unit)])
        if own is not None:
            return self._given(self._unforced(node), own, unit)
        if op in (oc.MUL, oc.DIV):
            a, b = args
            sign = 1 if op == oc.MUL else -1
            if self._own[a] is None and (self._own[b] is not None or self._ready[a] >= self._ready[b]):
                units = times(unit, self._liked[b], -sign), self._liked[b]
            else:
                rest = times(unit, self._liked[a], -1)
                units = self._liked[a], times(PURE, rest, sign)
            return Expression.join(op, [self._as(k, u) for k, u in zip(args, units, strict=True)])
        power = self._power(node)
        assert power is not None
        return Expression.join(op, [self._as(args[0], times(PURE, unit, 1 / power)), *self._exponent(args)])

    def _unforced(self, node: int) -> Expression:
        """The part at a node in the unit that it has by itself."""
        op, _ = self._e.code[node]
        args = self._arguments(node)
        if op in (oc.MUL, oc.DIV, oc.NEG, oc.ABS):
            return Expression.join(op, [self._as(a, self._liked[a]) for a in args])
        if self._power(node) is not None:
            return Expression.join(op, [self._as(args[0], self._liked[args[0]]), *self._exponent(args)])
        return Expression.join(op, [self._as(a, PURE) for a in args])

    def _exponent(self, args: tuple[int, ...]) -> list[Expression]:
        return [self._as(a, PURE) for a in args[1:]]

    def _stiff(self, node: int, unit: Powers) -> int:
        """How many terms of the sum at ``node`` would need a factor of their own."""
        count, todo = 0, [node]
        while todo:
            k = todo.pop()
            if self._e.code[k][0] in (oc.ADD, oc.SUB, oc.NEG):
                todo += self._arguments(k)
            elif (own := self._own[k]) is not None:
                number = self._e.code[k][0] == oc.CONST and self._e.constants[self._e.code[k][1]].is_literal
                count += not number and self._between(own, unit) != 1.0
        return count

    def _leaf(self, node: int, unit: Powers) -> Expression:
        op, arg = self._e.code[node]
        own = self._own[node]
        if op == oc.VAR:
            return self._given(Expression.variable(self._e.variables[arg]), own or PURE, unit)
        c = self._e.constants[arg]
        if c.free:
            used = unit if own is None else own
            self._unit[arg], self._factor[arg] = used, 1.0 / self._units.size(used)
            new = self._made(replace(c, value=c.value * self._factor[arg]), arg)
            return new if own is None else self._given(new, own, unit)
        value = self._units.values.get(c.name, c.value) if c.name else c.value
        return self._given(self._made(replace(c, value=value), arg), own or PURE, unit)

    def _made(self, c: Constant, origin: int) -> Expression:
        self._kept.append(c)
        self._origin[id(c)] = origin
        return Expression(((oc.CONST, 0),), (c,), ())

    def _between(self, own: Powers, unit: Powers) -> float:
        factor = self._units.size(times(own, unit, -1))
        return 1.0 if abs(factor - 1.0) < SAME else factor

    def _given(self, e: Expression, own: Powers, unit: Powers) -> Expression:
        """``e``, whose unit is ``own``, in ``unit``: with an exact factor where they differ."""
        return _scaled(e, self._between(own, unit))


def _scaled(e: Expression, factor: float) -> Expression:
    """``factor * e``, in one exact number with what there is in ``e``."""
    if factor == 1.0:
        return e
    folded = _folded(e, factor, gone=True) or _folded(e, factor, gone=False)
    if folded is not None:
        return folded
    factor, inverse = _neat(factor), _neat(1.0 / factor)
    if len(repr(factor)) > _LONG > len(repr(inverse)):  # x/60 rather than 0.016666666666666666*x
        return e / Expression.constant(inverse)
    return Expression.constant(factor) * e


def _folded(e: Expression, factor: float, gone: bool) -> Expression | None:
    """``factor * e`` where ``e`` has an exact number as a factor, which takes it up; None where it has none. If ``gone`` only
    where the number becomes 1, and so is not needed any more."""
    op = e.root
    if op == oc.CONST and e.constants[0].is_literal:
        new = Expression.constant(_neat(e.constants[0].value * factor))
        return new if not gone or _is_one(new) else None
    if gone and (power := ops.BY_OPCODE[op].exponent if op in ops.BY_OPCODE else None) is not None:
        inner = _folded(e.children[0], factor ** float(1 / power), gone)
        return None if inner is None else Expression.join(op, [inner])
    if op == oc.NEG:
        inner = _folded(e.children[0], factor, gone)
        return None if inner is None else -inner
    if op not in (oc.MUL, oc.DIV):
        return None
    a, b = e.children
    if (one := _folded(a, factor, gone)) is not None:
        return b if op == oc.MUL and _is_one(one) else Expression.join(op, [one, b])
    if (one := _folded(b, factor if op == oc.MUL else 1.0 / factor, gone)) is not None:
        return a if _is_one(one) else Expression.join(op, [a, one])
    return None


def _is_one(e: Expression) -> bool:
    return len(e) == 1 and bool(e.constants) and e.constants[0].is_literal and abs(e.constants[0].value - 1.0) < SAME


def _neat(value: float) -> float:
    """The decimal number meant, where products of floats missed it: 0.01 for 0.010000000000000002."""
    short = float(f"{value:.12g}")
    return short if math.isclose(short, value, rel_tol=4e-15) else value
