"""Draws the pictures of the documentation into docs/pictures: `python docs/tools/pictures.py` (about a minute).

They are committed, so that the pages need no fits to be built. Text stays text in the files, which keeps them small.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import hypo

PICTURES = Path(__file__).resolve().parents[1] / "pictures"
KEPLER = Path(__file__).resolve().parents[2] / "datasets" / "kepler" / "data.csv"
BLUE, ORANGE, GREY, GREEN = "#1f6fb4", "#e8710a", "#8a8a8a", "#2e8b57"
# Colours that can be read on white and on black pages; the page itself is the background.
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hypo",
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "savefig.facecolor": "white",
}


def save(figure: Figure, name: str) -> None:
    figure.savefig(PICTURES / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


def draw_kepler(result: hypo.Result) -> None:
    """The law through the planets, and the front: how far formulas of each length are from the rows."""
    table = hypo.read_csv(KEPLER, target="T")
    a, period = table.X[:, 0], table.y
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    grid = np.geomspace(0.3, 40, 60)
    left.loglog(grid, result.predict(grid[:, None]), color=ORANGE, label="T = 0.9994·√a³, found by hypo")
    left.loglog(a, period, "o", color=BLUE, label="eight planets")
    left.set(xlabel="semi-major axis a [AU]", ylabel="period T [yr]")
    left.legend(frameon=False)
    draw_front(right, result)
    save(figure, "kepler")


def draw_front(axes: Axes, result: hypo.Result) -> None:
    size = [h.complexity for h in result.front]
    axes.plot(size, [h.misfit for h in result.front], "s--", color=GREY, label="misfit: distance from the rows")
    axes.plot(size, [h.score for h in result.front], "o-", color=BLUE, label="score: misfit + length")
    best = result.best
    assert best is not None
    axes.plot(best.complexity, best.score, "*", color=ORANGE, markersize=16, label="the answer: the least score")
    axes.set(xlabel="complexity [nodes]", ylabel="nats", xticks=size)
    axes.legend(frameon=False)


def draw_score(result: hypo.Result) -> None:
    """The two terms of the score of each formula on the front, stacked from the least misfit of all."""
    figure, axes = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
    front = result.front
    floor = min(h.misfit for h in front)
    names = [h.expression.pretty() for h in front]
    misfit = np.array([h.misfit - floor for h in front])
    cost = np.array([h.score - h.misfit for h in front])
    rows = np.arange(len(front))[::-1]
    axes.barh(rows, misfit, color=BLUE, label="misfit, above the least of all")
    axes.barh(rows, cost, left=misfit, color=ORANGE, label="complexity cost")
    for row, h, total in zip(rows, front, misfit + cost, strict=True):
        mark = "  ← least score: the answer" if h is result.best else ""
        axes.text(total + 1, row, f"{h.score:.1f}{mark}", va="center")
    axes.set(yticks=rows, yticklabels=names, xlabel="nats", xlim=(0, 1.25 * float((misfit + cost).max())))
    axes.legend(frameon=False, loc="lower right")
    save(figure, "score")


PROPOSERS = (
    "library and scans",
    "beam of peels",
    "reductions",
    "atoms",
    "stepwise regression",
    "evolution",
    "your guesses",
)
# Where each step stands in the picture, from left to right.
STEPS = {42: "simplify,\ncheck units", 59: "fit the\nconstants", 75.5: "round to exact\nnumbers, score", 92: "front"}


def draw_search() -> None:
    """How what proposers bring becomes a front."""
    figure, axes = plt.subplots(figsize=(8.5, 3.9), layout="constrained")
    axes.set(xlim=(0, 100), ylim=(0, 46))
    axes.axis("off")
    for number, name in enumerate(PROPOSERS):
        y = 43 - 6 * number
        draw_box(axes, 14, y, name, BLUE)
        draw_arrow(axes, (25, y), (34, 25))
    for x, name in STEPS.items():
        draw_box(axes, x, 25, name, GREEN if name == "front" else GREY)
    for start, end in ((49.5, 53), (65, 66.5), (84.5, 88.5)):
        draw_arrow(axes, (start, 25), (end, 25))
    axes.plot([92, 92, 2, 2], [22, 0.5, 0.5, 25], color=GREEN)
    axes.annotate("", (4.5, 25), (2, 25), arrowprops={"arrowstyle": "->", "color": GREEN})
    axes.text(57, 1.5, "the best formulas are material for the next turn", ha="center", color=GREEN, fontsize=9)
    save(figure, "search")


def draw_box(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    axes.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=9,
        bbox={"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": colour, "linewidth": 1.5},
    )


def draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": GREY})


def draw_certificate() -> None:
    """How many distinct formulas there are up to each size, counted by searches that are limited to it."""
    figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
    rng = np.random.default_rng(0)
    for columns, largest, colour in ((1, 6, BLUE), (2, 5, ORANGE), (3, 5, GREEN)):
        X, target = rng.uniform(1.0, 3.0, (100, columns)), rng.normal(size=100)
        counts = {}
        for size in range(1, largest + 1):
            seen = hypo.fit(X, target, max_complexity=size, time_limit=8, posterior=False).coverage
            if seen.complete_to == size:
                counts[size] = seen.distinct
        axes.semilogy(
            list(counts),
            list(counts.values()),
            "o-",
            color=colour,
            label=f"{columns} column{'s' if columns > 1 else ''}: {max(counts.values())} of {max(counts)} nodes",
        )
    axes.set(xlabel="largest size [nodes]", ylabel="distinct formulas", xticks=range(1, 7))
    axes.legend(frameon=False)
    save(figure, "certificate")


def draw_posterior() -> None:
    """Few noisy rows: structures share the weight, and the intervals of predictions widen where they part."""
    rng = np.random.default_rng(4)
    x = np.sort(rng.uniform(0.2, 5.0, 24))
    y = 2.0 * x / (1.0 + x) + rng.normal(0.0, 0.12, 24)
    result = hypo.fit(x[:, None], y, features=["x"], operators="+,-,*,/,exp,sqrt", max_complexity=9, time_limit=90)
    assert result.posterior is not None
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", width_ratios=(3, 2))
    grid = np.linspace(0.2, 12.0, 120)
    band = result.predict(grid[:, None], interval=0.9)
    left.fill_between(grid, band.lower, band.upper, color=BLUE, alpha=0.25, linewidth=0, label="90 % interval")
    left.plot(grid, band.mean, color=BLUE, label="mean of all laws")
    left.plot(x, y, "o", color=ORANGE, markersize=4, label="rows")
    left.set(xlabel="x", ylabel="y")
    left.legend(frameon=False, loc="lower right")
    shown = result.posterior.structures[:6]
    names = [s.expression.pretty(2) for s in shown]
    right.barh(range(len(shown)), [100 * s.weight for s in shown][::-1], color=BLUE)
    right.set(yticks=range(len(shown)), yticklabels=names[::-1], xlabel="posterior weight [%]")
    save(figure, "posterior")


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with plt.rc_context(STYLE):
        result = hypo.fit(KEPLER, "T", time_limit=20)
        draw_kepler(result)
        draw_score(result)
        draw_search()
        draw_posterior()
        draw_certificate()


if __name__ == "__main__":
    main()
