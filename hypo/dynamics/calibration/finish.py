"""Finishing a fitted system: edits that make it simpler are kept where the samples do not miss what they take away."""

from __future__ import annotations

from collections.abc import Callable

from hypo.clock import Expiring
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.calibration.edits import edits_of
from hypo.dynamics.calibration.fit_system import fit_system
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories

# Edits that are fitted in one round, the least predicted loss first.
TRIED = 12
# Rounds, each of which makes the system simpler by one edit.
ROUNDS = 8


def finish(
    calibrated: Calibrated,
    data: Trajectories,
    smoothed: Smoothed,
    cost: Callable[[System], float],
    deadline: Expiring | None = None,
    effort: str = "quick",
) -> Calibrated:
    """The fitted system after edits that lower misfit + ``cost``: the best of each round, until none does.

    Args:
        calibrated: where to begin.
        data: what it was fitted to.
        smoothed: the same, smoothed.
        cost: code length of a system in nats.
        deadline: after which no fit begins.
        effort: of each fit.
    """
    best, score = calibrated, calibrated.misfit + cost(calibrated.system)
    for _ in range(ROUNDS):
        before = score
        start = best
        for edit in edits_of(start)[:TRIED]:
            if deadline is not None and deadline.expired:
                return best
            price = cost(edit.system)
            if start.misfit + price >= score:
                continue
            fitted = fit_system(edit.system, data, smoothed, deadline=deadline, effort=effort, beat=score - price)
            if fitted is not None and fitted.misfit + price < score:
                best, score = fitted, fitted.misfit + price
        if score >= before:
            break
    return best
