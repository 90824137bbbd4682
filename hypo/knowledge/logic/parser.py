"""Reads first-order rules: text to statements.

Grammar, loosest binding first; numbers are written as in formulas (:mod:`hypo.expression.parser`)::

    iff        = implies ("iff" implies)*
    implies    = or ("implies" implies)?
    or         = and ("or" and)*
    and        = not ("and" not)*
    not        = "not" not | quantified | comparison | "(" iff ")"
    quantified = ("forall" | "exists") range ("," range)* ":" iff        reaches as far as it can
    range      = name ("," name)* "in" ("domain" | ("[" | "(") end "," end ("]" | ")"))
    comparison = sum (("=" | "==" | "!=" | "<" | "<=" | ">" | ">=") sum)+
    atom       = … | law | law "(" arguments ")" | derivative | derivative "(" arguments ")"
               | "int" "(" sum "," name "," sum "," sum ")"
    arguments  = sum ("," sum)* | name "=" sum ("," name "=" sum)*
    derivative = "df/dx" | "d2f/dx2" | "d2f/dxdy" | …                     one word, binds like an atom

Precedence climbing, one function for numbers and statements alike, so that a bracket may hold either; numbers grow in postfix
order. Depth of recursion is limited by ``MAX_NESTING``.
"""

from __future__ import annotations

import math
from typing import NoReturn

from hypo.errors import FormulaError
from hypo.expression import operators as ops
from hypo.expression.expr import Constant
from hypo.kernels import opcodes as oc
from hypo.knowledge.logic import syntax
from hypo.knowledge.logic.atoms import AtomReader
from hypo.knowledge.logic.names import KEYWORDS, Names
from hypo.knowledge.logic.syntax import Draft, LogicTerm, Statement
from hypo.knowledge.logic.tokens import Token
from hypo.knowledge.text import wording as words

MAX_LENGTH = 10_000
"""Characters of a rule, at most."""
MAX_NESTING = 60
"""Levels of brackets and operators, at most: far below the limit of Python's recursion."""
MAX_QUANTIFIED = 16
"""Quantified variables of a rule, at most."""

# How tightly a word or sign binds: the connectives loosest, then comparisons, then the operators of formulas in their order.
_IFF = 0
_IMPLIES = 1
_OR = 2
_AND = 3
_NOT = 4
_COMPARISON = 5
_SUM = 6
_PRODUCT = _SUM + ops.P_PRODUCT - ops.P_SUM
_UNARY = _SUM + ops.P_UNARY - ops.P_SUM
_POWER = _SUM + ops.P_POWER - ops.P_SUM
_RELATIONS = frozenset({"=", "!=", "<", "<=", ">", ">="})
_ARITHMETIC = {sign: ops.BY_NAME[sign] for sign in ("+", "-", "*", "/", "**")}
_LEVELS = {
    "iff": _IFF,
    "implies": _IMPLIES,
    "or": _OR,
    "and": _AND,
    **dict.fromkeys(_RELATIONS, _COMPARISON),
    "+": _SUM,
    "-": _SUM,
    "*": _PRODUCT,
    "/": _PRODUCT,
    "**": _POWER,
}
_SHORT_POWER = {"2": oc.SQUARE, "3": oc.CUBE}


def read(text: str, names: Names | None) -> Statement:
    """The statement written in ``text``; without ``names`` only its syntax is checked.

    Raises FormulaError, whose message marks the place and says what was expected.
    """
    if not isinstance(text, str):
        raise FormulaError(f"a rule must be text, got {type(text).__name__}")
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"the rule has {len(text)} characters; at most {MAX_LENGTH} are allowed")
    return StatementReader(text, names).read()


