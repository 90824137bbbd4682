"""The kernels that the rest of hypo calls, with the types it calls them with: what is compiled after an installation.

The first are those without which nothing can be scored, then those of fits, of enumeration and scans, of evolution,
and of systems that are followed through time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numba import typeof

from hypo.kernels import turns
from hypo.kernels.cpu.enumerate import flatten, grow
from hypo.kernels.cpu.evaluate import evaluate, value_and_gradient
from hypo.kernels.cpu.evolution.nodes import BreedingGrammar
from hypo.kernels.cpu.evolution.tidy import tidy
from hypo.kernels.cpu.evolution.variation import breed
from hypo.kernels.cpu.fit_batch import fit_batch
from hypo.kernels.cpu.fit_program import minimise, project
from hypo.kernels.cpu.many_targets import judge
from hypo.kernels.cpu.member_table import MEMBER, insert_batch, rehash
from hypo.kernels.cpu.operators import left_adjoint, right_adjoint, unary_adjoint
from hypo.kernels.cpu.pair_scan import apply_steps, product_tile, refit, sum_tile
from hypo.kernels.cpu.trajectories.adaptive import follow_adaptive, follow_with_extras
from hypo.kernels.cpu.trajectories.batch import Batch, Control, Samples
from hypo.kernels.cpu.trajectories.crossings import Events
from hypo.kernels.cpu.trajectories.delays import Delays
from hypo.kernels.cpu.trajectories.fixed import follow_discrete
from hypo.kernels.cpu.trajectories.laws import Laws, rates_and_slopes
from hypo.kernels.cpu.tuple_scan import extend_tuples, triples


class Entry(NamedTuple):
    """A kernel and the types of its arguments."""

    kernel: Any
    types: tuple[Any, ...]

    @property
    def busy(self) -> bool:
        """True while somebody is compiling it."""
        lock = getattr(self.kernel._cache, "lock", None)
        return lock is not None and turns.is_held(lock(self.types))

    def compile(self) -> None:
        """Compile it, or load what was compiled."""
        self.kernel.compile(self.types)


def _entry(kernel: Any, *examples: Any) -> Entry:
    return Entry(kernel, tuple(map(typeof, examples)))


def _zeros(kind: type) -> tuple[Any, Any, Any]:
    """Arrays of one to three dimensions."""
    return np.zeros(1, kind), np.zeros((1, 1), kind), np.zeros((1, 1, 1), kind)


def entries() -> Iterator[Entry]:
    """Those of searches and fits, the most needed first."""
    f, F, _ = _zeros(np.float64)
    s, S, short = _zeros(np.float32)
    i, codes, _ = _zeros(np.int32)
    n, N, terms = _zeros(np.int64)
    flaws, members, state = np.zeros(1, np.int8), np.zeros(1, MEMBER), np.zeros(1, np.uint64)
    programs, table, heaps = (codes, codes, F, n), (F, members, n, f), (F, N, N)
    grammar = BreedingGrammar(n, f, n, f, n, n, 0, 0, True, True, f, n, n, True, 0, 0, 0, f, i, i, f, n)
    yield _entry(evaluate, i, i, n, f, n, F, F)
    # Parts of many: who begins with them need not wait for each other.
    yield _entry(unary_adjoint, np.int32(0), f, f, f, f, 0)
    yield _entry(left_adjoint, np.int32(0), f, f, f, f, f, 0)
    yield _entry(right_adjoint, np.int32(0), f, f, f, f, f, 0)
    yield _entry(value_and_gradient, i, i, f, F, f, F)
    yield _entry(insert_batch, 0, (F, members, f, f, f), np.int64(0), table, 0, 0)
    yield _entry(minimise, (i, i, n, f), (F, f, f), 0, f, 1.0, 0, 1.0)
    yield _entry(rehash, members, n, 0)
    yield _entry(flatten, n, members, i, i, n, i, i, n)
    rules, pruning = (n, np.int64(0), 0, 0), (flaws, flaws, n)
    yield _entry(grow, (0, True, 0), (0, 0), (0, 0), rules, pruning, table, 0, 0)
    yield _entry(sum_tile, S, (F, s, F), (F, s, F), (0, 0), True, heaps)
    yield _entry(refit, True, N, F, (f, F, f), (n, n, F), (f, f), f)
    yield _entry(apply_steps, f, n, n, F, 0)
    yield _entry(extend_tuples, N, n, F, f, N, F)
    yield _entry(triples, F, S, f, f, n, n)
    yield _entry(product_tile, (short, short, S), (F, F), (F, F, f), (0, 0), True, heaps)
    yield _entry(judge, F, F, S, F, F, F, terms, F)
    yield _entry(fit_batch, programs, (F, f, f), True, 0, f, f, F)
    yield _entry(breed, grammar, state, programs, f, 0, 0, programs)
    yield _entry(tidy, grammar, programs)
    yield _entry(project, (i, i, n, f), (F, f, f), 0, F)


def entries_of_motion() -> Iterator[Entry]:
    """Kernels that follow systems through time, which searches for a single law do not need."""
    f, F, _ = _zeros(np.float64)
    i, _, _ = _zeros(np.int32)
    n, N, _ = _zeros(np.int64)
    laws, cube, hypercube = Laws(i, i, n, f, n, 1, 0, 0, 0, 0), np.zeros((1, 1, 1)), np.zeros((1, 1, 1, 1))
    batch, samples = Batch(F, F, F, hypercube, False), Samples(cube, hypercube, f, n)
    delays, events, control = Delays(n, F, F, hypercube), Events(laws, n, n, n, f, f, N), Control(1.0, f, 0, True)
    yield _entry(follow_adaptive, laws, batch, control, samples)
    yield _entry(follow_discrete, laws, batch, f, samples, delays, events)
    yield _entry(rates_and_slopes, laws, F, F, cube)
    yield _entry(follow_with_extras, laws, batch, control, samples, delays, events)
