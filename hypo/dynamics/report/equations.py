"""Laws of motion as a textbook writes them: ``dx/dt = v``, ``d²x/dt² = -k1*sin(x)``, ``x[n+1] = k1*x[n]*(1 - x[n])``."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.stats import t as student

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.model.names import (
    find_known,
    find_speeds,
    find_units,
    list_leaves,
    name_lags,
    name_parameters,
    round_equations,
    with_names,
)
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Trajectories
from hypo.expression.analysis.dimension import infer
from hypo.expression.edits.conversion import Units, converted
from hypo.expression.expr import Expression
from hypo.report.constants import LEVEL, ConstantRow
from hypo.report.formatting import format_number
from hypo.report.units import write_unit
from hypo.search.table_units import UnitNames
from hypo.units import parse_unit

# A standard error of so many times a constant leaves it open.
LOOSE = 100.0
# What steps are counted by: the first letter that is no column's name.
INDICES = ("n", "k", "i", "j", "m")


@dataclass(frozen=True)
class Law:
    """The law of one measured state.

    Attributes:
        state: its name.
        order: which rate the law gives, 1 or 2; 0 for the next value.
        left: the left-hand side, ``dx/dt``.
        expression: the right-hand side with fitted numbers, to the digits that the samples tell.
        lettered: the same with names of constants in their place.
        constants: the fitted ones that this law has, with errors and units, and the named ones that are known.
        unit: of the left-hand side, None where it is not known.
        columns: what columns of the formula are called in a text, as far as that is something else.
        time: what time is called.
        lettered_columns: the same for former values whose lag was fitted, with the name of the lag.
        index: what steps are counted by.
    """

    state: str
    order: int
    left: str
    expression: Expression
    lettered: Expression
    constants: tuple[ConstantRow, ...]
    unit: str | None
    columns: Mapping[str, str]
    time: str
    lettered_columns: Mapping[str, str] = field(default_factory=dict)
    index: str = "n"

    def text(self, digits: int = 4) -> str:
        """``dx/dt = 0.79*x - 0.0106*x**2``."""
        return f"{self.left} = {rename(self.expression.pretty(digits), self.columns)}"

    @property
    def lettered_text(self) -> str:
        """``dx/dt = c1*x - c2*x**2``."""
        return f"{self.left} = {rename(self.lettered.pretty(), {**self.columns, **self.lettered_columns})}"

    @property
    def latex(self) -> str:
        r"""``\frac{dx}{dt} = …``."""
        x, t = Expression.variable(self.state).latex(), Expression.variable(self.time).latex()
        right = self.expression.latex()
        for column, text in self.columns.items():
            if column in self.expression.variables and text != column:
                right = right.replace(Expression.variable(column).latex(), text)
        if self.order == 0:
            return rf"{x}[{self.index}+1] = {right}"
        left = rf"\frac{{d{x}}}{{d{t}}}" if self.order == 1 else rf"\frac{{d^{{2}}{x}}}{{d{t}^{{2}}}}"
        return f"{left} = {right}"


def rename(text: str, names: Mapping[str, str]) -> str:
    """``text`` with other names."""
    return re.sub(r"[^\W\d]\w*", lambda found: names.get(found[0], found[0]), text)


def describe_laws(fitted: Calibrated, data: Trajectories) -> tuple[Law, ...]:
    """The laws of the measured states, in their order, and of hidden states that are no speed."""
    system = fitted.system
    speeds = find_speeds(system)
    columns, index = _name_columns(system, data.time), _index_of(system)
    units = find_units(system, data)
    lettered, rounded = with_names(system), round_equations(fitted)
    out = []
    for k, state in enumerate(system.states):
        if k in speeds.values():
            continue
        order = 0 if system.is_discrete else 2 if k in speeds else 1
        row = speeds.get(k, k)
        law_unit = data.rate_unit(state, order)
        unit = None if law_unit is None else law_unit.text
        out.append(
            Law(
                state,
                order,
                write_left_side(state, data.time, order, index),
                _with_numbers(rounded[row]),
                lettered[row],
                tuple(_list_constants(fitted, row, units, unit, data.units.get(data.time))),
                unit,
                columns,
                data.time,
                name_delays(system, data.time, {column: name for column, (name, _) in name_lags(system).items()}),
                index,
            )
        )
    return tuple(out)


def _with_numbers(e: Expression) -> Expression:
    """``e`` with the fitted values in the place of names."""
    return replace(e, constants=tuple(replace(c, name=None) if c.free else c for c in e.constants))


def _index_of(system: System) -> str:
    """A letter for the number of a step that no column has."""
    return next((letter for letter in INDICES if letter not in system.columns), "step")


def write_left_side(state: str, time: str, order: int, index: str = "n") -> str:
    """``dx/dt`` for order 1, ``d²x/dt²`` for 2, ``x[n+1]`` for 0."""
    return f"{state}[{index}+1]" if order == 0 else f"d{state}/d{time}" if order == 1 else f"d²{state}/d{time}²"


def name_speeds(system: System, time: str) -> dict[str, str]:
    """The names of hidden speeds with what they are: ``{"x_dot": "dx/dt"}``."""
    found = find_speeds(system).items()
    return {system.states[row]: write_left_side(system.states[k], time, 1) for k, row in found}


def _name_columns(system: System, time: str) -> dict[str, str]:
    """Names of columns in a text: ``x[n]``, and ``x(t - 1.25)`` for former values."""
    if not system.is_discrete:
        return name_delays(system, time)
    now = {name: f"{name}[{_index_of(system)}]" for name in (*system.states, *system.actions)}
    return now | name_delays(system, time)


def name_delays(system: System, time: str, lags: Mapping[str, str] | None = None) -> dict[str, str]:
    """Names of former values by their columns: ``{"x_before": "x(t - 1.25)"}``; ``lags`` are names in the place of numbers."""
    known = lags or {}
    texts = {d.column: known.get(d.column, format_number(d.lag)) for d in system.delays}
    if system.is_discrete:
        return {d.column: f"{d.state}[{_index_of(system)}-{texts[d.column]}]" for d in system.delays}
    return {d.column: f"{d.state}({time} - {texts[d.column]})" for d in system.delays}


# --- constants ----------------------------------------------------------------------------------------------------


def _list_constants(
    fitted: Calibrated, row: int, units: Mapping[str, str], target: str | None, time: str | None
) -> Iterator[ConstantRow]:
    """The fitted constants of an equation, each name once, its fitted lags, and then the named ones whose values are known."""
    system = fitted.system
    names = name_parameters(system)
    freedom = max(float(np.sum(fitted.count)) - len(names) - sum(map(len, fitted.starts)), 1.0)
    reach = float(student.ppf(0.5 + LEVEL / 2, freedom))
    texts = _unit_texts(system.equations[row], units, target)
    of: dict[int, str | None] = {}
    for leaf in list_leaves(system):
        if leaf.equation == row:
            of.setdefault(leaf.parameter, texts[leaf.slot])
    lags = name_lags(system)
    of |= {lags[column][1]: time for column in system.equations[row].variables if column in lags}
    for k, unit in of.items():
        value, variance = float(system.parameters[k]), float(fitted.covariance[k, k])
        if not 0 < variance < (LOOSE * abs(value)) ** 2:
            yield ConstantRow(names[k], value, unit)
            continue
        std = math.sqrt(variance)
        yield ConstantRow(names[k], value, unit, std, value - reach * std, value + reach * std)
    known = find_known(system)
    for name, value in {c.name: c.value for c in system.equations[row].constants if c.name in known}.items():
        yield ConstantRow(name, value, units.get(name))


def _unit_texts(e: Expression, units: Mapping[str, str], target: str | None) -> list[str | None]:
    """The unit of each constant of a right-hand side whose value has the unit ``target``; columns without one are numbers."""
    if target is None:
        return [None] * len(e.constants)
    named = {c.name: units[c.name] for c in e.constants if c.name and not c.free and c.name in units}
    names = UnitNames.of({**{name: units.get(name, "1") for name in e.variables}, **named, "": target})
    found = converted(
        e,
        Units({n: names.powers[n] for n in (*e.variables, *named)}, names.powers[""], dict.fromkeys(names.known, 1.0)),
    )
    dimensions = {name: parse_unit(units.get(name, "1")).dimension for name in e.variables}
    report = infer(
        e, dimensions, {n: parse_unit(text).dimension for n, text in named.items()}, target=parse_unit(target).dimension
    )
    by_origin = {old: unit for old, unit in zip(found.origin, found.units, strict=True) if old >= 0}
    return [write_unit(by_origin.get(i), dimension, names) for i, dimension in enumerate(report.constant_dimensions)]
