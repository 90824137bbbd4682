"""Proofs of statements with existential quantifiers, by boxes with candidates.

A universal block is split into boxes until the statement is proved over each. Over a box, an existential block is proved by
one candidate that will do throughout: the best partner of the box's middle. For a bare equation two candidates between which
the difference of its sides changes sign will do as well: where all operators are defined they are continuous. A universal
block within becomes one interval, undivided. A statement that is not proved need not be false; it is refuted when its negation
is proved.

Inequalities may fall short by the slack of their comparison (1e-9 of its scale), but not under ``exists``, whose candidates
would seek out just the places where both an inequality and its opposite hold within it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from hypo.knowledge.claims.claim import Boxes, Claim, Flags, Points, Values
from hypo.knowledge.claims.comparison import Comparison
from hypo.knowledge.claims.domain import Domain, middle, spread
from hypo.knowledge.logic.claims import Block, Node
from hypo.knowledge.logic.integrals import IntegralComparison

_MAX_BOXES = 4096
"""Boxes of a universal block after which a proof is given up."""
_BATCH = 128
"""Boxes that are looked at together."""
_SIGN_POINTS = 32
"""Points of an existential block among which a change of sign is sought."""

Value = Callable[[Node, Points, int], tuple[Values, Points]]


@dataclass(frozen=True)
class Prover:
    """Proves statements; ``value`` finds the candidates, and after the time ``until`` no box is split."""

    value: Value
    until: float | None

    def proves(self, node: Node) -> bool:
        """True if a statement without free variables is proved."""
        return self._is_proved_at(_exact(node, False), {})

    def _is_proved_at(self, node: Node, fixed: Points) -> bool:
        """True if ``node`` is proved at one point of the variables around it."""
        if isinstance(node, Claim):
            return bool(self._holds(node, {name: (v, v) for name, v in fixed.items()}, 1)[0])
        if not isinstance(node, Block):
            return (all if node.every else any)(self._is_proved_at(part, fixed) for part in node.parts)
        if node.universal:
            return self._can_cover(node, fixed)
        _, chosen = self.value(node, fixed, 1)
        if self._is_proved_at(node.body, {**fixed, **{name: chosen[name] for name in node.ranges}}):
            return True
        return bool(self._changes_sign(node, {name: (v, v) for name, v in fixed.items()}, 1)[0])

    def _can_cover(self, node: Block, fixed: Points) -> bool:
        """True if boxes that cover a universal block can be found, each proved."""
        names = list(node.ranges)
        whole = np.array(list(node.ranges.values()))
        size = whole[:, 1] - whole[:, 0]
        waiting = [(whole[:, 0], whole[:, 1])]
        examined = 0
        while waiting:
            low, high = (np.array(side) for side in zip(*waiting[-_BATCH:], strict=True))
            del waiting[-_BATCH:]
            n = len(low)
            examined += n
            if examined > _MAX_BOXES or (self.until is not None and time.monotonic() > self.until):
                return False
            boxes = {name: (low[:, k], high[:, k]) for k, name in enumerate(names)}
            boxes |= {name: (np.repeat(v, n), np.repeat(v, n)) for name, v in fixed.items()}
            done = self._are_proved_over(node.body, boxes, n)
            centre = middle(low, high)
            with np.errstate(invalid="ignore"):
                relative = np.where(np.isinf(high - low), np.inf, np.where(high > low, (high - low) / size, 0.0))
            for i in np.flatnonzero(~done):
                widest = int(np.argmax(relative[i]))
                at = centre[i, widest]
                if not low[i, widest] < at < high[i, widest]:
                    return False
                below, above = high[i].copy(), low[i].copy()
                below[widest] = above[widest] = at
                waiting += [(low[i], below), (above, high[i])]
        return True

    def _are_proved_over(self, node: Node, boxes: Boxes, n: int) -> Flags:
        """True for each of ``n`` boxes where ``node`` is proved at all of its points."""
        if isinstance(node, Claim):
            return self._holds(node, boxes, n)
        if not isinstance(node, Block):
            found = [self._are_proved_over(part, boxes, n) for part in node.parts]
            proved: Flags = np.all(found, axis=0) if node.every else np.any(found, axis=0)
            return proved
        if node.universal:
            inner = {name: (np.full(n, low), np.full(n, high)) for name, (low, high) in node.ranges.items()}
            return self._are_proved_over(node.body, {**boxes, **inner}, n)
        _, chosen = self.value(node, {name: middle(*ends) for name, ends in boxes.items()}, n)
        done = self._are_proved_over(
            node.body, {**boxes, **{name: (chosen[name], chosen[name]) for name in node.ranges}}, n
        )
        return done if done.all() else done | self._changes_sign(node, boxes, n)

    def _holds(self, claim: Claim, boxes: Boxes, n: int) -> Flags:
        found = claim.enclose(boxes)
        holds: Flags = np.broadcast_to(found.defined & (found.lo >= 0), n).copy()
        return holds

    def _changes_sign(self, node: Block, boxes: Boxes, n: int) -> Flags:
        """True where, at all points of a box, left - right of a bare equation is zero somewhere in an existential block."""
        above, below = (_one_sided(node.body, relation) for relation in (">", "<"))
        if above is None or below is None:
            return np.zeros(n, dtype=bool)
        cube = Domain(dict.fromkeys(node.ranges, (0.0, 1.0))).sample(_SIGN_POINTS)
        inner = {name: np.tile(spread(u, *node.ranges[name]), n) for name, u in cube.items()}
        centres = {name: np.repeat(middle(*ends), _SIGN_POINTS) for name, ends in boxes.items()}
        ends: list[Points] = []
        proved = np.ones(n, dtype=bool)
        for claim in (above, below):
            margins = claim.margin({**centres, **inner})
            best = np.where(np.isnan(margins), -np.inf, margins).reshape(n, -1).argmax(
                axis=1
            ) + _SIGN_POINTS * np.arange(n)
            ends.append({name: values[best] for name, values in inner.items()})
            proved &= self._holds(claim, {**boxes, **{name: (v, v) for name, v in ends[-1].items()}}, n)
        hull = {
            name: (np.minimum(ends[0][name], ends[1][name]), np.maximum(ends[0][name], ends[1][name])) for name in inner
        }
        proved &= np.broadcast_to(above.enclose({**boxes, **hull}).defined, n)
        return proved


def _exact(node: Node, under: bool) -> Node:
    """``node`` without slack in the inequalities under ``exists``."""
    if isinstance(node, Claim):
        return _without_slack(node) if under else node
    if isinstance(node, Block):
        return replace(node, body=_exact(node.body, under or not node.universal))
    return replace(node, parts=tuple(_exact(part, under) for part in node.parts))


def _without_slack(claim: Claim) -> Claim:
    if isinstance(claim, Comparison):
        return claim if claim.relation in ("==", "!=") else replace(claim, scale=None)
    parts: dict[str, object] = {}
    for field in fields(claim):  # type: ignore[arg-type]
        value = getattr(claim, field.name)
        if isinstance(value, Claim):
            parts[field.name] = _without_slack(value)
        elif isinstance(value, tuple) and value and all(isinstance(part, Claim) for part in value):
            parts[field.name] = tuple(map(_without_slack, value))
    return replace(claim, **parts)  # type: ignore[type-var]


def _one_sided(node: Node, relation: str) -> Claim | None:
    """``left relation right`` for the bare equation ``left = right``."""
    if isinstance(node, IntegralComparison):
        inner = _one_sided(node.comparison, relation)
        return replace(node, comparison=inner) if isinstance(inner, Comparison) else None
    return replace(node, relation=relation) if isinstance(node, Comparison) and node.relation == "==" else None
