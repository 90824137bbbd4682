"""The free constants of a formula as parameters to fit, and where they stand in its tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc


@dataclass(frozen=True)
class Parameters:
    """How an expression's constant slots map to parameters to fit.

    ``slot[i]`` is the parameter of constant slot i, or -1 for a fixed one; ``linear[p]`` says that the formula is
    linear in parameter p (given the others that are not).
    """

    slot: NDArray[np.int64]
    linear: NDArray[np.bool_]
    start: NDArray[np.float64]

    @staticmethod
    def of(e: Expression) -> Parameters:
        """Parameters of ``e`` in order of appearance."""
        slot = np.full(len(e.constants), -1, np.int64)
        names: dict[str, int] = {}
        start: list[float] = []
        shared: set[int] = set()
        for i, c in enumerate(e.constants):
            if not c.free:
                continue
            if c.name is not None and c.name in names:
                slot[i] = names[c.name]
                shared.add(int(slot[i]))
                continue
            slot[i] = len(start)
            if c.name is not None:
                names[c.name] = len(start)
            start.append(c.value)
        linear = np.zeros(len(start), np.bool_)
        for i in linear_slots(e):
            if slot[i] >= 0 and int(slot[i]) not in shared:
                linear[slot[i]] = True
        return Parameters(slot, linear, np.array(start))

    def linear_first(self) -> Parameters:
        """The same parameters, the linear ones before the others."""
        order = np.argsort(~self.linear, kind="stable")
        place = np.empty(len(order) + 1, np.int64)
        place[order] = np.arange(len(order))
        place[-1] = -1
        return Parameters(place[self.slot], self.linear[order], self.start[order])

    def values(self, theta: NDArray[np.float64], fixed: NDArray[np.float64]) -> NDArray[np.float64]:
        """All constant slots' values for parameters ``theta``."""
        return np.where(self.slot >= 0, theta[self.slot], fixed) if len(theta) else fixed


def linear_slots(e: Expression, root: int = -1) -> list[int]:
    """Constant slots in which ``e``, or its node ``root``, is jointly linear: those reached from the root through sums and
    through products or quotients whose other part holds none of them."""
    starts = e.starts

    def visit(node: int) -> list[int]:
        op, arg = e.code[node]
        if op == oc.CONST:
            return [arg] if e.constants[arg].free else []
        if op == oc.NEG:
            return visit(node - 1)
        if op in (oc.ADD, oc.SUB):
            return visit(starts[node - 1] - 1) + visit(node - 1)
        if op == oc.DIV:
            return visit(starts[node - 1] - 1)
        if op == oc.MUL:
            return visit(starts[node - 1] - 1) or visit(node - 1)
        return []

    return visit(root % len(e.code))


@dataclass(frozen=True)
class Tree:
    """The nodes of ``e``: ``parent`` (-1 for the root), ``left`` and ``right`` arguments (-1 where there is none)."""

    e: Expression

    @cached_property
    def links(self) -> tuple[list[int], list[int], list[int]]:
        """Parents, left and right arguments of all nodes."""
        n = len(self.e.code)
        parent, left, right = [-1] * n, [-1] * n, [-1] * n
        for k, (op, _) in enumerate(self.e.code):
            arity = oc.arity(op)
            if arity == 1:
                left[k] = k - 1
            elif arity == 2:
                left[k], right[k] = self.e.starts[k - 1] - 1, k - 1
            for i in (left[k], right[k]):
                if i >= 0:
                    parent[i] = k
        return parent, left, right

    def leaves(self, node: int) -> Iterator[tuple[int, int]]:
        """Opcodes and arguments of the leaves below ``node``."""
        for op, arg in self.e.code[self.e.starts[node] : node + 1]:
            if oc.arity(op) == 0:
                yield op, arg

    def varies(self, node: int) -> bool:
        """True if a column stands below ``node``."""
        return any(op == oc.VAR for op, _ in self.leaves(node))

    def slots(self, node: int) -> list[int]:
        """Constant slots below ``node``, in order."""
        return [arg for op, arg in self.leaves(node) if op == oc.CONST]

    def value(
        self, node: int, values: NDArray[np.float64], X: NDArray[np.float64], columns: Sequence[str]
    ) -> NDArray[np.float64]:
        """Values (n_row,) of ``node`` with the constants ``values`` (n_constant,) of the whole formula."""
        part = self.e.subtree(node)
        return Program.of(part, columns).value(X, values[self.slots(node)])
