"""Discoveries cut short, interrupted, and with parts that fail: there is an answer all the same."""

import signal
import time

import numpy as np
import pytest

from hypo import clock, interrupts
from hypo.dynamics.discovery import discover as subject
from hypo.dynamics.discovery import propose, single
from hypo.dynamics.discovery.discover import discover
from hypo.dynamics.discovery.fallback import describe_haste
from hypo.dynamics.discovery.trials import fits
from hypo.dynamics.fit import discover_laws
from hypo.dynamics.options import Options
from hypo.dynamics.trajectories import Run, Trajectories
from tests.dynamics.discovery.test_discover import epidemic


def chain(d, n=60, seed=0):
    """Substances that turn into each other, one after the other."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 4, n)
    A = np.diag(-np.linspace(0.5, 1.5, d)) + np.diag(np.linspace(0.5, 1.5, d)[:-1], -1)
    values, vectors = np.linalg.eig(A)
    c = np.linalg.solve(vectors, rng.uniform(1, 3, d))
    states = np.real((vectors * c) @ np.exp(np.outer(values, time))).T
    states = states * (1 + 0.01 * rng.standard_normal(states.shape))
    return Trajectories((Run("", time, states, np.empty((n, 0)), np.arange(n)),), "t", tuple(f"x{k}" for k in range(d)))


@pytest.fixture
def processor_time(monkeypatch):
    """Limits in time of this process: others use the machine, too."""

    class Own:
        monotonic = staticmethod(time.process_time)

    monkeypatch.setattr(clock, "time", Own)


@pytest.mark.parametrize("d", [1, 20])
def test_a_second_is_enough_for_an_answer(d, processor_time):
    discover(chain(1), Options(time_limit=0.1))  # loads what there is to load
    began = time.process_time()
    found = discover(chain(d), Options(time_limit=1.0))
    assert time.process_time() - began < 3.0
    assert sum(s.weight for s in found.systems) + found.unmet == pytest.approx(1.0)
    assert d == 1 or any("time limit of 1 s was too short" in remark for remark in found.remarks)


def test_without_any_time_there_is_a_line_and_a_sentence_that_says_so():
    found = discover(epidemic(), Options(time_limit=1e-3))
    assert np.isfinite(found.best.misfit)
    assert found.remarks[0] == describe_haste(1e-3, ("s", "i"))
    assert "the laws of s and i were not searched for" in found.remarks[0]


FAILING = {
    "the search for the law of s": (single, "propose"),
    "sums of terms for s": (propose, "sparse_sums"),
    "the search on rates for i": (propose, "search_rates"),
    "combining equations": (subject, "combine"),
    "trials of laws of i": (single, "rank_alone"),
    "trying neighbours of the best systems": (subject, "refine"),
    "fitting the best systems to the end": (subject._Work, "_finish"),
    "remarks": (subject, "make_remarks"),
}


@pytest.mark.parametrize("part", FAILING)
def test_one_part_that_fails_leaves_the_rest(part, monkeypatch, processor_time):
    def fail(*args, **settings):
        raise RuntimeError("out of order")

    monkeypatch.setattr(*FAILING[part], fail)
    found = discover(epidemic(n=40), Options(time_limit=2.0))
    assert np.isfinite(found.best.misfit)
    said = [remark for remark in found.remarks if remark.startswith("an unexpected error ended")]
    assert any(f"ended {part} (RuntimeError: out of order" in remark for remark in said)


def test_one_fit_that_fails_leaves_the_others(monkeypatch, processor_time):
    fit, count = fits.fit_from, [0]

    def fail_often(*args, **settings):
        count[0] += 1
        if count[0] % 3 == 0:
            raise RuntimeError("out of order")
        return fit(*args, **settings)

    monkeypatch.setattr(fits, "fit_from", fail_often)
    found = discover(epidemic(n=40), Options(time_limit=2.0))
    assert np.isfinite(found.best.misfit) and any("the fit of a system" in remark for remark in found.remarks)


@pytest.mark.parametrize("stage", ["_candidates", "try_alone", "combine", "refine"])
def test_an_interrupt_at_any_stage_leaves_an_answer(stage, monkeypatch, processor_time):
    owner = subject._Work if stage == "_candidates" else subject
    work = getattr(owner, stage)

    def interrupt(*args):
        signal.raise_signal(signal.SIGINT)
        return work(*args)

    monkeypatch.setattr(owner, stage, interrupt)
    began = time.process_time()
    model = discover_laws(epidemic(n=40), Options(time_limit=6.0))
    assert time.process_time() - began < 7.0
    assert "interrupted" in model.remarks[0]
    assert np.isfinite(model.best.misfit)


def test_an_interrupt_before_states_are_smoothed_ends_all(monkeypatch):
    monkeypatch.setattr(subject, "smooth_all", lambda *args: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        discover_laws(epidemic(n=40), Options(time_limit=30.0))
    assert not interrupts.has_come()


def test_a_second_interrupt_ends_all(monkeypatch):
    def interrupt(*args):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subject._Work, "_search", interrupt)
    monkeypatch.setattr(subject._Work, "fall_back", interrupt)
    with pytest.raises(KeyboardInterrupt):
        discover_laws(epidemic(n=40), Options(time_limit=30.0))
