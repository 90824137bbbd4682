"""How many functions of one variable are there of each complexity? Against a published count, level by level.

    python benchmarks/calibration/count.py --nodes 10

Bartlett, Desmond & Ferreira (2023, "Exhaustive symbolic regression", ESR) report 134 234 unique functions of one variable up
to complexity 10 (nodes of the tree) for the basis {x, a, inv, +, -, *, /, pow}, every ``a`` a parameter of its own. Theirs is
the sum over levels, a function counting again at each level that reaches it; so are the columns here, but for *new*. By nodes:

- *trees*: all trees; T(n) = T(n-1) + 5 Σ T(i) T(n-1-i), T(1) = 2. *ESR trees*: theirs; they add to these the trees in which
  equal terms of a sum are drawn together (x + x as 2*x), each known to be the function of the tree it was made from;
- *simplified*: forms of hypo's simplifier, numbers to fit drawn together, up to the order of commutative operands, of all trees
  of n nodes. They are made from the forms of the smaller trees: a form stands for all trees that simplify to it;
- *no value*: those of them without finite values at the points here, whatever the signs of the parameters;
- *families*: the others, where forms count once that agree at the points, all x > 0, up to the order of their parameters, their
  signs and their inverses (a to -a, 1/a), a power being that of the base's absolute value, as in ESR;
- *new*: families that no smaller tree has;
- *ESR*: the published number; *difference*: that less *families*.

The difference is the sum of these classes. They were counted by rebuilding ESR's rules from its code, applying them to all
trees of a level (up to the last one in RUN) and comparing each function of ESR's with the families here, in this order:

- *no value there*: zoo, nan, oo and powers of them, each spelling a function, and towers of powers that overflow at the points;
- *put back*: spellings with |1/a|. ESR takes it for |a| at first; its closing check, where it cannot prove so, counts each
  spelling as a function. With sympy 1.9 to 1.14 it can, here; 131, 335 and 1787 come out where texts are compared instead;
- *spelled*: one function in two spellings, as x*(x + 1) and x**2 + x: sympy's automatic rules do not bring them together, and
  ESR expands only what has a parameter, and keeps the result only if a rule for parameters applies;
- *absolute*: functions apart only by |a| in the place of a, which stands for a power of parameters: x + a and x + a**b;
- *sign*: apart by a sign of a parameter: a*(b + x) and a*(b - x). ESR changes one sign at a time, and compares a text in which
  powers are written in another way than in its list;
- *inverse*: apart by an inverse of a parameter, as a*b**x and a/b**x;
- *apart*: families only ESR has, as hypo draws the parameter together with what stands beside it: a*x + x, x*x**a, (a*x)**b;
- *together*: families only hypo has (subtracted): mostly powers of powers, as (x**2)**a, which is x**a to ESR, for x > 0;
- *rest*: what no class explains; beyond the levels of RUN, where the classes have not been counted, all of the difference. At
  3 nodes it is -1: the paper's files of that level seem to be an earlier version's (no trees added); the code finds 14. At 8 it
  is -23: the rules as rebuilt give 5478 functions there, 20 too many.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hypo.expression import operators as ops
from hypo.expression.algebra.simplify import simplify
from hypo.expression.edits.tree_moves import Tree, formula, key, tree
from hypo.expression.expr import Constant
from hypo.expression.program import Program
from hypo.kernels import opcodes as oc

HERE = Path(__file__).resolve().parent
# Trees and unique functions at each level: output under Figure 2 in examples/Paper1_Plots.ipynb of the ESR repository.
PUBLISHED = {
    1: (2, 2), 2: (2, 2), 3: (22, 13), 4: (64, 24), 5: (598, 131), 6: (2_406, 335), 7: (19_860, 1_787), 8: (99_406, 5_458),
    9: (763_765, 28_464), 10: (4_339_761, 98_018),
}  # fmt: skip
CLASSES = ("no value there", "put back", "spelled", "absolute", "sign", "inverse", "apart", "together")
WEIGHTS = np.array([1, 1, 1, 1, 1, 1, 1, -1])
# Measured by applying ESR's rules to all trees of a level: numbers of CLASSES.
RUN = {
    1: (0, 0, 0, 0, 0, 0, 0, 0), 2: (0, 0, 0, 0, 0, 0, 0, 0), 3: (0, 0, 0, 1, 0, 0, 0, 0), 4: (1, 0, 0, 1, 0, 0, 0, 0),
    5: (2, 2, 0, 7, 5, 4, 7, 1), 6: (4, 6, 2, 11, 22, 20, 14, 1), 7: (8, 61, 85, 112, 180, 122, 89, 26),
    8: (38, 216, 344, 278, 662, 516, 201, 49),
}  # fmt: skip
INV = ops.BY_NAME["inv"].opcode
BINARY = tuple(ops.BY_NAME[name].opcode for name in ("+", "-", "*", "/", "**"))
COMMUTATIVE = {ops.BY_NAME[name].opcode for name in ("+", "*")}
POINTS = np.array([0.37, 0.81, 1.23, 1.94, 2.71])
PARAMETERS = (0.731, 1.377, 2.213, 0.417, 1.871, 3.119)
# Values are compared to this many bits.
BITS = 31


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
        (op, Constant(1.618 * leaf.value, free=True) if isinstance(leaf, Constant) and leaf.free else leaf)
        for op, leaf in t
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


@cache
def orbit(k: int) -> NDArray[np.float64]:
    """Columns x and k parameters, ``(1 + k, n_image n_point)``: the points for each order, signs and inverses of parameters."""
    images = [
        [s * p**e for s, p, e in zip(signs, order, exponents, strict=True)]
        for order in itertools.permutations(PARAMETERS[:k])
        for signs in itertools.product((1, -1), repeat=k)
        for exponents in itertools.product((1, -1), repeat=k)
    ]
    parameters = np.repeat(np.array(images).reshape(len(images), k), len(POINTS), axis=0)
    return np.ascontiguousarray(np.column_stack([np.tile(POINTS, len(images)), parameters]).T)


def family(t: Tree) -> bytes | None:
    """The greatest of the values at the points over an orbit of the parameters, as bytes; None where none is finite."""
    count = itertools.count()
    named = tuple(
        (oc.VAR, f"a{next(count)}") if isinstance(leaf, Constant) and leaf.free else (op, leaf)
        for op, leaf in with_absolute_bases(t)
    )
    k = next(count)
    with np.errstate(all="ignore"):
        f = Program.of(formula(named), ("x", *(f"a{i}" for i in range(k)))).value(orbit(k)).reshape(-1, len(POINTS))
    f = f[np.all(np.isfinite(f), axis=1)]
    if not len(f):
        return None
    mantissa, exponent = np.frexp(f)
    f = np.ldexp(np.round(np.ldexp(mantissa, BITS)), exponent - BITS) + 0.0
    return f[np.lexsort(f.T[::-1])[-1]].tobytes()


def row(n: int, count: int, found: dict[str, Tree], seen: set[bytes]) -> dict[str, int | None]:
    """One level's numbers by column; its families join ``seen``."""
    keys = [family(t) for t in found.values()]
    families = {v for v in keys if v is not None}
    new = len(families - seen)
    seen |= families
    esr_trees, esr = PUBLISHED.get(n, (None, None))
    difference = None if esr is None else esr - len(families)
    classes = RUN.get(n)
    rest = difference if classes is None or difference is None else difference - int(WEIGHTS @ classes)
    return {
        "nodes": n, "trees": count, "ESR trees": esr_trees, "simplified": len(found),
        "no value": sum(v is None for v in keys), "families": len(families), "new": new, "ESR": esr, "difference": difference,
        **dict(zip(CLASSES, classes or [None] * len(CLASSES), strict=True)), "rest": rest,
    }  # fmt: skip


