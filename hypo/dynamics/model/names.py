"""Names and digits of the constants of a system, as users see them.

Names, by which they are given back, are their own, else ``c1``, ``c2``, … in the order of the equations; one that equations
share has one name. Fitted lags are ``tau``, ``tau2``, …

Digits are the fewest that leave a number within ``SHARE`` of its error, all other numbers kept, so that rounding all of them
together moves no prediction by more than a small share of its noise: ``0.75*x`` and not ``0.7499999999999999*x``. That error is
1/√(C⁻¹)_kk of the joint covariance C; where numbers are known only together it is far less than what each is known to alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
from hypo.expression.expr import PI, Expression

Values = NDArray[np.float64]

# Share of an error by which rounding may move a number, and the most digits that one has.
SHARE = 1e-3
MOST_DIGITS = 17
# Eigenvalues of correlations below this are rounding.
LEAST_EIGENVALUE = 1e-13


@dataclass(frozen=True)
class Leaf:
    """A fitted number: equation, place among that equation's constants, and the parameter that it is."""

    equation: int
    slot: int
    parameter: int


def list_leaves(system: System) -> tuple[Leaf, ...]:
    """All fitted numbers of a system, in the order of the equations."""
    places = [(k, slot) for k, e in enumerate(system.equations) for slot in e.free]
    return tuple(Leaf(k, slot, of) for (k, slot), of in zip(places, system.of_constants, strict=True))


def find_speeds(system: System) -> dict[int, int]:
    """Places of hidden states that are the rate of a measured one, by the place of that."""
    hidden = {name: k for k, name in enumerate(system.states) if k >= system.n_measured}
    out = {}
    for k, e in enumerate(system.equations[: system.n_measured]):
        if not system.is_discrete and len(e) == 1 and e.variables and e.variables[0] in hidden:
            out[k] = hidden[e.variables[0]]
    return out


def find_units(system: System, data: Trajectories) -> dict[str, str]:
    """Unit texts of all columns and known constants as far as they are known, speeds and former values too."""
    named = {*system.columns, *find_known(system), data.time}
    units = {name: text for name, text in data.units.items() if name in named}
    for k, row in find_speeds(system).items():
        if (rate := data.rate_unit(system.states[k])) is not None:
            units[system.states[row]] = rate.text
    return units | {d.column: units[d.state] for d in system.delays if d.state in units}


def find_known(system: System) -> set[str]:
    """Names of constants whose values are known."""
    return {c.name for e in system.equations for c in e.constants if c.name and not c.free and c != PI}


def name_parameters(system: System) -> tuple[str, ...]:
    """One name for each parameter (n_parameter,)."""
    own: dict[int, str] = {}
    for leaf in list_leaves(system):
        name = system.equations[leaf.equation].constants[leaf.slot].name
        if name is not None:
            own.setdefault(leaf.parameter, name)
    taken = {*system.columns, *own.values()}
    taken |= {c.name for e in system.equations for c in e.constants if c.name}
    numbers = (f"c{k}" for k in count(1) if f"c{k}" not in taken)
    constants = [own[k] if k in own else next(numbers) for k in range(system.n_constant)]
    lags = (name for name in ("tau" if k == 1 else f"tau{k}" for k in count(1)) if name not in taken)
    return (*constants, *(next(lags) for _ in system.fitted_lags))


def name_lags(system: System) -> dict[str, tuple[str, int]]:
    """Of each fitted lag, by the column of the former value, its name and the number of its parameter."""
    names = name_parameters(system)
    rows = enumerate(system.fitted_lags, system.n_constant)
    return {system.delays[q].column: (names[row], row) for row, q in rows}


def with_names(system: System) -> tuple[Expression, ...]:
    """The equations with names in the place of fitted numbers, which makes them true for any values of these."""
    names = name_parameters(system)
    out = list(system.equations)
    places = {(leaf.equation, leaf.slot): names[leaf.parameter] for leaf in list_leaves(system)}
    for k, e in enumerate(system.equations):

        def named(node: int, leaf: Expression, k: int = k, e: Expression = e) -> Expression:
            slot = e.code[node][1]
            if leaf.variables or (k, slot) not in places:
                return leaf
            return Expression.constant(leaf.constants[0].value, name=places[k, slot])

        out[k] = e.rebuilt(named)
    return tuple(out)


def round_equations(fitted: Calibrated) -> tuple[Expression, ...]:
    """The equations of a fitted system, their fitted constants rounded."""
    system = fitted.system
    errors = find_conditional_errors(fitted.covariance)
    values = np.array([round_within(v, SHARE * s) for v, s in zip(system.parameters, errors, strict=True)])
    return system.with_parameters(values).equations


def find_conditional_errors(covariance: Values) -> Values:
    """By parameter its standard error with all others kept (n_parameter,), 0 where that is not known."""
    sd = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    out = np.zeros(len(sd))
    known = np.flatnonzero(np.isfinite(sd) & (sd > 0.0))
    block = covariance[np.ix_(known, known)] / np.outer(sd[known], sd[known])
    if len(known) and np.isfinite(block).all():
        lam, Q = np.linalg.eigh(block)
        out[known] = sd[known] / np.sqrt(np.sum(Q * Q / np.maximum(lam, LEAST_EIGENVALUE), axis=1))
    return out


def round_within(value: float, room: float) -> float:
    """The number with the fewest digits no further than ``room`` from ``value``; 0 only for 0."""
    if not (math.isfinite(value) and value and room > 0.0):
        return value
    for digits in range(1, MOST_DIGITS):
        rounded = float(f"{value:.{digits - 1}e}")
        if abs(rounded - value) <= room:
            return rounded
    return value
