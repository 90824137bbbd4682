"""Matches terms against the patterns of ``rules.py`` and writes the replacements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from hypo.expression.algebra import normal_form as forms
from hypo.expression.algebra import term as terms
from hypo.expression.algebra.rewrite_rules import CONDITIONS, RULES, RewriteRule
from hypo.expression.algebra.term import Term
from hypo.expression.parser import parse
from hypo.kernels import opcodes as oc

Make = Callable[[int, tuple[Term, ...]], Term]
Bindings = dict[str, Term]

FREE_NAMES = ("c", "d")
EXACT_NAMES = ("k", "m")
_PAIRS = (oc.ADD, oc.SUB, oc.MUL, oc.DIV)
# What a term may look like that has a leading number, or is a negative.
_WITH_NUMBER = (oc.MUL, oc.DIV, oc.INV, oc.NEG)


class Compiled(NamedTuple):
    """A rule as terms."""

    pattern: Term
    replacement: Term
    when: Callable[[Bindings], bool] | None


class _Index(NamedTuple):
    """Rules by the operator of the pattern and that of its first argument (-1 for any)."""

    single: dict[tuple[int, int], list[Compiled]]
    pairs: dict[tuple[int, int], list[Compiled]]
    joining: frozenset[int]


def compile_rule(rule: RewriteRule) -> Compiled:
    """A rule read from its formulas."""
    pattern, replacement = (terms.from_expression(parse(text)) for text in (rule.pattern, rule.replacement))
    return Compiled(pattern, replacement, CONDITIONS[rule.when] if rule.when else None)


@cache
def _index() -> _Index:
    index = _Index({}, {}, frozenset())
    joining: set[int] = set()
    for rule in map(compile_rule, RULES):
        op, first = rule.pattern.op, rule.pattern.args[0]
        if op in _PAIRS:
            index.pairs.setdefault((op, first.op), []).append(rule)
            joining.add(first.op)
            continue
        heads: tuple[int, ...] = (first.op,)
        if first.op == oc.VAR:
            heads = (-1,)
        elif _leads_with_number(first):
            heads = _WITH_NUMBER
        for head in heads:
            index.single.setdefault((op, head), []).append(rule)
    return index._replace(joining=frozenset(joining))


def _leads_with_number(pattern: Term) -> bool:
    return pattern.op == oc.MUL and pattern.args[0].leaf in FREE_NAMES + EXACT_NAMES


def rewrite(t: Term, make: Make) -> Term | None:
    """``t`` by the first rule that applies and does not make it larger, or None."""
    if not t.args:
        return None
    single = _index().single
    for head in (t.args[0].op, -1):
        for rule in single.get((t.op, head), ()):
            for bound in match(rule.pattern, t):
                if rule.when is None or rule.when(bound):
                    new = instantiate(rule.replacement, bound, make)
                    if new.size <= t.size and new.key != t.key:
                        return new
    return None


def may_join(t: Term) -> bool:
    """True if ``t`` can be the first operand of a rule on two terms of a sum or factors of a product."""
    return t.op in _index().joining


def join(op: int, s: Term, t: Term, make: Make) -> Term | None:
    """``s op t`` by the first rule on two terms or factors, or None."""
    for rule in _index().pairs.get((op, s.op), ()):
        p, q = rule.pattern.args
        for first in _matches(p, s, {}):
            for bound in _matches(q, t, first):
                if rule.when is None or rule.when(bound):
                    return instantiate(rule.replacement, bound, make)
    return None


def match(pattern: Term, t: Term) -> Iterator[Bindings]:
    """All ways to read ``t`` as ``pattern``."""
    return _matches(pattern, t, {})


def _matches(p: Term, t: Term, bound: Bindings) -> Iterator[Bindings]:
    if p.op == oc.VAR:
        name = p.leaf
        assert isinstance(name, str)
        if name in bound:
            if bound[name].key == t.key:
                yield bound
        elif _may_stand_for(name, t):
            yield {**bound, name: t}
    elif p.op == oc.CONST:
        if p.key == t.key:
            yield bound
    elif _leads_with_number(p):
        if t.op in _WITH_NUMBER:
            coefficient, number, rest = forms.split(t)
            fitted = p.args[0].leaf in FREE_NAMES
            if rest is not None and fitted == (number is not None) and (fitted or coefficient != 1):
                first = number if fitted else terms.rational(coefficient)
                assert first is not None
                for half in _matches(p.args[0], first, bound):
                    yield from _matches(p.args[1], rest, half)
    elif p.op == t.op:
        found = _matches(p.args[0], t.args[0], bound)
        if len(p.args) == 1:
            yield from found
        else:
            for half in found:
                yield from _matches(p.args[1], t.args[1], half)


def _may_stand_for(name: str, t: Term) -> bool:
    if name in FREE_NAMES:
        return t.free and t.op == oc.CONST
    return name not in EXACT_NAMES or terms.exact_value(t) is not None


def instantiate(replacement: Term, bound: Bindings, make: Make) -> Term:
    """The replacement with its names filled in, every node built by ``make``."""
    if replacement.op == oc.VAR:
        return bound[str(replacement.leaf)]
    if replacement.op == oc.CONST:
        return replacement
    return make(replacement.op, tuple(instantiate(a, bound, make) for a in replacement.args))
