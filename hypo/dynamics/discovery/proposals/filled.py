"""Laws of a known form: its unknown functions filled with short sums of rate-law terms.

All constants, those of the form and those of the sums, are fitted together by whoever ranks the candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.discovery.proposals.terms import FUNCTION, LINEAR, POLYNOMIAL, QUADRATIC, WAVE, make_terms
from hypo.expression.expr import Expression
from hypo.knowledge.template import Template

Values = NDArray[np.float64]

# Terms that pairs are made of, and whole laws at most.
PAIRED = 14
MOST = 400
# Families of terms that fill an unknown function, plainest first.
FAMILIES = (LINEAR, QUADRATIC, POLYNOMIAL, WAVE, FUNCTION)


def fill_template(
    template: Template, columns: Sequence[str], constants: Mapping[str, float], X: Values
) -> Iterator[tuple[Expression, str]]:
    """Laws over ``columns``, X (n_column, n), each with its source; at most ``MOST``, shortest first."""
    form = template.bind(columns, constants).without_single_names()
    places = {name: k for k, name in enumerate(columns)}
    parts = [list(_parts(arguments, X[[places[a] for a in arguments]])) for arguments in form.unknowns.values()]
    choices = sorted(product(*(range(len(each)) for each in parts)), key=sum)
    for choice in choices[:MOST]:
        chosen = {name: each[i] for name, each, i in zip(form.unknowns, parts, choice, strict=True)}
        yield form.fill(chosen), "template"


def _parts(arguments: Sequence[str], X: Values) -> Iterator[Expression]:
    """Sums of one or two terms with free coefficients, and a constant."""
    terms = make_terms(arguments, X)
    chosen = [terms.expressions[i] for family in FAMILIES for i in terms.within((family,))]
    scaled = [Expression.constant(1.0, free=True) * e if e.variables else _constant() for e in chosen]
    yield from scaled or [_constant()]
    for a, b in combinations(scaled[:PAIRED], 2):
        yield a + b


def _constant() -> Expression:
    return Expression.constant(1.0, free=True)
