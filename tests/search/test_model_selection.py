"""Model selection: each criterion against a slow reference, rows held out, rules, messages, command, save and load."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hypo
from hypo.api.inputs import make_folds, read_folds
from hypo.checks import NO_LIMIT
from hypo.cli.main import main
from hypo.data import TableOptions, as_dataset, from_arrays
from hypo.expression.program import evaluate
from hypo.knowledge import Knowledge
from hypo.posterior.posterior import structure_key
from hypo.problem.problem import Settings
from hypo.search.model_selection import select_best
from hypo.search.validation import folds_of
from hypo.search.validation import validated as choose_by_loss

FAST: dict[str, Any] = {"operators": "+,-,*,/", "time_limit": 30.0, "max_complexity": 5, "workers": 1}
RNG = np.random.default_rng(3)
XS = RNG.uniform(0.5, 3.0, 40)
YS = 2.0 * XS + 0.4 * RNG.standard_normal(40)
DATA = {"x": XS, "y": YS}


@pytest.fixture(scope="module")
def plain() -> hypo.Result:
    return hypo.fit(DATA, "y", **FAST)


@pytest.fixture(scope="module")
def validated() -> hypo.Result:
    return hypo.fit(DATA, "y", **FAST, model_selection="validation", folds=np.arange(40) % 4 == 1)


def test_criteria_against_their_definitions(plain: hypo.Result) -> None:
    front, posterior = plain.front, plain.posterior
    assert posterior is not None and len(front) > 1
    assert select_best("score", front, posterior) == min(front, key=lambda h: h.score)
    assert select_best("accuracy", front, posterior) == min(front, key=lambda h: h.misfit)
    weights = {structure_key(s.expression): s.weight for s in posterior.structures}
    likeliest = select_best("posterior", front, posterior)
    assert likeliest is not None
    on_front = [weights.get(structure_key(h.expression), 0.0) for h in front]
    assert weights[structure_key(likeliest.expression)] == max(on_front)
    assert select_best("posterior", front, None) == select_best("score", front, posterior)
    assert select_best("score", (), None) is None


def test_the_likeliest_structure_is_the_answer() -> None:
    """Also where it is not on the front."""
    found = hypo.fit(DATA, "y", **FAST, model_selection="posterior")
    assert found.posterior is not None and found.best in found.front
    assert structure_key(found.best.expression) == structure_key(found.posterior.structures[0].expression)
    assert found.settings["model_selection"] == "posterior"
    assert any(line.startswith("Chosen as the likeliest structure") for line in found.remarks())


def test_validation_against_a_slow_reference(validated: hypo.Result) -> None:
    """The losses recorded are those of the candidates' constants, fitted by least squares to the rows that were searched."""
    held = np.arange(40) % 4 == 1
    selection = validated.manifest["selection"]
    losses: dict[str, np.ndarray] = {}
    assert selection["held_out"] == [10] and len(selection["candidates"]) > 2
    for row in selection["candidates"]:
        e = hypo.parse(row["expression"], variables=["x"])
        squares = (YS[held] - evaluate(e, XS[held, None], ["x"])) ** 2
        losses[row["expression"]] = squares
        assert row["loss"] == pytest.approx(squares.mean())
        assert row["standard_error"] == pytest.approx(squares.std(ddof=1) / np.sqrt(10))
        fitted = any(c.value != round(c.value) for c in e.constants)
        if fitted and structure_key(e) == structure_key(hypo.parse("1.5*x", variables=["x"])):
            slope = XS[~held] @ YS[~held] / (XS[~held] @ XS[~held])
            assert evaluate(e, XS[:1, None], ["x"]) == pytest.approx(slope * XS[0], rel=1e-6)
    least = min(losses, key=lambda text: losses[text].mean())
    assert selection["least"] == least
    within = [
        row
        for row in selection["candidates"]
        if (d := losses[row["expression"]] - losses[least]).mean() <= d.std(ddof=1) / np.sqrt(10)
    ]
    simplest = min(within, key=lambda row: (row["complexity"], row["loss"]))
    assert validated.best is not None and selection["loss"] == simplest["loss"]
    assert structure_key(validated.best.expression) == structure_key(
        hypo.parse(simplest["expression"], variables=["x"])
    )


@pytest.mark.slow
def test_large_formulas_do_not_win_by_luck() -> None:
    """A straight line with noise: the least loss is always that of a larger formula, and hardly ever chosen."""
    sizes, least = [], []
    settings = Settings(operators=("+", "-", "*", "/"), time_limit=NO_LIMIT, workers=1, turns=2, posterior=False)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        x = rng.uniform(0.0, 5.0, 60)
        masks = [np.arange(60) % 2 == k for k in range(2)]
        y = 1.7 * x + 3.1 + 0.5 * rng.standard_normal(60)
        found, details = choose_by_loss(from_arrays(x[:, None], y), Knowledge(), settings, masks)
        assert found.best is not None
        sizes.append(len(found.best.expression))
        least.append(len(hypo.parse(details["least"], variables=["x0"])))
    assert sum(size <= 5 for size in sizes) >= 3 and min(least) > 5


