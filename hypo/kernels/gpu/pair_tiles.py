"""Tables of tiles for the pair scans of :mod:`hypo.kernels.gpu.pair_scan`, and how these are launched.

Work is a table of runs of tiles, so that sets of rows, triangles, dimension groups and shards go into one launch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor


class Shape(NamedTuple):
    """Rows of a tile on either side, tiles of a run, warps of a program, and tiles of G read ahead.

    The smaller tile of the default leaves registers and shared memory (33 KB for a sum, 82 for a product with a constant, of
    227; halves, n = 64) for a second program beside the first, which multiplies while the other is in its epilogue.
    """

    f: int = 128
    g: int = 64
    run: int = 64
    warps: int = 8
    stages: int = 2


def interpreted() -> bool:
    """True if Triton's interpreter runs the kernels, on tensors of the processor (TRITON_INTERPRET=1)."""
    return bool(triton.knobs.runtime.interpret)


def runs(sets: Sequence[tuple[int, int, int, int, int]], shape: Shape) -> Tensor:
    """Runs of tiles (n_run, 6) that cover sets of pairs (first f, end of f, first g, end of g, least g − f): first f, first g,
    tiles; end of f, end of g, least g − f. Runs over the same rows g lie together, to meet in the second cache."""
    out = []
    for f0, f1, g0, g1, gap in sets:
        f = torch.arange(f0, f1, shape.f)
        for g in range(g0, g1, shape.run * shape.g):
            end = min(g + shape.run * shape.g, g1)
            # Nothing of a block of f comes before its first row plus the gap.
            first = g + torch.clamp(torch.div(f + gap - g, shape.g, rounding_mode="floor"), min=0) * shape.g
            count = torch.clamp(torch.div(end - first + shape.g - 1, shape.g, rounding_mode="floor"), min=0)
            rest = torch.tensor([f1, g1, gap]).expand(len(f), 3)
            out.append(torch.cat([torch.stack([f, first, count], 1), rest], 1)[count > 0])
    return torch.cat(out).to(torch.int32) if out else torch.empty((0, 6), dtype=torch.int32)


def tiles(work: Tensor, flagged: Tensor, shape: Shape) -> Tensor:
    """Tiles (n_tile, 5) as ``*_pairs`` take them, of positions in the margins (n_run, run) of runs."""
    run = flagged // shape.run
    out = work[run][:, [0, 1, 3, 4, 5]]
    out[:, 1] += ((flagged % shape.run) * shape.g).to(torch.int32)
    return out.contiguous()


class Launcher:
    """Margins and pairs of one form of scan, at one precision, for up to so many targets as one launch takes.

    ``kernels`` are (``*_margins``, ``*_pairs``), ``arrays`` their first arguments, ``sizes`` the padded numbers of rows among
    their arguments, ``least`` the margin from which on a pair passes.
    """

    def __init__(
        self,
        kernels: tuple[Any, Any],
        arrays: Sequence[Tensor],
        sizes: tuple[int, ...],
        least: float,
        shape: Shape,
        precision: str,
        **constants: Any,
    ) -> None:
        self._margins, self._pairs = kernels
        self._arrays, self._sizes, self._least, self._shape = arrays, sizes, least, shape
        self._options = {
            "K": arrays[0].shape[-1],
            "BLOCK_F": shape.f,
            "BLOCK_G": shape.g,
            "SPLIT": precision == "bf16x3",
            "UPCAST": interpreted() and precision.startswith("bf16"),
            "MODE": "ieee" if precision == "float32" else "tf32",
            "num_warps": shape.warps,
            "num_stages": shape.stages,
            **constants,
        }

    def margins(self, work: Tensor) -> Tensor:
        """The largest margin of each tile (n_run, run), -∞ beyond the last."""
        margin = torch.full((len(work), self._shape.run), -torch.inf, dtype=torch.float32, device=work.device)
        head = work[:, :3].contiguous()
        self._margins[(len(work),)](*self._arrays, head, margin, *self._sizes, RUN=self._shape.run, **self._options)
        return margin

    def flagged(self, work: Tensor) -> Tensor:
        """Positions in the margins of the tiles that may hold pairs that pass."""
        return torch.nonzero(self.margins(work).view(-1) >= self._least).view(-1)

    def pairs(self, table: Tensor, capacity: int) -> tuple[Tensor, int]:
        """The pairs (2, n) of the tiles of a table that pass, and their number; where that exceeds the capacity, some only."""
        out = torch.empty((2, capacity), dtype=torch.int32, device=table.device)
        counter = torch.zeros(1, dtype=torch.int32, device=table.device)
        given = (table, out, counter, capacity, *self._sizes, self._least)
        self._pairs[(len(table),)](*self._arrays, *given, **self._options)
        count = int(counter)
        return out[:, : min(count, capacity)].to(torch.int64), count
