"""Worst-case bounds: events against brute force, plausible sets, the guarantee in simulated streams, messages, command."""

import csv
import importlib
import io
import itertools
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import poisson

import hypo
from hypo.cli.main import main
from hypo.errors import FormulaError, InputError
from hypo.posterior.bounds import Assumed, NewRows, assume, bound, event_probability, mark_plausible, select_plausible
from hypo.posterior.events import parse_event
from hypo.posterior.posterior import Structure
from hypo.scoring.prior import Prior
from tests.oracles.places import BENCHMARKS

CALIBRATION = BENCHMARKS / "calibration"
X = np.array([[1.0, 2.0, 3.0, 2.0], [0.0, -1.0, 2.0, 4.0]])


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(CALIBRATION), *sys.path])
        patch.delitem(sys.modules, "bound", raising=False)
        yield importlib.import_module("bound")
        sys.modules.pop("bound", None)


def structure(text: str, weight: float = 1.0, sigma: float = 0.5, dof: float = math.inf) -> Structure:
    e = hypo.parse(text, variables=["x", "z"])
    return Structure(e, weight, 1.0, 0.0, (-1,) * len(e.constants), (), (), dof, sigma)


# --- events -----------------------------------------------------------------------------------------------------------

COMPARISONS = ["y > 2", "1 <= y < x", "y < z", "not y <= 1.5", "x > 1.5", "y = 2", "y != z + 2", "2*x >= y > 0.5"]
WORDS = st.sampled_from(["and", "or", "implies", "iff"])


@given(st.lists(st.sampled_from(COMPARISONS), min_size=1, max_size=4), st.lists(WORDS, min_size=3, max_size=3))
def test_events_against_counting(parts: list[str], words: list[str]) -> None:
    """The chance under a target of whole and half numbers is what counting them with Python's own logic gives."""
    text = "y > 0 and (" + " ".join(f"{w} ({p})" for p, w in zip(parts, ["", *words], strict=False))
    values = np.arange(-6, 12) / 2.0
    asked = parse_event(text + ")", variables=["x", "z"], target="y")
    found = asked.regions(X, ["x", "z"]).probability(
        lambda t: np.mean(values[:, None] <= t, axis=0), (4,), discrete=True
    )

    def python(y: float, x: float, z: float) -> bool:
        comparisons = [y > 2, 1 <= y < x, y < z, not y <= 1.5, x > 1.5, y == 2, y != z + 2, 2 * x >= y > 0.5]
        each = [comparisons[COMPARISONS.index(p)] for p in parts]
        # Binding as in rules: and, or, implies (to the right), iff (to the left).
        joined = list(zip(each, [*words[: len(parts) - 1], ""], strict=True))
        for word, rule in (("and", lambda a, b: a and b), ("or", lambda a, b: a or b)):
            joined = fold(joined, word, rule)
        while any(w == "implies" for _, w in joined):
            k = max(i for i, (_, w) in enumerate(joined) if w == "implies")
            joined[k : k + 2] = [((not joined[k][0]) or joined[k + 1][0], joined[k + 1][1])]
        joined = fold(joined, "iff", lambda a, b: a == b)
        return y > 0 and joined[0][0]

    want = [np.mean([python(y, x, z) for y in values]) for x, z in X.T]
    assert found == pytest.approx(want, abs=1e-12)


def fold(joined: list, word: str, rule) -> list:
    out = [joined[0]]
    for value, after in joined[1:]:
        if out[-1][1] == word:
            out[-1] = (rule(out[-1][0], value), after)
        else:
            out.append((value, after))
    return out


def test_chances_are_those_of_the_noise() -> None:
    s = structure("x*z")
    centre = X[0] * X[1]
    for text, want in (
        ("y > 2", 1 - ndtr((2 - centre) / 0.5)),
        ("1 < y <= 3*x", ndtr((3 * X[0] - centre) / 0.5) - ndtr((1 - centre) / 0.5)),
        ("y < 1 or y > 4", ndtr((1 - centre) / 0.5) + 1 - ndtr((4 - centre) / 0.5)),
        ("y < 2 and y > 2", np.zeros(4)),
        ("y < 2 or y >= 2", np.ones(4)),
    ):
        regions = parse_event(text, variables=["x", "z"], target="y").regions(X, ["x", "z"])
        assert event_probability(s, regions, X, ["x", "z"]) == pytest.approx(want, abs=1e-12), text


def test_points_count_for_discrete_targets() -> None:
    asked = parse_event("y = 2 or y > 4", variables=["x"], target="y").regions(X[:1], ["x"])
    found = asked.probability(lambda t: poisson.cdf(t, 3.0), (4,), discrete=True)
    assert found == pytest.approx(poisson.pmf(2, 3.0) + poisson.sf(4, 3.0))


