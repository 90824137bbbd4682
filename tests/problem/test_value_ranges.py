"""Pruning by stated ranges: what is not enumerated has no value somewhere there, and nothing else is lost."""

from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest

import hypo
from hypo.expression import operators as ops
from hypo.expression.analysis.intervals import enclose
from hypo.expression.expr import Expression
from hypo.expression.program import evaluate
from hypo.knowledge import Knowledge
from hypo.knowledge.rules.shape import Bounds
from hypo.problem.value_ranges import ValueRanges
from hypo.search.library.library import Library, Seed

pytestmark = pytest.mark.usefixtures("short_chains")

NAMES = ("x", "y")
ROWS = np.random.default_rng(0).uniform(0.1, 1.0, (2, 40))
OPERATORS = ("+", "-", "*", "/", "sqrt", "log", "inv", "asin")
SIZE = 5
RULE = Bounds(min=0.0, hard=True)


def library(value_ranges: ValueRanges | None) -> Library:
    seeds = [Seed(Expression.variable(n), 1, v) for n, v in zip(NAMES, ROWS, strict=True)]
    seeds.append(Seed(Expression.constant(1.0), 1, np.ones(ROWS.shape[1])))
    out = Library(seeds, OPERATORS, NAMES, value_ranges=value_ranges)
    out.grow(10**5, max_cost=SIZE)
    return out


def undefined(e: Expression, ranges: Mapping[str, tuple[float, float]]) -> bool:
    """Whether some part has no value at a point of a dense grid, or divides by what has both signs there."""
    grid = np.array(list(product(*(np.linspace(*ranges.get(n, (0.1, 1.0)), 61) for n in NAMES))))
    for part in e.walk():
        if len(part) == 1:
            continue
        with np.errstate(all="ignore"):
            values = evaluate(part, grid, NAMES)
            if not np.all(np.isfinite(values)):
                return True
            if ops.BY_OPCODE[part.root].name in ("/", "inv"):
                below = evaluate(part.children[-1], grid, NAMES)
                if below.min() < 0 < below.max():
                    return True
    return False


RANGES = [
    {"x": (-1.0, 2.0), "y": (0.1, 1.0)},
    {"x": (-1.3, 0.7), "y": (-0.2, 3.0)},
    {"x": (0.1, 4.0)},
    {"y": (-2.0, 1.0)},
]


@pytest.mark.parametrize("ranges", RANGES)
def test_nothing_is_lost_but_what_has_no_value(ranges: dict[str, tuple[float, float]]) -> None:
    """Against the library without pruning: every member of it that is missing has a part without a value, and every formula
    that a member stood for is there if one of its spellings has a value all over the ranges."""
    value_ranges = ValueRanges.of(NAMES, ranges, [RULE], {})
    assert value_ranges is not None
    whole, pruned = library(None), library(value_ranges)
    assert pruned.complete_to == whole.complete_to == SIZE
    kept = pruned.values[: pruned.count]
    lost = 0
    for k in range(whole.count):
        same = np.all(np.abs(kept - whole.values[k]) <= 1e-9 * np.abs(whole.values[k]), axis=1)
        if not same.any():
            lost += 1
            assert undefined(whole.expression(k), ranges), whole.expression(k)
    assert lost > 50
    assert value_ranges.pruned[0] > 20
    # What intervals show to be defined, and what is, may come back with another formula; new ones are not invented.
    for k in range(pruned.count):
        assert np.any(np.all(np.abs(whole.values[: whole.count] - kept[k]) <= 1e-9 * np.abs(kept[k]), axis=1))


@pytest.mark.parametrize("ranges", RANGES[:2])
def test_what_intervals_prove_defined_is_never_pruned(ranges: dict[str, tuple[float, float]]) -> None:
    value_ranges = ValueRanges.of(NAMES, ranges, [RULE], {})
    kept = library(value_ranges)
    rows = kept.values[: kept.count]
    proved = 0
    whole = library(None)
    for k in range(whole.count):
        e = whole.expression(k)
        if bool(np.all(enclose(e, ranges).defined)):
            proved += 1
            assert np.any(np.all(np.abs(rows - whole.values[k]) <= 1e-9 * np.abs(whole.values[k]), axis=1)), e
    assert proved > 20


def test_ranges_without_hard_rules_prune_nothing() -> None:
    assert ValueRanges.of(NAMES, {"x": (-1.0, 1.0)}, [Bounds(min=0.0)], {}) is None
    assert ValueRanges.of(NAMES, {}, [RULE], {}) is None
    assert ValueRanges.of(NAMES, {}, [Bounds(min=0.0, hard=True, where={"x": (-1.0, 1.0)})], {}) is not None


def test_rounding_is_no_negative_value() -> None:
    """(x - y)² spelled out is rounding on the diagonal, of either sign: its root stays."""
    value_ranges = ValueRanges.of(NAMES, {"x": (-1.0, 1.0), "y": (-1.0, 1.0)}, [RULE], {})
    assert value_ranges is not None
    x, y = value_ranges.domains[0]
    spelled = (x * x - 2 * x * y + y * y)[None] / 8
    assert value_ranges.flaws([spelled - 1e-16]) == [0]
    assert value_ranges.flaws([spelled - 0.5]) != [0]


def test_a_root_of_what_is_negative_somewhere_is_no_answer_and_is_counted() -> None:
    """y = sqrt(x) on positive rows; but the law has a value for negative x too."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 2.0, (200, 1))
    known = {"ranges": {"x": [-1.0, 2.0]}, "rule": [{"kind": "bounds", "min": -10.0, "max": 10.0, "hard": True}]}
    result = hypo.fit(x, np.sqrt(x[:, 0]), features=["x"], knowledge=Knowledge.from_dict(known), turns=4)
    assert result.rules[0].pruned > 0
    assert "were not enumerated" in str(result)
    assert result.expression is not None
    values = evaluate(result.expression, np.linspace(-1, 2, 50)[:, None], ("x",))
    assert np.all(np.isfinite(values))
