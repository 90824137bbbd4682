"""The section [dynamics] of knowledge files."""

from __future__ import annotations

import pytest

import hypo
from hypo.errors import KnowledgeError
from hypo.knowledge.knowledge import Knowledge

WHOLE = {
    "x": "v",
    "v": "-g/L*sin(x) + h(x, v)",
    "positive": ["x"],
    "conserved": ["x + y"],
    "decreasing": ["v**2"],
    "exchange": [["x", "y"]],
    "linear_inputs": ["u"],
    "must_use": {"v": ["x"]},
    "must_not_use": {"v": ["u"]},
}


def test_a_section_reads_back_as_it_was_written() -> None:
    known = Knowledge.from_dict({"dynamics": WHOLE})
    assert known.as_dict() == {"dynamics": WHOLE}
    assert Knowledge.from_dict(known.as_dict()) == known


def test_a_file_is_read(tmp_path) -> None:
    path = tmp_path / "K.toml"
    path.write_text('[dynamics]\nx = "v"\nexchange = ["x", "y"]\npositive = "x"\n')
    motion = Knowledge.load(path).dynamics
    assert motion is not None
    assert (motion.rates, motion.exchange, motion.positive) == ({"x": "v"}, (("x", "y"),), ("x",))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"v": 3}, "[dynamics] v: unknown key; known keys are positive, conserved, decreasing"),
        ({"v": "sin("}, "[dynamics] v: cannot read the formula at column 5"),
        ({"posit": ["x"]}, "[dynamics] posit: unknown key; did you mean positive?"),
        ({"positive": 3}, '[dynamics] positive: expected a list such as ["x", "y"], got a whole number'),
        ({"positive": [1]}, "[dynamics] positive: expected text in quotes, got 1"),
        ({"exchange": [["x"]]}, '[dynamics] exchange: expected pairs of two states such as [["x", "y"]]'),
        ({"conserved": ["1"]}, '[dynamics] conserved: "1" contains no state'),
        ({"conserved": ["x +"]}, '[dynamics] conserved: "x +": cannot read the formula'),
        ({"must_use": ["x"]}, "[dynamics] must_use: expected a table, got an array"),
        ({"must_use": {"v": ["x"]}, "must_not_use": {"v": ["x"]}}, "x also stands in must_use of v; keep one"),
    ],
)
def test_each_mistake_has_a_sentence(said: dict[str, object], message: str) -> None:
    with pytest.raises(KnowledgeError) as caught:
        Knowledge.from_dict({"dynamics": said})
    assert message in str(caught.value)


def test_a_fit_of_one_law_refuses_the_section() -> None:
    table = {"x": [1.0, 2.0, 3.0, 4.0], "y": [1.0, 4.0, 9.0, 16.0]}
    with pytest.raises(KnowledgeError, match="this section is about laws of motion"):
        hypo.fit(table, target="y", knowledge={"dynamics": {"positive": ["x"]}}, turns=1, progress=False)
