"""Suggested measurements: against dense grids and Gaussian conditioning written out, units, domains, messages, command."""

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hypo
from hypo.cli.main import main
from hypo.likelihood.registry import make_family
from hypo.posterior.design import Disagreement, suggest
from hypo.posterior.posterior import Structure
from hypo.posterior.predictive import Prediction, predictive
from hypo.report.questions.suggestions import choose_domain, count_repeats, read_domain, widen


def structure(text: str, weight: float, sigma: float = 0.5) -> Structure:
    e = hypo.parse(text, variables=["x", "z"])
    return Structure(e, weight, 1.0, 0.0, (-1,) * len(e.constants), (), (), math.inf, sigma)


def box(*ends: tuple[float, float]) -> dict[str, Any]:
    low, high = np.array(ends).T
    return {"low": low, "high": high}


# --- the criterion ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "ends"),
    [
        ("sin(x)", "x - x**3/6", (0.0, 2.0)),
        ("x", "x + sin(3*x)*exp(-x)", (0.0, 3.0)),
        ("x", "x + 1/(1 + 40*(x - 0.7234)**2)", (-5.0, 5.0)),
        ("1/x", "1/x + cos(4*x)/(1 + x)", (0.1, 4.0)),
    ],
)
def test_where_two_laws_part_most(one: str, other: str, ends: tuple[float, float]) -> None:
    """Their distance is largest there on a dense grid, and the information is that of two points of equal weight."""
    rivals = [structure(one, 0.5), structure(other, 0.5)]
    found = suggest(rivals, ["x"], **box(ends), count=1)
    assert found is not None
    grid = np.linspace(*ends, 200_001)
    apart = np.abs(_value(one, grid) - _value(other, grid))
    at = _value(one, found.points[:, 0]) - _value(other, found.points[:, 0])
    assert abs(at[0]) == pytest.approx(np.max(apart), rel=1e-5)
    assert found.disagreement[0] == pytest.approx(0.5 * np.max(apart), rel=1e-5)
    assert found.information[0] == pytest.approx(0.5 * math.log1p((0.5 * np.max(apart) / 0.5) ** 2), rel=1e-4)


def _value(text: str, x: np.ndarray) -> np.ndarray:
    from hypo.expression.program import evaluate

    return evaluate(hypo.parse(text, variables=["x"]), x[:, None], ["x"])


def test_two_columns_against_a_grid() -> None:
    rivals = [structure("x*z", 0.6), structure("x*z + sin(2*x)*cos(3*z)", 0.4)]
    found = suggest(rivals, ["x", "z"], **box((0.0, 3.0), (1.0, 2.0)), count=1)
    assert found is not None
    x, z = np.meshgrid(np.linspace(0, 3, 601), np.linspace(1, 2, 401))
    most = np.max(np.abs(np.sin(2 * x) * np.cos(3 * z)))
    assert found.disagreement[0] == pytest.approx(math.sqrt(0.24) * most, rel=1e-3)


def test_a_batch_is_conditioned_on_its_own_points() -> None:
    """Each point has the most of the variance left by those before it, as the textbook's Gaussian conditioning has it."""
    weights = [0.4, 0.35, 0.25]
    texts = ["x", "x + sin(x)", "x + x**2/8"]
    found = suggest([structure(t, w) for t, w in zip(texts, weights, strict=True)], ["x"], **box((0.0, 4.0)), count=4)
    assert found is not None
    grid = np.linspace(0.0, 4.0, 4001)
    f = np.array([_value(t, np.append(grid, found.points[:, 0])) for t in texts])
    w = np.array(weights)
    covariance = (f - w @ f).T @ (w[:, None] * (f - w @ f))
    for k in range(4):
        before = [4001 + j for j in range(k)]
        left = np.diag(covariance).copy()
        if before:
            among = covariance[np.ix_(before, before)] + 0.25 * np.eye(k)
            cross = covariance[:, before]
            left -= np.einsum("ij,ji->i", cross, np.linalg.solve(among, cross.T))
        assert found.disagreement[k] ** 2 == pytest.approx(left[4001 + k], rel=1e-6)
        assert left[4001 + k] == pytest.approx(left[:4001].max(), rel=1e-4)
    assert len(np.unique(np.round(found.points, 2))) > 1


