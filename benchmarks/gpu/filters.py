"""Rates of the filter kernels alone, in every precision and several shapes of tile, and what each step of a scan leaves to the
next; used by run.py. On a processor, what is left of a library of 12 000 rows (which needs no device):

    TRITON_INTERPRET=1 python benchmarks/gpu/filters.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

KEEP, PROBE = 300, 64
Results = dict[str, Any]


def seconds(work: Callable[[], object], repeats: int = 20) -> float:
    """Median time of a piece of work on the device, by its own events."""
    import torch

    work()
    if not torch.cuda.is_available():
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin
    times = []
    for _ in range(repeats):
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        work()
        last.record()
        last.synchronize()
        times.append(first.elapsed_time(last) / 1e3)
    return float(np.median(times))


def forms(device: str, rows: np.ndarray, X: np.ndarray) -> Iterator[tuple[str, int, Any, Any]]:
    """Name, rows of the basis, form, and the pilot's floor, of sums and products within the rows, with one target."""
    import torch

    from hypo.search.cuda_forms import Products, Sums
    from hypo.search.cuda_layout import Piece
    from hypo.search.cuda_lists import Lists
    from hypo.search.cuda_scan import pilot
    from hypo.search.scan import orthonormal, unit_rows

    q, where = orthonormal([np.ones(PROBE)], PROBE), torch.device(device)
    unit, raw = unit_rows(rows, q)[0], unit_rows(rows, np.empty((0, PROBE)))[0]
    y = np.array([np.sin(3 * X[0] * X[1]) + X[2] ** 3])
    for name, basis in (("sum", 0), ("product", 0), ("product", 1)):
        T = unit_rows(y, q if name == "sum" else q[:basis])[0]
        form: Any
        if name == "sum":
            form = Sums([T], [Piece(0, unit, None)], where, [True])
        else:
            form = Products([T], [Piece(0, raw, None)], q[:basis], where, [True])
        best = Lists(torch.zeros((1, 1), dtype=torch.float64, device=where), KEEP)
        pilot(form, best, KEEP)
        yield name, basis, form, best.floor


def tiers(device: str, rows: np.ndarray, X: np.ndarray, shape: Any = None) -> list[Results]:
    """What each step leaves to the next, as a share of all pairs, and the time it takes, with the floor of the pilot."""
    from hypo.kernels import cuda_scan as kernel
    from hypo.search.cuda_scan import CAPACITY, FINE, TILES

    out = []
    for name, basis, form, floor in forms(device, rows, X):
        form.shape = shape or form.shape
        capacity = max(CAPACITY, form.shape.f * form.shape.g)
        work = kernel.runs(form.sets(), form.shape).to(form.F.device)
        coarse, fine = (form.launcher(0, floor, precision) for precision in (form.coarse, FINE))
        flagged = coarse.flagged(work)
        n = len(form.F[~form.left.filling])
        every = n * (n + 1 - 2 * form.gap) // 2
        one: Results = {"kind": name, "basis": basis, "rows": n, "pairs": every, "floor": float(floor[0, 0])}
        one["tiles_flagged"] = len(flagged) / int(work[:, 2].sum())
        left = dict.fromkeys(("listed", "near", "reach"), 0)
        took = dict.fromkeys(("listed", "near", "reach"), 0.0)
        for k in range(0, len(flagged), TILES):
            table = kernel.tiles(work, flagged[k : k + TILES], form.shape)
            pairs, count = fine.pairs(table, capacity)
            i, j = near = form.near(0, floor, pairs)
            left["listed"] += count
            left["near"] += len(i)
            left["reach"] += int((form.exact(0, i, j) >= floor[:1]).sum())
            if device != "cpu":
                took["listed"] += seconds(lambda table=table: fine.pairs(table, capacity), 3)  # noqa: B023
                took["near"] += seconds(lambda pairs=pairs: form.near(0, floor, pairs), 3)  # noqa: B023
                took["reach"] += seconds(lambda near=near: form.exact(0, *near), 3)  # noqa: B023
        one["filter_seconds"] = seconds(lambda: coarse.margins(work), 3) if device != "cpu" else None  # noqa: B023
        for step, count in left.items():
            one[step] = count / every
            one[f"{step}_seconds"] = took[step] if device != "cpu" else None
        out.append(one)
    return out


def filters(device: str, rows: np.ndarray, X: np.ndarray, peaks: Results, tiny: bool) -> list[Results]:
    """The filter kernels alone: every precision and shape of tile, as shares of both limits."""
    from hypo.kernels import cuda_scan as kernel

    shapes = [kernel.Shape(), kernel.Shape(stages=3), kernel.Shape(128, 128, 32, 8, 2), kernel.Shape(128, 128, 32, 8, 3),
              kernel.Shape(128, 64, 64, 4, 3), kernel.Shape(64, 64, 64, 4, 3), kernel.Shape(128, 256, 16, 8, 2)]  # fmt: skip
    out = []
    precisions = {"sum": ("fp16", "bf16", "tf32", "bf16x3"), "product": ("tf32", "bf16", "bf16x3")}
    for name, basis, form, floor in forms(device, rows, X):
        flop = 2 * PROBE * (1 if name == "sum" else 2 + basis)
        steps = 4 if name == "sum" else 5 + 2 * basis
        for precision in precisions[name]:
            for shape in shapes[:1] if tiny else shapes:
                one: Results = {"kind": name, "basis": basis, "precision": precision, "shape": list(shape)}
                try:
                    form.shape, form._operands = shape, {}
                    work = kernel.runs(form.sets(), shape).to(form.F.device)
                    launcher = form.launcher(0, floor, precision)
                    took = seconds(lambda launcher=launcher, work=work: launcher.margins(work), 5)
                    pairs = len(form.F) * (len(form.F) + 1) / 2
                    flagged = launcher.flagged(work)
                    one |= {
                        "pairs_per_second": pairs / took,
                        "share_of_tensor_cores": flop * pairs / took / peaks[precision],
                        "share_of_epilogue": steps * pairs / took / peaks["epilogue"],
                        "tiles_flagged": len(flagged) / max(1, int(work[:, 2].sum())),
                    }
                except Exception as error:
                    one["failed"] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
                out.append(one)
    return out


if __name__ == "__main__":
    from run import library_rows

    from hypo.kernels.cuda_scan import Shape

    # The interpreter takes a millisecond for each operation on a tile, so tiles are large.
    for line in tiers("cpu", *library_rows(12_000), Shape(1024, 1024, 4)):
        print(line)
