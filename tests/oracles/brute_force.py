"""Every tree of a grammar is built, valid or not, in extended precision; nothing is pruned but invalid parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

# --- brute force ------------------------------------------------------------------------------------------------

# Every tree of the grammar is built, valid or not, in extended precision; nothing is pruned on the way but invalid parts.

Wide = np.longdouble
FLOAT_MAX = Wide(np.finfo(np.float64).max)
SAME, ZERO = 1e-9, 1e-12

UNARY = {
    "sqrt": np.sqrt,
    "exp": np.exp,
    "inv": lambda u: 1 / u,
    "square": lambda u: u * u,
    "neg": lambda u: -u,
    "log": np.log,
    "sin": np.sin,
    "abs": np.abs,
}
# Of plain numbers they are not taken.
TRANSCENDENTAL = ("exp", "log", "sin")
BINARY = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}


@dataclass(frozen=True)
class Tree:
    """Values in extended precision, number of nodes, operators used, dimension (exponents) and text."""

    values: np.ndarray
    size: int
    used: frozenset[str]
    dimension: tuple[float, ...]
    text: str


@dataclass
class Brute:
    """All trees of a grammar up to a size. ``nesting`` maps an operator to those that may not stand below it."""

    leaves: Mapping[str, np.ndarray]
    operators: Sequence[str]
    size: int
    dimensions: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    nesting: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        none = ()
        self.trees: list[list[Tree]] = [[], []]
        for name, values in self.leaves.items():
            self._keep(
                self.trees[1], Tree(np.asarray(values, Wide), 1, frozenset(), self.dimensions.get(name, none), name)
            )
        with np.errstate(all="ignore"):
            for size in range(2, self.size + 1):
                level: list[Tree] = []
                for op in self.operators:
                    if op in UNARY:
                        for a in self.trees[size - 1]:
                            self._apply(level, op, size, a)
                    else:
                        for n in range(1, size - 1):
                            for a in self.trees[n]:
                                for b in self.trees[size - 1 - n]:
                                    self._apply(level, op, size, a, b)
                self.trees.append(level)

    def _apply(self, level: list[Tree], op: str, size: int, *args: Tree) -> None:
        used = frozenset().union(*(a.used for a in args))
        if used & set(self.nesting.get(op, ())) or (op in TRANSCENDENTAL and self._number(args[0])):
            return
        dimension = _dimension(op, *(a.dimension for a in args))
        if dimension is None or any(12 * d != round(12 * d) for d in dimension):
            return
        values = (UNARY if len(args) == 1 else BINARY)[op](*(a.values for a in args))
        if op in "+-" and np.abs(values).max() <= ZERO * max(np.abs(a.values).max() for a in args):
            return
        self._keep(level, Tree(values, size, used | {op}, dimension, f"{op}({', '.join(a.text for a in args)})"))

    def _number(self, tree: Tree) -> bool:
        """Whether it is a plain number, like 1 + 1, or like x/x where 1 is a leaf, which stands for it."""
        return "1" in self.leaves and bool(np.ptp(tree.values) <= 1e-15 * np.abs(tree.values).max())

    @staticmethod
    def _keep(level: list[Tree], tree: Tree) -> None:
        largest = np.abs(tree.values).max()
        if np.isfinite(tree.values).all() and 0 < largest <= FLOAT_MAX:
            level.append(tree)

    def distinct(self) -> list[list[Tree]]:
        """One tree of each set that agrees in values and dimension, in the level where its value first appears."""
        known: dict[tuple[float, ...], list[Tree]] = {}
        sizes: dict[tuple[float, ...], np.ndarray] = {}
        out: list[list[Tree]] = [[] for _ in self.trees]
        closest = 1.0
        for level in self.trees:
            for tree in level:
                seen = known.setdefault(tree.dimension, [])
                largest = np.abs(tree.values).max()
                # Trees whose largest value differs cannot agree: compare only with those of about the same size.
                tops = sizes.setdefault(tree.dimension, np.full(20000, np.nan))
                near = np.flatnonzero(np.abs(tops[: len(seen)] - float(largest)) <= 1e-6 * float(largest))
                gaps = [_gap(seen[k].values, tree.values) for k in near]
                if gaps and min(gaps) <= SAME:
                    closest = min([closest, *(g for g in gaps if g > SAME)])
                    # Same to rounding, or the grammar is too finely graded for the test.
                    assert min(gaps) < 1e-11, tree.text
                    continue
                closest = min([closest, *gaps])
                tops[len(seen)] = float(largest)
                seen.append(tree)
                out[tree.size].append(tree)
        assert closest > 1e-8
        return out


def _gap(u: np.ndarray, v: np.ndarray) -> float:
    """Largest difference relative to its row, rows that are rounding beside the largest left aside."""
    apart = np.abs(u - v)
    real = apart > 1e-14 * np.abs(v).max()
    return float(np.max(apart[real] / np.maximum(np.abs(u), np.abs(v))[real], initial=0))


def _dimension(op: str, *args: tuple[float, ...]) -> tuple[float, ...] | None:
    if args == ((),) or args == ((), ()):
        return ()
    if op in "+-":
        return args[0] if args[0] == args[1] else None
    if op in "*/":
        return tuple(a + (b if op == "*" else -b) for a, b in zip(*args, strict=True))
    power = {"square": 2.0, "sqrt": 0.5, "inv": -1.0, "neg": 1.0, "abs": 1.0}.get(op)
    if power is None:
        return args[0] if not any(args[0]) else None
    return tuple(power * a for a in args[0])


# --- the library ------------------------------------------------------------------------------------------------

N_ROW = 12
RNG = np.random.default_rng(77)
X, Y, Z = RNG.uniform(0.4, 2.6, N_ROW), RNG.uniform(0.3, 3.1, N_ROW), RNG.uniform(-2.2, 1.9, N_ROW)
