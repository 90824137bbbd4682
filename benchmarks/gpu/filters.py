"""Rates of the filter kernels alone, in every precision and several shapes of tile; used by run.py."""

from __future__ import annotations

import time
from collections.abc import Callable
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


def filters(device: str, rows: np.ndarray, X: np.ndarray, peaks: Results, tiny: bool) -> list[Results]:
    """The filter kernels alone: every precision and shape of tile, as shares of both limits."""
    import torch

    from hypo.kernels import cuda_scan as kernel
    from hypo.search.cuda_forms import Products, Sums
    from hypo.search.cuda_scan import pilot
    from hypo.search.scan import orthonormal, unit_rows

    q = orthonormal([np.ones(PROBE)], PROBE)
    unit, raw = unit_rows(rows, q)[0], unit_rows(rows, np.empty((0, PROBE)))[0]
    y = np.array([np.sin(3 * X[0] * X[1]) + X[2] ** 3])
    where = torch.device(device)
    shapes = [kernel.Shape(), kernel.Shape(stages=3), kernel.Shape(128, 128, 32, 8, 2), kernel.Shape(128, 128, 32, 8, 3),
              kernel.Shape(128, 64, 64, 4, 3), kernel.Shape(64, 64, 64, 4, 3), kernel.Shape(128, 256, 16, 8, 2)]  # fmt: skip
    out = []
    for name, precisions in (("sum", ("fp16", "bf16", "tf32", "bf16x3")), ("product", ("bf16", "tf32", "bf16x3"))):
        for basis in (0, 1) if name == "product" else (0,):
            z = q[:basis]
            T = unit_rows(y, q if name == "sum" else z)[0]
            form: Any = Sums(T, unit, None, where, True) if name == "sum" else Products(T, raw, None, z, where, True)
            floor = pilot(form, True, torch.zeros(1, dtype=torch.float64, device=where), KEEP)
            flop = 2 * PROBE * (1 if name == "sum" else 2 + basis)
            steps = 4 if name == "sum" else 5 + 2 * basis
            for precision in precisions:
                for shape in shapes[:1] if tiny else shapes:
                    one: Results = {"kind": name, "basis": basis, "precision": precision, "shape": list(shape)}
                    try:
                        form.shape, form._operands = shape, {}
                        work = kernel.runs([(0, form.n_f, 0, form.n_g, form.gap)], shape).to(where)
                        launcher = form.launcher(0, floor, precision)
                        took = seconds(lambda launcher=launcher, work=work: launcher.margins(work), 5)
                        pairs = form.n_f * (form.n_f + 1) / 2
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
