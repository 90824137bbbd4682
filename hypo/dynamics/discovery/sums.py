"""Right-hand sides as sums of terms: coefficient times powers of variables, of functions and of sums.

Products of sums are multiplied out (``distribute=True``), so that ``r*x*(1 - x/K)`` and ``a*x - b*x**2`` become one sum, or
kept as they are. Numbers that only scale something are moved in front of it: ``a/(b + c*x)`` becomes
``(a/c)*(b/c + x)**-1``, with two constants, as many as it has degrees of freedom. The *form* of a sum is its text with fitted
numbers left open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

from hypo.expression import operators as ops
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc

# Sums of more terms than this are not multiplied out.
MOST_TERMS = 40
# Whole powers of sums up to this are multiplied out.
MOST_POWER = 4
# Digits to which two numbers of one place are the same.
DIGITS = 9

_ROOTS = {oc.SQRT: 0.5, oc.CBRT: 1.0 / 3.0}
_WHOLE = {oc.SQUARE: 2.0, oc.CUBE: 3.0, oc.INV: -1.0}


@dataclass(frozen=True)
class Number:
    """A number; ``is_free`` says that it is fitted."""

    value: float
    is_free: bool = False

    def __mul__(self, other: Number) -> Number:
        return Number(self.value * other.value, self.is_free or other.is_free)

    def __add__(self, other: Number) -> Number:
        return Number(self.value + other.value, self.is_free or other.is_free)

    def power(self, exponent: Number) -> Number | None:
        """The number to a power, None where that is not a finite number."""
        try:
            value = self.value**exponent.value
        except (OverflowError, ZeroDivisionError):
            return None
        if isinstance(value, complex) or not math.isfinite(value):
            return None
        return Number(value, self.is_free or exponent.is_free)

    @property
    def key(self) -> str:
        """Its text, equal for equal numbers."""
        return f"{'?' if self.is_free else ''}{self.value:.{DIGITS}g}"

    @property
    def form(self) -> str:
        """Its text with fitted values left open."""
        return "#" if self.is_free else f"{self.value:.{DIGITS}g}"

    def expression(self) -> Expression:
        """The number as an expression."""
        return Expression.constant(self.value, free=self.is_free)


ONE = Number(1.0)


@dataclass(frozen=True)
class Factor:
    """A base to a power: a variable (``name``), a function of sums (``opcode``, ``args``) or a sum (``args`` alone)."""

    power: Number
    name: str = ""
    opcode: int = 0
    args: tuple[Sum, ...] = ()

    @cached_property
    def base_key(self) -> str:
        """Text of the base with its numbers."""
        return self.name or f"{self._called}({','.join(a.key for a in self.args)})"

    @cached_property
    def form(self) -> str:
        """Text of the factor with fitted numbers left open."""
        base = self.name or f"{self._called}({','.join(a.inner_form for a in self.args)})"
        return base if self.power == ONE else f"{base}^{self.power.form}"

    @property
    def _called(self) -> str:
        return ops.BY_OPCODE[self.opcode].name if self.opcode else ""

    @property
    def key(self) -> str:
        """Text of the factor."""
        return self.base_key if self.power == ONE else f"{self.base_key}^{self.power.key}"

    @property
    def n_free(self) -> int:
        """Fitted numbers in it."""
        return int(self.power.is_free) + sum(a.n_free for a in self.args)

    def expression(self) -> Expression:
        """The factor as an expression."""
        if self.name:
            base = Expression.variable(self.name)
        elif self.opcode:
            base = Expression.join(self.opcode, [a.expression() for a in self.args])
        else:
            base = self.args[0].expression()
        if self.power == ONE:
            return base
        for op, p in (*_WHOLE.items(), *_ROOTS.items()):
            if not self.power.is_free and self.power.value == p:
                return Expression.join(op, [base])
        return base ** Expression.constant(self.power.value, free=self.power.is_free)


@dataclass(frozen=True)
class SumTerm:
    """A coefficient times factors, in order."""

    coefficient: Number
    factors: tuple[Factor, ...]

    @cached_property
    def key(self) -> str:
        """Text of the factors, equal for terms that can be drawn together."""
        return "*".join(f.key for f in self.factors)

    @cached_property
    def form(self) -> str:
        """Text of the factors with fitted numbers left open; ``""`` for a constant."""
        return "*".join(f.form for f in self.factors)

    @property
    def n_free(self) -> int:
        """Fitted numbers in it."""
        return int(self.coefficient.is_free) + sum(f.n_free for f in self.factors)

    def expression(self, magnitude: bool = False) -> Expression:
        """The term as an expression; with ``magnitude`` without the sign of its coefficient."""
        c = self.coefficient
        if magnitude:
            c = Number(abs(c.value), c.is_free)
        above = [f.expression() for f in self.factors if f.power.is_free or f.power.value > 0]
        below = [
            Factor(Number(-f.power.value), f.name, f.opcode, f.args).expression()
            for f in self.factors
            if not f.power.is_free and f.power.value < 0
        ]
        if c != ONE or not above:
            above.insert(0, c.expression())
        top = reduce(lambda a, b: a * b, above)
        return top / reduce(lambda a, b: a * b, below) if below else top


@dataclass(frozen=True)
class Sum:
    """Terms with distinct factors, in the order of their texts."""

    terms: tuple[SumTerm, ...]

    @cached_property
    def key(self) -> str:
        """Text with all numbers."""
        return " + ".join(f"{t.coefficient.key}*{t.key}" for t in self.terms)

    @cached_property
    def form(self) -> str:
        """Text with coefficients and fitted numbers left open."""
        return " + ".join(sorted(t.form or "1" for t in self.terms))

    @cached_property
    def inner_form(self) -> str:
        """Text with fitted numbers left open, exact coefficients kept: within a function x - y is not x + y."""
        return " + ".join(sorted(_with_coefficient(t) for t in self.terms))

    @cached_property
    def n_free(self) -> int:
        """Fitted numbers in it."""
        return sum(t.n_free for t in self.terms)

    @cached_property
    def ordered(self) -> tuple[SumTerm, ...]:
        """Terms as they are written: positive ones first, a constant last of them."""
        return tuple(sorted(self.terms, key=lambda t: (t.coefficient.value < 0, not t.factors)))

    def expression(self) -> Expression:
        """The sum as an expression: positive terms first."""
        if not self.terms:
            return Expression.constant(0.0)
        out = self.ordered[0].expression()
        return self._joined(out)

    def positive_expression(self) -> Expression:
        """The sum as an expression in which all coefficients are positive: the sign of the first is an operation, too."""
        if not self.terms:
            return Expression.constant(0.0)
        first = self.ordered[0]
        size = first.expression(magnitude=True)
        return self._joined(-size if first.coefficient.value < 0 else size)

    def _joined(self, out: Expression) -> Expression:
        for t in self.ordered[1:]:
            size = t.expression(magnitude=True)
            out = out - size if t.coefficient.value < 0 else out + size
        return out


def _with_coefficient(t: SumTerm) -> str:
    number = "" if t.coefficient == ONE else t.coefficient.form
    return "*".join(part for part in (number, t.form) if part) or "1"


def make_sum(terms: Sequence[SumTerm]) -> Sum:
    """Equal terms drawn together, those that vanish left out."""
    found: dict[str, SumTerm] = {}
    for t in terms:
        old = found.get(t.key)
        found[t.key] = t if old is None else SumTerm(old.coefficient + t.coefficient, t.factors)
    kept = [t for t in found.values() if t.coefficient.value != 0.0 or t.coefficient.is_free]
    return Sum(tuple(sorted(kept, key=lambda t: t.key)))


def form_and_count(e: Expression) -> tuple[str, int]:
    """The form of ``e`` multiplied out, and how many fitted numbers it has: ``a*(x - x**3/3)`` has the form of ``a*x - b*x**3``
    with one number less."""
    return as_sum(e).form, len(e.free)


def as_sum(e: Expression, distribute: bool = True) -> Sum:
    """``e`` as a sum of terms, products of sums multiplied out with ``distribute``."""
    stack: list[Sum] = []
    for op, arg in e.code:
        if op == oc.VAR:
            stack.append(_single(Factor(ONE, e.variables[arg])))
        elif op == oc.CONST:
            c = e.constants[arg]
            stack.append(make_sum([SumTerm(Number(c.value, c.free), ())]))
        else:
            n = oc.arity(op)
            args = stack[-n:]
            del stack[-n:]
            stack.append(_applied(op, args, distribute))
    return stack[0]


def _single(*factors: Factor, coefficient: Number = ONE) -> Sum:
    return make_sum([SumTerm(coefficient, factors)])


def _applied(op: int, args: Sequence[Sum], distribute: bool) -> Sum:
    u, v = args[0], args[-1]
    if op == oc.NEG:
        return _times(_number(-1.0), u, True)
    if op == oc.ADD:
        return make_sum([*u.terms, *v.terms])
    if op == oc.SUB:
        return make_sum([*u.terms, *_times(_number(-1.0), v, True).terms])
    if op == oc.MUL:
        return _times(u, v, distribute)
    if op == oc.DIV:
        return _times(u, _power(v, Number(-1.0), distribute), distribute)
    if op in _WHOLE or op in _ROOTS:
        return _power(u, Number(_WHOLE.get(op) or _ROOTS[op]), distribute)
    if op == oc.POW and (exponent := _only_number(v)) is not None:
        return _power(u, exponent, distribute)
    if op == oc.EXP:
        return _exponential(u)
    if op == oc.LOG and len(u.terms) == 1 and len(u.terms[0].factors) == 1 and u.terms[0].coefficient.value > 0:
        return _logarithm(u.terms[0])
    return _single(Factor(ONE, opcode=op, args=tuple(args)))


def _number(value: float) -> Sum:
    return Sum((SumTerm(Number(value), ()),))


def _only_number(s: Sum) -> Number | None:
    if not s.terms:
        return Number(0.0)
    return s.terms[0].coefficient if len(s.terms) == 1 and not s.terms[0].factors else None


def _exponential(u: Sum) -> Sum:
    """exp(c + Σ …) = exp(c)·exp(Σ …)."""
    scale = ONE
    rest = []
    for t in u.terms:
        if not t.factors and abs(t.coefficient.value) < 600:
            scale = scale * Number(math.exp(t.coefficient.value), t.coefficient.is_free)
        else:
            rest.append(t)
    if not rest:
        return _single(coefficient=scale)
    return _single(Factor(ONE, opcode=oc.EXP, args=(make_sum(rest),)), coefficient=scale)


def _logarithm(t: SumTerm) -> Sum:
    """log(c·u**p) = log c + p·log u."""
    f = t.factors[0]
    inside = f.args[0] if not f.name and not f.opcode else _single(Factor(ONE, f.name, f.opcode, f.args))
    log = SumTerm(f.power, (Factor(ONE, opcode=oc.LOG, args=(inside,)),))
    constant = SumTerm(Number(math.log(t.coefficient.value), t.coefficient.is_free), ())
    return make_sum([log, constant])


def _times(u: Sum, v: Sum, distribute: bool) -> Sum:
    several = len(u.terms) > 1 and len(v.terms) > 1
    if len(u.terms) * len(v.terms) > MOST_TERMS or (not distribute and (len(u.terms) > 1 or len(v.terms) > 1)):
        number = _only_number(u) or _only_number(v)
        if number is None or several:
            return _product(_wrapped(u, ONE), _wrapped(v, ONE))
    return make_sum([_product(Sum((a,)), Sum((b,))).terms[0] for a in u.terms for b in v.terms if a and b])


def _product(u: Sum, v: Sum) -> Sum:
    """The product of two single terms, powers of one base drawn together."""
    if not u.terms or not v.terms:
        return Sum(())
    a, b = u.terms[0], v.terms[0]
    found: dict[str, Factor] = {}
    for f in (*a.factors, *b.factors):
        old = found.get(f.base_key)
        if old is not None:
            f = Factor(old.power + f.power, f.name, f.opcode, f.args)
        found[f.base_key] = f
    kept = [f for f in found.values() if f.power.value != 0.0 or f.power.is_free]
    return Sum((SumTerm(a.coefficient * b.coefficient, tuple(sorted(kept, key=lambda f: f.key))),))


def _power(u: Sum, exponent: Number, distribute: bool) -> Sum:
    if not exponent.is_free and exponent.value == 1.0:
        return u
    if len(u.terms) == 1:
        t = u.terms[0]
        scale = t.coefficient.power(exponent)
        if scale is not None:
            # (base**p)**q = base**(p·q), for positive bases.
            raised = [Factor(f.power * exponent, f.name, f.opcode, f.args) for f in t.factors]
            return _single(*raised, coefficient=scale)
    whole = not exponent.is_free and exponent.value == round(exponent.value) and 1 < exponent.value <= MOST_POWER
    if whole and distribute and len(u.terms) ** exponent.value <= MOST_TERMS:
        out = u
        for _ in range(int(exponent.value) - 1):
            out = _times(out, u, True)
        return out
    return _wrapped(u, exponent)


def _wrapped(u: Sum, exponent: Number) -> Sum:
    """A sum to a power as one factor; the number before its first term that is no constant moves in front."""
    if not u.terms or (exponent == ONE and len(u.terms) == 1):
        return u
    leader = next((t.coefficient for t in u.terms if t.factors), ONE)
    scale = leader.power(exponent) if leader.value > 0 or exponent.value == round(exponent.value) else None
    if leader == ONE or scale is None or leader.value == 0:
        return _single(Factor(exponent, args=(u,)))
    inner = [SumTerm(ONE if t.coefficient is leader else _over(t.coefficient, leader), t.factors) for t in u.terms]
    return _single(Factor(exponent, args=(make_sum(inner),)), coefficient=scale)


def _over(a: Number, b: Number) -> Number:
    return Number(a.value / b.value, a.is_free or b.is_free)


def walk_terms(s: Sum) -> Iterator[SumTerm]:
    """All terms, those within functions and sums too."""
    for t in s.terms:
        yield t
        for f in t.factors:
            for a in f.args:
                yield from walk_terms(a)
