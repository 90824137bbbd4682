"""Kinds of rules that users write: what they must have, and what is said where they fail."""

from __future__ import annotations

import importlib
import textwrap

import pytest

from hypo.errors import KnowledgeError
from hypo.expression.expr import Expression
from hypo.knowledge.claims.claim import PROVED, REFUTED
from hypo.knowledge.claims.comparison import Comparison
from hypo.knowledge.rules.base import Rule
from hypo.knowledge.rules.parameters import POSITIVE, VARIABLE, parameter
from tests.knowledge.rules.cases import law, rule_class


class Saturates(Rule):
    """``|∂f/∂x| <= slope`` at the end of the range."""

    kind = "saturates"
    variable: str = parameter(VARIABLE, words="the variable")
    slope: float = parameter(POSITIVE, default=1e-3)

    def claims(self, law):
        end = self.domain(law).ranges[self.variable][1]
        claim = Comparison(law.derivative(self.variable), "<=", Expression.constant(self.slope))
        return [(claim, self.domain(law, {self.variable: (end, end)}))]


def test_a_kind_of_ones_own():
    own = Saturates(variable="x", slope=0.1)
    assert own.check(law("tanh(3*x)"), proof=True).level == PROVED
    assert own.check(law("x")).level == REFUTED
    assert str(own) == "f saturates with variable = x and slope = 0.1"
    assert own.as_dict() == {"kind": "saturates", "variable": "x", "slope": 0.1}
    assert Saturates.read(own.as_dict(), pytest.fail) == own
    with pytest.raises(KnowledgeError, match=r"rule saturates slope: expected a number above 0, got -1") as caught:
        Saturates(variable=3, slope=-1)
    assert len(caught.value.problems) == 2
    with pytest.raises(AttributeError):
        own.weight = 3.0


def test_the_example_of_the_documentation(tmp_path, monkeypatch):
    text = Rule.__doc__.split("::\n", 1)[1].split("    It may define", 1)[0]
    (tmp_path / "example_of_a_kind.py").write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(str(tmp_path))
    own = importlib.import_module("example_of_a_kind").Saturates(variable="x", slope=0.5)
    assert str(own) == "f saturates with variable = x and slope = 0.5"
    assert own.check(law("sqrt(x + 1)"), proof=True).level == PROVED
    assert own.check(law("x")).level == REFUTED


def _raises(self, law):
    raise ZeroDivisionError("no\nslope")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"claims": _raises}, "failed in claims: ZeroDivisionError: no slope"),
        ({"check": lambda self, law, **how: 1 / 0}, "failed in check: ZeroDivisionError: division by zero"),
        ({"check": lambda self, law, **how: None}, "must return a Verdict, got a NoneType, from check"),
        ({"claims": lambda self, law: 5}, "must return a list of pairs (claim, domain), got 5, from claims"),
        ({"claims": lambda self, law: [5]}, "must return a list of pairs (claim, domain), got one with 5, from claims"),
        (
            {"claims": lambda self, law: []},
            "must return at least one pair (claim, domain), got an empty list, from claims",
        ),
    ],
)
def test_a_kind_that_fails(body, message):
    for f in body.values():
        f.__name__ = next(iter(body))
    own = type("Faulty", (Rule,), {"kind": "faulty", "__annotations__": {}, "__module__": "mine", **body})()
    with pytest.raises(KnowledgeError) as caught:
        own.check(law("x"))
    assert str(caught.value) == f"the rule kind faulty (mine.Faulty) {message}"


def test_a_kind_needs_a_name_of_its_own():
    body = {"__annotations__": {}, "__module__": "mine", "claims": lambda self, law: []}
    with pytest.raises(KnowledgeError, match=r'^the rule class mine.Nameless has no kind; write kind = "its_name"'):
        type("Nameless", (Rule,), body)()
    with pytest.raises(
        KnowledgeError, match=r"^the rule class mine.Bounds has the kind bounds, which is built in; choose"
    ):
        type("Bounds", (Rule,), {"kind": "bounds", **body})()


def test_numbers_have_limits():
    with pytest.raises(KnowledgeError, match=r"rule bounds weight: expected a number from 0 to 1e\+06, got 1e\+300"):
        rule_class("bounds")(min=0.0, weight=1e300)
    with pytest.raises(
        KnowledgeError, match=r"rule lipschitz constant: expected a number from 0 to 1e\+150, got 1e\+308"
    ):
        rule_class("lipschitz")(variable="x", constant=1e308)


def test_a_kind_must_say_something():
    with pytest.raises(TypeError, match="must define claims or check"):

        class Silent(Rule):
            kind = "silent"
