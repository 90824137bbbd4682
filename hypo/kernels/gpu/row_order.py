"""An order of rows in which neighbours point the same way, so that pairs of nearly parallel rows share few tiles.

A filter at low precision cannot tell what pairs of nearly parallel rows explain and has to pass them. Libraries hold many such
pairs, but between few clusters of rows: with rows in the order of a tree of clusters they meet in few tiles.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Rows of the smallest clusters.
LEAF = 64
# Principal axes that clusters are split along.
AXES = 16
# About so many rows, evenly spaced, give the axes.
SAMPLE = 4096


def clustered(rows: Tensor) -> Tensor:
    """Positions (n,) of unit rows (n, k) in an order of clusters, made by halving along the axis of largest variance."""
    n = len(rows)
    if n <= LEAF:
        return torch.arange(n, device=rows.device)
    some = rows[:: 1 + n // SAMPLE]
    axes = torch.linalg.eigh(some.T @ some)[1].flip(1)[:, :AXES]
    place = rows @ axes
    # A row and its negative are parallel.
    place = torch.where(place[:, :1] < 0, -place, place)
    levels = max(1, (-(-n // LEAF) - 1).bit_length())
    size = LEAF << levels
    # Copies fill up the last clusters, and are left out of the order.
    order = torch.arange(size, device=rows.device)
    order[n:] %= n
    copy = torch.arange(size, device=rows.device) >= n
    for level in range(levels):
        order, copy = order.view(1 << level, -1), copy.view(1 << level, -1)
        inside = place[order]
        axis = inside.var(dim=1).argmax(dim=1)
        along = inside.gather(2, axis[:, None, None].expand(-1, inside.shape[1], 1)).squeeze(2)
        sorted_by = along.argsort(dim=1, stable=True)
        order, copy = order.gather(1, sorted_by), copy.gather(1, sorted_by)
    return order.flatten()[~copy.flatten()]
