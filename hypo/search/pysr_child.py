"""The process in which PySR searches: it starts Julia, says so, waits for the word to begin, and searches until it is ended.

Everything of PySR happens at its import, and Julia may end the process it lives in; so neither happens in the user's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

# Files in the folder that both processes know.
TASK, ROWS, READY, ERROR = "task.json", "rows.npy", "ready", "error.txt"
RUN = "run"


def main(folder: str) -> None:
    """Run the task in ``folder``; a line on standard input is the word to begin, and gives the seconds to search."""
    place = Path(folder)
    try:
        # Julia and numpy each bring libraries; PySR asks to be imported first.
        from pysr import PySRRegressor

        (place / READY).touch()
        seconds = float(sys.stdin.readline())

        import numpy as np

        task = json.loads((place / TASK).read_text(encoding="utf-8"))
        rows = np.load(place / ROWS, allow_pickle=False)
        model = task["model"]
        if model["constraints"] is not None:  # JSON has no tuples
            model["constraints"] = {name: tuple(sizes) for name, sizes in model["constraints"].items()}
        if task["template"] is not None:
            from pysr import TemplateExpressionSpec

            model["expression_spec"] = TemplateExpressionSpec(**task["template"])
        search = PySRRegressor(**model, timeout_in_seconds=seconds, output_directory=str(place), run_id=RUN)
        weights = rows[:, -1] if task["weighted"] else None
        search.fit(rows[:, :-2], rows[:, -2], weights=weights, **task["fit"])
    except Exception as error:  # whatever PySR and Julia raise: the other process says what it means
        lines = str(error).strip().splitlines() or [""]
        (place / ERROR).write_text(f"{type(error).__name__}: {lines[0]}", encoding="utf-8")
        sys.exit(1)
