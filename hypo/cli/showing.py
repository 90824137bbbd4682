"""Results on the terminal: ``hypo show``, and what ``fit`` and ``merge`` print at their end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

import hypo
from hypo.cli.options import (
    ELSEWHERE,
    FOUND,
    INTERRUPTED,
    JSON,
    NOTHING_FOUND,
    SI,
    THOUSANDS,
    complain,
    note,
    say,
    tell,
)
from hypo.errors import HypoError
from hypo.failures import DEBUG, Failures

if TYPE_CHECKING:
    from hypo.result.folders import Destination
    from hypo.result.result import Result

PLOT_FILE = "plot.png"
# What a world model has in its folder.
MODEL_FILE = "model.json"


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--plot", metavar="FILE", help="Write a plot of the front (and of the data, with --data) to FILE.")
@click.option("--data", metavar="DATA.csv", help="The data of the fit, for --plot.")
@THOUSANDS
@SI
@JSON
def show(folder: str, plot: str | None, data: str | None, thousands: str | None, units: str, as_json: bool) -> int:
    """Show the result in DIR again, of hypo fit or hypo dynamics."""
    from hypo.result.folders import check_file
    from hypo.result.result import Result

    if (Path(folder) / MODEL_FILE).is_file():
        return show_model(folder, as_json, plot)

    check_file(plot)
    result = Result.load(folder)
    if plot is not None:
        from hypo.data import read_csv
        from hypo.result.new_rows import choose_thousands

        thousands = choose_thousands(result, thousands)
        result.plot(
            plot, None if data is None else read_csv(data, result.target, drop_missing=True, thousands=thousands)
        )
    result = result.in_units(units)
    code = NOTHING_FOUND if result.best is None else FOUND
    if as_json:
        sys.stdout.write(result.to_json())
        return code
    show_result(result)
    if plot is not None:
        say(f"Plot written to {plot}")
    return code


def show_model(folder: str, as_json: bool, plot: str | None = None) -> int:
    """The laws of motion in a folder, and all that is said of them; ``plot``: a file for their pictures."""
    from hypo.dynamics.fit import WorldModel
    from hypo.dynamics.report import json_record, text
    from hypo.result.folders import check_file

    check_file(plot)
    model = WorldModel.load(folder)
    if plot is not None:
        model.plot(plot)
    if as_json:
        sys.stdout.write(json_record.to_json(model))
        return FOUND
    text.print_report(model, sys.stdout)
    if plot is not None:
        say(f"Plot written to {plot}")
    return FOUND


def show_result(result: Result) -> None:
    """The law, the front, the rules, and what the search can vouch for."""
    from hypo.report import tables
    from hypo.report.console import print_table
    from hypo.report.remarks import make_tables_below

    failures = Failures()
    if result.best is not None:
        with failures.guarded("the headline", OSError):
            print_table(tables.write_law(result.best, result.target, (), sys.stdout), sys.stdout, bold=True)
        with failures.guarded("the list of constants", OSError):
            for line in result.constant_lines():
                tell(line)
        say("")
        with failures.guarded("the table of the front", OSError):
            print_table(tables.make_front_table(result.front, result.best, result.target), sys.stdout)
        say("")
        with failures.guarded("the tables below it", OSError):
            for table in make_tables_below(result):
                print_table(table, sys.stdout)
                say("")
    with failures.guarded("the remarks", OSError):
        for line in result.remarks():
            tell(line)
    if any(f.part == "the headline" for f in failures.found):
        say(f"{result.target} = {result.expression}")
    tell_failures(failures)


def write_plot(result: Result, folder: Path) -> bool:
    """True if the plot could be written; what was found does not depend on it."""
    failures = Failures()
    with failures.guarded("the plot") as guard:
        try:
            result.plot(folder / PLOT_FILE)
        except (OSError, HypoError) as error:
            note(f"the plot was not written: {error}")
            return False
    tell_failures(failures)
    return not guard.failed


def tell_place(place: Destination, code: int, written: Sequence[str] | None) -> int:
    """Say where the result is (``written``: its files, or None to say less); the exit code."""
    if written is not None and not place.failed:
        say(f"Written to {place.folder}: {', '.join(written)}")
    if not place.failed:
        for text in place.notes:
            note(text)
        return code
    return complain("; ".join(place.notes), code if code in (INTERRUPTED, NOTHING_FOUND) else ELSEWHERE)


def tell_failures(failures: Failures) -> None:
    """Say which parts were not shown because of an unexpected error."""
    for f in failures.found:
        note(
            f"{f.part} failed ({f.error}, in {f.where}); that is a bug in hypo {hypo.__version__}: set {DEBUG}=1 to see "
            "where, and please report it"
        )
