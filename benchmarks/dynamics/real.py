"""The measured trajectories of ``datasets/``: does hypo give the textbook's law, and if not, which scores better?

    python benchmarks/dynamics/real.py [--only NAME,…] [--time-limit 60] [--seed 0] [--out DIR]

The textbook's law is fitted to the same samples and scored as what was found is: misfit with the noise integrated out, plus
code lengths under the prior of rate laws. A line begins with *law* where hypo's first system has the law's form, else with the
weight of the law among all its systems. A better score of the law is a failure of the search; a worse one says that so few,
so noisy rows ask for another law than the textbook's.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "srbench"), str(HERE.parent)]

import cases  # noqa: E402
import engines  # noqa: E402
import forms  # noqa: E402
from named import make_system  # noqa: E402

import hypo  # noqa: E402
from hypo.dynamics.calibration.calibrated import Calibrated  # noqa: E402
from hypo.dynamics.calibration.fit_system import fit_system  # noqa: E402
from hypo.dynamics.discovery.prior.lengths import system_code_length  # noqa: E402
from hypo.dynamics.reading import Roles, read_trajectories  # noqa: E402
from hypo.dynamics.system import System  # noqa: E402
from hypo.dynamics.trajectories import Trajectories  # noqa: E402

Values = NDArray[np.float64]

DATASETS = HERE.parent.parent / "datasets"


@dataclass(frozen=True)
class Measured:
    """A data set with its textbook's law.

    Attributes:
        name: of its folder.
        data: the trajectories, without units.
        order: 2 where the law gives accelerations.
        law: the law as a system, with the constants of the data set.
        starts: by run, the state from which the law comes nearest.
    """

    name: str
    data: Trajectories
    order: int
    law: System
    starts: tuple[tuple[float, ...], ...]

    def path(self) -> Values:
        """States along the law, all runs, 200 moments each (n, n_state)."""
        paths = [
            cases.follow(self.law.equations, self.law.states, start, np.linspace(run.time[0], run.time[-1], 200))
            for run, start in zip(self.data.runs, self.starts, strict=True)
        ]
        return np.vstack(paths)


def load(folder: Path) -> Measured:
    """A data set by its folder."""
    about = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))["dynamics"]
    roles = Roles(about["time"], about["states"], group=about.get("group"))
    data = replace(read_trajectories(folder / "data.csv", roles), units={})
    order = about.get("order", 1)
    states = data.states + (tuple(f"{s}_dot" for s in data.states) if order == 2 else ())
    values = {name: constant["value"] for name, constant in about["constants"].items()}
    law = make_system(states, about["rates"], values, measured=len(data.states))
    return Measured(folder.name, data, order, law, tuple(map(tuple, about["starts"])))


def has_law(measured: Measured, system: System, path: Values) -> bool:
    """True if a system has the form of the textbook's law."""
    equations = engines.renamed(system, measured.law.states)
    return all(forms.right_equations(equations, measured.law.equations, measured.law.states, path))


def score(fitted: Calibrated, n_row: int) -> float:
    """Misfit and code length in nats."""
    system = fitted.system
    return fitted.misfit + system_code_length(system.equations, system.states, len(system.columns), n_row)


def r2(measured: Measured, fitted: Calibrated) -> float:
    """R² of a fitted system along the runs, from its fitted starts, all states together, by SciPy."""
    total, spread = 0.0, 0.0
    values = np.vstack([run.states for run in measured.data.runs])
    scale = np.nanstd(values, axis=0)
    for run, start in zip(measured.data.runs, fitted.starts, strict=True):
        guess = cases.follow(fitted.system.equations, fitted.system.states, start, run.time)
        total += float(np.sum(((guess[:, : run.states.shape[1]] - run.states) / scale) ** 2))
        spread += float(np.sum(((run.states - values.mean(0)) / scale) ** 2))
    return 1.0 - total / spread


def examine(measured: Measured, args: argparse.Namespace) -> dict[str, Any]:
    """The line of a data set."""
    model = hypo.fit_dynamics(measured.data, order=measured.order, time_limit=args.time_limit, seed=args.seed)
    found = model.discovered
    path = measured.path()
    law = fit_system(measured.law, measured.data, found.smoothed, effort="full")
    best = fit_system(found.best.system, measured.data, found.smoothed, effort="full") or found.best
    n = measured.data.n_row
    right = [has_law(measured, s.fitted.system, path) for s in found.systems]
    return {
        "name": measured.name,
        "rows": n,
        "law": right[0],
        "weight": float(sum(s.weight for s, is_law in zip(found.systems, right, strict=True) if is_law)),
        "found": [e.pretty() for e in engines.renamed(found.best.system, measured.law.states)],
        "textbook": [e.pretty() for e in measured.law.equations],
        "score": round(score(best, n), 2),
        "law_score": None if law is None else round(score(law, n), 2),
        "r2": round(r2(measured, best), 4),
        "law_r2": None if law is None else round(r2(measured, law), 4),
        "seconds": round(found.seconds, 1),
        "remarks": list(found.remarks),
    }


def describe(row: dict[str, Any]) -> str:
    """One line for people."""
    if "error" in row:
        return f"{'-':6s} {row['name']:16s} {row['error']}"
    better = "–" if row["law_score"] is None else "law" if row["law_score"] < row["score"] else "found"
    mark = "law" if row["law"] else f"{row['weight']:.2f}"
    return (
        f"{mark:6s} {row['name']:16s} score {row['score']} (R² {row['r2']}), law {row['law_score']} (R² {row['law_r2']}), "
        f"better: {better}; found {'; '.join(row['found'])}"
    )


def folders(only: str) -> Sequence[Path]:
    """Data sets with a law of motion."""
    wanted = only.split(",") if only else None
    all_files = sorted(DATASETS.glob("*/dataset.toml"))
    with_motion = [p.parent for p in all_files if "\n[dynamics]\n" in p.read_text(encoding="utf-8")]
    return [f for f in with_motion if wanted is None or f.name in wanted]


def main(argv: list[str] | None = None) -> None:
    """Examine all data sets, print a line each, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--time-limit", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE / "results")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for folder in folders(args.only):
        try:
            row = examine(load(folder), args)
        except Exception as error:  # what fails on one data set is said; the others go on
            row = {"name": folder.name, "error": f"{type(error).__name__}: {error}"}
        rows.append(row)
        print(describe(row), flush=True)
    text = json.dumps(rows, indent=1)
    (args.out / f"real-{args.time_limit:g}s-seed{args.seed}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
