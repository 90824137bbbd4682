"""Plots of a result: the data with the law, and the front. Uses no pyplot: the user's backend stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hypo.report import tables
from hypo.report.formatting import format_nats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hypo.data import Dataset
    from hypo.result.result import Result
    from hypo.scoring.score import Hypothesis

# Points of a drawn curve.
N_CURVE = 400


@dataclass(frozen=True)
class Observed:
    """Data to draw: ``X`` (n_row, n_col), ``y`` (n_row,), both in the user's units, and what the axes are
    called.

    ``predict`` maps (n, n_col) to (n,).
    """

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    names: tuple[str, ...]
    units: Mapping[str, str]
    predict: Callable[[NDArray[np.float64]], NDArray[np.float64]]

    def label(self, name: str) -> str:
        """Axis label with its unit."""
        from hypo.report.display.figure import label_axis

        return label_axis(name, self.units.get(name))


def draw_result(result: Result, rows: Dataset | None) -> Figure:
    """:meth:`hypo.Result.plot`: the law over ``rows``, where there are any, and the front."""
    best = result.found()
    observed = None
    if rows is not None:
        columns = tuple(name for name in rows.names if name in result.features)
        X = rows.X[:, [rows.names.index(name) for name in columns]]

        def law(points: NDArray[np.float64]) -> NDArray[np.float64]:
            return result.predict(dict(zip(columns, points.T, strict=True)))

        observed = Observed(X, rows.y, columns, result.record.units.texts, law)
    return draw_figure(result.front, best, result.target, observed)


def draw_figure(front: Sequence[Hypothesis], best: Hypothesis, target: str, observed: Observed | None = None) -> Figure:
    """A figure of the front and, when data are given, of the law over them.

    With one variable in the law the curve is drawn over the points, otherwise predicted against observed
    values.
    """
    from hypo.report.display.figure import Picture

    panels = 1 if observed is None else 2
    figure = Picture(figsize=(5.0 * panels, 4.2), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    if observed is not None:
        if len(best.expression.variables) == 1:
            _draw_curve(axes[0], best, target, observed)
        else:
            _draw_predictions(axes[0], target, observed)
    _draw_front(axes[-1], front, best)
    figure.suptitle(_write_title(best, target))
    return figure


def _draw_curve(ax: Axes, best: Hypothesis, target: str, observed: Observed) -> None:
    name = best.expression.variables[0]
    column = observed.names.index(name)
    x = observed.X[:, column]
    # Equal ratios between points when the data span decades, so that the curve stays smooth on log axes.
    decades = bool(np.all(x > 0) and np.all(observed.y > 0) and x.max() > 30 * x.min())
    grid = np.geomspace(x.min(), x.max(), N_CURVE) if decades else np.linspace(x.min(), x.max(), N_CURVE)
    points = np.tile(np.median(observed.X, axis=0), (N_CURVE, 1))
    points[:, column] = grid
    ax.plot(grid, observed.predict(points), color="C1", label="law")
    ax.plot(x, observed.y, "o", color="C0", markersize=4, label="data")
    if decades:
        ax.set_xscale("log")
        ax.set_yscale("log")
    ax.set_xlabel(observed.label(name))
    ax.set_ylabel(observed.label(target))
    ax.legend(frameon=False)


def _draw_predictions(ax: Axes, target: str, observed: Observed) -> None:
    predicted = observed.predict(observed.X)
    ok = np.isfinite(predicted)
    ax.plot(observed.y[ok], predicted[ok], "o", color="C0", markersize=4)
    if ok.any():
        low = min(observed.y[ok].min(), predicted[ok].min())
        high = max(observed.y[ok].max(), predicted[ok].max())
        ax.plot([low, high], [low, high], color="0.6", zorder=0)
    ax.set_xlabel(f"observed {observed.label(target)}")
    ax.set_ylabel(f"predicted {observed.label(target)}")


def _draw_front(ax: Axes, front: Sequence[Hypothesis], best: Hypothesis) -> None:
    known = tables.count_believed(front)
    ax.plot(
        [h.complexity for h in front[:known]],
        [h.score for h in front[:known]],
        "o-",
        color="C0",
        drawstyle="steps-post",
    )
    if beyond := front[known:]:
        # Closer to the data, but not by as much as they are longer.
        label = "closer, not believed"
        ax.plot(
            [h.complexity for h in beyond], [h.score for h in beyond], "o", color="C0", fillstyle="none", label=label
        )
    ax.plot([best.complexity], [best.score], "o", color="C1", markersize=9, label=f"best: {format_nats(best.score)}")
    ax.set_xlabel("complexity [nodes]")
    ax.set_ylabel("score [nats]")
    ax.legend(frameon=False, loc="lower left")


def _write_title(best: Hypothesis, target: str) -> str:
    """The law as mathtext, or as plain text where matplotlib cannot typeset it."""
    from matplotlib.mathtext import MathTextParser

    text = f"${tables.write_equation_latex(best, target)}$"
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return tables.write_equation(best, target).replace("$", r"\$")
    return text
