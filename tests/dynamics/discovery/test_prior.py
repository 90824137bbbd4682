"""The prior for rate laws: its table is what textbooks have, spellings cost the same, what is rarer costs more."""

import math
import tomllib
from collections import Counter
from importlib.resources import files

import pytest

from hypo.dynamics.discovery import prior
from hypo.dynamics.discovery.prior import code_length, system_code_length, system_structure
from hypo.dynamics.discovery.sums import as_sum
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.kernels import opcodes as oc
from tests.dynamics.calibration.systems import law

NUMBERS = {"a": 1.7, "b": 0.6, "c": 2.3, "k": 0.75}
STATES = ("w", "x", "y", "z")


def cost(text, **settings):
    return code_length(law(text, NUMBERS), **settings)


@pytest.fixture(scope="module")
def sums():
    laws = tomllib.loads((files("hypo.dynamics.discovery") / "textbook.toml").read_text())["laws"]
    out = []
    for _, *equations in laws:
        for text in equations:
            e = parse(text)
            numbers = {
                v: Expression.constant(1.1 + 0.1 * i, free=True) for i, v in enumerate(e.variables) if v not in STATES
            }
            out.append(as_sum(e.substitute(numbers)))
    return out


def degree(factor):
    whole = factor.name and not factor.power.is_free and factor.power.value > 0
    return int(factor.power.value) if whole and factor.power.value == round(factor.power.value) else 1


def is_close(nats, count, total):
    """Shares counted and those of the table differ by their counting error (three of it) and rounding."""
    return abs(nats + math.log(count / total)) < 3 / math.sqrt(count) + 0.3


def test_numbers_of_terms_are_those_of_textbooks(sums):
    found = Counter(len(s.terms) for s in sums)
    assert len(sums) == 132 and found == {1: 29, 2: 68, 3: 32, 4: 3}
    assert all(is_close(prior.TERMS[n - 1], count, len(sums)) for n, count in found.items())


def test_numbers_of_factors_are_those_of_textbooks(sums):
    found = Counter(min(sum(degree(f) for f in t.factors), 4) for s in sums for t in s.terms)
    assert found == {0: 38, 1: 170, 2: 52, 3: 9, 4: 4}
    assert all(is_close(prior.FACTORS[n], count, 273) for n, count in found.items())


def test_kinds_of_factors_are_those_of_textbooks(sums):
    found = Counter()
    for s in sums:
        for t in s.terms:
            for f in t.factors:
                is_variable = bool(f.name) and degree(f) == f.power.value
                kind = "variable" if is_variable else f.opcode or (f.power.form if f.name else "sum")
                found[kind] += degree(f)
    assert sum(found.values()) == 317
    table = {"variable": prior.VARIABLE, "sum": prior.DIVISOR, oc.EXP: prior.KINDS[oc.EXP], "0.5": prior.POWERS[0.5]}
    assert all(is_close(nats, found[kind], 317) for kind, nats in table.items())


def test_benchmarks_have_none_of_these_laws(sums):
    forms = {s.form for s in sums}
    assert not forms & {"sin(x)", "x*y + x^2*y"}


@pytest.mark.parametrize(
    "one, other",
    [
        ("a*x*(1 - x/b)", "a*x - b*x**2"),
        ("a*(x - b)", "a*x - b"),
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
    ],
)
def test_what_is_rarer_costs_more(cheap, dear):
    assert cost(cheap, n_column=2) < cost(dear, n_column=2)


def test_a_constant_costs_half_the_log_of_the_rows():
    more = cost("a*x", rows=400) - cost("a*x", rows=100)
    assert more == pytest.approx(0.5 * math.log(4))


def test_a_term_of_several_equations_is_spelled_once():
    one, other = law("-a*x*y/(b + x)", NUMBERS), law("a*x*y/(b + x) - c*y", NUMBERS)
    together = system_code_length([one, other], 2)
    assert together < code_length(one, 2) + code_length(other, 2) - 3
    assert system_structure([one, other], 2)[1] == 5


def test_more_columns_make_each_variable_dearer():
    assert cost("a*x*y", n_column=10) - cost("a*x*y", n_column=2) == pytest.approx(2 * math.log(5))


def test_nothing_costs_less_than_nothing():
    assert code_length(Expression.constant(0.0)) > 0
    assert all(cost(text) > 0 for text in ("a", "x", "1", "a*x", "a + b*x", "a + b*x + c*x**2"))