def table(rows: Sequence[dict[str, int | None]], names: Sequence[str]) -> str:
    """Columns ``names`` of ``rows`` and their sums in Markdown."""
    sums: dict[str, object] = {name: sum(r[name] or 0 for r in rows) for name in names} | {"nodes": "all"}
    lines = [names, ["---"] * len(names), *([r[name] for name in names] for r in rows), [sums[name] for name in names]]
    return "\n".join("| " + " | ".join("" if c is None else str(c) for c in cells) + " |" for cells in lines)


def main() -> None:
    """Count, and write results/count.json and .md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    seen: set[bytes] = set()
    rows: list[dict[str, int | None]] = []
    begin = time.monotonic()
    for n, (count, found) in enumerate(zip(trees(options.nodes), forms(options.nodes), strict=True), 1):
        rows.append(row(n, count, found, seen))
        print(f"{n} nodes: {rows[-1]['families']} families, {time.monotonic() - begin:.0f} s", flush=True)
        (options.results / "count.json").write_text(json.dumps(rows, indent=1))
    split = list(rows[0]).index("difference")
    counts, classes = list(rows[0])[: split + 1], ["nodes", *list(rows[0])[split:]]
    text = f"{table(rows, counts)}\n\n{table(rows, classes)}\n"
    (options.results / "count.md").write_text(text)
    print(f"\n{text}", end="")


if __name__ == "__main__":
    main()
