"""Arguments of a discovery as users give them, checked one by one: each fault is one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

from hypo.api.inputs import load_knowledge
from hypo.api.parameters.convert import check_scheduler, check_workers, read_shard
from hypo.checks import read_seconds
from hypo.dynamics.knowledge.quantities import with_constants_like
from hypo.dynamics.options import DelayRange, Options
from hypo.dynamics.rows.columns import speed_name
from hypo.dynamics.trajectories import Trajectories
from hypo.errors import InputError
from hypo.knowledge import Knowledge
from hypo.knowledge.text.wording import nearest
from hypo.parallel.executor import THREADS

HOLDS = ("zero", "linear", "spline")
ORDERS = (1, 2)
# ``x=0.5:5``, or ``x=2`` for a lag that is known.
_DELAY = re.compile(r"\s*([^=]+?)\s*=\s*([^:\s]+)\s*(?::\s*([^:\s]+)\s*)?")

Delays = Mapping[str, Any] | str | Sequence[str] | None


def make_options(
    *,
    order: Any = 1,
    discrete: Any = False,
    hold: Any = "linear",
    delays: Delays = None,
    use_time: Any = False,
    **search: Any,
) -> Options:
    """The checked options of a discovery, ``search`` being those of :func:`_read_search`; raises InputError for a value that is
    none of its argument."""
    if isinstance(order, bool) or order not in ORDERS:
        raise InputError(
            f"order must be 1, where rates are sought, or 2, where positions give accelerations; got {order!r}"
        )
    for name, value in (("discrete", discrete), ("use_time", use_time)):
        if not isinstance(value, bool):
            raise InputError(f"{name} must be True or False, got {value!r}")
    if discrete and order == 2:
        raise InputError(
            "a law of the next value has no order; leave order out, or leave discrete out for laws of motion"
        )
    if hold not in HOLDS:
        near = nearest(hold, HOLDS)
        guess = f"; did you mean {near}?" if near else ""
        raise InputError(f"hold must be {', '.join(HOLDS[:-1])} or {HOLDS[-1]}, got {hold!r}{guess}")
    return Options(
        order=int(order),
        discrete=discrete,
        hold=hold,
        delays=read_delays(delays),
        use_time=use_time,
        **_read_search(**search),
    )


def _read_search(
    time_limit: Any = 60.0, seed: Any = 0, turns: Any = 1, shard: Any = None, workers: Any = 1, scheduler: Any = None
) -> dict[str, Any]:
    """Checked options on how long a search goes on, and who does it."""
    for name, value, least in (("seed", seed, 0), ("number of turns", turns, 1)):
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise InputError(f"the {name} must be a whole number, {least} or more, got {value!r}")
    if check_scheduler("scheduler", scheduler) == THREADS:
        raise InputError(
            "laws of motion are searched for by processes or a Dask cluster, not by threads; leave scheduler out"
        )
    return {
        "time_limit": read_seconds("time_limit", time_limit),
        "seed": int(seed),
        "turns": int(turns),
        "shard": read_shard("shard", shard),
        "workers": check_workers("workers", workers),
        "scheduler": scheduler,
    }


def read_delays(given: Delays) -> tuple[DelayRange, ...]:
    """Ranges of lags from ``{"x": (0.5, 5)}``, ``"x=0.5:5"`` or a list of such texts; raises InputError for anything else."""
    if given is None:
        return ()
    wrong = f'delays must be given like {{"x": (0.5, 5)}} or "x=0.5:5", got {given!r:.60}'
    pairs: list[tuple[Any, Any]] = []
    if isinstance(given, Mapping):
        pairs = list(given.items())
    elif isinstance(given, str | list | tuple):
        texts = [given] if isinstance(given, str) else list(given)
        for text in texts:
            for part in text.split(",") if isinstance(text, str) else [""]:
                found = _DELAY.fullmatch(part)
                if found is None:
                    raise InputError(wrong)
                pairs.append((found[1], (found[2], found[3] or found[2])))
    else:
        raise InputError(wrong)
    out: list[DelayRange] = []
    for state, ends in pairs:
        ends = (ends, ends) if isinstance(ends, Real) else ends
        if not isinstance(state, str) or isinstance(ends, str) or not isinstance(ends, Iterable):
            raise InputError(wrong)
        numbers = [_read_lag(state, end) for end in ends]
        if len(numbers) != 2:
            raise InputError(wrong)
        if not 0 < numbers[0] <= numbers[1]:
            raise InputError(
                f"the lag of {state} must lie above 0 and its least value not above its largest, got {numbers[0]:g} to "
                f"{numbers[1]:g}"
            )
        if state in {d.state for d in out}:
            raise InputError(f"{state} has two ranges of delays; give one")
        out.append(DelayRange(state, *numbers))
    return tuple(out)


def _read_lag(state: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or not abs(number) < float("inf"):
        raise InputError(f"the lag of {state} must be a finite number in the unit of time, got {value!r}")
    return number


def read_knowledge(given: Any, data: Trajectories) -> tuple[Knowledge | None, Trajectories]:
    """The knowledge with the units of the table, its named constants in units like these, and the trajectories with the units
    that it states, of named constants too.

    Raises:
        KnowledgeError: a file or dictionary that cannot be read, or units that contradict those of the table.
    """
    if given is None:
        return None, data
    loaded = load_knowledge(given).with_units(data.units)
    stated = {name: loaded.units[name].text for name in (data.time, *data.columns) if name in loaded.units}
    loaded = with_constants_like(loaded, stated)
    return loaded, replace(data, units=stated | {name: c.unit.text for name, c in loaded.constants.items() if stated})


def fit_to_data(options: Options, data: Trajectories) -> None:
    """Raises InputError where options do not go with the trajectories: delays of what is no state, or longer than a run."""
    longest = max(run.duration for run in data.runs)
    for delay in options.delays:
        if delay.state not in data.states:
            near = nearest(delay.state, data.states)
            guess = f" (did you mean {near}?)" if near else ""
            raise InputError(
                f"a delay is given for {delay.state}, which is no state{guess}; the states are {', '.join(data.states)}"
            )
        if delay.most >= longest:
            raise InputError(
                f"the delay of {delay.state} reaches {delay.most:g}, but the longest run lasts {longest:g}; "
                "former values must have been recorded, so give shorter delays"
            )
    for state in data.states if options.order == 2 else ():
        if speed_name(state) in (*data.columns, data.time):
            raise InputError(
                f"with order 2 the speed of {state} is called {speed_name(state)}, and so is a column; rename that, or give "
                "it as a state with order 1"
            )
