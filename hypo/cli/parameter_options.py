"""Options of the command line made from the table of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from hypo.api.parameters.calls import list_parameters
from hypo.api.parameters.parameter import FIT, Option, Parameter

Decorator = Callable[[Any], Any]


class _LateHelp(click.Option):
    """An option whose help is made when it is shown: to look for installed packages takes time."""

    def __init__(self, *given: Any, make_help: Callable[[], str], **more: Any) -> None:
        super().__init__(*given, **more)
        self._make_help = make_help

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        self.help = self._make_help()
        return super().get_help_record(ctx)


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
    if option.flag is None:
        more = {"type": option.type, "metavar": option.metavar, "multiple": option.multiple, "default": option.default}
    elif option.flag:
        more = {"is_flag": True}
    else:
        more = {"flag_value": False, "default": True}
    default = f"  [default: {option.default_text}]" if option.default_text else ""
    if isinstance(option.help, str):
        return click.option(spelling, p.name, help=option.help + default, **more)
    make_help = option.help
    return click.option(spelling, p.name, cls=_LateHelp, make_help=lambda: make_help() + default, **more)
