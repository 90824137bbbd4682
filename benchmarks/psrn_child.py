"""Runs the package psrn in a process of its own: it prints much, and what it holds of a GPU's memory is given back at the end.

python psrn_child.py ROWS.npz SECONDS SEED        the last line is {"found": formula in x0, x1, …, "seconds": …}
"""

from __future__ import annotations

import _thread
import argparse
import json
import random
import threading
import time
from contextlib import suppress

import numpy as np

# The settings of the package's command line, but with constants, which laws have.
OPERATORS = ["Add", "Mul", "Sub", "Div", "Identity", "Sin", "Cos", "Exp", "Log"]
LAYERS = 3
INPUTS = 5
SAMPLED = 3
DOWN_SAMPLE = 100
TOP = 10
# It computes in single precision: a mean square below this share of the target's is an exact fit, and ends the search.
EXACT = 1e-12


def interrupt(seconds: float, done: threading.Event) -> None:
    """Ends the fit when its time is up, which it sees between iterations only; again where that was caught."""
    wait = seconds + 1.0
    while not done.wait(wait):
        _thread.interrupt_main()
        wait = 2.0


def main() -> None:
    """Fit, and print the formula with the least error: without noise that is the package's own choice."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rows", help="file of X and y")
    parser.add_argument("seconds", type=float)
    parser.add_argument("seed", type=int)
    options = parser.parse_args()
    import torch
    from psrn.model.regressor import PSRN_Regressor

    path, seconds, seed = options.rows, options.seconds, options.seed
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
    rows = np.load(path)
    X, y = rows["X"], rows["y"]
    regressor = PSRN_Regressor(
        variables=[f"x{k}" for k in range(X.shape[1])],
        use_const=True,
        n_symbol_layers=LAYERS,
        device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        token_generator_config={"base": {"has_const": True, "tokens": OPERATORS}},
        stage_config={
            "default": {
                "operators": OPERATORS,
                "time_limit": seconds,
                "n_psrn_inputs": INPUTS,
                "n_sample_variables": SAMPLED,
            },
            "stages": [{}],
        },
    )
    begin, done = time.monotonic(), threading.Event()
    threading.Thread(target=interrupt, args=(seconds, done), daemon=True).start()
    with suppress(KeyboardInterrupt):
        regressor.fit(
            X,
            y[:, None],
            n_down_sample=DOWN_SAMPLE,
            use_threshold=True,
            threshold=EXACT * float(np.mean(y**2)),
            prun_const=True,
            prun_ndigit=6,
            top_k=TOP,
            real_time_display=False,
        )
    done.set()
    took = time.monotonic() - begin
    best = min(regressor.pareto_frontier or [], key=lambda one: one[2], default=None)
    print("\n" + json.dumps({"found": None if best is None else str(best[0]), "seconds": took}))


if __name__ == "__main__":
    main()
