"""A figure that a notebook shows as a picture, whether or not the notebook uses pyplot, and once."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Dots per inch of the picture in a notebook.
DPI = 100


def label_axis(name: str, unit: str | None) -> str:
    """The name of a column with its unit, as far as it has one."""
    return f"{name} [{unit}]" if unit and unit != "1" else name


class Picture(Figure):
    """A figure that pyplot does not know of: what it knows of, a notebook shows at the end of the cell by itself, too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=DPI)
        return stream.getvalue()
