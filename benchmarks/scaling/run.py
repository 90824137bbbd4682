"""Scaling: one large scan on one and two workers of every executor, the cost of a task, bytes sent, and 1000 workers on paper.

Prints a table and writes the numbers as JSON. The paper estimate takes the time for all work in one process, the measured cost
of a task in the sending process and the measured rate of sending arrays.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from hypo.clock import Clock
from hypo.parallel.dask import Cluster
from hypo.parallel.executor import Executor, Serial, Threads
from hypo.parallel.processes import Processes
from hypo.search.library.unit_rows import unit_rows
from hypo.search.scan import pair_scan as scan

# Tasks without work.
EMPTY = 200
# Tasks before them that start the workers.
WARM = 16
# Measurements, of which the shortest counts.
REPEATS = 3
TARGETS = 4


def nothing(item: int) -> int:
    """A task without work."""
    return item


def touch(item: int, *arrays: np.ndarray) -> int:
    """A task that needs ``arrays`` and does nothing with them."""
    return len(arrays)


def seconds(work: Callable[[], Any]) -> float:
    """How long ``work`` takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def measured(
    name: str, workers: int, opened: Callable[[], AbstractContextManager[Any]], rows: int, n: int
) -> dict[str, Any]:
    """One executor: seconds of its start, of an empty task, of sending 16 MB, of the scan."""
    rng = np.random.default_rng(0)
    F, _ = unit_rows(rng.standard_normal((rows, n)), np.empty((0, n)))
    T, _ = unit_rows(rng.standard_normal((TARGETS, n)), np.empty((0, n)))
    begin = time.perf_counter()
    with opened() as executor:
        where: Executor = executor or Serial()
        list(where.map(nothing, range(WARM)))
        start = time.perf_counter() - begin
        task = min(seconds(lambda: list(where.map(nothing, range(EMPTY)))) for _ in range(REPEATS)) / EMPTY
        busy = time.process_time()
        list(where.map(nothing, range(EMPTY)))
        busy = (time.process_time() - busy) / EMPTY
        loads = rng.random((REPEATS, 2_000_000))
        send = min(seconds(lambda load=load: list(where.map(touch, range(2 * workers), load))) for load in loads)
        # Compiled code is loaded by the first scan.
        scan.scan_sums(T, F[:2000], None, keep=300, clock=Clock(), executor=where)
        before, clock = getattr(where, "sent", 0), Clock()
        took = seconds(lambda: scan.scan_sums(T, F, None, keep=300, clock=clock, executor=where))
        again = seconds(lambda: scan.scan_sums(T, F, None, keep=300, clock=Clock(), executor=where))
        sent = getattr(where, "sent", 0) - before
    return {
        "executor": name,
        "workers": workers,
        "start_s": start,
        "task_ms": 1e3 * task,
        "task_cpu_ms": 1e3 * busy,
        "send_MB_per_s": loads[0].nbytes / 1e6 / send,
        "scan_s": took,
        "again_s": again,
        "sent_MB": sent / 1e6,
        "tasks": math.ceil(rows / scan.TILE_F),
        "scored": clock.scored,
    }


def on_paper(serial: dict[str, Any], dask: dict[str, Any], workers: int, larger: int) -> dict[str, Any]:
    """A scan of ``larger`` times the rows on ``workers`` workers, from the measured numbers.

    Work grows with the square of the rows, blocks and bytes with the rows. The sending process handles one task after the
    other; arrays reach the workers along a tree, so in log2(workers) steps; no block is begun before they are there. A block
    of the first rows meets all others and takes twice the mean, so it bounds the time from below.
    """
    work = min(serial["scan_s"], serial["again_s"]) * larger**2
    blocks = serial["tasks"] * larger
    tasks = blocks * dask["task_cpu_ms"] / 1e3
    send = dask["sent_MB"] * larger / dask["send_MB_per_s"] * max(1.0, math.log2(workers) / math.log2(dask["workers"]))
    side_by_side = max(work / workers, 2 * work / blocks, tasks)
    return {
        "workers": workers,
        "rows_times": larger,
        "serial_s": work,
        "tasks_s": tasks,
        "send_s": send,
        "longest_block_s": 2 * work / blocks,
        "total_s": send + side_by_side,
        "speedup": work / (send + side_by_side),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the library (default 20 000)")
    parser.add_argument("--probe", type=int, default=100, help="probe rows (default 100)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "scaling.json")
    options = parser.parse_args()
    cases: list[tuple[str, int, Callable[[], AbstractContextManager[Any]]]] = [("serial", 1, nullcontext)]
    for k in (1, 2):
        cases += [
            ("threads", k, lambda k=k: Threads(k)),
            ("processes", k, lambda k=k: Processes(k)),
            ("dask", k, lambda k=k: Cluster("local", k)),
        ]
    found = []
    print("executor   workers  start s  task ms  (cpu)  send MB/s  sent MB   scan s  again s  Mpairs/s")
    with threadpool_limits(1):
        for name, workers, opened in cases:
            row = measured(name, workers, opened, options.rows, options.probe)
            found.append(row)
            print(
                f"{name:10} {workers:7} {row['start_s']:8.2f} {row['task_ms']:8.3f} {row['task_cpu_ms']:6.2f} "
                f"{row['send_MB_per_s']:10.0f} {row['sent_MB']:8.1f} {row['scan_s']:8.2f} {row['again_s']:8.2f} "
                f"{row['scored'] / row['scan_s'] / 1e6:9.0f}",
                flush=True,
            )
    serial, dask = found[0], found[-1]
    paper = [on_paper(serial, dask, w, larger) for larger in (1, 6) for w in (2, 16, 128, 1000)]
    print(f"\non paper, {options.rows} rows and six times as many:")
    print("workers   rows  serial s  send s  tasks s  longest block s  total s  speedup")
    for p in paper:
        print(
            f"{p['workers']:7} {options.rows * p['rows_times']:6} {p['serial_s']:9.1f} {p['send_s']:7.2f} "
            f"{p['tasks_s']:8.2f} {p['longest_block_s']:16.2f} {p['total_s']:8.2f} {p['speedup']:8.0f}"
        )
    load = os.getloadavg() if hasattr(os, "getloadavg") else None
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(
        json.dumps(
            {
                "cores": os.cpu_count(),
                "load": load,
                "python": platform.python_version(),
                "rows": options.rows,
                "probe": options.probe,
                "targets": TARGETS,
                "measured": found,
                "on_paper": paper,
            },
            indent=1,
        )
        + "\n",
        encoding="utf-8",
    )
    print(f"\nload of the machine: {', '.join(f'{x:.1f}' for x in load or ())}; written to {options.out}")


if __name__ == "__main__":
    main()
