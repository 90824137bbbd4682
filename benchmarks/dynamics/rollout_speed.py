"""How fast world models are rolled out: samples of states per second of processor time and core.

    OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/dynamics/rollout_speed.py

The laws are Kepler's and those of a cart with a pole (four states each, constants drawn from their errors; 26 and 83 nodes),
followed with steps by the local error; a rollout includes draws, noise and all paths.
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

TURN = "(-9.8*sin(q) + cos(q)*(u + 0.05*w**2*sin(q))/1.1)/(0.5*(m - 0.1*cos(q)**2/1.1))"
LAWS = {
    "Kepler": {"x": "p", "y": "v", "p": "-m*x/(x**2 + y**2)**1.5", "v": "-m*y/(x**2 + y**2)**1.5"},
    "cart and pole": {"x": "v", "q": "w", "v": f"(u + 0.05*w**2*sin(q))/1.1 - 0.05*{TURN}*cos(q)/1.1", "w": TURN},
}
STARTS = {"Kepler": np.array([1.0, 0.2, -0.3, 1.1]), "cart and pole": np.array([0.0, 0.2, 0.0, 0.0])}
SAMPLES = (100, 2000)


def make_model(name: str) -> WorldModel:
    """One of the laws with m = 1.7 and 1 % error, and with an input where it has one."""
    laws, start = LAWS[name], STARTS[name]
    states = tuple(laws)
    actions = ("u",) if "u" in "".join(laws.values()) else ()
    equations = tuple(parse(law, variables=(*states, *actions)) for law in laws.values())
    m = [c.name for e in equations for c in e.constants if c.free]
    system = System(equations, states, actions=actions, shared=(0,) * len(m)).with_parameters(np.array([1.7]))
    ones = np.ones(4)
    fitted = Calibrated(system, (start,), 60 * ones, 60 * ones, 0.01 * ones, np.array([[0.017**2]]), 0.0)
    time = np.linspace(0.0, 10.0, 60)
    run = Run("", time, np.tile(start, (60, 1)), np.sin(time)[:, None][:, : len(actions)], np.arange(60))
    data = Trajectories((run,), "t", states, actions)
    return WorldModel(Discovered((WeightedSystem(fitted, 0.0, 1.0),), Smoothed(data, ()), (10,) * 4))


def main() -> None:
    """Print a row for each law and number of trajectories."""
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    times = np.linspace(0.0, 10.0, 201)
    print("law             nodes   trajectories   seconds   samples of states per second")
    for name in LAWS:
        model = make_model(name)
        nodes = sum(len(e) for e in model.system.equations)
        start = dict(zip(model.states, STARTS[name].tolist(), strict=True))
        actions = {"u": np.sin(times)} if model.actions else None
        for n in SAMPLES:
            model.rollout(start, actions, times=times, n_samples=n)
            began = time.process_time()
            found = model.rollout(start, actions, times=times, n_samples=n)
            seconds = time.process_time() - began
            print(f"{name:14s} {nodes:6d} {n:14d}   {seconds:7.3f}   {found.states.size / seconds:.3g}")


if __name__ == "__main__":
    main()
