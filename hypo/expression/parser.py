"""Reads formulas: infix text to a postfix :class:`~hypo.expression.expr.Expression`.

Grammar, loosest binding first (no implicit multiplication)::

    sum      = product (("+" | "-") product)*
    product  = unary (("*" | "/") unary)*
    unary    = ("-" | "+") unary | power
    power    = atom (("**" | "^") unary)?            so 2**3**2 = 2**(3**2) and -x**2 = -(x**2)
    atom     = number | name | function "(" sum ("," sum)* ")" | "(" sum ")"

Short forms, for exactly these integer tokens: ``x**2`` is ``square(x)``, ``x**3`` is ``cube(x)``, ``1/x`` is
``inv(x)``; ``x**2.0`` and ``1.0/x`` stay the general operators. A minus directly before a number that is no base of
a power belongs to the number. One pass with an explicit stack emits the postfix program, so neither long nor deep
input can exhaust Python's stack.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Mapping
from typing import NamedTuple, NoReturn

from hypo.errors import FormulaError
from hypo.expression import operators as ops
from hypo.expression.expr import PI, Constant, Expression
from hypo.kernels import opcodes as oc
from hypo.keywords import check_keywords

MAX_LENGTH = 10_000
MAX_NESTING = 200

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[^\W\d]\w*)|(?P<mark>\*\*|[-+*/^(),])|(?P<end>\Z))"
)
_BINARY = {sign: ops.BY_NAME[sign] for sign in ("+", "-", "*", "/", "**")}
_SHORT_POWER = {"2": oc.SQUARE, "3": oc.CUBE}


class _Token(NamedTuple):
    kind: str  # "number", "name", "mark" or "end"
    text: str
    at: int


class _Pending(NamedTuple):
    """An operator waiting for its right operand, or an open bracket (no ``opcode``; ``function`` if a call)."""

    opcode: int | None
    precedence: int
    at: int
    function: str = ""
    commas: int = 0


@check_keywords(name="hypo.parse")
def parse(
    text: str,
    *,
    variables: Collection[str] | None = None,
    constants: Mapping[str, float] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Expression:
    """The expression written in ``text``.

    ``constants`` maps names to the values of known, fixed constants; ``pi`` is always known. Without ``variables``
    every other name is a variable. With ``variables`` (the names of columns) every other name is a constant to be
    fitted, starting at 1; a name that occurs twice gives two leaves of that name. Number literals are exact. ``aliases`` are
    other names of variables; those that are numbers too are refused.

    Raises FormulaError, whose message marks the place and says what was expected; also for text longer than
    ``MAX_LENGTH`` characters or nested deeper than ``MAX_NESTING``.
    """
    if not isinstance(text, str):
        raise FormulaError(f"a formula must be text, got {type(text).__name__}")
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"the formula has {len(text)} characters; at most {MAX_LENGTH} are allowed")
    if variables is not None and not (isinstance(variables, Collection) and all(isinstance(n, str) for n in variables)):
        raise FormulaError(f'variables must be names, such as ["x", "v"], got {variables!r:.40}')
    return _Reader(text, variables, constants or {}, aliases or {}).read()


def right_hand_side(text: str, target: str, aliases: Mapping[str, str]) -> str:
    """``text`` without a leading ``target =``, by one of its ``aliases`` too; anything else as it is."""
    left, sign, right = text.partition("=") if isinstance(text, str) else ("", "", "")
    name = left.strip()
    return right if sign and aliases.get(name, name) == target else text


class _Reader:
    """One pass over the tokens; ``code`` grows in postfix order, ``pending`` holds what awaits an operand."""

    def __init__(
        self, text: str, variables: Collection[str] | None, constants: Mapping[str, float], aliases: Mapping[str, str]
    ) -> None:
        self.text = text
        self.known = variables
        self.named = constants
        self.aliases = aliases
        self.tokens = self.split()
        self.code: list[tuple[int, int]] = []
        self.constants: list[Constant] = []
        self.variables: dict[str, int] = {}
        self.pending: list[_Pending] = []
        self.brackets = 0

    def split(self) -> list[_Token]:
        tokens: list[_Token] = []
        at = 0
        while not tokens or tokens[-1].kind != "end":
            match = _TOKEN.match(self.text, at)
            if match is None:
                at += len(self.text[at:]) - len(self.text[at:].lstrip())
                self.fail(
                    at,
                    f"unexpected character {self.text[at]!r}; "
                    "expected a number, a name, an operator (+ - * / **) or a bracket",
                )
            kind = str(match.lastgroup)
            token = match.group(kind)
            tokens.append(_Token(kind, "**" if token == "^" else token, match.start(kind)))
            at = match.end()
        return tokens

    def fail(self, at: int, message: str) -> NoReturn:
        low = max(0, at - 40)
        shown = self.text[low : at + 40].replace("\n", " ").replace("\t", " ")
        mark = " " * (at - low) + "^"
        raise FormulaError(f"cannot read the formula at column {at + 1}: {message}\n    {shown}\n    {mark}")

    # --- the pass ------------------------------------------------------------------------------------------

    def read(self) -> Expression:
        tokens = self.tokens
        if len(tokens) == 1:
            self.fail(0, "the formula is empty; expected a number, a name or '('")
        i = 0
        while True:
            i = self.operand(i)
            while True:  # after an operand: any closing brackets, then an operator, a comma or the end
                token = tokens[i]
                i += 1
                if token.kind == "mark" and token.text == ")":
                    self.close(token.at)
                    continue
                if token.kind == "end":
                    return self.finish(token.at)
                if token.kind == "mark" and token.text == ",":
                    self.comma(token.at)
                elif token.kind == "mark" and token.text in _BINARY:
                    self.binary(token, tokens[i - 2])
                else:
                    self.missing_operator(tokens[i - 2], token)
                break

    def operand(self, i: int) -> int:
        """Reads signs, opening brackets and then a number or name; returns the position after it."""
        tokens = self.tokens
        while True:
            kind, text, at = tokens[i]
            after = tokens[i + 1] if kind != "end" else tokens[i]
            if kind == "number":
                self.number(tokens[i], tokens[i - 1] if i else None, after)
                return i + 1
            if kind == "name" and after.text == "(" and self.is_call(text, at):
                self.push(_Pending(None, 0, after.at, text))
                i += 2
            elif kind == "name":
                self.name(text, at)
                return i + 1
            elif text == "(":
                self.push(_Pending(None, 0, at))
                i += 1
            elif text == "+":
                i += 1
            elif text == "-":
                if after.kind == "number" and tokens[i + 2].text != "**":
                    self.constant(Constant(-self.value(after)))
                    return i + 2
                self.push(_Pending(oc.NEG, ops.P_UNARY, at))
                i += 1
            else:
                found = "the formula ends" if kind == "end" else f"found {text!r}"
                self.fail(at, f"expected a number, a name or '(' but {found}")

    def binary(self, token: _Token, left: _Token) -> None:
        row = _BINARY[token.text]
        # Only a power is right-associative, and it never waits behind another power's base.
        bound = row.precedence + (row.opcode == oc.POW)
        n = len(self.code)
        self.reduce(bound)
        opcode = row.opcode
        if (
            opcode == oc.DIV
            and left.text == "1"
            and n == len(self.code)
            and self.code[-1][0] == oc.CONST
            and self.constants[-1].value == 1.0
        ):
            self.code.pop()
            self.constants.pop()
            opcode = oc.INV
        self.push(_Pending(opcode, row.precedence, token.at))

    def number(self, token: _Token, before: _Token | None, after: _Token) -> None:
        if before is not None and before.text == "**" and after.text != "**" and token.text in _SHORT_POWER:
            self.pending.pop()
            self.code.append((_SHORT_POWER[token.text], 0))
        else:
            self.constant(Constant(self.value(token)))

    def value(self, token: _Token) -> float:
        value = float(token.text)
        if math.isinf(value):
            self.fail(token.at, f"the number {token.text} is too large for a float")
        return value

    def constant(self, constant: Constant) -> None:
        self.code.append((oc.CONST, len(self.constants)))
        self.constants.append(constant)

    def name(self, name: str, at: int) -> None:
        if self.known is not None and name in self.known:
            self.code.append((oc.VAR, self.variables.setdefault(name, len(self.variables))))
        elif name in self.named and name not in self.aliases:
            self.constant(Constant(float(self.named[name]), name))
        elif name in self.aliases and (name == "pi" or name in self.named):
            number = self.named.get(name, PI.value)
            self.fail(
                at,
                f"{name} is both a number and a column; write {self.aliases[name]} for the column, or {number!r} "
                "for the number",
            )
        elif name == "pi":
            self.constant(PI)
        elif name in self.aliases:
            self.name(self.aliases[name], at)
        elif self.known is None:
            self.code.append((oc.VAR, self.variables.setdefault(name, len(self.variables))))
        elif ops.is_function(name):
            self.fail(at, f"{name} is a function; expected '(' after it")
        else:
            self.constant(Constant(1.0, name, free=True))

    def is_call(self, name: str, at: int) -> bool:
        if ops.lookup(name) is not None:
            return True
        if (
            name == "pi"
            or name in self.named
            or name in self.aliases
            or (self.known is not None and name in self.known)
        ):
            self.fail(at + len(name), f"expected an operator after {name!r}, which is no function; write {name}*(")
        near = difflib.get_close_matches(name, ops.function_names(), 1)
        known = ", ".join(n for n in ops.BY_NAME if n.isalpha())
        hint = f"did you mean {near[0]!r}?" if near else f"known are {known}"
        self.fail(at, f"unknown function {name!r}; {hint}")

    def missing_operator(self, left: _Token, token: _Token) -> NoReturn:
        if ops.is_function(left.text):
            self.fail(token.at, f"expected '(' after the function {left.text!r} but found {token.text!r}")
        self.fail(
            token.at,
            f"expected an operator between {left.text!r} and {token.text!r}; multiplication is written out with '*'",
        )

    # --- the stack of waiting operators and brackets -------------------------------------------------------

    def push(self, pending: _Pending) -> None:
        self.brackets += pending.opcode is None
        if self.brackets > MAX_NESTING or len(self.pending) >= 4 * MAX_NESTING:
            self.fail(pending.at, f"the formula is nested too deeply; at most {MAX_NESTING} levels are allowed")
        self.pending.append(pending)

    def reduce(self, bound: int) -> None:
        """Emits the waiting operators that bind as tightly as ``bound`` or tighter, up to an open bracket."""
        while self.pending:
            opcode, precedence = self.pending[-1][:2]
            if opcode is None or precedence < bound:
                return
            self.code.append((opcode, 0))
            self.pending.pop()

    def comma(self, at: int) -> None:
        self.reduce(0)
        if not self.pending or not self.pending[-1].function:
            self.fail(at, "expected an operator or the end; a comma only separates a function's arguments")
        self.pending[-1] = self.pending[-1]._replace(commas=self.pending[-1].commas + 1)

    def close(self, at: int) -> None:
        self.reduce(0)
        if not self.pending:
            self.fail(at, "this ')' has no '(' before it")
        frame = self.pending.pop()
        self.brackets -= 1
        if frame.function:
            row = ops.lookup(frame.function)
            assert row is not None
            if frame.commas + 1 != row.arity:
                self.fail(
                    at, f"{frame.function} takes {row.arity} argument{'s' * (row.arity > 1)}, got {frame.commas + 1}"
                )
            self.code.append((row.opcode, 0))

    def finish(self, at: int) -> Expression:
        self.reduce(0)
        if self.pending:
            self.fail(at, f"expected ')' to close the '(' at column {self.pending[-1].at + 1}")
        return Expression(tuple(self.code), tuple(self.constants), tuple(self.variables))
