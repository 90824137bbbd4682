"""Scaling symmetries of data and of units, and the invariants they leave: λ^a in, λ^b out."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypo.expression.program import evaluate
from hypo.knowledge.rules.invariance import Homogeneous, ScaleInvariant
from hypo.problem.surrogate import fit_surrogate
from hypo.search.reductions.invariants import LARGEST_EXPONENT, MOST_SETS, find_invariants, power_product
from hypo.search.reductions.scalings import Scalings, fit_exponents
from hypo.search.reductions.symmetry import Symmetry, find_symmetry, symmetry_of_rules, symmetry_of_units
from hypo.units import DIMENSIONLESS, Dimension, parse_unit

pytestmark = pytest.mark.usefixtures("one_thread")


Law = Callable[..., np.ndarray]


def found_in(law: Law, n_var: int, share: float, seed: int = 0, n: int = 1000, low: float = 1.0) -> Symmetry | None:
    """The symmetry found in rows drawn from [low, 5]^n_var, with noise of a share of the spread of y."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(low, 5.0, (n_var, n))
    y = law(*X)
    y = y + share * np.std(y) * rng.standard_normal(n)
    s = fit_surrogate(X, y, np.ones(n))
    assert s is not None
    return find_symmetry(s, X, y, np.ones(n))


def rows(s: Symmetry) -> list[list[Fraction]]:
    """One scaling a row: the variables' exponents, then the target's."""
    return [[*(e[r] for e in s.exponents), s.target[r]] for r in range(s.rank)]


def reduced(table: Sequence[Sequence[Fraction]]) -> list[list[Fraction]]:
    """The reduced row echelon form, which tells whether two tables span one space."""
    out = [[Fraction(v) for v in r] for r in table]
    done = 0
    for k in range(len(out[0]) if out else 0):
        at = next((i for i in range(done, len(out)) if out[i][k]), None)
        if at is None:
            continue
        out[done], out[at] = out[at], [v / out[at][k] for v in out[at]] if at == done else out[done]
        out[done] = [v / out[done][k] for v in out[done]]
        for i in range(len(out)):
            if i != done:
                out[i] = [a - out[i][k] * b for a, b in zip(out[i], out[done], strict=True)]
        done += 1
    return [r for r in out if any(r)]


def same_space(a: Symmetry | None, table: Sequence[Sequence[float]]) -> bool:
    return a is not None and reduced(rows(a)) == reduced([[Fraction(v) for v in r] for r in table])


HALF = 0.5
# Law, number of variables, and all its scalings, by hand: exponents of the variables, then of y.
LAWS: dict[str, tuple[Law, int, list[list[float]]]] = {
    "ideal gas": (lambda n, T, V: n * T / V, 3, [[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, -1]]),
    "pendulum": (lambda a, g: 2 * np.pi * np.sqrt(a / g), 2, [[1, 0, HALF], [0, 1, -HALF]]),
    "lenses": (lambda a, b: a * b / (a + b), 2, [[1, 1, 1]]),
    "Planck": (lambda f, T: f**3 / np.expm1(f / T), 2, [[1, 1, 3]]),
    "Kepler": (lambda a, m, M: np.sqrt(a**3 / (m + M)), 3, [[1, 0, 0, 1.5], [0, 1, 1, -HALF]]),
    "velocities": (lambda u, v, c: (u + v) / (1 + u * v / c**2), 3, [[1, 1, 1, 1]]),
    "fall": (lambda v, a, t: v * t + a * t**2 / 2, 3, [[1, 1, 0, 1], [0, 1, -1, -1]]),
}


@pytest.mark.parametrize("share", [0.0, 0.05])
@pytest.mark.parametrize("name", LAWS)
def test_scalings_of_known_laws_are_found(name: str, share: float) -> None:
    law, n_var, want = LAWS[name]
    assert same_space(found_in(law, n_var, share), want)


@pytest.mark.parametrize("name", ["ideal gas", "pendulum", "lenses", "Kepler", "velocities"])
def test_scalings_are_found_under_ten_percent_of_noise_whatever_the_draw(name: str) -> None:
    law, n_var, want = LAWS[name]
    assert all(same_space(found_in(law, n_var, 0.1, seed), want) for seed in range(5))


@pytest.mark.parametrize("name", LAWS)
def test_scalings_found_under_noise_are_true_ones_even_where_some_are_missed(name: str) -> None:
    law, n_var, want = LAWS[name]
    true = [[Fraction(v) for v in r] for r in want]
    for seed in range(5):
        s = found_in(law, n_var, 0.1, seed)
        assert s is None or reduced([*true, *rows(s)]) == reduced(true)


