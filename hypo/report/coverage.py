"""How far a search went, and how well it spent its work, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Coverage:
    """The certificate: all ``distinct`` formulas without fitted constants of up to ``complete_to`` nodes
    were among the ``scored`` hypotheses.
    """

    complete_to: int
    scored: int
    distinct: int


@dataclass(frozen=True)
class Efficiency:
    """``outcome``: share of the work done when the answer first appeared; ``diversity``: share of the
    enumerated formulas that were distinct.
    """

    outcome: float
    diversity: float