def test_constants_count_as_hypotheses() -> None:
    """One linear law: its slope is learnt best where x is largest, as of V = x²·Var(c)."""
    e = hypo.parse("c*x", variables=["x"]).with_values([2.0])
    lone = Structure(e, 1.0, 1.0, 0.0, (0,), (2.0,), ((0.01,),), math.inf, 0.3)
    found = suggest([lone], ["x"], **box((-1.0, 3.0)), count=2)
    assert found is not None and found.points[:, 0].tolist() == [3.0, 3.0]
    assert found.disagreement[0] == pytest.approx(0.3, rel=1e-6)
    assert found.disagreement[1] == pytest.approx(0.3 / math.sqrt(2), rel=1e-6)


def test_conditioning_one_point_at_a_time_is_that_on_all_at_once() -> None:
    """Against C(x, x) - C(x, M) (C(M, M) + N)⁻¹ C(M, x) solved with all points M measured, some of them twice."""
    laws = [structure("x*z", 0.5), structure("x + z**2", 0.3, sigma=0.1), structure("exp(x)/z", 0.2)]
    rng = np.random.default_rng(4)
    measured, new = rng.uniform(0.5, 2.0, (2, 12)), rng.uniform(0.5, 2.0, (2, 50))
    measured = np.concatenate([measured, measured[:, :4]], axis=1)
    known, prior = (Disagreement(laws, ["x", "z"]) for _ in range(2))
    updated = known.looked_at(new)
    for x in measured.T:
        known.measure(x)
        updated = known.after_the_last(updated)
    m, at = prior.looked_at(measured), prior.looked_at(new)
    shared = m.spread.T @ at.spread
    left = at.left - np.sum(shared * np.linalg.solve(m.spread.T @ m.spread + np.diag(m.noise), shared), axis=0)
    assert known.looked_at(new).left == pytest.approx(left, rel=1e-9)
    assert updated.left == pytest.approx(left, rel=1e-9)


def test_undefined_places_are_not_suggested() -> None:
    rivals = [structure("log(x)", 0.5), structure("log(x) + 1/(2 + x)", 0.5)]
    found = suggest(rivals, ["x"], **box((-3.0, 2.0)), count=3)
    assert found is not None and np.all(found.points > 0)
    assert suggest(rivals, ["x"], **box((-3.0, -1.0)), count=1) is None


def test_a_face_where_laws_are_undefined_is_not_measured_at() -> None:
    """Medians that fall to 0 with x are impossible at 0, where a lognormal target has no noise either."""
    laws = [structure("sqrt(x)", 0.5), structure("x**0.4", 0.5)]
    found = suggest(laws, ["x"], **box((0.0, 2.0)), count=3, family=make_family("lognormal"))
    assert found is not None and np.all(found.points > 0) and np.all(np.isfinite(found.information))


def test_figures_are_those_of_the_suggested_row() -> None:
    """Beside a pole on the face of the box, where the law that has it does not count."""
    rivals = [structure("x", 0.6), structure("x + 0.01/x", 0.3), structure("x + 0.1", 0.1)]
    found = suggest(rivals, ["x"], **box((0.0, 10.0)), count=3)
    assert found is not None
    expected = 0.5 * np.log1p((found.disagreement / found.noise) ** 2)
    assert found.information == pytest.approx(expected, rel=1e-9)
    at_the_face = Disagreement(rivals, ["x"]).looked_at(np.zeros((1, 1))).information[0]
    assert found.information[0] > at_the_face


def test_no_variance_no_suggestion(folder: Path) -> None:
    result = hypo.Result.load(folder)
    search = result.record.search.changed(likelihood=make_family("student_t", 2.0).as_dict())
    result = replace(result, record=replace(result.record, search=search))
    with pytest.raises(hypo.InputError, match="no variance to hold disagreement against"):
        result.suggest()


# --- domains ------------------------------------------------------------------------------------------------------------


def test_default_domains() -> None:
    assert widen(2.0, 6.0) == (1.0, 7.0) and widen(0.5, 4.5) == (0.0, 5.5)
    assert (
        widen(-4.0, -1.0) == (-4.75, -0.25) and widen(-4.0, -0.1) == (-4.975, 0.0) and widen(-2.0, 2.0) == (-3.0, 3.0)
    )
    assert choose_domain({"z": (1, 2)}, ("x", "z"), {"x": [2.0, 6.0], "z": [0.0, 9.0]}) == {
        "x": (1.0, 7.0),
        "z": (1.0, 2.0),
    }
    assert read_domain(["x = 0:10", "z=-1e3:2"]) == {"x": (0.0, 10.0), "z": (-1000.0, 2.0)}


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ({"q": (0, 1)}, "the domain names q, but the columns are t, v"),
        ({"t": (1, 1)}, "the domain of t must rise from its lower to its upper end, got 1 to 1"),
        ({"t": (1, math.inf)}, "the domain of t must be a pair of finite numbers"),
        ([1, 2], "the domain must name columns"),
        ({"t": (-1e308, 1e308)}, r"the domain of t must lie between -1e\+50 and 1e\+50, got -1e\+308 to 1e\+308"),
        ({"t": 3}, r"the domain of t must be a pair \(low, high\), got 3"),
    ],
)
def test_messages_of_domains(folder: Path, domain: Any, message: str) -> None:
    with pytest.raises(hypo.InputError, match=message):
        hypo.Result.load(folder).suggest(domain)


