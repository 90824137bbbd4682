"""The prior for rate laws: textbooks stand in no benchmark, spellings cost the same, what is rarer costs more."""

import math

import pytest

from hypo.dynamics.discovery.prior.lengths import code_length, system_code_length, system_structure
from hypo.expression.expr import Expression
from tests.dynamics.calibration.systems import law

NUMBERS = {"a": 1.7, "b": 0.6, "c": 2.3, "k": 0.75}


def cost(text, **settings):
    return code_length(law(text, NUMBERS), "x", **settings)


@pytest.mark.parametrize(
    "one, other",
    [
        ("a*x*(1 - x/b)", "a*x - b*x**2"),
        ("-a*(x - b)", "a - b*x"),
        ("x*y*a + x*b", "x*(b + a*y)"),
        ("exp(a - b*x)", "a*exp(-b*x)"),
        ("a/(b + c*x)", "a/(b + x)"),
    ],
)
def test_spellings_cost_the_same(one, other):
    assert cost(one) == pytest.approx(cost(other))


@pytest.mark.parametrize(
    "cheap, dear",
    [
        ("a*x - b*x**2", "a*sin(b*x)"),
        ("a*x - b*x**3", "x - tanh(x)"),
        ("a*sin(x)", "a*sin(b*x)"),
        ("a*x**2", "a*x**k"),
        ("a*x/(b + x)", "a*exp(-b/(c + x))"),
        ("a*x*y", "a*x*y**2"),
        ("a*x/(b + x)", "a*y/(b + x)"),
        ("a*x**2", "a*(x - b)**3"),
        ("a*exp(-b*x)", "a*exp(-b*sin(x))"),
        ("a*cos(x)", "a*cos(x**2)"),
        ("-a*x", "a*x"),
        ("-a*x*y", "-a*y**2"),
        ("a*x", "2*x"),
    ],
)
def test_what_is_rarer_costs_more(cheap, dear):
    assert cost(cheap, n_column=2) < cost(dear, n_column=2)


def test_a_constant_costs_half_the_log_of_the_rows():
    more = cost("a*x", rows=400) - cost("a*x", rows=100)
    assert more == pytest.approx(0.5 * math.log(4))


def test_a_term_of_several_equations_is_spelled_once():
    one, other = law("-a*x*y/(b + x)", NUMBERS), law("a*x*y/(b + x) - c*y", NUMBERS)
    together = system_code_length([one, other], ["x", "y"], 2)
    assert together < code_length(one, "x", 2) + code_length(other, "y", 2) - 3
    found = system_structure([one, other], ["x", "y"], 2)
    assert (found.numbers, found.equal) == (5, 1)


def test_one_number_in_two_terms_of_opposite_sign_is_likelier_than_two_numbers_that_are_nearly_the_same():
    flow, same = law("-a*x", NUMBERS), law("a*x - c*y", NUMBERS)
    unlike = law("a*x - c*y", {**NUMBERS, "a": 1.7001})
    of_one, of_two = (system_structure([flow, e], ["x", "y"], 2) for e in (same, unlike))
    assert (of_one.equal, of_two.equal) == (1, 0) and of_one.nats < of_two.nats


def test_a_position_whose_rate_is_the_speed_is_cheap():
    moving, accelerated = law("y", NUMBERS), law("-a*x", NUMBERS)
    together = system_code_length([moving, accelerated], ["x", "y"], 2)
    apart = system_code_length([law("a*y", NUMBERS), accelerated], ["x", "y"], 2)
    assert together < apart


def test_names_make_no_difference():
    one = system_code_length([law("-a*x*y", NUMBERS), law("a*x*y - b*y", NUMBERS)], ["x", "y"])
    other = system_code_length([law("-a*v*z", NUMBERS), law("a*v*z - b*z", NUMBERS)], ["v", "z"])
    assert one == pytest.approx(other)


def test_an_equation_with_states_exchanged_is_cheap():
    """Two rotors that pull at each other: what one does the other does, too."""
    one, other = law("a*sin(y - x) - sin(x)", NUMBERS), law("a*sin(x - y) - sin(y)", NUMBERS)
    unlike = law("a*sin(x - y) - cos(y)", NUMBERS)
    found = system_structure([one, other], ["x", "y"], 2)
    assert found.nats < system_structure([one, unlike], ["x", "y"], 2).nats - 8
    assert found.nats < code_length(one, "x", 2, rows=1) + 5 and found.equal == 1


def test_an_exchange_is_the_same_whatever_states_are_called():
    rates = ["a*x*y - b*z", "a*y*z - b*x", "a*z*x - b*y"]
    states = ["x", "y", "z"]
    one = system_structure([law(e, NUMBERS) for e in rates], states)
    names = {"x": "s", "y": "u", "z": "v"}
    other = system_structure(
        [law("".join(names.get(c, c) for c in e), NUMBERS) for e in rates], [names[s] for s in states]
    )
    assert one == other


def test_more_columns_make_others_dearer_and_the_own_state_not():
    def more(text):
        return cost(text, n_column=10) - cost(text, n_column=2)

    # Up to the chances of patterns that no textbook has: there are more of them.
    assert more("a*x*y") == pytest.approx(math.log(9), abs=0.01) and more("a*x**2") == pytest.approx(0.0, abs=0.01)


def test_where_signs_are_not_known_both_cost_the_same():
    assert cost("a*x", signs=False) == pytest.approx(cost("-a*x", signs=False))


def test_nothing_costs_less_than_nothing():
    assert code_length(Expression.constant(0.0)) > 0
    assert all(cost(text) > 0 for text in ("a", "x", "1", "a*x", "a + b*x", "a + b*x + c*x**2"))
