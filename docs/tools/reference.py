"""Pages of the reference that are made from the code, so that they cannot say anything else than it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, fields
from typing import Any

import click
import griffe

import hypo
from hypo.cli.main import cli
from hypo.expression.operators import OPERATORS
from hypo.knowledge.rules.base import Rule, built_in_kinds

CALLS: tuple[Callable[..., Any], ...] = (hypo.fit, hypo.score, hypo.audit, hypo.merge, hypo.SymbolicRegressor)

# Which rule the dimension of an operator's value follows, in words (see the operator table).
DIMENSIONS = {
    "same": "all arguments share a unit, and the value has it",
    "keep": "the unit of the argument",
    "multiply": "the product of the units",
    "divide": "the quotient of the units",
    "power": "the unit to that power; the exponent is a pure number",
    "scale": "the unit to the power {exponent}",
    "dimensionless": "argument and value are pure numbers",
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(head)]
    lines.append(["---"] * len(lines[0]))
    lines += [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def page(title: str, intro: str, parts: Iterable[str]) -> str:
    return "\n\n".join([f"# {title}", intro, *parts]) + "\n"


def commands() -> str:
    """Every command with its arguments and options, from click's own objects."""
    return page(
        "Commands",
        "`hypo COMMAND --help` says the same in the terminal. Durations are `90`, `90s`, `2min` or `1h`; sizes are such as "
        "`4GB`; a `NUMBER|COLUMN` is one number for all rows or the name of a column.\n\n"
        "Exit codes: 0 found, 2 wrong use or input, 3 nothing acceptable found, 4 found but saved elsewhere, 130 interrupted.",
        (_command(name, cli.commands[name]) for name in sorted(cli.commands)),
    )


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"hypo {name}")
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    rows = [_option(option, context) for option in command.params if isinstance(option, click.Option)]
    usage = f"```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```"
    return "\n\n".join([f"## hypo {name}", usage, text, table(("option", "meaning"), rows)])


def _option(option: click.Option, context: click.Context) -> tuple[str, str]:
    record = option.get_help_record(context)
    names, help_text = record if record is not None else (", ".join(option.opts), "")
    return f"`{names}`", help_text


def settings() -> str:
    """Every setting of the calls in Python, with its default."""
    return page(
        "Settings",
        "Each call of Python with all its settings. The command line has the same ones: `time_limit=` is `--time-limit`, "
        "`lam=` is `--lambda`, and `guesses=` is `--guess`, which may be repeated.",
        (_call(call) for call in CALLS),
    )


def _call(call: Callable[..., Any]) -> str:
    name = f"hypo.{call.__name__}"
    meanings = dict(_meanings(inspect.getdoc(call) or ""))
    rows = []
    for parameter in inspect.signature(call).parameters.values():
        default = "required" if parameter.default is inspect.Parameter.empty else f"`{parameter.default!r}`"
        rows.append((f"`{parameter.name}`", default, meanings.get(parameter.name, "")))
    return f"## {name}\n\n{table(('setting', 'default', 'meaning'), rows)}"


def _meanings(text: str) -> Iterator[tuple[str, str]]:
    """The parameters that a docstring describes; several may share a line."""
    for section in griffe.Docstring(text).parse("auto"):
        if section.kind is griffe.DocstringSectionKind.parameters:
            for parameter in section.value:
                for name in parameter.name.split(","):
                    yield name.strip(), plain(parameter.description)


def plain(text: str) -> str:
    """Markdown for what a docstring says in Sphinx's terms."""
    import re

    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def rules() -> str:
    """Every kind of rule that hypo has, with the keys of its table."""
    common = [row for row in map(_key, fields(Rule)) if row]
    own = {field.name for field in fields(Rule)}
    parts = [f"## Keys of every rule\n\n{table(KEY_HEAD, common)}"]
    for name, kind in built_in_kinds().items():
        keys = [row for row in (_key(field) for field in fields(kind) if field.name not in own) if row]
        text = plain(inspect.cleandoc(kind.__doc__ or ""))
        parts.append(f"## {name}\n\n{text}\n\n{table(KEY_HEAD, keys)}" if keys else f"## {name}\n\n{text}")
    return page(
        "Kinds of rules",
        "A rule is a table `[[rule]]` of a [knowledge file](../guide/knowledge.md) with its `kind` and the keys below.",
        parts,
    )


KEY_HEAD = ("key", "default", "example", "meaning")


def _key(field: Any) -> tuple[str, str, str, str] | None:
    sort = field.metadata.get("sort")
    if sort is None:
        return None
    value = field.default_factory() if field.default_factory is not MISSING else field.default
    default = "required" if value is MISSING else "none" if value is None or value == {} else f"`{sort.write(value)}`"
    return f"`{field.name}`", default, f"`{sort.example}`", field.metadata.get("words", "")


def operators() -> str:
    """The operator table."""
    rows = []
    for o in OPERATORS:
        form = o.plain.format(*"uv")
        unit = DIMENSIONS[o.dimension].format(exponent=o.exponent)
        rows.append((f"`{o.name}`", f"`{form}`", "everywhere" if o.domain == "all" else f"`{o.domain}`", unit))
    return page(
        "Operators",
        "What a formula may be built from (`operators=`, `--operators`, `[grammar] operators`). Outside the domain the value "
        "is undefined, and a formula that is undefined in a row is no hypothesis.",
        [table(("name", "written", "defined for", "unit of the value"), rows)],
    )


def names() -> str:
    """The public names of Python, which mkdocstrings describes."""
    shown = sorted(
        (name for name in hypo.__all__ if not name.startswith("_")), key=lambda name: (_rank(name), name.lower())
    )
    return page(
        "Python interface",
        "The public names, all of them in `hypo` itself. They are imported on first use.",
        (f"::: hypo.{name}" for name in shown),
    )


def _rank(name: str) -> int:
    """Functions first, then what they give and take, then errors."""
    value = getattr(hypo, name)
    if not inspect.isclass(value):
        return 0
    return 2 if issubclass(value, Exception) else 1
