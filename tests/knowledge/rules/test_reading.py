"""Rules read from tables and written back: every key, every message, the words they are told in."""

from __future__ import annotations

import math
import pickle
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypo.errors import KnowledgeError
from hypo.expression.parser import parse
from hypo.knowledge.rules.base import built_in_kinds
from hypo.knowledge.rules.parameters import (
    EXTENDED,
    FLAG,
    FORMULA,
    INTERVALS,
    NUMBER,
    NUMBERS,
    PAIR,
    POINT,
    POSITIVE,
    TEXT,
    VARIABLE,
    VARIABLES,
    WEIGHT,
    OneOf,
)
from hypo.knowledge.rules.registry import read_rule
from hypo.knowledge.rules.shape import _SLOPE
from tests.knowledge.rules.cases import ends, finite, rule

names = st.sampled_from(["x", "y", "z", "mass_1", "T"])
SORTS = {
    id(NUMBER): finite,
    id(EXTENDED): finite | st.sampled_from([math.inf, -math.inf]),
    id(POSITIVE): st.floats(1e-6, 1e6),
    id(WEIGHT): st.floats(0, 1e6),
    id(_SLOPE): st.floats(0, 1e150),
    id(FLAG): st.booleans(),
    id(VARIABLE): names,
    id(VARIABLES): st.lists(names, min_size=1, max_size=3, unique=True).map(tuple),
    id(PAIR): st.lists(names, min_size=2, max_size=2, unique=True).map(tuple),
    id(FORMULA): st.sampled_from(["x + y", "x*y/z", "2*x - 3.5*y**2"]).map(parse),
    id(NUMBERS): st.lists(finite, min_size=1, max_size=3).map(tuple),
    id(POINT): st.dictionaries(names, finite, min_size=1, max_size=2),
    id(INTERVALS): st.dictionaries(names, ends, max_size=2),
    id(TEXT): st.sampled_from(["f > 0", "forall x in [0, 1]: f >= 0"]),
}


@st.composite
def rules(draw):
    cls = draw(st.sampled_from(sorted(built_in_kinds().values(), key=lambda c: c.kind)))
    values = {}
    for field in fields(cls):
        name, sort = field.name, field.metadata["sort"]
        values[name] = draw(st.sampled_from(sort.options) if isinstance(sort, OneOf) else SORTS[id(sort)])
        if (field.default is None and draw(st.booleans())) or (name == "tolerance" and not cls.tolerant):
            values[name] = None
    try:
        return cls(**values)
    except KnowledgeError:
        # Keys that do not go together.
        return cls(
            **{
                "bounds": {"min": 0.0},
                "convex": {"variable": "x"},
                "concave": {"variable": "x"},
                "growth": {"variable": "x", "to": 0.0, "exponent": 1.0},
                "limit": {"variable": "x", "to": 0.0, "equals": 1.0},
                "value": {"at": {"x": 0.0}, "equals": 0.0},
            }[cls.kind]
        )


@settings(max_examples=300, deadline=None)
@given(rules())
def test_a_rule_reads_back_as_itself(found):
    problems = []
    table = found.as_dict()
    again = read_rule(table, lambda path, message: problems.append((path, message)))
    assert problems == []
    assert again == found
    assert hash(again) == hash(found)
    assert again.as_dict() == table
    assert str(again) == str(found)
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301
    assert found.names() <= {"x", "y", "z", "mass_1", "T"}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["x", "inf"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
KEYS = [
    "kind",
    "min",
    "max",
    "variable",
    "variables",
    "direction",
    "where",
    "weight",
    "hard",
    "at",
    "equals",
    "to",
    "swap",
    "degree",
    "formula",
    "period",
    "exponent",
    "label",
    "tolerance",
    "side",
    "only",
    "strict",
    "constant",
    "sign",
    "nonsense",
]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(sorted(built_in_kinds())), st.dictionaries(st.sampled_from(KEYS), values, max_size=6))
def test_nothing_but_problems_comes_of_a_wrong_table(kind, table):
    problems = []
    found = read_rule({"kind": kind, **table}, lambda path, message: problems.append((path, message)))
    assert (found is None) == bool(problems)
    for path, message in problems:
        assert isinstance(path, tuple)
        assert message


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            {"kind": "monotone", "variabel": "x", "direction": "up", "weight": -1, "where": {"x": [1, 0], "y": 3}},
            [
                (("variabel",), 'unknown key "variabel" of the kind monotone; did you mean variable?'),
                ((), 'the kind monotone needs the variable; write variable = "x"'),
                (("direction",), 'got "up"; expected increasing or decreasing'),
                (("weight",), "expected a number from 0 to 1e+06, got -1"),
                (("where", "x"), "the range ends at 0, below its start 1; swap them"),
                (("where", "y"), "expected a range such as [0.0, 1.0], got 3"),
            ],
        ),
        ({"kind": "bounds"}, [((), "the kind bounds needs min or max; write min = 0.0")]),
        ({"kind": "bounds", "min": 2, "max": 1}, [(("max",), "1 is below min = 2; swap them")]),
        ({"kind": "bounds", "min": math.nan}, [(("min",), "expected a finite number, got nan")]),
        ({"kind": "bounds", "min": 10**400}, [(("min",), "expected a finite number, got a huge number")]),
        (
            {"kind": "bounds", "min": 0, "tolerance": 0.1},
            [(("tolerance",), "the kind bounds has no use for a tolerance; remove it")],
        ),
        ({"kind": "convex"}, [((), 'the kind convex needs the variable or the variables; write variable = "x"')]),
        ({"kind": "symmetric", "swap": ["x", "x"]}, [(("swap",), "x stands here twice; name different variables")]),
        ({"kind": "symmetric", "swap": ["x"]}, [(("swap",), "expected two variables, got 1")]),
        ({"kind": "conserved"}, [((), 'the kind conserved needs the quantity; write quantity = "x + y"')]),
        (
            {"kind": "conserved", "quantity": "2*x"},
            [(("quantity",), 'expected a formula of two variables or more such as "x + y", got "2*x"')],
        ),
        (
            {"kind": "conserved", "quantity": "x +"},
            [
                (
                    ("quantity",),
                    "cannot read the formula at column 4: expected a number, a name or '(' but the formula ends",
                )
            ],
        ),
        ({"kind": "even", "variable": "sin"}, [(("variable",), '"sin" is an operator, not a free name')]),
        ({"kind": "periodic", "variable": "x", "period": 0}, [(("period",), "expected a number above 0, got 0")]),
        (
            {"kind": "limit", "variable": "x", "to": "infinity", "equals": 0},
            [(("to",), 'expected a number, "inf" or "-inf", got "infinity"')],
        ),
        (
            {"kind": "limit", "variable": "x", "to": "inf", "side": "above", "equals": 0},
            [(("side",), "infinity has one side only; remove it")],
        ),
        (
            {"kind": "growth", "variable": "x", "to": 0, "at_least": 2, "at_most": 1},
            [(("at_least",), "2 is above at_most = 1; swap them")],
        ),
        (
            {"kind": "value", "at": {"x": "0"}, "equals": True},
            [(("at", "x"), 'expected a number, got "0"'), (("equals",), "expected a number, got true")],
        ),
        (
            {"kind": "value", "at": {"x": 0.0}, "equals": 1.0, "where": {"x": [0, 1]}},
            [(("where",), "x stands in at too, where it has one value; remove it here")],
        ),
        ({"kind": "monotne"}, [(("kind",), 'unknown kind "monotne"; did you mean monotone?')]),
        ({"variable": "x"}, [((), 'the rule has no kind; write kind = "bounds", for instance')]),
        ({"kind": 3}, [(("kind",), "expected the kind of the rule in quotes, got 3")]),
        ("bounds", [((), 'expected a table with the kind of the rule, got "bounds"; write kind = "bounds"')]),
    ],
)
def test_messages(table, expected):
    problems = []
    assert read_rule(table, lambda path, message: problems.append((path, message))) is None
    assert problems == expected


