"""Laws among quantities: known ones as they hold for numbers in the units of the columns, and terms whose units fit.

A law that is stated, ``-g/L*sin(theta)``, holds for quantities, whatever their units. Where columns have units it is written
for numbers in these: fitted constants take up the factors, named ones are converted beforehand, and functions get exact
ones, as in ``sin(0.01745*theta)`` for theta in degrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypo.errors import KnowledgeError
from hypo.expression import operators as ops
from hypo.expression.analysis.dimension import DimensionReport, infer
from hypo.expression.expr import Expression
from hypo.kernels import opcodes as oc
from hypo.knowledge.knowledge import Knowledge
from hypo.knowledge.limits import NamedConstant
from hypo.knowledge.template import BoundTemplate
from hypo.report.units import write_powers
from hypo.search.table_units import Border, UnitNames
from hypo.units import BASE_UNITS, DIMENSIONLESS, Dimension, Unit, parse_unit, split_unit

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
    if law is None:
        return e
    units, named = knowledge.units, _named_in(e, knowledge)
    found = _dimensions_of(e, knowledge, law)
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


def _named_in(e: Expression, knowledge: Knowledge) -> dict[str, Unit]:
    names = {c.name for c in e.constants}
    return {name: c.unit for name, c in knowledge.constants.items() if name in names}


def _dimensions_of(e: Expression, knowledge: Knowledge, law: Unit | None) -> DimensionReport:
    units = knowledge.units
    columns = {name: units[name].dimension if name in units else DIMENSIONLESS for name in e.variables}
    named = {name: unit.dimension for name, unit in _named_in(e, knowledge).items()}
    return infer(e, columns, named, None if law is None else law.dimension)


def fits(form: BoundTemplate, knowledge: Knowledge, law: Unit | None) -> bool:
    """True where the units of a form fit, whatever those of its unknown functions, and where the law's unit is not known."""
    return law is None or not _dimensions_of(_with_stand_ins(form), knowledge, law).inconsistent


def _with_stand_ins(form: BoundTemplate) -> Expression:
    """A form with fitted constants in the place of its unknown functions."""
    return form.expression.substitute({n: Expression.constant(1.0, name=n, free=True) for n in form.unknowns})


def with_constants_like(knowledge: Knowledge, columns: Mapping[str, str]) -> Knowledge:
    """The knowledge with its named constants in units like those of ``columns``, by name: k in 1/min becomes 60 times as large,
    in 1/h, beside times in hours. A constant whose unit consists of names that columns have stays as it is.
    """
    if not columns or not knowledge.constants:
        return knowledge
    known = UnitNames.of(columns, knowledge.strict_angles).known
    parsed = {text: parse_unit(text, knowledge.strict_angles) for text in columns.values()}
    bases: dict[int, str] = {}
    for name, (dimension, _) in known.items():
        powers = [(k, p) for k, p in enumerate(dimension.exponents) if p]
        if len(powers) == 1 and powers[0][1] == 1:
            bases.setdefault(powers[0][0], name)
    constants = {}
    for name, c in knowledge.constants.items():
        unit = next((u for u in parsed.values() if u.dimension == c.unit.dimension), None)
        if unit is None:
            new = {bases.get(k, BASE_UNITS[k]): p for k, p in enumerate(c.unit.dimension.exponents) if p}
            unit = c.unit if set(split_unit(c.unit.text)) <= set(known) else parse_unit(write_powers(new))
        keeps = c.unit.dimension.is_dimensionless or unit.factor == c.unit.factor
        constants[name] = c if keeps else NamedConstant(_shortest(c.value * c.unit.factor / unit.factor), unit)
    return replace(knowledge, constants=constants)


def _shortest(value: float) -> float:
    """The number that a decimal text of 15 digits means: 60·0.005 is 0.3."""
    return float(f"{value:.15g}")


def form_in_units_of_columns(form: BoundTemplate, knowledge: Knowledge, law: Unit | None) -> BoundTemplate:
    """A form of a law with unknown functions, in the same way; these have any unit, as fitted constants have.

    Raises KnowledgeError like :func:`in_units_of_columns`.
    """
    e = in_units_of_columns(_with_stand_ins(form), knowledge, law, "[dynamics]")

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
