"""What stands around a formula: freed numbers, one constant more, other functions in one place; each once."""

import numpy as np

import hypo
from hypo.expression.algebra.simplify import simplify
from hypo.expression.edits.neighbours import neighbours, simpler
from hypo.expression.parser import parse
from hypo.posterior.posterior import structure_key

OPERATORS = ("+", "-", "*", "/", "sin", "exp")


def test_steps() -> None:
    found = list(neighbours(parse("2*sin(x) + z", variables=["x", "z"]), OPERATORS))
    texts = [n.pretty() for n in found]
    for wanted in ("2*exp(x) + z", "2*sin(x) - z", "2*sin(x)*z", "2/sin(x) + z"):
        assert simplify(parse(wanted, variables=["x", "z"])).pretty() in texts
    for wanted in ("z + 2*sin(x + 0)", "z + 2*sin(1*x)", "1*z + 2*sin(x)"):
        assert wanted in texts
    assert any(n.free and n.values[n.free[0]] == 2.0 for n in found)


def test_every_operator_is_taken_away() -> None:
    found = {str(n) for n in simpler(parse("2*sin(x) + z", variables=["x", "z"]))}
    assert {
        str(simplify(parse(t, variables=["x", "z"]))) for t in ("2*x + z", "sin(x) + z", "2 + z", "2*sin(x)", "z")
    } <= found


def test_fitted_constants_are_rounded() -> None:
    e = parse("a*sin(x) + z - b", variables=["x", "z"]).with_values([-1.04, 0.2])
    values = [sorted(n.values.tolist()) for n in simpler(e)]
    # a = -1 goes into the sign, b = 0 goes away with the sum it stands in.
    assert [0.2] in values or [-0.2] in values
    assert [-1.04] in values or [1.04] in values


def test_without_fitted_constants_only_operators_change() -> None:
    e = parse("2*sin(x) + z", variables=["x", "z"])
    found = list(neighbours(e, OPERATORS, fit_constants=False))
    assert found and not any(n.free for n in found)


def test_all_numbers_are_freed_at_once() -> None:
    e = parse("2*x + 3*z", variables=["x", "z"])
    assert any(len(n.free) == 2 and structure_key(n) == structure_key(e) for n in neighbours(e, OPERATORS))


def test_a_posterior_holds_what_comes_close() -> None:
    """x*(1 + c) and x + c predict nearly the same where x is near 1: both are there, though one wins."""
    rng = np.random.default_rng(1)
    x = rng.uniform(0.9, 1.1, 30)
    result = hypo.fit(
        {"x": x, "y": 1.4 * x + 0.05 * rng.standard_normal(30)}, "y", operators="+,*", turns=20, workers=1
    )
    assert result.posterior is not None
    keys = {structure_key(s.expression) for s in result.posterior.structures}
    assert {structure_key(parse(t, variables=["x"])) for t in ("a*x", "x + a")} <= keys
