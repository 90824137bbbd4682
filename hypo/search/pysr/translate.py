"""The questions to PySR, in its own terms, and its answers in ours: data, operators, rules, units, seeds; formulas back.

Columns go by neutral names (x1, x2, …), because PySR refuses names such as ``S`` or ``beta``. A named constant of the
knowledge is a column that does not vary, and under a template (:mod:`hypo.search.pysr.template`) a number. What PySR has no
word for is left to our score and rules.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypo.errors import FormulaError
from hypo.expression import operators as ops
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.kernels import opcodes as oc
from hypo.problem.exact import EXACT
from hypo.problem.problem import Problem, Settings
from hypo.search.pysr.template import PySRTemplate
from hypo.units import BASE_UNITS, DIMENSIONLESS, Dimension

# PySR accepts no smaller limit on the size of formulas.
LEAST_SIZE = 7
# PySR counts rounds; the engine's clock and patience end its search, not these.
ROUNDS = 1_000_000
# What a wrong unit adds to PySR's loss, in mean squares of the target: more than any residual.
PENALTY = 1e5


@dataclass(frozen=True)
class Task:
    """One search for PySR: ``model`` are arguments of PySRRegressor and ``fit`` of its fit, both plain JSON values; ``X``
    (n_row, n_col), ``y`` and ``weights`` (n_row,); ``leaves`` are our leaves by PySR's names of the columns of X; ``form`` is
    that of all its formulas, if one is prescribed."""

    model: dict[str, Any]
    fit: dict[str, Any]
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    weights: NDArray[np.float64] | None
    leaves: Mapping[str, Expression]
    fit_constants: bool
    form: PySRTemplate | None = None

    def read(self, text: str) -> Expression | None:
        """A formula of PySR's hall of fame, its numbers free; None when it cannot be read, as half a line cannot."""
        return self._formula(text) if self.form is None else self.form.read(text, self._formula)

    def _formula(self, text: str) -> Expression | None:
        try:
            e = parse(text, variables=self.leaves)
        except FormulaError:
            return None
        if any(c.name is not None and c.free for c in e.constants):
            return None  # NaN and Inf look like names of constants
        e = e.substitute(self.leaves)
        if not self.fit_constants:
            return e
        return replace(e, constants=tuple(replace(c, free=True) if c.is_literal else c for c in e.constants))


def translate(problem: Problem, settings: Settings, threads: int, guesses: Collection[Expression] = ()) -> Task:
    """The search ``problem`` in PySR's terms; ``guesses`` whose operators PySR was not given, or that have
    not the prescribed form, are left out.

    With one thread PySR is asked to be deterministic.
    """
    form = None if problem.template is None else PySRTemplate(problem.template, problem.columns)
    named = problem.constants if form is None else {}
    values = [*problem.X, *(np.full(len(problem.y), v) for v in named.values())]
    own = [Expression.variable(n) for n in problem.columns]
    own += [Expression.constant(v, name=n) for n, v in named.items()]
    leaves = {f"x{k}": leaf for k, leaf in enumerate(own, start=1)}
    operators = _operators(problem)
    root = problem.gaussian.root_weights
    weights = None if root is None else root**2
    square = float(np.average(problem.y**2, weights=weights)) or 1.0

    def seed(e: Expression) -> str | dict[str, Any] | None:
        return (
            write_seed(e, leaves, operators)
            if form is None
            else form.guess(e, lambda part: write_seed(part, leaves, operators))
        )

    seeds = [text for e in guesses if (text := seed(e)) is not None]
    has_units = problem.has_units and form is None
    nesting = _nesting(problem, operators)
    costs = {_spell(n): w for n, w in settings.complexity_weights.items() if n in operators}
    model: dict[str, Any] = {
        "binary_operators": [_spell(n) for n in operators if ops.BY_NAME[n].arity == 2],
        "unary_operators": [_spell(n) for n in operators if ops.BY_NAME[n].arity == 1],
        "maxsize": max(LEAST_SIZE, int(problem.max_complexity) - (0 if form is None else form.own_size)),
        "niterations": ROUNDS,
        # Exponents are a number or a variable; anything else makes PySR slow.
        "constraints": {"^": [-1, 1]} if "**" in operators else None,
        "nested_constraints": nesting or None,
        "complexity_of_operators": costs or None,
        "dimensional_constraint_penalty": PENALTY * square if has_units else None,
        "dimensionless_constants_only": False,
        "should_optimize_constants": settings.fit_constants,
        "early_stop_condition": EXACT**2 * square if problem.likelihood.exact else None,
        "guesses": seeds or None,
        "precision": 64,
        "random_state": settings.seed % 2**32,
        "deterministic": threads == 1,
        "parallelism": "serial" if threads == 1 else "multithreading",
        "progress": False,
        "verbosity": 0,
    }
    dimensions = [problem.dimensions.get(n, DIMENSIONLESS) for n in (*problem.columns, *named)]
    target = problem.target_dimension
    fit = {
        "variable_names": list(leaves),
        "X_units": [unit_text(d) for d in dimensions] if has_units else None,
        "y_units": unit_text(target) if has_units and target is not None else None,
    }
    return Task(model, fit, np.column_stack(values), problem.y, weights, leaves, settings.fit_constants, form)


