"""The values that the keys of a rule's table hold: each sort reads itself from TOML, writes itself back, names variables."""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from typing import Any

from hypo.errors import FormulaError
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.knowledge.text.toml_lines import Path
from hypo.knowledge.text.wording import join, kind, name_problem, show, suggestion

ReportProblem = Callable[[Path, str], None]
"""Notes what is wrong at a key of the rule's table; the path is empty for the table as a whole."""

Range = tuple[float, float]


def parameter(sort: Sort, *, default: Any = MISSING, words: str = "") -> Any:
    """A key of a rule's table, to be written in the class body: ``x: str = parameter(VARIABLE, words="the variable")``.

    ``words`` says what the key states, for the message when it is missing; without ``default`` it is required.
    """
    found = {"sort": sort, "words": words}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: dict(default), metadata=found, hash=False)
    if default is MISSING:
        return field(metadata=found, hash=sort.hashable)
    return field(default=default, metadata=found, hash=sort.hashable)


class Sort(ABC):
    """A sort of value. ``example`` is how a file writes one."""

    example: str
    hashable = True

    @abstractmethod
    def read(self, value: Any, path: Path, problem: ReportProblem) -> Any:
        """The checked value, or None after stating every problem; reads its own results too."""

    def write(self, value: Any) -> Any:
        """The value as TOML holds it."""
        return value

    def names(self, value: Any) -> Iterable[str]:
        """The variables that the value mentions."""
        return ()


@dataclass(frozen=True)
class Number(Sort):
    """A number; ``infinite`` allows "inf" and "-inf", ``least`` and ``most`` are the ends of what is allowed (``above``
    itself is not)."""

    infinite: bool = False
    least: float = -math.inf
    above: float = -math.inf
    most: float = math.inf
    example: str = "1.0"

    def read(self, value: Any, path: Path, problem: ReportProblem) -> float | None:
        if self.infinite and isinstance(value, str):
            text = value.strip().lower()
            if text in _INFINITE:
                return _INFINITE[text]
            problem(path, f'expected a number, "inf" or "-inf", got {show(value)}')
            return None
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            problem(path, f"expected {self._describe_expected()}, got {show(value)}")
            return None
        try:
            number = float(value)
        except OverflowError:
            number = math.nan
        if math.isnan(number) or (math.isinf(number) and not self.infinite):
            problem(
                path,
                f"expected a finite number, got {show(value)}"
                if not self.infinite
                else f'expected a number, "inf" or "-inf", got {show(value)}',
            )
            return None
        if not self.least <= number <= self.most or (number <= self.above and self.above > -math.inf):
            problem(path, f"expected {self._describe_expected()}, got {show(value)}")
            return None
        return number

    def _describe_expected(self) -> str:
        if self.most < math.inf:
            return f"a number from {self.least:g} to {self.most:g}"
        if self.above > -math.inf:
            return f"a number above {self.above:g}"
        if self.least > -math.inf:
            return f"a number of at least {self.least:g}"
        return 'a number, "inf" or "-inf"' if self.infinite else "a number"

    def write(self, value: Any) -> Any:
        return _write_number(value)


_INFINITE = {"inf": math.inf, "+inf": math.inf, "-inf": -math.inf}


def _write_number(value: float | None) -> Any:
    """JSON has no infinite numbers, so they are written as text."""
    return value if value is None or math.isfinite(value) else "inf" if value > 0 else "-inf"


@dataclass(frozen=True)
class Flag(Sort):
    """True or false."""

    example: str = "true"

    def read(self, value: Any, path: Path, problem: ReportProblem) -> bool | None:
        if not isinstance(value, bool):
            problem(path, f"expected true or false, got {show(value)}")
            return None
        return value


@dataclass(frozen=True)
class FreeText(Sort):
    """Any text but an empty one."""

    example: str = '"a name"'

    def read(self, value: Any, path: Path, problem: ReportProblem) -> str | None:
        if not isinstance(value, str):
            problem(path, f"expected text in quotes, got {show(value)}")
            return None
        if not value.strip():
            problem(path, "the text is empty")
            return None
        return value


@dataclass(frozen=True)
class OneOf(Sort):
    """One of a few words."""

    options: tuple[str, ...]

    @property
    def example(self) -> str:  # type: ignore[override]
        """The first of the words, as TOML writes it."""
        return f'"{self.options[0]}"'

    def read(self, value: Any, path: Path, problem: ReportProblem) -> str | None:
        if isinstance(value, str) and value in self.options:
            return value
        guess = (
            suggestion(value, self.options, "expected ") if isinstance(value, str) else "expected " + join(self.options)
        )
        problem(path, f"got {show(value)}; {guess.replace(' and ', ' or ')}")
        return None


@dataclass(frozen=True)
class Variable(Sort):
    """The name of a variable."""

    example: str = '"x"'

    def read(self, value: Any, path: Path, problem: ReportProblem) -> str | None:
        if not isinstance(value, str):
            problem(path, f"expected a variable's name in quotes, got {show(value)}")
            return None
        wrong = name_problem(value)
        if wrong:
            problem(path, wrong)
            return None
        return value

    def names(self, value: Any) -> Iterable[str]:
        return () if value is None else (value,)


