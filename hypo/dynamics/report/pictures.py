"""A world model in pictures: data, fit, band and residuals of each state, the phase plane, and the graph of the system."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.model.fields import ModelFields
from hypo.dynamics.model.graph import draw_graph, make_graph
from hypo.dynamics.model.names import find_units
from hypo.dynamics.report.paths import LEVEL, RunPath, follow_runs
from hypo.dynamics.report.plane import Plane, find_plane
from hypo.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

Values = NDArray[np.float64]

# States that are drawn against time.
MOST_STATES = 12
# Points of a run in one panel.
MOST_POINTS = 1000
# Inches: the width of all, the height of a state, and of the plane and the graph.
WIDTH = 10.0
HEIGHT = 2.1
SQUARE = 4.8
# Inches for titles and a legend.
ABOVE = 0.6
# Curves may leave the range of the data by so much of it.
BEYOND = 0.6
# Points of letters.
LETTERS = 10.0
# Letters beside a panel, above which they become smaller.
BESIDE = 22
# What signs mean.
PLANE_CAPTION = (
    "Arrows show where the laws lead. A full fixed point is stable; a cross is a saddle, a diamond a centre."
)
GRAPH_CAPTION = (
    "An arrow leads from a variable to the state whose law it stands in: blue where the law rises with it, red where it "
    "falls, grey where it does both; a number is its probability where that is less than certain."
)
# Dots per inch of files.
DPI = 150


def plot_model(model: ModelFields, path: str | os.PathLike[str] | None = None) -> Figure:
    """A figure of all pictures, also written to ``path`` when given; raises InputError where that fails."""
    with _without_warnings():
        runs = follow_runs(model)
        plane = find_plane(model, runs)
        tall = HEIGHT * _count_shown(model) + ABOVE
        figure = _make_figure(WIDTH, tall + SQUARE)
        top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(tall, SQUARE))[:, 0]
        _draw_states(model, runs, top)
        panels = bottom.subplots(1, 1 if plane is None else 2, squeeze=False)[0]
        if plane is not None:
            _draw_plane(model, runs, plane, panels[0])
        draw_graph(make_graph(model), panels[-1])
        if path is not None:
            try:
                figure.savefig(path, dpi=DPI)
            except (OSError, ValueError) as error:
                raise InputError(f"cannot write the plot to {os.fspath(path)}: {error}; choose another file") from error
    return figure


@dataclass(frozen=True)
class Picture:
    """A picture of a page: its title, what its signs mean, the function that draws it, and True where it has much beside."""

    title: str
    caption: str
    draw: Callable[[], Figure]
    is_wide: bool = False


def list_pictures(model: ModelFields) -> Iterator[Picture]:
    """States and residuals over time, the phase plane (of two or more states), and the graph."""
    runs: list[tuple[RunPath, ...]] = []

    def follow() -> tuple[RunPath, ...]:
        if not runs:
            runs.append(follow_runs(model))
        return runs[0]

    def draw_states() -> Figure:
        figure = _make_figure(WIDTH, HEIGHT * _count_shown(model) + ABOVE)
        _draw_states(model, follow(), figure)
        return figure

    def draw_phases() -> Figure:
        plane = find_plane(model, follow())
        figure = _make_figure(1.2 * SQUARE, SQUARE)
        if plane is not None:
            _draw_plane(model, follow(), plane, figure.subplots())
        return figure

    def draw_influences() -> Figure:
        graph = make_graph(model)
        side = SQUARE * graph.spread
        figure = _make_figure(side, side)
        draw_graph(graph, figure.subplots())
        return figure

    yield Picture("Data, fit and residuals", "", draw_states, is_wide=True)
    if len(model.states) > 1:
        yield Picture("Phase plane", PLANE_CAPTION, draw_phases)
    yield Picture("Which variables drive which", GRAPH_CAPTION, draw_influences)


def make_png(draw: Callable[[], Figure]) -> bytes:
    """The picture that ``draw`` makes, as a file of PNG."""
    with _without_warnings():
        figure: Any = draw()
        return bytes(figure._repr_png_())


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Fonts may lack a letter of a name, and a panel may be small; the picture is of use all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _make_figure(width: float, height: float) -> Figure:
    from hypo.report.display import figure

    return figure.Picture(figsize=(width, height), layout="constrained")


def _count_shown(model: ModelFields) -> int:
    return min(len(model.states), MOST_STATES)


def _label(model: ModelFields, name: str) -> str:
    from hypo.report.display.figure import label_axis

    return label_axis(name, find_units(model.system, model.data).get(name)).replace("$", r"\$")


# --- states over time -----------------------------------------------------------------------------------------------


def _draw_states(model: ModelFields, runs: tuple[RunPath, ...], figure: FigureBase) -> None:
    """Rows of two panels: data, fit and band of a state, and its residuals."""
    shown, measured = _count_shown(model), model.system.n_measured
    panels = figure.subplots(shown, 2, squeeze=False, sharex=True, width_ratios=(2, 1))
    for k in range(shown):
        left, right = panels[k]
        for number, p in enumerate(runs):
            _draw_run(p, k, left, _color(number, runs), k < measured)
        label = _label(model, model.states[k])
        left.set_ylabel(label, fontsize=LETTERS * min(1.0, BESIDE / len(label)))
        if k < measured:
            _limit(left, np.concatenate([p.run.states[:, k] for p in runs]))
            _draw_residuals(runs, k, right, float(model.best.noise[k]))
        else:
            right.text(0.5, 0.5, "not measured", color="0.5", ha="center", va="center", transform=right.transAxes)
            right.set_yticks([])
    for ax in panels[-1]:
        ax.set_xlabel(_label(model, model.data.time))
    panels[0][1].set_title("measured - fit; grey: ± 2 noise", fontsize="small")
    band = f" and band of {100 * LEVEL:.0f} %" if any(p.band for p in runs) else ""
    left_out = {"runs": len(model.data.runs) - len(runs), "states": len(model.states) - shown}
    told = " and ".join(f"{n} more {what}" for what, n in left_out.items() if n)
    more = f" ({told} are not drawn)" if told else ""
    panels[0][0].set_title(f"data, fit{band}{more}", fontsize="small")
    # Above the panels, where it hides nothing.
    figure.legend(
        *panels[0][0].get_legend_handles_labels(), loc="outside upper left", ncols=8, fontsize="small", frameon=False
    )


def _color(number: int, runs: tuple[RunPath, ...]) -> tuple[str, str]:
    """Colors of a run's data and of its fit: where there are several runs, both tell the run."""
    return ("C0", "C1") if len(runs) == 1 else (f"C{number}", f"C{number}")


