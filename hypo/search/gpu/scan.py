"""Pair scans on a device: the same lists as :func:`hypo.search.scan.pair_scan.scan_sums` and ``scan_products``, of many
scans at once.

1. *Pilot*: some rows with all others, in double precision; the ``keep``-th best is a score that the best pairs reach.
2. *Filter*: tensor cores go through all tiles at a coarse precision and flag those with a pair that may reach it, then through
   the flagged ones at a finer precision and list the pairs (:mod:`hypo.kernels.gpu.pair_scan`). Rows of large scans are in an
   order of clusters (:mod:`hypo.kernels.gpu.row_order`).
3. *Near*: the listed pairs in single precision, element by element (:mod:`hypo.kernels.gpu.pair_scores`). Each step knows how
   much it may be off, so nothing is lost, and all need few bytes of device memory.
4. *Scores*: what is left in double precision on the device; the floor rises as better pairs come.
5. The best, and what equals the last of them to ``SAME``, are scored by the compiled code of the processor: the lists agree
   with its lists also where many pairs are exact and rounding decides.

One small scan is scored in double precision throughout (``against``). The dimension groups of a library are so many scans, and
go into one launch of each kernel together. Sets of rows larger than ``ROWS`` are streamed, blocks of f with blocks of g. An
executor does blocks of f one after the other, a share of them, or elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hypo.clock import Clock, Deadline
from hypo.kernels.gpu.pair_tiles import runs, tiles
from hypo.parallel.executor import Executor, Serial
from hypo.search.gpu.forms import ProductForm, SumForm
from hypo.search.gpu.layout import Piece
from hypo.search.gpu.top_lists import MOST_EQUAL, Lists, find_last_scores
from hypo.search.scan.pair_scan import Best, Job, _merge, _pairs
from hypo.search.scan.prefilter import Rows, spread

# Pairs up to which all of one scan are scored in double precision.
DENSE = 1 << 24
# Rows that are paired with all others first.
FIRST_ROWS = 128
# Pairs that are scored at once.
BLOCK = 1 << 24
# Rows of either side on the device at once.
ROWS = 1 << 21
# Pairs that one launch lists.
CAPACITY = 1 << 24
# Tiles that one launch goes through.
TILES = 1 << 14
# The precision at which flagged tiles are looked into.
FINE = "bf16x3"
# Runs of tiles between two looks at the clock: some ten milliseconds.
RUNS = 1 << 14

Form = SumForm | ProductForm


def scan_dense(form: Form, best: Lists, late: Deadline) -> None:
    """Score all pairs of the one piece of a form, whole blocks of scores in memory."""
    columns = torch.arange(form.right.end[0], device=form.F.device)
    step = max(1, BLOCK // max(1, len(columns) * form.n_target))
    for begin in range(0, form.left.end[0], step):
        if late.expired:
            return
        rows = torch.arange(begin, min(begin + step, form.left.end[0]), device=form.F.device)
        scores = form.against(0, rows)
        if form.within[0]:
            scores[:, columns[None, :] - rows[:, None] < form.gap] = 0.0
        enough = (scores >= best.floor[form.job[0], :, None, None]) & (scores > 0.0)
        a, b = torch.nonzero(enough.any(0), as_tuple=True)
        best.add(scores[:, a, b].T, *form.origin(rows[a], b), slice(None))


def raise_floors(form: Form, best: Lists, keep: int) -> None:
    """Raise the floors to scores that the ``keep`` best pairs of each target reach: of some rows f with all g. Large pieces are
    looked at one by one, all others together."""
    small = []
    for k, (f0, f1, g0, g1, _) in enumerate(form.sets()):
        if (f1 - f0) * (g1 - g0) > DENSE or form.n_piece == 1:
            best.raise_to(_score_first_rows(form, k, keep, best.floor))
        else:
            small.append(k)
    if small:
        best.raise_to(_score_first_rows_of_many(form, small, keep, best.floor))


def _score_first_rows(form: Form, piece: int, keep: int, floor: Tensor) -> Tensor:
    """Scores (n_slot,) of some rows f of a piece with all its g."""
    f0, f1, g0, g1, _ = form.sets()[piece]
    n_f, n_g, where = f1 - f0, g1 - g0, form.F.device
    if isinstance(form, SumForm):
        # Nearly all pairs with a row explain at least as much as the row alone.
        count = min(max(2, FIRST_ROWS // form.n_target), n_f)
        rows = torch.unique(torch.topk(form.rf[:, f0:f1].abs(), count, dim=1).indices)
    else:
        # The first rows are the simplest; what goes well with some of them goes well with others.
        some = np.unique(np.concatenate([np.arange(min(n_f, FIRST_ROWS // 2)), spread(n_f, FIRST_ROWS // 2)]))
        rows = torch.argsort(form.left.row[f0:f1])[torch.from_numpy(some).to(where)]
    place = torch.full((max(n_f, n_g),), -1, dtype=torch.int64, device=where)
    place[rows] = torch.arange(len(rows), device=where)
    tops: list[Tensor] = []
    step = max(1, BLOCK // max(1, n_g * form.n_target))
    for begin in range(0, len(rows), step):
        few = rows[begin : begin + step]
        scores = form.against(piece, few + f0)
        if form.within[piece]:
            # Pairs within the chosen rows come twice, and a row may not go with itself.
            again = (place[None, :n_g] >= 0) & (place[None, :n_g] < place[few][:, None] + form.gap)
            scores[:, again] = 0.0
        flat = scores.flatten(1)
        tops.append(torch.topk(flat, min(keep, flat.shape[1]), dim=1).values)
    joint, out = torch.cat(tops, 1), torch.zeros_like(floor)
    if joint.shape[1] >= keep:
        out[form.job[piece]] = torch.topk(joint, keep, dim=1).values[:, -1]
    return out


def _score_first_rows_of_many(form: Form, pieces: list[int], keep: int, floor: Tensor) -> Tensor:
    """Scores (n_slot,) of some rows f of each of the pieces with all its g, listed pair by pair."""
    where = form.F.device
    sets = torch.tensor(form.sets(), device=where)[pieces]
    f0, n_f, g0, n_g = sets[:, 0], sets[:, 1] - sets[:, 0], sets[:, 2], sets[:, 3] - sets[:, 2]
    within = torch.tensor(form.within, device=where)[pieces]
    wanted = max(4, FIRST_ROWS // len(pieces))
    of = torch.repeat_interleave(torch.arange(len(pieces), device=where), n_f)
    rank = torch.arange(len(of), device=where) - (n_f.cumsum(0) - n_f)[of]
    row = f0[of] + rank
    if isinstance(form, SumForm):
        order = torch.argsort(-form.rf[:, row].abs().amax(0), stable=True)
        order = order[torch.argsort(of[order], stable=True)]
        chosen = order[rank < wanted]
    else:
        chosen = torch.nonzero((rank < wanted // 2) | (rank % (1 + n_f[of] // max(1, wanted // 2)) == 0)).view(-1)
    is_chosen = torch.zeros(len(of) + 1, dtype=torch.bool, device=where)
    is_chosen[chosen] = True
    count = n_g[of[chosen]]
    pair = torch.repeat_interleave(torch.arange(len(chosen), device=where), count)
    b = torch.arange(len(pair), device=where) - (count.cumsum(0) - count)[pair]
    a, piece = rank[chosen][pair], of[chosen][pair]
    # Pairs within the chosen rows come twice, and a row may not go with itself.
    first = (n_f.cumsum(0) - n_f)[piece]
    twice = (b < a) & is_chosen[torch.where(within[piece], first + b, -1)]
    again = within[piece] & (twice | ((b - a).abs() < form.gap))
    a, b, piece = a[~again], b[~again], piece[~again]
    i, j = f0[piece] + a, g0[piece] + b
    slots = torch.arange(floor.numel(), device=where).view_as(floor)
    out = torch.zeros(floor.numel(), dtype=torch.float64, device=where)
    for group in range(form.groups):
        scores = form.exact(group, i, j)
        slot = slots[:, form.group(group)][form.job_f[i]]
        out = torch.maximum(out, find_last_scores(slot.flatten(), scores.flatten(), len(out), keep))
    return out


def scan_fused(form: Form, best: Lists, late: Deadline) -> None:
    """Filter all pairs of all pieces, and score what passes."""
    work = runs(form.sets(), form.shape).to(form.F.device)
    # One tile always fits.
    capacity = max(CAPACITY, form.shape.f * form.shape.g)
    for begin in range(0, len(work), RUNS):
        part = work[begin : begin + RUNS]
        for group in range(form.groups):
            if late.expired:
                return
            flagged = form.launcher(group, best.floor, form.coarse).flagged(part)
            waiting = [tiles(part, flagged[k : k + TILES], form.shape) for k in range(0, len(flagged), TILES)]
            while waiting and not late.expired:
                table = waiting.pop()
                pairs, count = form.launcher(group, best.floor, FINE).pairs(table, capacity)
                if count > capacity:
                    # The half that is done first raises the floor for the other.
                    half = len(table) // 2
                    waiting += [table[half:], table[:half]]
                    continue
                i, j = form.near(group, best.floor, pairs)
                best.add(form.exact(group, i, j), *form.origin(i, j), form.group(group))


def scan_block(
    item: tuple[list[tuple[int, int, int]], str],
    kind: str,
    basis: Rows,
    keep: int,
    late: Deadline,
    *arrays: Rows | None,
) -> tuple[list[Any], list[int]]:
    """The best pairs (r2, i, j) of each target of each scan with the rows f of an ``item`` (scan, first, end; device), and how
    many pairs of each scan were scored for each target; as an executor calls it, anywhere that has the device. The ``arrays``
    of all scans (targets, F, G) come one by one, for that is how executors send them only once."""
    mine, name = item
    device = torch.device(name)
    jobs: Any = [arrays[k : k + 3] for k in range(0, len(arrays), 3)]
    # Triton launches on the thread's current device.
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        return _scan_block(mine, device, kind, jobs, basis, keep, late)


def _pieces(mine: list[tuple[int, int, int]], jobs: Sequence[Job]) -> list[list[Piece]]:
    """Pieces of work, those together that fit on the device together."""
    out: list[list[Piece]] = []
    room = 0
    for k, f0, f1 in mine:
        _, F, G = jobs[k]
        second = F if G is None else G
        # Pairs within one set: those of the block with itself, and with all that comes after it.
        own = [Piece(k, F[f0:f1], None, f0, f0)] if G is None else []
        for g0 in range(0 if G is not None else f1, len(second), ROWS):
            own.append(Piece(k, F[f0:f1], second[g0 : g0 + ROWS], f0, g0))
        for piece in own:
            needed = len(piece.F) + (0 if piece.G is None else len(piece.G))
            room -= needed
            if room < 0:
                out.append([])
                room = 2 * ROWS - needed
            out[-1].append(piece)
    return out


def _scan_block(
    mine: list[tuple[int, int, int]],
    where: torch.device,
    kind: str,
    jobs: Sequence[Job],
    basis: Rows,
    keep: int,
    late: Deadline,
) -> tuple[list[Any], list[int]]:
    n_target = max(len(targets) for targets, _, _ in jobs)
    # What is nothing, or no target at all, is out of reach.
    floor = torch.full((len(jobs), n_target), 2.0, dtype=torch.float64)
    for k, (targets, _, _) in enumerate(jobs):
        floor[k, : len(targets)][torch.from_numpy(targets.any(axis=1))] = 0.0
    best, counted = Lists(floor.to(where), keep), [0] * len(jobs)
    for pieces in _pieces(mine, jobs):
        if late.expired:
            break
        n_pair = [
            _pairs(0, len(p.F), 0, len(p.F if p.G is None else p.G), p.G is None, 1 if kind == "sums" else 0)
            for p in pieces
        ]
        every, ordered = [job[0] for job in jobs], [n > DENSE for n in n_pair]
        form: Form = (
            SumForm(every, pieces, where, ordered)
            if kind == "sums"
            else ProductForm(every, pieces, basis, where, ordered)
        )
        raise_floors(form, best, keep)
        (scan_dense if len(pieces) == 1 and not ordered[0] else scan_fused)(form, best, late)
        if not late.expired:
            for piece, n in zip(pieces, n_pair, strict=True):
                counted[piece.job] += n
    return [tuple(a.cpu().numpy() for a in found) for found in best.slots()], counted


def scan(
    kind: str,
    jobs: Sequence[Job],
    basis: Rows,
    keep: int,
    clock: Clock,
    executor: Executor | None,
    devices: tuple[str, ...],
    blocks: int = 1,
) -> list[list[Best]]:
    """The best pairs of each target of each scan (targets, F, G), by about so many ``blocks`` of f on the devices in turn."""
    late = Deadline(clock.deadline)
    ends = list(accumulate(len(F) for _, F, _ in jobs))
    step = max(1, min(ROWS, -(-ends[-1] // blocks)))
    items = []
    for at, first in enumerate(range(0, ends[-1], step)):
        mine = []
        for k, ((_, F, _), end) in enumerate(zip(jobs, ends, strict=True)):
            f0, f1 = max(first - end + len(F), 0), min(first + step - end + len(F), len(F))
            if f0 < f1:
                mine.append((k, f0, f1))
        items.append((mine, devices[at % len(devices)]))
    n_target = max(len(targets) for targets, _, _ in jobs)
    parts: list[list[Any]] = [[] for _ in range(len(jobs) * n_target)]
    arrays = [array for job in jobs for array in job]
    for found, counted in (executor or Serial()).map(scan_block, items, kind, basis, keep, late, *arrays):
        for (targets, _, _), n in zip(jobs, counted, strict=True):
            clock.scored += n * len(targets)
        for slot, one in enumerate(found):
            parts[slot].append(one)
    out = []
    for k, (targets, F, G) in enumerate(jobs):
        score = _scorer(kind, targets, F, F if G is None else G, basis)
        lists = []
        for t in range(len(targets)):
            best = _merge(parts[k * n_target + t], keep + MOST_EQUAL)
            r2 = score(t, best.i, best.j)
            good = r2 > 0.0
            lists.append(_merge([(r2[good], best.i[good], best.j[good])], keep))
        out.append(lists)
    return out


def _scorer(
    kind: str, targets: Rows, F: Rows, second: Rows, basis: Rows
) -> Callable[[int, NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]:
    """Scores of pairs for a target by the processor's compiled code."""
    from hypo.kernels.cpu.pair_scores import product_scores, sum_scores

    rf, rg = (targets @ F.T, targets @ second.T) if kind == "sums" else (targets, targets)

    def score(t: int, i: NDArray[np.int64], j: NDArray[np.int64]) -> NDArray[np.float64]:
        r2 = np.empty(len(i))
        if kind == "sums":
            sum_scores(F, second, rf[t].copy(), rg[t].copy(), i, j, r2)
        else:
            product_scores(F, second, targets[t], basis, i, j, r2)
        return r2

    return score
