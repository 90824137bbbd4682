"""What is made of the table for each call: its signature, its docstring, and its arguments with their defaults."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from hypo.api.parameters.parameter import AUDIT, CALL, ESTIMATOR, FIT, REQUIRED, SCORE, Parameter
from hypo.api.parameters.table import PARAMETERS
from hypo.checks import NO_LIMIT

D = TypeVar("D", bound=Callable[..., Any])

# Columns of a docstring's entries.
WIDTH = 120
# The line of a docstring in whose place the entries come.
MARK = "**settings: "


def list_parameters(call: str) -> tuple[Parameter, ...]:
    """The rows of a call, as it has them; what may be given by place comes first."""
    rows = [p.within(call) for p in PARAMETERS if call in p.calls]
    return tuple(sorted(rows, key=lambda p: not p.is_positional))


def list_names(call: str, *parts: str) -> tuple[str, ...]:
    """The names of a call's parameters, all or those that go to one of ``parts``."""
    return tuple(p.name for p in list_parameters(call) if not parts or p.goes_to in parts)


def complete_arguments(call: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a call, with defaults where nothing was ``given``; the call's own are converted.

    A number of turns takes the place of a time limit, where none was given.

    Raises
    ------
    InputError
        For a wrong value of a parameter that goes nowhere else than to the call.
    """
    values = {p.name: given.get(p.name, p.default) for p in list_parameters(call)}
    if values.get("turns") is not None and "time_limit" not in given:
        values["time_limit"] = NO_LIMIT
    for p in list_parameters(call):
        if p.goes_to == CALL and p.convert is not None:
            values[p.name] = p.convert(p.name, values[p.name])
    return values


def describe(call: str) -> Callable[[D], D]:
    """A decorator: a function gets the signature of a call, and it or a class the entries in its docstring.

    The source of the function takes ``**settings``; ``self`` and what is returned stay as they are.
    """

    def decorate(target: D) -> D:
        rows = list_parameters(call)
        if inspect.isfunction(target):
            own = inspect.signature(target)
            bound = [p for p in own.parameters.values() if p.name == "self"]
            target.__signature__ = own.replace(parameters=[*bound, *_as_inspected(rows)])  # type: ignore[attr-defined]
        if target.__doc__ is not None:
            lines = target.__doc__.splitlines()
            target.__doc__ = "\n".join(new for line in lines for new in _describe_line(line, rows))
        return target

    return decorate


def _as_inspected(rows: tuple[Parameter, ...]) -> Iterator[inspect.Parameter]:
    for p in rows:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if p.is_positional else inspect.Parameter.KEYWORD_ONLY
        default = inspect.Parameter.empty if p.default is REQUIRED else p.default
        yield inspect.Parameter(p.name, kind, default=default, annotation=p.type)


def _describe_line(line: str, rows: tuple[Parameter, ...]) -> Iterator[str]:
    """The line itself, or all entries in the place of the marked one."""
    if not line.strip().startswith(MARK):
        yield line
        return
    indent = line[: len(line) - len(line.lstrip())]
    for p in rows:
        yield from textwrap.wrap(
            f"{p.name}: {p.help}",
            WIDTH,
            initial_indent=indent,
            subsequent_indent=indent + 4 * " ",
            break_long_words=False,
            break_on_hyphens=False,
        )


__all__ = ["AUDIT", "ESTIMATOR", "FIT", "SCORE", "complete_arguments", "describe", "list_names", "list_parameters"]
