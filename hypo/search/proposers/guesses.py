"""Guesses: formulas of the user that take part in the search, first as they stand, then varied, and the best variants again.

A name that is neither a column nor a constant of the knowledge is a constant to fit. Equal names are fitted as one; from
then on each leaf may go its own way, since a formula of the result carries numbers, not names.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hypo.errors import FormulaError, InputError
from hypo.expression.expr import Expression
from hypo.expression.parser import parse, right_hand_side
from hypo.expression.printing import shortened
from hypo.fitting.constants.fit import DescentOptions, fit
from hypo.fitting.rule_checks import Rulebook
from hypo.kernels import opcodes as oc
from hypo.knowledge.hard_violations import hard_breach
from hypo.likelihood.base import Likelihood
from hypo.problem.problem import Problem, Settings
from hypo.search.proposers.base import Turn, Workspace
from hypo.search.table_units import readings

# Starts of the first fit.
STARTS = 24
# Steps of the fit of a variant.
STEPS = 12
# Rows that variants are fitted to.
ROWS = 300
# Variants of a guess that are fitted in a turn.
VARIANTS = 500
# Variants that are yielded.
YIELDED = 20
# Turns in all.
TURNS = 4
# Variants that are varied in the next turn.
KEPT = 3
# A gain in score that may be a chance of the rows, in nats.
CHANCE = 3.0
# Seconds for a guess in the first turn.
FIRST_COST = 0.1
# Seconds for a formula that is varied.
VARY_COST = 0.4
# Functions that a term added to a guess may have.
FUNCTIONS = ("square", "sqrt", "inv", "exp", "log", "sin", "cos", "tanh")


def read_guesses(problem: Problem, settings: Settings) -> tuple[Expression, ...]:
    """The settings' guesses as formulas whose unknown names are free constants.

    Raises InputError naming the guess when it cannot be read, uses what is no column, or breaks a hard rule of the knowledge
    or the largest complexity: it could never be a result, so its user should know before the search. Whether a guess with
    constants to fit breaks a [[rule]] depends on their values, so it is not asked here.
    """
    return tuple(_read(g, problem, settings) for g in settings.guesses)


def _read(guess: str | Expression, problem: Problem, settings: Settings) -> Expression:
    e = guess
    if isinstance(e, str):
        try:
            text = right_hand_side(e, problem.target, problem.aliases)
            e = parse(text, variables=problem.columns, constants=problem.constants, aliases=problem.aliases)
        except FormulaError as error:
            raise InputError(f"the guess {_quote(guess)} cannot be used: {error}") from error
    used = (*e.variables, *(c.name for c in e.constants if c.free))
    columns = ", ".join(problem.columns)
    if problem.target in used and problem.target not in problem.columns:
        raise InputError(
            f"the guess {_quote(guess)} uses the target {problem.target}; it can use the columns {columns}"
        )
    unknown = [name for name in e.variables if name not in problem.columns]
    if unknown:
        raise InputError(f"the guess {_quote(guess)} uses {unknown[0]}, but the columns are {columns}")
    if e.free and not settings.fit_constants:
        raise InputError(f"the guess {_quote(guess)} has constants to fit, which this search does not do")
    for v in problem.knowledge.violations(e, problem.target):
        if v.hard:
            raise InputError(
                f"the guess {_quote(guess)} breaks the rule {v.rule}: {v.message}; change the guess or the rule"
            )
    size = e.complexity(settings.complexity_weights)
    if size > problem.max_complexity:
        raise InputError(
            f"the guess {_quote(guess)} has complexity {size:g}, above the maximum of {problem.max_complexity}; "
            "shorten it or raise max_complexity"
        )
    if not e.free:
        _require_rules(guess, e, problem, settings)
    return e


def _require_rules(guess: str | Expression, e: Expression, problem: Problem, settings: Settings) -> None:
    book = Rulebook(problem, settings.lam)
    law = book.law(e)
    for i, rule in enumerate(book.rules):
        broken = hard_breach(i, rule, law)
        if broken:
            raise InputError(f"the guess {_quote(guess)} {broken}; change the guess or the rule")


def _quote(guess: str | Expression) -> str:
    return f'"{shortened(str(guess))}"'


class Guesses:
    """The proposer of the user's formulas: a first turn fits them from many starts, the next ones vary them."""

    name = "guesses"

    def __init__(self, workspace: Workspace) -> None:
        self.problem, self.settings = workspace.problem, workspace.settings
        self.guesses = read_guesses(self.problem, self.settings)
        # What the next turn varies, and everything varied or tried so far.
        self.parents: list[Expression] = []
        self.tried: set[str] = set()
        self.turns = 0
        # The guesses themselves, once they were fitted; equal names have equal values.
        self.fitted: list[Expression] = []

    @property
    def cost(self) -> float:
        """Seconds of the next turn; ``inf`` after the last, or without guesses."""
        if self.turns == 0:
            return FIRST_COST * len(self.guesses) if self.guesses else math.inf
        return VARY_COST * len(self.parents) if self.parents and self.turns < TURNS else math.inf

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """The guesses, fitted; then the best of their variants."""
        self.turns += 1
        yield from self._propose_as_given(turn) if self.turns == 1 else self._propose_variants(turn)

    def _propose_as_given(self, turn: Turn) -> Iterator[Expression]:
        for guess in self.guesses:
            with np.errstate(all="ignore"):
                each = [self._fit_guess(e, turn) for e in readings(guess, self.problem)]
                e = min(each, key=lambda e: _loss_of(e, self.problem.X, self.problem, self.problem.likelihood))
            turn.clock.scored += len(each)
            self.fitted.append(e)
            e = e.without_names()
            # Simplified where that keeps the knowledge: (x/k)**n has units that x**n lacks.
            self.parents.append(self.problem.simplify(e))
            yield e

    def _fit_guess(self, e: Expression, turn: Turn) -> Expression:
        p = self.problem
        return fit(e, p.X, p.columns, p.likelihood, starts=STARTS, rng=turn.rng, clock=turn.clock) if e.free else e

    def _propose_variants(self, turn: Turn) -> Iterator[Expression]:
        X, likelihood = self._rows(turn.rng)
        scorer = self.problem.scorer(self.settings)

        def score(e: Expression) -> float:
            rss = np.array([_loss_of(e, X, self.problem, likelihood)])
            size = np.array([e.complexity(self.settings.complexity_weights)])
            return float(scorer.approximate(rss, size, len(likelihood.y))[0])

        found: list[tuple[float, int, Expression]] = []
        with np.errstate(all="ignore"):
            before = min(score(e) for e in self.parents)
            for e in self.parents:
                for v in self._new_variants(e, turn.rng):
                    if turn.clock.expired:
                        return
                    if v.free:
                        v = fit(v, X, self.problem.columns, likelihood, options=DescentOptions(steps=STEPS))
                    turn.clock.scored += 1
                    found.append((score(v), len(found), v))
        best = [(s, v) for s, _, v in sorted(found)[:YIELDED] if s < math.inf]
        self.parents = [v for s, v in best[:KEPT] if s < before - CHANCE]
        for _, v in best:
            yield v

    def _new_variants(self, e: Expression, rng: np.random.Generator) -> list[Expression]:
        """Up to ``VARIANTS`` variants of ``e`` that were not tried before."""
        variants: dict[str, Expression] = {}
        for raw in vary(e, self.problem, self.settings.fit_constants):
            v = self.problem.simplify(raw)
            shape = v.masked()
            if shape not in self.tried and len(v) <= self.problem.max_complexity and v.variables:
                variants.setdefault(shape, v)
        chosen = list(variants)
        if len(chosen) > VARIANTS:
            chosen = [chosen[k] for k in np.sort(rng.choice(len(chosen), VARIANTS, replace=False))]
        self.tried.update(chosen)
        return [variants[shape] for shape in chosen]

    def _rows(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], Likelihood]:
        """Some rows, and their likelihood."""
        p = self.problem
        rows = np.sort(rng.permutation(len(p.y))[:ROWS])
        return np.ascontiguousarray(p.X[:, rows]), p.likelihood.take(rows)


