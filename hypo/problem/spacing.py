"""How far apart the rows are: neighbours in one column and in several, and what waves that are too short for them cost.

A wave that runs through more than half a period between neighbouring rows meets them as slower ones do, its aliases: of evenly
spaced rows exactly (:mod:`hypo.fitting.between_rows.aliases`), of others the better the fewer rows there are. A fitted
frequency pays for its digits. One that stands there for nothing, as in sin(x), pays log N nats for the N slower ones
that the rows do not see either.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc

WAVES = frozenset(row.opcode for row in ops.OPERATORS if row.is_wave)
# Values of one column that differ by less than this share of its range are one.
SAME = 1e-9
# Gaps between neighbouring values that are looked at; a gap is a hole where nothing was to be measured if it is that share of
# the range, and so many times as wide as the median one and those beside it.
GAPS, HOLE, HOLE_MEDIAN, HOLE_BESIDE = 700, 0.2, 8.0, 4.0
# Rows that neighbours are sought for, and those among which they are.
ASKED, AMONG = 300, 20_000
# Beside the nearest neighbour each row has one along each column: the others count this many times.
ALONG = 10.0
# Pairs of neighbours that costs are worked out on.
PAIRS = 512
# A wave that advances by no more than this between most rows is no short one.
HALF_TURN = math.pi * (1.0 + 1e-6)


class Spacing:
    """Neighbours among the rows of ``X`` (n_var, n_row), whose lines are ``columns``."""

    def __init__(self, X: NDArray[np.float64], columns: Sequence[str]) -> None:
        self.X, self.columns = X, tuple(columns)
        self._lines: dict[str, NDArray[np.float64]] = {}
        self._gaps: dict[str, NDArray[np.int64]] = {}
        self._pairs: dict[tuple[str, ...], tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

    def line(self, name: str) -> NDArray[np.float64]:
        """The distinct values (n,) of one column, rising."""
        if name not in self._lines:
            values = np.unique(self.X[self.columns.index(name)])
            apart = np.diff(values) > SAME * float(values[-1] - values[0])
            self._lines[name] = values[np.concatenate([[True], apart])]
        return self._lines[name]

    def gaps(self, name: str) -> NDArray[np.int64]:
        """Which gaps between neighbouring values of a column to look at: all, or the widest and others evenly; no holes."""
        if name not in self._gaps:
            line = self.line(name)
            width = np.diff(line)
            beside = np.maximum(np.concatenate([[np.inf], width[:-1]]), np.concatenate([width[1:], [np.inf]]))
            wide = width > HOLE_BESIDE * beside
            wide &= width > max(
                HOLE * float(line[-1] - line[0]), HOLE_MEDIAN * float(np.median(width)) if len(width) else 0.0
            )
            gaps = np.flatnonzero(~wide)
            if len(gaps) > GAPS:
                widest = gaps[np.argsort(-width[gaps], kind="stable")[: GAPS // 2]]
                gaps = np.unique(np.concatenate([widest, gaps[:: -(-len(gaps) // (GAPS // 2))]]))
            self._gaps[name] = gaps
        return self._gaps[name]

    def pairs(self, names: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Two rows of each pair (n,) of neighbours in the columns ``names``: the nearest ones, and those along each column."""
        key = tuple(sorted(names))
        if key not in self._pairs:
            self._pairs[key] = self._neighbours([self.columns.index(n) for n in key])
        return self._pairs[key]

    @cached_property
    def _among(self) -> NDArray[np.int64]:
        n = self.X.shape[1]
        return np.arange(n) if n <= AMONG else np.sort(np.random.default_rng(3).choice(n, AMONG, replace=False))

    def _neighbours(self, lines: list[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        from scipy.spatial import cKDTree

        points = self.X[lines][:, self._among]
        size = np.ptp(points, axis=1)
        points = (points[size > 0] / size[size > 0, None]).T
        if not points.size:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        points, first = np.unique(points, axis=0, return_index=True)
        rows = self._among[first]
        asked = np.unique(np.linspace(0, len(points) - 1, min(len(points), ASKED)).round().astype(np.int64))
        found: set[tuple[int, int]] = set()
        weights = [np.ones(points.shape[1])]
        if points.shape[1] > 1:
            weights += [np.where(np.arange(points.shape[1]) == k, 1.0, ALONG) for k in range(points.shape[1])]
        for weight in weights if len(points) > 1 else ():
            near = cKDTree(points * weight).query(points[asked] * weight, k=2)[1]
            # The row itself is the first, or the second where another is as near as rounding.
            other = np.where(near[:, 0] == asked, near[:, 1], near[:, 0])
            found.update((min(i, j), max(i, j)) for i, j in zip(asked.tolist(), other.tolist(), strict=True))
        ordered = np.array(sorted(found), np.int64).reshape(-1, 2)
        return rows[ordered[:, 0]], rows[ordered[:, 1]]

    # --- short waves ------------------------------------------------------------------------------------------------

    def cost(self, e: Expression) -> float:
        """Nats for the waves of ``e`` with given frequencies: the logarithms of how many slower ones the rows see as well."""
        total = 0.0
        for node, (op, _) in enumerate(e.code):
            if op in WAVES and not _paid(e, node):
                step = self.advance(e.subtree(node - 1))
                total += max(0.0, math.log(step / math.pi)) if HALF_TURN < step < math.inf else 0.0
        return total

    def advance(self, u: Expression, share: float = 0.5) -> float:
        """By how much ``u`` differs between neighbouring rows, at most, on this share of them; 0 without any."""
        names = [n for n in self.columns if n in u.variables]
        if not names:
            return 0.0
        program = Program.of(u, names)
        if len(names) == 1:
            line = self.line(names[0])
            stride = max(1, len(line) // PAIRS)
            low, high = line[:-1][::stride][None], line[1:][::stride][None]
        else:
            i, j = self.pairs(names)
            lines = self.X[[self.columns.index(n) for n in names]]
            low, high = lines[:, i], lines[:, j]
        if not low.shape[1]:
            return 0.0
        with np.errstate(all="ignore"):
            ends = [program.value(np.ascontiguousarray(rows)) for rows in (low, high)]
            return float(np.quantile(np.abs(ends[1] - ends[0]), share))


def _paid(e: Expression, node: int) -> bool:
    """True if the frequency of the wave at ``node`` is a fitted one, which pays for its digits itself."""
    first = e.starts[node]
    for i in range(first, node):
        if e.code[i][0] in (oc.MUL, oc.DIV, oc.POW):
            below = e.code[e.starts[i] : i]
            if any(op == oc.CONST and e.constants[arg].free for op, arg in below):
                return True
    return False