def _draw_run(p: RunPath, k: int, ax: Axes, color: tuple[str, str], is_measured: bool) -> None:
    name = p.run.name.replace("$", r"\$")
    whose = f"{name}: " if name else ""
    if p.band is not None:
        label = None if name else "band"
        ax.fill_between(p.band.time, p.band.low[:, k], p.band.high[:, k], color=color[1], alpha=0.2, lw=0, label=label)
    label = f"{whose}fit" + (f" in {len(p.pieces)} pieces" if len(p.pieces) > 1 else "")
    ax.plot(*_join(p.pieces, k), color=color[1], lw=1.2, label=label)
    if is_measured:
        known = _some(np.isfinite(p.run.states[:, k]))
        label = None if name else "data"
        ax.plot(p.run.time[known], p.run.states[known, k], "o", color=color[0], markersize=3, alpha=0.7, label=label)


def _join(pieces: tuple[tuple[Values, Values], ...], k: int) -> tuple[Values, Values]:
    """Times and values of a state as one line, which is broken where a run is followed anew on the way."""
    gap = np.full(1, np.nan)
    time = [part for t, _ in pieces for part in (t, gap)]
    path = [part for _, states in pieces for part in (states[:, k], gap)]
    return np.concatenate([*time, gap]), np.concatenate([*path, gap])


