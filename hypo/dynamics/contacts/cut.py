"""Walls and clips sought in the samples, and runs cut where they act."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.contacts.kinks import Kink, Wall, find_walls
from hypo.dynamics.contacts.pieces import LEAST_PIECE, cut_runs
from hypo.dynamics.options import Options
from hypo.dynamics.rows.columns import speed_name
from hypo.dynamics.smoothing.samples import find_clipped
from hypo.dynamics.trajectories import LEAST_MOMENTS, Run, Trajectories

Values = NDArray[np.float64]

# Rows nearer to an impact than this share of a step may lie on either side of it.
DOUBTFUL = 0.3
# Samples on each side of an impact from which a second measured state is followed up to it.
SIDE = 5
# Share of impacts at which such a state must change its sign, and the scatter of the share sent back.
OFTEN = 0.75
# Its jump in units of its usual step, at least.
LEAPS = 4.0
SCATTER = 0.25


@dataclass(frozen=True)
class Contact:
    """One meeting of a wall or bound: numbers of the pieces before and after it."""

    before: int
    after: int


@dataclass(frozen=True)
class Suspect:
    """A wall or bound seen in the samples.

    Attributes:
        state: number of the measured state that meets it.
        is_above: True where it is the state's largest value.
        speed: the name of the state that a wall turns; None for a bound at which the state is held.
        place: where, as far as samples tell.
        contacts: where runs were cut for it.
    """

    state: int
    is_above: bool
    speed: str | None
    place: float
    contacts: tuple[Contact, ...]


@dataclass(frozen=True)
class Cut:
    """Runs cut into pieces, and what they were cut for; the runs as they are where nothing was found."""

    data: Trajectories
    suspects: tuple[Suspect, ...] = ()


def cut_at_contacts(data: Trajectories, options: Options) -> Cut:
    """Runs cut at walls and clips that the samples show; of laws that look back, or of the next value, nothing is sought."""
    if options.discrete or options.delays or any(len(np.unique(r.time)) < r.n_row for r in data.runs):
        return Cut(data)
    met = _walls(data, options.order)
    clips = [c for k in range(len(data.states)) for c in _clips(data, k)]
    cuts: dict[int, set[int]] = {}
    left_out: dict[int, set[int]] = {}
    for wall, _ in met:
        for kink in wall.kinks:
            cuts.setdefault(kink.run, set()).add(kink.row)
            if options.order == 2:
                left_out.setdefault(kink.run, set()).update(_doubtful(data.runs[kink.run], wall, kink))
    for _, _, r, begin, end in clips:
        left_out.setdefault(r, set()).update(range(begin, end))
        cuts.setdefault(r, set()).add(begin)
    if not met and not clips:
        return Cut(data)
    pieces, piece_of = cut_runs(data, cuts, left_out)
    if sum(run.n_row for run in pieces.runs) < LEAST_MOMENTS or not pieces.runs:
        return Cut(data)

    def contacts(places: list[tuple[int, int, int]]) -> tuple[Contact, ...]:
        pairs = [(_nearest(piece_of, r, a, -1), _nearest(piece_of, r, b, 1)) for r, a, b in places]
        return tuple(Contact(a, b) for a, b in pairs if a is not None and b is not None)

    suspects = []
    for wall, speed in met:
        places = [(k.run, k.row, k.row + 1) for k in wall.kinks]
        suspects.append(Suspect(wall.state, wall.is_above, speed, wall.position, contacts(places)))
    for k, is_above in sorted({(k, is_above) for k, is_above, _, _, _ in clips}):
        own = [c for c in clips if c[:2] == (k, is_above)]
        place = float(data.runs[own[0][2]].states[own[0][3], k])
        suspects.append(Suspect(k, is_above, None, place, contacts([(r, a - 1, b) for _, _, r, a, b in own])))
    return Cut(pieces, tuple(s for s in suspects if s.contacts))


def _doubtful(run: Run, wall: Wall, kink: Kink) -> set[int]:
    """Rows so near an impact that its noise does not tell on which side of it they are."""
    rows = [i for i in range(kink.row - 1, kink.row + 3) if 0 <= i < run.n_row]
    gap = float(run.time[kink.row + 1] - run.time[kink.row])
    if np.isfinite(kink.time):
        return {i for i in rows if abs(float(run.time[i]) - kink.time) < DOUBTFUL * gap}
    beside = [kink.row, kink.row + 1]
    values = run.states[beside, wall.state]
    return {beside[int(np.nanargmax(values) if wall.is_above else np.nanargmin(values))]}


def _nearest(piece_of: dict[tuple[int, int], int], run: int, row: int, side: int) -> int | None:
    """The piece that has a row, or the nearest one on its side where next to an impact rows were left out."""
    rows = [row, row + side, row + 2 * side]
    return next((piece_of[run, i] for i in rows if (run, i) in piece_of), None)


def _walls(data: Trajectories, order: int) -> list[tuple[Wall, str]]:
    """Walls, and the name of the state that each turns: a hidden speed, or one that was measured."""
    out = []
    for k, name in enumerate(data.states):
        rows = [np.flatnonzero(np.isfinite(r.states[:, k])) for r in data.runs]
        runs = [(r.time[own], r.states[own, k]) for r, own in zip(data.runs, rows, strict=True)]
        for found in find_walls(runs, k):
            kinks = tuple(_at_row(kink, rows[kink.run]) for kink in found.kinks)
            wall = replace(found, kinks=kinks)
            if order == 2:
                moved = tuple(_by_moment(data.runs[kink.run], kink) for kink in wall.kinks)
                out.append((replace(wall, kinks=moved), speed_name(name)))
                continue
            turned = _turned(data, wall)
            if turned is not None:
                out.append(turned)
    return out


def _by_moment(run: Run, kink: Kink) -> Kink:
    """The impact between the rows around its moment."""
    if not np.isfinite(kink.time):
        return kink
    row = int(np.searchsorted(run.time, kink.time)) - 1
    return replace(kink, row=min(max(row, 0), run.n_row - 2))


def _at_row(kink: Kink, rows: NDArray[np.int64]) -> Kink:
    return replace(kink, row=int(rows[kink.row]))


def _turned(data: Trajectories, wall: Wall) -> tuple[Wall, str] | None:
    """A measured state that changes its sign at the impacts, by a like share, and the wall with its impacts where that state
    jumps; None where there is none: then the law changes there, and not a state."""
    best: tuple[float, Wall, str] | None = None
    for j, name in enumerate(data.states):
        if j == wall.state:
            continue
        kinks = [_jump(data, kink, j) for kink in wall.kinks]
        steps = np.abs(np.concatenate([np.diff(run.states[:, j]) for run in data.runs]))
        usual = float(np.nanmedian(steps))
        seen = [k for k in kinks if k.before * k.after < 0 and abs(k.after - k.before) > LEAPS * usual]
        known = [k for k in kinks if np.isfinite(k.before)]
        if len(seen) < max(2, OFTEN * len(known)):
            continue
        shares = np.array([-k.after / k.before for k in seen])
        scatter = float(np.std(shares) / np.mean(shares))
        if scatter < SCATTER and (best is None or scatter < best[0]):
            best = scatter, replace(wall, kinks=tuple(kinks)), name
    return None if best is None else best[1:]


def _jump(data: Trajectories, kink: Kink, j: int) -> Kink:
    """The impact between the neighbouring rows where state j jumps most, with that state before and after it; NaN where samples
    are too few to tell."""
    run = data.runs[kink.run]
    y = run.states[:, j]
    rows = [i for i in (kink.row - 1, kink.row, kink.row + 1) if 0 <= i < run.n_row - 1]
    steps = [abs(y[i + 1] - y[i]) if np.isfinite(y[i + 1] - y[i]) else -1.0 for i in rows]
    row = rows[int(np.argmax(steps))]
    moment = kink.time if np.isfinite(kink.time) else 0.5 * (run.time[row] + run.time[row + 1])
    before = _extrapolated(run.time[: row + 1][-SIDE:], y[: row + 1][-SIDE:], moment)
    after = _extrapolated(run.time[row + 1 :][:SIDE], y[row + 1 :][:SIDE], moment)
    return replace(kink, row=row, before=before, after=after)


def _extrapolated(t: Values, y: Values, moment: float) -> float:
    """The value at a moment of the line through samples; NaN for fewer than three."""
    known = np.isfinite(y)
    if known.sum() < 3:
        return float("nan")
    A = np.vander(t[known] - moment, 2, increasing=True)
    return float(np.linalg.lstsq(A, y[known], rcond=None)[0][0])


def _clips(data: Trajectories, k: int) -> list[tuple[int, bool, int, int, int]]:
    """Stretches of samples of state k at exactly its least or largest value, with rows enough before and after: state, side,
    run, first row, row behind the last one."""
    finite = np.concatenate([r.states[:, k] for r in data.runs])
    finite = finite[np.isfinite(finite)]
    low, high = float(finite.min()), float(finite.max())
    out = []
    for r, run in enumerate(data.runs):
        y = run.states[:, k]
        if not np.all(np.isfinite(y)):
            continue
        clipped = np.concatenate([[False], find_clipped(y, low, high), [False]])
        for begin, end in np.flatnonzero(clipped[1:] != clipped[:-1]).reshape(-1, 2):
            if begin >= LEAST_PIECE and run.n_row - end >= LEAST_PIECE:
                out.append((k, bool(y[begin] == high), r, int(begin), int(end)))
    return out
