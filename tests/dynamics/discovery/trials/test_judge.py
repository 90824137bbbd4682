"""Systems judged in batches: the same here and with workers, to the last bit."""

import pickle

import numpy as np
import pytest

from hypo.clock import Clock, Deadline
from hypo.dynamics.calibration.segments import AtRows
from hypo.dynamics.discovery.score import Scorer
from hypo.dynamics.discovery.trials.alone import columns_along
from hypo.dynamics.discovery.trials.fits import Fitter
from hypo.dynamics.discovery.trials.judge import BATCH, FIRST_BATCH, Judge
from hypo.dynamics.kinds import make_kind
from hypo.dynamics.options import Options
from hypo.dynamics.smoothing.smoothed import smooth_all
from hypo.parallel.executor import Serial
from hypo.parallel.processes import Processes
from tests.dynamics.cases import free
from tests.dynamics.discovery.test_discover import epidemic

RATES = ("-0.5*i*s", "-0.5*s", "-0.5*s + 0.1*i", "-0.4*i*s + 0.01", "-0.3*s**2", "-0.6*s*sqrt(i)")
OTHERS = ("0.5*i*s - 0.3*i", "0.2*i", "0.4*i*s - 0.2*i**2")


@pytest.fixture(scope="module")
def kind():
    data = epidemic(n=30)
    return make_kind(data, smooth_all(data), Options())


def judged(kind, executor):
    fit = Fitter(kind.data, AtRows.of(kind.smoothed), Deadline(np.inf))
    scorer = Scorer(columns_along(kind.columns), kind.sought, 10.0)
    judge = Judge(fit, scorer, Clock(), 200, executor)
    judge.judge_all(kind.system([free(a), free(b)]) for a in RATES for b in OTHERS)
    judge.improve(judge.ranked()[:3], fit.fully())
    return judge


def numbers(judge):
    return {
        form: None if j is None else (j.score, tuple(j.fitted.system.parameters), tuple(j.fitted.covariance.ravel()))
        for form, j in judge.judged.items()
    }


def test_answers_do_not_depend_on_who_fits_what(kind):
    here = judged(kind, Serial())
    assert here.count == len(here.judged) == len(RATES) * len(OTHERS) > FIRST_BATCH + BATCH
    with Processes(2) as there:
        assert numbers(judged(kind, there)) == numbers(here)


def test_the_best_of_a_batch_is_that_of_one_by_one(kind):
    batches, alone = judged(kind, Serial()), judged(kind, Serial())
    alone.judged.clear()
    for a in RATES:
        for b in OTHERS:
            alone.judge(kind.system([free(a), free(b)]))
    assert alone.ranked()[0].score == pytest.approx(batches.ranked()[0].score, abs=2.0)


def test_no_batch_goes_beyond_the_most(kind):
    systems = [kind.system([free(a), free(b)]) for a in RATES for b in OTHERS]
    judge = Judge(lambda system, beat: None, Scorer(columns_along(kind.columns), kind.sought, 10.0), Clock(), 7)
    judge.judge_all(systems)
    assert judge.count == len(judge.judged) == 7


def test_without_time_the_first_is_judged_alone(kind):
    systems = [kind.system([free(a), free(OTHERS[0])]) for a in RATES]
    judge = Judge(lambda system, beat: None, Scorer(columns_along(kind.columns), kind.sought, 10.0), Clock(0.0), 200)
    judge.judge_all(systems)
    assert judge.count == 1


def test_what_is_sent_has_one_layout_and_is_light(kind):
    """Sums over views come out differently in a process that has a copy."""
    seen = set()

    def walk(value):
        if id(value) in seen:
            return
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            assert value.flags.c_contiguous or value.flags.f_contiguous
        elif isinstance(value, tuple | list):
            for each in value:
                walk(each)
        elif hasattr(value, "__dict__"):
            for each in vars(value).values():
                walk(each)

    walk(kind)
    walk(Fitter(kind.data, AtRows.of(kind.smoothed), Deadline(np.inf)))
    system = kind.system([free("-0.5*i*s"), free("0.5*i*s - 0.3*i")])
    bare = pickle.dumps(system)
    assert system.programs and len(pickle.dumps(system)) == len(bare)
