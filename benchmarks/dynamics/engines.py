"""What is measured: each engine takes recordings, and gives rates of change as texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import rivals
from cases import Case, Recording

import hypo
from hypo.dynamics.discovery.discovered import Discovered
from hypo.dynamics.reading import Roles, read_trajectories
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
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
    return read_trajectories([(r.time, r.values) for r in recordings], Roles(time="t", state=list(states)))


def discovered(recordings: Sequence[Recording], case: Case, seconds: float, seed: int) -> Discovered:
    """hypo's discovery."""
    # Names that say nothing.
    data = trajectories(recordings, [f"s{k}" for k in range(case.measured)])
    return hypo.fit_dynamics(data, order=case.order, time_limit=seconds, seed=seed).discovered


def hypo_answer(recordings: Sequence[Recording], case: Case, seconds: float, seed: int) -> Answer:
    """hypo's likeliest system."""
    found = discovered(recordings, case, seconds, seed)
    rates = tuple(map(str, renamed(found.best.system, case.states)))
    figures = {
        "effective_rows": list(found.effective_rows),
        "weight": found.systems[0].weight,
        "systems": len(found.systems),
        "remarks": list(found.remarks),
    }
    return Answer(rates, figures)


def renamed(system: System, states: Sequence[str]) -> tuple[Expression, ...]:
    """The equations of a system with other names for its states."""
    names = {own: Expression.variable(name) for own, name in zip(system.states, states, strict=True)}
    return tuple(e.substitute(names) for e in system.equations)


ENGINES: dict[str, Engine] = {
    "hypo": hypo_answer,
    "sindy": rivals.sindy,
    "operon": rivals.operon,
    "gplearn": rivals.gplearn,
}
