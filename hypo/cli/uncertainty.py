"""Commands on how sure a law is: ``bound``, ``suggest``, ``profile`` and ``audit``."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from hypo.api.parameters.parameter import AUDIT
from hypo.cli.options import (
    BESIDE_COLUMNS,
    FORMULA,
    FOUND,
    INTERRUPTED,
    JSON,
    NOTHING_FOUND,
    SI,
    THOUSANDS,
    TRIALS,
    ignore_interrupts,
    note,
    say,
    treat_stops_as_interrupts,
)
from hypo.cli.parameter_options import drop_blanks, options_of


@click.command()
@click.argument("folder", metavar="DIR")
@click.argument("data", metavar="NEW.csv")
@click.option("--event", required=True, metavar='"y > 5"', help="Statement on the target, in the units of the table.")
@click.option(
    "--delta", type=float, default=0.05, show_default=True, metavar="P", help="Chance that the bound is broken."
)
@click.option(
    "--prior", type=float, metavar="P", help="Least prior probability of the law (default: from code lengths)."
)
@TRIALS
@THOUSANDS
@click.option("--out", metavar="FILE", help="Write there instead of standard output.")
@JSON
def bound(
    folder: str, data: str, event: str, thousands: str | None, out: str | None, as_json: bool, **assumptions: Any
) -> int:
    """Bound the chance of an event for the rows of NEW.csv, in the worst case over all plausible laws.

    The output has all columns of NEW.csv, then event_bound, event_chance (averaged over the posterior) and event_formula (the
    law that attains the bound); what is guaranteed and assumed is said on standard error.
    """
    from hypo.data import read_table
    from hypo.report.questions.predictions import write_predictions
    from hypo.result.folders import check_file
    from hypo.result.new_rows import choose_thousands
    from hypo.result.result import Result

    check_file(out)
    result = Result.load(folder)
    table = read_table(data, choose_thousands(result, thousands))
    found = result.bound(event, table, **assumptions)
    if as_json:
        write(json.dumps(found.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n", out)
        return FOUND
    columns: dict[str, Any] = {
        "event_bound": found.upper,
        "event_chance": found.average,
        "event_formula": found.formulas(),
    }
    write(write_predictions(table, columns), out)
    for line in (*table.said, *found.remarks):
        note(line)
    return FOUND


@click.command()
@click.argument("folder", metavar="DIR")
@click.option(
    "--domain",
    "domains",
    multiple=True,
    metavar="COLUMN=LOW:HIGH",
    help="Where to measure, in the units of the table (default: the data's range, widened); for each column.",
)
@click.option("--count", type=int, default=5, show_default=True, metavar="N", help="How many measurements.")
@click.option("--distinct", is_flag=True, help="No row twice (default: again where averaging the noise tells most).")
@click.option("--until", type=float, metavar="T", help="Laws of motion: last time of an experiment.")
@click.option("--limits", multiple=True, metavar="STATE=LOW:HIGH", help="Laws of motion: what no state may leave.")
@click.option("--seed", type=int, metavar="N", help="Laws of motion: seed of the search.  [default: 0]")
@click.option("--out", metavar="FILE", help="Also write them there, as a table.")
@JSON
def suggest(
    folder: str, domains: tuple[str, ...], count: int, distinct: bool, out: str | None, as_json: bool, **motion: Any
) -> int:
    """Suggest what to measure next: where the likely laws of DIR disagree most per unit of noise.

    Where DIR holds laws of motion these are experiments, each a start and a course of inputs, which --domain is of.
    """
    from hypo.cli.dynamics import suggest_experiments
    from hypo.dynamics.folders import holds_model
    from hypo.errors import InputError
    from hypo.report.questions.suggestions import read_domain
    from hypo.result.folders import check_file
    from hypo.result.result import Result

    check_file(out)
    given = {name: value for name, value in drop_blanks(motion).items() if value != ()}
    if holds_model(folder):
        if distinct:
            raise InputError(f"{folder} holds laws of motion, whose experiments are no rows; leave out --distinct")
        given = {name: read_domain(value) if name == "limits" else value for name, value in given.items()}
        return suggest_experiments(folder, read_domain(domains), count, out, as_json, **given)
    if given:
        raise InputError(f"--{next(iter(given))} is for laws of motion, and {folder} holds none; leave it out")
    found = Result.load(folder).suggest(read_domain(domains), count, distinct=distinct)
    sys.stdout.write(
        json.dumps(found.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n" if as_json else f"{found}\n"
    )
    if out is not None:
        write(found.csv(), out)
    return FOUND


@click.command()
@click.argument("folder", metavar="DIR")
@click.argument("data", metavar="DATA.csv")
@click.option("--level", type=float, default=0.95, show_default=True, metavar="P", help="Probability of an interval.")
@FORMULA
@BESIDE_COLUMNS
@THOUSANDS
@SI
@JSON
def profile(folder: str, data: str, level: float, index: int | None, units: str, as_json: bool, **table: Any) -> int:
    """Profile-likelihood intervals of the constants of a formula in DIR.

    DATA.csv is the table of the fit; --sigma and the like are given as they were there.
    """
    from hypo.report import tables
    from hypo.report.console import print_table
    from hypo.report.sentences import STANDARD_ERROR
    from hypo.result.conversion import convert_rows
    from hypo.result.result import Result

    result = Result.load(folder)
    rows = result.profile(index, level, data=data, **{name: value or None for name, value in table.items()})
    rows, h = convert_rows(rows, units), result.in_units(units).found(index)
    if as_json:
        constants = [row.as_dict() for row in rows]
        found = {"target": result.target, "expression": str(h.expression), "level": level, "constants": constants}
        say(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
        return FOUND
    print_table(tables.write_law(h, result.target, (), sys.stdout), sys.stdout, bold=True)
    if rows:
        say("")
        print_table(tables.make_constants_table(rows, level), sys.stdout)
        print_table(STANDARD_ERROR, sys.stdout)
    else:
        say("The formula has no constants to fit.")
    return FOUND


@click.command()
@click.argument("data", metavar="DATA.csv")
@options_of(AUDIT)
@click.option("--out", metavar="FILE", help="Also write the audit there, as JSON.")
@JSON
@click.option("--quiet", is_flag=True, help="No progress.")
def audit(data: str, out: str | None, as_json: bool, quiet: bool, **options: Any) -> int:
    """Fit DATA.csv again and again, and count how often each structure comes back.

    Ctrl-C or --total-time end it with the fits that are done.
    """
    import hypo
    from hypo.result.folders import check_file

    check_file(out)
    with treat_stops_as_interrupts():
        found = hypo.audit(data, progress=not quiet, **drop_blanks(options))
    sys.stdout.write(found.to_json() if as_json else f"{found}\n")
    if out is not None:
        with ignore_interrupts():
            write(found.to_json(), out)
    if found.interrupted:
        return INTERRUPTED
    return FOUND if found.groups else NOTHING_FOUND


def write(text: str, out: str | None) -> None:
    """To the file ``out``, or to standard output; raises InputError where the file cannot be written, which then stands among
    the system's temporary files."""
    from hypo.result.folders import write_file

    if out is None:
        sys.stdout.write(text)
    else:
        write_file(out, text)
