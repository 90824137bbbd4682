"""What is measured: each engine takes recordings, and gives rates of change as texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import rivals
from cases import Case, Recording

from hypo.dynamics.discovery.discover import discover
from hypo.dynamics.discovery.discovered import Discovered
from hypo.dynamics.options import Options
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.expression.expr import Expression


@dataclass(frozen=True)
class Answer:
    """An engine's system: a rate for each state in hypo's syntax, and figures of its own for the file of results."""

    rates: tuple[str, ...]
    figures: dict[str, Any] = field(default_factory=dict)


# (recordings, case, seconds, seed); of the case engines read names, order and number of states only.
Engine = Callable[[Sequence[Recording], Case, float, int], Answer]


def trajectories(recordings: Sequence[Recording], states: Sequence[str]) -> Trajectories:
    """The recordings as hypo takes them, without units."""
    runs, at = [], 0
    for k, r in enumerate(recordings):
        n = len(r.time)
        name = str(k) if len(recordings) > 1 else ""
        runs.append(Run(name, r.time, r.values, np.empty((n, 0)), np.arange(at, at + n)))
        at += n
    return Trajectories(tuple(runs), "t", tuple(states))


def discovered(recordings: Sequence[Recording], case: Case, seconds: float, seed: int) -> Discovered:
    """hypo's discovery."""
    # Names that say nothing.
    data = trajectories(recordings, [f"s{k}" for k in range(case.measured)])
    return discover(data, Options(order=case.order, time_limit=seconds, seed=seed))


def hypo_answer(recordings: Sequence[Recording], case: Case, seconds: float, seed: int) -> Answer:
    """hypo's likeliest system."""
    found = discovered(recordings, case, seconds, seed)
    system = found.best.system
    names = {own: Expression.variable(name) for own, name in zip(system.states, case.states, strict=True)}
    rates = tuple(str(e.substitute(names)) for e in system.equations)
    figures = {
        "effective_rows": list(found.effective_rows),
        "weight": found.systems[0].weight,
        "systems": len(found.systems),
        "remarks": list(found.remarks),
    }
    return Answer(rates, figures)


ENGINES: dict[str, Engine] = {
    "hypo": hypo_answer,
    "sindy": rivals.sindy,
    "operon": rivals.operon,
    "gplearn": rivals.gplearn,
}
