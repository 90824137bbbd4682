"""The worth of knowledge: recovery from few noisy rows, shape outside the data, and the speed that units bring.

    python benchmarks/knowledge/run.py recovery    100 rows, noise 0.1: nothing, units, units and three true rules, a false one
    python benchmarks/knowledge/run.py shape       the rules at 10^5 points beyond the data, for hypo and pyoperon without rules
    python benchmarks/knowledge/run.py speed       hypotheses scored and time to the answer with and without units

Rules come from rules.toml (see true_rules.py) and are hard. ``--shard 2/5`` takes every fifth problem from the second on.
Results are appended to results/PART.jsonl, and what is finished is not done again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

BENCHMARKS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(BENCHMARKS / "srbench"), str(BENCHMARKS)]

import judge  # noqa: E402
import peers  # noqa: E402
import suites  # noqa: E402

import hypo  # noqa: E402
from hypo.data import as_dataset  # noqa: E402
from hypo.errors import KnowledgeError  # noqa: E402
from hypo.expression.program import evaluate  # noqa: E402
from hypo.knowledge import Knowledge, lint  # noqa: E402
from hypo.knowledge.claims.domain import Domain  # noqa: E402
from hypo.knowledge.claims.law import Law  # noqa: E402

HERE = BENCHMARKS / "knowledge"
# Rows of a problem.
ROWS = 100
# Noise of the target, as a share of its RMS.
NOISE = 0.1
# Fresh points that answers are judged on.
FRESH = 100_000
SEED = 0
# Whether recovery is tried under a false rule as well; --without-false says no.
FALSE_TOO = True
# The middle part of each range that the shape part learns from.
INNER = 0.5
# A breach by a smaller share of the size of both sides is rounding.
ROUNDING = 1e-6


def table(p: suites.Problem, rows: int, noise: float, inner: float = 1.0) -> pd.DataFrame:
    """Training rows, from the middle part ``inner`` of each range."""
    rng = np.random.default_rng(SEED)
    low, high = p.ranges.T
    margin = (1.0 - inner) / 2 * (high - low)
    X = rng.uniform(low + margin, high - margin, (rows, len(low)))
    y = p.value(X)
    y = y + noise * np.sqrt(np.mean(y**2)) * rng.standard_normal(rows)
    return pd.DataFrame(X, columns=list(p.names)).assign(**{p.target: y})


def fit(p: suites.Problem, data: pd.DataFrame, known: Mapping[str, Any], limit: float) -> hypo.Result:
    """One fit under ``known``, the content of a knowledge file."""
    return hypo.fit(data, p.target, knowledge=Knowledge.from_dict(known), time_limit=limit, workers=1)


def recovery(p: suites.Problem, entry: Mapping[str, Any], limit: float) -> Iterator[dict[str, Any]]:
    """Recovery of the law under more and more knowledge, and if the false rule is pointed at."""
    data = table(p, ROWS, NOISE)
    units = {"units": dict(p.units or {})}
    rules, false = {**units, "ranges": entry["ranges"], "rule": entry["rules"]}, entry["false"]
    cases = {
        "nothing": {},
        "units": units,
        "units and rules": rules,
        "a false rule among them": {**rules, "rule": [*(r for r in entry["rules"] if not opposite(r, false)), false]},
    }
    for case, known in cases.items():
        if case == "a false rule among them" and not FALSE_TOO:
            continue
        begin = time.monotonic()
        try:
            result = fit(p, data, known, limit)
        except KnowledgeError as error:
            # The false rule contradicts a true one: the file is refused, and says which two.
            yield {
                "name": p.name,
                "case": case,
                "seconds": 0.0,
                "found": None,
                "recovered": False,
                "reported": False,
                "linted": "contradict" in str(error),
                "true_linted": False,
                "others_reported": 0,
            }
            continue
        found = result.expression
        row = {
            "name": p.name,
            "case": case,
            "seconds": round(time.monotonic() - begin, 2),
            "found": found and str(found),
            "recovered": found is not None and judge.recovered(found, p, np.random.default_rng(SEED + 1)),
        }
        if false in known.get("rule", ()):
            last = result.rules[-1]
            row["reported"] = last.without is not None or last.level == "refuted"
            row["linted"], row["true_linted"] = linted(p, data, known)
            row["others_reported"] = sum(r.without is not None for r in result.rules[:-1])
        yield row


def opposite(rule: Mapping[str, Any], false: Mapping[str, Any]) -> bool:
    """True if a rule says the opposite of the false one: both together are refused when the file is read."""
    return rule["kind"] == false["kind"] and rule["variable"] == false["variable"]


def linted(p: suites.Problem, data: pd.DataFrame, known: Mapping[str, Any]) -> tuple[bool, bool]:
    """(does the linter find rows that break the last rule, does it find rows that break another)."""
    dataset, _ = as_dataset(data, p.target)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "k.toml"
        path.write_text(as_toml(known), encoding="utf-8")
        found = [str(f) for f in lint(path, dataset) if "break this rule" in str(f)]
    last = f"[[rule]] {len(known['rule'])}:"
    return any(last in text for text in found), any(last not in text for text in found)


def as_toml(known: Mapping[str, Any]) -> str:
    """The knowledge as a file."""

    def value(v: Any) -> str:
        if isinstance(v, Mapping):
            return "{ " + ", ".join(f"{k} = {value(x)}" for k, x in v.items()) + " }"
        return json.dumps(v)

    lines = [
        f"[{name}]\n" + "\n".join(f"{k} = {value(v)}" for k, v in known[name].items()) for name in ("units", "ranges")
    ]
    lines += ["[[rule]]\n" + "\n".join(f"{k} = {value(v)}" for k, v in rule.items()) for rule in known["rule"]]
    return "\n".join(lines) + "\n"


def shape(p: suites.Problem, entry: Mapping[str, Any], limit: float) -> Iterator[dict[str, Any]]:
    """Breaches of the rules at ``FRESH`` points of their domain, which reaches beyond the data."""
    data = table(p, ROWS, NOISE, INNER)
    known = {"ranges": entry["ranges"], "rule": entry["rules"]}
    rules = Knowledge.from_dict(known).rules
    X, y = np.array(data[list(p.names)], order="C"), np.array(data[p.target])
    result = fit(p, data, known, limit)
    engines: dict[str, Callable[[], Any]] = {
        "hypo": lambda: result.expression,
        "hypo without rules": lambda: fit(p, data, {}, limit).expression,
        "operon": lambda: peers.ENGINES["operon"](X, y, p.names, limit, SEED),
    }
    for engine, answer in engines.items():
        found = answer()
        if found is None:
            yield {"name": p.name, "engine": engine, "found": None}
            continue
        law = Law(found, p.target, p.names, {n: tuple(r) for n, r in entry["ranges"].items()})
        broken = [breaches(claims) for claims in (rule.claims(law) for rule in rules)]
        levels = [r.level for r in result.rules] if engine == "hypo" else None
        test = p.fresh(2000, np.random.default_rng(1))
        truth = p.value(test)
        miss = evaluate(found, test, p.names) - truth
        error = float(np.sqrt(np.mean(miss**2)) / np.std(truth))
        yield {
            "name": p.name,
            "engine": engine,
            "found": str(found),
            "broken": broken,
            "levels": levels,
            "error": error if np.isfinite(error) else np.inf,
        }


def breaches(claims: Any) -> float:
    """The largest share of the points at which one of the claims fails."""
    shares = []
    for claim, domain in claims:
        at = Domain(dict(domain.of(claim.names).ranges)).sample(FRESH, seed=SEED + 2)
        margins = claim.margin(at)
        shares.append(float(np.mean(~(margins >= -ROUNDING))) if len(margins) else 0.0)
    return max(shares)


def speed(p: suites.Problem, entry: Mapping[str, Any], limit: float) -> Iterator[dict[str, Any]]:
    """Hypotheses scored and seconds to the answer, without noise."""
    data = table(p, 1000, 0.0)
    for case, known in (("without units", {}), ("with units", {"units": dict(p.units or {})})):
        begin = time.monotonic()
        result = fit(p, data, known, limit)
        found = result.expression
        yield {
            "name": p.name,
            "case": case,
            "seconds": round(time.monotonic() - begin, 2),
            "scored": result.coverage.scored,
            "recovered": found is not None and judge.recovered(found, p, np.random.default_rng(SEED + 1)),
        }


PARTS = {"recovery": recovery, "shape": shape, "speed": speed}


def summary(part: str, rows: list[dict[str, Any]]) -> Iterator[str]:
    """The table of a part."""
    if part == "shape":
        for engine in dict.fromkeys(r["engine"] for r in rows):
            own = [r for r in rows if r["engine"] == engine and r["found"]]
            shares = [s for r in own for s in r["broken"]]
            error = statistics.median(r["error"] for r in own)
            yield (
                f"{engine:20s} {len(own):4d} answers: {100 * np.mean([s > 0 for s in shares]):5.1f} % of the rules broken "
                f"somewhere, at {100 * np.mean(shares):.2f} % of the points; median error {error:.3f} σ"
            )
            if engine == "hypo":
                proved = [
                    s for r in own for s, level in zip(r["broken"], r["levels"], strict=True) if level == "proved"
                ]
                yield f"{'':20s} of {len(proved)} rules proved, {sum(s > 0 for s in proved)} are broken anywhere"
        return
    for case in dict.fromkeys(r["case"] for r in rows):
        own = [r for r in rows if r["case"] == case]
        hits, seconds = [r["recovered"] for r in own], [r["seconds"] for r in own]
        line = (
            f"{case:20s} {len(own):4d} problems: recovered {sum(hits):3d} ({100 * np.mean(hits):.0f} %), "
            f"median {statistics.median(seconds):.1f} s"
        )
        if part == "speed":
            line += f", {statistics.median(r['scored'] for r in own):,.0f} hypotheses (median)"
        if "reported" in own[0]:
            line += (
                f"; the false rule is pointed at in {sum(r['reported'] or r['linted'] for r in own)} "
                f"(report {sum(r['reported'] for r in own)}, linter {sum(r['linted'] for r in own)}), "
                f"a true one in {sum(r['true_linted'] or r['others_reported'] > 0 for r in own)}"
            )
        yield line


def main() -> None:
    """Run a part on what is not finished yet, and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--time-limit", type=float, default=10.0, help="seconds per fit")
    parser.add_argument("--shard", default="1/1")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--without-false", action="store_true", help="leave out the searches under a false rule")
    args = parser.parse_args()
    global FALSE_TOO
    FALSE_TOO = not args.without_false
    out = args.out or HERE / "results" / f"{args.part}.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []
    done = {r["name"] for r in rows}
    entries = {e["name"]: e for e in tomllib.loads((HERE / "rules.toml").read_text(encoding="utf-8"))["problem"]}
    problems = [p for p in suites.load("srbench") if p.name in entries]
    k, n = map(int, args.shard.split("/"))
    X = np.random.default_rng(0).uniform(1, 2, (50, 2))
    hypo.fit(X, X[:, 0] * X[:, 1], time_limit=5)
    for p in problems[k - 1 :: n]:
        if p.name in done:
            continue
        found = list(PARTS[args.part](p, entries[p.name], args.time_limit))
        with out.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in found)
        rows += found
        print(p.name, [r.get("recovered", r.get("broken")) for r in found], flush=True)
    print("\n" + "\n".join(summary(args.part, rows)))


if __name__ == "__main__":
    main()
