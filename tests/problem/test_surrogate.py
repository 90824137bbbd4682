"""The smooth stand-in: its basis, derivatives, exactness, and what it says of noise."""

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from numpy.polynomial import Legendre

from hypo.problem.surrogate import BETTER, BLOCK, Coordinates, Surrogate, design, fit_surrogate, multi_indices

pytestmark = pytest.mark.usefixtures("one_thread")


RNG = np.random.default_rng(20)
POSITIVE = RNG.uniform(0.5, 3.0, (2, 600))
ANY_SIGN = RNG.uniform(-2.0, 2.0, (3, 800))
ROUNDING = 1e-10


def fitted(X: np.ndarray, y: np.ndarray, log: bool | None = None) -> Surrogate:
    s = fit_surrogate(X, y, np.ones(len(y)), log)
    assert s is not None
    return s


def rms(v: np.ndarray) -> float:
    return float(np.sqrt(np.mean(v**2)))


def test_a_few_rows_near_zero_do_not_squeeze_the_others() -> None:
    """Angles from 0 to 2π are taken as they are, whatever the least of them; powers of ten by their logarithms."""
    angle, size = RNG.uniform(0.0, 2 * np.pi, 3000), 10.0 ** RNG.uniform(-3.0, 3.0, 3000)
    angle[0] = 1e-5
    assert Coordinates.of(np.array([angle, size, RNG.uniform(1.0, 5.0, 3000)])).log == (False, True, True)
    y = np.cos(angle)
    assert fitted(angle[None], y).error < 1e-6


@pytest.mark.parametrize("n_var", [1, 2, 3, 5])
@pytest.mark.parametrize("degree", [0, 1, 2, 4])
def test_multi_indices_are_all_exponents_up_to_the_degree(n_var: int, degree: int) -> None:
    found = [tuple(row) for row in multi_indices(n_var, degree)]
    assert len(set(found)) == len(found)
    assert set(found) == {p for p in product(range(degree + 1), repeat=n_var) if sum(p) <= degree}


@pytest.mark.parametrize(("n_var", "degree"), [(1, 28), (2, 14), (3, 5), (6, 3), (4, 0)])
def test_basis_functions_are_products_of_legendre_polynomials(n_var: int, degree: int) -> None:
    # More rows than are worked out together.
    z = RNG.uniform(-1, 1, (n_var, BLOCK + 7))
    degrees = multi_indices(n_var, degree)
    for along in (None, *range(n_var)):
        for e, line in zip(degrees, design(z, degrees, along), strict=True):
            factors = [Legendre.basis(d).deriv() if j == along else Legendre.basis(d) for j, d in enumerate(e)]
            np.testing.assert_allclose(
                line, np.prod([p(x) for p, x in zip(factors, z, strict=True)], axis=0), atol=1e-9
            )


def test_coordinates_fill_the_box_and_take_logarithms_of_positive_columns() -> None:
    X = np.vstack([POSITIVE, ANY_SIGN[:1, :600]])
    c = Coordinates.of(X)
    z = c.map(X)
    assert c.log == (True, True, False)
    np.testing.assert_allclose(z.min(axis=1), -1.0, atol=1e-14)
    np.testing.assert_allclose(z.max(axis=1), 1.0, atol=1e-14)
    a, b = np.log(X[0]).min(), np.log(X[0]).max()
    np.testing.assert_allclose(z[0], 2 * (np.log(X[0]) - a) / (b - a) - 1, atol=1e-14)


def by_numpy(s: Surrogate, X: np.ndarray) -> np.ndarray:
    """The docstring's formula, term by term, with numpy's Legendre polynomials."""
    z = s.coordinates.map(X)
    total = np.zeros(X.shape[1])
    for c, degrees in zip(s.coefficients, s.degrees, strict=True):
        term = np.full(X.shape[1], c)
        for j, d in enumerate(degrees):
            term = term * np.polynomial.legendre.Legendre.basis(int(d))(z[j])
        total += term
    return s.sign * np.exp(total) if s.log else total


SURFACES: dict[str, tuple[np.ndarray, Callable[..., np.ndarray]]] = {
    "logarithms": (POSITIVE, lambda a, b: np.exp(-a) * np.sin(b)),
    "log link": (POSITIVE, lambda a, b: 1 / (a + b)),
    "negative, log link": (POSITIVE, lambda a, b: -a / (a + b) ** 2),
    "either sign": (ANY_SIGN, lambda a, b, c: np.sin(a) * b + c**3),
}


@pytest.mark.parametrize(
    "log, name", [*((False, n) for n in SURFACES), *((True, n) for n in SURFACES if n != "either sign")]
)
def test_value_and_gradient_are_those_of_the_formula(name: str, log: bool) -> None:
    X, law = SURFACES[name]
    y = law(*X)
    s = fitted(X, y, log)
    inside = X[:, :50]
    np.testing.assert_allclose(s.value(inside), by_numpy(s, inside), rtol=1e-10, atol=1e-12)
    for j, slope in enumerate(s.gradient(inside)):
        h = np.zeros_like(inside)
        h[j] = 1e-5
        central = (s.value(inside + h) - s.value(inside - h)) / 2e-5
        np.testing.assert_allclose(slope, central, rtol=1e-6, atol=1e-6 * np.abs(central).max())


