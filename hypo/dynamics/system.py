"""Systems of laws of motion: dx_i/dt = f_i(columns), or the next value of each state, with free constants as columns.

One call evaluates many starts, many constants and many perturbations at once: ``rates(X, C)`` with X (n_column, n) and
C (n_constant, n). A law of second order is a system of first order with a hidden state for each speed:
``x`` changes by ``x_dot``, and ``x_dot`` by the law.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from hypo.expression.expr import Expression
from hypo.expression.program import Program

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Delay:
    """A column of laws: the value that ``state`` had ``lag`` units of time ago.

    ``bounds``: the least and the largest lag that it may have; None: the lag is exact.
    """

    column: str
    state: str
    lag: float
    bounds: tuple[float, float] | None = None

    @property
    def longest(self) -> float:
        """The largest lag that it may have."""
        return self.lag if self.bounds is None else max(self.lag, self.bounds[1])


@dataclass(frozen=True)
class System:
    """Equations by state.

    Attributes:
        equations: right-hand sides over ``columns``, one for each state.
        states: all states, the measured ones first.
        measured: how many of the states are measured; None: all.
        actions: recorded inputs.
        time: the name of time where laws may use it.
        delays: columns that hold a state's former values.
        is_discrete: True where an equation gives the next value, not the rate.
        hold: course of inputs between two rows: ``"zero"`` keeps the last value, ``"linear"`` and ``"spline"`` connect them.
        shared: for each free constant, in the order of the equations, the number of its parameter; None: each has its own,
            but for those of one name.
    """

    equations: tuple[Expression, ...]
    states: tuple[str, ...]
    measured: int | None = None
    actions: tuple[str, ...] = ()
    time: str | None = None
    delays: tuple[Delay, ...] = ()
    is_discrete: bool = False
    hold: str = "linear"
    shared: tuple[int, ...] | None = None

    def __getstate__(self) -> dict[str, object]:
        # Workers make programs themselves, from fewer bytes.
        return {f.name: self.__dict__[f.name] for f in fields(self)}

    @property
    def n_measured(self) -> int:
        """Number of measured states."""
        return len(self.states) if self.measured is None else self.measured

    @property
    def columns(self) -> tuple[str, ...]:
        """Names that equations use: states, delayed states, inputs, time."""
        return (*self.states, *(d.column for d in self.delays), *self.actions, *([self.time] if self.time else []))

    @cached_property
    def of_constants(self) -> tuple[int, ...]:
        """For each free constant the number of its parameter; those of one name are one."""
        if self.shared is not None:
            return self.shared
        names = [e.constants[k].name for e in self.equations for k in e.free]
        first: dict[str | int, int] = {}
        return tuple(first.setdefault(n if name is None else name, len(first)) for n, name in enumerate(names))

    @cached_property
    def places(self) -> tuple[range, ...]:
        """By equation, the numbers of its free constants among those of all equations."""
        ends = list(accumulate((len(e.free) for e in self.equations), initial=0))
        return tuple(map(range, ends, ends[1:]))

    @property
    def n_constant(self) -> int:
        """Number of the parameters that are constants of equations; the lags come after them."""
        return max(self.of_constants, default=-1) + 1

    @cached_property
    def fitted_lags(self) -> tuple[int, ...]:
        """Numbers of the delays whose lag is a parameter: those with bounds that an equation uses. In discrete time lags are
        whole steps, and none is fitted."""
        used = {name for e in self.equations for name in e.variables}
        open_ = [q for q, d in enumerate(self.delays) if d.bounds is not None and d.bounds[0] < d.bounds[1]]
        return tuple(q for q in open_ if self.delays[q].column in used and not self.is_discrete)

    @cached_property
    def parameters(self) -> Values:
        """Values of the parameters (n_parameter,): free constants, shared ones once, then fitted lags."""
        each = [e.constants[k].value for e in self.equations for k in e.free]
        out = np.zeros(self.n_constant)
        for of, value in zip(self.of_constants, each, strict=True):
            out[of] = value
        return np.concatenate([out, [self.delays[q].lag for q in self.fitted_lags]])

    def lags(self, P: Values) -> Values:
        """Lags (n_delay, 1 or n) for parameters P (n_parameter, n); never below half of the least that a lag may be."""
        if not self.fitted_lags:
            return np.array([[d.lag] for d in self.delays]).reshape(len(self.delays), 1)
        out = np.repeat(np.array([[d.lag] for d in self.delays]), P.shape[1], axis=1)
        for row, q in enumerate(self.fitted_lags, self.n_constant):
            least = self.delays[q].bounds[0]  # type: ignore[index]
            out[q] = np.maximum(P[row], 0.5 * least)
        return out

    def within_bounds(self, values: Values) -> Values:
        """Parameters (n_parameter,) with lags moved into their bounds."""
        out = np.array(values, float)
        for row, q in enumerate(self.fitted_lags, self.n_constant):
            out[row] = np.clip(out[row], *self.delays[q].bounds)  # type: ignore[misc]
        return out

    def with_parameters(self, values: Values) -> System:
        """The same equations with other values of the parameters."""
        own = np.asarray(values, float)[list(self.of_constants)] if self.of_constants else np.empty(0)
        delays = list(self.delays)
        for row, q in enumerate(self.fitted_lags, self.n_constant):
            delays[q] = replace(delays[q], lag=float(values[row]))
        out = []
        for e, place in zip(self.equations, self.places, strict=True):
            new = np.array(e.values, float)
            new[list(e.free)] = own[place.start : place.stop]
            out.append(e.with_values(new))
        return replace(self, equations=tuple(out), delays=tuple(delays))

    def with_equation(self, k: int, e: Expression, shared: tuple[int, ...] | None = None) -> System:
        """Another equation in the place of number ``k``."""
        return self.with_equations((*self.equations[:k], e, *self.equations[k + 1 :]), shared)

    def with_equations(self, equations: tuple[Expression, ...], shared: tuple[int, ...] | None = None) -> System:
        """Other equations over the same columns."""
        return replace(self, equations=equations, shared=shared)

    @cached_property
    def programs(self) -> tuple[tuple[Program, tuple[int, ...]], ...]:
        """By equation: a program over ``columns`` and the parameters that it uses, and the numbers of these parameters."""
        out = []
        for e, numbers in zip(self.equations, self.places, strict=True):
            own = tuple(self.of_constants[n] for n in numbers)
            names = [f"_{k}" for k in range(len(e.free))]
            out.append((Program.of(open_constants(e, names), (*self.columns, *names)), own))
        return tuple(out)

    def rates(self, X: Values, P: Values) -> Values:
        """Right-hand sides (n_state, n) at columns X (n_column, n) with parameters P (n_parameter, n)."""
        return np.array([p.value(np.ascontiguousarray(np.vstack([X, P[list(own)]]))) for p, own in self.programs])


def open_constants(e: Expression, names: Sequence[str]) -> Expression:
    """``e`` with variables of these names in the places of its free constants, in their order."""
    name = dict(zip(e.free, names, strict=True))

    def leaf_at(node: int, leaf: Expression) -> Expression:
        slot = e.code[node][1]
        return Expression.variable(name[slot]) if leaf.constants and slot in name else leaf

    return e.rebuilt(leaf_at) if name else e
