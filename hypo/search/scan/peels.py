"""Chains of peels on the probe rows: many targets at once, each one step from its parent.

A step undoes a link, takes a member of a library away or adds it, or divides by it or multiplies with it. Two steps of one
kind in a row say nothing new. What a chain is on all racing rows is worked out for the few that are chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.kernels import opcodes as oc
from hypo.search.library.context import LibraryView
from hypo.search.scan.targets import LINKS, ONE, Step, Target, behind

# Kinds of the last step: none,
START = 0
# a link,
LINK = 1
# a member subtracted,
SUM = 2
# a member divided by.
FACTOR = 3
# Parents expanded at once.
PARENTS = 16
# A spread below this share of the largest value is none.
LEAST_SPREAD = 1e-9


@dataclass(frozen=True)
class Peels:
    """Targets ``values`` (n, n_probe) with |dy/dt| as ``slope``; packed ``dimension`` (n,), nodes of the steps back as
    ``size`` (n,). The last step is of one ``kind``, given by ``step``: the link's number, or 2·member + (0: y = t + u or
    t·u, 1: y = t − u or t/u); ``parent`` (n,) is the index in ``before``."""

    values: NDArray[np.float64]
    slope: NDArray[np.float64]
    dimension: NDArray[np.int64]
    size: NDArray[np.int64]
    kind: NDArray[np.int64]
    step: NDArray[np.int64]
    parent: NDArray[np.int64]
    before: Peels | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, index: NDArray[np.int64]) -> Peels:
        """Some of them."""
        return Peels(
            self.values[index],
            self.slope[index],
            self.dimension[index],
            self.size[index],
            self.kind[index],
            self.step[index],
            self.parent[index],
            self.before,
        )


def join(parts: list[Peels]) -> Peels:
    """Chains with the same parents as one."""

    def all_of(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(p, name) for p in parts])

    return Peels(
        all_of("values"),
        all_of("slope"),
        all_of("dimension"),
        all_of("size"),
        all_of("kind"),
        all_of("step"),
        all_of("parent"),
        parts[0].before,
    )


@dataclass(frozen=True)
class Peeling:
    """The steps that are tried: members ``addends`` (and the number 1) and ``factors`` of ``view`` and all links, as far as
    operators allow; ``free``: dimensions do not matter."""

    view: LibraryView
    addends: NDArray[np.int64]
    factors: NDArray[np.int64]
    allowed: frozenset[str]
    free: bool

    @property
    def steps(self) -> dict[int, int]:
        """About how many steps follow one of each kind."""
        sums, factors, links = 2 * len(self.addends) + 2, 2 * len(self.factors), len(LINKS) // 2
        return {START: sums + factors + links, LINK: sums + factors, SUM: factors + links, FACTOR: sums + links}

    def start(self, target: Target, probe: NDArray[np.int64]) -> Peels:
        """The chain without further steps than those of ``target``, which are factors."""
        none = np.zeros(1, np.int64)
        slope = np.ones((1, len(probe)))
        for step in target.steps:
            assert step.op == oc.MUL and step.rows is not None
            slope *= np.abs(step.rows[probe])
        size = none + sum(1 + len(s.operand) for s in target.steps if s.operand is not None)
        return Peels(
            target.values[None, probe], slope, np.array([target.dimension or 0]), size, none + START, none, none
        )

    def expand(self, peels: Peels) -> Iterator[Peels]:
        """All targets one step further, some parents at a time."""
        with np.errstate(all="ignore"):
            for first in range(0, len(peels), PARENTS):
                index = np.arange(first, min(first + PARENTS, len(peels)))
                parts = [*self._links(peels, index), *self._sums(peels, index), *self._factors(peels, index)]
                if parts:
                    yield join(parts)

    def _made(
        self,
        peels: Peels,
        values: NDArray[np.float64],
        slope: NDArray[np.float64],
        dimension: NDArray[np.int64],
        more: NDArray[np.int32] | NDArray[np.int64],
        kind: int,
        step: NDArray[np.int64],
        parent: NDArray[np.int64],
    ) -> Peels:
        """The targets that are finite and not constant."""
        top = np.max(np.abs(values), axis=1)
        good = np.isfinite(top) & (np.ptp(values, axis=1) > LEAST_SPREAD * top) & np.all(np.isfinite(slope), axis=1)
        k = np.flatnonzero(good)
        return Peels(
            values[k],
            slope[k],
            dimension[k],
            (peels.size[parent] + more)[k],
            np.full(len(k), kind),
            step[k],
            parent[k],
            peels,
        )

    def _links(self, peels: Peels, index: NDArray[np.int64]) -> Iterator[Peels]:
        index = index[peels.kind[index] != LINK]
        for number, link in enumerate(LINKS):
            if not len(index) or not link.is_allowed(self.allowed):
                continue
            mine = index[link.defined(peels.values[index])]
            if not self.free:
                mine = mine[[link.fits(int(d)) for d in peels.dimension[mine]]] if len(mine) else mine
            if len(mine):
                p = peels.values[mine]
                d = np.array([link.dimension(int(d)) for d in peels.dimension[mine]], np.int64)
                more = np.full(len(mine), len(link.codes) + 2 * link.minus_one)
                slope = peels.slope[mine] * np.abs(link.rate(p))
                yield self._made(peels, link.undo(p), slope, d, more, LINK, np.full(len(mine), number), mine)

    def _sums(self, peels: Peels, index: NDArray[np.int64]) -> Iterator[Peels]:
        index = index[peels.kind[index] != SUM]
        # The number 1 stands behind the members.
        rows = np.vstack([self.view.values[self.addends], np.ones(peels.values.shape[1])])
        members = np.append(self.addends, len(self.view.members))
        costs = np.append(self.view.rows.cost(self.addends), 1)
        fits = np.ones((len(index), len(rows)), np.bool_)
        if not self.free:
            fits = peels.dimension[index][:, None] == np.append(self.view.dims[self.addends], 0)[None, :]
        a, b = np.nonzero(fits)
        if not len(a):
            return
        parent, member = index[a], members[b]
        p, u, cost = peels.values[parent], rows[b], costs[b]
        for side, name in ((0, "+"), (1, "-")):
            if name in self.allowed:
                yield self._made(
                    peels,
                    p + u if side else p - u,
                    peels.slope[parent],
                    peels.dimension[parent],
                    1 + cost,
                    SUM,
                    2 * member + side,
                    parent,
                )

    def _factors(self, peels: Peels, index: NDArray[np.int64]) -> Iterator[Peels]:
        index = index[peels.kind[index] != FACTOR]
        if not len(index) or not len(self.factors):
            return
        a, b = (g.ravel() for g in np.meshgrid(np.arange(len(index)), np.arange(len(self.factors)), indexing="ij"))
        parent, member = index[a], self.factors[b]
        p, u, cost = peels.values[parent], self.view.values[member], self.view.rows.cost(member)
        slope, own = peels.slope[parent], peels.dimension[parent]
        dims = self.view.dims[member]
        for side, name in ((0, "*"), (1, "/")):
            if name in self.allowed:
                yield self._made(
                    peels,
                    p * u if side else p / u,
                    slope / np.abs(u) if side else slope * np.abs(u),
                    own + dims if side else own - dims,
                    1 + cost,
                    FACTOR,
                    2 * member + side,
                    parent,
                )

    def target(self, peels: Peels, k: int, start: Target) -> Target | None:
        """Chain ``k`` on the racing rows; None where a step is not defined on all of them."""
        if peels.before is None:
            return start
        t = self.target(peels.before, int(peels.parent[k]), start)
        if t is None:
            return None
        step = int(peels.step[k])
        if peels.kind[k] == LINK:
            return behind(t, LINKS[step])
        side, member = step % 2, step // 2
        e, u = ONE, np.ones(len(t.values))
        if member < len(self.view.members):
            u = self.view.rows.values(np.array([member]))[0]
            e = self.view.rows.library.expression(int(self.view.members[member]))
        d = t.dimension
        if peels.kind[k] == SUM:
            op = oc.SUB if side else oc.ADD
        else:
            op = oc.DIV if side else oc.MUL
            own = int(self.view.dims[member])
            d = None if d is None else d + own if side else d - own

        def undone(y: NDArray[np.float64]) -> NDArray[np.float64]:
            return y - u if op == oc.ADD else y + u if op == oc.SUB else y * u if op == oc.DIV else y / u

        assert ops.BY_OPCODE[op].name in self.allowed
        with np.errstate(all="ignore"):
            values = undone(t.values)
            if not np.all(np.isfinite(values)) or np.ptp(values) <= LEAST_SPREAD * np.max(np.abs(values)):
                return None
            return replace(t.then(values, d, Step(op, e, u)), noisy=None if t.noisy is None else undone(t.noisy))
