"""The operator table: everything hypo knows of an operator stands in its one row here.

Dimension rules (applied to the dimensions of the arguments u, v):
    ``same``        all arguments share a dimension, the result has it     (+, -, min, max)
    ``keep``        the result has the argument's dimension                (neg, abs)
    ``multiply``    dim(u)·dim(v)          ``divide``   dim(u)/dim(v)
    ``power``       dim(u)**v, v dimensionless, and a number unless u is dimensionless too
    ``scale``       dim(u)**exponent       (inv, square, cube, sqrt, cbrt: see ``exponent``)
    ``dimensionless``  argument and result are pure numbers (angles count as such unless kept apart)

``derivative`` holds one formula per argument in hypo's own syntax, in the arguments ``u``, ``v`` and the value ``w``.
``domain`` states where the real-valued operator is defined; elsewhere it is NaN (no protected operators).
``interval`` names the enclosure function in :mod:`hypo.expression.analysis.intervals`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from hypo.kernels import opcodes as oc


@dataclass(frozen=True)
class Operator:
    """One row of the table.

    ``plain``, ``latex`` and ``numpy`` are print forms with ``{0}`` and ``{1}`` for the arguments; ``precedence`` is that of
    the plain form's outermost operation (see the ``P_*`` levels), and a call form has the level of an atom.
    """

    name: str
    opcode: int
    arity: int
    plain: str
    latex: str
    numpy: str
    precedence: int
    domain: str
    dimension: str
    interval: str
    derivative: tuple[str, ...]
    exponent: Fraction | None = None
    commutative: bool = False


P_SUM, P_PRODUCT, P_UNARY, P_POWER, P_ATOM = 1, 2, 3, 4, 5


def _call(
    name: str,
    code: int,
    derivative: str,
    *,
    domain: str = "all",
    dimension: str = "dimensionless",
    latex: str | None = None,
    numpy: str | None = None,
    exponent: Fraction | None = None,
) -> Operator:
    return Operator(
        name=name,
        opcode=code,
        arity=1,
        plain=f"{name}({{0}})",
        latex=latex or rf"\{name}\left({{0}}\right)",
        numpy=f"np.{numpy or name}({{0}})",
        precedence=P_ATOM,
        domain=domain,
        dimension=dimension,
        interval=name,
        derivative=(derivative,),
        exponent=exponent,
    )


OPERATORS: tuple[Operator, ...] = (
    Operator("neg", oc.NEG, 1, "-{0}", "-{0}", "-{0}", P_UNARY, "all", "keep", "neg", ("-1",)),
    Operator(
        "inv",
        oc.INV,
        1,
        "1/{0}",
        r"\frac{{1}}{{{0}}}",
        "1.0/{0}",
        P_PRODUCT,
        "u != 0",
        "scale",
        "inv",
        ("-w**2",),
        Fraction(-1),
    ),
    Operator(
        "square",
        oc.SQUARE,
        1,
        "{0}**2",
        "{{{0}}}^{{2}}",
        "{0}**2",
        P_POWER,
        "all",
        "scale",
        "square",
        ("2*u",),
        Fraction(2),
    ),
    Operator(
        "cube",
        oc.CUBE,
        1,
        "{0}**3",
        "{{{0}}}^{{3}}",
        "{0}**3",
        P_POWER,
        "all",
        "scale",
        "cube",
        ("3*u**2",),
        Fraction(3),
    ),
    _call(
        "sqrt", oc.SQRT, "1/(2*w)", domain="u >= 0", dimension="scale", latex=r"\sqrt{{{0}}}", exponent=Fraction(1, 2)
    ),
    _call("cbrt", oc.CBRT, "1/(3*w**2)", dimension="scale", latex=r"\sqrt[3]{{{0}}}", exponent=Fraction(1, 3)),
    _call("exp", oc.EXP, "w"),
    _call("log", oc.LOG, "1/u", domain="u > 0"),
    _call("sin", oc.SIN, "cos(u)"),
    _call("cos", oc.COS, "-sin(u)"),
    _call("tan", oc.TAN, "1 + w**2", domain="cos(u) != 0"),
    _call("tanh", oc.TANH, "1 - w**2"),
    _call("sinh", oc.SINH, "cosh(u)"),
    _call("cosh", oc.COSH, "sinh(u)"),
    _call("asin", oc.ASIN, "1/sqrt(1 - u**2)", domain="-1 <= u <= 1", latex=r"\arcsin\left({0}\right)", numpy="arcsin"),
    _call(
        "acos", oc.ACOS, "-1/sqrt(1 - u**2)", domain="-1 <= u <= 1", latex=r"\arccos\left({0}\right)", numpy="arccos"
    ),
    _call("atan", oc.ATAN, "1/(1 + u**2)", latex=r"\arctan\left({0}\right)", numpy="arctan"),
    _call("abs", oc.ABS, "u/w", dimension="keep", latex=r"\left|{0}\right|"),
    Operator(
        "+", oc.ADD, 2, "{0} + {1}", "{0} + {1}", "{0} + {1}", P_SUM, "all", "same", "add", ("1", "1"), commutative=True
    ),
    Operator("-", oc.SUB, 2, "{0} - {1}", "{0} - {1}", "{0} - {1}", P_SUM, "all", "same", "sub", ("1", "-1")),
    Operator(
        "*",
        oc.MUL,
        2,
        "{0}*{1}",
        r"{0} \cdot {1}",
        "{0}*{1}",
        P_PRODUCT,
        "all",
        "multiply",
        "mul",
        ("v", "u"),
        commutative=True,
    ),
    Operator(
        "/",
        oc.DIV,
        2,
        "{0}/{1}",
        r"\frac{{{0}}}{{{1}}}",
        "{0}/{1}",
        P_PRODUCT,
        "v != 0",
        "divide",
        "div",
        ("1/v", "-w/v"),
    ),
    Operator(
        "**",
        oc.POW,
        2,
        "{0}**{1}",
        "{{{0}}}^{{{1}}}",
        "{0}**{1}",
        P_POWER,
        "u > 0, or u = 0 and v > 0, or v a whole number",
        "power",
        "pow",
        ("v*u**(v - 1)", "w*log(u)"),
    ),
    Operator(
        "min",
        oc.MIN,
        2,
        "min({0}, {1})",
        r"\min\left({0}, {1}\right)",
        "np.minimum({0}, {1})",
        P_ATOM,
        "all",
        "same",
        "min",
        ("(1 - (u - v)/abs(u - v))/2", "(1 + (u - v)/abs(u - v))/2"),
        commutative=True,
    ),
    Operator(
        "max",
        oc.MAX,
        2,
        "max({0}, {1})",
        r"\max\left({0}, {1}\right)",
        "np.maximum({0}, {1})",
        P_ATOM,
        "all",
        "same",
        "max",
        ("(1 + (u - v)/abs(u - v))/2", "(1 - (u - v)/abs(u - v))/2"),
        commutative=True,
    ),
)

BY_NAME: dict[str, Operator] = {row.name: row for row in OPERATORS}

T = TypeVar("T")


class ByOpcode(dict[int, T]):
    """A table of operators, by opcode. Asked for one that is missing it names it: there are no silent defaults."""

    def __init__(self, what: str, known: Mapping[int, T]) -> None:
        super().__init__(known)
        self.what = what

    def __missing__(self, opcode: int) -> T:
        raise unknown(opcode, self.what)


def unknown(opcode: int, what: str) -> NotImplementedError:
    """The error that ``what`` has no case for an operator."""
    row = BY_OPCODE.get(opcode)
    return NotImplementedError(
        f"{what} has no case for the operator {row.name!r}; add it there"
        if row
        else f"{what} has no case for the opcode {opcode}, which is none of the operator table"
    )


BY_OPCODE: ByOpcode[Operator] = ByOpcode("the operator table", {row.opcode: row for row in OPERATORS})
TRANSCENDENTAL: tuple[Operator, ...] = tuple(r for r in OPERATORS if r.arity == 1 and r.dimension == "dimensionless")

# Spellings users bring from other tools; the table's own names are listed in OPERATORS.
ALIASES: dict[str, str] = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "mult": "*",
    "div": "/",
    "pow": "**",
    "^": "**",
    "ln": "log",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "minimum": "min",
    "maximum": "max",
    "reciprocal": "inv",
    "Abs": "abs",
}


def lookup(name: str) -> Operator | None:
    """The table row for a name or one of its aliases, or None."""
    return BY_NAME.get(ALIASES.get(name, name))
