"""Members beyond those whose pairs are all scanned: the best of them against brute force, and laws that only they hold."""

import time

import numpy as np
import pytest

from hypo import Knowledge
from hypo.clock import Clock
from hypo.data import from_arrays
from hypo.expression.parser import parse
from hypo.problem.problem import Settings, make_problem
from hypo.search.engine import search
from hypo.search.library.context import Context, LibraryView
from hypo.search.library.seeds import plain_library
from hypo.search.proposers import library_scan as scanner
from hypo.search.scan import stream
from hypo.search.scan.race import PRODUCT, SUM
from hypo.search.scan.targets import Target
from tests.oracles.no_limit import NO_LIMIT

RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 3.0, (150, 3))
NAMES = ("a", "b", "c")


def setting(y, size, knowledge=None, seconds=60.0):
    settings = Settings(n_probe=60)
    problem = make_problem(from_arrays(X, y, names=list(NAMES), target="y"), knowledge, settings)
    ctx = Context.of(problem, settings, Clock(time.monotonic() + seconds))
    library = plain_library(ctx, settings, range(3))
    library.grow(size)
    dimension = problem.pack(problem.target_dimension) if problem.has_units else None
    return ctx, library, LibraryView(library, ctx.X, 40, 60), Target(ctx.y, dimension)


def members(hits):
    return [tuple(int(h.rows.members[k]) for k in h.terms) for h in hits]


def explained(y, columns):
    """R² of the least-squares fit of y to a constant and some columns."""
    A = np.column_stack([np.ones(len(y)), *columns])
    rest = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
    return 1.0 - rest @ rest / ((y - y.mean()) @ (y - y.mean()))


def test_the_best_pairs_are_those_of_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BLOCK", 64)
    monkeypatch.setattr(stream, "HEAD", 40)
    y = np.exp(-X[:, 0]) * X[:, 1] + np.sin(X[:, 2] * X[:, 1])
    ctx, library, head, target = setting(y, 450)
    hits = stream.stream(ctx, library, 250, 450, head, [target], 20)
    t = ctx.y[ctx.probe]
    found = {
        kind: sorted(
            (
                explained(t, _columns(library, m, kind))
                for h, m in zip(hits, members(hits), strict=True)
                if h.form == kind
            ),
            reverse=True,
        )
        for kind in (SUM, PRODUCT)
    }
    tail = [m for m in range(250, 450) if library.shape[m] == m and np.ptp(library.values[m]) > 0]
    for kind in (SUM, PRODUCT):
        best = sorted(
            (explained(t, _columns(library, (int(h), m), kind)) for m in tail for h in head.members), reverse=True
        )
        assert found[kind][:10] == pytest.approx(best[:10], abs=1e-9)
    assert ctx.clock.scored >= len(tail) * len(head.members)


def _columns(library, pair, kind):
    rows = [library.values[m] for m in pair]
    return rows if kind == SUM else [np.prod(rows, axis=0)]


def test_units_are_kept() -> None:
    knowledge = Knowledge.from_dict({"units": {"a": "m", "b": "s", "c": "1", "y": "m/s"}})
    ctx, library, head, target = setting(X[:, 0] / X[:, 1] * np.cos(X[:, 2]), 900, knowledge)
    hits = stream.stream(ctx, library, 60, 900, head, [target], 15)
    assert {h.form for h in hits} == {SUM, PRODUCT}
    for h, own in zip(hits, members(hits), strict=True):
        dims = [int(library.dims[m]) for m in own]
        assert sum(dims) == target.dimension if h.form == PRODUCT else set(dims) == {target.dimension}


def test_an_expired_clock_ends_it() -> None:
    ctx, library, head, target = setting(X[:, 0], 500, seconds=-1.0)
    assert stream.stream(ctx, library, 100, 500, head, [target], 5) == []
    assert ctx.clock.scored == 0


@pytest.mark.slow
def test_a_law_that_only_streamed_members_hold_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "SCANNED", 50)
    law = parse("3*exp(-a*b)/(c + b) + 2")
    y = 3 * np.exp(-X[:, 0] * X[:, 1]) / (X[:, 2] + X[:, 1]) + 2
    settings = Settings(library_sizes=(20, 3000), n_probe=60, time_limit=NO_LIMIT, proposers=("library",))
    out = search(make_problem(from_arrays(X, y, names=list(NAMES), target="y"), None, settings), settings)
    assert out.best is not None and out.best.rmse < 1e-9, law
    few = Settings(
        library_sizes=(20,), n_probe=60, time_limit=NO_LIMIT, turns=3, posterior=False, proposers=("library",)
    )
    assert search(make_problem(from_arrays(X, y, names=list(NAMES), target="y"), None, few), few).best.rmse > 1e-3
