"""``hypo fit`` and ``hypo merge``: what makes a result and says where it is."""

from __future__ import annotations

import sys
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hypo.api.parameters.parameter import FIT
from hypo.cli.options import (
    ELSEWHERE,
    FOUND,
    INTERRUPTED,
    JSON,
    NOTHING_FOUND,
    OVERWRITE,
    SI,
    USAGE,
    complain,
    ignore_interrupts,
    note,
    say,
    silence_output,
    treat_stops_as_interrupts,
)
from hypo.cli.parameter_options import drop_blanks, options_of
from hypo.cli.showing import PLOT_FILE, show_result, tell_place, write_plot
from hypo.errors import ShortSearchWarning
from hypo.failures import FAILURES_FILE
from hypo.interrupts import has_come
from hypo.starting import load_in_background, mark_start

if TYPE_CHECKING:
    from hypo.result.folders import Destination
    from hypo.result.result import Result


# Seconds for drawing.
PLOTTING = 0.4
# What a result's status says to the shell.
CODES = {"nothing_found": NOTHING_FOUND, "interrupted": INTERRUPTED}


@click.command()
@click.argument("data", metavar="DATA.csv")
@options_of(FIT)
@click.option("--plot", is_flag=True, help="Also write plot.png.")
@SI
@JSON
@click.option("--quiet", is_flag=True, help="Print the best formula and nothing else.")
def fit(
    data: str, out: str | None, overwrite: bool, plot: bool, units: str, as_json: bool, quiet: bool, **options: Any
) -> int:
    """Search for the formula behind a column of DATA.csv, an Excel or Parquet file, or standard input (-).

    Writes result.json and front.csv to the folder --out. Without --out a result of other data is kept, and this
    one goes to hypo-out/NAME-2. Formulas are in the units of the columns.
    """
    # The plot is drawn after the search, in time that is kept, with what is loaded meanwhile.
    with treat_stops_as_interrupts(), mark_start(PLOTTING if plot else 0.0):
        if plot:
            load_in_background("matplotlib.figure", "matplotlib.backends.backend_agg")
        import hypo
        from hypo.data.opening import STANDARD_INPUT
        from hypo.report.display.progress import choose_display, keep_up
        from hypo.result.folders import Destination

        default = Path("hypo-out") / ("data" if data == STANDARD_INPUT else Path(data).stem or "data")
        place = Destination(Path(out) if out else default, named=out is not None, overwrite=overwrite)
        display = nullcontext() if as_json or quiet else keep_up(choose_display(sys.stderr, options["target"] or ""))
        with display as progress, warnings.catch_warnings():
            # Said among the remarks, or below.
            warnings.simplefilter("ignore", ShortSearchWarning)
            # Without a display there is to be none, in a notebook's kernel either.
            result = hypo.fit(data, out=place, progress=progress or False, **drop_blanks(options))
            with ignore_interrupts():
                place.write(result)
        try:
            code = _tell_result(result, place, plot, units, as_json, quiet)
            sys.stdout.flush()
        except KeyboardInterrupt:
            return complain(f"interrupted; {place.whereabouts}", INTERRUPTED)
        except BrokenPipeError:
            raise
        except OSError as error:
            silence_output()
            said = f"cannot write to standard output: {error.strerror or error}; {place.whereabouts}"
            return complain(said, ELSEWHERE if place.failed else USAGE)
        return INTERRUPTED if has_come() else code


def _tell_result(result: Result, place: Destination, plot: bool, units: str, as_json: bool, quiet: bool) -> int:
    """Print what was found and where it was written; the exit code."""
    from hypo.report.remarks import explain_short_search

    written = ["result.json", "front.csv", *([FAILURES_FILE] if result.failures else [])]
    if plot and result.best is not None and write_plot(result, place.folder):
        written.append(PLOT_FILE)
    shown = result.in_units(units)
    if (as_json or quiet) and (warning := explain_short_search(result)):
        note(warning)
    if as_json:
        sys.stdout.write(shown.to_json())
    elif quiet:
        if shown.best is not None:
            say(str(shown.expression))
    else:
        show_result(shown)
    return tell_place(place, CODES.get(result.status, FOUND), None if as_json or quiet else written)


@click.command()
@click.argument("folders", metavar="DIR…", nargs=-1, required=True)
@click.option("--out", required=True, metavar="DIR", help="Folder for the joint result.")
@OVERWRITE
@JSON
def merge(folders: tuple[str, ...], out: str, overwrite: bool, as_json: bool) -> int:
    """Join the results of hypo fit --shard 1/N … N/N, written to the folders DIR, into one.

    Shards that are missing are named; what the others found counts. Those of hypo dynamics are joined in the same way.
    """
    import hypo
    from hypo.dynamics.folders import holds_model
    from hypo.result.folders import Destination

    if all(map(holds_model, folders)):
        from hypo.cli.dynamics import merge_models

        return merge_models(folders, out, overwrite, as_json)
    place = Destination(Path(out), overwrite=overwrite)
    result = hypo.merge(*folders, out=place)
    with ignore_interrupts():
        place.write(result)
    if as_json:
        sys.stdout.write(result.to_json())
    else:
        show_result(result)
    return tell_place(place, CODES.get(result.status, FOUND), None if as_json else ["result.json", "front.csv"])
