"""Columns and targets of extreme size, searched in sizes near 1.

Libraries combine columns with the number 1 and put them into functions: at 1e-20 x + 1 is 1 and exp(x) is 1, at 1e20 exp(x) is
infinite. So where a column or the target is very small or large, and no units say what belongs together, the search for
formulas with constants goes on in columns and a target that are powers of ten larger or smaller. What it finds is written for
the numbers of the user again: each power of ten goes into a constant, which is then fitted, or becomes one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from hypo.expression.algebra.term import Term, from_expression, node, parameter, to_expression, variable
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.knowledge import Knowledge
from hypo.likelihood.base import Gaussian
from hypo.problem.problem import Problem, Settings
from hypo.problem.spacing import Spacing
from hypo.search.library.context import Context
from hypo.search.proposers.base import Proposer, Turn, Workspace

# Columns and targets whose largest value is below this are searched in other sizes.
SMALL = 1e-4
# Or above this.
LARGE = 1e6
# Powers of ten that differ by less are equal.
EQUAL = 1e-9
# Exponents of operators that are powers.
POWERS = {oc.INV: -1.0, oc.SQUARE: 2.0, oc.CUBE: 3.0, oc.SQRT: 0.5, oc.CBRT: 1.0 / 3.0}
ALIKE = frozenset({oc.ADD, oc.SUB, oc.MIN, oc.MAX})


@dataclass(frozen=True)
class Sizes:
    """Powers of ten that columns (by name) and the target are multiplied by."""

    columns: Mapping[str, int]
    target: int

    @staticmethod
    def of(problem: Problem) -> Sizes | None:
        """Those that bring extreme sizes between 1 and 10, or None where none is extreme, or units or named constants tie the
        columns to each other."""
        if problem.dimensions or problem.constants or not {"*"} <= problem.allowed:
            return None
        found = {n: _power(line) for n, line in zip(problem.columns, problem.X, strict=True)}
        target = _power(problem.y)
        return Sizes(found, target) if target or any(found.values()) else None

    def problem(self, problem: Problem) -> Problem:
        """``problem``, whose likelihood is Gaussian, in these sizes; of the knowledge it keeps how formulas are made."""
        factors = np.array([10.0 ** self.columns[n] for n in problem.columns])
        X, y, known = problem.X * factors[:, None], problem.y * 10.0**self.target, problem.gaussian
        sigma = None if known.sigma is None else known.sigma * 10.0**self.target
        k = problem.knowledge
        return replace(
            problem, X=X, y=y, likelihood=Gaussian(y, sigma, known.weights), value_ranges=None, offset=0.0,
            knowledge=Knowledge(operators=k.operators, forbid=k.forbid, nesting=k.nesting),
            spacings={problem.columns: Spacing(X, problem.columns)},
        )  # fmt: skip

    def context(self, ctx: Context, settings: Settings) -> Context:
        """``ctx`` in these sizes."""
        problem = self.problem(ctx.problem)
        factors = np.array([10.0 ** self.columns[n] for n in problem.columns])
        root = ctx.root if problem.gaussian.sigma is None else ctx.root / 10.0**self.target
        return replace(
            ctx, problem=problem, X=ctx.X * factors[:, None], y=ctx.y * 10.0**self.target, root=root, weight=root**2,
            scorer=problem.scorer(settings),
        )  # fmt: skip

    def undo(self, e: Expression) -> Expression:
        """The formula of the user's columns and target that ``e`` is in these sizes, its constants good ones to start from."""
        return to_expression(_Undone(self.columns).write(from_expression(e), -float(self.target)))


def _power(values: np.ndarray) -> int:
    size = float(np.max(np.abs(values)))
    return 0 if SMALL <= size <= LARGE or not 0.0 < size < math.inf else -math.floor(math.log10(size))


class Rescaled:
    """A proposer that searches in other sizes; ``make`` makes it for a workspace."""

    def __init__(self, sizes: Sizes, workspace: Workspace, make: Callable[[Workspace], Proposer]) -> None:
        self._sizes = sizes
        self._ctx = sizes.context(workspace.context, workspace.settings)
        self._inner = make(workspace.on(self._ctx))
        self.name = f"{self._inner.name}, sizes near 1"

    @property
    def cost(self) -> float:
        """Seconds of the next turn."""
        return self._inner.cost

    def propose(self, turn: Turn) -> Iterator[Expression]:
        """Formulas found, for the user's columns and target."""
        for e in self._inner.propose(turn.inner(self._ctx.problem)):
            yield self._sizes.undo(e)


class _Undone:
    """Terms for the user's columns x, where 10^k·x is what a formula was found in."""

    def __init__(self, columns: Mapping[str, int]) -> None:
        self._columns = columns

    def own(self, t: Term) -> float | None:
        """The power p of ten for which 10^p·t can be written without a constant more; None if any can."""
        if t.value is not None:
            return None
        if t.op == oc.VAR:
            return -float(self._columns[str(t.leaf)])
        if t.op in (oc.NEG, oc.ABS):
            return self.own(t.args[0])
        if t.op in ALIKE:
            known = [p for p in map(self.own, t.args) if p is not None]
            return known[0] if known else None
        if t.op in (oc.MUL, oc.DIV):
            first, second = map(self.own, t.args)
            if first is None or second is None:
                return None
            return first + second if t.op == oc.MUL else first - second
        power = _power_of(t)
        if power is not None:
            below = self.own(t.args[0])
            return None if below is None else power * below
        return 0.0

    def write(self, t: Term, p: float) -> Term:
        """10^p·t for the user's columns."""
        if t.value is not None:
            return t if abs(p) < EQUAL else parameter(t.value * 10.0**p)
        if t.op in (oc.NEG, oc.ABS):
            return node(t.op, (self.write(t.args[0], p),))
        if t.op in ALIKE:
            return node(t.op, tuple(self.write(u, p) for u in t.args))
        if t.op in (oc.MUL, oc.DIV):
            return self._product(t, p)
        power = _power_of(t)
        if power and self.own(t.args[0]) is None:
            return node(t.op, (self.write(t.args[0], p / power), *t.args[1:]))
        own = self.own(t)
        assert own is not None
        if t.op == oc.VAR:
            plain = variable(str(t.leaf))
        elif power is not None:
            below = self.own(t.args[0])
            plain = node(t.op, (self.write(t.args[0], below or 0.0), *t.args[1:]))
        else:
            plain = node(t.op, tuple(self.write(u, 0.0) for u in t.args))
        return _times(plain, p - own)

    def _product(self, t: Term, p: float) -> Term:
        first, second = t.args
        sign = 1.0 if t.op == oc.MUL else -1.0
        own = self.own(first), self.own(second)
        if own[0] is None:
            rest = own[1] or 0.0
            return node(t.op, (self.write(first, p - sign * rest), self.write(second, rest)))
        if own[1] is None:
            return node(t.op, (self.write(first, own[0]), self.write(second, sign * (p - own[0]))))
        plain = node(t.op, (self.write(first, own[0]), self.write(second, own[1])))
        return _times(plain, p - own[0] - sign * own[1])


def _power_of(t: Term) -> float | None:
    """k where ``t`` is a power u^k with a number k."""
    if t.op in POWERS:
        return POWERS[t.op]
    return t.args[1].value if t.op == oc.POW else None


def _times(t: Term, p: float) -> Term:
    return t if abs(p) < EQUAL else node(oc.MUL, (parameter(10.0**p), t))
