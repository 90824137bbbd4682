"""The operator table: everything hypo knows of an operator stands in its one row here.

Other modules read the row and have no lists of operators of their own; the kernels have a case for each (values and slopes, in
:mod:`hypo.kernels.cpu.operators` and :mod:`hypo.kernels.gpu.operators`). Users add rows with :class:`hypo.Operator`.

Dimension rules (applied to the dimensions of the arguments u, v):
    ``same``        all arguments share a dimension, the result has it     (+, -, min, max)
    ``keep``        the result has the argument's dimension                (neg, abs)
    ``multiply``    dim(u)·dim(v)          ``divide``   dim(u)/dim(v)
    ``power``       dim(u)**v, v dimensionless, and a number unless u is dimensionless too
    ``scale``       dim(u)**exponent       (inv, square, cube, sqrt, cbrt: see ``exponent``)
    ``dimensionless``  argument and result are pure numbers (angles count as such unless kept apart)
    a function      of the argument's dimension, which returns that of the value, None for one it does not take (users')
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

from hypo.errors import InputError
from hypo.kernels import opcodes as oc
from hypo.plugins import find_offers, load, name_packages

GROUP = "hypo.operators"
"""The entry point group of packages that offer operators."""

# How tightly the outermost operation of a text binds, loosest first.
P_SUM = 1
P_PRODUCT = 2
P_UNARY = 3
P_POWER = 4
P_ATOM = 5

# The sign of f(-u)/f(u).
EVEN = 1
ODD = -1


@dataclass(frozen=True)
class OperatorRow:
    """One row of the table.

    Printing:
        ``plain``, ``latex`` and ``numpy`` are print forms with ``{0}`` and ``{1}`` for the arguments; ``precedence`` is that of
        the plain form's outermost operation (see the ``P_*`` levels), and a call form has the level of an atom. ``least`` are
        the levels that arguments need to stand without brackets, nothing for a call. ``sympy`` is the name of a function of
        sympy, None where arithmetic does.
    PySR:
        ``julia`` is its name there, None where it has none; ``julia_form`` the print form in Julia if that is no call, without
        whole powers, which Julia would take for another operation; ``written_out`` are pairs of another operator and the form
        that writes this one with it.
    Calculus:
        ``domain`` states where the real-valued operator is defined; elsewhere it is NaN (no protected operators).
        ``number`` is its value on plain numbers; it may raise ValueError, ZeroDivisionError or OverflowError.
        ``interval`` names the enclosure function in :mod:`hypo.expression.analysis.intervals`, or is one.
        ``derivative`` holds one formula per argument in hypo's own syntax, in the arguments ``u``, ``v`` and the value ``w``.
        ``inverse`` undoes a function of one argument, on arrays (one branch of it where there are several).
        ``parity`` is EVEN, ODD or 0; ``zero`` and ``one`` are exact values at 0 and at 1, where they are rational.
        ``is_wave`` says that the argument is an angle; ``is_circular`` that the argument or the value is one;
        ``is_analytic`` that there are neither corners nor branch points wherever it is defined.
    Grammar:
        ``sources`` are operators with any of which the formula of a short form can be written out; ``is_default`` says that it
        may be used where a user names no operators, ``is_enumerated`` that it then makes library members too; ``frequency``
        is how often evolution draws it, relative to the others.
    """

    name: str
    opcode: int
    arity: int
    plain: str
    latex: str
    numpy: str
    precedence: int
    domain: str
    dimension: str | Callable[[Any], Any]
    interval: str | Callable[..., Any]
    derivative: tuple[str, ...]
    exponent: Fraction | None = None
    commutative: bool = False
    least: tuple[int, ...] = ()
    number: Callable[..., float] | None = None
    inverse: str | None = None
    parity: int = 0
    zero: int | None = None
    one: int | None = None
    is_wave: bool = False
    is_circular: bool = False
    is_analytic: bool = False
    sympy: str | None = None
    julia: str | None = None
    julia_form: str = ""
    written_out: tuple[tuple[str, str], ...] = ()
    sources: tuple[str, ...] = ()
    is_default: bool = False
    is_enumerated: bool = False
    frequency: float = 0.4

    @property
    def julia_text(self) -> str:
        """The print form in Julia, every operation in brackets."""
        return self.julia_form or f"{self.julia}({', '.join(('{0}', '{1}')[: self.arity])})"

    @property
    def is_limited(self) -> bool:
        """True if there are arguments at which it is undefined."""
        return self.domain != "all"

    @property
    def is_transcendental(self) -> bool:
        """True for functions of a pure number."""
        return self.arity == 1 and self.dimension == "dimensionless"


def _function(name: str, opcode: int, derivative: str, **more: Any) -> OperatorRow:
    """A function of one argument, written as a call."""
    numpy = more.pop("numpy", name)
    row: dict[str, Any] = {
        "plain": f"{name}({{0}})",
        "latex": rf"\{name}\left({{0}}\right)",
        "domain": "all",
        "dimension": "dimensionless",
        "interval": name,
        "sympy": name,
        "julia": name,
        **more,
    }
    return OperatorRow(name, opcode, 1, numpy=f"np.{numpy}({{0}})", precedence=P_ATOM, derivative=(derivative,), **row)


def _short_form(
    name: str, opcode: int, form: str, derivative: str, sources: tuple[str, ...], **more: Any
) -> OperatorRow:
    """A function of one argument, written with a sign of arithmetic: the same in Python, NumPy and the plain form."""
    row: dict[str, Any] = {"plain": form, "numpy": form, "domain": "all", "interval": name, "julia": name, **more}
    return OperatorRow(name, opcode, 1, derivative=(derivative,), sources=sources, **row)


def _arithmetic(sign: str, opcode: int, interval: str, derivative: tuple[str, str], **more: Any) -> OperatorRow:
    """An operation between its two arguments."""
    row: dict[str, Any] = {"plain": f"{{0}}{sign}{{1}}", "domain": "all", "julia": sign, "is_default": True, **more}
    row = {"latex": row["plain"], "numpy": row["plain"], "is_analytic": True, **row}
    row["julia_form"] = f"({{0}} {row['julia']} {{1}})"
    return OperatorRow(sign, opcode, 2, interval=interval, derivative=derivative, **row)


def _choice(name: str, opcode: int, derivative: tuple[str, str], number: Callable[..., float]) -> OperatorRow:
    """The one or the other of two arguments."""
    return OperatorRow(
        name, opcode, 2, f"{name}({{0}}, {{1}})", rf"\{name}\left({{0}}, {{1}}\right)", f"np.{name}imum({{0}}, {{1}})",
        P_ATOM, "all", "same", name, derivative, commutative=True, number=number, sympy=name.capitalize(), julia=name,
        frequency=1.0,
    )  # fmt: skip


OPERATORS: tuple[OperatorRow, ...] = (
    _short_form(
        "neg", oc.NEG, "-{0}", "-1", ("-",), latex="-{0}", julia_form="(-{0})",
        written_out=(("*", "(-1.0 * {0})"), ("-", "(0.0 - {0})")), precedence=P_UNARY, least=(P_POWER,), dimension="keep",
        number=lambda u: -u, inverse="negative", is_analytic=True, is_default=True, frequency=0.1,
    ),
    _short_form(
        "inv", oc.INV, "1/{0}", "-w**2", ("/",), latex=r"\frac{{1}}{{{0}}}", julia_form="(1.0 / {0})",
        written_out=(("/", "(1.0 / {0})"), ("**", "({0} ^ -1.0)")), numpy="1.0/{0}", precedence=P_PRODUCT,
        least=(P_POWER,), domain="u != 0", dimension="scale", exponent=Fraction(-1), number=lambda u: 1 / u,
        inverse="reciprocal", is_analytic=True, is_default=True, is_enumerated=True, frequency=0.7,
    ),
    _short_form(
        "square", oc.SQUARE, "{0}**2", "2*u", ("*", "**"), latex="{{{0}}}^{{2}}", julia_form="({0} ^ 2.0)",
        written_out=(("*", "({0} * {0})"), ("**", "({0} ^ 2.0)")), precedence=P_POWER, least=(P_ATOM,),
        dimension="scale", exponent=Fraction(2), number=lambda u: u * u, inverse="sqrt", is_analytic=True, is_default=True,
        is_enumerated=True, frequency=1.0,
    ),
    _short_form(
        "cube", oc.CUBE, "{0}**3", "3*u**2", ("*", "**"), latex="{{{0}}}^{{3}}", julia_form="({0} ^ 3.0)",
        written_out=(("*", "(({0} * {0}) * {0})"), ("**", "({0} ^ 3.0)")), precedence=P_POWER, least=(P_ATOM,),
        dimension="scale", exponent=Fraction(3), number=lambda u: u * u * u, inverse="cbrt", is_analytic=True,
        is_default=True,
    ),
    _function(
        "sqrt", oc.SQRT, "1/(2*w)", domain="u >= 0", dimension="scale", exponent=Fraction(1, 2), latex=r"\sqrt{{{0}}}",
        written_out=(("**", "({0} ^ 0.5)"),),
        number=math.sqrt, inverse="square", is_default=True, is_enumerated=True, frequency=0.7,
    ),
    _function(
        "cbrt", oc.CBRT, "1/(3*w**2)", dimension="scale", exponent=Fraction(1, 3), latex=r"\sqrt[3]{{{0}}}",
        number=math.cbrt, inverse="cube", sympy=None, sources=("**",),
    ),
    _function(
        "exp", oc.EXP, "w", number=math.exp, inverse="log", zero=1, is_analytic=True, is_default=True, is_enumerated=True,
        frequency=1.0,
    ),
    _function(
        "log", oc.LOG, "1/u", domain="u > 0", number=math.log, inverse="exp", one=0, is_analytic=True, is_default=True,
        is_enumerated=True, frequency=1.0,
    ),
    _function(
        "sin", oc.SIN, "cos(u)", number=math.sin, parity=ODD, zero=0, is_wave=True, is_circular=True, is_analytic=True,
        is_default=True, is_enumerated=True, frequency=1.0,
    ),
    _function(
        "cos", oc.COS, "-sin(u)", number=math.cos, parity=EVEN, zero=1, is_wave=True, is_circular=True, is_analytic=True,
        is_default=True, is_enumerated=True, frequency=1.0,
    ),
    _function(
        "tan", oc.TAN, "1 + w**2", domain="cos(u) != 0", number=math.tan, parity=ODD, zero=0, is_wave=True,
        is_circular=True, is_analytic=True,
    ),
    _function(
        "tanh", oc.TANH, "1 - w**2", number=math.tanh, inverse="arctanh", parity=ODD, zero=0, is_analytic=True,
        is_default=True, is_enumerated=True,
    ),
    _function("sinh", oc.SINH, "cosh(u)", number=math.sinh, inverse="arcsinh", parity=ODD, zero=0, is_analytic=True),
    _function("cosh", oc.COSH, "sinh(u)", number=math.cosh, parity=EVEN, zero=1, is_analytic=True),
    _function(
        "asin", oc.ASIN, "1/sqrt(1 - u**2)", domain="-1 <= u <= 1", latex=r"\arcsin\left({0}\right)", numpy="arcsin",
        number=math.asin, inverse="sin", parity=ODD, zero=0, is_circular=True, is_default=True, frequency=0.1,
    ),
    _function(
        "acos", oc.ACOS, "-1/sqrt(1 - u**2)", domain="-1 <= u <= 1", latex=r"\arccos\left({0}\right)", numpy="arccos",
        number=math.acos, one=0, is_circular=True, is_default=True, frequency=0.1,
    ),
    _function(
        "atan", oc.ATAN, "1/(1 + u**2)", latex=r"\arctan\left({0}\right)", numpy="arctan", number=math.atan, inverse="tan",
        parity=ODD, zero=0, is_circular=True, is_analytic=True,
    ),
    _function(
        "abs", oc.ABS, "u/w", dimension="keep", latex=r"\left|{0}\right|", number=abs, inverse="positive", sympy="Abs",
        parity=EVEN, frequency=1.0,
    ),
    _arithmetic(
        "+", oc.ADD, "add", ("1", "1"), plain="{0} + {1}", precedence=P_SUM, least=(P_SUM, P_PRODUCT), dimension="same",
        commutative=True, number=lambda u, v: u + v, is_enumerated=True, frequency=4.0,
    ),
    _arithmetic(
        "-", oc.SUB, "sub", ("1", "-1"), plain="{0} - {1}", precedence=P_SUM, least=(P_SUM, P_PRODUCT), dimension="same",
        number=lambda u, v: u - v, is_enumerated=True, frequency=2.0,
    ),
    _arithmetic(
        "*", oc.MUL, "mul", ("v", "u"), latex=r"{0} \cdot {1}", precedence=P_PRODUCT, least=(P_PRODUCT, P_POWER),
        dimension="multiply", commutative=True, number=lambda u, v: u * v, is_enumerated=True, frequency=4.0,
    ),
    _arithmetic(
        "/", oc.DIV, "div", ("1/v", "-w/v"), latex=r"\frac{{{0}}}{{{1}}}", precedence=P_PRODUCT, least=(P_PRODUCT, P_POWER),
        domain="v != 0", dimension="divide", number=lambda u, v: u / v, is_enumerated=True, frequency=2.0,
    ),
    _arithmetic(
        "**", oc.POW, "pow", ("v*u**(v - 1)", "w*log(u)"), latex="{{{0}}}^{{{1}}}", precedence=P_POWER,
        least=(P_ATOM, P_POWER), domain="u > 0, or u = 0 and v > 0, or v a whole number", dimension="power",
        number=math.pow, sympy="Pow", julia="^", is_analytic=False, frequency=0.15,
    ),
    _choice("min", oc.MIN, ("(1 - (u - v)/abs(u - v))/2", "(1 + (u - v)/abs(u - v))/2"), min),
    _choice("max", oc.MAX, ("(1 + (u - v)/abs(u - v))/2", "(1 - (u - v)/abs(u - v))/2"), max),
)  # fmt: skip
"""The operators built in. Those of users are in BY_NAME and BY_OPCODE only."""

BY_NAME: dict[str, OperatorRow] = {row.name: row for row in OPERATORS}

T = TypeVar("T")


FORGOTTEN = (
    "the formula holds an operator that was taken back with forget(), and is of no use any more: define the operator again, "
    "then fit, parse or load the formula again"
)


def is_users(opcode: int) -> bool:
    """True for an opcode of the operators of users, defined or not."""
    return oc.FIRST_USER <= opcode < oc.FIRST_USER + oc.N_USER


def check_defined(opcodes: Iterable[int]) -> None:
    """Raises InputError where one of a formula's operators was taken back: its values would all be NaN."""
    if any(is_users(op) and op not in BY_OPCODE for op in opcodes):
        raise InputError(FORGOTTEN)


