"""Variables that enter only together are merged, others stay apart."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from hypo.clock import Clock
from hypo.expression.analysis.dimension import infer
from hypo.expression.expr import Expression
from hypo.expression.program import evaluate
from hypo.problem.surrogate import fit_surrogate
from hypo.search.reductions.merge import BLIND_GAIN, POOR, Merger, ReducedColumns, merge_all, reduced_rows
from hypo.units import DIMENSIONLESS, Dimension, parse_unit

pytestmark = pytest.mark.usefixtures("one_thread")


Law = Callable[..., np.ndarray]
N = 1000


def columns_of(X: np.ndarray, dimensions: Mapping[str, Dimension] | None = None) -> ReducedColumns:
    names = tuple("abcdef"[: len(X)])
    return ReducedColumns(names, X, {n: Expression.variable(n) for n in names}, dimensions or {})


def merged(
    law: Law, n_var: int, share: float = 0.0, seed: int = 0, dimensions: Mapping[str, Dimension] | None = None
) -> tuple[ReducedColumns, np.ndarray, float, float]:
    """The merged columns, the rows they come from, and the errors before and after in y's spread."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(1.0, 4.0, (n_var, N))
    y = law(*X)
    y = y + share * np.std(y) * rng.standard_normal(N)
    s = fit_surrogate(X, y, np.ones(N))
    assert s is not None
    columns, t = merge_all(columns_of(X, dimensions), y, np.ones(N), s)
    return columns, X, s.error / float(np.std(y)), t.error / float(np.std(y))


