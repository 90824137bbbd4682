"""``hypo.score``: the score of a formula that the user gives."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from numbers import Real
from typing import TYPE_CHECKING, Any, Unpack

from hypo.api.make_result import make_constant_rows
from hypo.api.other_names import IN_SCORE
from hypo.api.parameters.calls import complete_arguments, describe
from hypo.api.parameters.parameter import SCORE
from hypo.api.validate import require_kept, validate_inputs
from hypo.errors import DataError, FormulaError, InputError
from hypo.expression.printing import shortened
from hypo.keywords import check_keywords
from hypo.report import tables
from hypo.report.console import as_text
from hypo.report.constants import ConstantRow, describe_undetermined
from hypo.report.formatting import format_number, format_r2
from hypo.report.layout import wrap_sentences
from hypo.report.rules import CHECKED, RuleRow, make_rules_table
from hypo.report.sentences import STANDARD_ERROR, as_sentence
from hypo.result.file import jsonable, make_hypothesis_row

if TYPE_CHECKING:
    from hypo.api.parameters.typed import ScoreSettings
    from hypo.data import Dataset
    from hypo.expression.expr import Expression
    from hypo.knowledge import Violation
    from hypo.knowledge.claims.claim import Verdict
    from hypo.likelihood.family import Family
    from hypo.problem.problem import Problem, Settings
    from hypo.scoring.score import Hypothesis
    from hypo.search.table_units import Border

SCORE_SCHEMA = "hypo-score/1"


@check_keywords(IN_SCORE, "hypo.score")
@describe(SCORE)
def score(formula: str | Expression, data: Any, target: Any = None, **settings: Unpack[ScoreSettings]) -> Scored:
    """Score one formula by the score of :func:`fit`, with its free constants fitted.

    In a text, which may begin with the target's name and =, every name that is neither a column nor a constant of
    ``knowledge`` is a constant to fit; numbers stay as they are, for the columns' own units. A formula that breaks a rule of
    the knowledge is scored all the same, and its violations are named.

    Args:
        **settings: see :class:`hypo.api.parameters.typed.ScoreSettings`.

    Raises:
        FormulaError: the text cannot be read.
        InputError: ``start`` is no number, or names what is no constant to fit.
        DataError: the formula uses the target or a column that is not there, or is undefined on some row.
    """
    from hypo.problem.problem import make_problem
    from hypo.search.table_units import Border

    given = complete_arguments(SCORE, settings)
    dataset, _, background, checked = validate_inputs(data, target, given)
    problem = make_problem(dataset, background, checked)
    e = _read_formula(formula, dataset, problem)
    h, verdicts = _fit_best_reading(e, given["start"], problem, checked, dataset.source)
    rows = make_constant_rows(h.expression, problem, checked.intervals)
    loose = _find_undetermined(h.expression, problem, rows)
    return Scored(
        hypothesis=Border.out_of(problem).hypothesis(replace(h, expression=h.expression.without_names())),
        constants=rows,
        target=dataset.target,
        violations=problem.knowledge.violations(h.expression, dataset.target),
        rules=tuple(
            RuleRow.checked(r, v, dataset.target) for r, v in zip(problem.knowledge.rules, verdicts, strict=True)
        ),
        unit_note=problem.unit_note,
        hints=(*_find_misspelt(e, dataset.names), *loose, *(as_sentence(note) for note in dataset.notes)),
        likelihood=checked.likelihood,
        border=Border.to_si(problem),
    )


def _fit_best_reading(
    e: Expression, start: Any, problem: Problem, settings: Settings, source: str
) -> tuple[Hypothesis, Sequence[Verdict]]:
    """The formula fitted from ``start`` and scored, in the reading of its units that scores best, and how it fares under each
    rule. Raises DataError where it is undefined on some row of the table ``source``."""
    from hypo.fitting.score_formula import score_formula
    from hypo.search.table_units import readings

    each = [score_formula(one, problem, settings) for one in readings(apply_start(e, start), problem)]
    found = min((f for f in each if f is not None), key=lambda f: f[0].score, default=None)
    if found is None:
        impossible = " or impossible" if settings.likelihood.can_be_impossible else ""
        raise DataError(
            f"{source}: {e.pretty()} is undefined{impossible} on some row, with all constants that were tried; "
            "correct the formula, leave out that row, or give a start"
        )
    return found


def _read_formula(formula: Any, dataset: Dataset, problem: Problem) -> Expression:
    """The user's formula for the columns of ``dataset``. Raises FormulaError where it cannot be read, DataError where it uses
    what is not there."""
    from hypo.expression.expr import Expression
    from hypo.expression.parser import parse, right_hand_side

    if isinstance(formula, Expression):
        e = formula
    elif isinstance(formula, str):
        text = right_hand_side(formula, dataset.target, problem.aliases)
        e = parse(text, variables=dataset.names, constants=problem.constants, aliases=problem.aliases)
    else:
        raise FormulaError(
            f'the formula must be text, such as "a*x + b", or an Expression, got {type(formula).__name__}'
        )
    used = (*e.variables, *(c.name for c in e.constants if c.free))
    require_kept([name for name in used if name], dataset, "the formula")
    if dataset.target in used and dataset.target not in dataset.names:
        raise DataError(
            f'{dataset.source}: the formula uses the target "{dataset.target}"; a formula for it can use the '
            f"columns {', '.join(dataset.names)}"
        )
    unknown = [name for name in e.variables if name not in dataset.names]
    if unknown:
        raise DataError(
            f"{dataset.source}: the formula uses {unknown[0]}, but the columns are {', '.join(dataset.names)}"
        )
    return e


def _find_undetermined(e: Expression, problem: Problem, rows: Sequence[ConstantRow]) -> list[str]:
    """Sentences on constants of the fitted ``e`` that the data do not determine; ``rows`` are all its constants."""
    from hypo.posterior.laplace import laplace

    shape = laplace(e, problem.X, problem.columns, problem.likelihood)
    if shape is None or not math.isfinite(shape.sigma):
        return []
    known = {c.name for c in e.constants if not c.free}
    fitted = [row.name for row in rows if row.name not in known]
    return (
        describe_undetermined(fitted, shape.covariance, shape.unidentified) if len(fitted) == len(shape.theta) else []
    )


def _find_misspelt(e: Expression, columns: Sequence[str]) -> Iterator[str]:
    """A sentence for each fitted constant whose name is much like that of a column that the formula does not use."""
    unused = [name for name in columns if name not in e.variables]
    lower = {column.lower(): column for column in reversed(unused)}
    for name in dict.fromkeys(c.name for c in e.constants if c.free and c.name is not None):
        if near := get_close_matches(name.lower(), lower, n=1):
            yield f"{name} is not a column (did you mean {lower[near[0]]}?) and was fitted as a constant."


@dataclass(frozen=True)
class Scored:
    """A scored formula, as :func:`score` returns it.

    All is in the units of the columns. ``hypothesis`` has the fitted values as numbers in its expression, ``constants`` has
    them by the names of the formula, with units; ``violations`` say what it breaks of grammar and units, ``rules`` how it
    fares under each rule.
    """

    hypothesis: Hypothesis
    constants: tuple[ConstantRow, ...]
    target: str
    violations: tuple[Violation, ...]
    rules: tuple[RuleRow, ...] = ()
    unit_note: str = ""
    hints: tuple[str, ...] = ()
    likelihood: Family | None = None
    border: Border | None = field(default=None, compare=False, repr=False)

    def in_units(self, units: str) -> Scored:
        """The same with the formula and its constants in ``"columns"``, as it is, or ``"si"``; raises InputError for others."""
        from hypo.result.conversion import convert_rows, wants_si
        from hypo.result.unit_system import SI_NOTE

        if not wants_si(units) or self.border is None:
            return self
        h, rows = self.border.hypothesis(self.hypothesis), convert_rows(self.constants, units)
        return replace(self, hypothesis=h, constants=rows, unit_note=SI_NOTE)

    @property
    def expression(self) -> Expression:
        """The formula with its fitted constants."""
        return self.hypothesis.expression

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the keys of an entry of ``front`` in ``result.json``, ``violations`` and ``rules``."""
        violations = [{"rule": v.rule, "amount": v.amount, "message": v.message} for v in self.violations]
        row = make_hypothesis_row(self.hypothesis, self.constants)
        rules = [{key: value for key, value in r.as_dict().items() if key in CHECKED} for r in self.rules]
        kind = {} if self.likelihood is None else {"likelihood": self.likelihood.as_dict()}
        found = {**kind, **row, "violations": violations, "rules": rules}
        written: dict[str, Any] = jsonable({"schema": SCORE_SCHEMA, "target": self.target, **found})
        return written

    def remarks(self) -> list[str]:
        """The violated rules, constants that look like misspelt columns or that the data do not determine, and the notes
        on the table and on units, in sentences."""
        lines = [f"Violates {v.rule} by {format_number(v.amount)}: {v.message}." for v in self.violations]
        lines += [
            f'The formula breaks the hard rule "{r.rule}", so hypo fit would not return it.'
            for r in self.rules
            if r.hard and r.violation > 0
        ]
        words = self.likelihood.words if self.likelihood else ""
        lines += [as_sentence(words)] if words else []
        spread = [STANDARD_ERROR] if any(row.std is not None for row in self.constants) else []
        return [*spread, *lines, *self.hints, *([as_sentence(self.unit_note)] if self.unit_note else [])]

    def __repr__(self) -> str:
        h = self.hypothesis
        return f"<Scored {shortened(tables.write_equation(h, self.target))}; score {h.score:.2f}, R² {format_r2(h.r2)}>"

    def __str__(self) -> str:
        parts = [as_text(tables.make_front_table([self.hypothesis], None, self.target))]
        if self.constants:
            parts += ["", as_text(tables.make_constants_table(self.constants))]
        if self.rules:
            parts += ["", as_text(make_rules_table(self.rules)), ""]
        return "\n".join([*parts, wrap_sentences(self.remarks())])

    def _repr_html_(self) -> str:
        from hypo.report.display.html import write_page

        found = [tables.make_front_table([self.hypothesis], None, self.target)]
        found += [tables.make_constants_table(self.constants)] if self.constants else []
        return write_page([*found, *([make_rules_table(self.rules)] if self.rules else [])], self.remarks())


