"""The command line: ``hypo score``, ``predict``, ``check`` and ``warmup``, and the commands of :mod:`hypo.cli.searching`,
:mod:`hypo.cli.showing`, :mod:`hypo.cli.uncertainty` and :mod:`hypo.cli.dynamics`."""

from __future__ import annotations

from hypo.cli import early

early.begin()

# ruff: noqa: E402
import errno
import os
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

import hypo
from hypo.api.parameters.parameter import SCORE
from hypo.cli.dynamics import dynamics, model, rollout
from hypo.cli.options import (
    BUG,
    EXCLUDE,
    FORMULA,
    FOUND,
    INTERRUPTED,
    JSON,
    SI,
    THOUSANDS,
    TRIALS,
    USAGE,
    complain,
    find_other_name,
    note,
    say,
    silence_output,
    tell,
)
from hypo.cli.parameter_options import drop_blanks, options_of
from hypo.cli.searching import fit, merge
from hypo.cli.showing import show
from hypo.cli.uncertainty import audit, bound, profile, suggest, write
from hypo.errors import HypoError
from hypo.failures import DEBUG

if TYPE_CHECKING:
    from hypo.knowledge import Finding

# Options of hypo check that say what columns of trajectories are for.
ROLES = ("time", "state", "action", "group")
# What helps where the system has nothing left to give, by the number of the error.
REMEDIES = {
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room on the disk",
    errno.EFBIG: "allow larger files (ulimit -f)",
    errno.ENOMEM: "close other programs, or use fewer workers",
    errno.EAGAIN: "use fewer workers, or allow more processes (ulimit -u)",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; an error is one sentence on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # an old terminal shows R? for R² rather than nothing
            stream.reconfigure(errors="replace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        early.hand_over()
        code = cli.main(args=given or ["--help"], prog_name="hypo", standalone_mode=False)
        sys.stdout.flush()
        early.end()
        return code if isinstance(code, int) else FOUND
    except (click.Abort, KeyboardInterrupt):
        early.end()
        return complain("interrupted before there was a result", INTERRUPTED)
    except click.ClickException as error:
        message = find_other_name(error) or error.format_message().rstrip(".")
        return complain(f"{message[:1].lower()}{message[1:]}; see hypo --help", USAGE)
    except HypoError as error:
        return complain(str(error), USAGE)
    except BrokenPipeError:
        # The reader of our output left.
        silence_output()
        return FOUND
    except MemoryError as error:
        if os.environ.get(DEBUG):
            traceback.print_exc()
        return complain(
            f"there is not enough memory for this ({_first_line(error) or 'no more of it'}); ask for less, or free some",
            USAGE,
        )
    except Exception as error:
        if os.environ.get(DEBUG):
            traceback.print_exc()
        if isinstance(error, OSError) and error.errno in REMEDIES:
            return complain(_explain_shortage(error), USAGE)
        return complain(
            f"this is a bug in hypo ({type(error).__name__}: {_first_line(error)}); "
            f"set {DEBUG}=1 to see where, and please report it",
            BUG,
        )


def _explain_shortage(error: OSError) -> str:
    """A sentence on what the computer has too little of, and what helps."""
    try:
        # What was printed before may be lost, so that only more of it tells.
        print(flush=error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
    except OSError:
        silence_output()
        return f"cannot write to standard output: {error.strerror}; send it elsewhere"
    return f"the computer has no more of what this takes ({error.strerror}): {REMEDIES[error.errno or 0]}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(hypo.__version__, prog_name="hypo", message="%(prog)s %(version)s")
def cli() -> None:
    """From a table of data to the law behind it.

    \b
    hypo fit DATA.csv --target y               search for the law
    hypo merge DIR DIR … --out DIR             join what the shards of a fit found
    hypo score "a*x + b" DATA.csv --target y   score a formula of your own
    hypo predict DIR NEW.csv                   use the law found
    hypo show DIR                              show a result again
    hypo check K.toml DATA.csv --target y      look over a knowledge file
    hypo audit DATA.csv --target y             how often the same law comes back
    hypo bound DIR NEW.csv --event "y > 5"     the chance of an event, in the worst case
    hypo suggest DIR --domain x=0:10           what to measure next
    hypo profile DIR DATA.csv                  profile-likelihood intervals of constants
    hypo dynamics TRAJ.csv --time t            search for laws of motion
    hypo rollout DIR --start x=1 --until 10    follow them, with bands
    hypo model DIR                             what drives what, fixed points, invariants
    hypo warmup                                compile the kernels, once per installation

    Exit codes: 0 found, 2 wrong use or input, 3 nothing acceptable found, 4 found but saved elsewhere,
    130 interrupted.
    """


@cli.command()
@click.argument("formula")
@click.argument("data", metavar="DATA.csv")
@options_of(SCORE)
@SI
@JSON
def score(formula: str, data: str, units: str, as_json: bool, start: tuple[str, ...], **options: Any) -> int:
    """Score FORMULA on DATA.csv, with the columns and the score of fit.

    Names that are neither columns nor constants of the knowledge file are constants, and are fitted. To
    begin FORMULA with a minus, write -- before it, or put it in brackets.
    """
    import json

    import hypo
    from hypo.report import tables
    from hypo.report.console import print_table

    scored = hypo.score(formula, data, start=",".join(start), **drop_blanks(options)).in_units(units)
    if as_json:
        print(json.dumps(scored.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))
        return FOUND
    print_table(tables.make_front_table([scored.hypothesis], None, scored.target), sys.stdout)
    if scored.constants:
        say("")
        print_table(tables.make_constants_table(scored.constants), sys.stdout)
    if scored.rules:
        from hypo.report.rules import make_rules_table

        say("")
        print_table(make_rules_table(scored.rules), sys.stdout)
    for line in scored.remarks():
        tell(line)
    return FOUND


@cli.command()
@click.argument("folder", metavar="DIR")
@click.argument("data", metavar="NEW.csv")
@click.option("--out", metavar="FILE", help="Write there instead of standard output.")
@click.option("--interval", type=float, metavar="P", help="Average over all likely laws; intervals of probability P.")
@FORMULA
@TRIALS
@THOUSANDS
def predict(
    folder: str,
    data: str,
    out: str | None,
    interval: float | None,
    index: int | None,
    trials: str | None,
    thousands: str | None,
) -> int:
    """Predict the target for the rows of NEW.csv (or of - for standard input) by the best formula in DIR, or by number N of
    the front.

    The output has all columns of NEW.csv and TARGET_predicted, in the target's unit; with --interval
    TARGET_mean, TARGET_std, TARGET_lower and TARGET_upper instead, averaged over the posterior.
    """
    import numpy as np

    from hypo.data import read_table
    from hypo.report.questions.predictions import write_predictions
    from hypo.result.folders import check_file
    from hypo.result.new_rows import choose_thousands
    from hypo.result.prediction import predict_distribution
    from hypo.result.result import Result
    from hypo.result.uncertainty import cautions

    check_file(out)
    result = Result.load(folder)
    table = read_table(data, choose_thousands(result, thousands))
    if interval is None:
        values = result.predict(table, index, trials=trials)
        columns = {f"{result.target}_predicted": values}
    else:
        found = predict_distribution(result, table, index, interval, trials)
        values = found.mean
        columns = {f"{result.target}_{name}": getattr(found, name) for name in ("mean", "std", "lower", "upper")}
    write(write_predictions(table, columns), out)
    for line in table.said:
        note(line)
    for line in cautions(result, trials, noise=interval is not None, std=interval is not None):
        note(line)
    if interval is not None:
        apart = int(np.count_nonzero(found.parts.structure > found.parts.noise))
        if apart:
            note(
                f"in {apart} of {table.n_row} rows likely formulas differ by more than the noise; "
                "the intervals there are as wide as that, and a formula that the search did not meet may lie outside"
            )
    undefined = int(np.count_nonzero(np.isnan(values)))
    if undefined:
        formula = f"{result.target} = {result.found(index).expression.pretty()} has"
        note(
            f"{formula if interval is None else 'likely formulas have'} no value in {undefined} of "
            f"{table.n_row} rows (undefined there, or a cell is missing); these predictions are empty"
        )
    return FOUND


@cli.command()
@click.argument("knowledge", metavar="K.toml")
@click.argument("data", metavar="[DATA.csv]", required=False)
@click.option("--target", metavar="COLUMN", help="Column to explain (with DATA.csv).")
@click.option("--features", metavar="A,B,…", help="Columns a formula may use (with DATA.csv).")
@EXCLUDE
@THOUSANDS
@click.option("--time", metavar="COLUMN", help="Column of times: check it for laws of motion (hypo dynamics).")
@click.option("--state", metavar="X,V,…", help="Columns of states, for laws of motion.")
@click.option("--action", metavar="U,…", help="Columns of inputs, for laws of motion.")
@click.option("--group", metavar="COLUMN", help="Column that tells runs apart, for laws of motion.")
@click.option("--order", type=int, default=1, metavar="1|2", help="2: laws give accelerations.")
@click.option("--discrete", is_flag=True, help="Laws give the next value.")
def check(
    knowledge: str,
    data: str | None,
    target: str | None,
    features: str | None,
    exclude: str | None,
    thousands: str | None,
    **motion: Any,
) -> int:
    """Look over a knowledge file, alone or against a table, and name every problem with its line.

    For laws of motion (hypo dynamics) say --time or --state, and the other columns as there.
    """
    from hypo.knowledge import lint

    dataset = None
    if any(motion[name] is not None for name in ROLES):
        return _check_motion(knowledge, data, motion)
    if data is not None:
        from hypo.data import TableOptions, as_dataset, read_table

        if target is None:
            target = read_table(data, thousands).labels[-1]
            note(f"no --target is given, so the last column, {target}, is taken for it")
        options = TableOptions(features=features, drop_missing=True, exclude=exclude, thousands=thousands)
        dataset, _ = as_dataset(data, target, options)
        for line in dataset.notes:
            note(line)
    return _tell_findings(knowledge, lint(knowledge, dataset))


def _check_motion(knowledge: str, data: str | None, motion: dict[str, Any]) -> int:
    """The same of a file and a table of trajectories."""
    from hypo.dynamics.checking import check_motion
    from hypo.dynamics.reading import Roles

    if data is None:
        return complain(
            "a check for laws of motion needs a table of trajectories: hypo check K.toml TRAJ.csv --time t", USAGE
        )
    roles = Roles(*(motion.pop(name) for name in ROLES))
    return _tell_findings(knowledge, check_motion(knowledge, data, roles, **motion))


def _tell_findings(knowledge: str, findings: Sequence[Finding]) -> int:
    """Print all that was found, and the exit code."""
    for finding in findings:
        say(str(finding))
    errors = sum(finding.level == "error" for finding in findings)
    if errors:
        return complain(f"{knowledge} cannot be used: {errors} problem{'s' if errors > 1 else ''}", USAGE)
    if not findings:
        say(f"{knowledge}: no problems found")
    return FOUND


@cli.command()
def warmup() -> int:
    """Compile all kernels now, once for this installation; else the first search does it."""
    import time

    from hypo.kernels.compiled import place
    from hypo.search.compile import warm

    if place() is None:
        return complain(
            "compiled kernels cannot be kept: neither the folder of hypo nor the user's cache folder can be written; "
            "set NUMBA_CACHE_DIR to a folder that can",
            USAGE,
        )
    begin, shown = time.monotonic(), ""

    def report(status: str) -> None:
        nonlocal shown
        shown = status
        # On a terminal in place.
        before, after = ("\r", "") if sys.stderr.isatty() else ("", "\n")
        print(before + status, end=after, file=sys.stderr, flush=True)

    ready = warm(report)
    if shown and sys.stderr.isatty():
        print(file=sys.stderr)
    if not ready:
        return complain(
            "not all kernels could be compiled in processes of their own; searches compile what they need", BUG
        )
    say(f"compiled in {time.monotonic() - begin:.0f} s" if shown else "all kernels are compiled")
    return FOUND


for command in (fit, merge, show, audit, bound, profile, suggest, dynamics, rollout, model):
    cli.add_command(command)
