"""The prior for rate laws, judged by fields that it has not seen: nats per equation, and what parts of the grammar are worth.

    python benchmarks/dynamics/fields.py

Counts of all fields of ``hypo/dynamics/discovery/prior/textbook.toml`` but one spell the systems of that one; in turn for each.
A part of the grammar is judged by the loss where it is not learned: its choices then have their base chances.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from hypo.dynamics.discovery.prior.grammar import Choice
from hypo.dynamics.discovery.prior.textbook import SMOOTHING, Counts, Entry, entries

# α that are compared.
SMOOTHINGS = (1.0, 2.0, 4.0, 8.0, 16.0)
# α with which nothing is learned.
NOTHING = 1e9
# Parts of the grammar by the contexts that begin so.
PARTS = {
    "numbers of terms": ("terms", "later terms", "own line", "constant"),
    "patterns of powers": ("term", "beside", "in ", "within"),
    "kinds of special factors": ("kind", "special", "above", "whose", "factor again"),
    "fitted and exact numbers": ("number",),
    "signs": ("sign ", "opposite"),
    "terms and numbers shared between equations": ("again", "equal", "opposite"),
    "equations with states exchanged": ("exchanged",),
    "rates that are states": ("kinematic",),
}


def nats(
    spelled: dict[str, list[Choice]], book: tuple[Entry, ...], cost: Callable[[Counts, Choice], float]
) -> dict[str, float]:
    """Nats per equation of each field, by counts of the others."""
    out = {}
    for field in dict.fromkeys(e.field for e in book):
        counts = Counts(c for e in book if e.field != field for c in spelled[e.name])
        own = [e for e in book if e.field == field]
        out[field] = sum(cost(counts, c) for e in own for c in spelled[e.name]) / sum(len(e.equations) for e in own)
    return out


def main(argv: list[str] | None = None) -> None:
    """Print tables: by field, by α, by part."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args(argv)
    book = entries()
    number = {e.field: 0 for e in book}
    for e in book:
        number[e.field] += len(e.equations)
    total = sum(number.values())
    spelled = {e.name: list(e.spelled(distribute=True)) for e in book}

    def mean(cost: Callable[[Counts, Choice], float]) -> float:
        return sum(n * number[field] for field, n in nats(spelled, book, cost).items()) / total

    found = nats(spelled, book, lambda counts, c: counts.nats(c))
    base = nats(spelled, book, lambda counts, c: counts.nats(c, NOTHING))
    print("| field | equations | counted in the others | base chances |\n|---|---|---|---|")
    for field, n in number.items():
        print(f"| {field} | {n} | {found[field]:.2f} | {base[field]:.2f} |")
    whole = mean(lambda counts, c: counts.nats(c))
    print(f"| all | {total} | {whole:.2f} | {mean(lambda counts, c: counts.nats(c, NOTHING)):.2f} |")
    print("\n| α | nats per equation |\n|---|---|")
    for smoothing in SMOOTHINGS:
        print(f"| {smoothing:g} | {mean(lambda counts, c, a=smoothing: counts.nats(c, a)):.3f} |")
    print("\n| not learned | nats per equation more |\n|---|---|")
    for part, begins in PARTS.items():
        without = mean(lambda counts, c, b=begins: counts.nats(c, NOTHING if c.context.startswith(b) else SMOOTHING))
        print(f"| {part} | {without - whole:.2f} |")


if __name__ == "__main__":
    main()
