"""Whole searches: the same model in one process, in a fresh one, and with any number of workers; resumed and merged ones."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hypo
from hypo.dynamics.discovery import single
from hypo.dynamics.discovery.discover import discover
from hypo.dynamics.options import Options
from tests.cli.command_line import write_csv
from tests.dynamics.discovery.test_discover import epidemic, simulate

ROOT = Path(__file__).parents[2]
LIMIT = 1e4


def numbers(found):
    """All that a search decided: systems with constants, errors, scores and weights."""
    return [
        (
            str(s.fitted.system.equations),
            list(s.fitted.system.parameters),
            s.fitted.covariance.tolist(),
            s.score,
            s.weight,
        )
        for s in found.systems
    ]


@pytest.fixture
def little_work(monkeypatch):
    """Searches that take a tenth of their work."""
    monkeypatch.setattr(single, "WORK", 0.2)


def decay():
    return simulate(lambda t, x: [-0.2 * x[0]], [[10.0]], ("x",), n=12)


def test_a_second_call_gives_the_same(little_work):
    one, two = (discover(decay(), Options(time_limit=LIMIT)) for _ in range(2))
    assert numbers(one) == numbers(two) and not one.is_cut and one.turns == 1


@pytest.mark.slow
def test_a_longer_limit_changes_nothing_once_the_search_has_ended(little_work):
    one, two = (discover(epidemic(n=40), Options(time_limit=limit)) for limit in (LIMIT, 10 * LIMIT))
    assert numbers(one) == numbers(two)


@pytest.mark.slow
def test_a_resumed_search_is_no_worse_than_an_unbroken_one(little_work):
    data = epidemic(n=40)
    first = discover(data, Options(time_limit=LIMIT))
    unbroken = discover(data, Options(time_limit=LIMIT, turns=2))
    resumed = discover(data, Options(time_limit=LIMIT), before=first)
    assert resumed.turns == unbroken.turns == 2
    assert resumed.systems[0].score <= min(first.systems[0].score, unbroken.systems[0].score) + 1e-3


@pytest.mark.slow
def test_what_was_cut_goes_on_with_the_turn_that_was_not_ended(little_work):
    data = epidemic(n=40)
    cut = discover(data, Options(time_limit=0.5))
    assert cut.is_cut and cut.turns == 0 and any(r.startswith("the time limit") for r in cut.remarks)
    whole = discover(data, Options(time_limit=LIMIT))
    resumed = discover(data, Options(time_limit=LIMIT), before=cut)
    assert resumed.turns == 1 and resumed.systems[0].score <= whole.systems[0].score + 1e-3


@pytest.mark.slow
def test_merged_shards_are_as_good_as_each(little_work):
    data = epidemic(n=40)
    models = [
        hypo.WorldModel(discover(data, Options(time_limit=LIMIT, shard=(k, 2))), {"shard": [k, 2]}) for k in (1, 2)
    ]
    merged = hypo.WorldModel.merge(models)
    best = min(m.discovered.systems[0].score for m in models)
    assert merged.discovered.systems[0].score == best
    found = merged.discovered
    assert math.isclose(sum(s.weight for s in found.systems) + found.unmet, 1.0)
    assert found.unmet <= min(m.discovered.unmet for m in models) + 1e-12


def by_command(folder, *options):
    """What ``hypo dynamics --json`` says in a process of its own, without times."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "hypo",
            "dynamics",
            "runs.csv",
            "--time-limit",
            "9999",
            "--json",
            "--overwrite",
            *options,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    del found["timing"]
    return found


@pytest.mark.slow
def test_fresh_processes_and_workers_give_the_same(tmp_path):
    data = epidemic(n=40)
    run = data.runs[0]
    write_csv(tmp_path / "runs.csv", "t,s,i", run.time, *run.states.T)
    here = hypo.fit_dynamics(tmp_path / "runs.csv", time_limit=9999)
    alone = by_command(tmp_path)
    assert [s["score"] for s in alone["systems"]] == [s.score for s in here.systems][: len(alone["systems"])]
    for workers in ("2", "4"):
        assert by_command(tmp_path, "--workers", workers) == alone


@pytest.mark.slow
def test_a_cluster_gives_the_same():
    pytest.importorskip("distributed")
    data = epidemic(n=40)
    alone, beside = (
        discover(data, Options(time_limit=LIMIT, scheduler=who, workers=w)) for who, w in ((None, 1), ("local", 2))
    )
    assert numbers(alone) == numbers(beside)
    assert np.isfinite(alone.systems[0].score)
