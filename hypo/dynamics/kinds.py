"""Kinds of laws: what is sought, what is known, and what system a choice of right-hand sides makes.

============  ==========================  ==================  ====================================
kind          states                      known               sought, by measured state
============  ==========================  ==================  ====================================
rate          x                           nothing             dx/dt
order 2       x, and its hidden speed     dx/dt = x_dot       dx_dot/dt
discrete      x                           nothing             the next x
============  ==========================  ==================  ====================================

Each may have recorded inputs, time itself, and former values of states as further columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypo.dynamics.knowledge.background import Background, make_background
from hypo.dynamics.options import Options
from hypo.dynamics.rows.columns import Columns, require_names, speed_name
from hypo.dynamics.rows.make import make_rows, make_weak_rows
from hypo.dynamics.rows.rows import Rows, WeakRows
from hypo.dynamics.smoothing.path import effective_rows
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import Delay, System
from hypo.dynamics.trajectories import Trajectories
from hypo.expression.expr import Expression
from hypo.knowledge.knowledge import Knowledge

# What a former value is called, after its state's name.
BEFORE = "_before"


@dataclass(frozen=True)
class Kind:
    """A kind of law for given data.

    Attributes:
        data, smoothed, options: what it was made for.
        delays: former values that laws may use, one for each range; lags begin at its end, until some are chosen.
        background: what is known; None: nothing.
    """

    data: Trajectories
    smoothed: Smoothed
    options: Options
    delays: tuple[Delay, ...] = ()
    background: Background | None = None

    @property
    def states(self) -> tuple[str, ...]:
        """All states, the hidden ones after the measured ones."""
        return (*self.data.states, *(speed_name(s) for s in self.data.states if self.options.order == 2))

    @property
    def known(self) -> dict[int, Expression]:
        """By number of the state, equations that are known: a position changes by its speed, others by what is stated."""
        d = len(self.data.states)
        out = {k: Expression.variable(name) for k, name in enumerate(self.states[d:])}
        whole = self.background.whole if self.background is not None else {}
        out |= {self.first + k: whole[name] for k, name in enumerate(self.data.states) if name in whole}
        return out

    @property
    def first(self) -> int:
        """The number of the equation of the first measured state."""
        return len(self.states) - len(self.data.states)

    @property
    def sought(self) -> tuple[int, ...]:
        """Numbers of the states whose equations are sought."""
        known = self.known
        return tuple(k for k in range(self.first, len(self.states)) if k not in known)

    @property
    def columns(self) -> Columns:
        """The columns of laws along the data."""
        return Columns(self.data, self.smoothed, self.options, self.delays)

    @property
    def pattern(self) -> System:
        """A system with 0 for every equation that is sought."""
        return self.system([Expression.constant(0.0) for _ in self.sought])

    def system(self, sought: Sequence[Expression], shared: tuple[int, ...] | None = None) -> System:
        """The system with these right-hand sides, one for each equation that is sought."""
        laws = {**self.known, **dict(zip(self.sought, sought, strict=True))}
        return System(
            tuple(laws[k] for k in range(len(self.states))),
            self.states,
            len(self.data.states),
            self.data.actions,
            self.data.time if self.options.use_time else None,
            self.delays,
            self.options.discrete,
            self.options.hold,
            shared,
        )

    def rows(self, k: int) -> Rows:
        """Independent rows for the equation of measured state ``k``."""
        return make_rows(self.data, self.smoothed, self.options, k, self.delays)

    def weak_rows(self, k: int) -> WeakRows:
        """Weak rows for the same equation."""
        return make_weak_rows(self.data, self.smoothed, self.options, k, self.delays)

    def effective_rows(self, k: int) -> int:
        """Independent rows for the equation of measured state ``k`` in all runs: of a next value, all steps."""
        if self.options.discrete:
            return len(self.rows(k).target)
        return sum(len(effective_rows(paths[k], self.options.order)) for paths in self.smoothed.paths)


def make_kind(data: Trajectories, smoothed: Smoothed, options: Options, knowledge: Knowledge | None = None) -> Kind:
    """The kind of law that ``options`` ask for.

    Raises ValueError where a name that a kind gives to a column is one of the table's, and KnowledgeError where what is known
    names what is no column.
    """
    kind = _with_delays(data, smoothed, options)
    return replace(kind, background=make_background(knowledge, kind.columns))


def _with_delays(data: Trajectories, smoothed: Smoothed, options: Options) -> Kind:
    """The kind, with a column for each range of lags; rows begin where the longest lag has been recorded."""
    kind = Kind(data, smoothed, options)
    taken = (*kind.columns.names, data.time)
    require_names(kind.columns.names)
    names = delay_names([x.state for x in options.delays], taken)
    ranges = zip(names, options.delays, strict=True)
    return replace(kind, delays=tuple(Delay(name, x.state, x.most, (x.least, x.most)) for name, x in ranges))


def without_idle_delays(system: System) -> System:
    """The same system without former values that no equation uses."""
    used = {name for e in system.equations for name in e.variables}
    return replace(system, delays=tuple(d for d in system.delays if d.column in used))


def delay_names(states: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of former values: ``x_before``, numbered where a state has several or the name is taken."""
    out: list[str] = []
    for state in states:
        name, n = state + BEFORE, 2
        while name in out or name in others:
            name, n = f"{state}{BEFORE}{n}", n + 1
        out.append(name)
    return tuple(out)