# Laws whose derivatives noise hides: ranges of the variables, rows, noise as a share of the RMS, and all scalings.
HIDDEN: dict[str, tuple[Law, list[tuple[float, float]], int, float, list[list[float]]]] = {
    "dilated time": (
        lambda x, c, u, t: (t - u * x / c**2) / np.sqrt(1 - u**2 / c**2),
        [(5, 10), (3, 20), (1, 2), (1, 5)],
        5000,
        0.04,
        [[1, 1, 1, 0, 0], [0, -1, -1, 1, 1]],
    ),
    "radiated power": (
        lambda G, c, m, r: -6.4 * G**4 * m**5 / (c * r) ** 5,
        [(1, 2), (1, 2), (1, 5), (1, 2)],
        5000,
        0.1,
        [[1, 0, 0, 0, 4], [0, 1, 0, 0, -5], [0, 0, 1, 0, 5], [0, 0, 0, 1, -5]],
    ),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", HIDDEN)
def test_exponents_come_from_least_squares_where_noise_hides_derivatives(name: str, seed: int) -> None:
    law, ranges, n, share, want = HIDDEN[name]
    rng = np.random.default_rng(seed)
    X = np.array([rng.uniform(low, high, n) for low, high in ranges])
    y = law(*X)
    y = y + share * np.sqrt(np.mean(y**2)) * rng.standard_normal(n)
    s = fit_surrogate(X, y, np.ones(n))
    assert s is not None and same_space(find_symmetry(s, X, y, np.ones(n)), want)


def test_estimates_scatter_as_their_errors_say() -> None:
    """Exponents by least squares: unbiased, within four standard errors of the mean."""
    estimates = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        X = rng.uniform(1.0, 3.0, (2, 800))
        y = X[0] ** 1.5 / X[1]
        y = y + 0.2 * rng.standard_normal(800)
        s = fit_surrogate(X, y, np.ones(800))
        assert s is not None
        start = Scalings(np.array([[1.0, 0.0, 1.3], [0.0, 1.0, -0.8]]), (0, 1))
        A, _ = fit_exponents(start, s, X, y, np.ones(800))
        estimates.append(A.A[:, 2])
    mean, error = np.mean(estimates, axis=0), np.std(estimates, axis=0, ddof=1) / np.sqrt(12)
    assert np.all(np.abs(mean - [1.5, -1.0]) < 4 * error)
    assert np.all(error * np.sqrt(12) < 0.05)


def test_weights_that_do_not_vary_and_those_that_do_tell_the_same() -> None:
    law, n_var, want = LAWS["lenses"]
    rng = np.random.default_rng(4)
    X = rng.uniform(1.0, 5.0, (n_var, 1000))
    sigma = rng.uniform(0.01, 0.2, 1000)
    y = law(*X) + sigma * rng.standard_normal(1000)
    weight = sigma**-2 / np.mean(sigma**-2)
    s = fit_surrogate(X, y, weight)
    assert s is not None and same_space(find_symmetry(s, X, y, weight), want)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_power_laws_have_one_scaling_for_each_variable(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    # Five-fold ranges: exponents beyond 2 would leave all but a few rows in the noise.
    p = rng.integers(-4, 5, 3) / 2.0
    if not np.any(p):
        p[0] = 1.0
    law = lambda *x: 0.7 * np.prod([v**q for v, q in zip(x, p, strict=True)], axis=0)  # noqa: E731
    assert same_space(found_in(law, 3, share, seed), np.column_stack([np.eye(3), p]).tolist())


NONE: dict[str, tuple[Law, int]] = {
    "sum of unlike": (lambda a, b: np.exp(a / 2) + np.sin(b), 2),
    "offset": (lambda a, b: a * b / (a + b) + 1, 2),
    "one variable": (lambda a: 1 + a**2, 1),
    "three variables": (lambda a, b, c: a + b**2 + np.exp(c / 3), 3),
    "exponential": (lambda a: np.exp(-a), 1),
}


def test_an_invariant_is_followed_as_closely_as_its_variables() -> None:
    """Planck's a/(exp(a/b) − 1), a and b products of two: a stand-in in a/b must reach the error of one in both, 1e-7."""
    h, w, k, t = np.random.default_rng(3).uniform(1.0, 5.0, (4, 5000))
    X = np.array([h * w, k * t])
    y = X[0] / np.expm1(X[0] / (2 * np.pi * X[1]))
    s = fit_surrogate(X, y, np.ones(5000))
    assert s is not None and s.error < 1e-6 * np.std(y)
    found = find_symmetry(s, X, y, np.ones(5000))
    assert found is not None and rows(found) == [[1, 1, 1]]


@pytest.mark.parametrize("share", [0.0, 0.05])
@pytest.mark.parametrize("name", NONE)
def test_no_scaling_where_there_is_none(name: str, share: float) -> None:
    assert found_in(*NONE[name], share) is None


@pytest.mark.parametrize("name", LAWS)
def test_what_is_found_holds_on_the_law(name: str) -> None:
    law, n_var, _ = LAWS[name]
    s = found_in(law, n_var, 0.05)
    assert s is not None
    X = np.random.default_rng(5).uniform(0.5, 9.0, (n_var, 50))
    for *a, b in rows(s):
        for factor in (0.3, 1.7, 10.0):
            scaled = X * factor ** np.array([float(v) for v in a])[:, None]
            np.testing.assert_allclose(law(*scaled), factor ** float(b) * law(*X), rtol=1e-12)


def test_pivots_are_positive_variables_only() -> None:
    """A variable of either sign may take part, yet no group is led by it."""
    rng = np.random.default_rng(6)
    X = np.vstack([rng.uniform(-2, 2, 1000), rng.uniform(1, 3, 1000)])
    y = X[0] ** 2 + X[0] * X[1] + 3 * X[1] ** 2
    s = fit_surrogate(X, y, np.ones(1000))
    assert s is not None and same_space(find_symmetry(s, X, y, np.ones(1000)), [[1, 1, 2]])


# --- units ------------------------------------------------------------------------------------------------------


def units(*texts: str) -> tuple[Dimension, ...]:
    return tuple(parse_unit(t).dimension for t in texts)


# By hand, over the base units that occur: exponents of the variables, then of the target.
BY_UNITS: dict[str, tuple[tuple[str, ...], str, list[list[int]]]] = {
    # force from mass, speed and radius; rows: metre, kilogram, second
    "centripetal": (("kg", "m/s", "m"), "N", [[0, 1, 1, 1], [1, 0, 0, 1], [0, -1, 0, -2]]),
    # metre and second occur as m/s only: one scaling
    "speeds": (("m/s", "m/s"), "m/s", [[1, 1, 1]]),
    "with pure numbers": (("m", "1", "m"), "m^2", [[1, 0, 1, 2]]),
    # G m1 m2/r² in SI
    "gravitation": (("m^3/kg/s^2", "kg", "kg", "m"), "N", [[3, 0, 0, 1, 1], [-1, 1, 1, 0, 1], [-2, 0, 0, 0, -2]]),
}


@pytest.mark.parametrize("name", BY_UNITS)
def test_scalings_of_units_are_those_of_dimensional_analysis(name: str) -> None:
    given_units, target, want = BY_UNITS[name]
    s = symmetry_of_units(units(*given_units), units(target)[0])
    assert same_space(s, want)
    assert s is not None and s.rank == len(want)


def test_no_units_no_scaling() -> None:
    assert symmetry_of_units([DIMENSIONLESS, DIMENSIONLESS], DIMENSIONLESS) is None
    assert symmetry_of_units(units("m", "s"), None) is None


def test_units_and_data_agree_on_a_law_with_as_many_scalings_as_units() -> None:
    law, n_var, _ = LAWS["fall"]
    told = symmetry_of_units(units("m/s", "m/s^2", "s"), units("m")[0])
    seen = found_in(law, n_var, 0.0)
    assert told is not None and seen is not None
    assert reduced(rows(told)) == reduced(rows(seen))


def test_rules_add_scalings_to_those_of_units() -> None:
    names = ("x", "y", "z")
    degree = Homogeneous(variables=("x", "y"), degree=2.0, hard=True)
    same = ScaleInvariant(variables=("z",), hard=True)
    told = symmetry_of_rules(names, [degree, same], None)
    assert told == Symmetry(
        ((Fraction(1), Fraction(0)), (Fraction(1), Fraction(0)), (Fraction(0), Fraction(1))), (2, 0)
    )
    by_units = symmetry_of_units(units("m", "m", "1"), units("m^2")[0])
    assert symmetry_of_rules(names, [degree], by_units) == by_units
    both = symmetry_of_rules(names, [same], by_units)
    assert both is not None and both.rank == 2
    assert symmetry_of_rules(names, [Homogeneous(variables=("x",), degree=1.0)], None) is None
    assert symmetry_of_rules(("x",), [degree], None) is None


# --- invariants -------------------------------------------------------------------------------------------------


@st.composite
def symmetries(draw: st.DrawFn) -> tuple[Symmetry, np.ndarray]:
    """Exponents of up to six variables under up to three scalings, perhaps dependent; and which are positive."""
    n, r = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    small = st.integers(-3, 3).map(lambda k: Fraction(k, 2)) | st.integers(-2, 2).map(Fraction)
    line = st.tuples(*[small] * r)
    exponents = tuple(draw(line) for _ in range(n))
    return Symmetry(exponents, draw(line)), np.array([draw(st.booleans()) or k == 0 for k in range(n)])


def scaled_by(exponents: Sequence[Fraction], s: Symmetry) -> tuple[Fraction, ...]:
    """The power of each λ that a product of powers gets."""
    return tuple(
        sum((q * e[r] for q, e in zip(exponents, s.exponents, strict=True)), Fraction(0)) for r in range(s.rank)
    )


def rank(table: Sequence[Sequence[Fraction]]) -> int:
    return len(reduced(table)) if table else 0


def possible(s: Symmetry, usable: np.ndarray) -> bool:
    """Whether some pivots are independent, by ranks, and give exponents within bounds, by Cramer's rule."""
    n = len(s.exponents)
    for pivots in combinations(np.flatnonzero(usable), s.rank):
        A = [s.exponents[p] for p in pivots]
        if rank(A) < s.rank:
            continue
        wanted = [s.target, *(s.exponents[j] for j in range(n) if j not in pivots)]
        whole = determinant(A)
        if all(
            abs(determinant([w if i == k else a for i, a in enumerate(A)]) / whole) <= LARGEST_EXPONENT
            for w in wanted
            for k in range(s.rank)
        ):
            return True
    return False


def determinant(A: Sequence[Sequence[Fraction]]) -> Fraction:
    if len(A) == 1:
        return A[0][0]
    minors = ([[v for c, v in enumerate(r) if c != k] for r in A[1:]] for k in range(len(A)))
    return sum(((-1) ** k * A[0][k] * determinant(m) for k, m in enumerate(minors)), Fraction(0))


@given(symmetries())
def test_lead_scales_as_the_target_and_groups_do_not_scale(drawn: tuple[Symmetry, np.ndarray]) -> None:
    s, usable = drawn
    n = len(s.exponents)
    found = find_invariants(s, usable)
    assert (found is not None) == possible(s, usable)
    if found is None:
        return
    assert scaled_by(found.lead, s) == s.target
    assert all(not any(scaled_by(g, s)) for g in found.groups)
    # As many as Buckingham's theorem says, and none a product of the others.
    assert len(found.groups) == n - s.rank == rank(found.groups)
    # Fractional powers are taken of positive variables only.
    for exponents in (found.lead, *found.groups):
        assert all(usable[j] or q in (0, 1) for j, q in enumerate(exponents))
        assert all(abs(q) <= LARGEST_EXPONENT for q in exponents)


def test_more_sets_of_pivots_than_are_looked_at_still_give_invariants() -> None:
    n = 25
    assert n * (n - 1) // 2 > MOST_SETS
    s = Symmetry(tuple((Fraction(1), Fraction(k)) for k in range(n)), (Fraction(2), Fraction(3)))
    found = find_invariants(s, np.ones(n, np.bool_))
    assert found is not None and scaled_by(found.lead, s) == s.target
    assert len(found.groups) == n - 2 and all(not any(scaled_by(g, s)) for g in found.groups)


def test_simplest_exponents_are_chosen() -> None:
    """Period of a pendulum from length, mass and gravity: √(l/g), and no mass."""
    s = symmetry_of_units(units("m", "kg", "m/s^2"), units("s")[0])
    assert s is not None
    found = find_invariants(s, np.ones(3, np.bool_))
    assert found is not None and found.groups == ()
    assert found.lead == (Fraction(1, 2), Fraction(0), Fraction(-1, 2))


@given(st.lists(st.sampled_from([Fraction(k, 2) for k in range(-6, 7)]), min_size=1, max_size=4))
def test_power_products_evaluate_to_the_product(exponents: list[Fraction]) -> None:
    names = tuple("abcd"[: len(exponents)])
    X = np.random.default_rng(11).uniform(0.5, 2.0, (20, len(names)))
    want = np.prod(X ** np.array([float(q) for q in exponents]), axis=1)
    got = np.broadcast_to(evaluate(power_product(names, exponents), X, names), want.shape)
    np.testing.assert_allclose(got, want, rtol=1e-13)
