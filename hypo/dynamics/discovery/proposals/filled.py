"""Laws of a known form: its unknown functions filled with short sums of rate-law terms.

All constants, those of the form and those of the sums, are fitted together by whoever ranks the candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.discovery.proposals.terms import FUNCTION, LINEAR, POLYNOMIAL, QUADRATIC, WAVE, make_terms
from hypo.dynamics.discovery.sums import Sum, as_sum
from hypo.dynamics.knowledge.equation import law_name
from hypo.dynamics.knowledge.quantities import among_quantities, form_in_units_of_columns, values_of
from hypo.expression.algebra.simplify import simplify
from hypo.expression.expr import Expression
from hypo.knowledge.knowledge import Knowledge
from hypo.knowledge.template import BoundTemplate
from hypo.units import Unit

Values = NDArray[np.float64]

# Terms that pairs are made of, and whole laws at most.
PAIRED = 14
MOST = 400
# Families of terms that fill an unknown function, plainest first.
FAMILIES = (LINEAR, QUADRATIC, POLYNOMIAL, WAVE, FUNCTION)


def bind_template(knowledge: Knowledge, columns: Sequence[str]) -> BoundTemplate:
    """The form of a law called :func:`~hypo.dynamics.knowledge.equation.law_name`, for numbers in the units of the columns;
    constants to be fitted keep their names."""
    assert knowledge.template is not None
    form = knowledge.template.bind(columns, values_of(knowledge))
    return form_in_units_of_columns(form, knowledge, knowledge.units.get(law_name(columns)))


def fill_template(knowledge: Knowledge, columns: Sequence[str], X: Values) -> Iterator[tuple[Expression, str]]:
    """Laws over ``columns``, X (n_column, n), of the form that is known, each with its source; at most ``MOST``, shortest
    first."""
    form = bind_template(knowledge, columns)
    places = {name: k for k, name in enumerate(columns)}
    units = knowledge.units
    parts = [list(_parts(arguments, X[[places[a] for a in arguments]], units)) for arguments in form.unknowns.values()]
    choices = sorted(product(*(range(len(each)) for each in parts)), key=sum)
    for choice in choices[:MOST]:
        chosen = {name: each[i] for name, each, i in zip(form.unknowns, parts, choice, strict=True)}
        yield form.fill(chosen), "template"


def refilled(e: Expression, form: BoundTemplate) -> Expression:
    """A law that a search found for a form, with the form's named constants again.

    Known for forms A + h and A - h with one unknown function: what the law has beside the terms of A is h. Others stay as they
    are.
    """
    if len(form.unknowns) != 1:
        return e
    (name, arguments), known = next(iter(form.unknowns.items())), as_sum(form.expression)
    own = [t for t in known.terms if any(name in f.expression().variables for f in t.factors)]
    if len(own) != 1 or own[0].form != name or own[0].coefficient.is_free or abs(own[0].coefficient.value) != 1.0:
        return e
    forms = {t.form for t in known.terms}
    rest = tuple(t for t in as_sum(e).terms if t.form not in forms)
    part = own[0].coefficient.value * Sum(rest).positive_expression()
    if not rest or not set(part.variables) <= set(arguments):
        return e
    return form.fill({name: simplify(part)})


def _parts(arguments: Sequence[str], X: Values, units: Mapping[str, Unit]) -> Iterator[Expression]:
    """Sums of one or two terms with free coefficients, and a constant."""
    terms = make_terms(arguments, X)
    found = (among_quantities(terms.expressions[i], units) for family in FAMILIES for i in terms.within((family,)))
    chosen = [e for e in found if e is not None]
    scaled = [Expression.constant(1.0, free=True) * e if e.variables else _constant() for e in chosen]
    yield from scaled or [_constant()]
    for a, b in combinations(scaled[:PAIRED], 2):
        yield a + b


def _constant() -> Expression:
    return Expression.constant(1.0, free=True)
