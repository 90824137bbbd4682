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
import re
from typing import NoReturn

from hypo.errors import FormulaError
from hypo.expression import ops
from hypo.expression.expr import PI, Constant
from hypo.kernels import opcodes as oc
from hypo.knowledge import logic_syntax as syntax
from hypo.knowledge import words
from hypo.knowledge.logic_names import FUNCTIONS, KEYWORDS, MAX_ORDER, Names, denominators, numerator
from hypo.knowledge.logic_syntax import Draft, Statement, Term
from hypo.knowledge.logic_tokens import Token, Tokens

MAX_LENGTH = 10_000
MAX_NESTING = 60
MAX_INTEGRALS = 2
MAX_QUANTIFIED = 16

_IFF, _IMPLIES, _OR, _AND, _NOT, _COMPARISON, _SUM = range(7)
_PRODUCT, _UNARY, _POWER = (_SUM + p - ops.P_SUM for p in (ops.P_PRODUCT, ops.P_UNARY, ops.P_POWER))
_RELATIONS = frozenset({"=", "!=", "<", "<=", ">", ">="})
_ARITHMETIC = {sign: ops.BY_NAME[sign] for sign in ("+", "-", "*", "/", "**")}
_LEVELS = {
    "iff": _IFF, "implies": _IMPLIES, "or": _OR, "and": _AND, **dict.fromkeys(_RELATIONS, _COMPARISON),
    "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT, "**": _POWER,
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
    return _Reader(text, names).read()


class _Reader(Tokens):
    """Reads the tokens from left to right."""

    def __init__(self, text: str, names: Names | None) -> None:
        super().__init__(text)
        self.names = names
        self.depth = 0
        self.integrals = 0
        self.local: list[str] = []  # quantified and integrated variables in scope
        self.in_end = False  # within the end of an interval

    # --- the whole ------------------------------------------------------------------------------------------------

    def read(self) -> Statement:
        if len(self.tokens) == 1:
            self.fail(0, "the rule is empty; expected a statement such as 'f >= 0'")
        whole = self.statement(_IFF)
        if self.token.kind != "end":
            self.stray()
        if _quantified(whole) > MAX_QUANTIFIED:
            self.fail(0, f"at most {MAX_QUANTIFIED} variables can be quantified, counted twice in each part of an 'iff'")
        return whole

    def statement(self, level: int) -> Statement:
        start = self.token.at
        found = self.climb(level)
        if isinstance(found, list):
            end = self.token
            name = "the rule ends" if end.kind == "end" else f"found {end.text!r}"
            if end.kind in ("number", "name") and end.text not in KEYWORDS or end.text == "(":
                self.stray()
            self.fail(end.at, f"expected a comparison such as '>= 0' after the number at column {self.column(start)} but {name}")
        return found

    def number(self, level: int) -> Draft:
        start = self.token.at
        found = self.climb(level)
        if not isinstance(found, list):
            self.fail(start, "expected a number but found a statement")
        return found

    def term(self) -> Term:
        return Term.of(self.number(_SUM))

    # --- operators between operands -------------------------------------------------------------------------------

    def climb(self, level: int) -> Draft | Statement:
        """A number or statement whose operators bind at least as tightly as ``level``."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.fail(self.token.at, f"the rule is nested too deeply; at most {MAX_NESTING} levels are allowed")
        start = self.token.at
        left = self.operand(level)
        while True:
            token = self.token
            binding = _LEVELS.get(token.text, -1) if token.kind != "end" else -1
            if binding < level:
                self.depth -= 1
                return left
            if isinstance(left, list) != (binding >= _COMPARISON):
                self.wrong_kind(left, start, token)
            if isinstance(left, list):
                left = self.compared(left) if binding == _COMPARISON else self.calculated(left, token)
            else:
                left = self.combined(left, token.text, binding)

    def wrong_kind(self, left: Draft | Statement, start: int, token: Token) -> NoReturn:
        if isinstance(left, list):
            self.fail(token.at, f"expected a comparison such as '>= 0' before {token.text!r}")
        self.fail(token.at, f"{token.text!r} needs numbers, but what begins at column {self.column(start)} is a statement")

    def combined(self, left: Statement, word: str, binding: int) -> Statement:
        if word == "implies":
            self.position += 1
            return syntax.Implication(left, self.statement(_IMPLIES))
        if word == "iff":
            self.position += 1
            return syntax.Equivalence(left, self.statement(_IMPLIES))
        parts = [left]
        while self.token.text == word:
            self.position += 1
            parts.append(self.statement(binding + 1))
        return (syntax.Conjunction if word == "and" else syntax.Disjunction)(tuple(parts))

    def compared(self, left: Draft) -> Statement:
        first = Term.of(left)
        links = []
        while self.token.text in _RELATIONS:
            relation = self.token.text
            self.position += 1
            links.append((relation, self.term()))
        return syntax.Chain(first, tuple(links))

    def calculated(self, left: Draft, token: Token) -> Draft:
        row = _ARITHMETIC[token.text]
        before = self.tokens[self.position - 1]
        self.position += 1
        opcode = row.opcode
        if opcode == oc.POW:
            if self.token.text in _SHORT_POWER and self.ahead().text != "**":
                opcode = _SHORT_POWER[self.token.text]
                self.position += 1
            else:
                left += self.number(_UNARY)  # the only operator that associates to the right
        else:
            right = self.number(_LEVELS[token.text] + 1)
            if opcode == oc.DIV and before.text == "1" and left == [Constant(1.0)]:
                opcode = oc.INV
                left.clear()
            left += right
        left.append(opcode)
        return left

    # --- operands -------------------------------------------------------------------------------------------------

    def operand(self, level: int) -> Draft | Statement:
        kind, text, at = self.token
        if kind == "number":
            self.position += 1
            return [self.literal(self.tokens[self.position - 1])]
        if text in ("not", "forall", "exists") and level <= _NOT:
            self.position += 1
            return self.quantified(text) if text != "not" else syntax.Negation(self.statement(_NOT))
        if kind == "name" and text not in KEYWORDS:
            return [*self.named(text, at)]
        if text == "(":
            return self.bracket()
        if text in ("+", "-") and kind == "mark":
            return self.signed(text)
        if text in ("not", "forall", "exists"):
            self.expected("a number (put a statement in brackets)")
        self.expected("a number, a name or '('" if level > _NOT else "a statement, a number, a name or '('")

    def literal(self, token: Token) -> Constant:
        value = float(token.text)
        if math.isinf(value):
            self.fail(token.at, f"the number {token.text} is too large for a float")
        return Constant(value)

    def signed(self, sign: str) -> Draft:
        self.position += 1
        after = self.token
        if sign == "-" and after.kind == "number" and self.ahead().text != "**":
            self.position += 1
            return [Constant(-self.literal(after).value)]
        inner = self.number(_UNARY)
        return [*inner, oc.NEG] if sign == "-" else inner

    def bracket(self) -> Draft | Statement:
        at = self.column(self.token.at)
        self.position += 1
        found = self.climb(_IFF)
        if self.token.kind in ("number", "name") and self.token.text not in KEYWORDS:
            self.stray()
        self.take(")", f" to close the '(' at column {at}")
        return found

    # --- names ----------------------------------------------------------------------------------------------------

    def named(self, name: str, at: int) -> Draft:
        called = self.ahead().text == "("
        if name in self.local or self.names is not None and name in self.names.variables:
            what = "variable" if name in self.local else "column"
            if self.in_end:
                self.fail(at, f"the ends of an interval must be constant, but {name} is a {what}; state the bound as a premise")
            self.no_call(name, f"a {what}", at, called)
            return self.leaf(name)
        if self.names is not None and name in self.names.constants:
            self.no_call(name, "a named constant", at, called)
            return self.leaf(Constant(float(self.names.constants[name]), name))
        if self.names is not None and name in self.names.laws:
            return self.law(name, at)
        if name == "pi":
            self.no_call(name, "a constant", at, called)
            return self.leaf(PI)
        if name == "inf":
            if not self.in_end:
                self.fail(at, "inf can only be an end of a quantified variable's interval")
            return self.leaf(Constant(math.inf))
        if name in FUNCTIONS:
            return self.function(name)
        if name == "int":
            return self.integral(at)
        if self.is_derivative(name):
            return self.derivative(name, at)
        return self.other(name, at, called)

    def leaf(self, leaf: str | Constant) -> Draft:
        self.position += 1
        return [leaf]

    def no_call(self, name: str, what: str, at: int, called: bool) -> None:
        if called:
            law = f"; the law is {self.names.target}" if name == "f" and self.names else ""
            self.fail(at + len(name), f"expected an operator after {name!r}, which is {what}{law}")

    def other(self, name: str, at: int, called: bool) -> Draft:
        """A name without a meaning: an error once the names are known."""
        if self.names is not None:
            functions = [*self.names.laws, *FUNCTIONS, "int"]
            self.fail(at, f"unknown function {name!r}; {words.suggestion(name, functions, 'known are ')}" if called
                      else self.names.unknown(name, self.local))
        if called:
            return self.law(name, at)
        return self.leaf(Constant(math.nan, name) if self.in_end else name)

    def constant_only(self, at: int, what: str) -> None:
        if self.in_end:
            self.fail(at, f"the ends of an interval must be constant, but this is {what}")

    def law(self, name: str, at: int) -> Draft:
        self.constant_only(at, "the law")
        self.position += 1
        return [syntax.Call(name, self.arguments(name))]

    def function(self, name: str) -> Draft:
        row = ops.lookup(name)
        assert row is not None
        self.position += 1
        self.take("(", f" after the function {name!r}")
        draft: Draft = []
        count = 0
        while not count or self.token.text == ",":
            self.position += bool(count)
            draft += self.number(_SUM)
            count += 1
        if self.token.text == ")" and count != row.arity:
            self.fail(self.token.at, f"{name} takes {row.arity} argument{'s' * (row.arity > 1)}, got {count}")
        self.close(name)
        return [*draft, row.opcode]

    def close(self, name: str) -> None:
        if self.token.kind in ("number", "name") and self.token.text not in KEYWORDS:
            self.stray()
        self.take(")", f" to close the arguments of {name}")

    def arguments(self, name: str) -> tuple[syntax.Argument, ...]:
        """The arguments in brackets after the law or a derivative; none if there is no bracket."""
        if self.token.text != "(":
            return ()
        start = self.position
        found: list[syntax.Argument] = []
        while not found or self.token.text == ",":
            self.position += 1
            if not found and self.token.text == ")":
                self.fail(self.token.at, f"{name} without arguments is written without brackets")
            given, _, at = self.token[1], self.token[0], self.token.at
            by_name = self.token.kind == "name" and self.ahead().text == "="
            if found and by_name != (found[0].name is not None):
                self.fail(at, f"the arguments of {name} are given either all by position or all by name")
            if by_name:
                self.check_argument(name, given, at, [a.name for a in found])
                self.position += 2
            found.append(syntax.Argument(given if by_name else None, self.term()))
        count = len(found)
        if self.token.text == ")" and self.names is not None and found[0].name is None and count != len(self.names.variables):
            columns = self.names.variables
            self.fail(self.tokens[start].at, f"{name} takes {len(columns)} argument{'s' * (len(columns) != 1)} "
                      f"({', '.join(columns)}), got {count}; some alone are given by name, as in {name}({columns[0]}=…)"
                      if columns else f"{name} takes no arguments, got {count}")
        self.close(name)
        return tuple(found)

    def check_argument(self, law: str, name: str, at: int, given: list[str | None]) -> None:
        if name in given:
            self.fail(at, f"the argument {name} is given twice")
        if self.names is not None and name not in self.names.variables:
            self.fail(at, f"{law} has no argument {name!r}; {words.suggestion(name, self.names.variables, 'its arguments are ')}")

    # --- derivatives and integrals --------------------------------------------------------------------------------

    def is_derivative(self, name: str) -> bool:
        read = numerator(name)
        if read is None or self.ahead().text != "/" or not re.fullmatch(r"d\w+", self.ahead(2).text):
            return False
        return self.names is None or read[1] in self.names.laws

    def derivative(self, name: str, at: int) -> Draft:
        self.constant_only(at, "a derivative")
        order, _ = numerator(name) or (1, "")
        below, below_at = self.ahead(2).text, self.ahead(2).at
        if order > MAX_ORDER:
            self.fail(at, f"derivatives go up to order {MAX_ORDER}")
        by: tuple[str, ...] = ()
        if self.names is not None:
            ways = denominators(below, self.names.variables, order)
            if len(ways) != 1:
                self.not_a_derivative(name, below, below_at, order, bool(ways))
            by = ways.pop()
        self.position += 3
        written = f"{name}/{below}"
        return [syntax.Derivative(written, by, self.arguments(written))]

    def not_a_derivative(self, above: str, below: str, at: int, order: int, ambiguous: bool) -> NoReturn:
        assert self.names is not None
        if ambiguous:
            self.fail(at, f"{below} can be read in more than one way; rename a column")
        columns = self.names.variables
        for other in range(1, MAX_ORDER + 1):
            if other != order and denominators(below, columns, other):
                self.fail(at, f"{above} is of order {order}, but {below} is of order {other}")
        name = below[1:]
        if name in self.local:
            self.fail(at, f"{name} is a quantified variable, no column; the law has derivatives by its columns "
                          f"({', '.join(columns)}), taken at other arguments as in {above}/d{columns[0]}(…)" if columns
                      else f"{name} is no column")
        self.fail(at, f"expected 'd' and a column after {above}/, but {name!r} is no column; "
                      + words.suggestion(name, columns, "the columns are "))

    def integral(self, at: int) -> Draft:
        self.constant_only(at, "an integral")
        self.integrals += 1
        if self.integrals > MAX_INTEGRALS:
            self.fail(at, f"integrals are nested too deeply; at most {MAX_INTEGRALS} are allowed within each other")
        self.position += 1
        form = " in int(integrand, variable, from, to)"
        self.take("(", form)
        variable = self.integrated()
        if variable is not None:
            self.local.append(variable)
        integrand = self.term()
        self.take(",", form)
        if variable is None or self.token.kind != "name":
            self.expected(f"the name of a variable{form}")
        self.check_new(variable, self.token.at, self.local[:-1])
        self.local.pop()
        self.position += 1
        self.take(",", form)
        low = self.term()
        self.take(",", form)
        high = self.term()
        self.close("int")
        self.integrals -= 1
        return [syntax.Integral(integrand, variable, low, high)]

    def integrated(self) -> str | None:
        """The name after the first comma, which the integrand before it may use already."""
        depth = 0
        for k in range(self.position, len(self.tokens)):
            text = self.tokens[k].text
            if text == "," and not depth:
                after = self.tokens[k + 1]
                return after.text if after.kind == "name" else None
            depth += (text in ("(", "[")) - (text in (")", "]"))
            if depth < 0:
                return None
        return None

    # --- quantifiers ----------------------------------------------------------------------------------------------

    def quantified(self, word: str) -> Statement:
        over: list[tuple[str, syntax.Interval | None]] = []
        outside = len(self.local)
        more = True
        while more:
            group: list[str] = []
            while not group or self.token.text == ",":
                self.position += bool(group)
                if self.token.kind != "name" or self.token.text in KEYWORDS:
                    self.expected(f"a variable after {word!r}" if not group else "a variable")
                self.check_new(self.token.text, self.token.at, self.local)
                group.append(self.token.text)
                self.local.append(self.token.text)
                self.position += 1
            self.take("in", " and an interval, as in 'x in [0, 1]'")
            interval = self.interval(group)
            over += [(name, interval) for name in group]
            more = self.token.text == ","
            self.position += more
        self.take(":", " before the statement")
        body = self.statement(_IFF)
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

    def interval(self, group: list[str]) -> syntax.Interval | None:
        at = self.token.at
        if self.token.text == "domain":
            for name in group if self.names is not None else ():
                if name not in self.names.variables:
                    self.fail(at, f"{name} is no column, so it has no domain; write {name} in [a, b]")
            self.position += 1
            return None
        opening = self.token.text
        if opening not in ("[", "("):
            self.expected("an interval such as [0, 1], or 'domain',")
        self.position += 1
        self.in_end = True
        low = self.term()
        self.take(",", " between the ends of the interval")
        high = self.term()
        self.in_end = False
        closing = self.token.text
        if closing not in ("]", ")"):
            self.expected("']' or ')' to close the interval")
        self.position += 1
        interval = syntax.Interval(low, high, (opening == "[", closing == "]"))
        self.check_interval(interval, at)
        return interval

    def check_interval(self, interval: syntax.Interval, at: int) -> None:
        low, high = interval.low.value, interval.high.value
        unknown = any(math.isnan(c.value) for t in (interval.low, interval.high) for c in t.expression.constants)
        if self.names is None and unknown:
            return
        if math.isnan(low) or math.isnan(high):
            self.fail(at, f"an end of the interval {interval} is not a number")
        if low > high or (low == high and (not all(interval.closed) or math.isinf(low))):
            self.fail(at, f"the interval {interval} is empty")


def _quantified(statement: Statement) -> int:
    """How many variables are quantified when each ``iff`` is written as two implications."""
    count = sum(map(_quantified, syntax.operands(statement)))
    if isinstance(statement, syntax.Quantified):
        return count + len(statement.over)
    return 2 * count if isinstance(statement, syntax.Equivalence) else count
