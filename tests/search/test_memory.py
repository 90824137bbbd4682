"""The limit on memory: sizes of libraries, and what a search under a limit really takes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hypo
from hypo.api.inputs import make_settings
from hypo.data import from_arrays
from hypo.errors import InputError
from hypo.problem.problem import Settings, make_problem
from hypo.search.library.memory import LARGEST, within

X = np.random.default_rng(0).uniform(1, 3, (300, 3))


@pytest.mark.parametrize(
    ("text", "size"), [("4GB", 4e9), ("1.5 GiB", 1.5 * 2**30), ("3 gb", 3e9), (2e9, 2e9), ("10", 10.0)]
)
def test_sizes_are_read(text, size):
    assert make_settings(max_memory=text).max_memory == size


@pytest.mark.parametrize("text", ["four", "4 GBit", "-1", -1, True, float("nan"), "1e9x"])
def test_other_texts_are_refused(text):
    with pytest.raises(InputError, match="max_memory must be a number of bytes or a size"):
        make_settings(max_memory=text)


def test_libraries_follow_the_limit():
    problem = make_problem(from_arrays(X, X[:, 0]), None, Settings())
    free = within(problem, Settings())
    assert free.library_sizes == Settings().library_sizes
    sizes = [within(problem, Settings(max_memory=m)).library_sizes for m in (9e8, 2e9, 4e9, 4.9e9, 6e9, 13.5e9, 1e11)]
    assert sizes[3] == Settings().library_sizes
    # What is beyond these is streamed: room for it is asked for only where there is plenty.
    assert [s[6:] for s in sizes[4:]] == [LARGEST[:1], LARGEST[:2], LARGEST]
    assert all(s[0] == 250 and list(s) == sorted(s) for s in sizes)
    assert [s[-1] for s in sizes] == sorted(s[-1] for s in sizes) and sizes[0][-1] < 6000


def test_too_little_is_refused_with_what_is_needed():
    with pytest.raises(InputError, match=r"a memory limit of 100 MB is too small: these data need at least 8\d\d MB"):
        hypo.fit(X, X[:, 0], max_memory="100 MB")


SCRIPT = """
import json
import numpy as np, hypo
X = np.random.default_rng(0).uniform(1, 3, (1000, 4))
y = np.sin(X[:, 0]*X[:, 1] + np.exp(np.sin(3*X[:, 2])))*np.cos(5*X[:, 3]) + .3*np.log(X[:, 0] + np.cos(7*X[:, 1]*X[:, 2]))
result = hypo.fit(X, y, time_limit=15, workers=1, max_memory="950 MB")
# Not getrusage: what it calls the peak of a new process includes that of the process which started it.
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024
print(json.dumps([peak, result.settings["library_sizes"], result.coverage.scored]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_a_search_stays_within_its_limit():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300, check=True)
    peak, sizes, scored = json.loads(done.stdout.splitlines()[-1])
    assert max(sizes) < 6000 and scored > 1e6
    assert peak <= 950e6
