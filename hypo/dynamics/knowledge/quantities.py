"""Laws among quantities: known ones as they hold for numbers in the units of the columns, and terms whose units fit.

A law that is stated, ``-g/L*sin(theta)``, holds for quantities, whatever their units. Where columns have units it is written
for numbers in these: fitted constants take up the factors, named ones and functions get exact ones, as in ``-60*k*n`` for k in
1/min and time in hours, and ``sin(0.01745*theta)`` for theta in degrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypo.errors import KnowledgeError
from hypo.expression import operators as ops
from hypo.expression.analysis.dimension import infer
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.knowledge.knowledge import Knowledge
from hypo.knowledge.template import BoundTemplate
from hypo.search.table_units import Border
from hypo.units import DIMENSIONLESS, Dimension, Unit

# A name for the value of a law that no column has.
_VALUE = ""


def values_of(knowledge: Knowledge) -> dict[str, float]:
    """The values of the named constants, each in its own unit."""
    return {name: c.value for name, c in knowledge.constants.items()}


def in_units_of_columns(e: Expression, knowledge: Knowledge, law: Unit | None, where: str) -> Expression:
    """A law of quantities, named constants in their own units, for numbers in the units of the columns.

    As it is where the unit of its value is not known, and where units do not fit and no named constant has one: then exact
    numbers in it stand for what has units.

    Args:
        e: the law.
        knowledge: of the columns' units and of the named constants.
        law: the unit of the law's value; None: not known.
        where: the place in ``knowledge``, for messages.

    Raises:
        KnowledgeError: the units do not fit, and a named constant has one.
    """
    units = knowledge.units
    if law is None:
        return e
    named = {name: c.unit for name, c in knowledge.constants.items() if name in {k.name for k in e.constants}}
    found = infer(
        e,
        {name: units[name].dimension if name in units else DIMENSIONLESS for name in e.variables},
        {name: unit.dimension for name, unit in named.items()},
        law.dimension,
    )
    if found.inconsistent:
        if any(not unit.dimension.is_dimensionless for unit in named.values()):
            raise KnowledgeError(f"{knowledge.source}: {where}: {found.messages[0]}; mend the law or the units")
        return e
    texts = {name: units[name].text if name in units else "1" for name in e.variables}
    texts |= {name: unit.text for name, unit in named.items()}
    border = Border.between(
        {**texts, _VALUE: law.text}, _VALUE, {n: knowledge.constants[n].value for n in named}, True, True
    )
    # Fitted constants begin at 1 whatever their unit.
    free = {c.name: c.value for c in e.constants if c.free}
    out = border.formula(e)
    return replace(
        out, constants=tuple(replace(c, value=free.get(c.name, c.value)) if c.free else c for c in out.constants)
    )


def form_in_units_of_columns(form: BoundTemplate, knowledge: Knowledge, law: Unit | None) -> BoundTemplate:
    """A form of a law with unknown functions, in the same way; these have any unit, as fitted constants have.

    Raises KnowledgeError like :func:`in_units_of_columns`.
    """
    stand_ins = {name: Expression.constant(1.0, name=name, free=True) for name in form.unknowns}
    e = in_units_of_columns(form.expression.substitute(stand_ins), knowledge, law, "[dynamics]")

    def leaf_at(_: int, leaf: Expression) -> Expression:
        name = leaf.constants[0].name if leaf.constants else None
        return Expression.variable(name) if name is not None and name in form.unknowns else leaf

    return replace(form, expression=e.rebuilt(leaf_at))


def among_quantities(e: Expression, units: Mapping[str, Unit]) -> Expression | None:
    """A term as it stands among quantities: the argument of a logarithm has a fitted factor, and that of a function of a pure
    number an exact one where columns are in degrees or percent. None where the units do not fit all the same.

    Args:
        e: the term, for columns without units.
        units: of the columns, as far as they are known.
    """
    used = {name: units[name] for name in e.variables if name in units}
    if all(u.dimension.is_dimensionless and u.factor == 1.0 for u in used.values()):
        return e
    dimensions = {name: u.dimension for name, u in used.items()} | {
        name: DIMENSIONLESS for name in e.variables if name not in used
    }
    out = _within(e, used, dimensions)
    return None if infer(out, dimensions).inconsistent else out


def _within(e: Expression, units: Mapping[str, Unit], dimensions: Mapping[str, Dimension]) -> Expression:
    """``e`` with factors in the arguments of its functions."""
    if not e.children:
        return e
    parts = [_within(c, units, dimensions) for c in e.children]
    row = ops.BY_OPCODE[e.root]
    if e.root == oc.LOG and infer(e, dimensions).inconsistent:
        parts = [Expression.constant(1.0, free=True) * parts[0]]
    elif row.is_transcendental and e.root != oc.LOG and not parts[0].free:
        pure = {n: u.factor for n, u in units.items() if u.dimension.is_dimensionless and u.factor != 1.0}
        parts = [
            p.substitute({n: Expression.constant(f) * Expression.variable(n) for n, f in pure.items()}) for p in parts
        ]
    return Expression.join(e.root, parts)
