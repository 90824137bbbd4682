"""Operators that the user names: min, max and abs are searched like any other, and naming them changes no nesting."""

import numpy as np
import pytest

import hypo
from hypo.data import from_arrays
from hypo.expression.algebra.simplify import simplify
from hypo.expression.edits.relatives import relatives
from hypo.expression.program import evaluate
from hypo.fitting.constants.fit import fit
from hypo.kernels import opcodes as oc
from hypo.knowledge import Knowledge
from hypo.likelihood.base import Gaussian
from hypo.problem.problem import Settings, make_problem
from hypo.search.engine import search
from hypo.search.library.seeds import nesting_masks
from hypo.search.proposers.atoms import _make_corners

RNG = np.random.default_rng(5)
POSITIVE = RNG.uniform(0.2, 90.0, (40, 3))
SIGNED = RNG.uniform(-5.0, 5.0, (60, 2))
NAMED = ("+", "-", "*", "/", "min", "max", "abs", "exp", "sin")


def answer(X: np.ndarray, y: np.ndarray, operators: tuple[str, ...] = NAMED, **more: int) -> hypo.Result:
    return hypo.fit(X, y, operators=operators, time_limit=15, workers=1, posterior=False, **more)


def test_a_minimum_is_found_as_it_holds_for_numbers_below_zero_too() -> None:
    a, b, c = POSITIVE.T
    result = answer(POSITIVE, np.minimum(a, b) * c, ("+", "-", "*", "/", "min", "max"))
    below = np.array([[-3.0, 2.0, 5.0], [4.0, -7.0, 2.0], [-3.0, -4.0, -2.0]])
    np.testing.assert_allclose(result.predict(below), np.minimum(below[:, 0], below[:, 1]) * below[:, 2])


@pytest.mark.parametrize("law", [
    lambda x, z: x * np.exp(-np.abs(x)),
    lambda x, z: np.maximum(0.0, x - 1.3),
    lambda x, z: np.minimum(x, 2.1) * z,
    lambda x, z: np.abs(x - z) + 1.0,
], ids=["x*exp(-|x|)", "max(0, x - c)", "min(x, c)*z", "|x - z| + 1"])  # fmt: skip
def test_laws_with_corners_hold_on_rows_that_were_not_seen(law) -> None:
    x, z = SIGNED.T
    result = answer(SIGNED, law(x, z))
    new = RNG.uniform(-7.0, 7.0, (200, 2))
    # A corner between two rows is known to the distance between them.
    np.testing.assert_allclose(result.predict(new), law(*new.T), atol=1e-6)


def shapes(text: str) -> set[str]:
    return {str(simplify(e)) for e in relatives(hypo.parse(text))}


@pytest.mark.parametrize(("text", "expected"), [
    ("y*z/max(1, y/x)", "z*min(x, y)"),
    ("x*z*min(1, y/x)", "z*min(x, y)"),
    ("min(x*z, y*z)", "z*min(x, y)"),
    ("5*min(y, 2*x*y)", "y*min(5, 10*x)"),
    ("x*abs(y)", "abs(x*y)"),
    ("max(x - 1, y - 1) + 1", "max(x, y)"),
    ("x - min(0, y)", "max(x, x - y)"),
])  # fmt: skip
def test_factors_and_summands_move(text: str, expected: str) -> None:
    assert expected in shapes(text)


def test_of_two_corners_one_may_be_enough() -> None:
    found = [simplify(e) for e in relatives(hypo.parse("2.9*max(1, x) - 1.9*max(0.8, x) - 1.3")) if e.free]
    x = np.linspace(-4.0, 5.0, 46)[None]
    likelihood = Gaussian(np.maximum(0.0, x[0] - 1.3))
    left = [likelihood.rss(likelihood.y - evaluate(fit(e, x, ("x",), likelihood), x.T, ("x",))) for e in found]
    assert min(left) < 1e-12


def test_corners_among_the_atoms_are_the_functions_they_say() -> None:
    x = SIGNED[:, 0]
    atoms = list(_make_corners(hypo.Expression.variable("x"), x, frozenset({"min", "max", "abs"})))
    assert {oc.MIN, oc.MAX, oc.ABS} == {e.code[-1][0] for e, _, _ in atoms}
    for e, values, power in atoms:
        np.testing.assert_allclose(evaluate(e, x[:, None], ("x",)), values)
        assert power == 1.0
    assert not list(_make_corners(hypo.Expression.variable("x"), x, frozenset({"exp"})))


def problem(operators: tuple[str, ...] | None, nesting: dict[str, tuple[str, ...]]):
    return make_problem(
        from_arrays(SIGNED[:, :1], SIGNED[:, 1]), Knowledge(nesting=nesting), Settings(operators=operators)
    )


@pytest.mark.parametrize("operators", [None, ("+", "sin", "exp", "abs")])
def test_naming_operators_does_not_change_how_they_nest(operators: tuple[str, ...] | None) -> None:
    masks = nesting_masks(problem(operators, {"exp": ()}).nesting)
    assert masks[oc.SIN] & (1 << oc.SIN) and masks[oc.SIN] & (1 << oc.EXP)
    assert masks[oc.EXP] == 0 and masks[oc.ABS] == 0


def test_a_nesting_rule_of_ones_own_says_otherwise() -> None:
    x = np.linspace(0.1, 2.0, 30)
    y = np.exp(np.sin(np.exp(x) / 3.0)) + RNG.normal(0.0, 0.3, 30)
    data = from_arrays(x[:, None], y)
    settings = Settings(
        operators=("+", "exp", "sin", "abs"),
        proposers=("library",),
        library_sizes=(60,),
        max_complexity=6,
        fit_constants=False,
        posterior=False,
        workers=1,
    )
    counts = {}
    for name, nesting in {"plain": {}, "own": {"sin": (), "exp": ()}}.items():
        outcome = search(make_problem(data, Knowledge(nesting=nesting), settings), settings)
        counts[name] = outcome.distinct
        nested = [
            h
            for h in outcome.archive
            if sum(op in (oc.SIN, oc.EXP) for op, _ in h.expression.code) > 1
            and oc.ADD not in {op for op, _ in h.expression.code}
        ]
        assert bool(nested) == (name == "own")
    assert counts["own"] > counts["plain"]
