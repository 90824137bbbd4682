"""From statements about a law to claims about numbers: quantifiers drawn to the front, the law put in.

Quantifiers are drawn out as in prenex normal form, which changes no truth value, as no interval is empty: ``not forall`` becomes
``exists not``, a premise's quantifiers turn over, an ``iff`` with quantifiers inside is written as two implications. Columns that
no quantifier names are quantified universally over their ranges, outermost.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from hypo.expression.derivative import derivative
from hypo.expression.expr import Constant, Expression
from hypo.kernels import opcodes as oc
from hypo.knowledge import claims
from hypo.knowledge import logic_syntax as syntax
from hypo.knowledge.claims import Claim
from hypo.knowledge.logic_integrals import IntegralComparison, Quadrature, Quantity
from hypo.knowledge.logic_syntax import Statement, Term
from hypo.knowledge.rules import Law


@dataclass(frozen=True)
class Range:
    """Where a variable runs; ``open`` ends do not belong to it."""

    low: float
    high: float
    open: tuple[bool, bool] = (False, False)


@dataclass(frozen=True)
class Block:
    """Neighbouring quantifiers of one sort."""

    universal: bool
    ranges: Mapping[str, Range]


@dataclass(frozen=True)
class Prenex:
    """``claim`` under the quantifiers ``blocks``, outermost first; their sorts alternate and every variable occurs in the claim."""

    blocks: tuple[Block, ...]
    claim: Claim


_Prefix = list[tuple[bool, str, Range]]
_Environment = Mapping[str, str]  # what the names in a statement are called in its claim


def prenex(statement: Statement, law: Law) -> Prenex:
    """``statement`` about ``law``."""
    prefix, claim = _Instance(law).drawn(statement, True, {})
    named = {name for _, name, _ in prefix}
    free = [name for name in law.variables if name in claim.names and name not in named]
    outer = [(True, name, Range(*law.ranges[name])) for name in free]
    return Prenex(_blocks(outer + [q for q in prefix if q[1] in claim.names]), claim)


def _blocks(prefix: _Prefix) -> tuple[Block, ...]:
    return tuple(
        Block(universal, {name: r for _, name, r in group})
        for universal, group in itertools.groupby(prefix, key=lambda q: q[0])
    )


def _interleaved(prefixes: list[_Prefix]) -> _Prefix:
    """One prefix from several independent ones, each in its order, with few alternations."""
    best: _Prefix = []
    for first in (False, True):  # when both are as good, universal first
        queues = [list(p) for p in prefixes]
        merged: _Prefix = []
        sort = first
        while any(queues):
            for queue in queues:
                while queue and queue[0][0] == sort:
                    merged.append(queue.pop(0))
            sort = not sort
        if not best or len(_blocks(merged)) <= len(_blocks(best)):
            best = merged
    return best


class _Instance:
    """The statements of one rule about one law."""

    def __init__(self, law: Law) -> None:
        self.law = law
        self.taken = set(law.variables)
        self.integrals = itertools.count()

    # --- statements -----------------------------------------------------------------------------------------------

    def drawn(self, s: Statement, positive: bool, env: _Environment) -> tuple[_Prefix, Claim]:
        """The quantifiers of ``s`` (of its negation unless ``positive``), and the claim under them."""
        if isinstance(s, syntax.Quantified):
            return self.quantified(s, positive, env)
        if isinstance(s, syntax.Negation):
            return self.drawn(s.body, not positive, env)
        if not _has_quantifier(s):
            claim = self.plain(s, env)
            return [], claim if positive else claims.Not(claim)
        if isinstance(s, syntax.Equivalence):
            s = syntax.Conjunction((syntax.Implication(s.left, s.right), syntax.Implication(s.right, s.left)))
        if isinstance(s, syntax.Implication):
            parts = [(s.premise, not positive), (s.conclusion, positive)]
            both = not positive
        else:
            assert isinstance(s, syntax.Conjunction | syntax.Disjunction)
            parts = [(part, positive) for part in s.parts]
            both = isinstance(s, syntax.Conjunction) == positive
        drawn = [self.drawn(part, sign, env) for part, sign in parts]
        claim = (_all if both else _any)(c for _, c in drawn)
        return _interleaved([p for p, _ in drawn]), claim

    def quantified(self, s: syntax.Quantified, positive: bool, env: _Environment) -> tuple[_Prefix, Claim]:
        own: _Prefix = []
        for name, interval in s.over:
            env = {**env, name: self.fresh(name, bool(own) or bool(env))}
            if interval is None:
                where = Range(*self.law.ranges[name])
            else:
                where = Range(interval.low.value, interval.high.value, (not interval.closed[0], not interval.closed[1]))
            own.append((s.universal == positive, env[name], where))
        prefix, claim = self.drawn(s.body, positive, env)
        return own + prefix, claim

    def fresh(self, name: str, nested: bool) -> str:
        """``name``, or with primes when it means something else already."""
        while name in self.taken:
            name += "'"
        self.taken.add(name)
        return name

    def plain(self, s: Statement, env: _Environment) -> Claim:
        """The claim of a statement without quantifiers."""
        if isinstance(s, syntax.Chain):
            terms = [self.quantity(t, env) for t in (s.first, *(t for _, t in s.links))]
            return _all(_comparison(left, relation, right)
                        for left, (relation, _), right in zip(terms, s.links, terms[1:], strict=False))
        parts = [self.plain(part, env) for part in syntax.operands(s)]
        if isinstance(s, syntax.Negation):
            return claims.Not(parts[0])
        if isinstance(s, syntax.Conjunction):
            return _all(parts)
        if isinstance(s, syntax.Disjunction):
            return _any(parts)
        if isinstance(s, syntax.Implication):
            return claims.Implies(*parts)
        return _all([claims.Implies(*parts), claims.Implies(*reversed(parts))])

    # --- numbers --------------------------------------------------------------------------------------------------

    def quantity(self, term: Term, env: _Environment) -> Quantity:
        """The number that ``term`` is."""
        formulas: dict[str, Expression] = {}
        integrals: list[Quadrature] = []
        for name in term.expression.variables:
            if not name.startswith("#"):
                formulas[name] = Expression.variable(env.get(name, name))
                continue
            part = term.parts[int(name[1:])]
            found = self.integral(part, env) if isinstance(part, syntax.Integral) else self.applied(part, env)
            formulas[name] = found.expression
            integrals += found.integrals
        return Quantity(_substituted(term.expression, formulas), tuple(integrals))

    def applied(self, part: syntax.Call | syntax.Derivative, env: _Environment) -> Quantity:
        """The law or its derivative at the arguments; a column without one keeps its variable."""
        e = self.law.expression
        for column in part.by if isinstance(part, syntax.Derivative) else ():
            e = _derivative(e, column)
        columns = self.law.variables
        given = {a.name or columns[k]: self.quantity(a.value, env) for k, a in enumerate(part.arguments)}
        formulas = {c: given[c].expression if c in given else Expression.variable(env.get(c, c)) for c in columns}
        used = [given[c] for c in e.variables if c in given]
        return Quantity(_substituted(e, formulas), tuple(q for g in used for q in g.integrals))

    def integral(self, part: syntax.Integral, env: _Environment) -> Quantity:
        name = f"∫{next(self.integrals)}"
        variable = f"{part.variable}{name}"
        integrand = self.quantity(part.integrand, {**env, part.variable: variable})
        low, high = (self.quantity(t, env) for t in (part.low, part.high))
        return Quantity(Expression.variable(name), (Quadrature(name, integrand, variable, low, high),))


def _comparison(left: Quantity, relation: str, right: Quantity) -> Claim:
    comparison = claims.Comparison(left.expression, "==" if relation == "=" else relation, right.expression)
    integrals = tuple(dict.fromkeys(left.integrals + right.integrals))
    return IntegralComparison(comparison, integrals) if integrals else comparison


def _all(parts: Iterable[Claim]) -> Claim:
    parts = tuple(parts)
    return parts[0] if len(parts) == 1 else claims.And(parts)


def _any(parts: Iterable[Claim]) -> Claim:
    parts = tuple(parts)
    return parts[0] if len(parts) == 1 else claims.Or(parts)


def _has_quantifier(s: Statement) -> bool:
    return isinstance(s, syntax.Quantified) or any(map(_has_quantifier, syntax.operands(s)))


_derivative = lru_cache(maxsize=512)(derivative)


def _substituted(e: Expression, formulas: Mapping[str, Expression]) -> Expression:
    """``e`` with its variables replaced, in one pass whatever its length."""
    op: list[int] = []
    arg: list[int] = []
    names: dict[str, int] = {}
    constants: list[Constant] = []
    for code, k in e.code:
        leaf = formulas[e.variables[k]] if code == oc.VAR else None
        for inner, j in leaf.code if leaf else ((code, k),):
            op.append(inner)
            if inner == oc.CONST:
                arg.append(len(constants))
                constants.append((leaf or e).constants[j])
            else:
                arg.append(names.setdefault(leaf.variables[j], len(names)) if leaf and inner == oc.VAR else 0)
    return Expression.from_arrays(op, arg, list(names), constants)
