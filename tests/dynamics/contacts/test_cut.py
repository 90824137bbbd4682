"""Runs cut at walls and clips, and put together again."""

import numpy as np

from hypo.dynamics.contacts.cut import cut_at_contacts
from hypo.dynamics.contacts.pieces import find_pieces, joined
from hypo.dynamics.options import Options
from hypo.dynamics.trajectories import Run, Trajectories
from tests.dynamics.contacts.ball import FLOOR, drop


def as_data(time, samples, names, name=""):
    run = Run(name, time, samples, np.empty((len(time), 0)), np.arange(len(time)))
    return Trajectories((run,), "t", names)


def test_a_ball_is_cut_at_its_impacts():
    """No piece holds an impact, and no row is lost but those beside them."""
    time = np.linspace(0, 2.5, 100)
    y, v, meets = drop(time)
    for data, options, speed in (
        (as_data(time, y[:, None], ("y",), "a"), Options(order=2), "y_dot"),
        (as_data(time, np.column_stack([y, v]), ("y", "v"), "a"), Options(), "v"),
    ):
        found = cut_at_contacts(data, options)
        (wall,) = found.suspects
        assert wall.speed == speed and abs(wall.place - FLOOR) < 1e-6
        assert [(c.before, c.after) for c in wall.contacts] == [(k, k + 1) for k in range((meets < 2.5).sum())]
        for run in found.data.runs:
            assert not np.any((meets > run.time[0]) & (meets < run.time[-1]))
        assert [run.name for run in found.data.runs] == [f"a, part {n}" for n in range(1, len(found.data.runs) + 1)]
        whole = joined(found.data, 0)
        assert whole.name == "a" and find_pieces(found.data, "a") == list(range(len(found.data.runs)))
        assert whole.n_row >= 100 - len(wall.contacts)
        assert np.array_equal(whole.states, data.runs[0].states[whole.rows])


def test_a_kink_of_the_law_is_no_impact():
    """Where no speed jumps, only the law changes."""
    time = np.linspace(0, 10, 100)
    y = np.abs(np.mod(time, 4.0) - 2.0)
    assert not cut_at_contacts(as_data(time, np.column_stack([y, np.sin(time)]), ("y", "z")), Options()).suspects


def test_a_clipped_stretch_is_left_out():
    time = np.linspace(0, 10, 100)
    x = np.minimum(2.0 * np.sin(time), 1.5)
    found = cut_at_contacts(as_data(time, np.column_stack([x, np.cos(time)]), ("x", "v")), Options())
    (bound,) = found.suspects
    assert bound.speed is None and bound.is_above and bound.place == 1.5 and len(bound.contacts) == 2
    assert all(run.states[:, 0].max() < 1.5 for run in found.data.runs)


def test_nothing_is_cut_where_nothing_happens():
    time = np.linspace(0, 10, 100)
    data = as_data(time, np.column_stack([np.sin(time), np.cos(time)]), ("x", "v"))
    for options in (Options(), Options(order=2), Options(discrete=True)):
        assert cut_at_contacts(data, options).data is data
