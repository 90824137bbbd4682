"""Constants that are linear beneath functions: a and c of (a/x**b + c)² follow from √y once b is known.

From the root of a formula g(h(…)) the target is taken back through every function that can be undone, with the values that
the other arguments have. Where a part is linear in constants in which the whole is not, these are solved for by least squares,
weighted by how much the part changes the target. It is a start for a fit, not a fit: rows whose target cannot be taken back do
not count, and of two roots the positive one is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program
from hypo.fitting.constants.parameters import Parameters, Tree, linear_slots
from hypo.fitting.constants.start_values import INVERSE, undone
from hypo.kernels import opcodes as oc

Values = NDArray[np.float64]

# The slope of a function is that over this share of its argument.
SHARE = 1e-6


@dataclass(frozen=True)
class Beneath:
    """A part of a formula: ``path`` leads to its ``node`` from the root, ``slots`` are its linear constants, of the parameters
    ``which``."""

    tree: Tree
    path: tuple[int, ...]
    node: int
    slots: tuple[int, ...]
    which: tuple[int, ...]

    @staticmethod
    def of(e: Expression, parameters: Parameters) -> Beneath | None:
        """The part nearest to the root that is linear in constants in which ``e`` is not; None where there is none."""
        tree = Tree(e)
        _, left, right = tree.links
        count = np.bincount(parameters.slot[parameters.slot >= 0], minlength=len(parameters.start))

        def curved(node: int) -> int:
            return sum(parameters.slot[i] >= 0 and not parameters.linear[parameters.slot[i]] for i in tree.slots(node))

        node = len(e.code) - 1
        path: list[int] = []
        while True:
            slots = [i for i in linear_slots(e, node) if parameters.slot[i] >= 0]
            new = [i for i in slots if count[parameters.slot[i]] == 1 and not parameters.linear[parameters.slot[i]]]
            if new:
                return Beneath(tree, tuple(path), node, tuple(new), tuple(int(parameters.slot[i]) for i in new))
            op = e.code[node][0]
            path.append(node)
            if op in INVERSE:
                node = left[node]
            elif oc.ADD <= op <= oc.POW:
                node = left[node] if curved(left[node]) >= curved(right[node]) else right[node]
            else:
                return None
            if not curved(node):
                return None

    def solved(self, values: Values, X: Values, columns: Sequence[str], y: Values, root: Values) -> Values | None:
        """The constants ``which`` for the others in ``values`` (n_constant,), the target ``y`` (n_row,) and roots of weights
        ``root``; None where too few rows can be taken back."""
        target, weight = y.copy(), np.ones(len(y)) if not len(root) else root.copy()
        _, left, right = self.tree.links
        with np.errstate(all="ignore"):
            for k, node in enumerate(self.path):
                op, nearby = self.tree.e.code[node][0], target * (1.0 + SHARE)
                if op in INVERSE:
                    back, moved = INVERSE[op](target), INVERSE[op](nearby)
                else:
                    inner = self.path[k + 1] if k + 1 < len(self.path) else self.node
                    first = inner == left[node]
                    other = self.tree.value(right[node] if first else left[node], values, X, columns)
                    back, moved = undone(op, target, other, first), undone(op, nearby, other, first)
                weight = weight * np.abs(SHARE * target / (moved - back))
                target = back
            part = self.tree.e.subtree(self.node)
            own = self.tree.slots(self.node)
            at = values.copy()
            at[list(self.slots)] = 0.0
            rest, gradient = Program.of(part, columns).value_and_gradient(X, at[own])
            lines = gradient[[own.index(i) for i in self.slots]] * weight
            left_over = (target - rest) * weight
            usable = np.isfinite(left_over) & np.all(np.isfinite(lines), axis=0)
            if np.count_nonzero(usable) < len(lines):
                return None
            lines, left_over = lines[:, usable], left_over[usable]
            size = np.sqrt(np.sum(lines**2, axis=1))
            if not np.all((size > 0) & np.isfinite(size)):
                return None
            found = np.linalg.lstsq((lines / size[:, None]).T, left_over, rcond=1e-12)[0] / size
        return found if np.all(np.isfinite(found)) else None
