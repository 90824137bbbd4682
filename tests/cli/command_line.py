"""The command line in a folder of its own, and tables for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Cli = Callable[..., tuple[int, str, str]]

X = np.linspace(1.0, 4.0, 12)
LAW = 2.5 * X**2
FAST = ("--operators", "+,-,*,/", "--time-limit", "20")


def write_csv(path: Path, header: str, *columns: Any) -> Path:
    rows = [",".join(str(cell) for cell in row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([header, *rows, ""]))
    return path
