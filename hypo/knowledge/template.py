"""Templates: the form of a law of which some parts are known and others are unknown functions of given columns.

``sqrt(L/g) * h(theta)`` is read in two steps. Its syntax is checked at once: a call of a name that is no operator is an unknown
function, its arguments are names of columns. What the other names are is known only with the table: columns, named constants,
else constants to be fitted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from hypo.errors import FormulaError, KnowledgeError
from hypo.expression import operators as ops
from hypo.expression.expr import Expression
from hypo.expression.parser import MAX_LENGTH, parse
from hypo.knowledge.text.wording import join, name_problem, nearest

_NAME = r"[^\W\d]\w*"
_WORD = re.compile(rf"(?P<number>[0-9.]+(?:[eE][+-]?[0-9]+)?)|(?P<name>{_NAME})(?P<call>\s*\()?")
_ARGUMENTS = re.compile(rf"\s*{_NAME}\s*(?:,\s*{_NAME}\s*)*\)")
_LEFT_SIDE = re.compile(rf"\s*(?P<name>{_NAME})\s*=(?!=)")


@dataclass(frozen=True)
class Template:
    """A form such as ``T = sqrt(L/g) * h(theta)``; its left side may be left out.

    ``unknowns`` maps each unknown function to its arguments, ``left`` is the name on the left side or None. An unknown function
    that occurs more than once has the same arguments everywhere.

    Raises FormulaError, with the column in ``form``, when it cannot be read or holds no unknown function.
    """

    form: str
    unknowns: Mapping[str, tuple[str, ...]] = field(init=False, compare=False)
    left: str | None = field(init=False, compare=False)
    # The form with every unknown call replaced by the function's name, columns kept, so that errors name the right place.
    _plain: str = field(init=False, compare=False, repr=False)
    _names: tuple[str, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.form, str):
            raise FormulaError(f"the form of a template must be text, got {type(self.form).__name__}")
        if len(self.form) > MAX_LENGTH:
            raise FormulaError(f"the form has {len(self.form)} characters; at most {MAX_LENGTH} are allowed")
        left = _LEFT_SIDE.match(self.form)
        start = left.end() if left else 0
        unknowns: dict[str, tuple[str, ...]] = {}
        plain, known = [" " * start], [" " * start]
        for name, begin, end, arguments in _calls(self.form, start):
            if unknowns.setdefault(name, arguments) != arguments:
                raise _problem(
                    begin,
                    f"{name} has the arguments {join(arguments)} here and {join(unknowns[name])} before; "
                    "an unknown function has the same arguments everywhere, so give this one another name",
                )
            for parts, word in ((plain, name), (known, "1")):
                parts.append(self.form[start:begin] + word.ljust(end - begin))
            start = end
        parse("".join([*plain, self.form[start:]]), variables=())  # so that "sqrt" without a bracket is no name
        beside = parse("".join([*known, self.form[start:]])).variables
        for name in beside:
            if name in unknowns:
                raise FormulaError(
                    f"{name} is called as an unknown function and also stands without arguments; "
                    "give one of them another name"
                )
        if not unknowns:
            raise FormulaError(
                "the form has no unknown function such as h(x); a formula with nothing but constants to fit "
                "is a guess, so write it into [guesses]"
            )
        arguments = tuple(a for listed in unknowns.values() for a in listed)
        object.__setattr__(self, "unknowns", unknowns)
        object.__setattr__(self, "left", left["name"] if left else None)
        object.__setattr__(self, "_plain", "".join([*plain, self.form[start:]]))
        object.__setattr__(self, "_names", tuple(dict.fromkeys([*beside, *arguments])))

    @property
    def names(self) -> tuple[str, ...]:
        """All names but those of operators and unknown functions: columns, named constants and constants to be fitted."""
        return self._names

    def problems(
        self, variables: Collection[str], constants: Collection[str] = (), target: str | None = None
    ) -> list[str]:
        """Why the form cannot be used with these columns and named constants, one sentence each."""
        found = []
        if self.left is not None and target is not None and self.left not in (target, "f"):
            found.append(f"the left side is {self.left}, but the target is {target}")
        for name, arguments in self.unknowns.items():
            if name in variables or name == target:
                found.append(
                    f"{name}(...) is called like a function, but {name} is a column; write {name}*(...), or give "
                    "the unknown function another name"
                )
            elif name in constants:
                found.append(
                    f"{name}(...) is called like a function, but {name} is a named constant; give one of them "
                    "another name"
                )
            for argument in arguments:
                if argument not in variables:
                    near = nearest(argument, variables)
                    hint = f"did you mean {near}?" if near else f"the columns are {', '.join(list(variables)[:20])}"
                    found.append(f"{name} is a function of {argument}, which is no column; {hint}")
        if target is not None and target in self.names:
            found.append(f"the target {target} stands on the right side")
        return found

    def bind(self, variables: Collection[str], constants: Mapping[str, float] | None = None) -> BoundTemplate:
        """The template for a table with the columns ``variables``; other names are constants to be fitted, from 1.

        Raises KnowledgeError when an unknown function has the name of a column or a named constant, or an argument that is no
        column.
        """
        found = self.problems(variables, constants or {})
        if found:
            raise KnowledgeError(f"the template {self.form!r} cannot be used: {'; '.join(found)}")
        return BoundTemplate(
            self.unknowns, parse(self._plain, variables={*variables, *self.unknowns}, constants=constants)
        )


@dataclass(frozen=True)
class BoundTemplate:
    """A template over known columns: ``expression`` holds each unknown function as a variable of its name.

    ``unknowns`` maps the functions to their arguments. Constants to be fitted carry their names.
    """

    unknowns: Mapping[str, tuple[str, ...]]
    expression: Expression

    def fill(self, parts: Mapping[str, Expression]) -> Expression:
        """The law with ``parts[name]`` in place of each unknown function.

        Raises ValueError when a part is missing or uses a column that is no argument of its function.
        """
        for name, arguments in self.unknowns.items():
            if name not in parts:
                raise ValueError(f"expected a formula for each of {join(self.unknowns)}, got none for {name}")
            foreign = [v for v in parts[name].variables if v not in arguments]
            if foreign:
                raise ValueError(f"{name} is a function of {join(arguments)}, got a formula with {join(foreign)}")
        return self.expression.substitute({name: parts[name] for name in self.unknowns})

    def without_single_names(self) -> BoundTemplate:
        """The template whose constants have names only where they occur twice; a constant without one merges with others."""
        e = self.expression
        names = [c.name for c in e.constants]
        constants = tuple(replace(c, name=None) if c.free and names.count(c.name) == 1 else c for c in e.constants)
        return replace(self, expression=replace(e, constants=constants))


def _calls(form: str, start: int) -> Iterator[tuple[str, int, int, tuple[str, ...]]]:
    """Each call of an unknown function: its name, where it begins and ends, and its arguments."""
    for match in _WORD.finditer(form, start):
        name = match["name"]
        if not match["call"] or name == "pi" or ops.lookup(name) is not None:
            continue
        begin = match.start("name")
        problem = name_problem(name)
        if problem:
            raise _problem(begin, problem)
        arguments = _ARGUMENTS.match(form, match.end())
        if arguments is None:
            raise _problem(
                match.end(),
                f"{name} is an unknown function (no operator), so its arguments are names of columns, "
                f"as in {name}(x, y); expected a name",
            )
        names = tuple(re.findall(_NAME, arguments.group()))
        for i, argument in enumerate(names):
            if ops.lookup(argument) is not None or argument == "pi":
                raise _problem(match.end(), f"{name} is an unknown function of columns, and {argument} is none")
            if argument in names[:i]:
                raise _problem(match.end(), f"{name} has the argument {argument} twice")
        yield name, begin, arguments.end(), names


def _problem(at: int, message: str) -> FormulaError:
    return FormulaError(f"cannot read the form at column {at + 1}: {message}")
