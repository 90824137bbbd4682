"""``hypo dynamics``, ``hypo rollout`` and ``hypo model``: from trajectories to laws of motion, from these to trajectories, and
what follows from them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from hypo.cli.options import (
    ELSEWHERE,
    FOUND,
    INTERRUPTED,
    JSON,
    OVERWRITE,
    THOUSANDS,
    complain,
    ignore_interrupts,
    note,
    say,
    treat_stops_as_interrupts,
)
from hypo.cli.parameter_options import drop_blanks
from hypo.failures import Failures
from hypo.interrupts import has_come

if TYPE_CHECKING:
    from hypo.dynamics.folders import ModelFolder
    from hypo.dynamics.model.world_model import WorldModel


@click.command()
@click.argument("data", metavar="TRAJ.csv")
@click.option("--time", metavar="COLUMN", help="Column of times (default: the one called t or time).")
@click.option("--state", metavar="X,V,…", help="Columns whose law is sought (default: all numbers but the others).")
@click.option("--action", metavar="U,…", help="Recorded inputs, which laws may use.")
@click.option("--order", type=int, metavar="1|2", help="2: positions alone were measured.  [default: 1]")
@click.option("--discrete", is_flag=True, default=None, help="Laws give the next value.")
@click.option("--hold", metavar="KIND", help="Course of inputs between rows: zero, linear, spline.  [default: linear]")
@click.option("--delay", "delays", multiple=True, metavar="X=A:B", help="Laws may use X as it was A to B earlier.")
@click.option("--use-time", is_flag=True, default=None, help="Laws may use time itself.")
@click.option("--group", metavar="COLUMN", help="Column that tells runs apart.")
@click.option("--knowledge", metavar="K.toml", help="What is known of the system.")
@click.option("--time-limit", metavar="TIME", help="Longest search: 90, 90s, 2min, 1h.  [default: 60s]")
@click.option("--seed", type=int, help="Seed of all random choices.  [default: 0]")
@click.option("--turns", metavar="N", type=int, help="Go on from the best systems N - 1 times.  [default: 1]")
@click.option("--resume", metavar="DIR", help="Go on with the search whose model is in DIR.")
@click.option("--shard", metavar="K/N", help="Take each N-th turn from the K-th on, for hypo merge.")
@click.option("--workers", metavar="N", type=int, help="Processes that work side by side.  [default: 1]")
@click.option("--scheduler", metavar="WHO", help="processes, local, or the address of a Dask scheduler.")
@THOUSANDS
@click.option("--out", metavar="DIR", help="Folder for the model.  [default: hypo-out/NAME-dynamics]")
@OVERWRITE
@click.option("--plot", is_flag=True, help="Also write plot.png.")
@JSON
@click.option("--quiet", is_flag=True, help="Print the laws and nothing else.")
def dynamics(data: str, out: str | None, as_json: bool, quiet: bool, delays: tuple[str, ...], **options: Any) -> int:
    """Search for the laws of motion behind TRAJ.csv: the rate of each state, its acceleration, or its next value.

    Each row has a time and the states measured then; an empty cell is a state that was not. Units stand in headers, as
    in x [m]. Writes the model to the folder --out, for hypo rollout, and report.html, a page with pictures.
    """
    with treat_stops_as_interrupts():
        import hypo
        from hypo.dynamics.folders import ModelFolder

        place = ModelFolder.of(data, out, bool(options.pop("overwrite")))
        place.plot = options.pop("plot")
        with _tell_time(options["time_limit"], as_json or quiet):
            model = hypo.fit_dynamics(data, delays=delays or None, **drop_blanks(options))
        with ignore_interrupts():
            place.status = "interrupted" if has_come() else "finished"
            place.write(model)
        try:
            _tell_model(model, place, as_json, quiet)
            sys.stdout.flush()
        except KeyboardInterrupt:
            return complain(f"interrupted; the model was saved to {place.folder}", INTERRUPTED)
        if place.failed:
            return complain("; ".join(place.notes), INTERRUPTED if has_come() else ELSEWHERE)
        for text in place.notes:
            note(text)
        return INTERRUPTED if has_come() else FOUND


def merge_models(folders: tuple[str, ...], out: str, overwrite: bool, as_json: bool) -> int:
    """Join the models of shards in ``folders`` and write the joint one to ``out``; the exit code."""
    import hypo
    from hypo.dynamics.folders import ModelFolder

    place = ModelFolder.beside(folders, out, overwrite)
    model = hypo.WorldModel.merge(*folders)
    with ignore_interrupts():
        place.write(model)
    _tell_model(model, place, as_json, False)
    for text in place.notes:
        note(text)
    return ELSEWHERE if place.failed else FOUND


def _tell_model(model: WorldModel, place: ModelFolder, as_json: bool, quiet: bool) -> None:
    """Print what was found and where it was written."""
    from hypo.dynamics.report import json_record, text

    if as_json:
        sys.stdout.write(json_record.to_json(model, place.status))
    elif quiet:
        say(text.write_laws(model))
    else:
        failures = Failures()
        with failures.guarded("the report"):
            text.print_report(model, sys.stdout)
        if failures.found:
            say(text.write_laws(model))
            place.notes += [f"the report could not be printed: {f.error}, in {f.where}" for f in failures.found]
        if not place.failed:
            say(f"\nWritten to {place.folder}: {', '.join(place.written)}")


def _tell_time(limit: Any, is_silent: bool) -> Any:
    """A context that says how long the search has been at work."""
    from contextlib import nullcontext

    from hypo.dynamics.report.waiting import tell_time

    return nullcontext() if is_silent else tell_time(sys.stderr, limit)


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--start", metavar="X=1,V=0", help="Where states begin (default: where the first run began).")
@click.option("--until", type=float, metavar="T", help="Time of the last row (default: that of the data).")
@click.option("--step", type=float, metavar="DT", help="Time between rows.")
@click.option(
    "--actions", metavar="U.csv|U=0.5", help="A table of times and inputs, or constant ones (default: as recorded)."
)
@click.option(
    "--event", "events", multiple=True, metavar="C: X=…", help='What happens where, as in "x > 2: v = -0.9*v".'
)
@click.option(
    "--do", multiple=True, metavar="K=0", help="What if K, a constant, input or law, had been this in a recorded run."
)
@click.option("--run", metavar="NAME", help="That run, by name or number.  [default: the first]")
@click.option("--samples", "n_samples", type=int, metavar="N", help="Trajectories drawn.  [default: 100]")
@click.option("--level", type=float, metavar="P", default=0.9, help="Probability of the bands.  [default: 0.9]")
@click.option("--seed", type=int, help="Seed of the draws.  [default: 0]")
@click.option("--plot", is_flag=True, help="Also write DIR/rollout.png.")
@click.option("--out", metavar="FILE.csv", help="Write there instead of standard output.")
@JSON
def rollout(
    folder: str,
    do: tuple[str, ...],
    run: str | None,
    level: float,
    plot: bool,
    out: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Follow the laws of the model in DIR from a start, with bands.

    The output has a row for each time, and for each state its median and the band of probability --level: from likely
    systems, their constants, and the noise of measurements. With --do or --run it is a recorded run, with its own start,
    as it would have been; columns called effect are what the change makes of it.
    """
    from hypo.dynamics.fit import WorldModel
    from hypo.dynamics.report import rollouts
    from hypo.result.folders import check_file, write_file

    check_file(out)
    model = WorldModel.load(folder)
    given = {name: value for name, value in drop_blanks(options).items() if value != ()}
    if do or run is not None:
        changed = rollouts.what_if(model, do=do, run=run, **given)
        text = (rollouts.write_what_if_json if as_json else rollouts.write_what_if)(changed, level)
        found, remarks = changed.changed, changed.remarks
    else:
        found, remarks = rollouts.roll_out(model, **given), ()
        text = (rollouts.write_rollout_json if as_json else rollouts.write_rollout)(found, level)
    if out is None:
        sys.stdout.write(text)
    else:
        write_file(out, text)
    if plot:
        note(f"the plot was written to {rollouts.draw(found, folder)}")
    for line in (*found.describe_ends(), *remarks):
        note(line)
    return FOUND


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--graph", is_flag=True, help="Which variables drive which, and how likely.")
@click.option("--fixed-points", is_flag=True, help="Where the system stands still, how stable that is, cycles.")
@click.option("--invariants", is_flag=True, help="Quantities that are conserved, or can only fall or rise.")
@click.option("--inputs", metavar="U=0.5,…", help="Constant inputs of fixed points (default: their medians).")
@click.option("--plot", metavar="FILE", help="Write a drawing of the graph to FILE.")
@JSON
def model(folder: str, inputs: str | None, plot: str | None, as_json: bool, **questions: bool) -> int:
    """Tell what follows from the laws of the model in DIR.

    Without --graph, --fixed-points or --invariants it tells all of them. hypo show DIR shows the laws themselves.
    """
    from hypo.api.score import read_start
    from hypo.dynamics.fit import WorldModel
    from hypo.dynamics.report import answers
    from hypo.result.folders import check_file

    check_file(plot)
    loaded = WorldModel.load(folder)
    given = None if inputs is None else dict(read_start(inputs, "inputs"))
    found = answers.answer(loaded, [name for name, asked in questions.items() if asked], given)
    if plot is not None:
        loaded.graph().plot(plot)
    sys.stdout.write((answers.write_answers_json if as_json else answers.write_answers)(found))
    if plot is not None:
        note(f"the graph was drawn to {plot}")
    return FOUND


def suggest_experiments(
    folder: str, ranges: dict[str, tuple[float, float]], count: int, out: str | None, as_json: bool, **options: Any
) -> int:
    """Tell the next experiments for the laws in a folder; ``ranges`` are of starts and inputs; the exit code."""
    from hypo.dynamics.fit import WorldModel
    from hypo.dynamics.report import answers
    from hypo.result.folders import write_file

    loaded = WorldModel.load(folder)
    starts, inputs = answers.split_ranges(loaded, ranges)
    found = loaded.suggest(starts, inputs, n=count, **options)
    sys.stdout.write((answers.write_experiments_json if as_json else answers.write_experiments)(found))
    if out is not None:
        write_file(out, answers.write_experiments_table(loaded, found))
    return FOUND
