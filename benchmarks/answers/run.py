"""Does a change that should change nothing change an answer? Some 25 fits of every kind, with a fixed number of turns.

    python benchmarks/answers/run.py --out before         on one commit
    python benchmarks/answers/run.py --out after          on the other
    python benchmarks/answers/run.py --compare before after

Each fit leaves ``NAME.json``: the whole ``result.json`` without what depends on the clock, the machine and the version, and
predictions with 90 % intervals. Fits take ``TURNS`` turns, however long that takes, so two runs of one commit agree byte by
byte; the comparison names each file and key that differs and ends with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import hypo
import hypo.search.engine as engine

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
# Turns of the proposers of each fit, and members of the libraries that they scan.
TURNS = 8
LIBRARY_SIZES = (150, 600)
# Seconds: far more than any fit needs, for nothing may depend on the clock.
TIME_LIMIT = 3600.0
# Keys of result.json that differ from run to run, wherever they stand.
VOLATILE = {"timing", "seconds", "elapsed", "started", "created", "packages", "version", "platform", "machine"}
# What this script sets for itself; commits before turns were a setting of users did not record it.
SET_HERE = {"turns"}
RESERVED = "answers"

Case = Callable[[], Any]
CASES: dict[str, Case] = {}
# The table of the last fit.
GIVEN: list[Any] = []


def case(function: Case) -> Case:
    """Register a fit under the name of its function."""
    CASES[function.__name__] = function
    return function


@contextmanager
def small_libraries() -> Iterator[None]:
    """Let every search scan libraries of ``LIBRARY_SIZES``, which is no setting of users."""
    search = engine.search

    def with_sizes(problem: Any, settings: Any, *rest: Any, **more: Any) -> Any:
        return search(problem, replace(settings, library_sizes=LIBRARY_SIZES), *rest, **more)

    engine.search = with_sizes
    try:
        yield
    finally:
        engine.search = search


def fit(data: Any, target: Any = None, **options: Any) -> Any:
    """Fits as all cases do, and keeps the table that was given."""
    GIVEN[:] = [data]
    return hypo.fit(data, target, time_limit=TIME_LIMIT, turns=TURNS, progress=False, **{"workers": 1, **options})


def table(name: str) -> Path:
    """The file of a data set that ships with hypo."""
    return DATASETS / name / "data.csv"


def rows(
    n: int, columns: int, seed: int, low: float = 0.5, high: float = 3.0
) -> tuple[pd.DataFrame, np.random.Generator]:
    """``n`` rows of uniform columns and the generator for their noise."""
    rng = np.random.default_rng([2026, seed])
    X = rng.uniform(low, high, (n, columns))
    return pd.DataFrame(X, columns=[f"x{k}" for k in range(columns)] if columns > 4 else list("abcd")[:columns]), rng


@case
def units() -> Any:
    return fit(table("kepler"), "T")


@case
def units_and_rules() -> Any:
    return fit(table("kepler"), "T", knowledge=DATASETS / "kepler" / "knowledge.toml")


@case
def no_units() -> Any:
    return fit(table("black_body"), "energy")


@case
def angle_in_degrees() -> Any:
    return fit(table("pendulum"), "length")


@case
def units_with_constants() -> Any:
    t, _ = rows(40, 2, 1)
    t["y"] = t.a * 299792458.0**2 * t.b
    knowledge = {
        "units": {"a": "kg", "b": "1", "y": "J"},
        "constants": {"c": {"value": 299792458.0, "unit": "m/s"}},
        "grammar": {"max_complexity": 20},
    }
    return fit(t, "y", knowledge=knowledge)


@case
def shape_rules() -> Any:
    knowledge = {
        "rule": [
            {"kind": "monotone", "variable": "concentration", "direction": "increasing", "hard": True},
            {"kind": "bounds", "min": 0, "max": 400, "weight": 2.0},
        ],
        "ranges": {"concentration": [0.01, 2.0]},
    }
    return fit(table("puromycin"), "rate", knowledge=knowledge, intervals="profile")


@case
def guesses_with_units() -> Any:
    return fit(table("puromycin"), "rate", guesses=["Vmax*concentration/(Km + concentration)", "p*concentration"])


@case
def symmetry_rules() -> Any:
    t, rng = rows(60, 2, 2, -2.0, 2.0)
    t["y"] = t.a**2 * np.cos(2.0 * t.b) + rng.normal(0, 0.02, len(t))
    knowledge = {
        "rule": [
            {"kind": "even", "variable": "a"},
            {"kind": "logic", "formula": "forall a in [-2, 2], b in [-2, 2]: f(a, b) = f(a, -b)"},
        ],
        "ranges": {"a": [-2.0, 2.0], "b": [-2.0, 2.0]},
    }
    return fit(t, "y", knowledge=knowledge)


@case
def template() -> Any:
    t, rng = rows(80, 3, 3)
    t["y"] = 2.0 * np.sqrt(t.a) + t.b * t.c + rng.normal(0, 0.01, len(t))
    return fit(t, "y", knowledge={"template": {"form": "k*g(a) + h(b, c)"}})


@case
def grammar_and_priors() -> Any:
    t, rng = rows(60, 2, 4)
    t["y"] = np.exp(-t.a) * t.b + rng.normal(0, 0.01, len(t))
    knowledge = {
        "grammar": {"operators": ["+", "-", "*", "/", "exp"], "max_complexity": 15, "nesting": {"exp": ["exp"]}}
    }
    return fit(t, "y", knowledge=knowledge)


@case
def sigma_and_weights() -> Any:
    t, rng = rows(60, 2, 5)
    t["s"] = 0.01 * t.a
    t["w"] = np.where(t.b > 1, 1.0, 2.0)
    t["y"] = t.a / (1.0 + t.b) + rng.normal(0, 1, len(t)) * t.s
    return fit(t, "y", sigma="s", weights="w")


@case
def student_t() -> Any:
    t, rng = rows(80, 2, 6)
    t["y"] = t.a * t.b + 0.05 * rng.standard_t(3, len(t))
    return fit(t, "y", likelihood="student-t", dof=3.0)


@case
def poisson() -> Any:
    t, rng = rows(80, 2, 7)
    t["y"] = rng.poisson(5.0 * t.a * t.b)
    return fit(t, "y", likelihood="poisson")


@case
def binomial() -> Any:
    t, rng = rows(80, 1, 8)
    t["n"] = 20
    t["y"] = rng.binomial(20, t.a / (1.0 + t.a))
    return fit(t, "y", likelihood="binomial", trials="n")


@case
def lognormal() -> Any:
    t, rng = rows(80, 2, 9)
    t["y"] = t.a**1.5 / t.b * np.exp(rng.normal(0, 0.05, len(t)))
    return fit(t, "y", likelihood="lognormal")


@case
def censored() -> Any:
    t, rng = rows(60, 1, 10)
    y = 2.0 * t.a + rng.normal(0, 0.1, len(t))
    t["c"] = np.where(y > 5.0, 1, 0)
    t["y"] = np.minimum(y, 5.0)
    return fit(t, "y", censored="c")


@case
def errors_in_x() -> Any:
    t, rng = rows(60, 1, 11)
    t["y"] = t.a**2 + rng.normal(0, 0.05, len(t))
    t["a"] += rng.normal(0, 0.02, len(t))
    return fit(t, "y", sigma=0.05, x_sigma={"a": 0.02})


@case
def own_likelihood() -> Any:
    t, rng = rows(60, 1, 12)
    t["y"] = np.sqrt(t.a) + rng.laplace(0, 0.02, len(t))
    return fit(t, "y", log_likelihood=lambda y, f: -np.sqrt(((y - f) / 0.02) ** 2 + 0.01))


@case
def waves() -> Any:
    t = pd.DataFrame({"t": np.linspace(0, 10, 90)})
    t["y"] = 1.5 * np.sin(3.7 * t.t + 0.4) + 0.2
    return fit(t, "y", guesses=["A*sin(w*t + p) + c"])


@case
def extreme_sizes() -> Any:
    t, rng = rows(50, 1, 13)
    t["a"] *= 1e-12
    t["y"] = 3e20 * np.exp(-t.a / 1e-12) * (1 + rng.normal(0, 0.01, len(t)))
    return fit(t, "y")


@case
def many_rows() -> Any:
    t, rng = rows(6000, 3, 14)
    t["y"] = t.a * t.b / t.c + rng.normal(0, 0.05, len(t))
    return fit(t, "y")


@case
def many_columns() -> Any:
    t, rng = rows(200, 30, 15)
    t["y"] = t.x3 * t.x7 + rng.normal(0, 0.02, len(t))
    return fit(t, "y")


@case
def two_workers() -> Any:
    t, rng = rows(100, 3, 16)
    t["y"] = t.a * np.exp(t.b) - t.c + rng.normal(0, 0.02, len(t))
    return fit(t, "y", workers=2)


@case
def validation() -> Any:
    t, rng = rows(80, 2, 17)
    t["y"] = t.a / t.b + rng.normal(0, 0.02, len(t))
    return fit(t, "y", model_selection="validation")


@case
def shards() -> Any:
    t, rng = rows(60, 2, 18)
    t["y"] = np.sqrt(t.a * t.b) + rng.normal(0, 0.02, len(t))
    with tempfile.TemporaryDirectory(prefix=RESERVED) as folder:
        for k in (1, 2):
            fit(t, "y", shard=(k, 2), out=Path(folder) / str(k))
        return hypo.merge([Path(folder) / "1", Path(folder) / "2"])


def without(value: Any, keys: set[str]) -> Any:
    """``value`` without some keys, wherever they stand."""
    if isinstance(value, dict):
        return {k: without(v, keys) for k, v in value.items() if k not in keys}
    if isinstance(value, list):
        return [without(v, keys) for v in value]
    return value


def without_seconds(text: str) -> list[str]:
    """Lines of ``text`` with durations blotted out."""
    return [re.sub(r"\d+(\.\d+)? (s|min)\b", "# s", line) for line in text.splitlines()]


def predictions(found: Any, data: Any) -> Any:
    """Predictions with 90 % intervals for the first rows of ``data``, or why there are none."""
    try:
        table = pd.read_csv(data, nrows=5) if isinstance(data, Path) else data.head(5)
        return [np.asarray(part).tolist() for part in found.predict(table, interval=0.9)]
    except hypo.HypoError as error:
        return str(error)


def answer(found: Any, data: Any) -> str:
    """The result as text: ``result.json``, the front, what is shown on the terminal, and predictions."""
    with tempfile.TemporaryDirectory(prefix=RESERVED) as folder:
        found.save(Path(folder) / "out")
        content = without(json.loads((Path(folder) / "out" / "result.json").read_text()), VOLATILE)
        front = (Path(folder) / "out" / "front.csv").read_text()
    whole = {
        "result": content,
        "front": front.splitlines(),
        "shown": without_seconds(str(found)),
        "predictions": predictions(found, data),
    }
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False)


def run(out: Path, only: set[str]) -> None:
    """Runs the cases, all or ``only`` some, and writes an answer for each to ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    with small_libraries():
        for name, function in CASES.items():
            if only and name not in only:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = function()
            (out / f"{name}.json").write_text(answer(found, GIVEN[0]) + "\n")
            print(f"{name:24} {found.best}", flush=True)


