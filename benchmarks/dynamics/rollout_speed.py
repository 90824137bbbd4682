"""How fast world models are rolled out: samples of states per second of processor time and core.

    OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/dynamics/rollout_speed.py

The law is Kepler's (four states, constants drawn from their errors), followed with steps by the local error; a rollout includes
draws, noise and all paths of systems.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery.discovered import Discovered, WeightedSystem
from hypo.dynamics.model.world_model import WorldModel
from hypo.dynamics.smoothing.smoothed import Smoothed
from hypo.dynamics.system import System
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.expression.parser import parse

STATES = ("x", "y", "u", "v")
LAWS = ("u", "v", "-m*x/(x**2 + y**2)**1.5", "-m*y/(x**2 + y**2)**1.5")
START = np.array([1.0, 0.2, -0.3, 1.1])
SAMPLES = (100, 2000)


def make_model() -> WorldModel:
    """Kepler's law with m = 1.7 and 1 % error."""
    system = System(tuple(parse(law, variables=STATES) for law in LAWS), STATES, shared=(0, 0))
    system = system.with_parameters(np.array([1.7]))
    ones = np.ones(4)
    fitted = Calibrated(system, (START,), 60 * ones, 60 * ones, 0.01 * ones, np.array([[0.017**2]]), 0.0)
    run = Run("", np.linspace(0.0, 10.0, 60), np.tile(START, (60, 1)), np.empty((60, 0)), np.arange(60))
    data = Trajectories((run,), "t", STATES)
    return WorldModel(Discovered((WeightedSystem(fitted, 0.0, 1.0),), Smoothed(data, ()), (10,) * 4))


def main() -> None:
    """Print a row for each number of trajectories."""
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    model, times = make_model(), np.linspace(0.0, 10.0, 201)
    start = dict(zip(STATES, START.tolist(), strict=True))
    print("trajectories   seconds   samples of states per second")
    for n in SAMPLES:
        model.rollout(start, times=times, n_samples=n)
        began = time.process_time()
        found = model.rollout(start, times=times, n_samples=n)
        seconds = time.process_time() - began
        print(f"{n:12d}   {seconds:7.3f}   {found.states.size / seconds:.3g}")


if __name__ == "__main__":
    main()