def test_the_answer_is_fitted_to_all_rows(validated: hypo.Result) -> None:
    best = validated.best
    assert best is not None and best in validated.front
    again = hypo.score(str(best.expression), DATA, "y")
    assert best.rmse == pytest.approx(again.hypothesis.rmse)
    assert validated.posterior is not None and validated.data is not None and validated.data.n_row == 40
    assert [line for line in validated.remarks() if line.startswith("Chosen for its loss on 10 rows held out, ")]


def test_saved_and_loaded(validated: hypo.Result, tmp_path: Path) -> None:
    loaded = hypo.Result.load(validated.save(tmp_path / "r"))
    assert loaded.best == validated.best and loaded.remarks() == validated.remarks()
    assert loaded.manifest["selection"] == json.loads(json.dumps(validated.manifest["selection"]))


def test_several_folds() -> None:
    found = hypo.fit(DATA, "y", **FAST, model_selection="validation", folds=np.arange(40) % 2)
    assert found.manifest["selection"]["held_out"] == [20, 20]
    assert "in 2 folds" in " ".join(found.remarks())


def test_whole_numbers_may_be_floats() -> None:
    """As pandas makes of a column with gaps; a row with a gap may be left out as one with any other missing value."""
    data = from_arrays(XS[:, None], YS)
    numbers = np.arange(40) % 3
    for same in (
        numbers.astype(float),
        list(map(float, numbers)),
        [np.int64(k) for k in numbers],
        numbers[:, None] + 0.0,
    ):
        masks = folds_of(data, None, read_folds(same), 0)
        assert [np.array_equal(m, numbers == k) for k, m in enumerate(masks)] == [True] * 3
    truth = [bool(k) for k in numbers]
    assert np.array_equal(folds_of(data, None, read_folds(np.array(truth, object)), 0)[0], truth)
    gap = numbers.astype(float)
    gap[3] = np.nan
    short = from_arrays(XS[:, None], np.where(np.arange(40) == 3, np.nan, YS), drop_missing=True)
    assert np.array_equal(folds_of(short, None, read_folds(gap), 0)[1], np.delete(numbers == 1, 3))


def test_a_column_of_folds() -> None:
    """It is no feature, and chooses as an array does; a column of truth values is a mask."""
    numbers = np.arange(40) % 2
    plain, _ = as_dataset(DATA, "y")
    named, _ = as_dataset({**DATA, "fold": numbers + 1.0}, "y", TableOptions(folds="fold"))
    assert named.names == ("x",) and named.sha256 == plain.sha256
    by_array, by_column = (
        make_folds(d, "validation", None, f, Settings()) for d, f in ((plain, numbers), (named, "fold"))
    )
    np.testing.assert_array_equal(by_column, by_array)
    held = as_dataset({**DATA, "fold": numbers == 1}, "y", TableOptions(folds="fold"))[0].folds
    assert held is not None and held.dtype == bool and np.array_equal(held, numbers == 1)


def test_random_rows_held_out() -> None:
    data = from_arrays(XS[:, None], YS)
    (held,) = folds_of(data, 0.25, None, 5)
    assert held.sum() == 10 and np.array_equal(held, folds_of(data, 0.25, None, 5)[0])
    assert not np.array_equal(held, folds_of(data, 0.25, None, 6)[0])
    missing = np.where(np.arange(40) == 3, np.nan, YS)
    short = from_arrays(XS[:, None], missing, drop_missing=True)
    mask = np.arange(40) < 10
    assert np.array_equal(folds_of(short, None, mask, 0)[0], np.delete(mask, 3))