def apply_start(e: Expression, start: Mapping[str, float] | str | None) -> Expression:
    """``e`` with its free constants at the values of ``start``, as far as it names them.

    Raises InputError for a name that is no free constant of ``e`` and for a value that is no finite number.
    """
    if not start:
        return e
    values = dict(read_start(start) if isinstance(start, str) else start)
    free = list(dict.fromkeys(c.name for c in e.constants if c.free and c.name is not None))
    for name, value in values.items():
        if name not in free:
            has = f"has the constants {', '.join(free)}" if free else "has no constants to fit"
            raise InputError(f"start gives a value to {name}, but the formula {has}")
        if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
            raise InputError(f"the start of {name} must be a finite number, got {value!r}")
    constants = tuple(
        replace(c, value=float(values[c.name])) if c.free and c.name in values else c for c in e.constants
    )
    return replace(e, constants=constants)


def read_start(text: str, what: str = "start") -> Iterator[tuple[str, float]]:
    """Names and numbers in a text like ``a=500, b=0.01``; messages call it ``what``."""
    seen = set()
    for part in text.split(","):
        name, sign, number = (piece.strip() for piece in part.partition("="))
        if not name or not sign:
            raise InputError(f'{what} must be written NAME=NUMBER, separated by commas, got "{part.strip()}"')
        if name in seen:
            raise InputError(f"{what} gives two values to {name}; give one")
        seen.add(name)
        try:
            value = float(number)
        except ValueError:
            raise InputError(f'the {what} of {name} must be a finite number, got "{number}"') from None
        yield name, value
