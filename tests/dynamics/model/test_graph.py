"""Edges, their probabilities by weight, their signs, and the drawing."""

from __future__ import annotations

from pathlib import Path

import pytest

from hypo.dynamics.model.graph import make_graph
from tests.dynamics.model import cases
from tests.dynamics.model.cases import Case, make_model


def test_edges_of_predator_and_prey() -> None:
    graph = make_graph(make_model(cases.LOTKA_VOLTERRA))
    assert {(e.source, e.target): e.sign for e in graph.edges} == {
        ("x", "x"): "±",
        ("y", "x"): "-",
        ("x", "y"): "+",
        ("y", "y"): "±",
    }
    assert {e.probability for e in graph.edges} == {1.0}


def test_probabilities_are_weights_of_systems() -> None:
    rival = Case({"th": "w", "w": "-a*sin(th)"}, {"a": 2.4}, cases.DAMPED.start)
    graph = make_graph(make_model(cases.DAMPED, rivals=[(rival, 0.3)]))
    assert graph.probability("w", "w") == pytest.approx(0.7)
    assert graph.probability("th", "w") == pytest.approx(1.0) and graph.probability("th", "th") == 0.0
    assert str(graph).splitlines()[-1] == "w -> w (-): 0.70"
    assert graph.to_frame().probability.tolist() == pytest.approx([1.0, 1.0, 0.7])
    assert graph.as_dict()["states"] == ["th", "w"]


def test_strength_of_a_linear_law_is_its_share() -> None:
    graph = make_graph(make_model(cases.DECAY))
    (edge,) = graph.edges
    # x is uniform in the box: its range is √12 standard deviations.
    assert edge.strength == pytest.approx(12**0.5, rel=0.1) and edge.sign == "-"


def test_a_drawing_with_inputs(tmp_path: Path) -> None:
    case = Case({"x": "v", "v": "-k*x - b*v + u"}, {"k": 2.0, "b": 0.3}, [1.0, 0.0], inputs={"u": (-1.0, 1.0)})
    graph = make_graph(make_model(case))
    assert graph.inputs == ("u",) and graph.probability("u", "v") == 1.0
    figure = graph.plot(tmp_path / "g.png")
    assert (tmp_path / "g.png").stat().st_size > 1000
    assert {t.get_text() for t in figure.axes[0].texts} == {"x", "v", "u"}