def _some(known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows that are drawn: of many they would hide each other, and take seconds."""
    rows = np.flatnonzero(known)
    return np.asarray(rows[:: max(len(rows) // MOST_POINTS, 1)])


def _limit(ax: Axes, values: Values) -> None:
    """Let what runs away leave the panel, so that the data stay to be seen."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = BEYOND * ((high - low) or max(abs(high), 1e-300))
    bottom, top = ax.get_ylim()
    ax.set_ylim(max(bottom, low - room), min(top, high + room))


def _draw_residuals(runs: tuple[RunPath, ...], k: int, ax: Axes, noise: float) -> None:
    ax.axhspan(-2 * noise, 2 * noise, color="0.9", lw=0, zorder=0)
    ax.axhline(0.0, color="0.6", lw=0.8, zorder=1)
    for number, p in enumerate(runs):
        known = _some(np.isfinite(p.residuals[:, k]))
        ax.plot(p.run.time[known], p.residuals[known, k], "o", color=_color(number, runs)[0], markersize=3, alpha=0.7)


# --- the phase plane ------------------------------------------------------------------------------------------------


def _draw_plane(model: ModelFields, runs: tuple[RunPath, ...], plane: Plane, ax: Axes) -> None:
    """Arrows of one length, data, fitted paths, and fixed points."""
    i, j = plane.axes
    size = np.hypot(plane.u, plane.v)
    with np.errstate(all="ignore"):
        u, v = (np.where(np.isfinite(size) & (size > 0), part / size, np.nan) for part in (plane.u, plane.v))
    if np.isfinite(u).any():
        ax.quiver(plane.x, plane.y, u, v, color="0.7", angles="uv", pivot="mid", scale=30.0, width=0.003, zorder=0)
    is_discrete = model.system.is_discrete
    for number, p in enumerate(runs):
        data, fit = _color(number, runs)
        across, up = (_join(p.pieces, k)[1] for k in (i, j))
        ax.plot(across, up, "." if is_discrete else "-", color=fit, lw=1.2, zorder=2)
        if max(i, j) < model.system.n_measured:
            rows = _some(np.isfinite(p.run.states[:, i]) & np.isfinite(p.run.states[:, j]))
            ax.plot(p.run.states[rows, i], p.run.states[rows, j], "o", color=data, markersize=3, alpha=0.7, zorder=1)
    for each in plane.continua:
        ax.plot(*each.samples[[i, j]], ".", color="k", markersize=4, label="fixed points", zorder=3)
    for point in plane.points:
        x, y = (point.state[model.states[k]] for k in (i, j))
        if plane.x[0] <= x <= plane.x[-1] and plane.y[0] <= y <= plane.y[-1]:
            # Full where it is stable, a cross for a saddle, a diamond for a centre, else a ring.
            marker = {"saddle": "x", "centre": "D"}.get(point.kind, "o")
            filling: Any = "full" if point.is_stable else "none"
            ax.plot(
                [x], [y], marker, color="k", fillstyle=filling, markersize=8, label=point.kind, zorder=3, clip_on=False
            )
    ax.set_xlim(plane.x[0], plane.x[-1])
    ax.set_ylim(plane.y[0], plane.y[-1])
    # In a square the arrows have the directions of the paths.
    ax.set_box_aspect(1.0)
    ax.set_xlabel(_label(model, model.states[i]))
    ax.set_ylabel(_label(model, model.states[j]))
    if plane.held:
        ax.set_title(f"arrows at {plane.held}".replace("$", r"\$"), fontsize="small")
    handles, labels = ax.get_legend_handles_labels()
    if labels:
        # Of several points of one kind one is named.
        one = dict(zip(labels, handles, strict=True))
        ax.legend(one.values(), one.keys(), fontsize="small", framealpha=0.8)
