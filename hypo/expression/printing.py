"""Writes expressions: exact plain text, pretty text for people, LaTeX, and NumPy source.

All forms come from the operator table's print forms; this module only decides on brackets and number formats.
Every printer walks the postfix program once with a stack of ``(text, level)`` pairs, so depth is no matter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from hypo.expression import operators as ops
from hypo.expression.expr import PI, Constant, Expression
from hypo.expression.operators import P_ATOM, P_POWER, P_PRODUCT, P_SUM, P_UNARY
from hypo.kernels import opcodes as oc

_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon|phi|chi|psi|omega"
    "|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega"
)
_EXACT_INT = 1e15
_DIGITS = "0123456789."


class _Piece(NamedTuple):
    """Printed text and the binding level of its outermost operation."""

    text: str
    level: int


def _least(row: ops.OperatorRow) -> tuple[int, ...]:
    """The least level each argument may have without brackets if the text is to give the same tree back."""
    if not row.least and row.precedence != P_ATOM:
        raise ops.unknown(row.opcode, "the rules of brackets (operators.py)")
    return row.least


def plain(e: Expression) -> str:
    """The formula as text that :func:`hypo.parse` reads back to an equal expression; Python and sympy read it too.

    Numbers have full precision (only finite ones can be read back); named constants appear by their names, which
    ``parse`` then has to be given.
    """
    numbers = [c.name or _exact(c.value) for c in e.constants]
    return _strict(e, numbers, "plain", sugar=True)


def numpy_source(e: Expression, name: str = "f") -> str:
    """Source of a NumPy function ``name`` of the formula's variables, in order of appearance.

    Constants appear by value, operators of users as calls of their names. Outside the domain it gives NaN or an infinity, with
    NumPy's warnings. Raises ValueError when a name is no Python identifier.
    """
    for word in (name, *e.variables):
        if not word.isidentifier():
            raise ValueError(f"{word!r} cannot be a name in Python source")
    numbers = ["np.pi" if c == PI else _exact(c.value, point=True) for c in e.constants]
    for i in _among_themselves(e):  # plain floats would raise, or turn complex, outside the domain
        numbers[i] = f"np.float64({numbers[i]})"
    body = _strict(e, numbers, "numpy", sugar=False)
    own = dict.fromkeys(ops.BY_OPCODE[op].name for op, _ in e.code if oc.is_user_defined(op))
    note = f"# It calls {', '.join(own)}, which must take arrays.\n" if own else ""
    return f"import numpy as np\n\n\n{note}def {name}({', '.join(e.variables)}):\n    return {body}\n"


class Written(str):
    """A formula as text that ``writes`` made, and that can be called for another number of digits, as ``writes`` can."""

    _writes: Callable[..., str]

    def __new__(cls, writes: Callable[..., str]) -> Written:
        text = super().__new__(cls, writes())
        text._writes = writes
        return text

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        return self._writes(*args, **kwargs)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        # Copied or kept, it is plain text.
        return str, (str(self),)


def shortened(text: str, most: int = 100) -> str:
    """``text`` with at most ``most`` characters, for the one line that says what an object is."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _strict(e: Expression, numbers: list[str], column: str, *, sugar: bool) -> str:
    stack: list[_Piece] = []
    for op, arg in e.code:
        if op == oc.VAR:
            stack.append(_Piece(e.variables[arg], P_ATOM))
            continue
        if op == oc.CONST:
            text = numbers[arg]
            stack.append(_Piece(text, P_UNARY if text[0] == "-" else P_ATOM))
            continue
        row = ops.BY_OPCODE[op]
        pieces = stack[-row.arity :]
        del stack[-row.arity :]
        args = [p.text for p in pieces]
        if sugar:
            _keep_general(op, args)
        for i, need in enumerate(_least(row)):
            # Bracketed too: a sign inside a formula, and a number that would swallow the minus sign before it.
            number = op == oc.NEG and pieces[i].level == P_ATOM and args[i][0] in _DIGITS
            if pieces[i].level < need or number or (i and args[i][0] == "-"):
                args[i] = f"({args[i]})"
        stack.append(_Piece(getattr(row, column).format(*args), row.precedence))
    return stack[0].text


