"""Runs cut into pieces where something happens to a state that its law does not say, and put together again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.trajectories import Run, Trajectories

# Moments that a piece has at least; a shorter one is left out.
LEAST_PIECE = 4
_PART = re.compile(r"(?:^|, )part \d+$")


def cut_runs(
    data: Trajectories, cuts: Mapping[int, set[int]], left_out: Mapping[int, set[int]]
) -> tuple[Trajectories, dict[tuple[int, int], int]]:
    """Runs cut into pieces.

    Args:
        data: the runs.
        cuts: by run the rows after which it is cut.
        left_out: by run the rows that belong to no piece.

    Returns:
        the pieces as runs, called ``"a, part 2"``, and for each run and row of ``data`` that one of them has the number of that
        piece.
    """
    runs: list[Run] = []
    piece_of: dict[tuple[int, int], int] = {}
    for r, run in enumerate(data.runs):
        pieces = _pieces(run, cuts.get(r, set()), left_out.get(r, set()))
        for n, rows in enumerate(pieces, 1):
            name = run.name
            if r in cuts or r in left_out:
                name = f"{run.name}, part {n}" if run.name else f"part {n}"
            piece_of |= {(r, int(i)): len(runs) for i in rows}
            runs.append(run.take(rows, name))
    return replace(data, runs=tuple(runs)), piece_of


def _pieces(run: Run, cuts: set[int], left_out: set[int]) -> list[NDArray[np.int64]]:
    pieces: list[list[int]] = [[]]
    for i in range(run.n_row):
        if i not in left_out:
            pieces[-1].append(i)
        if i in cuts:
            pieces.append([])
    return [np.array(p) for p in pieces if len(np.unique(run.time[p])) >= LEAST_PIECE] if cuts or left_out else [
        np.arange(run.n_row)
    ]  # fmt: skip


def whole_name(name: str) -> str:
    """The name of a run before it was cut."""
    return _PART.sub("", name)


def joined(data: Trajectories, number: int) -> Run:
    """The recording of which run ``number`` is a piece: all its pieces in one; another run is itself."""
    run = data.runs[number]
    if not _PART.search(run.name):
        return run
    own = [r for r in data.runs if _PART.search(r.name) and whole_name(r.name) == whole_name(run.name)]
    return Run(
        whole_name(run.name),
        np.concatenate([r.time for r in own]),
        np.concatenate([r.states for r in own]),
        np.concatenate([r.actions for r in own]),
        np.concatenate([r.rows for r in own]),
    )


def find_pieces(data: Trajectories, name: str) -> list[int]:
    """Numbers of the pieces of the run that was called ``name`` before it was cut."""
    return [k for k, r in enumerate(data.runs) if _PART.search(r.name) and whole_name(r.name) == name]