def test_rules_hold_for_what_is_chosen() -> None:
    rule = {"rule": [{"kind": "bounds", "max": 100.0, "hard": True}]}
    found = hypo.fit(DATA, "y", **FAST, model_selection="validation", knowledge=rule)
    assert found.best is not None and len(found.rules) == 1 and found.rules[0].violation == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_selection": "best"}, "model_selection must be score, posterior, accuracy or validation, got 'best'"),
        ({"model_selection": "posterior", "posterior": False}, "needs the posterior: leave out --no-posterior"),
        ({"validation_fraction": 0.2}, 'validation_fraction is of use with model_selection "validation" only'),
        ({"model_selection": "validation", "validation_fraction": 1.5}, "must be a share between 0 and 1, got 1.5"),
        ({"model_selection": "validation", "validation_fraction": 0.01}, "needs at least 2 rows held out"),
        ({"model_selection": "validation", "folds": [1, 2]}, "for each of the 40 rows, got shape"),
        ({"model_selection": "validation", "folds": np.zeros(40, int)}, "at least two different numbers"),
        ({"model_selection": "validation", "folds": ["a"] * 40}, "one whole number or truth value for each row"),
        ({"model_selection": "validation", "folds": [[1], [1, 2]]}, "^folds must be one whole number or truth value"),
        (
            {"model_selection": "validation", "folds": [1.0, 2.0] * 19 + [1.5, 2]},
            r"frame, row 38 \(from 0\): the number of the fold must be a whole number, got 1.5",
        ),
        (
            {"model_selection": "validation", "folds": [1.0, np.nan] * 20},
            r"row 1 \(from 0\): the number of the fold is m",
        ),
        ({"model_selection": "validation", "folds": [1.0, np.inf] * 20}, "must be a whole number, got inf"),
        ({"model_selection": "validation", "folds": "fold"}, 'there is no column "fold" as folds'),
        ({"model_selection": "validation", "folds": "y"}, 'the column "y" cannot be both target and folds'),
        (
            {"model_selection": "validation", "folds": "x", "features": "x"},
            'column "x" is the folds and cannot be a feature',
        ),
        ({"model_selection": "validation", "folds": np.arange(40) % 2, "validation_fraction": 0.2}, "not both"),
        ({"model_selection": "validation", "shard": "1/2"}, "a shard of a search cannot choose by validation"),
    ],
)
def test_messages(options: dict[str, Any], message: str) -> None:
    with pytest.raises(hypo.InputError, match=message):
        hypo.fit(DATA, "y", **FAST, **options)


@pytest.mark.slow
def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text("x,y\n" + "".join(f"{a},{b}\n" for a, b in zip(XS, YS, strict=True)))
    options = ["--operators", "+,-,*,/", "--time-limit", "30", "--max-complexity", "5", "--workers", "1", "--out", "r"]
    arguments = [
        "fit",
        "d.csv",
        "--target",
        "y",
        *options,
        "--model-selection",
        "validation",
        "--validation-fraction",
        "0.3",
    ]
    assert main(arguments) == 0
    assert "Chosen for its loss on 12 rows held out" in capsys.readouterr().out
    assert hypo.Result.load("r").settings["model_selection"] == "validation"
    rows = "".join(f"{a},{b},{k % 2 + 1}.0\n" for k, (a, b) in enumerate(zip(XS, YS, strict=True)))
    Path("f.csv").write_text(f"x,y,part\n{rows}")
    arguments = ["fit", "f.csv", "--target", "y", *options, "--folds", "part"]
    assert main(arguments) == 2
    assert 'folds is of use with model_selection "validation" only' in capsys.readouterr().err
    arguments += ["--model-selection", "validation", "--no-posterior", "--max-complexity", "3"]
    assert main(arguments) == 0
    assert "Chosen for its loss on 40 rows held out in 2 folds" in capsys.readouterr().out
    found = hypo.Result.load("r")
    assert found.features == ("x",) and found.manifest["selection"]["held_out"] == [20, 20]
    Path("f.csv").write_text(f"x,y,part\n{rows}1.0,2.0,1.5\n")
    assert main(arguments) == 2
    assert capsys.readouterr().err == "error: f.csv, line 42: the number of the fold must be a whole number, got 1.5\n"
    assert main(["fit", "d.csv", "--target", "y", *options, "--model-selection", "worst"]) == 2
    assert "error: model_selection must be" in capsys.readouterr().err


def test_estimator() -> None:
    model = hypo.SymbolicRegressor(
        operators="+,-,*,/", time_limit=30.0, maxsize=5, workers=1, model_selection="validation"
    )
    model.fit(XS[:, None], YS, folds=np.arange(40) < 10)
    best = model.result_.best
    assert best is not None and model.get_best()["equation"] == str(best.expression)
    np.testing.assert_allclose(model.predict(XS[:3, None]), evaluate(best.expression, XS[:3, None], ["x0"]))
    with pytest.raises(hypo.InputError, match="folds has 2 values, but there are 40 rows"):
        model.fit(XS[:, None], YS, np.ones(40), folds=[1, 2])


def test_merged_shards_choose_by_the_same_criterion() -> None:
    shards = [hypo.fit(DATA, "y", **FAST, model_selection="accuracy", shard=(k, 2)) for k in (1, 2)]
    merged = hypo.merge(*shards)
    assert merged.best is not None and merged.posterior is not None
    assert merged.best.misfit == min(s.best.misfit for s in shards if s.best is not None)
    # Bounds need the prior of every structure of the joint posterior.
    lengths = merged.manifest["prior"]["code_lengths"]
    assert all(str(s.expression) in lengths for s in merged.posterior.structures)
    assert merged.bound("y > 0", {"x": [1.0]}).upper == pytest.approx(1.0, abs=1e-3)