@dataclass(frozen=True)
class Variables(Sort):
    """A list of different variables, or one name for a list of one; ``count`` fixes their number."""

    count: int | None = None
    example: str = '["x", "y"]'

    def read(self, value: Any, path: Path, problem: ReportProblem) -> tuple[str, ...] | None:
        if isinstance(value, str) and self.count is None:
            value = [value]
        how_many = "variables" if self.count is None else f"{_WORDS[self.count]} variables"
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            problem(path, f"expected a list of {how_many} such as {self.example}, got {show(value)}")
            return None
        found = [VARIABLE.read(name, (*path, i), problem) for i, name in enumerate(value)]
        if None in found:
            return None
        if len(found) != self.count if self.count is not None else not found:
            problem(path, f"expected {how_many if self.count else 'at least one variable'}, got {len(found) or 'none'}")
            return None
        repeated = next((name for name, n in Counter(found).items() if n > 1), None)
        if repeated is not None:
            problem(path, f"{repeated} stands here twice; name different variables")
            return None
        return tuple(str(name) for name in found)

    def write(self, value: Any) -> Any:
        return list(value)

    def names(self, value: Any) -> Iterable[str]:
        return value or ()


_WORDS = {1: "one", 2: "two", 3: "three"}


@dataclass(frozen=True)
class Formula(Sort):
    """A formula of at least two variables, without free constants."""

    example: str = '"x + y"'

    def read(self, value: Any, path: Path, problem: ReportProblem) -> Expression | None:
        if isinstance(value, Expression):
            value = str(value)
        if not isinstance(value, str):
            problem(path, f"expected a formula in quotes such as {self.example}, got {show(value)}")
            return None
        try:
            found = parse(value)
        except FormulaError as error:
            problem(path, " ".join(str(error).split("\n")[0].split()))
            return None
        if len(found.variables) < 2:
            problem(path, f"expected a formula of two variables or more such as {self.example}, got {show(value)}")
            return None
        return found

    def write(self, value: Any) -> Any:
        return str(value)

    def names(self, value: Any) -> Iterable[str]:
        return () if value is None else value.variables


@dataclass(frozen=True)
class NumberList(Sort):
    """A list of finite numbers, or one number for a list of one."""

    example: str = "[0.0, 1.0]"

    def read(self, value: Any, path: Path, problem: ReportProblem) -> tuple[float, ...] | None:
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            value = [value]
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            problem(path, f"expected a list of numbers such as {self.example}, got {show(value)}")
            return None
        found = [NUMBER.read(v, (*path, i), problem) for i, v in enumerate(value)]
        if None in found:
            return None
        if not found:
            problem(path, "the list is empty")
            return None
        return tuple(v for v in found if v is not None)

    def write(self, value: Any) -> Any:
        return list(value)


class _Table(Sort):
    """A table with a variable in each key."""

    hashable = False

    @abstractmethod
    def entry(self, value: Any, path: Path, problem: ReportProblem) -> Any:
        """The checked value of one key."""

    def read(self, value: Any, path: Path, problem: ReportProblem) -> Mapping[str, Any] | None:
        if not isinstance(value, Mapping):
            problem(path, f"expected a table such as {self.example}, got {show(value)}")
            return None
        found = {}
        for name, entry in value.items():
            if not isinstance(name, str):
                problem(path, f"a key must be text, got {show(name)}")
                continue
            wrong = name_problem(name)
            if wrong:
                problem((*path, name), wrong)
            content = self.entry(entry, (*path, name), problem)
            if content is not None and not wrong:
                found[name] = content
        return found if len(found) == len(value) else None

    def names(self, value: Any) -> Iterable[str]:
        return tuple(value or ())


@dataclass(frozen=True)
class Point(_Table):
    """Values of some variables."""

    example: str = "{ x = 0.0, y = 1.0 }"

    def entry(self, value: Any, path: Path, problem: ReportProblem) -> float | None:
        return NUMBER.read(value, path, problem)

    def write(self, value: Any) -> Any:
        return dict(value)


@dataclass(frozen=True)
class Intervals(_Table):
    """Ranges of some variables; ends may be infinite."""

    example: str = "{ x = [0.0, 1.0] }"

    def entry(self, value: Any, path: Path, problem: ReportProblem) -> Range | None:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(value) != 2:
            problem(path, f"expected a range such as [0.0, 1.0], got {_show_list(value)}")
            return None
        low, high = (EXTENDED.read(end, (*path, i), problem) for i, end in enumerate(value))
        if low is None or high is None:
            return None
        if low > high:
            problem(path, f"the range ends at {high:g}, below its start {low:g}; swap them")
            return None
        if low == high and math.isinf(low):
            problem(path, f"the range holds no number: both its ends are {low:g}")
            return None
        return low, high

    def write(self, value: Any) -> Any:
        return {name: [_write_number(low), _write_number(high)] for name, (low, high) in value.items()}


def _show_list(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return f"an array of {len(value)}"
    return show(value) if not isinstance(value, Mapping) else kind(value)


NUMBER = Number()
EXTENDED = Number(infinite=True)
POSITIVE = Number(above=0.0)
NONNEGATIVE = Number(least=0.0)
WEIGHT = Number(least=0.0, most=1e6)
FLAG = Flag()
TEXT = FreeText()
VARIABLE = Variable()
VARIABLES = Variables()
PAIR = Variables(2)
FORMULA = Formula()
NUMBERS = NumberList()
POINT = Point()
INTERVALS = Intervals()
