"""Shards of a search and what joins them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hypo
from hypo.api.inputs import make_settings
from hypo.checks import NO_LIMIT
from hypo.cli.main import main
from hypo.clock import Clock
from hypo.data import from_arrays
from hypo.errors import InputError
from hypo.parallel.executor import Serial, Share
from hypo.posterior.posterior import ExploredSpace, Posterior, Structure, join, weighted
from hypo.posterior.shards import shards_agree
from hypo.problem.problem import Settings, make_problem
from hypo.search.engine import search
from hypo.search.library.unit_rows import unit_rows
from hypo.search.outcome import Outcome
from hypo.search.scan import pair_scan as scan

RNG = np.random.default_rng(5)
X = RNG.uniform(1, 3, (60, 2))
Y = 2.5 * X[:, 0] * np.sqrt(X[:, 1]) + 1.5
FAST: dict[str, Any] = {"operators": "+,-,*,/,sqrt", "max_complexity": 9, "time_limit": 60.0, "workers": 1}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The results of three shards."""
    home = tmp_path_factory.mktemp("shards")
    for k in (1, 2, 3):
        hypo.fit((X, Y), features=["a", "b"], shard=(k, 3), out=home / f"part{k}", **FAST)
    return [home / f"part{k}" for k in (1, 2, 3)]