def test_a_wrong_formula_says_where():
    problems = []
    read_rule(
        {"kind": "logic", "formula": "forall x in [0, 1: f > 0"}, lambda path, message: problems.append((path, message))
    )
    assert [path for path, _ in problems] == [("formula",)]
    assert "column" in problems[0][1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'kind = "monotone", variable = "L", direction = "increasing", where = { L = [0.1, 10] }',
            "f is increasing in L on 0.1 <= L <= 10",
        ),
        ('kind = "monotone", variable = "L", direction = "decreasing", strict = true', "f is strictly decreasing in L"),
        ('kind = "bounds", min = 0', "0 <= f"),
        ('kind = "bounds", min = 0.5, max = 1e7, strict = true, where = { x = [0, inf] }', "0.5 < f < 1e+07 on x >= 0"),
        ('kind = "sign", sign = "nonnegative"', "f >= 0"),
        ('kind = "convex", variables = ["x", "y"]', "f is convex in x and y"),
        ('kind = "lipschitz", variable = "x", constant = 2', "f changes by at most 2 per unit of x"),
        ('kind = "even", variable = "x"', "f is even in x"),
        ('kind = "periodic", variable = "x", period = 360', "f repeats every 360 of x"),
        ('kind = "symmetric", swap = ["m1", "m2"]', "f is symmetric under the swap of m1 and m2"),
        ('kind = "homogeneous", variables = ["x"], degree = 0.5', "f is homogeneous of degree 0.5 in x"),
        ('kind = "conserved", quantity = "x + y"', "f depends on x and y only through x + y"),
        ('kind = "scale_invariant", variables = ["x", "y"]', "f does not change when x and y are scaled alike"),
        (
            'kind = "value", at = { theta = 0, L = 1 }, equals = 2.006, tolerance = 0.01',
            "f = 2.006 ± 0.01 at theta = 0 and L = 1",
        ),
        ('kind = "zeros", variable = "x", at = [0, 1], only = true', "f is zero at x = 0 and 1 only"),
        ('kind = "limit", variable = "x", to = "inf", equals = "-inf"', "f goes to -infinity as x goes to infinity"),
        ('kind = "limit", variable = "x", to = 0, side = "above", equals = 1', "f goes to 1 as x goes to 0 from above"),
        (
            'kind = "growth", variable = "x", to = "inf", exponent = 2',
            "f grows like x^(2 ± 0.01) as x goes to infinity",
        ),
        (
            'kind = "growth", variable = "x", to = 1, at_least = -1',
            "f grows at least like (x - 1)^(-1 - 0.01) as x goes to 1",
        ),
        ('kind = "depends", variable = "x"', "f depends on x"),
    ],
)
def test_words(text, expected):
    assert str(rule(text)) == expected
    assert rule(text).describe("T").startswith(expected.replace("f", "T", 1)[:5])


def test_names_are_checked_against_the_table():
    found = rule('kind = "value", at = { Lenght = 1, T = 2, c = 3 }, equals = 0, where = { g = [0, 1] }')
    assert found.names() == {"Lenght", "T", "c", "g"}
    assert list(found.misfits(["Length", "g"], "T", {"c": 3e8})) == [
        'unknown variable "Lenght"; did you mean Length?',
        "T is the target; a rule is about the variables",
        "c is a constant; a rule is about the variables",
    ]
    assert any(
        "Lenght" in m for m in rule('kind = "logic", formula = "Lenght > 0 implies f > 0"').misfits(["Length"], "f", {})
    )
