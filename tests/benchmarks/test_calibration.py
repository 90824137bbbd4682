"""The calibration benchmark: laws from the prior, references of evidence, counts of functions. No search runs here."""

import importlib
import math
import sys
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from hypo.expression.algebra.simplify import simplify
from hypo.expression.edits.tree_moves import TreeGrammar, TreeLibrary, key, tree
from hypo.expression.parser import parse
from hypo.scoring.code_length import integer_cost
from tests.oracles.places import BENCHMARKS

FOLDER = BENCHMARKS / "calibration"
MODULES = ("laws", "evidence", "count", "run")


@pytest.fixture(scope="module")
def bench() -> Iterator[SimpleNamespace]:
    """The scripts as modules; sys.path and sys.modules are put back afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(FOLDER), *sys.path])
        for name in MODULES:
            patch.delitem(sys.modules, name, raising=False)
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
        for name in MODULES:
            sys.modules.pop(name, None)


def test_trees_are_as_likely_as_their_code_says(bench) -> None:
    """S^-nodes, and the code of a whole number: shares of 8000 draws within 4 standard errors."""
    rng = np.random.default_rng(0)
    n, symbols = 8000, len(bench.laws.OPERATORS) + 2
    drawn = Counter(str(e) for e in (bench.laws.grown(rng, ("x",), 12) for _ in range(n)) if e is not None)
    numbers = 1.0 + sum(math.exp(-integer_cost(k)) for k in range(-5, 6))
    expected = {"x": symbols**-1, "sin(x)": symbols**-2, "x + x": symbols**-3, "exp(sin(x))": symbols**-3}
    expected["3"] = math.exp(-integer_cost(3)) / numbers / symbols
    for text, p in expected.items():
        assert abs(drawn[text] - n * p) < 4.0 * math.sqrt(n * p)


@pytest.mark.slow
def test_laws_of_the_prior_are_in_the_event(bench) -> None:
    for number in range(12):
        case = bench.laws.prior_case(number)
        assert bench.laws.in_event(case.law, case.columns)
        assert simplify(case.law).masked() == case.law.masked()
        assert case.X.shape == (len(case.columns), bench.laws.ROWS[number % 3]) and np.all(np.isfinite(case.y))
        again = bench.laws.prior_case(number)
        assert str(again.law) == str(case.law) and np.array_equal(again.y, case.y)


def test_a_case_is_right_by_its_function(bench) -> None:
    case = next(c for c in map(bench.laws.prior_case, range(40)) if str(c.law) == "x*exp(z)")
    assert bench.run.is_same(parse("x*exp(z)", variables=["x", "z"]), case)
    assert bench.run.is_same(parse("x/exp(-z)", variables=["x", "z"]), case)
    for text in ("x*exp(z) + 0.01", "1.5*x*exp(z)", "x*z"):
        assert not bench.run.is_same(parse(text, variables=["x", "z"]), case)


def test_bins_of_weights(bench) -> None:
    cases = ((0.95, True, 0.0), (1.0, False, 2.0), (0.85, False, -3.0), (0.1, True, 0.0))
    rows = [{"weight": w, "right": r, "behind": b} for w, r, b in cases]
    lines = list(bench.run.weights(rows))
    assert lines[2].startswith("| 0.0 to 0.2 | 1 | 0.10 | 1.00")
    assert lines[3].startswith("| 0.8 to 1.0 | 3 | 0.93 | 0.33") and lines[3].endswith("| 1 | 1 |")


@pytest.mark.parametrize(("number", "tolerance"), [(0, 0.02), (10, 0.03), (11, 0.3)])
def test_references_of_evidence_agree(bench, number: int, tolerance: float) -> None:
    """Cubature and importance sampling are two ways to one number where there is one minimum, and Laplace is near."""
    p = bench.evidence.posed(number, *bench.evidence.rows(number, 40, 0.1))
    log_z, error = bench.evidence.everywhere(p, 20_000)
    mode, _ = bench.evidence.mode(p)
    assert error < 0.03 and abs(log_z - mode) < 4.0 * error + 0.01
    assert abs(p.shape.log_evidence - mode) < tolerance


def test_reference_of_evidence_on_a_grid(bench) -> None:
    """One constant: a plain sum over a fine grid."""
    p = bench.evidence.posed(4, *bench.evidence.rows(4, 20, 0.1))
    at = p.shape.theta[0] + np.linspace(-12, 12, 20_001) * p.shape.std[0]
    joint = bench.evidence.log_joint(p, at[:, None])
    top = joint.max()
    grid = top + math.log(np.trapezoid(np.exp(joint - top), at))
    found, error = bench.evidence.mode(p)
    assert found == pytest.approx(grid, abs=1e-3) and error <= 1e-3


def test_counts_of_small_functions(bench) -> None:
    """Against all trees, simplified one by one."""
    own = [sorted(found) for found in bench.count.forms(5)]
    leaves = tuple(t[0] for t in bench.count._raw([], 1))
    g = TreeGrammar((bench.count.INV,), bench.count.BINARY, leaves, 5, TreeLibrary({}), TreeLibrary({}))
    by_size = [[(leaf,) for leaf in g.leaves]]
    for n in range(2, 6):
        new = [(*t, (bench.count.INV, None)) for t in by_size[n - 2]]
        for k in range(1, n - 1):
            pairs = [(a, bench.count._other_values(b)) for a in by_size[k - 1] for b in by_size[n - 2 - k]]
            new += [(*a, *b, (op, None)) for op in g.binary for a, b in pairs]
        by_size.append(new)
    assert [len(trees) for trees in by_size] == bench.count.trees(5)
    for trees, found in zip(by_size, own, strict=True):
        brute = {
            key(tree(e))[0] for e in (simplify(bench.count.formula(t)) for t in trees) if np.all(np.isfinite(e.values))
        }
        assert set(found) <= brute
        assert len(brute) - len(found) <= 0.05 * len(brute)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("x + a", "x - a", True), ("a*x", "x/a", True), ("a*b**x", "b/a**x", True), ("a + x**b", "x**a + b", True),
        ("a/(x + b)", "a/(b - x)", True), ("a + x", "a - x", False), ("a*x", "x + a", False), ("x**a", "a**x", False),
    ],
)  # fmt: skip
def test_families_up_to_order_signs_and_inverses(bench, one: str, two: str, same: bool) -> None:
    e, f = (parse(t, variables=["x"]) for t in (one, two))
    e, f = (x.with_values([0.7 if c.free else c.value for c in x.constants]) for x in (e, f))
    assert (bench.count.family(tree(e)) == bench.count.family(tree(f))) is same


def test_published_counts_are_explained(bench) -> None:
    """Each level's published number is that of the families here and of the classes of differences; by one at 3 nodes."""
    assert sum(n for _, n in bench.count.PUBLISHED.values()) == 134_234
    seen: set[bytes] = set()
    levels = zip(bench.count.trees(6), bench.count.forms(6), strict=True)
    rows = [bench.count.row(n, count, found, seen) for n, (count, found) in enumerate(levels, 1)]
    assert [r["families"] for r in rows] == [2, 2, 13, 22, 105, 257]
    assert [r["rest"] for r in rows] == [0, 0, -1, 0, 0, 0]
    assert sum(r["new"] for r in rows) == len(seen)