def edited(folder: Path, to: Path, edit: Any) -> Path:
    """A copy of a result, changed by ``edit``."""
    content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    edit(content)
    to.mkdir()
    (to / "result.json").write_text(json.dumps(content), encoding="utf-8")
    return to


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so small that these scans have several."""
    monkeypatch.setattr(scan, "TILE_F", 128)


def test_shards_of_a_scan_together_find_what_the_whole_finds(small_blocks: None) -> None:
    F, _ = unit_rows(np.random.default_rng(0).standard_normal((1400, 30)), np.empty((0, 30)))
    for run in (
        lambda c, e: scan.scan_sums(F[:2], F, None, keep=50, clock=c, executor=e),
        lambda c, e: scan.scan_products(F[:2], F, F[:300], np.empty((0, 30)), keep=50, clock=c, executor=e),
    ):
        clock, parts = Clock(), Clock()
        whole = run(clock, Serial())
        found = [run(parts, Share(Serial(), k, 4)) for k in range(1, 5)]
        assert parts.scored == clock.scored
        for t in range(2):
            joined = [x for part in found for x in zip(-part[t].r2, part[t].i, part[t].j, strict=True)]
            assert sorted(joined)[:50] == list(zip(-whole[t].r2, whole[t].i, whole[t].j, strict=True))


def test_shards_of_a_search_divide_its_large_scans(small_blocks: None) -> None:
    rng = np.random.default_rng(3)
    x, z = rng.uniform(1, 3, (2, 80))
    y = x * np.sin(z) + 1.7 * np.sqrt(x + z) + 0.01 * rng.standard_normal(80)

    def found(shard: tuple[int, int] | None) -> Outcome:
        settings = Settings(
            turns=2,
            time_limit=NO_LIMIT,
            library_sizes=(100, 600),
            n_probe=50,
            max_complexity=14,
            shard=shard,
            proposers=("library",),
            posterior=False,
        )
        return search(make_problem(from_arrays(np.column_stack([x, z]), y), None, settings), settings)

    whole, one, two = found(None), found((1, 2)), found((2, 2))
    assert max(one.scored, two.scored) < whole.scored < one.scored + two.scored
    assert whole.best is not None and one.best is not None and two.best is not None
    assert min(one.best.score, two.best.score) == pytest.approx(whole.best.score, abs=1e-6)
    assert one.complete_to == two.complete_to == whole.complete_to


def test_merged_shards_give_the_answer_of_the_whole(folders: list[Path], tmp_path: Path) -> None:
    whole = hypo.fit((X, Y), features=["a", "b"], **FAST)
    merged = hypo.merge(folders[2], folders[0], folders[1], out=tmp_path / "all")
    assert whole.best is not None and merged.best is not None
    assert str(merged.expression) == str(whole.expression)
    assert merged.best.score <= whole.best.score + 1e-9
    parts = [hypo.Result.load(f) for f in folders]
    assert merged.best.score == min(p.best.score for p in parts if p.best)
    assert merged.coverage.scored == sum(p.coverage.scored for p in parts)
    assert (merged.coverage.complete_to, merged.coverage.distinct) in [
        (p.coverage.complete_to, p.coverage.distinct) for p in parts
    ]
    assert merged.message.startswith("merged from 3 of 3 shards") and "missing" not in merged.message
    scores = [h.score for h in merged.front]
    assert scores == sorted(scores, reverse=True) and merged.best in merged.front
    again = hypo.Result.load(tmp_path / "all")
    assert again.to_dict() == merged.to_dict()
    np.testing.assert_allclose(again.predict(X), merged.predict(X))


def test_results_merge_as_their_folders_do(folders: list[Path]) -> None:
    loaded = hypo.merge(*(hypo.Result.load(f) for f in folders))
    assert loaded.to_dict() == hypo.merge(*folders).to_dict() == hypo.merge(folders).to_dict()


def test_what_a_shard_says_of_its_answer_is_no_setting(folders: list[Path]) -> None:
    """Guesses, for instance, are behind the answer of each shard by another number of nats."""
    results = [hypo.Result.load(f) for f in folders]
    said = [replace(r, record=replace(r.record, doubts=(f"of shard {k}",))) for k, r in enumerate(results, 1)]
    assert sum(line.startswith("Of shard") for line in hypo.merge(said).remarks()) == 1


def test_a_shard_is_not_overwritten(folders: list[Path]) -> None:
    with pytest.raises(hypo.InputError, match="holds one of the shards; write the merged result to another folder"):
        hypo.merge(*folders, out=folders[0])
    with pytest.raises(
        hypo.InputError, match="number 2 of what is to be merged is neither a result nor a folder: None"
    ):
        hypo.merge(folders[0], None)


def test_missing_shards_are_named(folders: list[Path], tmp_path: Path) -> None:
    assert "; shard 2 of 3 is missing" in hypo.merge(folders[0], folders[2]).message
    merged = hypo.merge(folders[1])
    assert merged.message.startswith("merged from 1 of 3 shards; shards 1 and 3 of 3 are missing")
    assert merged.settings["shards"] == {"of": 3, "merged": [2], "missing": [1, 3]}


def test_how_shards_ended_is_said(folders: list[Path], tmp_path: Path) -> None:
    assert hypo.merge(*folders).status == "exact"
    assert hypo.merge(*folders).message == "merged from 3 of 3 shards; the formula meets every row to rounding"
    codes = ("time_limit", "complete", "time_limit")
    ended = [
        edited(folder, tmp_path / folder.name, lambda r, code=code: r["status"].update(code=code))
        for folder, code in zip(folders, codes, strict=True)
    ]
    merged = hypo.merge(*ended)
    assert merged.status == "time_limit" and merged.message.endswith(
        "; shards 1 and 3 were cut short by the time limit"
    )
    assert hypo.merge(ended[1]).status == "complete"


CHAIN: dict[str, Any] = {
    "chains": 4,
    "steps": 500,
    "acceptance": 0.1,
    "visited": 10,
    "weighed": 500,
    "between_chains": 0.2,
    "to_weights": 0.1,
    "rhat": {"code_length": 1.02, "misfit": 1.01},
    "mixed": True,
    "verdict": "4 chains of 500 steps and so on",
}


def posterior(weights: dict[str, float], chain: dict[str, Any] | None) -> Posterior:
    structures = []
    for text, w in weights.items():
        e = hypo.parse(text, variables=["x"])
        structures.append(Structure(e, w, 1.0, -np.log(w), (-1,) * len(e.constants), (), (), 5.0, 1.0))
    return weighted(structures, ["x"], explored=ExploredSpace(chain=chain))


def test_chains_of_shards_are_held_against_the_joint_weights() -> None:
    one, two = posterior({"x": 0.9, "x**2": 0.1}, CHAIN), posterior({"x": 0.9, "exp(x)": 0.1}, {**CHAIN, "steps": 200})
    joint = join([one, two], ["x"])
    assert joint is not None and joint.chain is None
    shares = {str(s.expression): s.weight for s in joint.structures}
    assert shares == pytest.approx({"x": 0.9 / 1.1, "x**2": 0.1 / 1.1, "exp(x)": 0.1 / 1.1})
    found = shards_agree({1: one, 3: two}, joint)
    assert (
        found is not None
        and found["mixed"]
        and found["chains"] == 8
        and found["steps"] == 200
        and found["weighed"] == 1000
    )
    # Half of |0.9 - 0.9/1.1| + |0.1 - 0.1/1.1| + 0.1/1.1.
    assert found["apart"] == pytest.approx(0.1 / 1.1) and found["rhat"] == CHAIN["rhat"]
    assert found["verdict"] == "8 chains over structures in 2 shards agree with these weights"
    assert found["shards"] == {"1": one.chain, "3": two.chain}


def test_chains_of_shards_that_do_not_agree() -> None:
    one = posterior({"x": 0.5, "x**2": 0.5}, CHAIN)
    elsewhere = posterior({"sin(x)": 0.5, "exp(x)": 0.5}, CHAIN)
    joint = join([one, elsewhere], ["x"])
    assert joint is not None
    found = shards_agree({1: one, 2: elsewhere}, joint)
    assert found is not None and found["apart"] == pytest.approx(0.5) and not found["mixed"]
    assert "agree in each shard, but shards met different structures" in found["verdict"]
    stuck = posterior({"x": 0.5, "x**2": 0.5}, {**CHAIN, "mixed": False, "rhat": {"code_length": None, "misfit": 3.0}})
    found = shards_agree({1: one, 2: stuck}, one)
    assert found is not None and found["rhat"] == {"code_length": None, "misfit": 3.0} and not found["mixed"]
    assert "those of shard 2 do not agree yet" in found["verdict"]
    # A shard without chains says nothing of them, but its weights count.
    silent = posterior({"sin(x)": 0.5, "exp(x)": 0.5}, None)
    found = shards_agree({1: one, 2: silent}, joint)
    assert found is not None and found["chains"] == 4 and found["shards"]["2"] is None and not found["mixed"]
    assert shards_agree({2: silent}, silent) is None


def test_merged_results_hold_what_chains_say(folders: list[Path], tmp_path: Path) -> None:
    assert hypo.merge(*folders).posterior.chain is None  # type: ignore[union-attr]
    walked = [edited(f, tmp_path / f.name, lambda r: r["inclusion"].update(chain=CHAIN)) for f in folders]
    merged = hypo.merge(*walked, out=tmp_path / "all")
    assert merged.posterior is not None and merged.posterior.chain is not None
    assert merged.posterior.chain["chains"] == 12 and merged.posterior.chain["apart"] < 1e-6
    assert "12 chains over structures in 3 shards agree with these weights" in merged.posterior.covers
    assert hypo.Result.load(tmp_path / "all").to_dict() == merged.to_dict()
    wrong = {"steps": "many", "rhat": {"misfit": "x"}, "mixed": 1, "verdict": None}
    for k, damage in enumerate(("none", {"chains": 4}, *({**CHAIN, name: value} for name, value in wrong.items()))):
        bad = edited(folders[0], tmp_path / f"bad{k}", lambda r, d=damage: r["inclusion"].update(chain=d))
        with pytest.raises(InputError, match="is damaged"):
            hypo.Result.load(bad)


def test_what_cannot_be_merged(folders: list[Path], tmp_path: Path) -> None:
    one, two, _ = folders
    for name, edit, words in [
        ("data", lambda r: r["manifest"].update(data_sha256="0" * 64), "are of different data"),
        ("seed", lambda r: r["manifest"].update(seed=4), r"differ in the setting seed \(0 and 4\)"),
        ("lam", lambda r: r["manifest"]["settings"].update(lam=2.0), r"differ in the setting lam \(10.0 and 2.0\)"),
        ("of", lambda r: r["manifest"]["settings"].update(shard=[2, 4]), "different splits, into 3 and 4 shards"),
        ("version", lambda r: r["manifest"].update(version="0.0.1"), "different versions of hypo, 0.1.0 and 0.0.1"),
        ("plain", lambda r: r["manifest"]["settings"].update(shard=None), "plain is not the result of a shard; run"),
        (
            "same",
            lambda r: r["manifest"]["settings"].update(shard=[1, 3]),
            "shard 1 of 3 is there twice, in .*1 and .*same",
        ),
    ]:
        with pytest.raises(InputError, match=words):
            hypo.merge(one, edited(two, tmp_path / name, edit))
    with pytest.raises(InputError, match="nothing to merge"):
        hypo.merge()
    with pytest.raises(InputError, match="there is no result at"):
        hypo.merge(one, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("shard", "words"),
    [
        ("4/3", "one of 1/3 to 3/3, got 4/3"),
        ("0/3", "got 0/3"),
        ("3", "written NUMBER/TOTAL, such as 3/16, got '3'"),
        ("a/b", "NUMBER/TOTAL"),
        ((1, 0), "the number of shards must be 1 or more, got 0"),
        ((1, 10**20), "the number of shards must be 100,000 or less, got 100000000000000000000"),
        (7, "NUMBER/TOTAL"),
        ((1.5, 2), "NUMBER/TOTAL"),
    ],
)
def test_a_shard_must_be_one(shard: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_settings(shard=shard)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,y\n" + "".join(f"{a},{3.5 * a}\n" for a in range(1, 12)), encoding="utf-8")
    for k in (1, 2):
        out = ["--out", str(tmp_path / f"d{k}"), "--quiet"]
        assert main(["fit", str(table), "--target", "y", "--shard", f"{k}/2", *out, "--time-limit", "20"]) == 0
    capsys.readouterr()
    parts = [str(tmp_path / "d1"), str(tmp_path / "d2")]
    assert main(["merge", *parts, "--out", str(tmp_path / "all")]) == 0
    text = capsys.readouterr().out
    assert "y = 3.5*a" in text and "Merged from 2 of 2 shards" in text
    assert (tmp_path / "all" / "front.csv").exists()
    assert main(["merge", parts[0], parts[0], "--out", str(tmp_path / "no")]) == 2
    assert "is there twice" in capsys.readouterr().err
