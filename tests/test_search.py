"""The engine as a whole: laws found, fronts, deadlines, interruption, workers, units and grammar."""

import math
import time
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from hypo.clock import Clock
from hypo.data import from_arrays
from hypo.expression.analysis.dimension import infer
from hypo.expression.expr import Expression
from hypo.expression.operators import BY_OPCODE
from hypo.expression.parser import parse
from hypo.expression.program import evaluate
from hypo.fitting.archive import Archive
from hypo.fitting.refiner import Refiner
from hypo.fitting.score_formula import score_formula
from hypo.kernels.opcodes import FIRST_UNARY, POW
from hypo.knowledge import Knowledge
from hypo.posterior import structure_mcmc as chain
from hypo.problem.problem import Problem, Settings, make_problem
from hypo.scoring.snap import expected_snap_score, snap
from hypo.search.engine import search
from hypo.search.outcome import Outcome, Progress
from hypo.units import parse_unit
from tests.oracles.no_limit import NO_LIMIT

NAMES = ("x", "z", "w")
ROWS = np.random.default_rng(0).uniform(0.5, 3.0, (60, 3))
# Two stages; no clock decides what comes out.
TWO_STAGES = {"time_limit": NO_LIMIT, "posterior": False, "library_sizes": (250, 1000), "proposers": ("library",)}


def problem_of(
    y: np.ndarray,
    knowledge: dict | None = None,
    X: np.ndarray = ROWS,
    names: tuple[str, ...] = NAMES,
    settings: Settings | None = None,
) -> Problem:
    return make_problem(
        from_arrays(X, y, names=list(names)), Knowledge.from_dict(knowledge or {}), settings or Settings()
    )


def find(
    y: np.ndarray,
    knowledge: dict | None = None,
    *,
    X: np.ndarray = ROWS,
    names: tuple[str, ...] = NAMES,
    progress: Callable[[Progress], None] | None = None,
    **options: object,
) -> Outcome:
    settings = Settings(**{**TWO_STAGES, **options})  # type: ignore[arg-type]
    return search(problem_of(y, knowledge, X, names, settings), settings, progress)


def noisy(y: np.ndarray, share: float = 0.01, seed: int = 1) -> np.ndarray:
    return y + share * np.std(y) * np.random.default_rng(seed).standard_normal(len(y))


def agrees(e: Expression, law: Callable[..., np.ndarray], names: tuple[str, ...] = NAMES, rel: float = 1e-8) -> bool:
    """Equal to the law on fresh points, some of them outside the range of the data."""
    X = np.random.default_rng(99).uniform(0.3, 4.0, (200, len(names)))
    with np.errstate(all="ignore"):
        want = law(*X.T)
    return bool(np.allclose(evaluate(e, X, names), want, rtol=rel, atol=rel * np.abs(want).max()))


# --- laws -------------------------------------------------------------------------------------------------------

LAWS: dict[str, Callable[..., np.ndarray]] = {
    "product": lambda x, z, w: x * z / w,
    "sum": lambda x, z, w: 3.7 * x - 1.9 * z + 0.4,
    "sum of three": lambda x, z, w: x * z - 2 * w + np.sqrt(x),
    "rational": lambda x, z, w: (2 * x + 1) / (1 + 3 * w),
    "reciprocal link": lambda x, z, w: 1 / (1 / x + 2 / z),
    "root link": lambda x, z, w: np.sqrt(x**2 + 3 * z),
    "exponential link": lambda x, z, w: 2 * np.exp(-0.5 * x * z),
    "sine of a product": lambda x, z, w: w * np.sin(x * z),
    "free exponents": lambda x, z, w: 1.3 * x**1.37 * z**-0.61,
    "a half": lambda x, z, w: 0.5 * x * z**2,
    "2*pi": lambda x, z, w: 2 * np.pi * np.sqrt(x / z),
    "sqrt(2)": lambda x, z, w: math.sqrt(2) * x * z,
    "Planck's form": lambda x, z, w: x**3 / (np.exp(z) - 1),
}


@cache
def exact(name: str) -> Outcome:
    """What is found for a law without noise."""
    return find(LAWS[name](*ROWS.T))


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

FREE_FALL = {"units": {"h": "m", "g": "m/s^2", "d": "m", "t": "s"}}
FALL = np.random.default_rng(6).uniform(0.5, 3.0, (60, 3))


def fall(**options: object) -> Outcome:
    data = from_arrays(FALL, noisy(np.sqrt(2 * FALL[:, 0] / FALL[:, 1]), 0.02), names=["h", "g", "d"], target="t")
    settings = Settings(**{**TWO_STAGES, **options})  # type: ignore[arg-type]
    return search(make_problem(data, Knowledge.from_dict(FREE_FALL), settings), settings)


def test_units_prune_what_is_inconsistent() -> None:
    outcome = fall(library_sizes=(100,))
    assert outcome.best is not None
    assert agrees(outcome.best.expression, lambda h, g, d: np.sqrt(2 * h / g), ("h", "g", "d"), rel=0.02)
    known = {n: parse_unit(u).dimension for n, u in FREE_FALL["units"].items()}
    for h in outcome.front:
        assert h.violation == 0
        report = infer(h.expression, {n: known[n] for n in "hgd"}, {}, known["t"])
        assert report.inconsistent == 0, str(h.expression)
    without = fall(fit_constants=False, library_sizes=(20000,), max_complexity=5)
    # sqrt(h/g), sqrt(d/g) and what doubles them: few hypotheses carry seconds.
    assert 0 < without.distinct < 40


