"""Candidates that what is known permits: terms of which sums may be made, and whole right-hand sides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.discovery.proposals.filled import bind_template, fill_template, refilled
from hypo.dynamics.discovery.proposals.terms import Terms
from hypo.dynamics.knowledge.equation import law_name
from hypo.dynamics.knowledge.quantities import among_quantities
from hypo.expression.expr import Expression
from hypo.knowledge.knowledge import Knowledge
from hypo.units import Unit

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Permitted:
    """The right-hand sides that one equation may have.

    Attributes:
        knowledge: of its law; None: everything is permitted.
        columns: that it may use.
    """

    knowledge: Knowledge | None
    columns: tuple[str, ...]

    @property
    def has_template(self) -> bool:
        """True where the form is known and functions in it are sought: sums of terms do not have that form."""
        return self.knowledge is not None and self.knowledge.template is not None

    @cached_property
    def _of_terms(self) -> Knowledge | None:
        # A single term need not have all that the law must have, and its coefficient has any unit.
        return None if self.knowledge is None else replace(self.knowledge, must_use=(), units={}, rules=())

    def terms(self, terms: Terms) -> Terms:
        """Those that may stand in the law, as they stand among quantities; none where a template says its form."""
        known, law = self._of_terms, law_name(self.columns)
        if known is None or self.knowledge is None:
            return terms
        terms = fitting(terms, {} if self.knowledge.soft else self.knowledge.units)
        return terms.keep(
            np.array([not self.has_template and not known.is_hard_violated(e, law) for e in terms.expressions], bool)
        )

    def filled(self, X: Values) -> Iterator[tuple[Expression, str]]:
        """Laws of the known form, each with its source; none where no form is known."""
        if self.knowledge is not None and self.knowledge.template is not None:
            yield from fill_template(self.knowledge, self.columns, X)

    def named(self, found: Iterable[tuple[Expression, str]]) -> list[tuple[Expression, str]]:
        """Laws that a search found, with the names that constants have in the known form."""
        if self.knowledge is None or self.knowledge.template is None:
            return list(found)
        form = bind_template(self.knowledge, self.columns)
        return [(refilled(e, form), source) for e, source in found]

    def laws(self, found: Iterable[tuple[Expression, str]]) -> Sequence[tuple[Expression, str]]:
        """Those right-hand sides, each with its source, that break nothing."""
        if self.knowledge is None:
            return list(found)
        law = law_name(self.columns)
        return [(e, source) for e, source in found if not self.knowledge.is_hard_violated(e, law)]


def fitting(terms: Terms, units: Mapping[str, Unit]) -> Terms:
    """The terms as they stand among quantities, without those whose units do not fit; ``units`` are those of columns."""
    if not units:
        return terms
    found = [among_quantities(e, units) for e in terms.expressions]
    keeps = np.array([e is not None for e in found], bool)
    changed = tuple(e if new is None else new for e, new in zip(terms.expressions, found, strict=True))
    forms = tuple(
        form if new is e else new.masked() for form, e, new in zip(terms.forms, terms.expressions, changed, strict=True)
    )
    return replace(terms, expressions=changed, forms=forms).keep(keeps)
