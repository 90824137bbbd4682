"""Long recordings before a search: what is left of them, and what is said."""

import numpy as np

from hypo.dynamics.thinning import MOST_NUMBERS, MOST_ROWS, shorten
from hypo.dynamics.trajectories import Run, Trajectories


def recording(n, waves, d=1, runs=1, actions=0):
    time = np.linspace(0.0, 1.0, n)
    states = np.column_stack([np.sin(2 * np.pi * waves * time + k) for k in range(d)])
    each = [Run(str(r), time, states, np.zeros((n, actions)), np.arange(n)) for r in range(runs)]
    return Trajectories(tuple(each), "t", tuple(f"x{k}" for k in range(d)), tuple(f"u{k}" for k in range(actions)))


def test_short_recordings_stay_as_they_are():
    data = recording(MOST_ROWS, 10)
    assert shorten(data) is data


def test_of_a_slow_state_every_tenth_row_is_enough():
    data = shorten(recording(10 * MOST_ROWS, 50))
    assert data.n_row == MOST_ROWS and data.runs[0].time[-1] > 0.999
    assert data.notes == (f"of {10 * MOST_ROWS} rows the laws were sought in {MOST_ROWS}: every 10th row",)


def test_of_a_fast_state_the_first_rows_stay_together():
    data = shorten(recording(10 * MOST_ROWS, 8000))
    assert data.n_row == MOST_ROWS
    assert np.array_equal(data.runs[0].rows, np.arange(MOST_ROWS))
    assert "the first rows" in data.notes[0]


def test_rows_of_next_values_and_of_inputs_stay_neighbours():
    for data, discrete in ((recording(3 * MOST_ROWS, 5), True), (recording(3 * MOST_ROWS, 5, actions=1), False)):
        assert np.all(np.diff(shorten(data, discrete).runs[0].rows) == 1)


def test_many_states_have_fewer_rows_and_many_runs_are_left_out():
    assert shorten(recording(9000, 5, d=20)).n_row * 20 <= MOST_NUMBERS
    data = shorten(recording(100, 3, runs=1000))
    assert data.n_row <= MOST_ROWS and len(data.runs) > 50