class StatementReader(AtomReader):
    """Reads the tokens from left to right, by precedence climbing; ``depth`` is that of the recursion."""

    def __init__(self, text: str, names: Names | None) -> None:
        super().__init__(text, names)
        self.depth = 0

    # --- the whole ------------------------------------------------------------------------------------------------

    def read(self) -> Statement:
        """The whole rule as a statement."""
        if len(self.tokens) == 1:
            self.fail(0, "the rule is empty; expected a statement such as 'f >= 0'")
        whole = self.read_statement(_IFF)
        if self.token.kind != "end":
            self.fail_stray()
        if _count_quantified(whole) > MAX_QUANTIFIED:
            self.fail(
                0, f"at most {MAX_QUANTIFIED} variables can be quantified, counted twice in each part of an 'iff'"
            )
        return whole

    def read_statement(self, level: int) -> Statement:
        """Reads a statement whose connectives bind at least as tightly as ``level``."""
        start = self.token.at
        found = self.climb(level)
        if isinstance(found, list):
            end = self.token
            name = "the rule ends" if end.kind == "end" else f"found {end.text!r}"
            if (end.kind in ("number", "name") and end.text not in KEYWORDS) or end.text == "(":
                self.fail_stray()
            if end.text == "in":
                self.fail(start, "expected 'forall' or 'exists' before a variable and its interval")
            self.fail(
                end.at,
                "expected a comparison such as '>= 0' after the number that begins at column "
                f"{self.column(start)} but {name}",
            )
        return found

    def read_number(self, level: int) -> Draft:
        """Reads a number whose operators bind at least as tightly as ``level``."""
        start = self.token.at
        found = self.climb(level)
        if not isinstance(found, list):
            self.fail(start, "expected a number but found a statement")
        return found

    def read_sum(self) -> Draft:
        return self.read_number(_SUM)

    # --- operators between operands -------------------------------------------------------------------------------

    def climb(self, level: int) -> Draft | Statement:
        """A number or statement whose operators bind at least as tightly as ``level``."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.fail(self.token.at, f"the rule is nested too deeply; at most {MAX_NESTING} levels are allowed")
        start = self.token.at
        left = self.read_operand(level)
        while True:
            token = self.token
            binding = _LEVELS.get(token.text, -1) if token.kind != "end" else -1
            if binding < level:
                self.depth -= 1
                return left
            if isinstance(left, list) != (binding >= _COMPARISON):
                self.fail_kind(left, start, token)
            if isinstance(left, list):
                left = self.read_comparison(left) if binding == _COMPARISON else self.read_operation(left, token)
            else:
                left = self.read_combination(left, token.text, binding)

    def fail_kind(self, left: Draft | Statement, start: int, token: Token) -> NoReturn:
        """Refuses an operator behind a statement, or a connective behind a number."""
        if isinstance(left, list):
            self.fail(token.at, f"expected a comparison such as '>= 0' before {token.text!r}")
        self.fail(
            token.at, f"{token.text!r} needs numbers, but what begins at column {self.column(start)} is a statement"
        )

    def read_combination(self, left: Statement, word: str, binding: int) -> Statement:
        """Reads the connective ``word`` and the statements behind it."""
        if word == "implies":
            self.position += 1
            return syntax.Implication(left, self.read_statement(_IMPLIES))
        if word == "iff":
            self.position += 1
            return syntax.Equivalence(left, self.read_statement(_IMPLIES))
        parts = [left]
        while self.token.text == word:
            self.position += 1
            parts.append(self.read_statement(binding + 1))
        return (syntax.Conjunction if word == "and" else syntax.Disjunction)(tuple(parts))

    def read_comparison(self, left: Draft) -> Statement:
        """Reads a chain of comparisons, such as ``0 <= f <= 1``, behind its first number."""
        first = LogicTerm.of(left)
        links = []
        while self.token.text in _RELATIONS:
            relation = self.token.text
            self.position += 1
            links.append((relation, self.read_term()))
        return syntax.Chain(first, tuple(links))

    def read_operation(self, left: Draft, token: Token) -> Draft:
        """Reads an operator of formulas and its right side; adds both to ``left``."""
        row = _ARITHMETIC[token.text]
        before = self.tokens[self.position - 1]
        self.position += 1
        opcode = row.opcode
        if opcode == oc.POW:
            if self.token.text in _SHORT_POWER and self.ahead().text != "**":
                opcode = _SHORT_POWER[self.token.text]
                self.position += 1
            else:
                left += self.read_number(_UNARY)  # the only operator that associates to the right
        else:
            right = self.read_number(_LEVELS[token.text] + 1)
            if opcode == oc.DIV and before.text == "1" and left == [Constant(1.0)]:
                opcode = oc.INV
                left.clear()
            left += right
        left.append(opcode)
        return left

    # --- operands -------------------------------------------------------------------------------------------------

    def read_operand(self, level: int) -> Draft | Statement:
        """Reads one operand: a number, a name, a negation, a quantified statement, or brackets."""
        kind, text, at = self.token
        if kind == "number":
            self.position += 1
            return [self.read_literal(self.tokens[self.position - 1])]
        if text in ("not", "forall", "exists") and level <= _NOT:
            self.position += 1
            return self.read_quantified(text) if text != "not" else syntax.Negation(self.read_statement(_NOT))
        if kind == "name" and text not in KEYWORDS:
            return [*self.read_name(text, at)]
        if text == "(":
            return self.read_bracket()
        if text in ("+", "-") and kind == "mark":
            return self.read_signed(text)
        if text in ("not", "forall", "exists"):
            self.fail_expecting("a number (put a statement in brackets)")
        self.fail_expecting("a number, a name or '('" if level > _NOT else "a statement, a number, a name or '('")

    def read_signed(self, sign: str) -> Draft:
        """Reads a sign and the number behind it."""
        self.position += 1
        after = self.token
        if sign == "-" and after.kind == "number" and self.ahead().text != "**":
            self.position += 1
            return [Constant(-self.read_literal(after).value)]
        inner = self.read_number(_UNARY)
        return [*inner, oc.NEG] if sign == "-" else inner

    def read_bracket(self) -> Draft | Statement:
        """Reads a number or statement in brackets."""
        at = self.column(self.token.at)
        self.position += 1
        found = self.climb(_IFF)
        if self.token.kind in ("number", "name") and self.token.text not in KEYWORDS:
            self.fail_stray()
        self.take(")", f" to close the '(' at column {at}")
        return found

    # --- quantifiers ----------------------------------------------------------------------------------------------

    def read_quantified(self, word: str) -> Statement:
        """Reads ``forall`` or ``exists``, its variables with their intervals, and the statement."""
        over: list[tuple[str, syntax.QuantifierInterval | None]] = []
        outside = len(self.local)
        more = True
        while more:
            group: list[str] = []
            while not group or self.token.text == ",":
                self.position += bool(group)
                if self.token.kind != "name" or self.token.text in KEYWORDS:
                    self.fail_expecting(f"a variable after {word!r}" if not group else "a variable")
                self.check_new(self.token.text, self.token.at, self.local)
                group.append(self.token.text)
                self.local.append(self.token.text)
                self.position += 1
            self.take("in", " and an interval, as in 'x in [0, 1]'")
            interval = self.read_interval(group)
            over += [(name, interval) for name in group]
            more = self.token.text == ","
            self.position += more
        self.take(":", " before the statement")
        body = self.read_statement(_IFF)
        del self.local[outside:]
        return syntax.Quantified(word == "forall", tuple(over), body)

    def check_new(self, name: str, at: int, local: list[str]) -> None:
        if name in local:
            self.fail(at, f"{name} is quantified already; choose another name")
        problem = words.name_problem(name) or (self.names.problem(name) if self.names else None)
        if name in ("inf", "int") and not (self.names and name in self.names.variables):
            problem = f"{name} has a meaning of its own"
        if problem:
            self.fail(at, f"cannot use {name} as a variable: {problem}")

    def read_interval(self, group: list[str]) -> syntax.QuantifierInterval | None:
        """Reads the interval of a group of variables; None for ``domain``, which means the columns' own."""
        at = self.token.at
        if self.token.text == "domain":
            for name in group:
                if self.names is not None and name not in self.names.variables:
                    self.fail(at, f"{name} is no column, so it has no domain; write {name} in [a, b]")
            self.position += 1
            return None
        opening = self.token.text
        if opening not in ("[", "("):
            self.fail_expecting("an interval such as [0, 1], or 'domain',")
        self.position += 1
        self.in_end = True
        low = self.read_term()
        self.take(",", " between the ends of the interval")
        high = self.read_term()
        self.in_end = False
        closing = self.token.text
        if closing not in ("]", ")"):
            self.fail_expecting("']' or ')' to close the interval")
        self.position += 1
        interval = syntax.QuantifierInterval(low, high, (opening == "[", closing == "]"))
        self.check_interval(interval, at)
        return interval

    def check_interval(self, interval: syntax.QuantifierInterval, at: int) -> None:
        """Refuses an interval that holds no number, or an end that is none."""
        low, high = interval.low.value, interval.high.value
        unknown = any(math.isnan(c.value) for t in (interval.low, interval.high) for c in t.expression.constants)
        if self.names is None and unknown:
            return
        if math.isnan(low) or math.isnan(high):
            self.fail(at, f"an end of the interval {interval} is not a number")
        if low > high or (low == high and (not all(interval.closed) or math.isinf(low))):
            self.fail(at, f"the interval {interval} is empty")


def _count_quantified(statement: Statement) -> int:
    """How many variables are quantified when each ``iff`` is written as two implications."""
    count = sum(map(_count_quantified, syntax.operands(statement)))
    if isinstance(statement, syntax.Quantified):
        return count + len(statement.over)
    return 2 * count if isinstance(statement, syntax.Equivalence) else count
