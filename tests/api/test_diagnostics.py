"""What a fit says beside its answer: noise against residuals, other likelihoods, guesses, names, columns far from zero."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hypo
from hypo.api.diagnostics import _are_like_counts
from hypo.data import as_dataset, from_arrays
from hypo.data.make_dataset import FAR
from hypo.problem.problem import Settings, make_problem
from hypo.report.questions.suggestions import Suggestions
from hypo.scoring.snap import exact_numbers
from hypo.search.engine import search
from hypo.search.stopping import LEAST, PATIENCE, Stopping
from tests.oracles.no_limit import NO_LIMIT

pytestmark = pytest.mark.usefixtures("short_searches")

RNG = np.random.default_rng(160)
X = np.linspace(1.0, 4.0, 60)
NOISE = RNG.standard_normal(60)
FAST: dict[str, Any] = {"operators": "+,-,*,/", "workers": 1, "posterior": False}


def said(y: np.ndarray, words: str, x: np.ndarray = X, **settings: Any) -> bool:
    """Whether a short search for y(x) says ``words``."""
    return any(words in line for line in hypo.fit({"x": x, "y": y}, "y", **(FAST | settings)).remarks())


# --- noise and likelihoods ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sigma", "words"),
    [(0.1, None), (0.01, "sigma is too small, or the law was not found"), (1.0, "sigma is too large")],
)
def test_noise_that_residuals_contradict_is_named(sigma: float, words: str | None) -> None:
    y = 3.0 * X + 0.1 * NOISE
    assert said(y, "times the noise that was given", sigma=sigma) == (words is not None)
    assert words is None or said(y, words, sigma=sigma)


def test_residuals_of_unknown_noise_contradict_nothing() -> None:
    assert not said(3.0 * X + 0.1 * NOISE, "noise that was given")


@pytest.mark.slow
def test_other_likelihoods_are_suggested_where_residuals_ask_for_them() -> None:
    x = np.linspace(1.0, 40.0, 300)
    noise = RNG.standard_normal(300)
    assert said(5.0 * x * np.exp(0.3 * noise), '"lognormal"', x)
    assert said(RNG.poisson(x).astype(float), '"poisson"', x)
    assert said((x + 5.0 * noise > 20).astype(float), '"binomial"', x)
    assert not said(5.0 * x + noise, "likelihood", x)
    assert not said(np.round(5.0 * x + 3.0 * noise), "likelihood", x)
    # Who gives weights or the noise of each row knows that it changes.
    assert not said(5.0 * x * np.exp(0.3 * noise), "likelihood", x, sigma=1.5 * x)


@pytest.mark.parametrize(("size", "rows"), [(1000.0, 10), (30.0, 15), (1e5, 8), (1e7, 12)])
def test_counts_of_few_rows_or_of_any_size_get_the_hint(size: float, rows: int) -> None:
    """Decay counts scatter by their roots; nine samples of ten are recognised, measurements in whole numbers are not."""
    rng = np.random.default_rng(11)
    t = np.linspace(0.0, 3.0, rows)
    law = size * np.exp(-t)
    counts = [_are_like_counts(rng.poisson(law).astype(float), law, 2) for _ in range(200)]
    rounded = [_are_like_counts(np.round(law + 0.01 * size * rng.standard_normal(rows)), law, 2) for _ in range(200)]
    assert np.mean(counts) > 0.9
    # Noise of a hundredth is less than the root of 1000 and more than that of 10⁷.
    assert 30.0 < size < 1e5 or np.mean(rounded) < 0.1


def test_ranks_and_lengths_are_no_counts() -> None:
    rng = np.random.default_rng(12)
    x = np.linspace(-1.0, 1.0, 40)
    ranks = np.clip(np.round(3.0 + x + rng.standard_normal(40)), 1.0, 5.0)
    assert not _are_like_counts(ranks, 3.0 + x, 2)
    t = np.linspace(0.0, 3.0, 10)
    y = np.random.default_rng(3).poisson(1000.0 * np.exp(-t)).astype(float)
    few = {**FAST, "operators": "+,*,exp"}
    table = {"t": t, "y": y}
    assert any('"poisson"' in line for line in hypo.fit(table, "y", guesses=["a*exp(b*t)"], **few).remarks())
    with_unit = hypo.fit(table, "y", guesses=["a*exp(b*t)"], units={"y": "m", "t": "s"}, **few)
    assert not any('"poisson"' in line for line in with_unit.remarks())


def test_a_constant_is_no_law() -> None:
    result = hypo.fit({"x": X, "y": NOISE}, "y", **(FAST | {"posterior": True, "operators": "+"}))
    assert result.expression is not None and not result.expression.variables
    text = str(result)
    assert "Nothing was found that does better than a constant." in text and "posterior weight" not in text


# --- guesses and names --------------------------------------------------------------------------------------------


def test_every_guess_gets_its_score() -> None:
    y = 2.137 * X / (1.517 + X) + 0.001 * NOISE
    result = hypo.fit({"x": X, "y": y}, "y", guesses=["a*x/(b + x)", "a + b*x", "k*x + k/x"], **FAST)
    lines = [line for line in result.remarks() if line.startswith("The guess")]
    assert result.best is not None and len(lines) == 2
    assert "The answer is your guess 1: y = a*x/(b + x)." in result.remarks()
    for line, guess in zip(lines, ("a + b*x", "k*x + k/x"), strict=True):
        own = hypo.score(guess, {"x": X, "y": y}, "y").hypothesis
        words = re.fullmatch(
            r"The guess (.*) scores (.*) \(RMSE (.*)\), (?:(.*) nats behind the answer|as low as .*)\.", line
        )
        assert words is not None and words[1] == guess and float(words[3]) == pytest.approx(own.rmse, rel=1e-3)
        assert float(words[2]) - float(words[4] or 0.0) == pytest.approx(result.best.score, abs=0.011)


def test_headers_may_stand_in_formulas() -> None:
    frame = pd.DataFrame({"Δt": X, "x 1": X**2, "pi": 1 / X, "E": 3.0 * X})
    scored = hypo.score("k*Δt", frame, "E")
    assert (
        str(scored.expression) == str(hypo.score("k*Deltat", frame, "E").expression) and scored.hypothesis.rmse < 1e-12
    )
    # Where a column was renamed for the number, one has to say which is meant.
    with pytest.raises(hypo.FormulaError, match="both a number and a column; write pi_ for the column"):
        hypo.score("k*pi*Deltat", frame, "E")
    for name in ('"Δt" is called Deltat', '"x 1" is called x_1', '"pi" is called pi_'):
        assert name in str(scored)
    result = hypo.fit(frame, "E", guesses=["a*Δt"], **FAST)
    assert result.expression is not None and result.expression.variables == ("Deltat",)


def test_a_column_called_pi_is_not_the_number_in_latex() -> None:
    e = hypo.parse("pi*pi_")
    assert sorted(e.latex().split(r" \cdot ")) == [r"\mathrm{pi}", r"\pi"]


# --- columns ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "advice"), [(0.0, None), (1000.0, None), (2460000.0, "2460000"), (-1.7e9, "-1700000000")]
)
def test_columns_far_from_zero_are_named(offset: float, advice: str | None) -> None:
    dataset, _ = as_dataset({"t": offset + 30 * np.linspace(0.01, 1.0, 20), "y": np.arange(20.0)}, "y")
    notes = [note for note in dataset.notes if "varies by only" in note]
    assert bool(notes) == (advice is not None)
    assert advice is None or f"take away {advice}, say" in notes[0]
    shifted = dataset.X[:, 0] - float(advice or 0.0)
    assert np.ptp(shifted) > FAR * np.max(np.abs(shifted))


def test_a_constant_column_may_have_a_unit_but_no_part_in_a_law() -> None:
    table = {"x": X, "c": np.full(60, 7.0), "y": 2.0 * X}
    result = hypo.fit(table, "y", units={"x": "m", "c": "s", "y": "m"}, **FAST)
    assert result.status == "exact"
    with pytest.raises(hypo.KnowledgeError, match=r"the column c is constant \(7\) and was left out"):
        hypo.fit(table, "y", knowledge={"grammar": {"must_use": ["c"]}}, **FAST)


def test_rows_far_from_zero_are_suggested_with_digits_that_tell_them_apart() -> None:
    points = np.array([[2460040.5030572633], [2460012.25]])
    ones = np.ones(2)
    domain = {"JD": (2460000.0, 2460050.0)}
    text = str(Suggestions(("JD",), points, ones, ones, ones, ones, "y", domain, ()))
    assert "2460040.5" in text and "2460012.25" in text


# --- numbers and respelled answers --------------------------------------------------------------------------------


def test_offsets_are_not_taken_for_multiples_of_pi() -> None:
    assert any("pi" in str(e) for e in exact_numbers(3.14, 0.01))
    assert not any("pi" in str(e) for e in exact_numbers(3.14, 0.01, with_pi=False))
    noisy = 3.14 + 5.0 * X + 0.05 * NOISE
    answer = hypo.fit({"x": X, "y": noisy}, "y", **FAST).expression
    assert answer is not None and "pi" not in str(answer)
    # What is known to many digits is no accident.
    exact = hypo.fit({"x": X, "y": np.pi + 5.0 * X}, "y", **FAST).expression
    assert exact is not None and "pi" in str(exact)
    # A phase is an angle, and a factor may be anything.
    t = np.linspace(0.0, 6.0, 80)
    wave = np.sin(2.0 * t + np.pi / 4)
    scored = hypo.fit(
        {"t": t, "y": wave}, "y", guesses=["sin(2*t + a)"], **(FAST | {"operators": "+,*,/,sin"})
    ).expression
    assert scored is not None and "pi" in str(scored)


@pytest.mark.slow
def test_another_spelling_of_the_answer_does_not_prolong_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """x**1.5 comes first, √(x³) costs less: patience counts from the first."""
    seen: list[tuple[float, float]] = []
    after = Stopping.after_turn

    def watched(self: Stopping, gain: float) -> tuple[str, str] | None:
        out = after(self, gain)
        seen.append((self._schedule.spent, self._bought))
        return out

    monkeypatch.setattr(Stopping, "after_turn", watched)
    x = np.random.default_rng(1).uniform(0.5, 4.0, (50, 2))
    y = 2.3 * x[:, 0] ** 1.5 / x[:, 1]
    y += 0.05 * np.std(y) * np.random.default_rng(2).standard_normal(50)
    settings = Settings(time_limit=NO_LIMIT, turns=12, posterior=False)
    found = search(make_problem(from_arrays(x, y), None, settings), settings)
    assert found.best is not None and set(found.best.expression.variables) == {"x0", "x1"}
    spent, bought = seen[-1]
    # Its spellings came later than the law itself, and did not count.
    assert bought < 1.0 < LEAST * PATIENCE < spent
