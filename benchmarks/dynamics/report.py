"""Results of ``run.py`` as tables in Markdown: a line for each setting, and the outcome of each system.

python benchmarks/dynamics/report.py DIR
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
SETTING = ("suite", "engine", "noise", "rho", "trajectories", "time_limit")


def read(paths: Sequence[Path]) -> list[Row]:
    """The complete lines of files of results; missing files have none."""
    lines = [line for path in paths if path.exists() for line in path.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line) for line in lines if line.endswith("}")]


def outcome(row: Row) -> str:
    """One line: letters for reconstruction (R), generalisation (G), exact form (X), and what was found."""
    found = row["status"] if row["found"] is None else "   ".join(_shortened(text) for text in row["found"])
    return f"{letters(row)} {row['name']:16s} seed {row['seed']} {row['seconds']:7.1f} s  {found}"


def letters(row: Row) -> str:
    """``RGX``, with ``-`` for what was missed and ``·`` for what was not asked."""
    asked = (("reconstruction", "R"), ("generalisation", "G"), ("exact", "X"))
    return "".join("·" if row[key] is None else letter if row[key] else "-" for key, letter in asked)


def _shortened(text: str, digits: int = 4) -> str:
    import hypo

    try:
        return hypo.parse(text).pretty(digits)[:120]
    except hypo.HypoError:
        return text[:120]


def by_setting(rows: Sequence[Row]) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by suite, engine, noise, share of samples left out, trajectories and time limit."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        # A suite's own number of trajectories may differ between its systems.
        groups[tuple(row[key] for key in SETTING)].append(row)
    return dict(sorted(groups.items(), key=lambda each: tuple(map(str, each[0]))))


def table(rows: Sequence[Row]) -> str:
    """A line for each setting: counts by seed as mean (least–most), of how many systems and equations; seconds and memory."""
    heads = (*SETTING, "reconstruction", "generalisation", "exact", "equations", "median s", "most MB")
    out = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for key, group in by_setting(rows).items():
        suite, engine, noise, rho, trajectories, limit = key
        n = len({r["name"] for r in group})
        each = [
            _count(group, "reconstruction", n),
            _count(group, "generalisation", n),
            _count(group, "exact", n),
            _count([r | {"equations": sum(r["right"])} for r in group], "equations", _equations(group)),
        ]
        seconds = statistics.median(r["seconds"] for r in group)
        memory = max(r["peak_mb"] for r in group)
        cells = [suite, engine, f"{noise:g}", f"{rho:g}", trajectories, f"{limit:g}", *each, f"{seconds:.1f}", memory]
        out.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(out)


def _equations(group: Sequence[Row]) -> int:
    return sum({r["name"]: len(r["right"]) for r in group}.values())


def _count(group: Sequence[Row], key: str, n: int) -> str:
    counts: dict[int, int] = defaultdict(int)
    for r in group:
        if r[key] is None:
            return "–"
        counts[r["seed"]] += int(r[key])
    values = list(counts.values())
    mean = f"{statistics.mean(values):.1f} ({min(values)}–{max(values)})" if len(values) > 1 else str(values[0])
    return f"{mean} of {n}"


def outcomes(rows: Sequence[Row]) -> str:
    """For each system its letters by setting and seed."""
    groups = by_setting(rows)
    out = []
    for suite in dict.fromkeys(key[0] for key in groups):
        keys = [key for key in groups if key[0] == suite]
        heads = [f"{e} σ={s:g} ρ={r:g} {k}×{limit:g} s" for _, e, s, r, k, limit in keys]
        out += [f"\n### {suite}\n", "| system | " + " | ".join(heads) + " |", "|" + "---|" * (len(keys) + 1)]
        for name in dict.fromkeys(row["name"] for key in keys for row in groups[key]):
            marks = [
                " ".join(letters(r) for r in sorted(groups[key], key=lambda r: r["seed"]) if r["name"] == name)
                for key in keys
            ]
            out.append(f"| {name} | " + " | ".join(marks) + " |")
    return "\n".join(out)


def summary(rows: Sequence[Row]) -> str:
    """Both tables."""
    note = "R reconstruction, G generalisation, X exact form; one group of letters for each draw of noise."
    return f"{table(rows)}\n\n{note}\n{outcomes(rows)}\n"


def main() -> None:
    """Print the tables of a folder of results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    print(summary(read(sorted(parser.parse_args().folder.glob("*.jsonl")))))


if __name__ == "__main__":
    main()
