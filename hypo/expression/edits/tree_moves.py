"""Formulas as ordered trees to walk over: one key for each formula, reversible moves with their proposal ratios, and all the
small ones.

A tree is a formula as the simplifier writes it, up to the order of commutative operands; any other spelling is *inadmissible*,
so that each formula counts once. A formula of ``k`` commutative nodes with unlike operands has 2^k ordered trees: they share
its probability.

A move leads from a tree T to T' and carries log q(T'→T)/q(T→T'), the q being those of this way of going and of the same way
back: ways are paired one to one, so each pair may be balanced by itself (Green 1995).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hypo.expression import operators as ops
from hypo.expression.algebra.simplify import simplify
from hypo.expression.expr import Constant, Expression, find_starts
from hypo.kernels import opcodes as oc

Node = tuple[int, str | Constant | None]
"""Opcode, and the name of a variable or the constant at a leaf."""
Tree = tuple[Node, ...]
"""Nodes in postfix order."""
Moved = tuple[Tree, float]
"""Where a move leads, and its log ratio."""

_COMMUTATIVE = frozenset(row.opcode for row in ops.OPERATORS if row.commutative)
# How operators are written in keys: by their places in the table, whose order stays whatever their codes are.
_WRITTEN = {row.opcode: str(place) for place, row in enumerate(ops.OPERATORS, start=oc.FIRST_UNARY)}
# The chance of a leaf in a subtree drawn anew: with as many functions as operations sizes have a mean of 3.
LEAF = 0.5
# The chance of a function of one argument there.
UNARY = 0.25
# Share of new subtrees that come from the library.
FROM_LIBRARY = 0.5


def tree(e: Expression) -> Tree:
    """``e`` as a tree."""
    leaves: dict[int, Sequence[str | Constant]] = {oc.VAR: e.variables, oc.CONST: e.constants}
    return tuple((op, leaves[op][arg] if op in leaves else None) for op, arg in e.code)


def formula(t: Tree) -> Expression:
    """The formula of a tree."""
    names = list(dict.fromkeys(leaf for op, leaf in t if op == oc.VAR))
    constants = [leaf for op, leaf in t if op == oc.CONST]
    place, arg = iter(range(len(constants))), []
    for op, leaf in t:
        arg.append(names.index(leaf) if op == oc.VAR else next(place) if op == oc.CONST else 0)
    return Expression.from_arrays([op for op, _ in t], arg, names, constants)  # type: ignore[arg-type]


def key(t: Tree) -> tuple[str, int]:
    """Text that is one for trees of one formula, whatever its fitted values, and log2 of how many such trees there are."""
    stack: list[str] = []
    doublings = 0
    for op, leaf in t:
        n = oc.arity(op)
        if n == 0:
            stack.append(_leaf_key(leaf))
        elif n == 1:
            stack[-1] = f"{_written(op)}({stack[-1]})"
        else:
            b = stack.pop()
            a = stack.pop()
            if op in _COMMUTATIVE and a != b:
                doublings += 1
                a, b = min(a, b), max(a, b)
            stack.append(f"{_written(op)}({a},{b})")
    return stack[0], doublings


def _written(op: int) -> str:
    return _WRITTEN.get(op) or ops.BY_OPCODE[op].name


def _leaf_key(leaf: str | Constant | None) -> str:
    if isinstance(leaf, Constant):
        return "?" if leaf.free else leaf.name or repr(leaf.value)
    return f"'{leaf}'"


def admissible(t: Tree) -> bool:
    """True if the simplifier would write the formula so, up to the order of operands."""
    return key(tree(simplify(formula(t))))[0] == key(t)[0]


class TreeLibrary:
    """Trees by their keys, each with a chance to be drawn, in proportion to ``chances`` (default: equal ones)."""

    def __init__(self, members: Mapping[str, Tree], chances: Sequence[float] | None = None) -> None:
        self.members = tuple(members.values())
        share = np.array([1.0] * len(members) if chances is None else chances, dtype=float)
        self._edges = np.cumsum(share / share.sum()) if len(share) else share
        self._log = dict(zip(members, np.log(share / share.sum()), strict=True)) if len(share) else {}

    def drawn(self, rng: np.random.Generator) -> Tree:
        """A member with its operands in random order."""
        k = int(np.searchsorted(self._edges, rng.uniform(), side="right"))
        return shuffled(self.members[min(k, len(self.members) - 1)], rng)

    def log_drawn(self, t: Tree) -> float:
        """Log probability that ``drawn`` gives ``t``."""
        k, doublings = key(t)
        return float(self._log.get(k, -math.inf)) - doublings * math.log(2.0)


@dataclass(frozen=True)
class TreeGrammar:
    """Symbols of trees of up to ``most`` nodes: opcodes, ``leaves`` of one node each; new subtrees may be of ``library``, new
    trees of ``whole``."""

    unary: tuple[int, ...]
    binary: tuple[int, ...]
    leaves: tuple[Node, ...]
    most: int
    library: TreeLibrary
    whole: TreeLibrary

    @cached_property
    def leaf_keys(self) -> tuple[str, ...]:
        """Keys of the leaves."""
        return tuple(_leaf_key(leaf) for _, leaf in self.leaves)

    @cached_property
    def chances(self) -> tuple[float, float, float]:
        """Of leaf, unary and binary operators in trees grown anew."""
        unary = UNARY if self.unary else 0.0
        binary = 1.0 - LEAF - UNARY if self.binary else 0.0
        return 1.0 - unary - binary, unary, binary

    def grown(self, rng: np.random.Generator) -> Tree | None:
        """A tree of a branching process; None when it gets too large."""
        prefix: list[Node] = []
        places = 1
        leaf, unary, _ = self.chances
        while places:
            if len(prefix) + places > self.most:
                return None
            u = rng.uniform()
            if u < leaf:
                prefix.append(self.leaves[int(rng.integers(len(self.leaves)))])
                places -= 1
            elif u < leaf + unary:
                prefix.append((self.unary[int(rng.integers(len(self.unary)))], None))
            else:
                prefix.append((self.binary[int(rng.integers(len(self.binary)))], None))
                places += 1
        # Reversed Polish notation is postfix with the operands exchanged, which is as likely.
        return tuple(reversed(prefix))

    def log_grown(self, t: Tree) -> float:
        """Log probability that ``grown`` gives ``t``."""
        each = [
            math.log(p / len(s)) if p else -math.inf
            for p, s in zip(self.chances, (self.leaves, self.unary, self.binary), strict=True)
        ]
        return sum(each[oc.arity(op)] for op, _ in t)

    def drawn(self, rng: np.random.Generator, library: TreeLibrary) -> Tree | None:
        """A new subtree: a member of ``library`` or one grown anew."""
        return library.drawn(rng) if library.members and rng.uniform() < FROM_LIBRARY else self.grown(rng)

    def log_drawn(self, t: Tree, library: TreeLibrary) -> float:
        """Log probability that ``drawn`` gives ``t``."""
        grown = self.log_grown(t)
        if not library.members:
            return grown
        return float(np.logaddexp(math.log(FROM_LIBRARY) + library.log_drawn(t), math.log(1.0 - FROM_LIBRARY) + grown))


def shuffled(t: Tree, rng: np.random.Generator) -> Tree:
    """The same formula with the operands of commutative nodes in random order."""
    stack: list[Tree] = []
    for node in t:
        n = oc.arity(node[0])
        if n < 2:
            stack.append((*(stack.pop() if n else ()), node))
            continue
        b = stack.pop()
        a = stack.pop()
        if node[0] in _COMMUTATIVE and rng.uniform() < 0.5:
            a, b = b, a
        stack.append((*a, *b, node))
    return stack[0]


# --- moves --------------------------------------------------------------------------------------------------------


def change_operator(t: Tree, g: TreeGrammar, rng: np.random.Generator) -> Moved | None:
    """Another operator of the same arity in one place; symmetric."""
    inner = [i for i, (op, _) in enumerate(t) if oc.arity(op)]
    if not inner:
        return None
    i = inner[int(rng.integers(len(inner)))]
    others = [op for op in (g.unary if oc.arity(t[i][0]) == 1 else g.binary) if op != t[i][0]]
    if not others:
        return None
    return (*t[:i], (others[int(rng.integers(len(others)))], None), *t[i + 1 :]), 0.0


def swap_leaf(t: Tree, g: TreeGrammar, rng: np.random.Generator) -> Moved | None:
    """Another leaf in one place; symmetric."""
    leaves = [i for i, (op, _) in enumerate(t) if not oc.arity(op)]
    i = leaves[int(rng.integers(len(leaves)))]
    own = _leaf_key(t[i][1])
    others = [leaf for leaf, k in zip(g.leaves, g.leaf_keys, strict=True) if k != own]
    if not others:
        return None
    return (*t[:i], others[int(rng.integers(len(others)))], *t[i + 1 :]), 0.0


def unary(t: Tree, g: TreeGrammar, rng: np.random.Generator) -> Moved | None:
    """A unary operator put around a node, or taken away: q = 1/(n·|U|) and 1/(unary nodes)."""
    if not g.unary:
        return None
    own = [i for i, (op, _) in enumerate(t) if oc.arity(op) == 1]
    if rng.uniform() < 0.5:
        i = int(rng.integers(len(t)))
        new = (*t[: i + 1], (g.unary[int(rng.integers(len(g.unary)))], None), *t[i + 1 :])
        return new, math.log(len(t) * len(g.unary) / (len(own) + 1))
    if not own:
        return None
    i = own[int(rng.integers(len(own)))]
    return (*t[:i], *t[i + 1 :]), math.log(len(own) / ((len(t) - 1) * len(g.unary)))


def leaf(t: Tree, g: TreeGrammar, rng: np.random.Generator) -> Moved | None:
    """A binary operator with a leaf on one side put in at a node, or taken away: q = 1/(n·|B|·2·|L|) and
    1/(leaves below binary nodes)."""
    if not g.binary:
        return None
    if rng.uniform() < 0.5:
        i = int(rng.integers(len(t)))
        begin = find_starts(t)[i]
        op = (g.binary[int(rng.integers(len(g.binary)))], None)
        new = g.leaves[int(rng.integers(len(g.leaves)))]
        old = t[begin : i + 1]
        part = (new, *old, op) if rng.uniform() < 0.5 else (*old, new, op)
        out = (*t[:begin], *part, *t[i + 1 :])
        ways = len(t) * len(g.binary) * 2 * len(g.leaves)
        return out, math.log(ways / len(_prunable(out)))
    places = _prunable(t)
    if not places:
        return None
    i, first = places[int(rng.integers(len(places)))]
    begin = find_starts(t)[i]
    kept = t[begin + 1 : i] if first else t[begin : i - 1]
    out = (*t[:begin], *kept, *t[i + 1 :])
    return out, math.log(len(places) / (len(out) * len(g.binary) * 2 * len(g.leaves)))


def _prunable(t: Tree) -> list[tuple[int, bool]]:
    """Binary nodes with a leaf as operand, and whether it is the first."""
    begin, out = find_starts(t), []
    for i, (op, _) in enumerate(t):
        if oc.arity(op) == 2:
            if begin[i - 1] == begin[i] + 1:
                out.append((i, True))
            if begin[i - 1] == i - 1:
                out.append((i, False))
    return out


def subtree(t: Tree, g: TreeGrammar, rng: np.random.Generator) -> Moved | None:
    """Another subtree at one node, from the library or grown anew: q = D(new)/n and D(old)/n'."""
    i = int(rng.integers(len(t)))
    begin = find_starts(t)[i]
    new = g.drawn(rng, g.library)
    if new is None:
        return None
    old = t[begin : i + 1]
    out = (*t[:begin], *new, *t[i + 1 :])
    return out, g.log_drawn(old, g.library) - g.log_drawn(new, g.library) + math.log(len(t) / len(out))


