"""Right-hand sides with a little less in them: a term, a number within a function, an exponent that is not simple."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hypo.dynamics.discovery.sums import ONE, Factor, Number, Sum, SumTerm, as_sum, make_sum
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc

# Exponents that a fitted one may stand for, and how near it has to be.
SIMPLE = (-2.0, -1.0, -0.5, 1.0 / 3.0, 0.5, 2.0 / 3.0, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
NEAR = 0.35
# Shares by which a number may differ from one for one to be tried in its place.
ABOUT = 0.3


def smaller(e: Expression) -> Iterator[Expression]:
    """Formulas with one thing less than ``e``, which begin with its constants.

    Where brackets have fewer numbers than what they multiply out to, they also lose a summand as they are written.
    """
    out = as_sum(e)
    seen = {(out.form, out.n_free)}
    for s in _smaller(out):
        if (s.form, s.n_free) not in seen and s.terms:
            seen.add((s.form, s.n_free))
            yield s.expression()
    if len(e.free) < out.n_free:
        yield from _without_a_summand(e)


def _without_a_summand(e: Expression) -> Iterator[Expression]:
    """``e`` as it is written less one side of a sum or difference."""
    for node, (op, _) in enumerate(e.code):
        if op in (oc.ADD, oc.SUB):
            left, right = e.subtree(e.starts[node - 1] - 1), e.subtree(node - 1)
            yield e.replace_node(node, left)
            yield e.replace_node(node, right if op == oc.ADD else -right)


def _smaller(s: Sum) -> Iterator[Sum]:
    terms = s.terms
    if len(terms) > 1:
        for i in range(len(terms)):
            yield Sum((*terms[:i], *terms[i + 1 :]))
    for i, t in enumerate(terms):
        for new in _smaller_term(t):
            yield make_sum([*terms[:i], new, *terms[i + 1 :]])


def _smaller_term(t: SumTerm) -> Iterator[SumTerm]:
    for j, f in enumerate(t.factors):
        rest = (*t.factors[:j], *t.factors[j + 1 :])
        for new in _smaller_factor(f):
            scale, factors = new
            yield SumTerm(t.coefficient * scale, tuple(sorted((*factors, *rest), key=lambda f: f.key)))
        if len(t.factors) > 1:
            yield SumTerm(Number(t.coefficient.value, True), rest)


def _smaller_factor(f: Factor) -> Iterator[tuple[Number, tuple[Factor, ...]]]:
    """(Number in front, factors) in the place of one factor."""
    if f.power.is_free:
        for p in SIMPLE:
            if abs(p - f.power.value) <= NEAR:
                yield ONE, (replace(f, power=Number(p)),)
    for i, a in enumerate(f.args):
        if f.opcode:
            for t in a.terms:
                if t.coefficient.is_free and abs(abs(t.coefficient.value) - 1.0) <= ABOUT:
                    one = SumTerm(Number(1.0 if t.coefficient.value > 0 else -1.0), t.factors)
                    rest = [o for o in a.terms if o is not t]
                    yield ONE, (replace(f, args=(*f.args[:i], make_sum([one, *rest]), *f.args[i + 1 :])),)
        if len(a.terms) > 1:
            for t in a.terms:
                inner = make_sum([o for o in a.terms if o is not t])
                if f.opcode:
                    yield ONE, (replace(f, args=(*f.args[:i], inner, *f.args[i + 1 :])),)
                elif inner.terms[0].factors:
                    yield _plain_power(inner, f.power) if len(inner.terms) == 1 else (ONE, (replace(f, args=(inner,)),))


def _plain_power(s: Sum, power: Number) -> tuple[Number, tuple[Factor, ...]]:
    """A single term to a power, as number and factors."""
    t = s.terms[0]
    scale = t.coefficient.power(power) or Number(1.0, True)
    return scale, tuple(replace(g, power=g.power * power) for g in t.factors)