def _keep_general(op: int, args: list[str]) -> None:
    """Writes the 2, 3 and 1 of ``x**2``, ``x**3`` and ``1/x`` with a point if the operator is the general one."""
    if op == oc.POW and args[1] in ("2", "3"):
        args[1] += ".0"
    elif op == oc.DIV and args[0] == "1":
        args[0] = "1.0"


def _exact(value: float, *, point: bool = False) -> str:
    if value.is_integer() and abs(value) < _EXACT_INT and (value or math.copysign(1, value) > 0):
        return f"{int(value)}.0" if point else str(int(value))
    return repr(value)


def _among_themselves(e: Expression) -> list[int]:
    """Positions of the constants that stand in an operation without any variable."""
    found: list[int] = []
    stack: list[tuple[bool, int]] = []
    for i, (op, _) in enumerate(e.code):
        n = oc.arity(op)
        parts = stack[len(stack) - n :]
        del stack[len(stack) - n :]
        bare = all(b for b, _ in parts) if n else op == oc.CONST
        if n and bare:
            found += [e.code[k][1] for _, k in parts if k >= 0]
        stack.append((bare, i if op == oc.CONST else -1))
    return found


# --- for people ------------------------------------------------------------------------------------------


class _Signed(NamedTuple):
    """A magnitude with its level, and whether a minus sign stands before it."""

    text: str
    level: int
    minus: bool = False


def pretty(e: Expression, digits: int = 4) -> str:
    """Readable text, numbers with ``digits`` significant digits, few brackets: ``2.006*sqrt(L/g)``.

    Sums and products are flattened and signs drawn together (``a + (-b)*c`` reads ``a - b*c``), so the text has
    the formula's value but not its exact tree; use :func:`plain` for that.
    """

    def number(c: Constant) -> _Signed:
        text = c.name or _rounded(c, digits)
        return _Signed(text.removeprefix("-"), P_ATOM, text[0] == "-")

    return _Relaxed("plain", "({})", fractions=False).write(e, number, str)


def latex(e: Expression, digits: int = 4) -> str:
    r"""LaTeX source for math mode, with ``digits`` significant digits: ``2.006 \cdot \sqrt{\frac{L}{g}}``."""

    def number(c: Constant) -> _Signed:
        if c.name:
            return _Signed(_latex_name(c.name), P_ATOM)
        text = _rounded(c, digits)
        mantissa, _, power = text.removeprefix("-").partition("e")
        if power:
            return _Signed(rf"{mantissa} \times 10^{{{power}}}", P_PRODUCT, text[0] == "-")
        return _Signed(mantissa, P_ATOM, text[0] == "-")

    return _Relaxed("latex", r"\left({}\right)", fractions=True).write(e, number, _latex_name)


