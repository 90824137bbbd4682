"""Writes rules.toml: three true rules for each Feynman problem, which hold for its law, and one false one.

    python benchmarks/knowledge/true_rules.py

Kinds of rules are gone through in a fixed order, those that say most of a law first: homogeneity (how f scales with one
variable, else with two), a limit (as a variable goes to 0 or infinity), symmetry under a swap, slope, curvature, sign. Of each
kind the first that holds is taken, variables in the table's order, then a second of each, until there are three; but nothing
about a variable alone in which f was found homogeneous, for that follows. What is taken is proved; an identity (homogeneity,
symmetry) may instead hold at 2048 points to 1e-6. No answer of a search is looked at.

The domain is the problem's, widened to half and twice its ends where a variable is positive and three rules hold there.
The false rule is a true one of a slope turned round.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BENCHMARKS / "srbench"))

import suites  # noqa: E402

from hypo.knowledge.claims.claim import PROVED  # noqa: E402
from hypo.knowledge.claims.law import Law  # noqa: E402
from hypo.knowledge.rules.asymptotics import Limit  # noqa: E402
from hypo.knowledge.rules.base import Rule  # noqa: E402
from hypo.knowledge.rules.invariance import Homogeneous, Symmetric  # noqa: E402
from hypo.knowledge.rules.shape import Concave, Convex, Monotone, Sign  # noqa: E402

OUT = BENCHMARKS / "knowledge" / "rules.toml"
WANTED = 3
DEGREES = (1.0, -1.0, 2.0, -2.0, 3.0, 0.5, -0.5)
OTHER = {"increasing": "decreasing", "decreasing": "increasing"}


def ranges(p: suites.Problem, wide: bool) -> dict[str, tuple[float, float]]:
    """The domain of the rules."""

    def span(low: float, high: float) -> tuple[float, float]:
        return (low / 2, 2 * high) if wide and low > 0 else (low, high)

    return {name: span(float(low), float(high)) for name, (low, high) in zip(p.names, p.ranges, strict=True)}


def candidates(p: suites.Problem) -> list[Iterator[Rule]]:
    """The kinds of rules in the order in which they are taken."""
    singles: list[tuple[str, ...]] = [(n,) for n in p.names]
    pairs = list(combinations(p.names, 2))
    return [
        (Homogeneous(variables=v, degree=d, hard=True) for v in singles + pairs for d in DEGREES),
        (
            Limit(variable=n, to=to, side=side, equals=0.0, hard=True)
            for n in p.names
            for to, side in ((math.inf, None), (0.0, "above"))
        ),
        (Symmetric(swap=pair, hard=True) for pair in pairs),
        (Monotone(variable=n, direction=d, hard=True) for n in p.names for d in OTHER),
        (kind(variable=n, hard=True) for n in p.names for kind in (Convex, Concave)),
        (Sign(sign=s, hard=True) for s in ("positive", "negative")),
    ]


def chosen(p: suites.Problem, wide: bool) -> list[Rule]:
    """One rule of each kind that holds, then a second, and so on."""
    law = Law(p.law, p.target, p.names, ranges(p, wide))

    def holds(rule: Rule) -> bool:
        if not p.law.variables:
            return False
        quick = rule.check(law, points=256)
        if quick.amount > 0:
            return False
        if isinstance(rule, Homogeneous | Symmetric):
            return rule.check(law, points=2048).amount == 0
        return rule.check(law, points=256, proof=True).level == PROVED

    groups = [iter(group) for group in candidates(p)]
    out: list[Rule] = []
    while groups and len(out) < WANTED:
        for group in list(groups):
            rule = next((r for r in group if not follows(r, out) and holds(r)), None)
            if rule is None:
                groups.remove(group)
            elif len(out) < WANTED:
                out.append(rule)
    return out


def follows(rule: Rule, taken: list[Rule]) -> bool:
    """True if a rule about one variable says no more than that f is a power of it."""
    powers = {r.variables[0] for r in taken if isinstance(r, Homogeneous) and len(r.variables) == 1}
    return isinstance(rule, Limit | Monotone | Convex | Concave) and rule.variable in powers


def slope_of(p: suites.Problem, wide: bool) -> Monotone | None:
    """The first slope that is proved."""
    law = Law(p.law, p.target, p.names, ranges(p, wide))
    every = (Monotone(variable=n, direction=d, hard=True) for n in p.names for d in OTHER)
    return next((r for r in every if r.check(law, points=256, proof=True).level == PROVED), None)


def table(rule: Rule) -> str:
    """The rule as an inline table."""

    def value(v: object) -> str:
        if isinstance(v, bool):
            return "true" if v else "false"
        if isinstance(v, list | tuple):
            return "[" + ", ".join(map(value, v)) + "]"
        return f'"{v}"' if isinstance(v, str) else repr(v)

    return "{ " + ", ".join(f"{k} = {value(v)}" for k, v in rule.as_dict().items()) + " }"


def main() -> None:
    """Prove, choose, write."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    lines = [
        "# Three true rules for each Feynman problem of SRBench, which hold on `ranges`, and a false one.",
        "# Written by true_rules.py. Problems with fewer than three such rules, or none about a slope, are left out.",
    ]
    count = 0
    for p in suites.load("srbench"):
        if p.states is not None:
            continue
        wide = True
        rules = chosen(p, wide)
        if len(rules) < WANTED:
            wide = False
            rules = chosen(p, wide)
        slope = slope_of(p, wide)
        if len(rules) < WANTED or slope is None:
            continue
        count += 1
        false = Monotone(variable=slope.variable, direction=OTHER[slope.direction], hard=True)
        spans = ", ".join(f"{n} = [{a:g}, {b:g}]" for n, (a, b) in ranges(p, wide).items())
        lines += [
            "",
            "[[problem]]",
            f'name = "{p.name}"',
            f"ranges = {{ {spans} }}",
            "rules = [",
            *(f"    {table(r)}," for r in rules),
            "]",
            f"false = {table(false)}",
        ]
        print(p.name, "; ".join(r.describe(p.target) for r in rules), flush=True)
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{count} problems written to {OUT}")


if __name__ == "__main__":
    main()