class ByOpcode(dict[int, T]):
    """A table of operators, by opcode. Asked for one that is missing it names it: there are no silent defaults."""

    def __init__(self, what: str, known: Mapping[int, T]) -> None:
        super().__init__(known)
        self.what = what

    def __missing__(self, opcode: int) -> T:
        raise unknown(opcode, self.what)


def unknown(opcode: int, what: str) -> NotImplementedError | InputError:
    """The error that ``what`` has no case for an operator."""
    row = BY_OPCODE.get(opcode)
    if row is None and is_users(opcode):
        return InputError(FORGOTTEN)
    return NotImplementedError(
        f"{what} has no case for the operator {row.name!r}; add it there"
        if row
        else f"{what} has no case for the opcode {opcode}, which is none of the operator table"
    )


BY_OPCODE: ByOpcode[OperatorRow] = ByOpcode("the operator table", {row.opcode: row for row in OPERATORS})
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


def lookup(name: str) -> OperatorRow | None:
    """The table row for a name or one of its aliases, or None. Raises InputError if it is that of an operator of an installed
    package which cannot be used."""
    row = BY_NAME.get(ALIASES.get(name, name))
    return _load_installed(name) if row is None and name in find_offers(GROUP) else row


def _load_installed(name: str) -> OperatorRow:
    """The row of an operator of an installed package, which enters it as it is imported."""
    offers = find_offers(GROUP)[name]
    load(offers, f"the operator {name}", InputError)
    if name not in BY_NAME:
        raise InputError(
            f"the package {name_packages(offers)} offers the operator {name}, but {offers[0].value} defines no "
            "hypo.Operator of that name"
        )
    return BY_NAME[name]


def function_names() -> tuple[str, ...]:
    """All names that a formula may call, aliases too."""
    return tuple(n for n in (*BY_NAME, *ALIASES) if n.isidentifier())


def is_function(name: str) -> bool:
    """True for a name that a formula may call, an alias too."""
    return name.isidentifier() and is_known(name)


def is_known(name: str) -> bool:
    """True for the name of an operator, or another spelling of one."""
    return name in BY_NAME or name in ALIASES


def add(row: OperatorRow) -> None:
    """Enter the row of a user's operator."""
    BY_NAME[row.name] = BY_OPCODE[row.opcode] = row


def remove(row: OperatorRow) -> None:
    """Take the row of a user's operator out again."""
    del BY_NAME[row.name], BY_OPCODE[row.opcode]


def missing(names: Sequence[str]) -> str:
    """The sentence about operators of users that a file or a formula needs and that are not defined."""
    listed, one = " and ".join(names), len(names) == 1
    return (
        f"it needs the operator{'' if one else 's'} {listed}, which {'is' if one else 'are'} not defined: "
        f'make {"it" if one else "them"} known with hypo.Operator("{names[0]}", …) first, or install the package that offers '
        f"{'it' if one else 'them'}"
    )
