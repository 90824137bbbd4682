"""The meaning of names in a first-order rule.

A name means, first found first: a quantified variable around it, a column, a named constant, the law (the target's name,
or ``f``), ``pi``. So a column named ``f`` or ``e`` stays a column, and the target's name always means the law.
``df/dx`` is a derivative unless ``df`` itself is a variable, column or constant. Only the words of the language come first: a
column called ``forall``, ``exists``, ``implies`` or ``iff`` cannot be named in a rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypo.expression import operators as ops
from hypo.knowledge.text import wording as words

MAX_ORDER = 4
KEYWORDS = frozenset({"forall", "exists", "in", "and", "or", "not", "implies", "iff"})
_NUMERATOR = re.compile(r"d([1-9][0-9]?)?([^\W\d]\w*)")


@dataclass(frozen=True)
class Names:
    """The names that a table gives: columns in order, the target, and named constants with their values."""

    variables: tuple[str, ...]
    target: str
    constants: Mapping[str, float]

    @property
    def laws(self) -> tuple[str, ...]:
        """The names of the law."""
        taken = self.target == "f" or "f" in self.variables or "f" in self.constants
        return (self.target,) if taken else (self.target, "f")

    def problem(self, name: str) -> str | None:
        """Why ``name`` cannot be quantified, or None."""
        if name in self.variables:
            return None
        if name in self.laws:
            return f"{name} is the law"
        return f"{name} is a named constant" if name in self.constants else None

    def unknown(self, name: str, local: Sequence[str]) -> str:
        """The message about a name that means nothing."""
        known = list(dict.fromkeys([*local, *self.variables, *self.constants, *self.laws, "pi"]))
        return f"unknown name {name!r}; {words.suggestion(name, known, 'known are ')}"

    def unknown_function(self, name: str) -> str:
        """The message about a name before a bracket that is no function."""
        near = words.nearest(name, [*self.laws, *ops.function_names(), "int"])
        plain = [n for n in ops.BY_NAME if n.isalpha()]
        hint = f"did you mean {near}?" if near else f"known are {words.join([*self.laws, *plain, 'int'])}"
        return f"unknown function {name!r}; {hint}"


def numerator(word: str) -> tuple[int, str] | None:
    """(order, name of the law) in ``df`` or ``d2f``; None if the word has not that form."""
    match = _NUMERATOR.fullmatch(word)
    return (int(match[1] or 1), match[2]) if match else None


def denominators(word: str, columns: Sequence[str], order: int) -> set[tuple[str, ...]]:
    """All ways to read ``dxdy`` or ``dx2`` as ``order`` columns, each way sorted as ``columns`` are."""
    found: set[tuple[str, ...]] = set()

    def read(at: int, so_far: tuple[str, ...]) -> None:
        if at == len(word):
            if len(so_far) == order:
                found.add(tuple(sorted(so_far, key=columns.index)))
            return
        if word[at] != "d" or len(so_far) >= order:
            return
        for column in columns:
            if word.startswith(column, at + 1):
                end = at + 1 + len(column)
                read(end, (*so_far, column))
                power = re.compile("[1-9][0-9]?").match(word, end)
                for digits in range(1, len(power[0]) + 1 if power else 0):
                    times = int(word[end : end + digits])
                    if 1 < times <= order - len(so_far):
                        read(end + digits, so_far + times * (column,))

    read(0, ())
    return found