def differences(a: Any, b: Any, at: str = "") -> Iterator[str]:
    """Where two contents differ, by key."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys()):
            yield from differences(a.get(key), b.get(key), f"{at}.{key}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for k, (u, v) in enumerate(zip(a, b, strict=True)):
            yield from differences(u, v, f"{at}[{k}]")
    elif a != b:
        yield f"{at}: {str(a)[:70]} | {str(b)[:70]}"


def compare(before: Path, after: Path) -> int:
    """The number of files that differ; every difference is printed."""
    names = sorted({p.name for folder in (before, after) for p in folder.glob("*.json")})
    wrong = 0
    for name in names:
        texts = [(folder / name).read_text() if (folder / name).exists() else "null" for folder in (before, after)]
        contents = [without(json.loads(text), SET_HERE) for text in texts]
        if contents[0] != contents[1]:
            wrong += 1
            print(name)
            for line in list(differences(*contents))[:12]:
                print("   ", line)
    print(f"{len(names) - wrong} of {len(names)} are identical")
    return wrong


def main() -> None:
    """Answer, or compare two folders of answers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder for the answers")
    parser.add_argument("--only", default="", help="names of fits, with commas between")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("BEFORE", "AFTER"), help="two such folders")
    options = parser.parse_args()
    if options.compare:
        sys.exit(1 if compare(*options.compare) else 0)
    if options.out is None:
        parser.error("give --out FOLDER or --compare BEFORE AFTER")
    run(options.out, set(filter(None, options.only.split(","))))


if __name__ == "__main__":
    main()
