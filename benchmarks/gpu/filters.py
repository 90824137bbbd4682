"""Rates of the filter kernels alone, in every precision and several shapes of tile, and what each step of a scan leaves to the
next; used by run.py. On a processor, what is left of a library of 12 000 rows (which needs no device):

    TRITON_INTERPRET=1 python benchmarks/gpu/filters.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

# Pairs that a scan keeps.
KEEP = 300
# Probe rows.
PROBE = 64
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


def shares(kind: str, basis: int, n_target: int, precision: str, rate: float, peaks: Results) -> Results:
    """A rate of pairs as a share of the two limits of :mod:`hypo.kernels.gpu.pair_scan`, whose targets go into
    several launches."""
    from hypo.kernels.gpu.pair_scan import PRODUCT_TARGETS, SUM_TARGETS

    together = SUM_TARGETS if kind == "sum" else PRODUCT_TARGETS
    flop = steps = 0
    for first in range(0, n_target, together):
        targets = min(together, n_target - first)
        flop += 2 * PROBE * (1 if kind == "sum" else 1 + basis + targets)
        steps += 4 * targets + (0 if kind == "sum" else 2 * basis + 1)
    return {
        "share_of_tensor_cores": flop * rate / peaks[precision] if precision in peaks else None,
        "share_of_epilogue": steps * rate / peaks["epilogue"] if "epilogue" in peaks else None,
    }


def forms(device: str, rows: np.ndarray, X: np.ndarray) -> Iterator[tuple[str, int, Any, Any]]:
    """Name, rows of the basis, form, and the first floor, of sums and products within the rows, with one target."""
    import torch

    from hypo.search.gpu.forms import ProductForm, SumForm
    from hypo.search.gpu.layout import Piece
    from hypo.search.gpu.scan import raise_floors
    from hypo.search.gpu.top_lists import Lists
    from hypo.search.library.unit_rows import orthonormal, unit_rows

    q, where = orthonormal([np.ones(PROBE)], PROBE), torch.device(device)
    unit, raw = unit_rows(rows, q)[0], unit_rows(rows, np.empty((0, PROBE)))[0]
    y = np.array([np.sin(3 * X[0] * X[1]) + X[2] ** 3])
    for name, basis in (("sum", 0), ("product", 0), ("product", 1)):
        T = unit_rows(y, q if name == "sum" else q[:basis])[0]
        form: Any
        if name == "sum":
            form = SumForm([T], [Piece(0, unit, None)], where, [True])
        else:
            form = ProductForm([T], [Piece(0, raw, None)], q[:basis], where, [True])
        best = Lists(torch.zeros((1, 1), dtype=torch.float64, device=where), KEEP)
        raise_floors(form, best, KEEP)
        yield name, basis, form, best.floor


def tiers(device: str, rows: np.ndarray, X: np.ndarray, shape: Any = None) -> list[Results]:
    """The share that each step leaves to the next, of all pairs, and the time it takes, with the first floor."""
    from hypo.kernels.gpu import pair_tiles as kernel
    from hypo.search.gpu.scan import CAPACITY, FINE

    out = []
    for name, basis, form, floor in forms(device, rows, X):
        form.shape = shape or form.shape
        capacity = max(CAPACITY, form.shape.f * form.shape.g)
        work = kernel.runs(form.sets(), form.shape).to(form.F.device)
        coarse, fine = (form.launcher(0, floor, precision) for precision in (form.coarse, FINE))
        flagged = coarse.flagged(work)
        n = form.left.end[0]
        every = n * (n + 1 - 2 * form.gap) // 2
        one: Results = {"kind": name, "basis": basis, "rows": n, "pairs": every, "floor": float(floor[0, 0])}
        one["tiles_flagged"] = len(flagged) / int(work[:, 2].sum())
        left = dict.fromkeys(("listed", "near", "reach"), 0)
        took = dict.fromkeys(("listed", "near", "reach"), 0.0)
        # So few tiles that their pairs fit the list.
        step = max(1, capacity // (form.shape.f * form.shape.g))
        for k in range(0, len(flagged), step):
            table = kernel.tiles(work, flagged[k : k + step], form.shape)
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
    from hypo.kernels.gpu import pair_tiles as kernel

    # Tiles of products are larger than those of sums: these fit the 227 KB of a block, and the small ones twice.
    common = [kernel.Shape(), kernel.Shape(stages=3), kernel.Shape(128, 128, 32, 8, 2), kernel.Shape(64, 64, 64, 4, 3),
              kernel.Shape(128, 64, 64, 4, 2)]  # fmt: skip
    shapes = {
        "sum": [*common, kernel.Shape(128, 128, 32, 8, 3), kernel.Shape(128, 256, 16, 8, 2)],
        "product": [*common, kernel.Shape(64, 64, 64, 4, 2), kernel.Shape(64, 128, 32, 8, 2)],
    }
    out = []
    for name, basis, form, floor in forms(device, rows, X):
        for precision in ("fp16", "bf16", "tf32", "bf16x3"):
            # Compiling takes a second or two for each: shapes are compared in the precision that scans use.
            for shape in shapes[name] if precision == form.coarse and not tiny else common[:1]:
                one: Results = {"kind": name, "basis": basis, "precision": precision, "shape": list(shape)}
                try:
                    form.shape, form._operands = shape, {}
                    work = kernel.runs(form.sets(), shape).to(form.F.device)
                    launcher = form.launcher(0, floor, precision)
                    took = seconds(lambda launcher=launcher, work=work: launcher.margins(work), 5)
                    pairs = form.left.end[0] * (form.left.end[0] + 1 - 2 * form.gap) // 2
                    flagged = launcher.flagged(work)
                    one |= {
                        "pairs_per_second": pairs / took,
                        **shares(name, basis, 1, precision, pairs / took, peaks),
                        "tiles_flagged": len(flagged) / max(1, int(work[:, 2].sum())),
                    }
                except Exception as error:
                    one["failed"] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
                out.append(one)
    return out


def main() -> None:
    """The tiers on the processor, by the interpreter."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=12_000, help="rows of the library")
    options = parser.parse_args()
    from run import library_rows

    from hypo.kernels.gpu import pair_scores as cuda_rescore
    from hypo.kernels.gpu.pair_tiles import Shape

    # The interpreter takes a millisecond for each operation on a tile, so tiles are large.
    cuda_rescore.ELEMENTS = 1 << 20
    for line in tiers("cpu", *library_rows(options.rows), Shape(1024, 1024, 4)):
        print(line)


if __name__ == "__main__":
    main()