class _Relaxed:
    """Printer that keeps the value but flattens sums and products and draws signs to the front."""

    def __init__(self, column: str, bracket: str, *, fractions: bool) -> None:
        self.column = column
        self.bracket = bracket
        self.fractions = fractions

    def write(self, e: Expression, number: Callable[[Constant], _Signed], name: Callable[[str], str]) -> str:
        stack: list[_Signed] = []
        for op, arg in e.code:
            if op == oc.VAR:
                stack.append(_Signed(name(e.variables[arg]), P_ATOM))
            elif op == oc.CONST:
                stack.append(number(e.constants[arg]))
            else:
                n = oc.arity(op)
                args = stack[-n:]
                del stack[-n:]
                stack.append(self.join(op, args))
        return self.show(stack[0], P_SUM)

    def show(self, piece: _Signed, least: int) -> str:
        """The text of ``piece`` where something of level ``least`` or tighter is due."""
        if piece.minus:
            text = self.form(oc.NEG, self.show(piece._replace(minus=False), P_PRODUCT))
            return text if least <= P_SUM else self.bracket.format(text)
        return piece.text if piece.level >= least else self.bracket.format(piece.text)

    def form(self, op: int, *args: str) -> str:
        text: str = getattr(ops.BY_OPCODE[op], self.column)
        return text.format(*args)

    def join(self, op: int, args: list[_Signed]) -> _Signed:
        left, right = args[0], args[-1]
        if op == oc.NEG:
            return left._replace(minus=not left.minus)
        if op in (oc.ADD, oc.SUB):
            return self.sum(left, right, minus=(op == oc.SUB))
        if op == oc.MUL:
            return self.product(left, right)
        if op == oc.DIV:
            top, bottom = left._replace(minus=False), right._replace(minus=False)
            above, below = (P_SUM, P_SUM) if self.fractions else (P_PRODUCT, P_POWER)
            text = self.form(op, self.show(top, above), self.show(bottom, below))
            return _Signed(text, P_PRODUCT, left.minus != right.minus)
        if op == oc.INV:
            bottom = left._replace(minus=False)
            text = self.form(op, self.show(bottom, P_SUM if self.fractions else P_POWER))
            return _Signed(text, P_PRODUCT, left.minus)
        if op in (oc.SQUARE, oc.CUBE):
            return _Signed(self.form(op, self.show(left, P_ATOM)), P_POWER)
        if op == oc.POW:
            exponent = self.show(right, P_SUM if self.fractions else P_POWER)
            return _Signed(self.form(op, self.show(left, P_ATOM), exponent), P_POWER)
        if ops.BY_OPCODE[op].precedence != P_ATOM:
            raise ops.unknown(op, "pretty printing (printing.py)")
        return _Signed(self.form(op, *(self.show(a, P_SUM) for a in args)), P_ATOM)

    def sum(self, left: _Signed, right: _Signed, minus: bool) -> _Signed:
        minus = minus != right.minus
        first = self.show(left, P_SUM)
        second = self.show(right._replace(minus=False), P_PRODUCT if minus else P_SUM)
        if second[0] == "-" and right.level == P_SUM:  # a + (-b + c) is a - b + c
            minus, second = True, second[1:]
        return _Signed(self.form(oc.SUB if minus else oc.ADD, first, second), P_SUM)

    def product(self, left: _Signed, right: _Signed) -> _Signed:
        minus = left.minus != right.minus
        first, second = (self.show(p._replace(minus=False), P_PRODUCT) for p in (left, right))
        if right.level == P_PRODUCT and second.startswith("1/"):
            return _Signed(first + second[1:], P_PRODUCT, minus)
        if left.level == P_PRODUCT and first.startswith("1/"):
            return _Signed(second + first[1:], P_PRODUCT, minus)
        return _Signed(self.form(oc.MUL, first, second), P_PRODUCT, minus)


def _rounded(c: Constant, digits: int) -> str:
    """``c`` with ``digits`` significant digits; whole numbers whole, ``2.000`` for one only close to 2."""
    value = c.value
    if value.is_integer() and abs(value) < (1e6 if c.free else _EXACT_INT):
        return str(int(value))
    text = f"{value:.{digits}g}"
    if math.isfinite(value) and float(text) != value:
        text = f"{value:#.{digits}g}".removesuffix(".")
    mantissa, _, power = text.partition("e")
    return f"{mantissa.removesuffix('.')}e{int(power)}" if power else text


def _latex_name(name: str) -> str:
    """``rho_0`` as ``\\rho_{0}``, ``m1`` as ``m_{1}``, ``mass`` upright; a column ``pi_`` is not the number."""
    if name == "pi_":
        return r"\mathrm{pi}"
    head, *rest = [part for part in name.split("_") if part] or [name]
    if not rest and (match := re.fullmatch(r"([^\W\d]+?)(\d+)", head)):
        head, rest = match[1], [match[2]]
    base = _latex_word(head)
    return f"{base}_{{{', '.join(_latex_word(r) for r in rest)}}}" if rest else base


def _latex_word(word: str) -> str:
    if _GREEK.fullmatch(word):
        return rf"\{word}"
    if len(word) == 1 or word.isdigit():
        return word
    return rf"\mathrm{{{word}}}".replace("_", r"\_")
