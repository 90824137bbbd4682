"""Statements with existential quantifiers: how far they hold at points.

``forall x: exists y: claim`` is a game: for each x, the best y. Margins are the least over universal and the greatest over
existential variables; each is sought among a bounded number of points, then nearer and nearer the best of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hypo.knowledge.claims.claim import (
    PROVED,
    REFUTED,
    UNREFUTED,
    Claim,
    Flags,
    Points,
    Sides,
    Values,
    Verdict,
    Witness,
    violation,
)
from hypo.knowledge.claims.domain import Domain, spread
from hypo.knowledge.claims.proof import with_note
from hypo.knowledge.logic.claims import Block, Joint, Node, negate
from hypo.knowledge.logic.proofs import Prover

_OUTER = 128
"""Points of an outermost universal block."""
_POINTS = {1: 64, 2: 64, 3: 16, 4: 8}
"""Points of another block, by the number of blocks within each other: they multiply."""
QUICK_WORK = 24_000
"""Evaluations of the law in a check without proof, before the search near the best points."""
_FEWEST = 4
"""Points of a block, however much work each is."""
_CALLS = ((1, 40), (500, 8), (math.inf, 1))
"""(most work of a claim, calls of claims) in a check without proof: few points take time too."""
_ROUNDS = {1: 22, 2: 22, 3: 4, 4: 2}
"""Rounds of the search near the best points, by the number of blocks within each other."""
_STEPS = np.array([-1, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75, 1])
"""Places tried around the best one in a round, as parts of its step."""
_NARROWEST = 1e-15
"""Steps in the unit cube below this are no more than rounding."""
_SCALE_POINTS = 512
"""Points from which comparisons take their scales."""


def check_quantifiers(node: Node, *, points: int, proof: bool, seed: int = 0, deadline: float | None = None) -> Verdict:
    """The verdict on a statement with existential quantifiers and without free variables.

    Its amount is that of the margins over an outermost universal block, else of the one margin. A point for which no partner
    was found counts as violated; the level is REFUTED only if there provably is none, else UNREFUTED with an amount > 0.
    """
    until = None if deadline is None else time.monotonic() + deadline
    work, blocks = _work(node), height(node)
    n, m = max(1, min(points, _OUTER)), _POINTS[blocks]
    if not proof:
        inner = max(blocks - (isinstance(node, Block) and node.universal), 1)
        while work * n * m**inner > QUICK_WORK and max(n, m) > _FEWEST:
            n, m = (n // 2, m) if n > m else (n, m // 2)
    node = _fix_scales(node, Domain(_ranges(node)).sample(max(min(_SCALE_POINTS, QUICK_WORK // work), _FEWEST), seed))
    calls = math.inf if proof else next(calls for most, calls in _CALLS if work <= most)
    game = Game(blocks, seed, m, calls, until)
    if isinstance(node, Block) and node.universal:
        margins, chosen = game.value(node.body, Domain(node.ranges).sample(n, seed), n)
    else:
        margins, chosen = game.value(node, {}, 1)
    amount = violation(margins)
    witness = None
    if amount:
        worst = int(np.argmin(np.where(np.isnan(margins), -np.inf, margins)))
        at = {name: values[worst : worst + 1] for name, values in chosen.items()}
        witness = Witness({name: float(values[0]) for name, values in at.items()}, _find_deciding(node, at))
    level = UNREFUTED
    if proof and Prover(game.value, until).proves(negate(node) if amount else node):
        level = REFUTED if amount else PROVED
    return Verdict(level, amount, game.evaluated, witness)


class BestPoints(NamedTuple):
    """The best points found so far, one of a block's variables for each point around it.

    ``margins`` (n,) are those there, ``cube`` says where they lie in the unit cube of the block, ``variables`` are all their
    coordinates, those around the block too.
    """

    margins: Values
    cube: dict[str, Values]
    variables: dict[str, Values]


@dataclass
class Game:
    """Margins of statements with at most ``blocks`` blocks within each other, each tried at ``points`` points at first.

    ``evaluated`` counts the points of all claims; after ``calls`` of claims, or the time ``until``, no better ones are sought.
    """

    blocks: int
    seed: int
    points: int
    calls: float = math.inf
    until: float | None = None
    evaluated: int = 0
    called: int = 0

    def value(self, node: Node, outer: Points, n: int) -> tuple[Values, Points]:
        """Margins (n,) at ``n`` points of the variables around ``node``; and these with its own variables, as chosen."""
        if isinstance(node, Claim):
            self.evaluated += n
            self.called += 1
            return np.broadcast_to(node.margin(outer), n).copy(), outer
        if isinstance(node, Joint):
            found = [self.value(part, outer, n) for part in node.parts]
            chosen = {name: values for _, variables in found for name, values in variables.items()}
            return join_margins(node.every, [margins for margins, _ in found]), chosen
        m = self.points
        cube = {name: np.tile(u, n) for name, u in unit_points(node, m, self.seed).items()}
        best = self.choose_best(node, outer, cube, n, m)
        step = 2.0 / m ** (1 / len(cube))
        for _ in range(_ROUNDS[self.blocks] * min(len(cube), 2)):
            todo = best.margins >= 0 if node.universal else ~(best.margins >= 0)
            if (
                not todo.any()
                or step < _NARROWEST
                or self.called >= self.calls
                or (self.until is not None and time.monotonic() > self.until)
            ):
                break
            for name in cube:
                self.search_near(node, outer, name, step, todo, best)
            step /= 4 if len(cube) == 1 else 2
        return best.margins, best.variables

    def choose_best(self, node: Block, outer: Points, cube: Mapping[str, Values], n: int, m: int) -> BestPoints:
        """The best (worst if universal) of ``m`` points for each of ``n``."""
        inner = {name: spread(u, *node.ranges[name]) for name, u in cube.items()}
        repeated = {name: np.repeat(values, m) for name, values in outer.items()}
        margins, chosen = self.value(node.body, {**repeated, **inner}, n * m)
        # An undefined point is no partner; among all, it is a violation if none is worse.
        wanted = (
            np.where(np.isnan(margins), np.finfo(float).tiny, -margins)
            if node.universal
            else np.where(np.isnan(margins), -np.inf, margins)
        )
        pick = wanted.reshape(n, m).argmax(axis=1) + m * np.arange(n)
        places, variables = ({name: v[pick] for name, v in all_.items()} for all_ in (cube, chosen))
        return BestPoints(margins[pick], places, variables)

    def search_near(self, node: Block, outer: Points, name: str, step: float, todo: Flags, best: BestPoints) -> None:
        """Moves the points ``todo`` of ``best`` along one variable where that betters their margins; in place."""
        m, count = len(_STEPS), int(todo.sum())
        cube = {other: np.repeat(u[todo], m) for other, u in best.cube.items()}
        cube[name] = np.clip(cube[name] + np.tile(step * _STEPS, count), 0, 1)
        found = self.choose_best(node, {k: v[todo] for k, v in outer.items()}, cube, count, m)
        now, then = best.margins[todo], found.margins
        with np.errstate(invalid="ignore"):
            better = then < now if node.universal else (then > now) | (np.isnan(now) & ~np.isnan(then))
        where = np.flatnonzero(todo)[better]
        best.margins[where] = then[better]
        for target, source in ((best.cube, found.cube), (best.variables, found.variables)):
            for key, values in source.items():
                # Outer variables are as they were, and not ours to write.
                if key not in outer:
                    target[key][where] = values[better]


def join_margins(every: bool, margins: list[Values]) -> Values:
    """Kleene's ``and`` (``or`` unless ``every``) of margins."""
    sign = 1 if every else -1
    least = np.fmin.reduce([sign * m for m in margins])
    undefined = np.isnan(margins).any(axis=0)
    decided = least < 0 if every else least <= 0
    return np.where(undefined & ~decided, np.nan, sign * least)


