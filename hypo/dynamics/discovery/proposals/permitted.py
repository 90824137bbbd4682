"""Candidates that what is known permits: terms of which sums may be made, and whole right-hand sides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hypo.dynamics.discovery.proposals.filled import fill_template
from hypo.dynamics.discovery.proposals.terms import Terms
from hypo.dynamics.knowledge.equation import law_name
from hypo.expression.expr import Expression
from hypo.knowledge.knowledge import Knowledge

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
        # A single term need not have all that the law must have.
        return None if self.knowledge is None else replace(self.knowledge, must_use=(), units={}, rules=())

    def terms(self, terms: Terms) -> Terms:
        """Those that may stand in the law; none where a template says its form."""
        if self._of_terms is None:
            return terms
        law = law_name(self.columns)
        return terms.keep(
            np.array(
                [not self.has_template and not self._of_terms.is_hard_violated(e, law) for e in terms.expressions], bool
            )
        )

    def filled(self, X: Values) -> Iterator[tuple[Expression, str]]:
        """Laws of the known form, each with its source; none where no form is known."""
        if self.knowledge is not None and self.knowledge.template is not None:
            constants = {name: c.value for name, c in self.knowledge.constants.items()}
            yield from fill_template(self.knowledge.template, self.columns, constants, X)

    def laws(self, found: Iterable[tuple[Expression, str]]) -> Sequence[tuple[Expression, str]]:
        """Those right-hand sides, each with its source, that break nothing."""
        if self.knowledge is None:
            return list(found)
        law = law_name(self.columns)
        return [(e, source) for e, source in found if not self.knowledge.is_hard_violated(e, law)]
