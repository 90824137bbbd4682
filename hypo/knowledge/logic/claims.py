"""From statements about a law to claims about numbers: negations drawn in, the law put in.

``not forall`` becomes ``exists not``, the quantifiers of a premise turn over, an ``iff`` with quantifiers inside becomes two
implications; parts without quantifiers become one claim. Columns that no quantifier names are quantified universally over their
ranges, outermost.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from hypo.expression.analysis.derivative import derivative
from hypo.expression.analysis.intervals import Enclosure
from hypo.expression.expr import Constant, Expression
from hypo.kernels import opcodes as oc
from hypo.knowledge.claims.claim import Boxes, Claim, Points, Qualified, Values
from hypo.knowledge.claims.combinations import And, Implies, Not, Or
from hypo.knowledge.claims.comparison import Comparison
from hypo.knowledge.claims.law import Law
from hypo.knowledge.logic import syntax
from hypo.knowledge.logic.integrals import IntegralComparison, Quadrature, Quantity
from hypo.knowledge.logic.syntax import LogicTerm, Statement


@dataclass(frozen=True)
class Block:
    """``body`` for all values of the variables (for one, unless ``universal``), each in its interval, taken as closed."""

    universal: bool
    ranges: Mapping[str, tuple[float, float]]
    body: Node


@dataclass(frozen=True)
class Joint:
    """All ``parts``, or unless ``every`` at least one of them."""

    every: bool
    parts: tuple[Node, ...]


Node = Claim | Block | Joint


@dataclass(frozen=True)
class Open(Qualified):
    """``claim``, in which a variable at ``ends`` of its interval does not count: it holds there if ``universal``, else not."""

    name: str
    ends: tuple[float, ...]
    universal: bool

    def margin(self, points: Points) -> Values:
        at_end = np.isin(points[self.name], self.ends)
        return np.where(at_end, 1.0 if self.universal else -1.0, self.claim.margin(points))

    def enclose(self, boxes: Boxes) -> Enclosure:
        found = self.claim.enclose(boxes)
        low, high = boxes[self.name]
        touches = np.logical_or.reduce([(low <= end) & (end <= high) for end in self.ends])
        point = touches & (low == high)
        value = 1.0 if self.universal else -1.0
        lo, hi = (
            np.where(touches, np.fmin(found.lo, value), found.lo),
            np.where(touches, np.fmax(found.hi, value), found.hi),
        )
        return Enclosure(np.where(point, value, lo), np.where(point, value, hi), found.defined | point)


_Environment = Mapping[str, str]  # what the names in a statement are called in its claims


def meaning(statement: Statement, law: Law, coarse: bool = False) -> Node:
    """The claims that ``statement`` makes of ``law``; all integrals ``coarse``, or those alone that stand within each other."""
    free = [name for name in law.variables if name in names(_Instance(law, law.variables).node(statement, True, {}))]
    # Now that the free columns are known, a quantified variable keeps its name unless one of them has it.
    node = _Instance(law, free, coarse).node(statement, True, {})
    return _block(True, {name: law.ranges[name] for name in free}, node)


def names(node: Node) -> frozenset[str]:
    """The free variables."""
    if isinstance(node, Claim):
        return node.names
    if isinstance(node, Block):
        return names(node.body) - node.ranges.keys()
    return frozenset().union(*map(names, node.parts))


def negate(node: Node) -> Node:
    """The negation, with ``not`` only at the claims."""
    if isinstance(node, Claim):
        return Not(node)
    if isinstance(node, Block):
        return Block(not node.universal, node.ranges, negate(node.body))
    return Joint(not node.every, tuple(map(negate, node.parts)))


def universal(node: Node) -> tuple[dict[str, tuple[float, float]], Claim] | None:
    """The ranges and the claim of a node that quantifies only universally, else None. No interval is empty, so that ``for all``
    can be drawn out of ``or`` too."""
    if isinstance(node, Claim):
        return {}, node
    if isinstance(node, Block):
        inner = universal(node.body) if node.universal else None
        return ({**node.ranges, **inner[0]}, inner[1]) if inner else None
    parts = [universal(part) for part in node.parts]
    found = [part for part in parts if part]
    if len(found) < len(parts):
        return None
    ranges = {name: ends for own, _ in found for name, ends in own.items()}
    return ranges, (And if node.every else Or)(tuple(claim for _, claim in found))


def depth(s: Statement, positive: bool = True) -> int:
    """How many blocks of quantifiers stand within each other in a statement."""
    inner = 0
    for k, part in enumerate(syntax.operands(s)):
        turned = isinstance(s, syntax.Negation) or (isinstance(s, syntax.Implication) and k == 0)
        inner = max(inner, depth(part, positive != turned))
    if not isinstance(s, syntax.Quantified):
        return inner
    return inner + (not (isinstance(s.body, syntax.Quantified) and s.body.universal == s.universal))


def _block(universal: bool, ranges: Mapping[str, tuple[float, float]], body: Node) -> Node:
    """A block of those variables that occur; together with a block of its sort directly within."""
    occurring = {name: ends for name, ends in ranges.items() if name in names(body)}
    if not occurring:
        return body
    if isinstance(body, Block) and body.universal == universal:
        return Block(universal, {**occurring, **body.ranges}, body.body)
    return Block(universal, occurring, body)


class _Instance:
    """The statements of one rule about one law."""

    def __init__(self, law: Law, taken: Iterable[str], coarse: bool = False) -> None:
        self.law = law
        self.coarse = coarse
        self.nested = 0
        self.taken = set(taken)
        self.integrals = itertools.count()

    # --- statements -----------------------------------------------------------------------------------------------

    def node(self, s: Statement, positive: bool, env: _Environment) -> Node:
        """``s``, or its negation unless ``positive``."""
        if isinstance(s, syntax.Quantified):
            return self.quantify(s, positive, env)
        if isinstance(s, syntax.Negation):
            return self.node(s.body, not positive, env)
        if not _has_quantifier(s):
            claim = self.plain(s, env)
            return claim if positive else Not(claim)
        if isinstance(s, syntax.Equivalence):
            s = syntax.Conjunction((syntax.Implication(s.left, s.right), syntax.Implication(s.right, s.left)))
        if isinstance(s, syntax.Implication):
            return Joint(
                not positive, (self.node(s.premise, not positive, env), self.node(s.conclusion, positive, env))
            )
        assert isinstance(s, syntax.Conjunction | syntax.Disjunction)
        every = isinstance(s, syntax.Conjunction) == positive
        return Joint(every, tuple(self.node(part, positive, env) for part in s.parts))

    def quantify(self, s: syntax.Quantified, positive: bool, env: _Environment) -> Node:
        universal = s.universal == positive
        ranges: dict[str, tuple[float, float]] = {}
        without: list[tuple[str, tuple[float, ...]]] = []
        for name, interval in s.over:
            variable = self.fresh(name)
            env = {**env, name: variable}
            ends = (interval.low.value, interval.high.value) if interval else self.law.ranges[name]
            ranges[variable] = ends
            if interval and not all(interval.closed):
                without.append(
                    (variable, tuple(e for e, closed in zip(ends, interval.closed, strict=True) if not closed))
                )
        body = self.node(s.body, positive, env)
        for variable, missing in without:
            body = _exclude_ends(body, variable, missing, universal)
        return _block(universal, ranges, body)

    def fresh(self, name: str) -> str:
        """``name``, or with primes when it means something else already."""
        while name in self.taken:
            name += "'"
        self.taken.add(name)
        return name

    def plain(self, s: Statement, env: _Environment) -> Claim:
        """The claim of a statement without quantifiers."""
        if isinstance(s, syntax.Chain):
            terms = [self.quantity(t, env) for t in (s.first, *(t for _, t in s.links))]
            return _all(
                _comparison(left, relation, right)
                for left, (relation, _), right in zip(terms, s.links, terms[1:], strict=False)
            )
        parts = [self.plain(part, env) for part in syntax.operands(s)]
        if isinstance(s, syntax.Negation):
            return Not(parts[0])
        if isinstance(s, syntax.Conjunction):
            return _all(parts)
        if isinstance(s, syntax.Disjunction):
            return _any(parts)
        if isinstance(s, syntax.Implication):
            return Implies(*parts)
        return _all([Implies(*parts), Implies(*reversed(parts))])

    # --- numbers --------------------------------------------------------------------------------------------------

    def quantity(self, term: LogicTerm, env: _Environment) -> Quantity:
        """The number that ``term`` is."""
        formulas: dict[str, Expression] = {}
        integrals: list[Quadrature] = []
        for name in term.expression.variables:
            if not name.startswith("#"):
                formulas[name] = Expression.variable(env.get(name, name))
                continue
            part = term.parts[int(name[1:])]
            found = self.integral(part, env) if isinstance(part, syntax.Integral) else self.apply_law(part, env)
            formulas[name] = found.expression
            integrals += found.integrals
        return Quantity(_substitute(term.expression, formulas), tuple(integrals))

    def apply_law(self, part: syntax.Call | syntax.Derivative, env: _Environment) -> Quantity:
        """The law or its derivative at the arguments; a column without one keeps its variable."""
        e = self.law.expression
        for column in part.by if isinstance(part, syntax.Derivative) else ():
            e = _derivative(e, column)
        columns = self.law.variables
        given = {a.name or columns[k]: self.quantity(a.value, env) for k, a in enumerate(part.arguments)}
        formulas = {c: given[c].expression if c in given else Expression.variable(env.get(c, c)) for c in columns}
        used = [given[c] for c in e.variables if c in given]
        return Quantity(_substitute(e, formulas), tuple(q for g in used for q in g.integrals))

    def integral(self, part: syntax.Integral, env: _Environment) -> Quantity:
        name = f"∫{next(self.integrals)}"
        variable = f"{part.variable}{name}"
        self.nested += 1
        integrand = self.quantity(part.integrand, {**env, part.variable: variable})
        self.nested -= 1
        coarse = self.coarse or self.nested > 0 or bool(integrand.integrals)
        low, high = (self.quantity(t, env) for t in (part.low, part.high))
        return Quantity(Expression.variable(name), (Quadrature(name, integrand, variable, low, high, coarse),))


def _comparison(left: Quantity, relation: str, right: Quantity) -> Claim:
    comparison = Comparison(left.expression, "==" if relation == "=" else relation, right.expression)
    integrals = tuple(dict.fromkeys(left.integrals + right.integrals))
    return IntegralComparison(comparison, integrals) if integrals else comparison


def _all(parts: Iterable[Claim]) -> Claim:
    parts = tuple(parts)
    return parts[0] if len(parts) == 1 else And(parts)


def _any(parts: Iterable[Claim]) -> Claim:
    parts = tuple(parts)
    return parts[0] if len(parts) == 1 else Or(parts)


def _exclude_ends(node: Node, name: str, ends: tuple[float, ...], universal: bool) -> Node:
    """``node`` where the variable may not be at the ``ends``."""
    if isinstance(node, Claim):
        return Open(node, name, ends, universal) if name in node.names else node
    if isinstance(node, Block):
        return replace(node, body=_exclude_ends(node.body, name, ends, universal))
    return replace(node, parts=tuple(_exclude_ends(part, name, ends, universal) for part in node.parts))


def _has_quantifier(s: Statement) -> bool:
    return isinstance(s, syntax.Quantified) or any(map(_has_quantifier, syntax.operands(s)))


_derivative = lru_cache(maxsize=512)(derivative)


def _substitute(e: Expression, formulas: Mapping[str, Expression]) -> Expression:
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
