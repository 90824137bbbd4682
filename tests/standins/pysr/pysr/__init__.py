"""Stands in for PySR where it is not installed: writes halls of fame instead of searching, and does what Julia does.

Julia's event loop sets standard input, output and error to O_NONBLOCK, it prints on both streams, and a search compiles
first, once for each kind of search (with units, weights, a template, seeds).

``HYPO_TEST_STAGES`` is a folder with files ``1.csv``, ``2.csv``, …: each becomes the hall of fame as soon as a file ``go1``,
``go2``, … lies beside it. With a file ``stay`` there the search then never ends; with a file ``fail`` it raises at once. With
``absent`` Julia is not found, with ``command`` one of its commands fails; ``slow`` holds the seconds that it compiles; with
``crash`` the search kills its process, once the halls of fame are written; with ``crash-early`` it does so while it compiles.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STAGES = Path(os.environ["HYPO_TEST_STAGES"])


def like_julia():
    for descriptor in (0, 1, 2):
        os.set_blocking(descriptor, False)
    print("Precompiling SymbolicRegression...", flush=True)
    print("┌ Warning: something of Julia's\n└ @ Base loading.jl:1", file=sys.stderr, flush=True)


like_julia()
(STAGES / "pid").write_text(str(os.getpid()))
if (STAGES / "absent").exists():
    raise Exception("could not find Julia 1.10\nin any of many places")
if (STAGES / "command").exists():
    print("ERROR: expected package PythonCall to be registered", file=sys.stderr, flush=True)
    raise subprocess.CalledProcessError(1, ["julia", "--startup-file=no"])


def TemplateExpressionSpec(**arguments):
    return arguments


compiled = set()


class PySRRegressor:
    def __init__(self, **arguments):
        self.arguments = arguments

    def fit(self, X, y, **arguments):
        assert len(X) == len(y)
        weighted = arguments.pop("weights") is not None
        self.compile(arguments["X_units"] is not None, weighted)
        short = self.arguments["niterations"] == 1
        name = "rehearsal.json" if short else "record.json"
        (STAGES / name).write_text(
            json.dumps({"model": self.arguments, "rows": X.shape, "weighted": weighted, **arguments}, default=str)
        )
        folder = Path(self.arguments["output_directory"]) / self.arguments["run_id"]
        if (STAGES / "fail").exists():
            raise ValueError("this is no search for PySR\nsecond line")
        folder.mkdir()
        if short:
            (folder / "hall_of_fame.csv").write_text('Complexity,Loss,Equation\n1,0.0,"x1"\n')
            return
        for number in range(1, 1 + len(list(STAGES.glob("*.csv")))):
            while not (STAGES / f"go{number}").exists():
                time.sleep(0.01)
            (folder / "hall_of_fame.csv").write_text((STAGES / f"{number}.csv").read_text())
            (STAGES / f"done{number}").touch()
        if (STAGES / "crash").exists():
            crash()
        while (STAGES / "stay").exists():
            time.sleep(0.01)

    def compile(self, units, weighted):
        kind = (units, weighted, "expression_spec" in self.arguments, self.arguments["guesses"] is not None)
        if kind in compiled:
            return
        compiled.add(kind)
        if (STAGES / "crash-early").exists():
            crash()
        if (STAGES / "slow").exists():
            time.sleep(float((STAGES / "slow").read_text()))


def crash():
    print("signal (11): Segmentation fault\nin expression starting at none:0", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
