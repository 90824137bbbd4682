"""Tables and a plot of results files: python benchmarks/srbench/report.py [--suite srbench|second|odes] [FILE ...]

Without files all results of the suite are read. A setting is an engine with or without units at one noise level, time
limit and number of rows; several seeds of a problem count as so many problems.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

BENCHMARKS = Path(__file__).resolve().parent.parent
ACCURATE = 0.999
NOISE_LEVELS = (0.0, 0.001, 0.01, 0.1)

# Solution rates in % at those noise levels, as their authors or SRBench published them; None: not given.
PUBLISHED: dict[str, tuple[float | None, ...]] = {
    "PSE (2025)": (74.9, 54.8, 41.2, 31.1),
    "PySR, 8 h": (65.9, None, 54.7, None),
    "PySR, 1 h": (41.5, 40.6, 38.0, 35.6),
    "AI Feynman": (52.7, 31.9, 12.6, 0.9),
    "Operon": (16.0, 12.3, 1.9, 0.1),
    "PhySO (units, Feynman only)": (58.4, 58.4, 57.9, 53.4),
}


class Setting(NamedTuple):
    """The settings that results are grouped by."""

    engine: str
    units: bool
    noise: float
    time_limit: float
    rows: int

    @property
    def label(self) -> str:
        """The engine, whether it was given units, its seconds per problem, and the rows."""
        return f"{self.engine}{' with units' if self.units else ''}, {self.time_limit:g} s, {self.rows} rows"


class Summary(NamedTuple):
    """Of one setting: shares of all problems, of the never solved ones the number solved, and medians.

    ``size`` is the number of nodes; ``accurate`` the share with R² above ``ACCURATE`` on the held-out rows.
    """

    problems: int
    solved: float
    recovered: float
    never_solved: int
    never_solved_of: int
    seconds: float
    size: float
    accurate: float


def read(files: Iterable[Path]) -> list[dict[str, Any]]:
    """The complete lines of results files."""
    return [
        json.loads(line)
        for file in files
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.endswith("}")
    ]


def grouped(rows: Iterable[dict[str, Any]]) -> dict[Setting, list[dict[str, Any]]]:
    """Rows by setting, in order of engine, units and noise."""
    groups: dict[Setting, list[dict[str, Any]]] = {}
    for row in rows:
        setting = Setting(row["engine"], row["units"], float(row["noise"]), float(row["time_limit"]), row["rows"])
        groups.setdefault(setting, []).append(row)
    return dict(sorted(groups.items(), key=lambda item: (*item[0][:2], *item[0][3:], item[0].noise)))


def summaries(rows: Iterable[dict[str, Any]]) -> dict[Setting, Summary]:
    """One summary per setting."""
    return {setting: _summary(group) for setting, group in grouped(rows).items()}


def _summary(rows: Sequence[dict[str, Any]]) -> Summary:
    def share(hits: Iterable[bool]) -> float:
        return sum(hits) / len(rows)

    hard = [r for r in rows if r["never_solved"]]
    return Summary(
        problems=len(rows),
        solved=share(r["solved"] is True for r in rows),
        recovered=share(r["recovered"] for r in rows),
        never_solved=sum(r["solved"] is True for r in hard),
        never_solved_of=len(hard),
        seconds=statistics.median(r["seconds"] for r in rows),
        size=statistics.median([r["size"] for r in rows if r["size"] is not None] or [0]),
        accurate=share((r["r2"] or 0.0) > ACCURATE for r in rows),
    )


def table(found: Mapping[Setting, Summary]) -> Table:
    """One line per setting."""
    out = Table()
    for name in (
        "engine",
        "noise",
        "problems",
        "solved %",
        "recovered %",
        "of never solved",
        "median s",
        "median nodes",
        f"R² > {ACCURATE} %",
    ):
        out.add_column(name, justify="left" if name == "engine" else "right")
    for setting, s in found.items():
        out.add_row(
            setting.label,
            f"{setting.noise:g}",
            str(s.problems),
            f"{100 * s.solved:.1f}",
            f"{100 * s.recovered:.1f}",
            f"{s.never_solved} of {s.never_solved_of}",
            f"{s.seconds:.1f}",
            f"{s.size:g}",
            f"{100 * s.accurate:.1f}",
        )
    return out


def misses(rows: Iterable[dict[str, Any]]) -> str:
    """Every problem that is not solved or not recovered, why, with the law and what was found."""
    lines = []
    for setting, group in grouped(rows).items():
        for r in group:
            if r["solved"] is True and r["recovered"]:
                continue
            missing = [w for w, hit in (("solved", r["solved"] is True), ("recovered", r["recovered"])) if not hit]
            timed = " (sympy ran out of time)" if r["solved"] is None else ""
            lines.append(
                f"{setting.label}, noise {setting.noise:g}: {r['name']} not {' nor '.join(missing)}{timed}{_why(r)}"
            )
            lines.append(f"    law    {r['law']}")
            lines.append(f"    found  {r['found'] or r.get('status', 'nothing')}")
    return "\n".join(lines)


def _why(r: Mapping[str, Any]) -> str:
    """In words: a form that is not the law was chosen before it, or the law was never met; the score of both says."""
    if r["recovered"] or r.get("law_score") is None or r["score"] is None:
        return ""
    gap = r["score"] - r["law_score"]
    return (
        f"; not met: the law scores {gap:.0f} nats better" if gap > 0 else f"; the answer scores {-gap:.1f} nats better"
    )


def plot(found: Mapping[Setting, Summary], path: Path) -> None:
    """Solution rate against noise: measured settings as solid lines, published numbers as dashed ones. PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6.5), layout="constrained")
    axes = figure.add_subplot()
    places = {noise: i for i, noise in enumerate(sorted({*NOISE_LEVELS, *(s.noise for s in found)}))}
    for label in dict.fromkeys(s.label for s in found):
        points = [(places[s.noise], 100 * v.solved) for s, v in found.items() if s.label == label]
        axes.plot(*zip(*points, strict=True), marker="o", linewidth=2, label=f"{label}, measured")
    for name, rates in PUBLISHED.items():
        points = [(places[n], r) for n, r in zip(NOISE_LEVELS, rates, strict=True) if r is not None]
        axes.plot(
            *zip(*points, strict=True), marker=".", linestyle="--", linewidth=1, alpha=0.7, label=f"{name}, published"
        )
    axes.set_xticks(list(places.values()), [f"{n:g}" for n in places])
    axes.set_xlabel("noise, as a share of the target's RMS")
    axes.set_ylabel("solution rate in %")
    axes.set_ylim(0, 100)
    figure.legend(fontsize="small", ncols=2, loc="outside lower center")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Print the table and the misses, write the plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--suite", choices=("srbench", "second", "odes"), default="srbench")
    parser.add_argument("--plot", type=Path, help="PNG file; default results/solution_rate.png of the suite")
    parser.add_argument("--no-misses", action="store_true")
    args = parser.parse_args()
    results = BENCHMARKS / args.suite / "results"
    rows = read(args.files or sorted(results.glob("*.jsonl")))
    if not rows:
        raise SystemExit(f"no results in {results}: run benchmarks/srbench/run.py first")
    found = summaries(rows)
    # Wide enough for whole words also where the output is no terminal.
    Console(width=max(Console().width, 132)).print(table(found))
    if not args.no_misses:
        print(misses(rows))
    if args.suite == "srbench":
        path = args.plot or results / "solution_rate.png"
        plot(found, path)
        print(f"\nplot: {path}")


if __name__ == "__main__":
    main()