def test_undefined_rows() -> None:
    asked = parse_event("y > sqrt(z)", variables=["x", "z"], target="y").regions(X, ["x", "z"])
    found = event_probability(structure("x"), asked, X, ["x", "z"])
    assert np.isnan(found).tolist() == [False, True, False, False]
    plain = parse_event("y > 1", variables=["x", "z"], target="y").regions(X, ["x", "z"])
    assert np.isnan(event_probability(structure("log(z)"), plain, X, ["x", "z"])).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x > 5", 'the event "x > 5" says nothing of the target; name y, as in "y > 5"'),
        ("2*y > 3", "column 5: expected y alone on one side of the comparison and columns or numbers on the other"),
        ("y > y", "column 3: y is compared with itself"),
        ("forall x: y > 1", "column 1: an event has no quantifiers, but found 'forall'"),
        ("y(3) > 1", "column 2: an event is about y in the row itself, so y has no arguments"),
        ("y > q", "column 5: unknown name 'q'; known are x, z, y, f and pi"),
        ("y >", "column 4: expected a number, a name or '(' but the event ends"),
        ("y > 1 & y < 2", "column 7: unexpected '&'; write 'and'"),
        ("dy/dx > 1", "column 1: an event has no derivatives"),
        ("int(x, x, 0, 1) > y", "column 1: an event has no integrals"),
        ("__import__('os') > y", "unexpected character"),
        ("", "column 1: the event is empty"),
    ],
)
def test_messages_of_events(text: str, message: str) -> None:
    with pytest.raises((FormulaError, InputError), match="event") as caught:
        parse_event(text, variables=["x", "z"], target="y")
    assert message in str(caught.value)


# --- the plausible set ------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 7.0]), min_size=1, max_size=8), st.floats(1e-3, 1.0))
def test_plausible_sets_against_the_definition(weights: list[float], alpha: float) -> None:
    """With ties there are several orders: a member belongs if it does in any of them."""
    w = np.array(weights)
    want = np.zeros(len(w), dtype=bool)
    for order in itertools.islice(itertools.permutations(range(len(w))), 0, None, 7):
        if all(w[a] >= w[b] for a, b in itertools.pairwise(order)):
            sums = np.cumsum(w[list(order)])
            for i, total in zip(order, sums, strict=True):
                want[i] |= bool(w[i] > 0 and w[i] >= alpha * total)
    found = mark_plausible(w, alpha)
    assert not np.any(want & ~found)
    if len(set(weights)) == len(weights):
        falling = np.argsort(-w)
        expected = np.zeros(len(w), dtype=bool)
        expected[falling] = (w[falling] >= alpha * np.cumsum(w[falling])) & (w[falling] > 0)
        assert found.tolist() == expected.tolist()


def test_bound_is_the_worst_of_the_plausible() -> None:
    structures = [structure("x", 0.7), structure("x + 1", 0.29), structure("x*10", 0.01)]
    regions = parse_event("y > 2.5", variables=["x", "z"], target="y").regions(X, ["x", "z"])
    found = bound(structures, Assumed(0.05, 1.0), regions, NewRows(X, ["x", "z"]), "y > 2.5")
    each = [1 - ndtr((2.5 - c) / 0.5) for c in (X[0], X[0] + 1, 10 * X[0])]
    assert [s.expression for s in found.plausible] == [s.expression for s in structures[:2]]
    assert found.upper == pytest.approx(np.maximum(each[0], each[1]))
    assert found.worst.tolist() == [1, 1, 1, 1] and found.formulas() == ["x + 1"] * 4
    assert found.average == pytest.approx(0.7 * each[0] + 0.29 * each[1] + 0.01 * each[2])
    everything = bound(structures, Assumed(0.05, 0.1), regions, NewRows(X, ["x", "z"]), "y > 2.5")
    assert everything.upper == pytest.approx(np.max(each, axis=0)) and everything.worst.tolist() == [2] * 4


def test_longer_codes_than_assumed_are_left_out() -> None:
    structures = [structure("x", 0.5), structure("x + 1", 0.3), structure("x*10", 0.2)]
    record = Prior(10, 4.0, 3.0, 2.0, 20, {"x": 2.0, "x + 1": 30.0, "x*10": 11.0})
    level = assume(structures, 0.05, record)
    assert level is not None and level.code_length == 12.0
    assert level.prior == pytest.approx(math.exp(-12.0 - record.log_normaliser(12.0)))
    assert [str(s.expression) for s in select_plausible(structures, level, record)] == ["x", "x*10"]
    assert assume(structures, 0.05, None) is None and assume(structures, 0.05, None, 0.1) == Assumed(0.05, 0.1)


def test_normaliser_counts_formulas() -> None:
    """Against all trees of up to five nodes, written out."""
    prior = Prior(7, 3.0, 2.0, 2.0, 5)
    trees: dict[int, int] = {1: 3}
    for n in range(2, 6):
        trees[n] = 2 * trees[n - 1] + 2 * sum(trees[i] * trees[n - 1 - i] for i in range(1, n - 1))
    total = sum(count * 7.0**-n for n, count in trees.items())
    assert prior.log_normaliser() == pytest.approx(max(0.0, math.log(total)))
    few = Prior(2, 9.0, 2.0, 2.0, 50)
    assert few.log_normaliser(2.5 * math.log(2.0)) == pytest.approx(math.log(9 / 2 + 18 / 4))
    assert Prior.read(json.loads(json.dumps(few.as_dict()))) == few