def one_to_one(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether each is a monotonic function of the other: the same merger, whatever form it was written in."""
    steps = np.diff(a[np.argsort(b)])
    small = 1e-9 * float(np.ptp(a))
    return bool(np.all(steps > -small) or np.all(steps < small))


# Law, number of variables, and the arguments that are left, up to functions of one argument.
TOGETHER: dict[str, tuple[Law, int, tuple[Law, ...]]] = {
    "difference": (lambda a, b: np.exp(-(a - b)), 2, (lambda a, b: a - b,)),
    "sum": (lambda a, b: np.sqrt(a + b), 2, (lambda a, b: a + b,)),
    "product": (lambda a, b: np.exp(-a * b / 4), 2, (lambda a, b: a * b,)),
    "ratio": (lambda a, b: 1 / (1 + a / b), 2, (lambda a, b: a / b,)),
    "sum of squares": (lambda a, b: np.exp(-(a**2 + b**2) / 9), 2, (lambda a, b: a**2 + b**2,)),
    "difference of squares": (lambda a, b: 1 / (17 + a**2 - b**2), 2, (lambda a, b: a**2 - b**2,)),
    "square and line": (lambda a, b: 1 / (1 + a**2 + b), 2, (lambda a, b: a**2 + b,)),
    "parallel resistors": (
        lambda a, b, c: c * np.exp(-a * b / (a + b)) + c**2,
        3,
        (lambda a, b, c: a * b / (a + b), lambda a, b, c: c),
    ),
    "distance": (
        lambda a, b, c, d: 1 / ((a + b) ** 2 + (c + d) ** 2),
        4,
        (lambda a, b, c, d: (a + b) ** 2 + (c + d) ** 2,),
    ),
    "two pairs": (
        lambda a, b, c, d: (a - b) ** 3 + np.exp(c * d / 4),
        4,
        (lambda a, b, c, d: a - b, lambda a, b, c, d: c * d),
    ),
}


def holds_only(columns: ReducedColumns, X: np.ndarray, wanted: tuple[Law, ...]) -> bool:
    """Whether the columns are the wanted arguments."""
    lines = [w(*X) for w in wanted]
    return len(columns.names) == len(lines) and all(any(one_to_one(u, w) for u in columns.X) for w in lines)


@pytest.mark.parametrize("name", TOGETHER)
def test_what_enters_together_is_merged(name: str) -> None:
    law, n_var, wanted = TOGETHER[name]
    columns, X, before, after = merged(law, n_var)
    assert holds_only(columns, X, wanted)
    assert after <= max(1.01 * before, 1e-8)


@pytest.mark.parametrize("name", ["difference", "sum of squares", "ratio", "parallel resistors"])
def test_what_enters_together_is_merged_under_five_percent_of_noise(name: str) -> None:
    law, n_var, wanted = TOGETHER[name]
    draws = [merged(law, n_var, 0.05, seed) for seed in range(4)]
    # The held-out error decides, and chance may let a true merger look worse by more than 1 %.
    assert sum(holds_only(columns, X, wanted) for columns, X, _, _ in draws) >= 3
    assert all(0.04 < after < 0.06 for _, _, _, after in draws)


@pytest.mark.parametrize("name", TOGETHER)
def test_formulas_evaluate_to_the_rows(name: str) -> None:
    law, n_var, _ = TOGETHER[name]
    columns, X, _, _ = merged(law, n_var)
    original = tuple("abcdef"[:n_var])
    for n, line in zip(columns.names, columns.X, strict=True):
        np.testing.assert_allclose(evaluate(columns.formulas[n], X.T, original), line, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(reduced_rows(columns, original, X), columns.X)
    fresh = np.random.default_rng(9).uniform(1.0, 4.0, (n_var, 30))
    for n, line in zip(columns.names, reduced_rows(columns, original, fresh), strict=True):
        np.testing.assert_allclose(evaluate(columns.formulas[n], fresh.T, original), line, rtol=1e-13, atol=1e-13)


# Law, number of variables, and the argument that is left, with coefficients that are no simple numbers.
WEIGHTED: dict[str, tuple[Law, int, Law]] = {
    "plane": (lambda a, b: np.exp(-(0.3 * a + 0.71 * b)), 2, lambda a, b: 0.3 * a + 0.71 * b),
    "phase": (lambda a, b: np.sin(0.7 * a - 1.3 * b), 2, lambda a, b: 0.7 * a - 1.3 * b),
    "ellipse": (lambda a, b: np.exp(-(a**2 + 2.3 * b**2) / 20), 2, lambda a, b: a**2 + 2.3 * b**2),
    "two resistances": (lambda a, b: np.tanh(1 / (1 / a + 2.3 / b)), 2, lambda a, b: 1 / a + 2.3 / b),
    "logistic": (
        lambda a, b, c: 1 / (1 + np.exp(1 - 0.9 * a + 0.4 * b - 0.23 * c)),
        3,
        lambda a, b, c: 0.9 * a - 0.4 * b + 0.23 * c,
    ),
}


@pytest.mark.parametrize("name", WEIGHTED)
def test_sums_with_coefficients_are_merged(name: str) -> None:
    law, n_var, wanted = WEIGHTED[name]
    columns, X, before, after = merged(law, n_var)
    assert len(columns.names) == 1
    assert after <= max(1.01 * before, 1e-8)
    # A function of the argument: its differences are far below what a wrong coefficient of one per mille would make.
    u = wanted(*X)
    order = np.argsort(u)
    ranks = np.argsort(np.argsort(columns.X[0][order]))
    ranks = ranks if ranks[0] < ranks[-1] else ranks[::-1]
    assert np.max(np.abs(ranks - np.arange(N))) <= 1


def test_the_coefficient_stays_free_and_is_the_one_of_least_squares() -> None:
    """Within four standard errors of the truth, which Fisher's information for the coefficient alone bounds from below."""
    estimates = []
    for seed in range(8):
        columns, _, _, _ = merged(lambda a, b: np.exp(-(a + 2.3 * b) / 4), 2, 0.02, seed)
        assert len(columns.names) == 1
        e = columns.formulas[columns.names[0]]
        (free,) = [c for c in e.constants if c.free]
        # u = a + k·b or b + k·a, according to the order of the columns.
        estimates.append(free.value if evaluate(e, np.array([[1.0, 0.0]]), ("a", "b"))[0] == 1.0 else 1 / free.value)
    spread = np.std(estimates, ddof=1)
    assert abs(np.mean(estimates) - 2.3) < 4 * spread / np.sqrt(len(estimates))
    assert spread < 0.1


def test_a_variable_that_does_not_matter_is_left_out() -> None:
    columns, _, _, after = merged(lambda a, b, c: np.sin(a) * b, 3)
    assert columns.names == ("a", "b")
    assert after < 1e-6
    kept, _, _, _ = merged(lambda a, b, c: np.sin(a) * b + 0.01 * np.cos(a * c), 3)
    assert "c" in kept.names


APART: dict[str, tuple[Law, int]] = {
    "sum of unlike": (lambda a, b: np.exp(a / 2) + np.sin(b), 2),
    "twice in different company": (lambda a, b: a + a * b**2 + 3, 2),
    "three": (lambda a, b, c: a + b**2 * c + np.exp(a * c / 8), 3),
    "product and sum": (lambda a, b: a * b + 1 / (a + b), 2),
}


@pytest.mark.parametrize("share", [0.0, 0.01])
@pytest.mark.parametrize("name", APART)
def test_what_enters_apart_stays_apart(name: str, share: float) -> None:
    law, n_var = APART[name]
    columns, _, _, _ = merged(law, n_var, share)
    assert columns.names == tuple("abcdef"[:n_var])


def test_an_expired_clock_merges_nothing() -> None:
    law, n_var, _ = TOGETHER["difference"]
    X = np.random.default_rng(0).uniform(1.0, 4.0, (n_var, N))
    s = fit_surrogate(X, law(*X), np.ones(N))
    assert s is not None
    columns, t = merge_all(columns_of(X), law(*X), np.ones(N), s, Clock(deadline=0.0))
    assert columns.names == ("a", "b") and t is s


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_an_oscillation_too_fast_for_derivatives_is_merged_blindly(sign: float) -> None:
    X = np.random.default_rng(1).uniform(0.5, 3.0, (2, N))
    y = 1.3 + np.sin(4.0 * (X[0] + sign * X[1]))
    s = fit_surrogate(X, y, np.ones(N))
    assert s is not None and s.error > POOR * np.std(y)
    columns, t = merge_all(columns_of(X), y, np.ones(N), s)
    assert holds_only(columns, X, (lambda a, b: a + sign * b,))
    assert t.error < BLIND_GAIN * s.error


# --- dimensions -------------------------------------------------------------------------------------------------


def of(**units: str) -> dict[str, Dimension]:
    return {n: parse_unit(u).dimension for n, u in units.items()}


def test_lengths_are_merged_and_the_merger_keeps_its_dimension() -> None:
    law, n_var, wanted = TOGETHER["distance"]
    dimensions = of(a="m", b="m", c="m", d="m")
    columns, X, _, _ = merged(law, n_var, dimensions=dimensions)
    assert holds_only(columns, X, wanted)
    for n in columns.names:
        assert infer(columns.formulas[n], dimensions).dimension == columns.dimensions[n] == parse_unit("m^2").dimension


@pytest.mark.parametrize("name", ["difference", "sum of squares", "sum"])
def test_unlike_dimensions_are_not_added(name: str) -> None:
    law, n_var, _ = TOGETHER[name]
    assert merged(law, n_var, dimensions=of(a="m", b="s"))[0].names == ("a", "b")


def test_squares_are_added_to_what_has_the_dimension_of_a_square() -> None:
    law, n_var, wanted = TOGETHER["square and line"]
    columns, X, _, _ = merged(law, n_var, dimensions=of(a="m", b="m^2"))
    assert holds_only(columns, X, wanted)
    assert merged(law, n_var, dimensions=of(a="m", b="m"))[0].names == ("a", "b")


def test_products_are_merged_of_pure_numbers_only() -> None:
    """With units products are the matter of dimensional analysis."""
    law, n_var, wanted = TOGETHER["product"]
    assert merged(law, n_var, dimensions=of(a="m", b="1/m"))[0].names == ("a", "b")
    columns, X, _, _ = merged(law, n_var, dimensions={"a": DIMENSIONLESS, "b": DIMENSIONLESS})
    assert holds_only(columns, X, wanted)


def test_several_mergers_at_once() -> None:
    X = np.random.default_rng(3).uniform(1.0, 4.0, (5, 20))
    a, b, _, d, e = (Expression.variable(n) for n in "abcde")
    out = columns_of(X, of(a="m", b="m", c="kg", d="s", e="s")).apply(
        [Merger(0.0, 0, 1, a**2 + b**2, 2), Merger(0.0, 3, 4, d - e, 1)]
    )
    assert len(out.names) == len(set(out.names)) == 3
    np.testing.assert_allclose(out.X, [X[0] ** 2 + X[1] ** 2, X[3] - X[4], X[2]], rtol=1e-15)
    assert [out.dimensions[n] for n in out.names] == [parse_unit(u).dimension for u in ("m^2", "s", "kg")]
