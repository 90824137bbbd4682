"""Pages of the reference that are made from the code, so that they cannot say anything else than it."""

from __future__ import annotations

import html
import inspect
import re
import tomllib
from collections.abc import Iterable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import click

import hypo
import hypo.knowledge.rules.built_in  # which makes the kinds known
from hypo.api.parameters.calls import list_parameters
from hypo.api.parameters.parameter import AUDIT, ESTIMATOR, FIT, REQUIRED, SCORE, Parameter
from hypo.cli.main import cli
from hypo.expression.operators import OPERATORS
from hypo.knowledge import Rule
from hypo.knowledge.rules.base import built_in_kinds

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
# What authors of packages build on.
MODULES = ("hypo.rules", "hypo.likelihoods")
# What the calls of the table of parameters are called in Python.
CALLS = {FIT: "hypo.fit", SCORE: "hypo.score", AUDIT: "hypo.audit", ESTIMATOR: "hypo.SymbolicRegressor"}

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


def make_table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(head)]
    lines.append(["---"] * len(lines[0]))
    lines += [[to_cell(text) for text in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def to_cell(text: str) -> str:
    """Text that a table can hold: a bar within code would end the cell, and a backslash before it would show."""
    code = re.compile(r"`([^`]*[|][^`]*)`")
    return (
        code.sub(lambda found: f"<code>{html.escape(found[1])}</code>", text).replace("|", "&#124;").replace("\n", " ")
    )


def make_page(title: str, intro: str, parts: Iterable[str]) -> str:
    return "\n\n".join([f"# {title}", intro, *parts]) + "\n"


def write_commands() -> str:
    """Every command with its arguments and options, from click's own objects."""
    commands = sorted(cli.commands.items())
    overview = [(f"[hypo {name}](#hypo-{name})", command.get_short_help_str(limit=200)) for name, command in commands]
    return make_page(
        "Commands",
        "`hypo COMMAND --help` says the same in the terminal. Durations are `90`, `90s`, `2min` or `1h`; sizes are such as "
        "`4GB`; a `NUMBER|COLUMN` is one number for all rows or the name of a column.\n\n"
        "Exit codes: 0 found, 2 wrong use or input, 3 nothing acceptable found, 4 found but saved elsewhere, 130 interrupted.",
        [make_table(("command", "does"), overview), *(_write_command(name, command) for name, command in commands)],
    )


def _write_command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"hypo {name}")
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    rows = [_describe_option(option, context) for option in command.params if isinstance(option, click.Option)]
    usage = f"```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```"
    return "\n\n".join([f"## hypo {name}", usage, text, make_table(("option", "meaning"), rows)])


def _describe_option(option: click.Option, context: click.Context) -> tuple[str, str]:
    record = option.get_help_record(context)
    names, help_text = record if record is not None else (", ".join(option.opts), "")
    return f"`{names}`", help_text


def write_settings() -> str:
    """Every setting of the calls in Python and on the command line, from the table of parameters."""
    return make_page(
        "Settings",
        "Each call of Python with all its settings, and the options of the command line that are the same.",
        (_write_call(call, name) for call, name in CALLS.items()),
    )


def _write_call(call: str, name: str) -> str:
    head = ("setting", "option", "type", "default", "meaning")
    return f"## {name}\n\n{make_table(head, map(_describe_parameter, list_parameters(call)))}"


def _describe_parameter(parameter: Parameter) -> tuple[str, str, str, str, str]:
    option = parameter.option
    spelling = "" if option is None else option.spelling or f"--{parameter.name.replace('_', '-')}"
    default = "required" if parameter.default is REQUIRED else f"`{parameter.default!r}`"
    return (
        f"`{parameter.name}`",
        f"`{spelling}`" if spelling else "",
        f"`{parameter.type}`",
        default,
        to_markdown(parameter.help),
    )


def to_markdown(text: str) -> str:
    """Markdown for what a docstring says in Sphinx's terms."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"``([^`]+)``", r"`\1`", text)


def write_rules() -> str:
    """Every kind of rule that hypo has, with the keys of its table."""
    common = [row for row in map(_describe_key, fields(Rule)) if row]
    own = {field.name for field in fields(Rule)}
    parts = [f"## Keys of every rule\n\n{make_table(KEY_HEAD, common)}"]
    for name, kind in built_in_kinds().items():
        keys = [row for row in (_describe_key(field) for field in fields(kind) if field.name not in own) if row]
        text = to_markdown(inspect.cleandoc(kind.__doc__ or ""))
        parts.append(f"## {name}\n\n{text}\n\n{make_table(KEY_HEAD, keys)}" if keys else f"## {name}\n\n{text}")
    return make_page(
        "Kinds of rules",
        "A rule is a table `[[rule]]` of a [knowledge file](../guide/knowledge.md) with its `kind` and the keys below.",
        parts,
    )


# What the keys of every rule say; a kind says this of its own keys.
COMMON_KEYS = {
    "weight": "multiplies what breaking the rule costs",
    "hard": "a formula that breaks the rule is no hypothesis",
    "where": 'ranges of variables in which the rule holds, in the place of [ranges] or those of the data; ends may be "inf"',
    "label": "the rule's name in reports",
    "tolerance": "how far off counts as kept",
}
KEY_HEAD = ("key", "default", "example", "meaning")


def _describe_key(field: Any) -> tuple[str, str, str, str] | None:
    sort = field.metadata.get("sort")
    if sort is None:
        return None
    value = field.default_factory() if field.default_factory is not MISSING else field.default
    default = "required" if value is MISSING else "none" if value is None or value == {} else f"`{sort.write(value)}`"
    return (
        f"`{field.name}`",
        default,
        f"`{sort.example}`",
        field.metadata.get("words") or COMMON_KEYS.get(field.name, ""),
    )


def write_operators() -> str:
    """The operator table."""
    rows = []
    for o in OPERATORS:
        form = o.plain.format(*"uv")
        unit = DIMENSIONS[o.dimension].format(exponent=o.exponent)
        rows.append((f"`{o.name}`", f"`{form}`", "everywhere" if o.domain == "all" else f"`{o.domain}`", unit))
    return make_page(
        "Operators",
        "What a formula may be built from (`operators=`, `--operators`, `[grammar] operators`). Outside the domain the value "
        "is undefined, and a formula that is undefined in a row is no hypothesis.",
        [make_table(("name", "written", "defined for", "unit of the value"), rows)],
    )


def write_datasets() -> str:
    """The measured tables that come with hypo."""
    rows = []
    for file in sorted(DATASETS.glob("*/dataset.toml")):
        entry = tomllib.loads(file.read_text(encoding="utf-8"))
        source = " ".join(entry["source"].split())
        law = f"`{entry['target']} = {entry['law']['formula']}`" if "law" in entry else _motion(entry["dynamics"])
        rows.append((f"`datasets/{file.parent.name}/data.csv`", entry["title"], str(entry["rows"]), law, source))
    return make_page(
        "Measured tables",
        "Tables that come with hypo, to try it on. The law is that of the textbook, which need not be what so few rows ask for "
        "([measured](../benchmarks.md#measured-tables)).",
        [make_table(("file", "what was measured", "rows", "the textbook's law", "source"), rows)],
    )


def _motion(dynamics: dict[str, Any]) -> str:
    """Laws of motion, one line for each state: x' the rate, x'' the acceleration."""
    primes = "'" * dynamics.get("order", 1)
    pairs = zip(dynamics["states"], dynamics["rates"], strict=True)
    return "<br>".join(f"`{state}{primes} = {rate}`" for state, rate in pairs)


def write_names() -> str:
    """The public names of Python, which mkdocstrings describes."""
    shown = sorted(
        (name for name in hypo.__all__ if not name.startswith("_")), key=lambda name: (_rank(name), name.lower())
    )
    return make_page(
        "Python interface",
        "The public names, all of them in `hypo` itself. They are imported on first use.",
        [*(f"::: hypo.{name}{_refer_to_settings(name)}" for name in shown), *map(_describe_module, MODULES)],
    )


def _describe_module(name: str) -> str:
    return f"::: {name}\n    options:\n      members: false"


def _refer_to_settings(name: str) -> str:
    """A link to the settings of a call, which its signature holds as one."""
    anchor = name.lower()
    return f"\n\n[All settings of `hypo.{name}`](settings.md#hypo{anchor})" if f"hypo.{name}" in CALLS.values() else ""


def _rank(name: str) -> int:
    """Functions first, then what they give and take, then errors."""
    value = getattr(hypo, name)
    if not inspect.isclass(value):
        return 0
    return 2 if issubclass(value, Exception) else 1
