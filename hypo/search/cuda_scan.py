"""Pair scans on a device: the same lists as :func:`hypo.search.scan.scan_sums` and ``scan_products``.

1. *Pilot*: some rows with all others, in double precision; the ``keep``-th best is a score that the best pairs reach.
2. *Filter*: with rows in an order of clusters (:mod:`hypo.kernels.cuda_order`), tensor cores go through all tiles at a coarse
   precision and flag those with a pair that may reach it, then through the flagged ones at a finer precision and list the
   pairs (:mod:`hypo.kernels.cuda_scan`). Both know how much they may be off, so nothing is lost, and both need few bytes
   of device memory.
3. *Scores*: the listed pairs in double precision on the device; the floor rises as better pairs come.
4. The best, and what equals the last of them to ``SAME``, are scored by the compiled code of the processor: the lists agree
   with its lists also where many pairs are exact and rounding decides.

Small scans are scored in double precision throughout (``against``). Sets of rows larger than ``ROWS`` are streamed, blocks of f
with blocks of g. An executor does blocks of f one after the other, a share of them, or elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hypo.kernels import cuda_scan as kernel
from hypo.search.columns import spread
from hypo.search.cuda_forms import Products, Sums
from hypo.search.executor import Executor, Serial
from hypo.search.scan import Best, Clock, Deadline, Rows, _merge, _pairs

# Pairs up to which all are scored in double precision, rows of the pilot, and pairs scored at once.
DENSE, PILOT, BLOCK = 1 << 24, 128, 1 << 24
# Rows of either side on the device at once.
ROWS = 1 << 21
# Pairs listed in one launch, tiles gone through by one, and the precision at which flagged tiles are looked into.
CAPACITY, TILES, FINE = 1 << 24, 1 << 16, "bf16x3"
# Scores that differ by this share may be equal on another processor; at most so many beyond the list are looked at.
SAME, MOST_EQUAL = 1e-7, 200_000
# The least g − f of sets of which all pairs count.
ANY = -(2**31) + 1
# Runs of tiles between two looks at the clock: some ten milliseconds.
RUNS = 1 << 14


class Found(NamedTuple):
    """Scores (n,) and pairs (n,), (n,) kept for one target."""

    r2: Tensor
    i: Tensor
    j: Tensor


class Lists:
    """The best pairs of each target so far, and the ``floor`` (n_target,) that further ones have to reach."""

    def __init__(self, floor: Tensor, keep: int) -> None:
        self.floor, self._keep = floor.clone(), keep
        none = torch.empty(0, dtype=torch.int64, device=floor.device)
        self.lists = [Found(floor.new_empty(0), none, none) for _ in range(len(floor))]

    def add(self, r2: Tensor, i: Tensor, j: Tensor, targets: slice = slice(None)) -> None:
        """Take in scores (n_pair, n_target), those of some targets only; no pair may come twice for a target."""
        for t in range(len(self.lists))[targets]:
            old = self.lists[t]
            # With equality, for the floor is the score of some pair that is to be found again.
            good = torch.nonzero((r2[:, t] >= self.floor[t]) & (r2[:, t] > 0.0)).view(-1)
            if not len(good):
                continue
            both = Found(*(torch.cat([a, b[good]]) for a, b in zip(old, (r2[:, t], i, j), strict=True)))
            if len(both.r2) > self._keep:
                last = torch.topk(both.r2, self._keep).values[-1] * (1.0 - SAME)
                both = Found(*(a[both.r2 >= last] for a in both))
                if len(both.r2) > self._keep + MOST_EQUAL:
                    # Of equals the first pairs, in whatever order they were listed.
                    for key in (2, 1, 0):
                        order = torch.argsort(both[key], descending=key == 0, stable=True)
                        both = Found(*(a[order] for a in both))
                    both = Found(*(a[: self._keep + MOST_EQUAL] for a in both))
                self.floor[t] = torch.maximum(self.floor[t], last)
            self.lists[t] = both


Form = Sums | Products


def unfused(form: Form, triangle: bool, best: Lists, late: Deadline) -> None:
    """Score all pairs, whole blocks of scores in memory; with ``triangle`` those of two rows once."""
    columns = torch.arange(form.n_g, device=form.F.device)
    step = max(1, BLOCK // max(1, form.n_g * len(form.T)))
    for begin in range(0, form.n_f, step):
        if late.expired:
            return
        rows = torch.arange(begin, min(begin + step, form.n_f), device=form.F.device)
        scores = form.against(rows)
        if triangle:
            scores[:, columns[None, :] - rows[:, None] < form.gap] = 0.0
        enough = (scores >= best.floor[:, None, None]) & (scores > 0.0)
        a, b = torch.nonzero(enough.any(0), as_tuple=True)
        best.add(scores[:, a, b].T, *_origin(form, triangle, rows[a], b))


def _origin(form: Form, triangle: bool, i: Tensor, j: Tensor) -> tuple[Tensor, Tensor]:
    """Where the rows of pairs came from; with ``triangle`` the lower one first."""
    i, j = form.order_f[i], form.order_g[j]
    return (torch.minimum(i, j), torch.maximum(i, j)) if triangle else (i, j)


def pilot(form: Form, triangle: bool, floor: Tensor, keep: int) -> Tensor:
    """A score (n_target,) that the ``keep`` best pairs of each target reach: of some rows f with all g."""
    if isinstance(form, Sums):
        # Nearly all pairs with a row explain at least as much as the row alone.
        count = min(max(2, PILOT // len(form.T)), form.n_f)
        rows = torch.unique(torch.topk(form.rf.abs(), count, dim=1).indices)
    else:
        # The first rows are the simplest; what goes well with some of them goes well with others.
        head = torch.arange(min(form.n_f, PILOT // 2))
        some = torch.unique(torch.cat([head, torch.from_numpy(spread(form.n_f, PILOT // 2))]))
        rows = torch.argsort(form.order_f)[some.to(form.F.device)]
    place = torch.full((max(form.n_f, form.n_g),), -1, dtype=torch.int64, device=form.F.device)
    place[rows] = torch.arange(len(rows), device=rows.device)
    tops: list[Tensor] = []
    step = max(1, BLOCK // max(1, form.n_g * len(form.T)))
    for begin in range(0, len(rows), step):
        some = rows[begin : begin + step]
        scores = form.against(some)
        if triangle:
            # Pairs within the chosen rows come twice, and a row may not go with itself.
            again = (place[None, : form.n_g] >= 0) & (place[None, : form.n_g] < place[some][:, None] + form.gap)
            scores[:, again] = 0.0
        flat = scores.flatten(1)
        tops.append(torch.topk(flat, min(keep, flat.shape[1]), dim=1).values)
    joint = torch.cat(tops, 1)
    if joint.shape[1] >= keep:
        floor = torch.maximum(floor, torch.topk(joint, keep, dim=1).values[:, -1] * (1.0 - SAME))
    return floor


def fused(form: Form, triangle: bool, best: Lists, late: Deadline) -> None:
    """Filter all pairs, and score what passes; with ``triangle`` pairs of two rows once."""
    gap = form.gap if triangle else ANY
    work = kernel.runs([(0, form.n_f, 0, form.n_g, gap)], form.shape).to(form.F.device)
    # One tile always fits.
    capacity = max(CAPACITY, form.shape.f * form.shape.g)
    for begin in range(0, len(work), RUNS):
        part = work[begin : begin + RUNS]
        for group in range(form.groups):
            if late.expired:
                return
            flagged = form.launcher(group, best.floor, form.coarse).flagged(part)
            waiting = [kernel.tiles(part, flagged[k : k + TILES], form.shape) for k in range(0, len(flagged), TILES)]
            while waiting and not late.expired:
                table = waiting.pop()
                pairs, count = form.launcher(group, best.floor, FINE).pairs(table, capacity)
                if count > capacity:
                    # The half that is done first raises the floor for the other.
                    half = len(table) // 2
                    waiting += [table[half:], table[:half]]
                    continue
                i, j = pairs
                best.add(form.exact(i, j), *_origin(form, triangle, i, j), form.group(group))


def scan_block(
    item: tuple[int, int, str], *given: Any
) -> tuple[list[tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]], int]:
    """The best pairs of the rows f of an ``item`` (first, end, device), and how many were scored for each target; as an
    executor calls it, anywhere that has the device."""
    f0, f1, name = item
    device = torch.device(name)
    # Triton launches on the thread's current device.
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        return _scan_block(f0, f1, device, *given)


def _scan_block(
    f0: int, f1: int, where: torch.device, kind: str, targets: Rows, F: Rows, G: Rows | None, basis: Rows, keep: int,
    late: Deadline,
) -> tuple[list[tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]], int]:
    second = F if G is None else G
    floor = torch.where(torch.from_numpy(targets.any(axis=1)), 0.0, 2.0).to(where, torch.float64)
    best, counted = Lists(floor, keep), 0
    left = F[f0:f1]
    # Pairs within one set: those of the block with itself, and with all that comes after it.
    blocks = [(g, min(g + ROWS, len(second)), False) for g in range(0 if G is not None else f1, len(second), ROWS)]
    for g0, g1, triangle in [*([(f0, f1, True)] if G is None else []), *blocks]:
        if late.expired:
            break
        right = None if triangle else second[g0:g1]
        n_pair = _pairs(f0, f1 - f0, g0, g1 - g0, triangle, 1 if kind == "sums" else 0)
        large = n_pair > DENSE
        form: Form
        if kind == "sums":
            form = Sums(targets, left, right, where, large)
        else:
            form = Products(targets, left, right, basis, where, large)
        inner = Lists(best.floor, keep)
        if large:
            inner.floor = pilot(form, triangle, inner.floor, keep)
        (fused if large else unfused)(form, triangle, inner, late)
        for t, found in enumerate(inner.lists):
            best.add(found.r2[:, None].expand(-1, len(targets)), found.i + f0, found.j + g0, slice(t, t + 1))
        counted += 0 if late.expired else n_pair
    return [tuple(a.cpu().numpy() for a in found) for found in best.lists], counted  # type: ignore[misc]


def scan(
    kind: str, targets: Rows, F: Rows, G: Rows | None, basis: Rows, keep: int, clock: Clock, executor: Executor | None,
    devices: tuple[str, ...], blocks: int = 1,
) -> list[Best]:
    """The best pairs of each target, by about so many ``blocks`` of f on the devices in turn."""
    late = Deadline(clock.deadline)
    step = max(1, min(ROWS, -(-len(F) // blocks)))
    first = [*range(0, len(F), step), len(F)]
    items = [(a, b, devices[k % len(devices)]) for k, (a, b) in enumerate(pairwise(first))]
    parts: list[list[Any]] = [[] for _ in targets]
    for found, counted in (executor or Serial()).map(scan_block, items, kind, targets, F, G, basis, keep, late):
        clock.scored += counted * len(targets)
        for t, one in enumerate(found):
            parts[t].append(one)
    score = _scorer(kind, targets, F, F if G is None else G, basis)
    out = []
    for t, lists in enumerate(parts):
        best = _merge(lists, keep + MOST_EQUAL)
        r2 = score(t, best.i, best.j)
        good = r2 > 0.0
        out.append(_merge([(r2[good], best.i[good], best.j[good])], keep))
    return out


def _scorer(
    kind: str, targets: Rows, F: Rows, second: Rows, basis: Rows
) -> Callable[[int, NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]:
    """Scores of pairs for a target by the processor's compiled code."""
    from hypo.kernels.rescore import product_scores, sum_scores

    rf, rg = (targets @ F.T, targets @ second.T) if kind == "sums" else (targets, targets)

    def score(t: int, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float64]:
        r2 = np.empty(len(i))
        if kind == "sums":
            sum_scores(F, second, rf[t].copy(), rg[t].copy(), i, j, r2)
        else:
            product_scores(F, second, targets[t], basis, i, j, r2)
        return r2

    return score
