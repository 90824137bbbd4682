"""The seeds of libraries: variables and named constants, or dimensionless groups of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc
from hypo.problem.problem import Settings
from hypo.search.library.context import Context
from hypo.search.library.library import Library, Seed
from hypo.search.library.pi_groups import monomials
from hypo.units import Dimension

# Groups of cost 1; the others cost 2.
CHEAP_GROUPS = 4
# The most differences of variables among the leaves.
MOST_DIFFERENCES = 8
# Groups taken as seeds.
MOST_GROUPS = 16
# Products of powers that carry the target's dimension.
MOST_LEADS = 12
# Numbers that stand beside a pure number inside a function, and their cost: half and double angles, turns, quanta of h/2π.
INNER_NUMBERS = {"2": 3, "1/2": 3, "2*pi": 4, "1/(2*pi)": 4}


@dataclass(frozen=True)
class Leaves:
    """Formulas that groups are made of, with their racing rows and exact dimensions."""

    formulas: list[Expression]
    rows: list[NDArray[np.float64]]
    dimensions: list[tuple[Fraction | int, ...]]


def plain_library(ctx: Context, settings: Settings, lines: Sequence[int], inner_numbers: bool = False) -> Library:
    """A library over the variables in ``lines``, the named constants and the number 1, with ``inner_numbers`` also over
    :data:`INNER_NUMBERS` times a variable."""
    p, X = ctx.problem, ctx.X[:, ctx.probe]
    seeds = [Seed(Expression.variable(p.columns[i]), 1, X[i], p.packed(p.columns[i])) for i in lines]
    ones = np.ones(ctx.n_probe)
    for name, value in p.constants.items():
        seeds.append(Seed(Expression.constant(value, name=name), 1, value * ones, p.packed(name)))
    if settings.fit_constants:
        seeds.append(Seed(Expression.constant(1.0), 1, ones))
    if inner_numbers:
        seeds += _with_inner_numbers(seeds[: min(len(lines), CHEAP_GROUPS)])
    return _library(ctx, seeds, settings)


def group_library(ctx: Context, settings: Settings, lines: Sequence[int], differences: bool = True) -> Library | None:
    """A library over dimensionless products of powers (Buckingham's π groups) of the variables and, unless told otherwise,
    their ``differences``; None when there are too few."""
    leaves = _leaves(ctx, lines)
    if differences:
        _add_differences(leaves)
    seeds = [Seed(Expression.constant(1.0), 1, np.ones(ctx.n_probe))]
    for exponents, e in monomials(leaves.formulas, leaves.dimensions, None, limit=MOST_GROUPS):
        values = np.prod([leaves.rows[k] ** q for k, q in enumerate(exponents) if q], axis=0)
        if np.all(np.isfinite(values)):
            seeds.append(Seed(e, 1 if len(seeds) <= CHEAP_GROUPS else 2, values[ctx.probe]))
    if len(seeds) < 2:
        return None
    seeds += _with_inner_numbers(seeds[1 : CHEAP_GROUPS + 1])
    return _library(ctx, seeds, settings)


def _with_inner_numbers(seeds: Sequence[Seed]) -> list[Seed]:
    out: list[Seed] = []
    for seed in seeds:
        for text, cost in INNER_NUMBERS.items():
            number = parse(text)
            value = Program.of(number, ()).value(np.empty((0, 1)))[0]
            out.append(Seed(number * seed.expression, cost, value * seed.values, seed.dimension))
    return out


def leads(ctx: Context, lines: Sequence[int], dimension: Dimension) -> list[Expression]:
    """A few products of powers of the given dimension, simplest first; roots of such products where there are none."""
    leaves = _leaves(ctx, lines)
    carrying = [k for k, d in enumerate(leaves.dimensions) if any(d)]
    formulas = [leaves.formulas[k] for k in carrying]
    dimensions = [leaves.dimensions[k] for k in carrying]
    if not formulas:
        return []
    found = [e for _, e in monomials(formulas, dimensions, dimension.exponents, limit=MOST_LEADS)]
    if found or dimension.is_dimensionless:
        return found
    squares = monomials(formulas, dimensions, (dimension**2).exponents, limit=MOST_LEADS)
    return [Expression.apply("sqrt", e) for _, e in squares]


def _library(ctx: Context, seeds: list[Seed], settings: Settings) -> Library:
    p = ctx.problem
    return ctx.workers.make_library(
        seeds,
        p.enumerated,
        p.columns,
        forbid=nesting_masks(p.nesting),
        dimension_layout=p.dimension_layout,
        seed=settings.seed,
        value_ranges=p.value_ranges if p.value_ranges is not None and p.value_ranges.columns == p.columns else None,
    )


def nesting_masks(nesting: Mapping[str, Sequence[str]]) -> NDArray[np.int64]:
    """For each opcode the mask of opcodes that may not occur below it."""
    masks = np.zeros(oc.N_OPCODE, np.int64)
    for outer, inner in nesting.items():
        for name in inner:
            masks[ops.BY_NAME[outer].opcode] |= 1 << ops.BY_NAME[name].opcode
    return masks


def _leaves(ctx: Context, lines: Sequence[int]) -> Leaves:
    p = ctx.problem
    columns = [p.columns[i] for i in lines]
    formulas = [Expression.variable(n) for n in columns]
    formulas += [Expression.constant(v, name=n) for n, v in p.constants.items()]
    rows = [ctx.X[i] for i in lines] + [np.full(len(ctx.y), v) for v in p.constants.values()]
    pure = (0,) * 8
    dimensions = [p.dimensions[n].exponents if n in p.dimensions else pure for n in (*columns, *p.constants)]
    return Leaves(formulas, rows, list(dimensions))


def _add_differences(leaves: Leaves) -> None:
    """Differences of two variables of one dimension join the leaves: laws that do not change under a common shift."""
    n = len(leaves.formulas)
    pairs = [
        (i, j)
        for i in range(n)
        for j in range(i + 1, n)
        if leaves.dimensions[i] == leaves.dimensions[j]
        and leaves.formulas[i].variables
        and leaves.formulas[j].variables
    ]
    for i, j in pairs[:MOST_DIFFERENCES]:
        if np.all(leaves.rows[i] != leaves.rows[j]):
            leaves.formulas.append(leaves.formulas[i] - leaves.formulas[j])
            leaves.rows.append(leaves.rows[i] - leaves.rows[j])
            leaves.dimensions.append(leaves.dimensions[i])
