"""Interventions: the law of a model with one part set to something else, in the words that users have for the parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.names import find_speeds, list_leaves, name_lags, name_parameters
from hypo.dynamics.system import System
from hypo.errors import FormulaError, InputError
from hypo.expression.expr import Expression
from hypo.expression.parser import parse, right_hand_side
from hypo.expression.program import Program

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Intervention:
    """The parts of a law that are set.

    Attributes:
        constants: by name, numbers or formulas of constants as they were.
        laws: texts by state.
        inputs: by name, as :meth:`WorldModel.rollout` takes them.
    """

    constants: Mapping[str, Expression]
    laws: Mapping[str, str]
    inputs: Mapping[str, Any]

    @staticmethod
    def of(model: ModelFields, do: Mapping[str, Any] | None) -> Intervention:
        """``{"k": 0}`` or ``{"k": "k/2"}``, a constant by name; ``{"x": "law"}``, the law of a state, of its acceleration where
        that was found; ``{"u": value}``, an input.

        Raises:
            InputError: a name is none of these, or a value does not fit it.
        """
        given = {} if do is None else do
        if not isinstance(given, Mapping):
            raise InputError(f'do must be a table such as {{"k": 0}}, got {given!r:.40}')
        names = name_parameters(model.system)
        constants, laws, inputs = {}, {}, {}
        for name, value in given.items():
            if name in model.actions:
                inputs[name] = value
            elif name in model.states:
                state = _find_law(model.system, name)
                if state in laws:
                    raise InputError(f"do sets the law of {name} twice, as {state}, too; give it once")
                laws[state] = value if isinstance(value, str) else repr(_number(name, value))
            elif name in names:
                constants[name] = _read_constant(name, value, names)
            else:
                have = [("constants", names), ("states", model.states), ("inputs", model.actions)]
                known = "; ".join(f"{kind} {', '.join(of)}" for kind, of in have if of)
                raise InputError(f'do sets "{name}", which is no part of the law; it has the {known}')
        return Intervention(constants, laws, inputs)

    def apply(self, model: ModelFields, k: int, P: Values) -> tuple[System, Values] | None:
        """System k with its draws P (n_parameter, n), both changed; None where it has no such constant.

        Raises:
            InputError: a law cannot be read.
        """
        system = model.systems[k].fitted.system
        places = _match_parameters(model.system, system)
        names = name_parameters(model.system)
        changed = P.copy()
        for name, value in self.constants.items():
            used = (name, *(n for n in value.variables if n != name))
            own = [row for n in used if (row := places.get(names.index(n))) is not None]
            if len(own) < len(used):
                return None
            changed[own[0]] = Program.of(value, used).value(np.ascontiguousarray(P[own]))
        for state, text in self.laws.items():
            found = self._with_law(model, system, state, text, {n: places.get(j) for j, n in enumerate(names)})
            if found is None:
                return None
            system = found
        # Lags stand after the constants, of which another law may have fewer.
        before = model.systems[k].fitted.system
        rows = {before.delays[q].column: changed[row] for row, q in enumerate(before.fitted_lags, before.n_constant)}
        late = [system.delays[q] for q in system.fitted_lags]
        own = [rows.get(d.column, np.full(P.shape[1], d.lag)) for d in late]
        return system, np.vstack([changed[: system.n_constant], *own])

    def _with_law(
        self, model: ModelFields, system: System, state: str, text: str, places: Mapping[str, int | None]
    ) -> System | None:
        try:
            law = parse(right_hand_side(text, state, {}), variables=system.columns)
        except FormulaError as error:
            raise InputError(f'the law of "{state}" in do: {error}') from error
        own = []
        for slot in law.free:
            name = str(law.constants[slot].name)
            if name not in places:
                known = ", ".join((*system.columns, *places))
                raise InputError(f'the law of "{state}" in do has the unknown name "{name}"; it may use {known}')
            place = places[name]
            if place is None:
                return None
            own.append(place)
        at = system.states.index(state)
        of = list(system.of_constants)
        counts = [len(e.free) for e in system.equations]
        begin = sum(counts[:at])
        shared = (*of[:begin], *own, *of[begin + counts[at] :])
        values = law.values
        for slot, place in zip(law.free, own, strict=True):
            values[slot] = system.parameters[place]
        equations = (*system.equations[:at], law.with_values(values), *system.equations[at + 1 :])
        return system.with_equations(equations, shared)


def _find_law(system: System, name: str) -> str:
    """The state whose equation is the law of a state: with order 2 that of the speed of a measured one."""
    row = find_speeds(system).get(system.states.index(name))
    return name if row is None else system.states[row]


def _read_constant(name: str, value: Any, names: Sequence[str]) -> Expression:
    """A number, or a formula of constants."""
    if not isinstance(value, str):
        return Expression.constant(_number(name, value))
    wrong = f'do sets "{name}" to {value!r:.40}; give a number, or a formula of the constants {", ".join(names)}'
    try:
        found = parse(value, variables=names)
    except FormulaError as error:
        raise InputError(f"{wrong}: {error}") from error
    if found.free:
        raise InputError(wrong)
    return found


def _number(name: str, value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = float("nan")
    if not np.isfinite(found):
        raise InputError(f'do sets "{name}" to {value!r:.40}; give a number')
    return found


def _match_parameters(best: System, other: System) -> dict[int, int]:
    """For parameters of the likeliest system that another one has in an equation of the same form, the numbers there."""
    out: dict[int, int] = {}
    leaves = list_leaves(best)
    others = {(leaf.equation, leaf.slot): leaf.parameter for leaf in list_leaves(other)}
    same = [_form(e) == _form(f) for e, f in zip(best.equations, other.equations, strict=True)]
    for leaf in leaves:
        if same[leaf.equation]:
            out.setdefault(leaf.parameter, others[leaf.equation, leaf.slot])
    theirs = name_lags(other)
    return out | {row: theirs[column][1] for column, (_, row) in name_lags(best).items() if column in theirs}


def _form(e: Expression) -> tuple[object, ...]:
    """A formula without the values of its fitted numbers."""
    return e.code, e.variables, e.free, tuple(c.value for c in e.constants if not c.free)