def jump(t: Tree, g: TreeGrammar, rng: np.random.Generator) -> Moved | None:
    """Another tree altogether."""
    new = g.drawn(rng, g.whole)
    return None if new is None else (new, g.log_drawn(t, g.whole) - g.log_drawn(new, g.whole))


# With equal chances; jumps, which lead from mode to mode, come twice.
MOVES: tuple[Callable[[Tree, TreeGrammar, np.random.Generator], Moved | None], ...] = (
    change_operator,
    swap_leaf,
    unary,
    leaf,
    subtree,
    jump,
    jump,
)


# --- all the small ones -------------------------------------------------------------------------------------------


def every(g: TreeGrammar, most_tried: int) -> Iterator[list[Tree]]:
    """All admissible trees of 1 node, of 2 nodes, …, each formula once; ends before a size of which more than ``most_tried``
    spellings would have to be looked at."""
    by_size: list[list[Tree]] = [[(leaf,) for leaf in g.leaves]]
    yield by_size[0]
    while len(by_size) < g.most:
        n = len(by_size) + 1
        spelled = len(g.unary) * len(by_size[-1]) + len(g.binary) * sum(
            len(by_size[k - 1]) * len(by_size[n - 2 - k]) for k in range(1, n - 1)
        )
        if spelled > most_tried:
            return
        found: dict[str, Tree] = {}
        for t in _spelled(g, by_size, n):
            k = key(t)[0]
            if k not in found and admissible(t):
                found[k] = t
        by_size.append(list(found.values()))
        yield by_size[-1]


def _spelled(g: TreeGrammar, by_size: Sequence[Sequence[Tree]], n: int) -> Iterator[Tree]:
    """Trees of ``n`` nodes over smaller admissible ones."""
    for op in g.unary:
        for t in by_size[n - 2]:
            yield (*t, (op, None))
    for k in range(1, n - 1):
        for a in by_size[k - 1]:
            for b in by_size[n - 2 - k]:
                for op in g.binary:
                    if op not in _COMMUTATIVE or 2 * k <= n - 1:
                        yield (*a, *b, (op, None))