@pytest.mark.parametrize("text", ["x", "x=3", "x=a:b", "=1:2"])
def test_messages_of_written_domains(text: str) -> None:
    with pytest.raises(hypo.InputError, match="a domain must be written NAME=LOW:HIGH, such as x=0:10"):
        read_domain([text])


# --- results and command ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit in a unit of time that formulas do not have: t in minutes, v in m/s."""
    rng = np.random.default_rng(2)
    t, v = rng.uniform(1.0, 3.0, 15), rng.uniform(2.0, 8.0, 15)
    data = {"t [min]": t, "v [m/s]": v, "s [m]": 60 * t * v + 400 * rng.standard_normal(15)}
    out = tmp_path_factory.mktemp("suggest") / "r"
    hypo.fit(data, "s", time_limit=30.0, max_complexity=7, operators="+,-,*,/", out=out, workers=1)
    return out


def test_result_in_the_users_units(folder: Path) -> None:
    result = hypo.Result.load(folder)
    assert result.posterior is not None
    # Two laws of much the same weight, so that none counts for less than its distance.
    law = [s for s in result.posterior.structures if set(s.expression.variables) == {"t", "v"}][:2]
    two = tuple(replace(s, weight=w, odds=0.6 / w) for s, w in zip(law, (0.6, 0.4), strict=True))
    result = replace(result, posterior=replace(result.posterior, structures=two))
    found = result.suggest({"t": (0.5, 6.0), "v": (2.0, 9.0)}, n=3)
    assert found.columns == ("t", "v") and found.points.shape == (3, 2)
    assert np.all((found.points >= [0.5, 2.0]) & (found.points <= [6.0, 9.0]))
    assert result.posterior is not None and result.settings["units"] == {"t": "min", "v": "m/s", "s": "m"}
    structures = result.posterior.top(1.0 - 1e-12)
    assert len(structures) == 2

    def predict(points: np.ndarray) -> Prediction:
        return predictive(structures, np.ascontiguousarray(points.T), ["t", "v"], 0.9)

    predicted = predict(found.points)
    assert found.mean == pytest.approx(predicted.mean, rel=1e-6)
    assert found.noise == pytest.approx(predicted.parts.noise, rel=1e-6)
    disagreement = np.sqrt(predicted.parts.constants**2 + predicted.parts.structure**2)
    assert found.disagreement[0] == pytest.approx(disagreement[0], rel=1e-6)
    again = result.suggest({"t": (0.5, 6.0), "v": (2.0, 9.0)}, n=3)
    assert np.array_equal(again.points, found.points)
    # No other point of a grid tells more than the first.
    t, v = np.meshgrid(np.linspace(0.5, 6.0, 40), np.linspace(2.0, 9.0, 40))
    everywhere = predict(np.column_stack([t.ravel(), v.ravel()])).parts
    ratio = (everywhere.constants**2 + everywhere.structure**2) / everywhere.noise**2
    assert found.information[0] >= 0.5 * np.log1p(np.nanmax(ratio)) - 1e-6
    low, high = result.settings["ranges"]["t"]
    assert result.suggest(n=1).domain["t"] == pytest.approx(
        (max(0.0, 1.25 * low - 0.25 * high), 1.25 * high - 0.25 * low)
    )
    with pytest.raises(hypo.InputError, match="number of suggestions must be a whole number, 1 or more, got 0"):
        result.suggest(n=0)
    with pytest.raises(hypo.InputError, match="number of suggestions must be at most 1000, got 100000"):
        result.suggest(n=100_000)


