"""``model.graph()``: which variables drive which, and how likely."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.states import box_of
from hypo.dynamics.system import System
from hypo.expression.analysis.derivative import derivative
from hypo.expression.program import Program

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = NDArray[np.float64]

# States at which the sign of an influence is looked at.
STATES = 200
# An influence has a sign where so much of it has.
MOSTLY = 0.95
# Edges less likely than this are neither drawn nor printed.
DRAWN = 0.01
# States that a drawing of the usual size has room for.
CROWDED = 12
# Points of letters, how many of them fit into a circle, how many fit in if they are smaller, and how many into the drawing.
LETTERS = 10.0
SHORT = 7
LONG = 10
LONGEST = 20
# What the colours of edges stand for, by sign.
SIGNS = {"+": "raises", "-": "lowers", "±": "either"}


@dataclass(frozen=True)
class Edge:
    """One variable in the law of another.

    Attributes:
        source: the variable that drives: a state, an input, or time; a delayed state counts as the state.
        target: the state that is driven.
        probability: weight of the systems in which it is.
        sign: ``"+"`` where the law rises with the source nearly everywhere in the box of the data, ``"-"`` where it falls, else
            ``"±"``.
        strength: typical change of the law over the range of the source, as a share of the law's own size.
    """

    source: str
    target: str
    probability: float
    sign: str
    strength: float


@dataclass(frozen=True)
class Graph:
    """The variables of a model and the edges between them, likeliest first."""

    states: tuple[str, ...]
    inputs: tuple[str, ...]
    edges: tuple[Edge, ...]

    def probability(self, source: str, target: str) -> float:
        """The probability that ``source`` drives ``target``, 0 where no system has it."""
        return next((e.probability for e in self.edges if (e.source, e.target) == (source, target)), 0.0)

    def as_dict(self) -> dict[str, Any]:
        """States, inputs and edges as tables."""
        return {"states": list(self.states), "inputs": list(self.inputs), "edges": [vars(e).copy() for e in self.edges]}

    def to_frame(self) -> pd.DataFrame:
        """A table with a row for each edge."""
        import pandas as pd

        return pd.DataFrame(
            [vars(e) for e in self.edges], columns=["source", "target", "probability", "sign", "strength"]
        )

    @property
    def spread(self) -> float:
        """The size of a drawing as a share of that of a usual one: few states need less room, many need more."""
        n = len(self.states)
        return 0.5 if n == 1 and not self.inputs else max(1.0, n / CROWDED)

    def __str__(self) -> str:
        likely = [e for e in self.edges if e.probability >= DRAWN]
        return "\n".join(f"{e.source} -> {e.target} ({e.sign}): {e.probability:.2f}" for e in likely)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """A drawing: states on a circle, inputs outside; likely edges dark, rising ones blue, falling ones red."""
        from hypo.report.display.figure import Picture

        figure = Picture(figsize=(6.0 * self.spread,) * 2, layout="constrained")
        draw_graph(self, figure.subplots())
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure


def make_graph(model: ModelFields, seed: int = 0) -> Graph:
    """The graph of all systems of a model; signs and strengths are those of the likeliest system that has the edge."""
    box = box_of(model)
    X = box.sample(STATES, np.random.default_rng(seed))
    width = dict(zip(model.system.columns, box.high - box.low, strict=True))
    found: dict[tuple[str, str], tuple[float, float, str]] = {}
    total = sum(w.weight for w in model.systems)
    for w in model.systems:
        for edge in _edges_of(w.fitted.system, X, width):
            key = edge.source, edge.target
            probability, strength, sign = found.get(key, (0.0, edge.strength, edge.sign))
            found[key] = probability + w.weight / total, strength, sign
    edges = [Edge(*key, min(p, 1.0), sign, strength) for key, (p, strength, sign) in found.items()]
    inputs = (*model.actions, *([model.system.time] if model.system.time else ()))
    return Graph(model.states, inputs, tuple(sorted(edges, key=lambda e: (-e.probability, e.target, e.source))))


def _edges_of(system: System, X: Values, width: dict[str, float]) -> list[Edge]:
    late = {d.column: d.state for d in system.delays}
    out: dict[tuple[str, str], Edge] = {}
    for state, law in zip(system.states, system.equations, strict=True):
        size = float(np.nanstd(Program.of(law, system.columns).value(X))) or 1.0
        for name in law.variables:
            slope = Program.of(derivative(law, name), system.columns).value(X)
            slope = slope[np.isfinite(slope)]
            total = float(np.abs(slope).sum())
            rising = float(np.maximum(slope, 0.0).sum()) / total if total > 0 else 0.5
            sign = "+" if rising > MOSTLY else "-" if rising < 1 - MOSTLY else "±"
            strength = float(np.sqrt(np.mean(slope**2))) * width.get(name, 1.0) / size if len(slope) else float("nan")
            edge = Edge(late.get(name, name), state, 1.0, sign, strength)
            out.setdefault((edge.source, state), edge)
    return list(out.values())


def draw_graph(graph: Graph, ax: Axes) -> None:
    """Draw a graph as :meth:`Graph.plot` does, into axes that have nothing else."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Circle, FancyArrowPatch

    n, m = len(graph.states), len(graph.inputs)
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    at = dict(zip(graph.states, np.column_stack([np.cos(angle), np.sin(angle)]) * (n > 1), strict=True))
    at |= {name: np.array([-2.0, 1.0 - 2.0 * (k + 0.5) / m]) for k, name in enumerate(graph.inputs)}
    radius = min(0.22, 0.6 * np.pi / max(n, 3))
    color = {"+": "C0", "-": "C3", "±": "0.3"}
    for e in graph.edges:
        if e.probability < DRAWN:
            continue
        alpha = 0.2 + 0.8 * e.probability
        if e.source == e.target:
            out = at[e.source] / max(float(np.hypot(*at[e.source])), 1e-9) if n > 1 else np.array([0.0, 1.0])
            center = at[e.source] + 1.4 * radius * out
            ax.add_patch(
                Circle((center[0], center[1]), 0.7 * radius, fill=False, ec=color[e.sign], lw=1.8, alpha=alpha)
            )
            end = center + 1.15 * radius * out
        else:
            a, b = at[e.source], at[e.target]
            along = (b - a) / np.hypot(*(b - a))
            begin, tip = a + radius * along, b - radius * along
            ax.add_patch(
                FancyArrowPatch(
                    (begin[0], begin[1]),
                    (tip[0], tip[1]),
                    arrowstyle="-|>",
                    mutation_scale=16,
                    connectionstyle="arc3,rad=0.12",
                    color=color[e.sign],
                    lw=1.8,
                    alpha=alpha,
                )
            )
            end = a + 0.62 * (b - a) + 0.12 * np.array([along[1], -along[0]])
        if e.probability < 1 - DRAWN:
            ax.text(end[0], end[1], f"{e.probability:.2f}", fontsize=8, ha="center", va="center")
    for name, (x, y) in at.items():
        shade = "0.93" if name in graph.states else "lightyellow"
        ax.add_patch(Circle((x, y), radius, fc=shade, ec="0.3", zorder=3))
        # What is too long for a circle reads well across its border only where that is hidden.
        is_long = len(name) > LONG
        box = {"boxstyle": "round,pad=0.15", "fc": shade, "ec": "none"} if is_long else None
        size = LETTERS * min(1.0, (LONGEST if is_long else SHORT) / len(name))
        ax.text(x, y, name.replace("$", r"\$"), ha="center", va="center", zorder=4, bbox=box, fontsize=size)
    signs = {e.sign for e in graph.edges if e.probability >= DRAWN}
    handles = [Line2D([], [], color=color[s], lw=1.8, label=words) for s, words in SIGNS.items() if s in signs]
    if handles:
        ax.legend(handles=handles, loc="lower right", fontsize="small", frameon=False)
    ax.set_aspect("equal")
    side = 1.8 if n > 1 or m else 0.8
    ax.set_xlim(-2.4 if m else -side, side)
    ax.set_ylim(-side, side)
    ax.axis("off")