# --- the guarantee ----------------------------------------------------------------------------------------------------


def test_violated_at_most_as_often_as_stated(bench: ModuleType) -> None:
    """Streams of laws drawn from the prior, looked at with every number of rows from 1 to 40."""
    streams = list(bench.law_streams(60, 40, 3, 0.5))
    for delta in bench.DELTAS:
        violated = np.mean([s.violated[delta] for s in streams])
        assert violated <= delta + 3 * math.sqrt(delta * (1 - delta) / len(streams))
        # And it is a bound: above the truth on average, by less with more rows.
        bounds = np.mean([s.bound[delta] for s in streams], axis=0)
        true = np.mean([s.true for s in streams])
        assert bounds[0] > bounds[-1] > true and bounds[-1] < 1.1 * true
    assert any(s.violated[0.5] for s in streams)


# --- results and command ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit of s = v·t (m), noise 1."""
    rng = np.random.default_rng(1)
    t, v = rng.uniform(1.0, 5.0, 25), rng.uniform(2.0, 8.0, 25)
    data = {"t [s]": t, "v [m/s]": v, "s [m]": t * v + rng.standard_normal(25)}
    out = tmp_path_factory.mktemp("bound") / "r"
    hypo.fit(data, "s", time_limit=30.0, max_complexity=7, operators="+,-,*,/", out=out, workers=1)
    return out


def test_result(folder: Path) -> None:
    result = hypo.Result.load(folder)
    rows = {"t": [2.0, 4.0], "v": [5.0, 5.0]}
    found = result.bound("s > 2*t*v - 10", rows)
    assert np.all(found.upper >= found.average - 1e-9) and np.all(found.upper <= 1.0)
    assert found.average == pytest.approx([0.5, 0.0], abs=0.2)
    assert found.alpha == 0.05 * found.prior < 1e-5
    assert "The true chance is below the bound with probability 95 % over the data" in found.remarks[0]
    assert "Assumed: the law is one of the structures that the search kept" in found.remarks[1]
    assert "says nothing of a law that it did not look at" in found.remarks[3]
    # Units of the new table are converted, and those of the event are the fit's.
    again = result.bound("s > 2*t*v - 10", {"t [min]": [2.0 / 60, 4.0 / 60], "v [m/s]": [5.0, 5.0]})
    assert again.upper == pytest.approx(found.upper, abs=1e-9)
    assert len(result.bound("s > 10", rows, prior=1.0).plausible) <= len(found.plausible)
    for options, message in (
        ({"delta": 0.0}, "delta must be a probability above 0 and at most 1, got 0.0"),
        ({"prior": 2.0}, "prior must be a probability above 0 and at most 1, got 2.0"),
    ):
        with pytest.raises(InputError, match=message):
            result.bound("s > 1", rows, **options)


def test_refused_where_nothing_stands_behind_it(folder: Path) -> None:
    content = json.loads((folder / "result.json").read_text())
    content["posterior"] = content["posterior"][:1]
    content["coverage"]["complete_to"] = 0
    (folder.parent / "one").mkdir(exist_ok=True)
    (folder.parent / "one" / "result.json").write_text(json.dumps(content))
    lone = hypo.Result.load(folder.parent / "one")
    rows = {"t": [2.0], "v": [5.0]}
    with pytest.raises(InputError, match=r"there is no bound: the only plausible formula, .*did not go through them"):
        lone.bound("s > 1", rows)
    content["coverage"]["complete_to"] = 5
    (folder.parent / "one" / "result.json").write_text(json.dumps(content))
    assert hypo.Result.load(folder.parent / "one").bound("s > 1", rows).upper == pytest.approx(1.0, abs=1e-3)
    del content["manifest"]["prior"]
    (folder.parent / "one" / "result.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="an older version"):
        hypo.Result.load(folder.parent / "one").bound("s > 1", rows)


def test_command_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "new.csv"
    new.write_text("who,t,v\nAnn,2,5\nBob,,5\n")
    assert main(["bound", str(folder), str(new), "--event", "s > 9"]) == 0
    out, err = capsys.readouterr()
    rows = list(csv.reader(io.StringIO(out)))
    assert rows[0] == ["who", "t", "v", "event_bound", "event_chance", "event_formula"]
    assert float(rows[1][3]) >= float(rows[1][4]) and rows[1][5] and rows[2][3:] == ["", "", ""]
    assert err.count("note: ") == 5 and "note: There is no bound in 1 of 2 rows" in err
    assert main(["bound", str(folder), str(new), "--event", "s > 9", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"][1] == {"bound": None, "chance": None, "worst": None} and len(found["remarks"]) == 5
    assert main(["bound", str(folder), str(new), "--event", "9 >"]) == 2
    assert capsys.readouterr().err.startswith("error: cannot read the event at line 1, column 4: expected a number")
