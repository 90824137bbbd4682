"""Why answers are not the law: does what was found score better than the law on the same samples, or worse?

    python benchmarks/dynamics/misses.py FILE.jsonl

FILE is one of ``run.py`` with hypo's answers. Both forms are fitted to the samples that were learned from, and scored alike.
What scores better than the law is what these samples ask for; what scores worse is a failure of the search. Which numbers of
an answer were fitted is not in the file: whole ones, and halves that an exponent may have, count as exact, others are fitted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "srbench"), str(HERE.parent)]

import cases  # noqa: E402
import engines  # noqa: E402

import hypo  # noqa: E402
from hypo.dynamics.calibration.fit_system import fit_system  # noqa: E402
from hypo.dynamics.discovery.score import Scorer  # noqa: E402
from hypo.dynamics.discovery.trials.alone import columns_along  # noqa: E402
from hypo.dynamics.kinds import Kind, make_kind  # noqa: E402
from hypo.dynamics.options import Options  # noqa: E402
from hypo.dynamics.smoothing.smoothed import smooth_all  # noqa: E402
from hypo.expression.expr import Expression  # noqa: E402

# Numbers that are no whole ones and count as exact nevertheless.
EXACT = (0.5, 1.5, -0.5)


def with_fitted_numbers(e: Expression) -> Expression:
    """The same with all numbers to be fitted that are neither whole nor among ``EXACT``."""
    numbers = [c if c.name else replace(c, free=not (c.value.is_integer() or c.value in EXACT)) for c in e.constants]
    return replace(e, constants=tuple(numbers))


def best_score(kind: Kind, scorer: Scorer, texts: Sequence[str], states: Sequence[str]) -> float | None:
    """The score of right-hand sides, fitted; None where they cannot be followed."""
    names = {own: Expression.variable(name) for own, name in zip(states, kind.data.states, strict=True)}
    laws = [with_fitted_numbers(hypo.parse(text, variables=states)).substitute(names) for text in texts]
    fits = [fit_system(kind.system(laws), kind.data, kind.smoothed, effort=effort) for effort in ("quick", "full")]
    return min((scorer.score(fitted) for fitted in fits if fitted is not None), default=None)


def compare(row: dict[str, Any]) -> tuple[float | None, float | None]:
    """Scores of what was found and of the law."""
    case = next(c for c in cases.load(row["suite"]) if c.name == row["name"])
    recordings = cases.record(case, row["noise"], row["rho"], row["seed"], row["trajectories"])
    data = engines.trajectories(recordings, [f"s{k}" for k in range(case.measured)])
    kind = make_kind(data, smooth_all(data), Options())
    rows = float(np.mean([kind.effective_rows(k) for k in range(len(data.states))]))
    scorer = Scorer(columns_along(kind.columns), kind.sought, rows)
    found, law = (best_score(kind, scorer, texts, case.states) for texts in (row["found"], case.rates))
    return found, law


def main(argv: list[str] | None = None) -> None:
    """Compare all answers that are not exact, print a line each, and how many there are of each kind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    rows = [json.loads(line) for line in parser.parse_args(argv).file.read_text(encoding="utf-8").splitlines()]
    count = {"found": 0, "law": 0, "neither": 0}
    for row in rows:
        if row["exact"] or row["found"] is None or row["suite"] == "partial":
            continue
        found, law = compare(row)
        better = "neither" if found is None or law is None or found == law else "law" if law < found else "found"
        count[better] += 1
        print(f"{row['name']:8s} found {found}, law {law}: better is {better}", flush=True)
    print(", ".join(f"{name} better: {n}" for name, n in count.items()))


if __name__ == "__main__":
    main()
