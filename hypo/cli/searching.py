"""``hypo fit`` and ``hypo merge``: what makes a result and says where it is."""

from __future__ import annotations

import sys
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hypo.cli.options import (
    ABOUT_DATA,
    ELSEWHERE,
    FOUND,
    INTERRUPTED,
    INTERVALS,
    JSON,
    NOTHING_FOUND,
    OVERWRITE,
    SI,
    USAGE,
    complain,
    note,
    say,
    silenced,
    terminating_as_interrupt,
    uninterrupted,
)
from hypo.cli.showing import PLOT_FILE, placed, plotted, show_result
from hypo.errors import ShortSearchWarning
from hypo.failures import FAILURES_FILE
from hypo.interrupts import came
from hypo.starting import begun, loaded_beside

if TYPE_CHECKING:
    from hypo.result.folders import Destination
    from hypo.result.result import Result


# Seconds for drawing.
PLOTTING = 0.4
# What a result's status says to the shell.
CODES = {"nothing_found": NOTHING_FOUND, "interrupted": INTERRUPTED}


@click.command()
@click.argument("data", metavar="DATA.csv")
@ABOUT_DATA
@click.option(
    "--time-limit", default="60s", show_default=True, metavar="TIME", help="Longest search: 90, 90s, 2min, 1h."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of all random choices.")
@click.option("--operators", metavar='"+,-,*,…"', help="Operators a formula may use.")
@click.option("--max-complexity", type=int, metavar="N", help="Most nodes of a formula.")
@click.option("--guess", "guesses", multiple=True, metavar="FORMULA", help="Formula to start from; may be repeated.")
@click.option("--workers", type=int, metavar="N", help="Threads or processes (default: one per core).")
@click.option(
    "--backend",
    metavar="native|cuda|pysr|all",
    default="native",
    show_default=True,
    help="Who searches; cuda needs a GPU, pysr Julia.",
)
@click.option(
    "--model-selection",
    metavar="score|posterior|accuracy|validation",
    default="score",
    show_default=True,
    help="By what the best formula is chosen.",
)
@click.option("--validation-fraction", type=float, metavar="P", help="Rows that validation holds out (default 0.2).")
@click.option("--folds", metavar="COLUMN", help="Number of each row's fold, for validation; no feature.")
@click.option("--max-memory", metavar="SIZE", help="Memory that the search may take, such as 4GB.")
@click.option(
    "--scheduler", metavar="ADDRESS", help="Who does the large scans: threads, processes, local or tcp://host:8786."
)
@click.option("--shard", metavar="K/N", help="Do part K of N of the search, for hypo merge.")
@INTERVALS
@click.option("--no-posterior", "posterior", flag_value=False, default=True, help="Do not weigh rival structures.")
@click.option("--out", metavar="DIR", help="Folder for the result (default: hypo-out/NAME of the data).")
@OVERWRITE
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
    with terminating_as_interrupt(), begun(PLOTTING if plot else 0.0):
        if plot:
            loaded_beside("matplotlib.figure", "matplotlib.backends.backend_agg")
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
            result = hypo.fit(data, out=place, progress=progress or False, **options)
            with uninterrupted():
                place.write(result)
        try:
            code = _told(result, place, plot, units, as_json, quiet)
            sys.stdout.flush()
        except KeyboardInterrupt:
            return complain(f"interrupted; {place.whereabouts}", INTERRUPTED)
        except BrokenPipeError:
            raise
        except OSError as error:
            silenced()
            said = f"cannot write to standard output: {error.strerror or error}; {place.whereabouts}"
            return complain(said, ELSEWHERE if place.failed else USAGE)
        return INTERRUPTED if came() else code


def _told(result: Result, place: Destination, plot: bool, units: str, as_json: bool, quiet: bool) -> int:
    """Print what was found and where it was written; the exit code."""
    from hypo.report.remarks import explain_short_search

    written = ["result.json", "front.csv", *([FAILURES_FILE] if result.failures else [])]
    if plot and result.best is not None and plotted(result, place.folder):
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
    return placed(place, CODES.get(result.status, FOUND), None if as_json or quiet else written)


@click.command()
@click.argument("folders", metavar="DIR…", nargs=-1, required=True)
@click.option("--out", required=True, metavar="DIR", help="Folder for the joint result.")
@OVERWRITE
@JSON
def merge(folders: tuple[str, ...], out: str, overwrite: bool, as_json: bool) -> int:
    """Join the results of hypo fit --shard 1/N … N/N, written to the folders DIR, into one.

    Shards that are missing are named; what the others found counts.
    """
    import hypo
    from hypo.result.folders import Destination

    place = Destination(Path(out), overwrite=overwrite)
    result = hypo.merge(*folders, out=place)
    with uninterrupted():
        place.write(result)
    if as_json:
        sys.stdout.write(result.to_json())
    else:
        show_result(result)
    return placed(place, CODES.get(result.status, FOUND), None if as_json else ["result.json", "front.csv"])
