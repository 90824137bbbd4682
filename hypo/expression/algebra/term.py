"""Terms: the linked form of expressions that the simplifier works on.

A term knows its size, a key (equal keys mean equal terms; constants to be fitted are all different from each other, whatever
their values) and a rank, which orders the operands of commutative operators independently of fitted values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import count

from hypo.expression import operators as ops
from hypo.expression.expr import Constant, Expression
from hypo.kernels import opcodes as oc

Rational = int | Fraction
"""An exact coefficient; whole ones are ints."""

_fresh = count(1)
# Rational numbers with larger ones are written as decimals, if at all.
MAX_DENOMINATOR = 10**6
_MAX_NUMERATOR = 10**12


class Term:
    """A node with its arguments; ``leaf`` is the name of a variable, or a Constant.

    ``value`` is the number that a term without variables and named parameters stands for (None if undefined);
    ``free`` says that such a number is to be fitted.
    """

    __slots__ = ("args", "free", "key", "leaf", "op", "rank", "size", "value")

    op: int
    args: tuple[Term, ...]
    leaf: str | Constant | None
    size: int
    key: str
    rank: tuple[int, int, str]
    value: float | None
    free: bool

    def __repr__(self) -> str:
        return f"Term({to_expression(self)})"


def variable(name: str) -> Term:
    """The term of a variable."""
    t = Term()
    t.op, t.args, t.leaf, t.size, t.key, t.value, t.free = oc.VAR, (), name, 1, name, None, False
    t.rank = (2, 1, name)
    return t


def constant(c: Constant) -> Term:
    """The term of a constant. A free one without a name equals no other, whatever its value."""
    t = Term()
    t.op, t.args, t.leaf, t.size, t.value, t.free = oc.CONST, (), c, 1, c.value, False
    if c.name is not None:
        t.key = f"{c.name}={c.value!r}"
        t.rank = (1, 1, c.name)
        if c.free:
            t.value = None
    elif c.free:
        t.key = f"?{next(_fresh)}"
        t.rank = (0, 1, "?")
        t.free = True
    else:
        t.key = repr(c.value)
        t.rank = (0, 1, t.key)
    return t


def literal(value: float) -> Term:
    """The term of a fixed number without a name."""
    return constant(Constant(float(value)))


def parameter(value: float) -> Term:
    """A number to be fitted; OverflowError if it is not finite."""
    if not math.isfinite(value):
        raise OverflowError("a constant became too large")
    return constant(Constant(value, free=True))


def node(op: int, args: tuple[Term, ...]) -> Term:
    """The operator applied as it stands, without any simplification."""
    t = Term()
    t.op, t.args, t.leaf = op, args, None
    name = _evaluable(op).name
    values = [a.value for a in args if a.value is not None]
    t.value = evaluate(op, *values) if len(values) == len(args) else None
    t.free = t.value is not None and any(a.free for a in args)
    u, v = args[0], args[-1]
    if len(args) == 1:
        t.size = 1 + u.size
        t.key = f"{name}({u.key})"
        shape = f"{name}({u.rank[2]})"
    else:
        t.size = 1 + u.size + v.size
        t.key = f"({u.key}{name} {v.key})"
        shape = f"({u.rank[2]}{name} {v.rank[2]})"
    t.rank = (3 if t.value is None else 1, t.size, shape)
    return t


def from_expression(e: Expression, make: Callable[[int, tuple[Term, ...]], Term] = node) -> Term:
    """The term of ``e``, every node built by ``make``."""
    stack: list[Term] = []
    variables = [variable(name) for name in e.variables]
    for op, arg in e.code:
        if op == oc.VAR:
            stack.append(variables[arg])
        elif op == oc.CONST:
            stack.append(constant(e.constants[arg]))
        elif op < oc.FIRST_BINARY:
            stack[-1] = make(op, (stack[-1],))
        else:
            v = stack.pop()
            stack[-1] = make(op, (stack[-1], v))
    return stack[0]


def to_expression(term: Term) -> Expression:
    """The expression that a term stands for; variables come in the order in which they are met."""
    code: list[tuple[int, int]] = []
    constants: list[Constant] = []
    names: dict[str, int] = {}
    todo: list[Term | int] = [term]
    while todo:
        t = todo.pop()
        if isinstance(t, int):
            code.append((t, 0))
        elif isinstance(t.leaf, str):
            code.append((oc.VAR, names.setdefault(t.leaf, len(names))))
        elif isinstance(t.leaf, Constant):
            code.append((oc.CONST, len(constants)))
            constants.append(t.leaf)
        else:
            todo.append(t.op)
            todo.extend(reversed(t.args))
    return Expression(tuple(code), tuple(constants), tuple(names))


# --- numbers ------------------------------------------------------------------------------------------------------


def exact(value: float) -> Rational:
    """The rational number that a finite float is."""
    return int(value) if value.is_integer() else Fraction(value)


def ratio(a: Rational, b: Rational) -> Rational:
    """a/b, an int when whole."""
    q = Fraction(a, b) if isinstance(a, int) and isinstance(b, int) else Fraction(a) / Fraction(b)
    return q.numerator if q.denominator == 1 else q


def as_float(r: Rational) -> float | None:
    """``r`` as a float if it is one exactly, else None."""
    try:
        value = float(r)
    except OverflowError:
        return None
    return value if value == r else None


def is_writable(r: Rational) -> bool:
    """True if ``r`` is exactly a float or a quotient of two modest whole numbers."""
    return as_float(r) is not None or (r.denominator <= MAX_DENOMINATOR and abs(r.numerator) <= _MAX_NUMERATOR)


def rational(r: Rational) -> Term:
    """The shortest term for a writable rational number."""
    value = as_float(r)
    if value is not None:
        return literal(value)
    p, q = r.numerator, r.denominator
    if abs(p) == 1:
        return node(oc.INV, (literal(p * q),))
    return node(oc.DIV, (literal(p), literal(q)))


def is_literal(t: Term) -> bool:
    """True if ``t`` is an exact, unnamed number."""
    return t.op == oc.CONST and t.leaf.is_literal  # type: ignore[union-attr]


def exact_value(t: Term) -> Rational | None:
    """The rational number that a literal, or a quotient of two, is; else None."""
    if is_literal(t):
        return exact(t.leaf.value)  # type: ignore[union-attr]
    if t.op == oc.INV and is_literal(t.args[0]) and t.args[0].value:
        return ratio(1, exact(t.args[0].value))
    if t.op == oc.DIV and is_literal(t.args[0]) and is_literal(t.args[1]) and t.args[1].value:
        return ratio(exact(t.args[0].value), exact(t.args[1].value))  # type: ignore[arg-type]
    return None


def _evaluable(op: int) -> ops.OperatorRow:
    """The row of an operator that has values on numbers."""
    row = ops.BY_OPCODE[op]
    if row.number is None:
        raise ops.unknown(op, "evaluation on numbers (operators.py)")
    return row


def evaluate(op: int, *args: float) -> float | None:
    """The operator's value on numbers, None where undefined or not finite."""
    number = _evaluable(op).number
    assert number is not None
    try:
        value = number(*args)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def exact_result(op: int, args: tuple[Term, ...]) -> Rational | None:
    """The operator's exact rational value on exact literals where there is one, else None."""
    numbers = [exact_value(a) for a in args]
    u, v = numbers[0], numbers[-1]
    if u is None or v is None:
        return None
    if op in (oc.SQRT, oc.CBRT):
        return _root(u, 2 if op == oc.SQRT else 3)
    if op == oc.ABS:
        return u if u > 0 else -u
    if op in (oc.MIN, oc.MAX):
        return u if (u < v) == (op == oc.MIN) else v
    if op == oc.POW:
        if isinstance(v, int) and abs(v) <= 64 and (u or v > 0):
            power: Rational = u ** abs(v)
            return power if v >= 0 else ratio(1, power)
        return None
    row = ops.BY_OPCODE[op]
    return row.zero if u == 0 else row.one if u == 1 else None


def _root(u: Rational, n: int) -> Rational | None:
    if u < 0:
        if n == 2:
            return None
        inner = _root(-u, n)
        return None if inner is None else -inner
    p, q = (_whole_root(part, n) for part in (u.numerator, u.denominator))
    return None if p is None or q is None else ratio(p, q)


def _whole_root(m: int, n: int) -> int | None:
    if m > 2**53:
        return None
    r = round(m ** (1 / n))
    return r if r**n == m else None
