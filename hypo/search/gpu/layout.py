"""Where the rows of several scans lie on a device, so that one launch goes through all of them.

A *piece* is a set of pairs: rows f with rows g, or pairs of rows f. The pieces' rows lie one behind the other, those of each
from a whole tile on, and its pairs are a set of tiles of their own (:func:`hypo.kernels.gpu.pair_tiles.runs`). Rows that fill
up tiles are zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hypo.kernels.gpu.row_order import clustered
from hypo.search.scan.prefilter import Rows

# The least g − f of sets of which all pairs count.
ANY = -(2**31) + 1


class Piece(NamedTuple):
    """Pairs of scan ``job``: rows ``F``, the first of which is the scan's row ``f0``, with rows ``G``, from ``g0`` on; G None
    means pairs of rows F."""

    job: int
    F: Rows
    G: Rows | None
    f0: int = 0
    g0: int = 0


class Side(NamedTuple):
    """One side of all pieces: ``rows`` (n, n_column), for each place the ``piece`` (the first one for what fills up) and the
    ``row`` of the scan (-1 for what fills up), and where each piece begins and ends."""

    rows: Tensor
    piece: Tensor
    row: Tensor
    begin: list[int]
    end: list[int]

    @property
    def is_filling(self) -> Tensor:
        """Which places hold no row."""
        return self.row < 0


def side(
    blocks: Sequence[Rows], first: Sequence[int], ordered: Sequence[bool], align: int, device: torch.device
) -> Side:
    """Rows of all pieces on the device, those of ``ordered`` pieces in the order of clusters."""
    count = np.array([len(b) for b in blocks])
    begin = np.concatenate([[0], np.cumsum(count + -count % align)])
    n = int(begin[-1])
    # One way to the device for all.
    whole = torch.from_numpy(np.ascontiguousarray(blocks[0] if len(blocks) == 1 else np.concatenate(blocks))).to(device)
    place = np.concatenate([np.arange(b, b + c) for b, c in zip(begin, count, strict=False)])
    row = np.full(n, -1)
    row[place] = np.concatenate([np.arange(f, f + c) for f, c in zip(first, count, strict=True)])
    piece = np.zeros(n, np.int64)
    piece[place] = np.repeat(np.arange(len(blocks)), count)
    rows = torch.zeros((n, whole.shape[1]), dtype=torch.float64, device=device)
    rows[torch.from_numpy(place).to(device)] = whole
    origin = torch.from_numpy(row).to(device)
    for b, c, some in zip(begin[:-1].tolist(), count.tolist(), ordered, strict=True):
        if some:
            mine = rows[b : b + c]
            size = mine.abs().amax(1, keepdim=True).clamp(min=1e-300)
            unit = mine / size
            order = clustered(unit / torch.linalg.vector_norm(unit, dim=1, keepdim=True).clamp(min=1e-300))
            rows[b : b + c], origin[b : b + c] = mine[order], origin[b : b + c][order]
    end = (begin[:-1] + count).tolist()
    return Side(rows, torch.from_numpy(piece).to(device), origin, begin[:-1].tolist(), end)


class Layout:
    """The rows of all pieces on either side; ``ordered`` says of which pieces they come in the order of clusters.

    Pairs within a piece are those whose places are at least ``gap`` apart.
    """

    def __init__(
        self, pieces: Sequence[Piece], ordered: Sequence[bool], gap: int, align: int, device: torch.device
    ) -> None:
        self.n_piece, self.gap = len(pieces), gap
        self.job = [p.job for p in pieces]
        self.within = [p.G is None for p in pieces]
        self.left = side([p.F for p in pieces], [p.f0 for p in pieces], ordered, align, device)
        self.right = self.left
        if not all(self.within):
            blocks = [p.F if p.G is None else p.G for p in pieces]
            first = [p.f0 if p.G is None else p.g0 for p in pieces]
            self.right = side(blocks, first, ordered, align, device)
        self._job = torch.tensor(self.job, device=device)
        self._within = torch.tensor(self.within, device=device)

    def sets(self) -> list[tuple[int, int, int, int, int]]:
        """The pieces as sets of pairs: first f, end of f, first g, end of g, least g − f."""
        left, right = self.left, self.right
        gaps = [right.begin[k] - left.begin[k] + self.gap if self.within[k] else ANY for k in range(self.n_piece)]
        return list(zip(left.begin, left.end, right.begin, right.end, gaps, strict=True))

    def jobs(self, side: Side) -> Tensor:
        """The scan (n,) of each row."""
        return self._job[side.piece]

    def origin(self, i: Tensor, j: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The scan of pairs of places, and their rows there; of pairs of rows f the lower one first."""
        piece, a, b = self.left.piece[i], self.left.row[i], self.right.row[j]
        swap = self._within[piece] & (a > b)
        return self._job[piece], torch.where(swap, b, a), torch.where(swap, a, b)