def test_an_unlikely_law_counts_for_no_more_than_its_weight_allows() -> None:
    """Whether a law of weight w holds is worth at most its entropy, however far off it is; the mean is not dragged along."""
    for w in (1e-6, 1e-3, 0.03):
        entropy = -w * math.log(w) - (1 - w) * math.log1p(-w)
        for odd in ("x + 1e6", "x + 1/(x - 0.7)**2", "0*x"):
            found = suggest([structure("x", 1 - w), structure(odd, w)], ["x"], **box((0.0, 100.0)), count=2)
            assert found is not None and found.information.max() <= 1.1 * entropy
            assert np.abs(found.mean - found.points[:, 0]) == pytest.approx(0.0, abs=0.1)


def test_a_batch_far_off_tells_as_much_as_the_weights_have_to_tell() -> None:
    found = suggest([structure("x", 0.95), structure("0*x", 0.05)], ["x"], **box((0.0, 1.0)), count=1)
    assert (
        found is not None and found.points[0, 0] == 1.0
    )  # where it is no farther than the weight allows, it counts in full
    apart = math.sqrt(0.05 * 0.95)
    assert found.disagreement[0] == pytest.approx(apart, rel=1e-6)


def test_numbers_near_0_that_differ_are_no_repeats() -> None:
    rows = np.array([[1.1459e-13], [1.6292e-13], [1.6292e-13], [5e-10], [5.0001e-10]])
    assert count_repeats(rows, {"d": (0.0, 1e-9)}) == 2


def test_repeated_rows_are_said(folder: Path) -> None:
    found = hypo.Result.load(folder).suggest({"t": (0.5, 6.0), "v": (2.0, 9.0)}, n=12)
    distinct = len(np.unique(np.round(found.points, 2), axis=0))
    assert distinct < 12 and count_repeats(found.points, found.domain) == 12 - distinct
    assert any(f"{12 - distinct} suggestions are of a row that was suggested before" in line for line in found.remarks)
    assert count_repeats(np.array([[0.0, 1.0], [0.0, 1.1], [0.0, 1.1 + 1e-6]]), {"x": (0.0, 1.0), "z": (0.0, 2.0)}) == 1
    assert not any("before:" in line for line in hypo.Result.load(folder).suggest(n=1).remarks)


def test_command_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "next.csv"
    assert (
        main(["suggest", str(folder), "--domain", "t=1:5", "--domain", "v=1:5", "--count", "2", "--out", str(out)]) == 0
    )
    text = capsys.readouterr().out
    assert "disagreement" in text and "Nats: expected information" in text
    rows = list(csv.reader(io.StringIO(out.read_text())))
    assert rows[0] == ["t", "v", "s_mean", "disagreement", "noise", "information"] and len(rows) == 3
    assert main(["suggest", str(folder), "--count", "1", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["suggestions"][0]["at"]) == {"t", "v"}
    assert main(["suggest", str(folder), "--domain", "t=5"]) == 2
    assert capsys.readouterr().err == 'error: a domain must be written NAME=LOW:HIGH, such as x=0:10, got "t=5"\n'


# --- different rows -----------------------------------------------------------------------------------------------------


def test_different_rows_on_request() -> None:
    """One linear law is learnt best at one end, again and again; on request at different rows, each the best that is left."""
    e = hypo.parse("c*x", variables=["x"]).with_values([2.0])
    lone = Structure(e, 1.0, 1.0, 0.0, (0,), (2.0,), ((0.01,),), math.inf, 0.3)
    again = suggest([lone], ["x"], **box((-1.0, 3.0)), count=6)
    apart = suggest([lone], ["x"], **box((-1.0, 3.0)), count=6, distinct=True)
    assert again is not None and apart is not None
    assert again.points[:, 0].tolist() == [3.0] * 6
    rows = apart.points[:, 0]
    assert rows[0] == 3.0 and np.min(np.diff(np.sort(rows))) > 0.04 * 4.0
    assert np.all(np.diff(rows) < 0) and count_repeats(apart.points, {"x": (-1.0, 3.0)}) == 0
    assert again.information.sum() >= apart.information.sum()
    many = suggest([lone], ["x"], **box((-1.0, 3.0)), count=40, distinct=True)
    assert many is not None and count_repeats(many.points, {"x": (-1.0, 3.0)}) == 0


def test_different_rows_by_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = hypo.Result.load(folder)
    assert count_repeats(result.suggest(n=12).points, result.suggest(n=1).domain) > 0
    assert main(["suggest", str(folder), "--count", "12", "--distinct", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {tuple(row["at"].values()) for row in found["suggestions"]}
    assert len(rows) == 12 and not any("suggested before" in line for line in found["remarks"])
