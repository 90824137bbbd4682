"""``hypo.fit_dynamics`` and ``hypo.WorldModel``: from recorded trajectories to the laws of motion behind them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from hypo import interrupts
from hypo.dynamics.arguments import Delays, fit_to_data, make_options, read_knowledge
from hypo.dynamics.model.saving.together import begin_from
from hypo.dynamics.model.world_model import WorldModel, fit_by, shown_by
from hypo.dynamics.reading import Names, Roles, read_trajectories
from hypo.dynamics.thinning import shorten
from hypo.keywords import check_keywords

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from hypo.dynamics.discovery.discovered import Discovered
    from hypo.dynamics.options import Options
    from hypo.dynamics.trajectories import Trajectories
    from hypo.knowledge import Knowledge
    from hypo.knowledge.claims.claim import Verdict

__all__ = ["WorldModel", "fit_dynamics"]

# Names that other tools, and other functions of hypo, have for what is meant.
OTHER_NAMES = {
    "target": "give state, the columns whose law is sought",
    "targets": "give state, the columns whose law is sought",
    "features": "give state and action",
    "states": "give state",
    "actions": "give action",
    "inputs": "give action",
    "u": "give action",
    "groups": "give group",
    "run": "give group",
    "dt": "give time, the column of times",
    "times": "give time",
    "delay": "give delays",
    "timeout": "give time_limit",
    "niterations": "give time_limit",
    "random_state": "give seed",
    "n_jobs": "give workers, a number of processes",
    "warm_start": "give resume, the model to go on from",
    "threshold": "there is none: terms must pay for themselves",
}


@check_keywords(OTHER_NAMES, "hypo.fit_dynamics")
def fit_dynamics(
    data: Any,
    time: str | None = None,
    state: Names = None,
    *,
    action: Names = None,
    order: int = 1,
    discrete: bool = False,
    hold: str = "linear",
    delays: Delays = None,
    use_time: bool = False,
    group: Any = None,
    knowledge: Any = None,
    time_limit: float | str = 60.0,
    seed: int = 0,
    turns: int = 1,
    resume: Any = None,
    shard: str | Sequence[int] | None = None,
    workers: int | None = 1,
    scheduler: str | None = None,
    thousands: str | None = None,
) -> WorldModel:
    """Search for the laws behind trajectories: dx/dt = f(x, u), d²x/dt² = f(x, dx/dt, u), or x[n+1] = f(x[n], u[n]).

    Args:
        data: a CSV file, spreadsheet or Parquet file, a data frame or mapping, arrays ``(time, states)`` or
            ``(time, states, inputs)``, or a list of frames or of such tuples, one for each run. A state may be missing (NaN)
            in single rows.
        time: the column of times; by default the one called t or time.
        state: the columns whose law is sought; by default all numbers that are nothing else.
        action: recorded inputs, which laws may use.
        order: 2 where only positions were measured, and laws give their acceleration.
        discrete: True where laws give the next value.
        hold: the course of inputs between rows: ``"zero"`` keeps the last value, ``"linear"`` and ``"spline"`` connect them.
        delays: states whose former values laws may use, each with the least and the largest lag: ``{"x": (0.5, 5)}``.
        use_time: True where laws may use time itself.
        group: the column that tells runs apart, or an entry for each row.
        knowledge: a knowledge file, or what :meth:`hypo.Knowledge.from_dict` reads; its section ``[dynamics]`` says what is
            known of the laws.
        time_limit: seconds, or a duration such as ``"2min"``.
        seed: equal seeds give equal results, unless the time limit cut the search.
        turns: how often the search goes on from its best systems, with other random numbers and up to 16 times the work; the
            time limit may end it before.
        resume: an earlier model of these data and settings, or its folder: the search goes on where that ended.
        shard: ``"i/n"``, to take only each n-th turn, from the i-th on; :meth:`hypo.WorldModel.merge` joins the models.
        workers: processes that work side by side, None: one per core; they do not change the result. A script that uses
            several needs ``if __name__ == "__main__":``.
        scheduler: ``"processes"``, ``"local"`` (a Dask cluster of ``workers`` processes on this machine), or the address of a
            Dask scheduler, ``"tcp://host:8786"``.
        thousands: the mark between thousands in a file of texts.

    Returns:
        the model: systems of laws with weights, which can be rolled out. Ctrl-C ends the search with the best so far.

    Raises:
        DataError: the table cannot be used; the message says where and why.
        KnowledgeError: the knowledge cannot be read, or does not fit the columns.
        InputError: an argument is wrong, ``resume`` is of other data or settings, or no scheduler answers.
        MissingExtraError: a cluster is wanted, and Dask is not installed.
    """
    options = make_options(
        order=order,
        discrete=discrete,
        hold=hold,
        delays=delays,
        use_time=use_time,
        time_limit=time_limit,
        seed=seed,
        turns=turns,
        shard=shard,
        workers=workers,
        scheduler=scheduler,
    )
    trajectories = read_trajectories(
        data, Roles(time, state, action, group), thousands=thousands, discrete=options.discrete
    )
    fit_to_data(options, trajectories)
    known, trajectories = read_knowledge(knowledge, trajectories)
    trajectories = shorten(trajectories, options.discrete)
    before = None
    if resume is not None:
        from hypo.dynamics.contacts.cut import cut_at_contacts

        # A model's runs are the pieces between walls.
        before = begin_from(resume, cut_at_contacts(trajectories, options).data, _settings(options, known))
    return discover_laws(trajectories, options, known, before)


def _settings(options: Options, knowledge: Knowledge | None) -> dict[str, Any]:
    """The settings that a model tells of how it was made; who did the work makes no difference to them."""
    settings: dict[str, Any] = asdict(options)
    del settings["workers"], settings["scheduler"]
    if knowledge is not None:
        settings["knowledge"] = knowledge.as_dict()
    return settings


def discover_laws(
    data: Trajectories, options: Options, knowledge: Knowledge | None = None, before: Discovered | None = None
) -> WorldModel:
    """The model of checked trajectories, and how its laws fare under what is known; the search goes on from ``before``."""
    from hypo.dynamics.discovery.discover import discover

    with interrupts.during_a_fit():
        # Searches within end at an interrupt with the best so far; between them it waits.
        interrupts.hold()
        found = discover(data, options, knowledge, before)
        if interrupts.has_come():
            found = replace(
                found, remarks=("the search was interrupted, and this is the best that it had found", *found.remarks)
            )
    settings = _settings(options, knowledge)
    if knowledge is not None:
        settings["rules"] = [_record(words, v) for words, v in found.rules]
    return WorldModel(found, settings)


def _record(words: str, v: Verdict) -> dict[str, Any]:
    """A rule and how the laws fare; of one that is broken, where, and the comparison that fails there."""
    out: dict[str, Any] = {"rule": words, "level": v.level, "violation": v.amount, "points": v.points}
    if v.witness is not None:
        sides = v.witness.sides
        at = {name: float(value) for name, value in v.witness.at.items()}
        out |= {"witness": at, "sides": [sides.left, sides.relation, sides.right]}
    return out


def _describe(model: WorldModel) -> str:
    from hypo.dynamics.report.text import write_report

    return write_report(model)


def _draw_page(model: WorldModel) -> str:
    from hypo.dynamics.report.text import write_html

    return write_html(model)


def _save_page(model: WorldModel, path: str | os.PathLike[str]) -> Path:
    from hypo.dynamics.report.page import save_page

    return save_page(model, path)


def _plot(model: WorldModel, path: str | os.PathLike[str] | None) -> Figure:
    from hypo.dynamics.report.pictures import plot_model

    return plot_model(model, path)


fit_by(fit_dynamics)
shown_by(_describe, _draw_page, _save_page, _plot)
