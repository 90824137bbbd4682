"""Writes rules.toml: three true shape rules for each Feynman problem, proved of its law, and one false one.

    python benchmarks/knowledge/true_rules.py

The domain is the problem's, widened to half and twice its ends where a variable is positive and three rules are proved there.
The false rule is a true one of a slope turned round.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BENCHMARKS / "srbench"))

import suites  # noqa: E402

from hypo.knowledge.claims import PROVED  # noqa: E402
from hypo.knowledge.invariances import Homogeneous, Symmetric  # noqa: E402
from hypo.knowledge.rules import Law, Rule  # noqa: E402
from hypo.knowledge.shapes import Concave, Convex, Monotone, Sign  # noqa: E402

OUT = BENCHMARKS / "knowledge" / "rules.toml"
WANTED = 3
DEGREES = (1.0, -1.0, 2.0, -2.0, 3.0, 0.5, -0.5)
OTHER = {"increasing": "decreasing", "decreasing": "increasing"}


def ranges(p: suites.Problem, wide: bool) -> dict[str, tuple[float, float]]:
    """The domain of the rules."""
    def span(low: float, high: float) -> tuple[float, float]:
        return (low / 2, 2 * high) if wide and low > 0 else (low, high)

    return {name: span(float(low), float(high)) for name, (low, high) in zip(p.names, p.ranges, strict=True)}


def candidates(p: suites.Problem) -> Iterator[list[Rule]]:
    """Kinds of rules in turn, of each one rule is taken before another of its kind is."""
    yield [Monotone(variable=n, direction=d, hard=True) for n in p.names for d in OTHER]
    yield [kind(variable=n, hard=True) for n in p.names for kind in (Convex, Concave)]
    yield [
        *(Symmetric(swap=pair, hard=True) for pair in combinations(p.names, 2)),
        *(Homogeneous(variables=(n,), degree=d, hard=True) for n in p.names for d in DEGREES),
    ]
    yield [Sign(sign=s, hard=True) for s in ("positive", "negative")]


def proved(p: suites.Problem, wide: bool) -> list[list[Rule]]:
    """The candidates that hold for certain, by kind."""
    law = Law(p.law, p.target, p.names, ranges(p, wide))
    return [[r for r in rules if r.check(law, points=256, proof=True).level == PROVED] for rules in candidates(p)]


def chosen(groups: list[list[Rule]]) -> list[Rule]:
    """One rule of each kind, then a second, and so on."""
    longest = max(len(group) for group in groups)
    return [group[k] for k in range(longest) for group in groups if k < len(group)][:WANTED]


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
    lines = [
        "# Three true shape rules for each Feynman problem of SRBench, proved on `ranges`, and a false one.",
        "# Written by true_rules.py. Problems with fewer than three provable rules, or none about a slope, are left out.",
    ]
    count = 0
    for p in suites.load("srbench"):
        if p.states is not None:
            continue
        wide = True
        groups = proved(p, wide)
        if sum(map(len, groups)) < WANTED:
            wide = False
            groups = proved(p, wide)
        rules = chosen(groups)
        slope = next((r for r in groups[0] if isinstance(r, Monotone)), None)
        if len(rules) < WANTED or slope is None:
            continue
        count += 1
        false = Monotone(variable=slope.variable, direction=OTHER[slope.direction], hard=True)
        spans = ", ".join(f"{n} = [{a:g}, {b:g}]" for n, (a, b) in ranges(p, wide).items())
        lines += ["", "[[problem]]", f'name = "{p.name}"', f"ranges = {{ {spans} }}",
                  "rules = [", *(f"    {table(r)}," for r in rules), "]", f"false = {table(false)}"]
        print(p.name, "; ".join(r.describe(p.target) for r in rules), flush=True)
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{count} problems written to {OUT}")


if __name__ == "__main__":
    main()
