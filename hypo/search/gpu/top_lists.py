"""The best pairs of many scans and targets at once, on the device: a *slot* for each target of each scan."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# Scores that differ by this share may be equal on another processor.
SAME = 1e-7
# Entries beyond the list that are looked at for being equal to its last, at most.
MOST_EQUAL = 200_000


class Found(NamedTuple):
    """Slots, scores and pairs (n,) each."""

    slot: Tensor
    r2: Tensor
    i: Tensor
    j: Tensor


def _rank(slot: Tensor, *keys: Tensor) -> tuple[Tensor, Tensor]:
    """The order of entries by slot and then the keys, first key first, and the rank of each entry of it within its slot."""
    order = torch.arange(len(slot), device=slot.device)
    for key in (*reversed(keys), slot):
        order = order[torch.argsort(key[order], stable=True)]
    slot = slot[order]
    return order, torch.arange(len(slot), device=slot.device) - torch.searchsorted(slot, slot)


def find_last_scores(slot: Tensor, r2: Tensor, n_slot: int, keep: int) -> Tensor:
    """The ``keep``-th best score of each slot (n_slot,), 0 where there are fewer."""
    order, rank = _rank(slot, -r2)
    last = order[rank == keep - 1]
    out = torch.zeros(n_slot, dtype=torch.float64, device=slot.device)
    out[slot[last]] = r2[last].double()
    return out


class Lists:
    """The best pairs of each slot so far, and the ``floor`` (n_job, n_target) that further ones have to reach."""

    def __init__(self, floor: Tensor, keep: int) -> None:
        self.floor, self._keep = floor.clone(), keep
        none = torch.empty(0, dtype=torch.int64, device=floor.device)
        self._found = Found(none, floor.new_empty(0), none, none)

    def raise_to(self, last: Tensor) -> None:
        """Scores (n_slot,) that ``keep`` pairs of each slot reach."""
        # With room, for these pairs are to be found again.
        self.floor = torch.maximum(self.floor, last.view_as(self.floor) * (1.0 - SAME))

    def add(self, r2: Tensor, job: Tensor, i: Tensor, j: Tensor, targets: slice) -> None:
        """Take in scores (n_pair, n) of pairs of scans for some targets; no pair may come twice for a target."""
        slots = torch.arange(self.floor.numel(), device=r2.device).view_as(self.floor)[:, targets]
        pair, target = torch.nonzero((r2 >= self.floor[:, targets][job]) & (r2 > 0.0), as_tuple=True)
        if not len(pair):
            return
        new = Found(slots[job[pair], target], r2[pair, target], i[pair], j[pair])
        both = Found(*(torch.cat([a, b]) for a, b in zip(self._found, new, strict=True)))
        if len(both.slot) > self._keep:
            self.raise_to(find_last_scores(both.slot, both.r2, self.floor.numel(), self._keep))
            both = Found(*(a[both.r2 >= self.floor.flatten()[both.slot]] for a in both))
        if len(both.slot) > self._keep + MOST_EQUAL:
            # Of equals the first pairs, in whatever order they were listed.
            order, rank = _rank(both.slot, -both.r2, both.i, both.j)
            both = Found(*(a[order[rank < self._keep + MOST_EQUAL]] for a in both))
        self._found = both

    def slots(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Scores and pairs (r2, i, j) of each slot."""
        order, _ = _rank(self._found.slot)
        slot, r2, i, j = (a[order] for a in self._found)
        count = torch.bincount(slot, minlength=self.floor.numel()).tolist()
        return list(zip(*(a.split(count) for a in (r2, i, j)), strict=True))
