"""How many functions of one variable are there of each complexity? Against a published number.

    python benchmarks/calibration/count.py --nodes 10

Bartlett, Desmond & Ferreira (2023, "Exhaustive symbolic regression") report 134 234 unique functions of one variable up to
complexity 10 (nodes of the tree) for the basis {x, a, inv, +, -, *, /, pow}, every ``a`` a parameter of its own, after
simplification by sympy and relabelling of parameters. Here, by number of nodes n:

- *trees*: all trees; T(n) = T(n-1) + 5 Σ T(i) T(n-1-i), T(1) = 2;
- *simplified*: forms of hypo's simplifier, numbers to fit drawn together, up to the order of commutative operands, of all trees
  of exactly n nodes. They are made from the forms of the smaller trees: a form stands for all trees that simplify to it;
- *values*: those of them that differ at fixed points, whatever the order of their parameters, a power being that of the
  base's absolute value, as there; *undefined*: those that have no finite values there;
- *new*: those whose values no smaller tree has.

- *families* (up to ``--families`` nodes): new ones that cannot be fitted exactly by another new or smaller one with as many
  parameters, or the other way round, at random parameters: what is one family under any change of parameters.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hypo.expression import ops
from hypo.expression.evaluate import Program
from hypo.expression.expr import Constant, Expression
from hypo.expression.simplify import simplify
from hypo.kernels import opcodes as oc
from hypo.scoring.likelihood import Gaussian
from hypo.search.constants import fit
from hypo.search.trees import Tree, formula, key, tree

HERE = Path(__file__).resolve().parent
PUBLISHED = 134_234
INV = ops.BY_NAME["inv"].opcode
BINARY = tuple(ops.BY_NAME[name].opcode for name in ("+", "-", "*", "/", "**"))
COMMUTATIVE = {ops.BY_NAME[name].opcode for name in ("+", "*")}
X = np.array([[0.37, 0.81, 1.23, 1.94, 2.71]])
PARAMETERS = (0.731, 1.377, 2.213, 0.417, 1.871, 3.119)
# Starts of a fit of one family to another, the relative residual that counts as none, and points that it is judged on.
STARTS, MEETS = 12, 1e-7
POINTS = np.linspace(0.3, 3.0, 12)[None, :]


def trees(n: int) -> list[int]:
    """Numbers of trees of 1, …, n nodes."""
    out = [0, 2]
    for k in range(2, n + 1):
        out.append(out[k - 1] + 5 * sum(out[i] * out[k - 1 - i] for i in range(1, k - 1)))
    return out[1:]


def forms(n: int) -> Iterator[dict[str, Tree]]:
    """For 1, …, n nodes the simplified forms by their keys."""
    by_size: list[dict[str, Tree]] = []
    for size in range(1, n + 1):
        found: dict[str, Tree] = {}
        for t in _raw(by_size, size):
            e = simplify(formula(t))
            if all(math.isfinite(c.value) for c in e.constants):
                s = tree(e)
                found.setdefault(key(s)[0], s)
        by_size.append(found)
        yield found


def _raw(by_size: Sequence[dict[str, Tree]], size: int) -> Iterator[Tree]:
    """Trees of ``size`` nodes over the forms of smaller ones; each number to fit has a value of its own."""
    if size == 1:
        yield ((oc.VAR, "x"),)
        yield ((oc.CONST, Constant(PARAMETERS[0], free=True)),)
        return
    for t in by_size[size - 2].values():
        yield (*t, (INV, None))
    for i in range(1, size - 1):
        for a, b in itertools.product(by_size[i - 1].values(), by_size[size - 2 - i].values()):
            for op in BINARY:
                if op not in COMMUTATIVE or 2 * i <= size - 1:
                    yield (*a, *_other_values(b), (op, None))


def _other_values(t: Tree) -> Tree:
    """``t`` with other values of its numbers, so that they are equal to none beside them."""
    return tuple(
        (op, Constant(1.618 * leaf.value, free=True) if isinstance(leaf, Constant) and leaf.free else leaf) for op, leaf in t
    )


def with_absolute_bases(t: Tree) -> Tree:
    """``t`` with |u|**v in the place of u**v."""
    stack: list[Tree] = []
    for node in t:
        n = oc.arity(node[0])
        args = [stack.pop() for _ in range(n)][::-1]
        if node[0] == oc.POW:
            args[0] = (*args[0], (oc.ABS, None))
        stack.append((*itertools.chain.from_iterable(args), node))
    return stack[0]


def signature(e: Expression) -> tuple[float, ...] | None:
    """Values at fixed points with fixed parameters, the least over the orders of parameters; None where undefined."""
    program = Program.of(e, ("x",))
    values, free = e.values, list(e.free)
    best: tuple[float, ...] | None = None
    for order in itertools.permutations(PARAMETERS[: len(free)]):
        values[free] = order
        with np.errstate(all="ignore"):
            f = program.value(X, values)
        if np.all(np.isfinite(f)):
            found = tuple(float(f"{v:.10g}") for v in f)
            best = found if best is None or found < best else best
    return best


def same_family(one: Expression, two: Expression, rng: np.random.Generator) -> bool:
    """Whether ``two`` can be fitted exactly to ``one`` at random parameters."""
    values = one.values
    values[list(one.free)] = rng.uniform(0.3, 3.0, len(one.free))
    with np.errstate(all="ignore"):
        y: NDArray[np.float64] = Program.of(one.with_values(values), ("x",)).value(POINTS)
    if not np.all(np.isfinite(y)) or np.max(np.abs(y)) > 1e8:
        return False
    likelihood = Gaussian(y)
    fitted = fit(two, POINTS, ("x",), likelihood, starts=STARTS, rng=rng, steps=100)
    with np.errstate(all="ignore"):
        rest = Program.of(fitted, ("x",)).value(POINTS) - y
    return bool(np.sqrt(np.mean(rest**2)) < MEETS * np.sqrt(np.mean(y**2)))


def families(new: Sequence[Tree], known: list[Expression]) -> int:
    """Of ``new`` forms how many are no family of ``known`` ones or of each other; they join ``known``."""
    count = 0
    for t in new:
        e = formula(t)
        rivals = [k for k in known if len(k.free) == len(e.free)]
        rng = np.random.default_rng(0)
        if not e.free or not any(same_family(e, k, rng) and same_family(k, e, rng) for k in rivals):
            known.append(e)
            count += 1
    return count


def main() -> None:
    """Count, and write results/count.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--families", type=int, default=5)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    lines = ["| nodes | trees | simplified | values | undefined | new | families |", "|---|---|---|---|---|---|---|"]
    seen: set[tuple[float, ...]] = set()
    known: list[Expression] = []
    rows = []
    begin = time.monotonic()
    for n, (count, found) in enumerate(zip(trees(options.nodes), forms(options.nodes), strict=True), 1):
        signed = [(signature(formula(with_absolute_bases(t))), t) for t in found.values()]
        values = {v: t for v, t in signed if v is not None}
        undefined = sum(v is None for v, _ in signed)
        new = [t for v, t in values.items() if v not in seen]
        seen |= set(values)
        own = families(new, known) if n <= options.families else None
        rows.append({"nodes": n, "trees": count, "simplified": len(found), "values": len(values), "undefined": undefined,
                     "new": len(new), "families": own})
        shown = "" if own is None else own
        lines.append(f"| {n} | {count} | {len(found)} | {len(values)} | {undefined} | {len(new)} | {shown} |")
        print(lines[-1], f"{time.monotonic() - begin:.0f} s", flush=True)
        (options.results / "count.json").write_text(json.dumps(rows, indent=1))
    sums = [sum(r[name] for r in rows) for name in ("trees", "simplified", "values", "undefined", "new")]
    lines.append(f"| all | {sums[0]} | {sums[1]} | {sums[2]} | {sums[3]} | {sums[4]} | |")
    (options.results / "count.md").write_text("\n".join(lines) + f"\n\nPublished up to 10 nodes: {PUBLISHED}.\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
