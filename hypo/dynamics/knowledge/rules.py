"""Rules about all equations of a system together, each a claim that is measured at points and proved by intervals.

conserved Q       ∇Q·f = 0                 with inputs at 0
decreasing Q      ∇Q·f ≤ 0                 with inputs at 0
positive x        f_x ≥ 0 where x = 0 and no other positive state is below 0
exchange x, y     f_x(x, y, …) = f_y(y, x, …), and every other law stays as it is
linear input u    ∂²f/∂u∂v = 0 for every input v that is linear, and u itself
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

from hypo.dynamics.knowledge.derived import swapped
from hypo.dynamics.system import System
from hypo.expression.algebra.simplify import simplify
from hypo.expression.analysis.derivative import derivative
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.knowledge.claims.claim import Claim, Verdict, combine_verdicts
from hypo.knowledge.claims.comparison import Comparison
from hypo.knowledge.claims.domain import Domain
from hypo.knowledge.claims.proof import check_claim
from hypo.knowledge.motion import MotionKnowledge

ZERO = Expression.constant(0.0)
# Relative size of a conserved quantity's rate that counts as none: constants fitted apart differ by their errors.
AS_CONSERVED = 1e-6
# Points at which a rule is measured while systems are scored.
POINTS = 256


@dataclass(frozen=True)
class SystemRule:
    """A rule in words, and the claims that are its meaning."""

    words: str
    claims: tuple[Claim, ...]
    domain: Domain

    def check(self, *, proof: bool = False, points: int = POINTS) -> Verdict:
        """How the system fares: at points of the domain and, with ``proof``, on the whole of it."""
        return combine_verdicts(check_claim(c, self.domain, points=points, proof=proof) for c in self.claims)


@dataclass(frozen=True)
class SystemRules:
    """Knowledge of a system as a whole.

    Attributes:
        motion: the section [dynamics].
        ranges: by column, the range on which rules hold: that of [ranges], else that of the data.
        constants: values of named constants.
    """

    motion: MotionKnowledge
    ranges: Mapping[str, tuple[float, float]]
    constants: Mapping[str, float]

    def rules(self, system: System) -> Iterator[SystemRule]:
        """All rules about this system, in the order of the section."""
        f = dict(zip(system.states, system.equations, strict=True))
        for state in self.motion.positive:
            # Noise makes samples negative; the states that are meant are not.
            above = {x: (max(low, 0.0), max(high, 0.0)) for x in self.motion.positive for low, high in [self.ranges[x]]}
            face = (0.0, above[state][1]) if system.is_discrete else (0.0, 0.0)
            domain = Domain({**self.ranges, **above, state: face})
            yield SystemRule(f"{state} never becomes negative", (Comparison(f[state], ">=", ZERO),), domain)
        for text in self.motion.conserved:
            *gains, last = self.changes(text, system)
            # Split in two sides, so that margins are relative to what cancels.
            claim = Comparison(_sum(gains), "==", simplify(-last), tolerance=AS_CONSERVED)
            yield SystemRule(f"{text} is conserved", (claim,), Domain(self.ranges))
        for text in self.motion.decreasing:
            claim = Comparison(simplify(_sum(self.changes(text, system))), "<=", ZERO)
            yield SystemRule(f"{text} never grows", (claim,), Domain(self.ranges))
        for a, b in self.motion.exchange:
            other = swapped(a, b, system.states)
            swap = {x: Expression.variable(y) for x, y in other.items()}
            claims = tuple(
                Comparison(e, "==", f[other.get(state, state)].substitute(swap)) for state, e in f.items() if state != b
            )
            # What changes places must be able to have the other's values.
            joined = {x: _join(self.ranges[x], self.ranges[y]) for x, y in other.items()}
            yield SystemRule(f"{a} and {b} may change places", claims, Domain({**self.ranges, **joined}))
        for n, u in enumerate(self.motion.linear_inputs):
            claims = tuple(
                Comparison(derivative(derivative(e, u), v), "==", ZERO)
                for e in f.values()
                for v in self.motion.linear_inputs[n:]
                if u in e.variables and v in e.variables
            )
            yield SystemRule(f"{u} enters linearly", claims or (Comparison(ZERO, "==", ZERO),), Domain(self.ranges))

    def changes(self, quantity: str, system: System) -> list[Expression]:
        """Terms ∂Q/∂s·f_s of the change of a quantity of the states, or Q(f) and -Q for a discrete system; inputs at 0."""
        q = parse(quantity, variables=system.states, constants=dict(self.constants))
        at_rest = dict.fromkeys(system.actions, ZERO)
        f = {s: e.substitute(at_rest) for s, e in zip(system.states, system.equations, strict=True)}
        if system.is_discrete:
            return [simplify(q.substitute(f)), -q]
        return [simplify(derivative(q, s) * f[s]) for s in q.variables]

    def violation(self, system: System) -> float:
        """Sum of the violations of all rules, each from 0 to 1."""
        return math.fsum(rule.check().amount for rule in self.rules(system))

    def verdicts(self, system: System) -> list[tuple[str, Verdict]]:
        """Each rule in words and how the system fares, proved where intervals can."""
        return [(rule.words, rule.check(proof=True)) for rule in self.rules(system)]


def _join(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """The least range with both in it."""
    return min(one[0], other[0]), max(one[1], other[1])


def _sum(terms: Sequence[Expression]) -> Expression:
    """The sum of the terms, 0 for none."""
    return reduce(add, terms) if terms else ZERO
