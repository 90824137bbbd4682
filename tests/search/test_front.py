"""The front: misfit against complexity, also beyond the best score, up to what the rows can bear; marks, files, choices."""

import csv
import io
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import hypo
from hypo.api.make_result import make_result
from hypo.checks import NO_LIMIT
from hypo.data import as_dataset
from hypo.expression.expr import Expression
from hypo.fitting.archive import BEYOND, CLOSER, CLOSEST, Archive, find_front, loss, pareto
from hypo.knowledge import Knowledge
from hypo.problem.problem import Settings, make_problem
from hypo.report import tables
from hypo.scoring.score import Hypothesis
from hypo.search.engine import search
from hypo.search.model_selection import select_best
from hypo.search.validation import validated

# Eight rows of about 0.2·a·b, from a public question: too few for a score to prefer the product to b alone.
ROWS = np.array(
    [[5, 5, 5], [5, 10, 10], [5, 15, 16], [5, 20, 24], [10, 5, 9], [10, 10, 10], [15, 20, 70], [20, 5, 19]], dtype=float
)
TABLE = {"a": ROWS[:, 0], "b": ROWS[:, 1], "out": ROWS[:, 2]}
SETTINGS = Settings(time_limit=NO_LIMIT, turns=3, workers=1, library_sizes=(100,), proposers=("library",))


def hypothesis(complexity: float, misfit: float, cost: float, text: str = "x") -> Hypothesis:
    e = hypo.parse(text, variables=["x"])
    return Hypothesis(e, complexity, misfit, cost, 0.0, misfit + cost, 0.5, 1.0)


@pytest.fixture(scope="module")
def eight() -> hypo.Result:
    return answer("score")


def answer(by: str) -> hypo.Result:
    dataset, columns = as_dataset(TABLE, "out")
    problem = make_problem(dataset, None, SETTINGS)
    return make_result(search(problem, SETTINGS), problem, SETTINGS, dataset, columns, by)


# --- which formulas are on it -------------------------------------------------------------------------------------


def random_hypotheses(rng: np.random.Generator) -> list[Hypothesis]:
    """Misfits fall with complexity by chance; a formula that is longer has the longer code."""
    sizes = rng.integers(1, 10, 60)
    return [
        hypothesis(float(c), float(40 - 2 * c + rng.normal(0, 8)), 2.7 * float(c) + rng.uniform(0, 4)) for c in sizes
    ]


@pytest.mark.parametrize("seed", range(20))
def test_the_front_against_its_definition(seed: int) -> None:
    everything = random_hypotheses(np.random.default_rng(seed))
    front = find_front(everything)
    best = min(everything, key=lambda h: h.score)
    assert best in front
    assert all(a.complexity < b.complexity for a, b in pairwise(front))
    for h in front:
        simpler = [o for o in front if o.complexity < h.complexity]
        closer = all(loss(h) < loss(o) for o in simpler)
        assert closer or all(h.score < o.score for o in simpler)
        assert h.score <= best.score + BEYOND or h.complexity < best.complexity
    # Nothing that is much closer than all shown formulas as simple as it is missing beyond the best score.
    for h in everything:
        shown = [loss(o) for o in front if o.complexity <= h.complexity]
        if h.complexity > best.complexity and h.score <= best.score + BEYOND:
            assert loss(h) >= min(shown) - 2 * CLOSER


def test_what_the_score_believes_is_part_of_the_front() -> None:
    for seed in range(20):
        everything = random_hypotheses(np.random.default_rng(seed))
        front = find_front(everything)
        assert tables.count_believed(front) == 1 + front.index(min(everything, key=lambda h: h.score))
        left_out = [h for h in pareto(everything) if h not in front]
        # Only what a longer formula with a shorter code says as well.
        assert all(any(abs(loss(o) - loss(h)) <= CLOSER and o.score < h.score for o in front) for h in left_out)


def test_rows_bear_no_formula_as_long_as_they_are_many() -> None:
    short, long = hypothesis(1, 30.0, 3.0), hypothesis(5, 20.0, 18.0, "x + x*x")
    assert find_front([short, long]) == (short, long)
    assert find_front([short, long], rows=6) == (short, long)
    assert find_front([short, long], rows=5) == (short,)
    # What scores better is believed at any number of rows.
    best = hypothesis(5, 2.0, 18.0, "x + x*x")
    assert find_front([short, best], rows=2) == (short, best)