def operators_of(outcome: Outcome) -> set[str]:
    return {BY_OPCODE[o].name for h in outcome.front for o, _ in h.expression.code if o >= FIRST_UNARY}


def test_forbidden_operators_never_appear() -> None:
    y = noisy(LAWS["exponential link"](*ROWS.T), 0.01)
    assert "exp" in operators_of(exact("exponential link"))
    outcome = find(y, {"grammar": {"forbid": ["exp", "tanh", "sin", "asin"]}}, library_sizes=(100,))
    assert outcome.best is not None and len(outcome.front) > 2
    assert not operators_of(outcome) & {"exp", "tanh", "sin", "asin"}


@pytest.mark.parametrize("operators", [("+", "*"), ("*", "/", "sqrt"), ("+", "*", "sin")])
def test_only_named_operators_appear(operators: tuple[str, ...]) -> None:
    spellings = {"*": {"square", "cube", "**"}, "/": {"inv", "**"}, "-": {"neg"}, "sqrt": {"**"}}
    outcome = find(noisy(LAWS["rational"](*ROWS.T), 0.02), operators=operators, library_sizes=(100,))
    allowed = set(operators).union(*(spellings.get(o, set()) for o in operators))
    assert outcome.best is not None and operators_of(outcome) <= allowed


def test_size_and_nesting_limits_are_kept() -> None:
    y = noisy(np.exp(np.sin(ROWS[:, 0])) * ROWS[:, 1], 0.02)
    outcome = find(
        y, {"grammar": {"max_complexity": 9, "nesting": {"exp": ["sin", "cos", "exp"]}}}, library_sizes=(100,)
    )
    assert outcome.best is not None
    assert all(h.complexity <= 9 for h in outcome.front)
    for h in outcome.front:
        for part in h.expression.walk():
            if BY_OPCODE.get(part.root) and BY_OPCODE[part.root].name == "exp":
                inside = {BY_OPCODE[o].name for o, _ in part.code[:-1] if o >= FIRST_UNARY}
                assert not inside & {"sin", "cos", "exp"}


def test_impossible_units_find_nothing() -> None:
    y = noisy(ROWS[:, 0] * ROWS[:, 1])
    outcome = find(y, {"units": {"x": "m", "z": "m", "w": "m", "y": "kg"}}, fit_constants=False, library_sizes=(250,))
    assert outcome.status == "nothing_found" and outcome.best is None and outcome.front == ()


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


def test_operators_of_a_call_are_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    # Chains obey them too; a few hundred formulas of theirs show it.
    monkeypatch.setattr(chain, "MOST_WEIGHED", 200)
    x = np.linspace(1.0, 3.0, 40)
    settings = Settings(operators=("+", "-", "*", "/"), time_limit=NO_LIMIT, turns=2)
    outcome = search(make_problem(from_arrays(x[:, None], x**2.5, names=["x"]), None, settings), settings)
    assert outcome.front
    for h in outcome.front:
        for node, (code, _) in enumerate(h.expression.code):
            if code >= FIRST_UNARY:
                assert BY_OPCODE[code].name in {"+", "-", "*", "/", "neg", "inv", "square", "cube", "**"}
            if code == POW:
                assert float(h.expression.subtree(node - 1).values[0]).is_integer()


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


def refiner_of(problem: Problem) -> Refiner:
    return Refiner(problem, Settings(), Archive(problem.X, problem.columns), Clock())


def test_constants_that_move_together_are_snapped_together() -> None:
    """Their errors are correlated: either exact number alone costs many nats, both together next to nothing."""
    x = np.random.default_rng(3).uniform(9.0, 11.0, (2000, 1))
    y = np.sqrt(2 * x[:, 0] ** 2 - 3 * x[:, 0]) + 0.05 * np.random.default_rng(4).standard_normal(len(x))
    refiner = refiner_of(problem_of(y, X=x, names=("x",)))
    u, a, b = Expression.variable("x"), *(Expression.constant(v, free=True) for v in (2.0, 3.0))
    h = refiner._fit_and_score(Expression.apply("sqrt", a * u**2 - b * u))
    assert h is not None and len(h.expression.free) == 2
    out = snap(h, refiner.covariance, refiner._refit, refiner.scorer)
    assert out.score < h.score - 3.0 and not out.expression.free
    assert expected_snap_score(h, refiner.covariance(h.expression), refiner.scorer) < h.score - 3.0


def test_exact_numbers_replace_fitted_ones_outside_a_domain() -> None:
    x = np.linspace(1.0, 4.0, 300)
    y = np.sqrt(x - 1.0) + 0.02 * np.random.default_rng(0).standard_normal(len(x))
    refiner = refiner_of(problem_of(y, X=x[:, None], names=("x",)))
    # Undefined at x = 1, and no fit can begin there.
    found = refiner.consider(Expression.apply("sqrt", Expression.variable("x") - Expression.constant(1.02, free=True)))
    assert found is not None and str(found.expression) == "sqrt(x - 1)"
