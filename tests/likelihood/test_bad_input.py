"""What other likelihoods refuse, in one sentence each."""

from typing import Any

import numpy as np
import pytest

import hypo
from hypo.errors import InputError
from tests.likelihood.rows import RNG, N, X


def test_a_users_own_likelihood_that_fails_late() -> None:
    calls = []

    def fails(y: np.ndarray, f: np.ndarray) -> np.ndarray:
        calls.append(0)
        if len(calls) > 50:
            raise ZeroDivisionError("too late")
        return -((y - f) ** 2)

    with pytest.raises(
        InputError, match=r"log_likelihood\(y, f\) raises ZeroDivisionError during the search: too late"
    ):
        hypo.fit((X[:, None], 3 * X), log_likelihood=fails, operators="+,*", time_limit=1)


COUNTS = np.array([0.0, 2.0, 5.0, 1.0])
ROWS = np.array([[1.0], [2.0], [3.0], [4.0]])
WRONG: list[tuple[dict[str, Any], np.ndarray, str]] = [
    ({"likelihood": "poisson"}, COUNTS - 1, 'row 0 (from 0), column "y": a count must be a whole number, 0 or more'),
    ({"likelihood": "poisson"}, COUNTS + [0, 0, 0.5, 0], "got 5.5"),
    ({"likelihood": "bernoulli"}, COUNTS, "without trials the target must be 0 or 1 for the likelihood binomial, got 2"),
    ({"likelihood": "binomial", "trials": 4}, COUNTS, "row 2 (from 0)"),
    ({"likelihood": "binomial", "trials": [3, 0, 5, 5]}, COUNTS, "trials must be a whole number, 1 or more, got 0"),
    ({"likelihood": "lognormal"}, COUNTS, "the target must be above 0 for the likelihood lognormal, got 0"),
    ({"likelihood": "poisson", "sigma": 1.0}, COUNTS, "sigma cannot be used with the likelihood poisson"),
    ({"trials": 4}, COUNTS, "trials cannot be used with the likelihood gaussian; it is for binomial"),
    ({"censored": [0, 1, 2, 0]}, COUNTS, "censored must be 0 (measured), 1 (the true value is above the target) or -1"),
    ({"censored": [1, 1, 1, 1]}, COUNTS, "every target is censored, so the noise cannot be estimated; give sigma"),
    ({"censored": [1, 0, 0, 0], "lower": COUNTS}, COUNTS, "give either censored, or lower and upper; not both"),
    ({"lower": COUNTS + 1, "upper": COUNTS}, COUNTS, "the upper limit must not be below the lower one"),
    ({"lower": 3.0}, COUNTS, "lower must be a column, or an array with one value per row"),
    ({"censored": "c"}, COUNTS, "with arrays censored must be an array too"),
    ({"x_sigma": {"x0": 0.1}}, COUNTS, "x_sigma needs sigma, the noise of the target, too"),
    ({"x_sigma": {"u": 0.1}, "sigma": 1.0}, COUNTS, 'there is no column "u" as x_sigma'),
    ({"x_sigma": {"y": 0.1}, "sigma": 1.0}, COUNTS, 'x_sigma gives an error to "y", which is no feature'),
    ({"x_sigma": "x0", "sigma": 1.0}, COUNTS, 'x_sigma must be written COLUMN=NUMBER or COLUMN=COLUMN, such as x=0.1'),
    ({"x_sigma": {"x0": [0.1, 0.1, -1.0, 0.1]}, "sigma": 1.0}, COUNTS, "x_sigma of x0 must be 0 or more, got -1"),
    ({"x_sigma": {"x0": 0.1}, "sigma": 1.0, "censored": [0, 0, 1, 0]}, COUNTS, "cannot be used with censored targets"),
    ({"x_sigma": 0.1, "sigma": 1.0}, COUNTS, 'x_sigma must name columns, such as {"x": 0.1}, got 0.1'),
    ({"likelihood": "poisson", "sigma": 2.0}, COUNTS, "it is for gaussian, student_t or lognormal"),
    ({"log_likelihood": lambda y, f: 0j * f}, COUNTS, "must give real numbers, got complex ones"),
    ({"log_likelihood": lambda y, f: 0.0}, COUNTS, "must give one number for each row, shape (4,), got shape ()"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "y", "message"), WRONG)
def test_bad_input_is_refused_in_a_sentence(given: dict[str, Any], y: np.ndarray, message: str) -> None:
    for call in (lambda: hypo.fit((ROWS, y), time_limit=1, **given), lambda: hypo.score("a*x0", (ROWS, y), **given)):
        with pytest.raises(InputError) as caught:
            call()
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_formulas_that_give_impossible_rates_are_refused() -> None:
    with pytest.raises(InputError, match="x0 - 2 is undefined or impossible on some row"):
        hypo.score("x0 - 2", (ROWS, COUNTS), likelihood="poisson")


def test_counts_keep_their_unit() -> None:
    with pytest.raises(InputError, match="is a count, but its unit would have it multiplied by"):
        hypo.score("a*x0", (ROWS, COUNTS), likelihood="poisson", units={"y": "km", "x0": "ft"})


def test_units_of_censored_targets() -> None:
    """Targets and limits in another unit give the same law, in that unit."""
    y = 2 * X + 0.5 * RNG.standard_normal(N)
    upper = np.where(y > 8, np.inf, np.nan)
    one, two = (
        hypo.score(
            "a*x", (X[:, None], np.minimum(y, 8) / k), "y", features=["x"], units={"x": "m", "y": unit},
            lower=np.where(y > 8, 8 / k, np.nan), upper=upper,
        )
        for k, unit in ((1.0, "m"), (1000.0, "km"))
    )  # fmt: skip
    assert one.constants[0].value == pytest.approx(1000 * two.constants[0].value, rel=1e-6)
    assert one.constants[0].std == pytest.approx(1000 * (two.constants[0].std or 0), rel=1e-6)
    assert (one.constants[0].unit, two.constants[0].unit) == ("1", "km/m")
    assert abs(one.constants[0].value - 2) < 4 * (one.constants[0].std or 0)
