"""The textbooks that the prior is counted from: none stands in a benchmark, each stands once; counts against hand counts."""

import math
import tomllib
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from hypo.dynamics.discovery.prior.grammar import Choice
from hypo.dynamics.discovery.prior.textbook import SMOOTHING, STATES, Counts, counts, entries
from hypo.dynamics.discovery.sums import as_sum
from hypo.expression.expr import Expression
from hypo.expression.parser import parse

BENCHMARKS = Path(__file__).resolve().parents[4] / "benchmarks"


def forms(equations):
    return tuple(as_sum(e).form for e in equations)


def benchmark_forms():
    """Forms of the benchmarks' systems under all orders of states, with all numbers but whole ones fitted."""
    systems = [
        (s["variables"], s["rates"]) for s in tomllib.loads((BENCHMARKS / "odes/problems.toml").read_text())["system"]
    ]
    for states, rates in systems:
        laws = [parse(text, variables=states) for text in rates]
        laws = [
            replace(e, constants=tuple(replace(c, free=not c.value.is_integer()) for c in e.constants)) for e in laws
        ]
        for order in permutations(range(len(states))):
            names = {old: Expression.variable(STATES[new]) for old, new in zip(states, order, strict=True)}
            renamed = forms([e.substitute(names) for e in laws])
            yield tuple(renamed[order.index(k)] for k in range(len(states)))


def test_there_are_many_systems_of_many_fields():
    found = entries()
    assert len(found) >= 180 and sum(len(e.equations) for e in found) >= 380
    assert len({e.field for e in found}) >= 12


def test_no_benchmark_has_one_of_them():
    assert not {forms(e.equations) for e in entries()} & set(benchmark_forms())


def test_each_stands_once():
    names = [e.name for e in entries()]
    spelled = [(forms(e.equations), *((c.context, c.symbol) for c in e.spelled(True))) for e in entries()]
    assert len(set(names)) == len(names) and len(set(spelled)) == len(spelled)


def test_counts_are_shares_drawn_towards_the_base_chance():
    spelled = [Choice("c", "a")] * 3 + [Choice("c", "b")] + [Choice("other", "a")] * 5
    nats = Counts(spelled).nats(Choice("c", "a", 0.25, 0.5))
    assert nats == pytest.approx(0.5 - math.log((3 + SMOOTHING * 0.25) / (4 + SMOOTHING)))


def test_what_was_never_met_has_its_base_chance():
    assert counts(True).nats(Choice("nowhere", "x", 0.1)) == pytest.approx(-math.log(0.1))


@pytest.mark.parametrize("distribute", [True, False])
def test_chances_of_one_context_do_not_exceed_one(distribute):
    """Summed over all symbols met; base chances of these do not exceed one either."""
    met = {}
    for entry in entries():
        for c in entry.spelled(distribute):
            if len(entry.equations) == 2:
                met.setdefault(c.context, {})[c.symbol] = c
    for choices in met.values():
        total = sum(math.exp(-counts(distribute).nats(replace(c, nats=0.0))) for c in choices.values())
        assert total <= 1.0 + 1e-9
