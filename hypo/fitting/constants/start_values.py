"""Where to begin fits: values of constants as large as their place in the formula and the rows ask for.

The role of a constant that enters non-linearly is read from the tree: what it multiplies (a rate: from slow to fast over the
span of that, both signs), is added to (a place within its range, or an offset), raises (an exponent) or divides (a length).
Constants that stand between the leaf and that place, as the 2 in exp(-x²/(2·s²)), are calculated back through. Values of each
constant are spread evenly over its ladder of magnitudes, in an order of its own (a Latin square), so that few draws already
reach every decade of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.expression.expr import Expression
from hypo.fitting.constants.parameters import Parameters, Tree
from hypo.kernels import opcodes as oc

Values = NDArray[np.float64]
# Values (n,) of a constant for shares (n,) of its ladder.
Ladder = Callable[[Values, np.random.Generator], Values]

# Rates of slow functions: decades below one change over the span of what they multiply, and above, or up to the rows.
SLOW, FAST = -2.0, 2.0
# Offsets and lengths: decades below and above the size of what they go with.
BELOW, ABOVE = -3.0, 2.0
# Exponents: most are small, some larger; shares and largest sizes of three kinds.
EXPONENTS = ((0.55, 3.0), (0.85, 10.0), (1.0, 30.0))
# A place may lie outside of the rows by this share of their range.
OUTSIDE = 0.2
# Draws of the other constants that the size of what goes with one is taken for, beside the given values.
OTHERS = 4
ANGLES = frozenset(row.opcode for row in ops.OPERATORS if row.is_wave)
# What undoes a function of one argument: functions of NumPy, but for the cube.
INVERSE: dict[int, Callable[[Values], Values]] = {
    row.opcode: (lambda v: v**3) if row.inverse == "cube" else getattr(np, row.inverse)
    for row in ops.OPERATORS
    if row.inverse is not None
}


def undone(op: int, value: Values, other: Values | float, first: bool) -> Values:
    """The argument of the binary ``op`` that is needed for the result ``value``, with ``other`` the other argument; ``first``
    says that it is the first one that is asked for. NaN where there is none."""
    if op == oc.ADD:
        return np.asarray(value - other)
    if op == oc.SUB:
        return np.asarray(value + other if first else other - value)
    if op == oc.MUL:
        return np.asarray(value / other)
    if op == oc.DIV:
        return np.asarray(value * other if first else other / value)
    if op == oc.POW:
        return np.asarray(np.power(value, 1.0 / np.asarray(other)) if first else np.log(value) / np.log(other))
    return np.full(np.shape(value), math.nan)


class Starts:
    """Draws of the constants of ``e`` that are not linear, for its ``parameters`` in their order, from the rows ``X``
    (n_var, n_row)."""

    def __init__(self, e: Expression, parameters: Parameters, X: Values, columns: Sequence[str]) -> None:
        self._tree, self._X, self._columns = Tree(e), X, columns
        self._parameters, self._values = parameters, parameters.values(parameters.start, e.values)
        self.free = np.flatnonzero(~parameters.linear)
        with np.errstate(all="ignore"):
            self._sets = [self._ladders()]
            # What goes with a constant may hold others, as the place in (x - m)²: they are drawn too.
            others = self.draw(OTHERS, parameters.start, np.random.default_rng(0)) if len(self.free) > 1 else ()
            for theta in (np.where(parameters.linear, parameters.start, 1.0), *others):
                self._values = parameters.values(theta, e.values)
                self._sets.append(self._ladders())

    def _ladders(self) -> dict[int, list[Ladder]]:
        """Of each parameter, given the values that the others have now."""
        out: dict[int, list[Ladder]] = {int(p): [] for p in self.free}
        for node, (op, slot) in enumerate(self._tree.e.code):
            if op == oc.CONST and int(self._parameters.slot[slot]) in out:
                out[int(self._parameters.slot[slot])].append(self._ladder(node))
        return out

    def draw(self, n: int, start: Values, rng: np.random.Generator, which: Sequence[int] | None = None) -> Values:
        """``n`` points (n, n_param): ``start``, with the parameters ``which`` (default: all that are not linear) drawn."""
        out = np.tile(start, (n, 1))
        with np.errstate(all="ignore"):
            for p in self.free if which is None else which:
                ladders = [ladder for each in self._sets for ladder in each[int(p)]]
                share = (rng.permutation(n) + rng.uniform(size=n)) / n
                whose = rng.integers(len(ladders), size=n)
                for k, ladder in enumerate(ladders):
                    drawn = ladder(share, rng)
                    use = (whose == k) & np.isfinite(drawn)
                    out[use, p] = drawn[use]
        return out

    def _ladder(self, leaf: int) -> Ladder:
        """Values that the constant at ``leaf`` may have."""
        parent, left, right = self._tree.links
        back: list[Callable[[Values], Values]] = []
        node = leaf
        while (above := parent[node]) >= 0:
            op = self._tree.e.code[above][0]
            if op in INVERSE:
                back.append(INVERSE[op])
            elif op < oc.FIRST_BINARY:
                return _through(back, lambda share, rng: math.pi * (2.0 * share - 1.0))
            else:
                first = node == left[above]
                other = right[above] if first else left[above]
                if self._tree.varies(other):
                    return _through(back, self._role(above, op, first, self._at(other)))
                back.append(self._fixed(op, other, first))
            node = above
        return _through(back, _sized(1.0))

    def _fixed(self, op: int, other: int, first: bool) -> Callable[[Values], Values]:
        size = float(self._at(other)[0])
        return lambda v: undone(op, v, size, first)

    def _at(self, node: int) -> Values:
        return self._tree.value(node, self._values, self._X, self._columns)

    def _role(self, above: int, op: int, first: bool, u: Values) -> Ladder:
        """Of a constant, the argument of ``op`` at the node ``above`` beside the values ``u`` (n_row,)."""
        u = u[np.isfinite(u)]
        if not len(u):
            return _sized(1.0)
        angle = self._angle(above)
        if op == oc.MUL:
            return _rates(u, angle)
        if op == oc.DIV:
            rates = _rates(1.0 / u if first else u, angle)
            return rates if first else _through([INVERSE[oc.INV]], rates)
        if op == oc.POW:
            if not first:
                return _exponents
            rates = _rates(u, False)
            return lambda share, rng: np.exp(rates(share, rng))
        if angle:
            return lambda share, rng: math.pi * (2.0 * share - 1.0)
        # a + u = 0, u - a = 0, a - u = 0 for a at a place; the extremes of two are equal there too.
        return _places(-u if op == oc.ADD else u)

    def _angle(self, node: int) -> bool:
        """True if the value of ``node`` is a term of an angle, or a factor of one."""
        parent, _, _ = self._tree.links
        while node >= 0:
            op = self._tree.e.code[node][0]
            if op in ANGLES:
                return True
            if op not in (oc.ADD, oc.SUB, oc.NEG, oc.MUL, oc.DIV):
                return False
            node = parent[node]
        return False


def _through(back: Sequence[Callable[[Values], Values]], ladder: Ladder) -> Ladder:
    """``ladder`` calculated back, the last function first."""
    if not back:
        return ladder

    def drawn(share: Values, rng: np.random.Generator) -> Values:
        v = ladder(share, rng)
        for function in reversed(back):
            # Squares and exponentials are never below 0.
            at = function(v)
            v = np.where(np.isfinite(at), at, function(np.abs(v)))
        return v

    return drawn


def _signed(sizes: Values, rng: np.random.Generator, negative: float = 0.5) -> Values:
    return np.where(rng.uniform(size=len(sizes)) < negative, -sizes, sizes)


def _sized(size: float) -> Ladder:
    """Values of any size, most of them near ``size``."""
    return lambda share, rng: _signed(size * 10.0 ** (BELOW + (ABOVE - BELOW) * share), rng)


def _rates(u: Values, angle: bool) -> Ladder:
    span, size = float(np.ptp(u)), float(np.median(np.abs(u)))
    sizes = [s for s in (span, size) if 0.0 < s < math.inf] or [1.0]
    n = len(np.unique(u))
    if angle:
        # From a third of a radian in all to one swing for every two rows.
        low, high = math.log10(0.3 / sizes[0]), math.log10(math.pi * max(n, 2) / sizes[0])
        return lambda share, rng: _signed(10.0 ** (low + (high - low) * share), rng)
    most = max(FAST, math.log10(n))

    def drawn(share: Values, rng: np.random.Generator) -> Values:
        return _signed(10.0 ** (SLOW + (most - SLOW) * share) / rng.choice(sizes, len(share)), rng)

    return drawn


def _exponents(share: Values, rng: np.random.Generator) -> Values:
    kind = rng.uniform(size=len(share))
    most = np.select([kind < part for part, _ in EXPONENTS], [size for _, size in EXPONENTS])
    return most * (2.0 * share - 1.0)


def _places(u: Values) -> Ladder:
    low, high = float(u.min()), float(u.max())
    margin, size = OUTSIDE * (high - low), float(np.median(np.abs(u))) or 1.0
    offsets = _sized(max(size, high - low))

    def drawn(share: Values, rng: np.random.Generator) -> Values:
        kind = rng.uniform(size=len(share))
        within = low - margin + (high - low + 2.0 * margin) * share
        return np.where(kind < 0.6, within, offsets(share, rng))

    return drawn