def unit_points(node: Block, m: int, seed: int) -> dict[str, Values]:
    """``m`` points of the unit cube of a block: middle and corners, then an even sequence."""
    return dict(Domain(dict.fromkeys(node.ranges, (0.0, 1.0))).sample(m, seed))


def height(node: Node) -> int:
    """How many blocks stand within each other."""
    if isinstance(node, Claim):
        return 0
    return 1 + height(node.body) if isinstance(node, Block) else max(map(height, node.parts))


def _work(node: Node) -> int:
    """About how many evaluations of a law one point takes."""
    if isinstance(node, Claim):
        return node.work
    return _work(node.body) if isinstance(node, Block) else max(map(_work, node.parts))


def _ranges(node: Node) -> dict[str, tuple[float, float]]:
    if isinstance(node, Claim):
        return {}
    if isinstance(node, Block):
        return {**node.ranges, **_ranges(node.body)}
    return {name: ends for part in node.parts for name, ends in _ranges(part).items()}


def _fix_scales(node: Node, points: Points) -> Node:
    if isinstance(node, Claim):
        return node.fix_scale(points)
    if isinstance(node, Block):
        return Block(node.universal, node.ranges, _fix_scales(node.body, points))
    return Joint(node.every, tuple(_fix_scales(part, points) for part in node.parts))


def _find_deciding(node: Node, at: Points) -> Sides:
    """The comparison that decides at one point of all variables."""
    while not isinstance(node, Claim):
        if isinstance(node, Block):
            node = node.body
        else:
            sign = 1 if node.every else -1
            margins = [sign * _margin(part, at) for part in node.parts]
            node = node.parts[int(np.argmin(np.where(np.isnan(margins), np.inf, margins)))]
    return with_note(node.sides(at, 0), node)


def _margin(node: Node, at: Points) -> float:
    if isinstance(node, Claim):
        return float(np.ravel(node.margin(at))[0])
    if isinstance(node, Block):
        return _margin(node.body, at)
    return float(join_margins(node.every, [np.array([_margin(part, at)]) for part in node.parts])[0])
