"""Options of the command line made from the table of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from hypo.api.parameters.calls import list_parameters
from hypo.api.parameters.parameter import FIT, Option, Parameter

Decorator = Callable[[Any], Any]


def join_options(*given: Decorator) -> Decorator:
    """Several click options as one decorator."""

    def decorate(function: Any) -> Any:
        for option in reversed(given):
            function = option(function)
        return function

    return decorate


def options_of(call: str) -> Decorator:
    """All options of the command that makes a ``call``, in the order of the table."""
    return join_options(*(_as_click(p, p.option) for p in list_parameters(call) if p.option is not None))


def options_named(*names: str) -> Decorator:
    """Single options of a fit, for commands that are no call of the table."""
    rows = {p.name: p for p in list_parameters(FIT)}
    return join_options(*(_as_click(rows[name], option) for name in names if (option := rows[name].option) is not None))


def drop_blanks(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given: defaults are those of the call."""
    return {name: value for name, value in options.items() if value is not None}


def _as_click(p: Parameter, option: Option) -> Decorator:
    """The option of a row. Its default is said in the help and not passed on, so that a call knows what was given."""
    spelling = option.spelling or "--" + p.name.replace("_", "-")
    text = option.help + (f"  [default: {option.default_text}]" if option.default_text else "")
    if option.flag is None:
        more = {"type": option.type, "metavar": option.metavar, "multiple": option.multiple, "default": option.default}
    elif option.flag:
        more = {"is_flag": True}
    else:
        more = {"flag_value": False, "default": True}
    return click.option(spelling, p.name, help=text, **more)
