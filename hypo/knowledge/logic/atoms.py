"""The atoms of first-order rules: what a name begins, with the arguments after it."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from typing import NoReturn

from hypo.expression import operators as ops
from hypo.expression.expr import PI, Constant
from hypo.knowledge.logic import syntax
from hypo.knowledge.logic.names import KEYWORDS, MAX_ORDER, Names, denominators, numerator
from hypo.knowledge.logic.syntax import Draft, LogicTerm
from hypo.knowledge.logic.tokens import Token, Tokens
from hypo.knowledge.text import wording as words

MAX_INTEGRALS = 2
"""So many integrals may stand within each other: the nodes of quadrature multiply with each."""


class AtomReader(Tokens, ABC):
    """Reads atoms; what stands between their brackets is read by :meth:`read_sum`."""

    def __init__(self, text: str, names: Names | None) -> None:
        super().__init__(text)
        self.names = names
        self.integrals = 0
        self.local: list[str] = []  # quantified and integrated variables in scope
        self.in_end = False  # within the end of an interval

    @abstractmethod
    def read_sum(self) -> Draft:
        """Reads a number, up to what cannot belong to it."""

    def read_term(self) -> LogicTerm:
        """Reads a number as a term of a statement."""
        return LogicTerm.of(self.read_sum())

    @abstractmethod
    def check_new(self, name: str, at: int, local: list[str]) -> None:
        """Refuses a name for a variable that cannot be one."""

    def read_literal(self, token: Token) -> Constant:
        """The constant that a number stands for; refuses those beyond all floats."""
        value = float(token.text)
        if math.isinf(value):
            self.fail(token.at, f"the number {token.text} is too large for a float")
        return Constant(value)

    # --- names ----------------------------------------------------------------------------------------------------

    def read_name(self, name: str, at: int) -> Draft:
        """Reads what begins with a name: a variable, a constant, the law, a function, a derivative or an integral."""
        called = self.ahead().text == "("
        if name in self.local or (self.names is not None and name in self.names.variables):
            what = "variable" if name in self.local else "column"
            if self.in_end:
                self.fail(
                    at,
                    f"the ends of an interval must be constant, but {name} is a {what}; state the bound as a premise",
                )
            self.refuse_call(name, f"a {what}", at, called)
            return self.read_leaf(name)
        if self.names is not None and name in self.names.constants:
            self.refuse_call(name, "a named constant", at, called)
            return self.read_leaf(Constant(float(self.names.constants[name]), name))
        if self.names is not None and name in self.names.laws:
            return self.read_law(name, at)
        if name == "pi":
            self.refuse_call(name, "a constant", at, called)
            return self.read_leaf(PI)
        if name == "inf":
            if not self.in_end and self.names is None:
                return self.read_leaf(name)  # it could be a column
            if not self.in_end:
                self.fail(at, "inf can only be an end of a quantified variable's interval")
            return self.read_leaf(Constant(math.inf))
        if ops.is_function(name):
            return self.read_function(name)
        if name == "int" and (called or self.names is not None):
            return self.read_integral(at)
        if self.is_derivative(name):
            return self.read_derivative(name, at)
        return self.read_unknown(name, at, called)

    def read_leaf(self, leaf: str | Constant) -> Draft:
        """Steps over a name that is a variable or constant."""
        self.position += 1
        return [leaf]

    def refuse_call(self, name: str, what: str, at: int, called: bool) -> None:
        """Refuses the name of a variable or constant with a bracket behind it."""
        if called:
            law = f"; the law is {self.names.target}" if name == "f" and self.names else ""
            self.fail(at + len(name), f"expected an operator after {name!r}, which is {what}{law}")

    def read_unknown(self, name: str, at: int, called: bool) -> Draft:
        """A name without a meaning: an error once the names are known."""
        if self.names is not None:
            self.fail(at, self.names.unknown_function(name) if called else self.names.unknown(name, self.local))
        if called:
            return self.read_law(name, at)
        return self.read_leaf(Constant(math.nan, name) if self.in_end else name)

    def refuse_in_end(self, at: int, what: str) -> None:
        """Refuses what may vary as an end of an interval."""
        if self.in_end:
            self.fail(at, f"the ends of an interval must be constant, but this is {what}")

    def read_law(self, name: str, at: int) -> Draft:
        """Reads the law, with its arguments if there are any."""
        self.refuse_in_end(at, "the law")
        self.position += 1
        return [syntax.Call(name, self.read_arguments(name))]

    def read_function(self, name: str) -> Draft:
        """Reads a function of the table of operators and as many arguments as it takes."""
        row = ops.lookup(name)
        assert row is not None
        self.position += 1
        self.take("(", f" after the function {name!r}")
        draft: Draft = []
        count = 0
        while not count or self.token.text == ",":
            self.position += bool(count)
            draft += self.read_sum()
            count += 1
        if self.token.text == ")" and count != row.arity:
            self.fail(self.token.at, f"{name} takes {row.arity} argument{'s' * (row.arity > 1)}, got {count}")
        self.take_closing(name)
        return [*draft, row.opcode]

    def take_closing(self, name: str) -> None:
        """Steps over the bracket that closes the arguments of ``name``."""
        if self.token.kind in ("number", "name") and self.token.text not in KEYWORDS:
            self.fail_stray()
        self.take(")", f" to close the arguments of {name}")

    def read_arguments(self, name: str) -> tuple[syntax.Argument, ...]:
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
            found.append(syntax.Argument(given if by_name else None, self.read_term()))
        count = len(found)
        if (
            self.token.text == ")"
            and self.names is not None
            and found[0].name is None
            and count != len(self.names.variables)
        ):
            columns = self.names.variables
            self.fail(
                self.tokens[start].at,
                f"{name} takes {len(columns)} argument{'s' * (len(columns) != 1)} "
                f"({', '.join(columns)}), got {count}; some alone are given by name, as in {name}({columns[0]}=…)"
                if columns
                else f"{name} takes no arguments, got {count}",
            )
        self.take_closing(name)
        return tuple(found)

    def check_argument(self, law: str, name: str, at: int, given: list[str | None]) -> None:
        """Refuses an argument given by a name that is no column, or given before."""
        if name in given:
            self.fail(at, f"the argument {name} is given twice")
        if self.names is not None and name not in self.names.variables:
            columns = self.names.variables
            self.fail(at, f"{law} has no argument {name!r}; {words.suggestion(name, columns, 'its arguments are ')}")

    # --- derivatives and integrals --------------------------------------------------------------------------------

    def is_derivative(self, name: str) -> bool:
        """True if ``name`` begins a derivative of the law, such as ``dT/dL``."""
        read = numerator(name)
        if read is None or self.ahead().text != "/" or not re.fullmatch(r"d\w+", self.ahead(2).text):
            return False
        return self.names is None or read[1] in self.names.laws

    def read_derivative(self, name: str, at: int) -> Draft:
        """Reads a derivative of the law, with its arguments if there are any."""
        self.refuse_in_end(at, "a derivative")
        order, _ = numerator(name) or (1, "")
        below, below_at = self.ahead(2).text, self.ahead(2).at
        if order > MAX_ORDER:
            self.fail(at, f"derivatives go up to order {MAX_ORDER}")
        by: tuple[str, ...] = ()
        if self.names is not None:
            ways = denominators(below, self.names.variables, order)
            if len(ways) != 1:
                self.fail_derivative(name, below, below_at, order, bool(ways))
            by = ways.pop()
        self.position += 3
        written = f"{name}/{below}"
        return [syntax.Derivative(written, by, self.read_arguments(written))]

    def fail_derivative(self, above: str, below: str, at: int, order: int, ambiguous: bool) -> NoReturn:
        """Says what is wrong with the denominator of a derivative."""
        assert self.names is not None
        if ambiguous:
            self.fail(at, f"{below} can be read in more than one way; rename a column")
        columns = self.names.variables
        for other in range(1, MAX_ORDER + 1):
            if other != order and denominators(below, columns, other):
                self.fail(at, f"{above} is of order {order}, but {below} is of order {other}")
        name = below[1:]
        if name in self.local:
            self.fail(
                at,
                f"{name} is a quantified variable, no column; the law has derivatives by its columns "
                f"({', '.join(columns)}), taken at other arguments as in {above}/d{columns[0]}(…)"
                if columns
                else f"{name} is no column",
            )
        self.fail(
            at,
            f"expected 'd' and a column after {above}/, but {name!r} is no column; "
            + words.suggestion(name, columns, "the columns are "),
        )

    def read_integral(self, at: int) -> Draft:
        """Reads ``int(integrand, variable, from, to)``."""
        self.refuse_in_end(at, "an integral")
        self.integrals += 1
        if self.integrals > MAX_INTEGRALS:
            self.fail(at, f"integrals are nested too deeply; at most {MAX_INTEGRALS} are allowed within each other")
        self.position += 1
        form = " in int(integrand, variable, from, to)"
        self.take("(", form)
        variable = self.find_integrated()
        if variable is not None:
            self.local.append(variable)
        integrand = self.read_term()
        self.take(",", form)
        if variable is None or self.token.kind != "name":
            self.fail_expecting(f"the name of a variable{form}")
        self.check_new(variable, self.token.at, self.local[:-1])
        self.local.pop()
        self.position += 1
        self.take(",", form)
        low = self.read_term()
        self.take(",", form)
        high = self.read_term()
        self.take_closing("int")
        self.integrals -= 1
        return [syntax.Integral(integrand, variable, low, high)]

    def find_integrated(self) -> str | None:
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
