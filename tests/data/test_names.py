"""Names of columns: any header becomes a plain identifier."""

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypo.data.columns import make_identifier


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("a", "a"),
        ("a_", "a_"),
        ("_x", "_x"),
        ("drop height", "drop_height"),
        ("2θ", "x2theta"),
        ("λ", "lambda_"),
        ("Δv", "Deltav"),
        ("λ₀", "lambda0"),
        ("é%", "e"),
        ("%", "x7"),
        ("", "x7"),
        ("exp", "exp_"),
        ("pi", "pi_"),
        ("lambda", "lambda_"),
        ("min", "min_"),
        ("ln", "ln_"),
        ("E", "E"),
        ("x²", "x2"),
        ("m/s", "m_s"),
        ("质量", "x7"),
    ],
)
def test_identifier(label: str, name: str) -> None:
    assert make_identifier(label, 7) == name


@given(st.text(max_size=20))
def test_every_name_is_a_plain_identifier(label: str) -> None:
    name = make_identifier(label, 3)
    assert name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
