"""The engine as a whole: laws found, fronts, deadlines, interruption, workers."""

import math
import time
from itertools import pairwise

import numpy as np
import pytest

from hypo.data import from_arrays
from hypo.expression.parser import parse
from hypo.expression.program import evaluate
from hypo.fitting.score_formula import score_formula
from hypo.problem.problem import Settings, make_problem
from hypo.search.engine import search
from hypo.search.outcome import Outcome, Progress
from tests.oracles.no_limit import NO_LIMIT
from tests.oracles.searches import LAWS, NAMES, ROWS, TWO_STAGES, agrees, exact, find, noisy, problem_of

# --- laws -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LAWS)
def test_laws_without_noise_are_found_exactly(name: str) -> None:
    outcome = exact(name)
    assert outcome.status == "exact"
    assert outcome.best is not None and agrees(outcome.best.expression, LAWS[name])


SNAPPED = {"a half": "x*z**2/2", "2*pi": "2*pi*sqrt(x/z)", "sqrt(2)": "sqrt(2)*x*z"}


@pytest.mark.parametrize("name", SNAPPED)
def test_constants_are_snapped_to_exact_numbers(name: str) -> None:
    best = exact(name).best
    assert best is not None and not best.expression.free
    assert len(best.expression) <= len(parse(SNAPPED[name]))


def test_a_constant_is_snapped_where_noise_leaves_room() -> None:
    best = find(noisy(LAWS["a half"](*ROWS.T), 0.02), library_sizes=(100,)).best
    assert best is not None and not best.expression.free
    assert agrees(best.expression, LAWS["a half"], rel=1e-12)


@pytest.mark.parametrize("name", ["product", "sum", "reciprocal link"])
def test_laws_with_noise_are_found(name: str) -> None:
    y = LAWS[name](*ROWS.T)
    outcome = find(noisy(y, 0.02), library_sizes=(100,))
    assert outcome.best is not None and outcome.status == "complete"
    assert agrees(outcome.best.expression, LAWS[name], rel=0.05)
    assert outcome.best.rmse == pytest.approx(0.02 * np.std(y), rel=0.25)


def test_noise_alone_gets_a_constant() -> None:
    best = find(np.random.default_rng(3).standard_normal(60) + 5, library_sizes=(100,)).best
    assert best is not None and not best.expression.variables and best.rmse < 1.2


# --- what an outcome says ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def noisy_outcome() -> Outcome:
    return find(noisy(LAWS["Planck's form"](*ROWS.T), 0.05), library_sizes=(250,))


def test_front_is_pareto_without_duplicates(noisy_outcome: Outcome) -> None:
    front = noisy_outcome.front
    assert len(front) >= 3
    complexity, misfit = [h.complexity for h in front], [h.misfit for h in front]
    assert all(a < b for a, b in pairwise(complexity))
    assert all(a > b for a, b in pairwise(misfit))
    assert min(front, key=lambda h: h.score) == noisy_outcome.best
    values = [evaluate(h.expression, ROWS, NAMES) for h in front]
    for i, a in enumerate(values):
        for b in values[:i]:
            assert np.abs(a - b).max() > 1e-7 * np.abs(b).max()


def test_hypotheses_say_what_they_are(noisy_outcome: Outcome) -> None:
    y = noisy(LAWS["Planck's form"](*ROWS.T), 0.05)
    settings = Settings(**TWO_STAGES)
    scorer = problem_of(y).scorer(settings)
    for h in noisy_outcome.front:
        assert h.score == pytest.approx(h.misfit + h.complexity_cost + h.violation)
        assert scorer.score(h.expression) == h
        residual = y - evaluate(h.expression, ROWS, NAMES)
        assert h.rmse == pytest.approx(math.sqrt(np.mean(residual**2)))


def test_the_counts_are_sensible(noisy_outcome: Outcome) -> None:
    assert noisy_outcome.status == "complete"
    assert noisy_outcome.complete_to >= 3
    assert noisy_outcome.scored > 10**5 > noisy_outcome.distinct > 20
    assert 0 < noisy_outcome.diversity <= 1 and 0 < noisy_outcome.outcome_share <= 1
    assert noisy_outcome.timing["total"] > 0


def test_score_formula_refits_and_scores_alike(noisy_outcome: Outcome) -> None:
    y = noisy(LAWS["Planck's form"](*ROWS.T), 0.05)
    assert noisy_outcome.best is not None
    settings = Settings(**TWO_STAGES)
    again = score_formula(noisy_outcome.best.expression, problem_of(y), settings)
    assert again is not None and again[0].score == pytest.approx(noisy_outcome.best.score, abs=1e-3)
    assert score_formula(parse("log(-x)"), problem_of(y), settings) is None


# --- time, interruption, workers --------------------------------------------------------------------------------