def test_equal_rows_count_once_and_an_exact_formula_ends_the_front() -> None:
    rows = np.repeat(np.arange(1.0, 4.0), 10)[None]
    archive = Archive(rows, ("x",))
    for h in (hypothesis(1, 30.0, 3.0), hypothesis(5, 20.0, 18.0, "x + x*x"), hypothesis(2, 28.0, 6.0, "sin(x)")):
        archive.add(h, 1)
    assert [h.complexity for h in archive.front()] == [1, 2]
    many = Archive(np.arange(1.0, 30.0)[None], ("x",))
    for h in archive.all():
        many.add(h, 1)
    assert [h.complexity for h in many.front()] == [1, 2, 5]
    assert [h.complexity for h in archive.front(exact=True)] == [1]


def test_trimming_keeps_what_is_closest() -> None:
    archive = Archive(np.arange(1.0, 9.0)[None], ("x",), keep=2)
    for k in range(10):
        e = Expression.constant(1.0 + k) * Expression.variable("x")
        archive.add(Hypothesis(e, 3.0, 50.0 - k, 10.0 + 3 * k, 0.0, 60.0 + 2 * k, 0.0, 1.0), k)
    archive.trim()
    assert sorted(h.misfit for h in archive.all()) == [41.0, 42.0, 43.0, 49.0, 50.0] and CLOSEST == 3


# --- eight rows ---------------------------------------------------------------------------------------------------


def test_eight_rows_show_the_product_that_the_score_does_not_believe(eight: hypo.Result) -> None:
    assert str(eight.expression) == "b"
    front = {h.expression.pretty(): h for h in eight.front}
    assert front["0.2177*a*b"].r2 == pytest.approx(0.942, abs=0.001)
    assert front["0.2177*a*b"].score - eight.front[0].score == pytest.approx(2.36, abs=0.05)
    assert all(a.misfit > b.misfit for a, b in pairwise(eight.front))
    assert max(len(h.expression) for h in eight.front) < 8


def test_marks_and_what_they_mean(eight: hypo.Result) -> None:
    text = str(eight)
    lines = [line for line in text.splitlines() if line.endswith(("0.2177*a*b", "   b"))]
    assert lines[0].startswith("* ") and lines[1].startswith("~ ")
    assert "Formulas marked ~ come closer to the rows, but not by as much as they are longer" in text
    assert "nats behind" in text
    assert "<td>~</td>" in eight._repr_html_()


def test_files_say_what_is_believed(eight: hypo.Result, tmp_path: Path) -> None:
    eight.save(tmp_path / "r")
    rows = json.loads((tmp_path / "r" / "result.json").read_text())["front"]
    assert [row["believed"] for row in rows] == [True] + [False] * (len(rows) - 1) and len(rows) > 2
    table = list(csv.DictReader(io.StringIO((tmp_path / "r" / "front.csv").read_text())))
    assert [row["believed"] == "1" for row in table] == [row["believed"] for row in rows]
    again = hypo.Result.load(tmp_path / "r")
    assert again.front == eight.front and str(again) == str(eight)


def test_runners_up_are_shown_by_weight(eight: hypo.Result) -> None:
    text = str(eight)
    begin = text.index("rival")
    shown = [line.split() for line in text[begin:].split("\n\n")[0].splitlines()[2:]]
    weights = [float(row[1]) for row in shown]
    assert weights == sorted(weights, reverse=True) and [row[0] for row in shown] == [
        str(k + 1) for k in range(len(shown))
    ]
    product = next(row for row in shown if row[-1] == "0.2177*a*b")
    assert product[3] == "0.9422"
    assert "8 rows do not settle the law" in text and "hypo suggest" in text


def test_every_criterion_works_on_the_whole_front(eight: hypo.Result) -> None:
    assert select_best("score", eight.front, eight.posterior) == eight.best
    closest = answer("accuracy")
    assert closest.front == eight.front and closest.best == min(eight.front, key=lambda h: h.misfit) != eight.best
    assert any("the score prefers b" in line for line in closest.remarks())
    held = np.arange(8) % 4 == 1
    outcome, details = validated(as_dataset(TABLE, "out")[0], Knowledge(), SETTINGS, [held])
    candidates = [hypo.parse(row["expression"], variables=["a", "b"]) for row in details["candidates"]]
    # Those beyond the best score of the rows that were searched are held against the rows held out too.
    assert max(map(len, candidates)) > len(eight.front[0].expression) + 3 and outcome.best in outcome.archive


def test_formulas_beyond_the_best_score_are_fitted_to_the_end(eight: hypo.Result) -> None:
    product = next(h for h in eight.front if h.expression.pretty() == "0.2177*a*b")
    a, b, y = ROWS.T
    assert product.expression.values[0] == pytest.approx((a * b) @ y / ((a * b) @ (a * b)), rel=1e-9)
