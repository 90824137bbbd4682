"""The process in which PySR searches: it starts Julia, lets it compile, says so, waits for the word to begin, and searches.

Everything of PySR happens at its import, and Julia may end the process it lives in; so neither happens in the user's. The two
processes speak through files in a folder: Julia's event loop changes the modes of standard input, output and error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

# Files in the folder that both processes know. What to search for:
TASK = "task.json"
# The rows of the table:
ROWS = "rows.npy"
# The child runs:
STARTED = "started"
# It has compiled and waits:
READY = "ready"
# The word to begin, which holds the seconds to search:
BEGIN = "begin"
# Why it failed:
ERROR = "error.txt"
# What it printed:
LOG = "log.txt"
# PySR's folder of the search:
RUN = "run"
# PySR's folder of the round that compiles:
REHEARSAL = "rehearsal"
# Seconds between two looks for the word to begin.
PAUSE = 0.02
# Seconds between two looks for whether the parent still lives.
WATCH = 0.5
# One short round of all that a search does, which makes Julia compile it, on so many rows: from 1001 on PySR takes batches.
SHORT = {
    "niterations": 1,
    "populations": 2,
    "ncycles_per_iteration": 30,
    "optimize_probability": 1.0,
    "timeout_in_seconds": 300.0,
    "run_id": REHEARSAL,
}
MOST_ROWS = 1001


def main(folder: str, parent: int) -> None:
    """Run the task in ``folder`` for the process ``parent``, whose end ends this one."""
    place = Path(folder)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        # Julia and numpy each bring libraries; PySR asks to be imported first.
        import pysr  # noqa: F401

        (place / STARTED).touch()
        # What goes wrong here goes wrong in the search too, which says so.
        with suppress(Exception):
            _rehearse(place)
        (place / READY).touch()
        _search(place, timeout_in_seconds=_word(place), run_id=RUN)
    except Exception as error:  # whatever PySR and Julia raise: the other process says what it means
        (place / ERROR).write_text(_in_words(error, (place / STARTED).exists()), encoding="utf-8")
        sys.exit(1)
    os._exit(0)  # Julia may still crash on its way out


def _end_with(parent: int) -> None:
    """Ends this process once its parent has gone, however it went."""
    while os.getppid() == parent:
        time.sleep(WATCH)
    os._exit(1)


def _word(place: Path) -> float:
    """The seconds to search, once the parent has said them."""
    while not (place / BEGIN).exists():
        time.sleep(PAUSE)
    return float((place / BEGIN).read_text(encoding="utf-8"))


def _rehearse(place: Path) -> None:
    """One short round of the task for other targets, none of which is met exactly."""
    import numpy as np

    noise = np.random.default_rng(0).standard_normal
    _search(place, targets=lambda y: float(np.std(y)) * noise(len(y)) + float(np.mean(y)), rows=MOST_ROWS, **SHORT)


def _search(place: Path, targets: Any = None, rows: int | None = None, **more: Any) -> None:
    """PySR's fit to the task in ``place``; ``more`` are arguments of PySRRegressor."""
    import numpy as np
    from pysr import PySRRegressor

    task = json.loads((place / TASK).read_text(encoding="utf-8"))
    table = np.load(place / ROWS, allow_pickle=False)[:rows]
    model = {**task["model"], "output_directory": str(place), **more}
    if model["constraints"] is not None:  # JSON has no tuples
        model["constraints"] = {name: tuple(sizes) for name, sizes in model["constraints"].items()}
    if task["template"] is not None:
        from pysr import TemplateExpressionSpec

        model["expression_spec"] = TemplateExpressionSpec(**task["template"])
    y = table[:, -2] if targets is None else targets(table[:, -2])
    PySRRegressor(**model).fit(table[:, :-2], y, weights=table[:, -1] if task["weighted"] else None, **task["fit"])


def _in_words(error: Exception, started: bool) -> str:
    """The first line of an error; of one while Julia starts without its type, which tells a user nothing."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"a command of Julia ended with code {error.returncode}"
    line = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {line}" if started or not line else line
