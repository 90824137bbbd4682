"""The words of first-order rules, and messages that mark one of them."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from hypo.errors import FormulaError
from hypo.expression import operators as ops
from hypo.knowledge.logic.names import KEYWORDS

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<name>[^\W\d]\w*)"
    r"|(?P<foreign><->|<=>|->|=>|&&?|\|\|?|!(?!=)|[∀∃∧∨¬→⇒↔⇔])"
    r"|(?P<mark>\*\*|[<>=!]=|[-+*/^(),:<>=\[\]≤≥≠])|(?P<end>\Z))"
)
_SAME = {"^": "**", "==": "=", "≤": "<=", "≥": ">=", "≠": "!="}
_FOREIGN = {
    "<->": "iff",
    "<=>": "iff",
    "↔": "iff",
    "⇔": "iff",
    "->": "implies",
    "=>": "implies",
    "→": "implies",
    "⇒": "implies",
    "&": "and",
    "&&": "and",
    "∧": "and",
    "|": "or",
    "||": "or",
    "∨": "or",
    "!": "not",
    "¬": "not",
    "∀": "forall",
    "∃": "exists",
}


class Token(NamedTuple):
    """A word or sign, and where it stands."""

    kind: str  # "number", "name", "mark" or "end"
    text: str
    at: int


class Tokens:
    """The tokens of a text, read from left to right; ``position`` is that of the next one."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self.split()
        self.position = 0

    def split(self) -> list[Token]:
        """The tokens of the text, the last of which is its end."""
        tokens: list[Token] = []
        at = 0
        while not tokens or tokens[-1].kind != "end":
            match = _TOKEN.match(self.text, at)
            if match is None:
                at += len(self.text[at:]) - len(self.text[at:].lstrip())
                self.fail(at, f"unexpected character {self.text[at]!r}")
            kind = str(match.lastgroup)
            token = match.group(kind)
            if kind == "foreign":
                self.fail(match.start(kind), f"unexpected {token!r}; write {_FOREIGN[token]!r}")
            tokens.append(Token(kind, _SAME.get(token, token), match.start(kind)))
            at = match.end()
        return tokens

    def fail(self, at: int, message: str) -> NoReturn:
        """Raises FormulaError with line and column of ``at``, and the text around it marked."""
        start = self.text.rfind("\n", 0, at) + 1
        end = self.text.find("\n", at)
        low, high = max(start, at - 40), min(len(self.text) if end < 0 else end, at + 40)
        shown = self.text[low:high].replace("\t", " ").replace("\r", " ")
        line = self.text.count("\n", 0, at) + 1
        raise FormulaError(
            f"cannot read the rule at line {line}, column {at - start + 1}: {message}\n"
            f"    {shown}\n    {' ' * (at - low)}^"
        )

    @property
    def token(self) -> Token:
        """The token that is read next."""
        return self.tokens[self.position]

    def ahead(self, n: int = 1) -> Token:
        """The token ``n`` behind the next one, or the end."""
        return self.tokens[min(self.position + n, len(self.tokens) - 1)]

    def fail_expecting(self, what: str) -> NoReturn:
        """Refuses the next token, where ``what`` was expected."""
        kind, text, at = self.token
        self.fail(at, f"expected {what} but " + ("the rule ends" if kind == "end" else f"found {text!r}"))

    def take(self, text: str, why: str = "") -> None:
        """Steps over the token ``text``, which must be next; ``why`` says what for."""
        if self.token.kind == "end" or self.token.text != text:
            self.fail_expecting(f"{text!r}{why}")
        self.position += 1

    def column(self, at: int) -> int:
        """The column (from 1) of a place in its line."""
        return at - self.text.rfind("\n", 0, at)

    def fail_stray(self) -> NoReturn:
        """Refuses the next token, which no operator joins to what stands before it."""
        left, right = self.tokens[self.position - 1], self.token
        if right.text == ")":
            self.fail(right.at, "this ')' has no '(' before it")
        if (right.kind in ("number", "name") and right.text not in KEYWORDS) or right.text == "(":
            if ops.is_function(left.text):
                self.fail_expecting(f"'(' after the function {left.text!r}")
            self.fail(
                right.at,
                f"expected an operator between {left.text!r} and {right.text!r}; "
                "multiplication is written out with '*'",
            )
        self.fail_expecting("an operator or the end")
