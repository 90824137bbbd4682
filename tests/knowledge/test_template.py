"""Templates: what is an unknown function, what a name is, and what fills the form."""

from __future__ import annotations

import numpy as np
import pytest

from hypo.errors import FormulaError, KnowledgeError
from hypo.expression.parser import parse
from hypo.expression.program import evaluate
from hypo.knowledge import Knowledge, Template

READ = [
    ("sqrt(L/g) * h(theta)", None, {"h": ("theta",)}, ("L", "g", "theta")),
    ("f = a*g(x) + h(y, z)", "f", {"g": ("x",), "h": ("y", "z")}, ("a", "x", "y", "z")),
    ("T = exp(h (x))/h( x ) + 2e5*k", "T", {"h": ("x",)}, ("k", "x")),
    ("1/h(x)", None, {"h": ("x",)}, ("x",)),
    ("x**h1(y) - pi", None, {"h1": ("y",)}, ("x", "y")),
]


@pytest.mark.parametrize(("form", "left", "unknowns", "names"), READ)
def test_unknown_functions_are_calls_of_what_is_no_operator(form: str, left: str, unknowns: dict, names: tuple) -> None:
    t = Template(form)
    assert (t.left, t.unknowns, t.names, t.form) == (left, unknowns, names, form)
    assert t == Template(form)
    assert Knowledge.from_dict({"template": {"form": form}}).template == t
    assert Knowledge(template=t).as_dict() == {"template": {"form": form}}


NO_OPERATOR = (
    "is an unknown function (no operator), so its arguments are names of columns, as in h(x, y); expected a name"
)
REFUSED = [
    ("h()", f"cannot read the form at column 3: h {NO_OPERATOR}"),
    ("2*h(x + 1)", f"cannot read the form at column 5: h {NO_OPERATOR}"),
    ("h(g(x))", f"cannot read the form at column 3: h {NO_OPERATOR}"),
    ("h(x", f"cannot read the form at column 3: h {NO_OPERATOR}"),
    ("h(x, x)", "cannot read the form at column 3: h has the argument x twice"),
    ("h(sin)", "cannot read the form at column 3: h is an unknown function of columns, and sin is none"),
    (
        "h(x) - h(y)",
        "cannot read the form at column 8: h has the arguments y here and x before; an unknown function has the same "
        "arguments everywhere, so give this one another name",
    ),
    ("h + h(x)", "h is called as an unknown function and also stands without arguments; give one of them another name"),
    (
        "a*x",
        "the form has no unknown function such as h(x); a formula with nothing but constants to fit is a guess, so "
        "write it into [guesses]",
    ),
    ("sqrt(L/g)*h(x)*", "cannot read the formula at column 16: expected a number, a name or '(' but the formula ends"),
    (
        "2 h(x)",
        "cannot read the formula at column 3: expected an operator between '2' and 'h'; multiplication is written out",
    ),
    ("sqrt*h(x)", "cannot read the formula at column 1: sqrt is a function; expected '(' after it"),
    ("lambda(x)", 'cannot read the form at column 1: "lambda" cannot be a name in a formula'),
    ("h(x)" + "+1" * 5000, "the form has 10004 characters; at most 10000 are allowed"),
]


@pytest.mark.parametrize(("form", "message"), REFUSED)
def test_forms_that_cannot_be_read(form: str, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        Template(form)
    assert str(caught.value).startswith(message)


def test_names_are_settled_with_the_table() -> None:
    bound = Template("T = a*sqrt(L/g)*h(theta) + c*a").bind(["L", "g", "theta", "x"], {"c": 3.0})
    assert bound.unknowns == {"h": ("theta",)}
    assert bound.expression.variables == ("L", "g", "h")
    assert [(c.name, c.value, c.free) for c in bound.expression.constants] == [
        ("a", 1.0, True),
        ("c", 3.0, False),
        ("a", 1.0, True),
    ]


def test_filling_is_composition() -> None:
    bound = Template("x*h(y) + sqrt(abs(h(y)))/k(x, y)").bind(["x", "y"])
    h, k = parse("sin(y) + 2"), parse("1 + x*y")
    law = bound.fill({"h": h, "k": k, "other": parse("x")})
    X = np.random.default_rng(0).uniform(0.1, 3.0, (50, 2))
    x, y = X.T
    expected = x * (np.sin(y) + 2) + np.sqrt(np.sin(y) + 2) / (1 + x * y)
    np.testing.assert_allclose(evaluate(law, X, ["x", "y"]), expected, rtol=1e-13)
    with pytest.raises(ValueError, match="expected a formula for each of h and k, got none for k"):
        bound.fill({"h": h})
    with pytest.raises(ValueError, match="h is a function of y, got a formula with x"):
        bound.fill({"h": parse("x"), "k": k})


def test_names_that_cannot_be_meant() -> None:
    t = Template("T = g*h(thet)")
    with pytest.raises(KnowledgeError, match=r"h is a function of thet, which is no column; did you mean theta\?$"):
        t.bind(["g", "theta"])
    assert t.problems(["g", "thet"], (), "T") == []
    assert t.problems(["g", "thet"], (), "y") == ["the left side is T, but the target is y"]
    assert t.problems(["h", "thet"]) == [
        "h(...) is called like a function, but h is a column; write h*(...), or give the unknown function another name"
    ]
    assert t.problems(["thet"], ["h"]) == [
        "h(...) is called like a function, but h is a named constant; give one of them another name"
    ]
    assert Template("T*h(x)").problems(["x"], (), "T") == ["the target T stands on the right side"]
    assert Template("f = h(x)").problems(["x"], (), "T") == []


def test_names_with_units_are_known_at_once() -> None:
    with pytest.raises(KnowledgeError) as caught:
        Knowledge.from_dict({"units": {"g": "m/s^2"}, "template": {"form": "L*g(x)"}})
    assert caught.value.problems == (
        "knowledge: [template] form: g(...) is called like a function, but g is a column in [units]; write g*(...), or "
        "give the unknown function another name",
    )