POLYNOMIALS: dict[str, tuple[np.ndarray, Callable[..., np.ndarray]]] = {
    "in logarithms": (POSITIVE, lambda a, b: 1 + np.log(a) ** 2 - np.log(a) * np.log(b) + np.log(b) ** 3),
    "power law": (POSITIVE, lambda a, b: a**2 * b**-1.5),
    "negative power law": (POSITIVE, lambda a, b: -(a**0.5) * b),
    "of either sign": (ANY_SIGN, lambda a, b, c: 1 + a * b - 2 * c**3 + a * b * c),
}


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_what_the_basis_holds_is_met_to_rounding(name: str) -> None:
    X, law = POLYNOMIALS[name]
    y = law(*X)
    s = fitted(X, y)
    assert s.error < ROUNDING * rms(y)
    assert rms(s.value(X) - y) < ROUNDING * rms(y)
    assert s.log == ("power" in name)
    assert s.sign == np.sign(np.median(y))


# --- noise ------------------------------------------------------------------------------------------------------

SMOOTH: dict[str, Callable[..., np.ndarray]] = {
    "bell and wave": lambda a, b: np.exp(-a) * np.sin(b),
    "reciprocal": lambda a, b: 1 / (a + b),
    "distance": lambda a, b: np.sqrt(a**2 + b**2),
}
MANY = RNG.uniform(0.5, 3.0, (2, 2000))


@pytest.mark.parametrize("name", SMOOTH)
def test_error_that_more_terms_would_lower_is_not_saturated(name: str) -> None:
    s = fitted(MANY, SMOOTH[name](*MANY))
    assert not s.saturated


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("share", [0.02, 0.05, 0.1])
def test_noise_saturates_and_most_of_it_is_taken_off(name: str, share: float) -> None:
    n = MANY.shape[1]
    truth = SMOOTH[name](*MANY)
    noise = share * np.std(truth) * np.random.default_rng(7).standard_normal(n)
    s = fitted(MANY, truth + noise)
    assert s.saturated
    # The held-out quarter tells σ to 1/√(2·n/4), about 3 %, and the fit itself adds a share p/n to the variance.
    p = len(s.coefficients)
    assert s.error == pytest.approx(rms(noise) * np.sqrt(1 + p / (0.75 * n)), rel=0.12)
    # Projection on p terms leaves √(p/n) of the noise; bias below noise may double that.
    assert rms(s.value(MANY) - truth) < 2.2 * np.sqrt(p / n) * rms(noise)
    assert rms(s.value(MANY) - truth) < 0.25 * rms(noise)


def test_log_link_bears_values_that_scatter_below_zero() -> None:
    x = MANY[:1]
    truth = x[0] ** -3.0
    noise = 0.1 * np.std(truth) * np.random.default_rng(8).standard_normal(len(truth))
    y = truth + noise
    assert np.mean(y < 0) > 0.05
    s = fitted(x, y)
    assert s.log and s.saturated and np.all(s.value(x) > 0)
    p, n = len(s.coefficients), len(y)
    assert rms(s.value(x) - truth) < 2.2 * np.sqrt(p / n) * rms(noise)


def test_a_logarithm_is_tried_where_noise_drowns_most_rows_but_not_the_large_ones() -> None:
    rng = np.random.default_rng(3)
    X = rng.uniform(1.0, 2.0, (3, 3000))
    law = X[0] ** 8 * X[1] ** 6 / X[2] ** 9
    y = -law + 0.1 * np.sqrt(np.mean(law**2)) * rng.standard_normal(3000)
    assert np.mean(y < 0) < 0.8
    s = fit_surrogate(X, y, np.ones(3000))
    assert s is not None and s.log and s.sign == -1.0
    assert np.sqrt(np.mean((s.value(X) + law) ** 2)) < 0.02 * np.sqrt(np.mean(law**2))


def test_heavy_rows_count_more() -> None:
    x = MANY[:1]
    truth = 1 + np.log(x[0])
    bad = np.arange(len(truth)) % 2 == 1
    y = truth + 3.0 * bad
    s = fit_surrogate(x, y, np.where(bad, 1e-9, 2.0))
    assert s is not None
    np.testing.assert_allclose(s.value(x), truth, atol=1e-6)


# --- refusals ---------------------------------------------------------------------------------------------------


def test_too_few_rows_give_none() -> None:
    X, y = POSITIVE[:, :39], POSITIVE[0, :39] ** 2
    assert fit_surrogate(X, y, np.ones(39)) is None
    assert fit_surrogate(POSITIVE[:, :40], POSITIVE[0, :40], np.ones(40)) is not None


def test_a_column_that_does_not_vary_or_too_many_give_none() -> None:
    y = POSITIVE[0] ** 2
    assert fit_surrogate(np.vstack([POSITIVE, np.ones(600)]), y, np.ones(600)) is None
    assert fit_surrogate(RNG.uniform(1, 2, (21, 600)), y, np.ones(600)) is None


def test_a_target_without_relation_gives_none() -> None:
    assert fit_surrogate(POSITIVE, np.random.default_rng(9).standard_normal(600), np.ones(600)) is None


def test_same_rows_same_stand_in() -> None:
    y = SMOOTH["distance"](*POSITIVE)
    a, b = fitted(POSITIVE, y), fitted(POSITIVE, y)
    assert a.error == b.error
    np.testing.assert_array_equal(a.coefficients, b.coefficients)


def test_a_constant_factor_changes_nothing_but_the_scale() -> None:
    y = SMOOTH["bell and wave"](*MANY) + 0.05 * np.random.default_rng(10).standard_normal(MANY.shape[1])
    small, large = fitted(MANY, y), fitted(MANY, 1e6 * y)
    assert (small.log, len(small.degrees)) == (large.log, len(large.degrees))
    # A higher degree has to be better by a share: 1 − BETTER is what ties may differ by.
    assert large.error == pytest.approx(1e6 * small.error, rel=1 - BETTER)
    np.testing.assert_allclose(large.value(MANY), 1e6 * small.value(MANY), rtol=1e-6, atol=1e-3)