def hard() -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Eight variables in a law far beyond a pair scan."""
    rng = np.random.default_rng(4)
    X = rng.uniform(0.5, 3, (3000, 8))
    a, b, c, d, e, f, g, h = X.T
    y = np.sin(a * b + np.exp(-c)) * np.log(d + e * f) / (g + np.sqrt(1 + h * a + np.cos(b * d)))
    return X, y, tuple("abcdefgh")


@pytest.fixture(scope="module")
def warm() -> None:
    """Compiled kernels: the deadline is about searching, not about the compiler's first run."""
    X, y, names = hard()
    find(y, X=X, names=names, turns=2, library_sizes=Settings().library_sizes)


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_deadline_is_kept_and_leaves_the_best_so_far(workers: int) -> None:
    X, y, names = hard()
    begin = time.monotonic()
    outcome = find(
        y, X=X, names=names, time_limit=4.0, workers=workers, library_sizes=Settings().library_sizes, proposers=None
    )
    assert time.monotonic() - begin < 6.0
    assert outcome.status == "time_limit" and "time limit" in outcome.message
    assert outcome.best is not None and outcome.best.r2 > 0
    assert outcome.best in outcome.front


@pytest.mark.usefixtures("warm")
def test_no_time_at_all() -> None:
    X, y, names = hard()
    begin = time.monotonic()
    outcome = find(y, X=X, names=names, time_limit=0.0)
    assert time.monotonic() - begin < 1.0
    assert outcome.status == "time_limit" and outcome.best is not None


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("call", [1, 2, 3])
def test_interruption_keeps_the_best_so_far(call: int) -> None:
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == call:
            raise KeyboardInterrupt

    outcome = find(noisy(LAWS["Planck's form"](*ROWS.T), 0.05), progress=stop, library_sizes=(100,))
    assert outcome.status == "interrupted" and len(seen) == call
    assert outcome.best is not None and min(outcome.front, key=lambda h: h.score) == outcome.best
    last = seen[-1]
    assert last.best is not None and outcome.best.score <= last.best.score


def test_progress_moves_forward() -> None:
    seen: list[Progress] = []
    outcome = find(noisy(LAWS["product"](*ROWS.T), 0.05), progress=seen.append, library_sizes=(100,))
    assert len(seen) >= 3 and all(p.stage for p in seen)
    for a, b in pairwise(seen):
        assert a.elapsed <= b.elapsed and a.scored <= b.scored and a.complete_to <= b.complete_to
        assert a.best is None or (b.best is not None and b.best.score <= a.best.score)
    assert all(p.time_left <= NO_LIMIT and p.rate >= 0 for p in seen)
    assert seen[-1].best == outcome.best


def test_one_and_two_workers_and_equal_seeds_agree() -> None:
    y = noisy(LAWS["sum of three"](*ROWS.T), 0.03)
    runs = [find(y, workers=n, seed=7, library_sizes=(60,)) for n in (1, 2)]
    for other in runs[1:]:
        assert other.front == runs[0].front and other.best == runs[0].best
        assert [h.expression.values.tolist() for h in other.front] == [
            h.expression.values.tolist() for h in runs[0].front
        ]
        for field in ("complete_to", "scored", "distinct", "outcome_share", "diversity", "status", "message"):
            assert getattr(other, field) == getattr(runs[0], field), field


def test_settings_for_a_manifest_leave_the_workers_out() -> None:
    assert Settings(workers=1).as_dict() == Settings(workers=2).as_dict()
    assert Settings(seed=1).as_dict() != Settings(seed=2).as_dict()


# --- knowledge --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_few_rows(n: int) -> None:
    y = 3 * ROWS[:n, 0]
    outcome = find(y, X=ROWS[:n], library_sizes=(250,))
    assert outcome.best is not None and np.isfinite(outcome.best.score)


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1e9, 1e30])
def test_numbers_of_any_size(scale: float) -> None:
    y = scale * ROWS[:, 0] * ROWS[:, 1] ** 2 / ROWS[:, 2]
    outcome = find(y, library_sizes=(250,))
    assert outcome.best is not None and outcome.status == "exact"
    assert agrees(outcome.best.expression, lambda x, z, w: scale * x * z**2 / w)


@pytest.mark.slow
def test_equal_weights_do_not_change_the_answer() -> None:
    x = np.linspace(0.5, 4.0, 60)
    y = noisy(1 + 2.5 * np.sqrt(x), 0.02)
    settings = Settings(time_limit=NO_LIMIT, turns=6, posterior=False)
    found = [
        search(make_problem(from_arrays(x[:, None], y, names=["x"], weights=w), None, settings), settings).best
        for w in (None, np.full(60, 100.0))
    ]
    assert found[0] is not None and found[1] is not None
    assert str(found[0].expression) == str(found[1].expression)