def vary(e: Expression, problem: Problem, free: bool = True) -> Iterator[Expression]:
    """Formulas near ``e``: a subtree replaced by a leaf, an operation dropped, a term or factor added, a constant replaced
    by a variable or made to depend on it, exponents and exact numbers set free. ``free``: whether constants are fitted."""
    allows = problem.allows
    leaves = [Expression.variable(n) for n in problem.columns]
    leaves += [Expression.constant(v, name=n) for n, v in problem.constants.items()]
    number = Expression.constant(1.0, free=free)
    small = Expression.constant(0.0 if free else 1.0, free=free)
    # Each subtree: other leaves, its arguments, a power.
    for node in range(len(e)):
        part = e.subtree(node)
        if len(part) < len(e):
            for leaf in leaves:
                if leaf != part:
                    yield replace_subtree(e, node, leaf)
            if free and len(part) > 1:
                yield replace_subtree(e, node, number)
        for argument in part.children:
            yield replace_subtree(e, node, argument)
        if free and allows("**") and part.variables and part.root != oc.CONST:
            base = part.children[0] if part.root in (oc.SQUARE, oc.CUBE, oc.SQRT, oc.INV) else part
            start = {oc.SQUARE: 2.0, oc.CUBE: 3.0, oc.SQRT: 0.5, oc.INV: -1.0}.get(part.root, 1.0)
            yield replace_subtree(e, node, base ** Expression.constant(start, free=True))
        if free and allows("+") and part.variables:
            yield replace_subtree(e, node, part + small)
        if free and allows("*") and part.variables:
            yield replace_subtree(e, node, part * number)
        for leaf in leaves:
            if allows("*"):
                yield replace_subtree(e, node, part * leaf)
            if allows("/"):
                yield replace_subtree(e, node, part / leaf)
            if allows("+") and free and allows("*"):
                yield replace_subtree(e, node, part + small * leaf)
            elif allows("+"):
                yield replace_subtree(e, node, part + leaf)
    # All leaves of one variable to powers, or shifted.
    for name in e.variables if free else ():
        leaf = Expression.variable(name)
        if allows("**"):
            yield replace_everywhere(e, name, leaf ** Expression.constant(1.0, free=True))
        if allows("+"):
            yield replace_everywhere(e, name, leaf + Expression.constant(0.0, free=True))
    # All exact numbers set free.
    if free and any(c.is_literal for c in e.constants):
        yield replace(e, constants=tuple(replace(c, free=True) if c.is_literal else c for c in e.constants))
    # One term more.
    if allows("+"):
        terms = [Expression.apply(f, v) for f in FUNCTIONS if allows(f) for v in leaves if v.variables]
        if allows("*"):
            terms += [u * v for i, u in enumerate(leaves) for v in leaves[i + 1 :]]
        if allows("*") and free:
            paces = {"exp": -1.0, "sin": 1.0, "cos": 1.0, "tanh": 1.0}
            terms += [
                Expression.apply(f, Expression.constant(c, free=True) * v)
                for f, c in paces.items()
                if allows(f)
                for v in leaves
                if v.variables
            ]
        for term in terms:
            yield e + (small * term if free and allows("*") else term)


def replace_everywhere(e: Expression, name: str, new: Expression) -> Expression:
    """``e`` with every leaf of the variable ``name`` replaced by ``new``."""
    for node in reversed([k for k, (op, arg) in enumerate(e.code) if op == oc.VAR and e.variables[arg] == name]):
        e = e.replace_leaf(node, new)
    return e


def replace_subtree(e: Expression, node: int, new: Expression) -> Expression:
    """``e`` with the subtree at ``node`` replaced by ``new``."""
    return e.replace_node(node, new)


def _loss_of(e: Expression, X: NDArray[np.float64], problem: Problem, likelihood: Likelihood) -> float:
    return likelihood.loss(likelihood.predict(e, X, problem.columns))
