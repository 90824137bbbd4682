"""Discoveries from simulated trajectories, from beginning to end."""

import signal

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from hypo.clock import Clock
from hypo.dynamics.calibration.calibrated import Calibrated
from hypo.dynamics.discovery.discover import discover
from hypo.dynamics.discovery.sums import as_sum
from hypo.dynamics.discovery.trials import fits
from hypo.dynamics.discovery.trials.combine import Ranked, combine, shortlist
from hypo.dynamics.discovery.trials.judge import Judge, form_of, merged
from hypo.dynamics.options import Options
from hypo.dynamics.trajectories import Run, Trajectories
from hypo.errors import DataError
from tests.dynamics.calibration.systems import law, make_system


def simulate(rates, starts, names, noise=0.01, n=80, until=10.0, seed=0):
    rng = np.random.default_rng(seed)
    time = np.linspace(0, until, n)
    runs = []
    for r, start in enumerate(starts):
        y = solve_ivp(rates, (0, until), start, t_eval=time, rtol=1e-9, atol=1e-9).y.T
        y = y * (1 + noise * rng.standard_normal(y.shape))
        runs.append(Run(str(r), time, y, np.empty((n, 0)), np.arange(n)))
    return Trajectories(tuple(runs), "t", names)


def epidemic(**settings):
    return simulate(
        lambda t, x: [-0.47 * x[0] * x[1], 0.47 * x[0] * x[1] - 0.31 * x[1]], [[2.0, 0.05]], ("s", "i"), **settings
    )


@pytest.fixture(scope="module")
def found():
    return discover(epidemic(), Options(time_limit=60))


@pytest.mark.slow
def test_the_epidemic_is_found_with_one_rate_of_infection(found):
    best = found.best.system
    assert [as_sum(e).form for e in best.equations] == ["i*s", "i + i*s"]
    assert len(best.parameters) == 2
    error = np.sqrt(np.diag(found.best.covariance))
    assert np.all(np.abs(best.parameters - [0.47, 0.31]) < 4 * error)


@pytest.mark.slow
def test_weights_sum_to_one_and_fall(found):
    weights = [s.weight for s in found.systems]
    assert sum(weights) + found.unmet == pytest.approx(1.0) and 0.01 < found.unmet < 0.9
    assert weights == sorted(weights, reverse=True)
    forms = [tuple(as_sum(e).form for e in s.fitted.system.equations) for s in found.systems]
    assert len(set(forms)) == len(forms)


@pytest.mark.slow
def test_rows_of_rates_are_counted(found):
    assert len(found.effective_rows) == 2 and all(5 <= n <= 80 for n in found.effective_rows)


@pytest.mark.slow
def test_a_conserved_sum_is_remarked():
    def rates(t, x):
        flow = 0.8 * x[0] - 0.3 * x[1]
        return [-flow, flow]

    out = discover(simulate(rates, [[2.0, 0.5]], ("a", "b"), n=60), Options(time_limit=40))
    assert any("conserves" in remark for remark in out.remarks)
    assert len(out.best.system.parameters) <= 2


def test_several_runs_are_fitted_together():
    data = simulate(lambda t, x: [0.83 * x[0] - 0.107 * x[0] ** 2], [[0.5], [12.0]], ("x",), n=30)
    out = discover(data, Options(time_limit=30))
    assert as_sum(out.best.system.equations[0]).form == "x + x^2"
    assert len(out.best.starts) == 2


def test_little_time_still_gives_a_system():
    out = discover(epidemic(n=30), Options(time_limit=0.05))
    assert np.isfinite(out.systems[0].score)


def test_an_interrupt_returns_what_was_found(monkeypatch):
    count = 0
    fit = fits.fit_from

    def interrupted(*args, **settings):
        nonlocal count
        count += 1
        if count == 5:
            signal.raise_signal(signal.SIGINT)
        return fit(*args, **settings)

    monkeypatch.setattr(fits, "fit_from", interrupted)
    data = simulate(lambda t, x: [0.83 * x[0] - 0.107 * x[0] ** 2], [[0.5]], ("x",), n=30)
    out = discover(data, Options(time_limit=60))
    assert count <= 6 and np.isfinite(out.systems[0].score)


def test_nothing_that_can_be_followed_is_said(monkeypatch):
    monkeypatch.setattr(fits, "fit_from", lambda *args, **settings: None)
    data = simulate(lambda t, x: [-x[0]], [[1.0]], ("x",), n=20)
    with pytest.raises(DataError, match="no candidate can be followed"):
        discover(data, Options(time_limit=5))


# --- combinations, judged by a score that is known ---------------------------------------------------------------


class Known:
    """A scorer: the cost of every equation by its text."""

    def __init__(self, costs):
        self.costs = costs

    def structure(self, system):
        return 0.0

    def score(self, fitted):
        return sum(self.costs[str(e)] for e in fitted.system.equations)


def judge_of(costs, most=200):
    def fit(system, beat):
        one = np.ones(2)
        return Calibrated(system, (one,), one, one, one, np.zeros((0, 0)), 0.0)

    return Judge(fit, Known(costs), Clock(), most)


def test_combinations_reach_the_best_of_each_equation():
    texts = ["x", "y", "x*y", "x**2", "y**2", "x + y"]
    costs = dict(zip(texts, [9.0, 3.0, 7.0, 1.0, 8.0, 5.0], strict=True))
    costs = {str(law(t, {})): c for t, c in costs.items()}
    lists = [[Ranked(law(t, {}), 0.0) for t in texts], [Ranked(law(t, {}), 0.0) for t in reversed(texts)]]
    judge = judge_of(costs)
    combine(judge, make_system({"x": "0", "y": "0"}, {}), (0, 1), lists)
    best = judge.ranked()[0]
    assert best.score == 2.0 and [str(e) for e in best.fitted.system.equations] == [str(law("x**2", {}))] * 2


def test_no_more_fits_than_allowed():
    texts = ["x", "y", "x*y", "x**2", "y**2", "x + y"]
    lists = [[Ranked(law(t, {}), 0.0) for t in texts] for _ in range(2)]
    judge = judge_of({str(law(t, {})): float(k) for k, t in enumerate(reversed(texts))}, most=7)
    combine(judge, make_system({"x": "0", "y": "0"}, {}), (0, 1), lists)
    assert judge.count == 7


def test_a_short_list_has_every_size():
    ranked = [Ranked(law("a*x", {"a": 1.0 + k}), float(k)) for k in range(30)]
    ranked += [Ranked(law("a*x + b", {"a": 1.0, "b": 2.0}), 100.0)]
    chosen = shortlist(ranked, 2)
    assert chosen[:12] == ranked[:12] and ranked[-1] in chosen


def test_equal_forms_are_weighed_together():
    judge = judge_of({})
    judge.scorer = type("S", (), {"structure": lambda s, x: 0.0, "score": lambda s, f: 1.0})()
    for text in ("a*x", "x"):
        judge.judge(make_system({"x": text}, {"a": 2.0}))
    judge.judge(make_system({"x": "a*x**2"}, {"a": 2.0}))
    assert form_of(make_system({"x": "x"}, {})) != form_of(make_system({"x": "a*x"}, {"a": 2.0}))
    bracket, out = "a*(x - x**3/3)", "a*x - b*x**3"
    assert form_of(make_system({"x": bracket}, {"a": 2.0})) != form_of(make_system({"x": out}, {"a": 2.0, "b": 0.7}))
    assert [w for _, w in merged(judge.ranked())] == pytest.approx([2 / 3, 1 / 3])