def _operators(problem: Problem) -> tuple[str, ...]:
    """The operators that the library enumerates, and powers where they are allowed; the other short forms PySR can build
    itself."""
    wanted = {*problem.enumerated, "**"} & problem.allowed
    return tuple(n for n, row in ops.BY_NAME.items() if n in wanted and row.julia is not None)


def _spell(name: str) -> str:
    return ops.BY_NAME[name].julia or name


def _nesting(problem: Problem, operators: Collection[str]) -> dict[str, dict[str, int]]:
    """``{outer: {inner: 0}}`` for what the knowledge bans inside of what."""
    banned = {
        _spell(outer): {_spell(n): 0 for n in inner if n in operators}
        for outer, inner in problem.knowledge.nesting.items()
        if outer in operators
    }
    return {outer: inner for outer, inner in banned.items() if inner}


def unit_text(d: Dimension) -> str:
    """A dimension in SI units as DynamicQuantities reads them, ``m*s^-2``; empty for a pure number, which angles are there."""
    parts = []
    for unit, exponent in zip(BASE_UNITS, d.exponents, strict=True):
        if exponent and unit != "rad":
            power = str(exponent) if exponent.denominator == 1 else repr(float(exponent))
            parts.append(unit if exponent == 1 else f"{unit}^{power}")
    return "*".join(parts)


def write_seed(e: Expression, leaves: Mapping[str, Expression], operators: Collection[str]) -> str | None:
    """A formula in Julia's syntax with PySR's names and ``operators``, or None where these do not reach.

    Short forms that PySR was not given are spelled out. Every operation has its brackets: Julia reads ``a + b + c`` as one
    call of three arguments, which PySR would refuse.
    """
    names = {str(leaf): name for name, leaf in leaves.items()}
    stack: list[str] = []
    for op, arg in e.code:
        if op == oc.VAR:
            stack.append(names[e.variables[arg]])
        elif op == oc.CONST:
            c = e.constants[arg]
            stack.append(names.get(c.name or "", repr(c.value)))
        else:
            row = ops.BY_OPCODE[op]
            args = [stack.pop() for _ in range(row.arity)][::-1]
            text = _call(row.name, args, operators)
            if text is None:
                return None
            stack.append(text)
    return stack[0]


def _call(name: str, args: list[str], operators: Collection[str]) -> str | None:
    row = ops.BY_NAME[name]
    if name in operators:
        # As a call, which PySR reads of every function that it was given.
        form = row.julia_text if row.arity == 2 else f"{row.julia}({{0}})"
        return form.format(*args)
    for needed, form in row.written_out:
        if needed in operators:
            return form.format(*args)
    return None
