"""What is stated of a law of motion beforehand: the section [dynamics] of a knowledge file.

Right-hand sides are texts over the columns: whole (``v``) or with unknown functions (``-g/L*sin(x) + h(x, v)``). Quantities are
formulas of the states. Names are checked against the columns only where these are known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from hypo.errors import FormulaError
from hypo.expression.expr import Expression
from hypo.expression.parser import parse
from hypo.knowledge.template import Template
from hypo.knowledge.text.toml_lines import Path
from hypo.knowledge.text.wording import nearest

Names = tuple[str, ...]


@dataclass(frozen=True)
class MotionKnowledge:
    """All that is stated of the laws of several states together.

    Attributes:
        rates: known right-hand sides by state, whole or with unknown functions; the rate, the acceleration or the next value,
            as the laws sought give.
        positive: states that never become negative.
        conserved: quantities whose rate of change vanishes, inputs left out.
        decreasing: quantities that never grow, inputs left out.
        exchange: pairs of states that may change places in all laws together.
        linear_inputs: inputs that laws contain to the first power only.
        must_use: by state, names that its law contains.
        must_not_use: by state, names that its law does not contain.
    """

    rates: Mapping[str, str] = field(default_factory=dict)
    positive: Names = ()
    conserved: Names = ()
    decreasing: Names = ()
    exchange: tuple[tuple[str, str], ...] = ()
    linear_inputs: Names = ()
    must_use: Mapping[str, Names] = field(default_factory=dict)
    must_not_use: Mapping[str, Names] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(getattr(self, f.name) for f in fields(self))

    @cached_property
    def templates(self) -> dict[str, Template]:
        """Right-hand sides with unknown functions, by state."""
        return {state: form for state, form in self._forms.items() if isinstance(form, Template)}

    @cached_property
    def whole(self) -> dict[str, str]:
        """Right-hand sides without unknown functions, by state; names that are no columns are constants to fit."""
        return {state: form for state, form in self._forms.items() if isinstance(form, str)}

    @cached_property
    def _forms(self) -> dict[str, Template | str]:
        return {state: read_side(text) for state, text in self.rates.items()}

    def as_dict(self) -> dict[str, Any]:
        """The dictionary (of JSON and TOML values) that a file would hold."""
        out: dict[str, Any] = dict(self.rates)
        for name in ("positive", "conserved", "decreasing", "linear_inputs"):
            out[name] = list(getattr(self, name))
        out["exchange"] = [list(pair) for pair in self.exchange]
        for name in ("must_use", "must_not_use"):
            out[name] = {state: list(names) for state, names in getattr(self, name).items()}
        return {name: value for name, value in out.items() if value}

    def misfits(
        self, states: Collection[str], actions: Collection[str], columns: Collection[str], constants: Collection[str]
    ) -> Iterator[tuple[Path, str]]:
        """Names that are no states, inputs or columns, each where it stands, in one sentence."""

        def find(name: str, among: Collection[str], role: str) -> str | None:
            if name in among:
                return None
            near = nearest(name, among)
            known = f"the {role}s are {', '.join(list(among)[:20])}" if among else f"there are no {role}s"
            return f"{name} is no {role}; {f'did you mean {near}?' if near else known}"

        seen: list[tuple[Path, str | None]] = [(("dynamics", s), find(s, states, "state")) for s in self.rates]
        seen += [(("dynamics", "positive"), find(s, states, "state")) for s in self.positive]
        seen += [(("dynamics", "linear_inputs"), find(u, actions, "input")) for u in self.linear_inputs]
        seen += [(("dynamics", "exchange"), find(s, states, "state")) for pair in self.exchange for s in pair]
        for key in ("must_use", "must_not_use"):
            for state, names in getattr(self, key).items():
                seen.append((("dynamics", key, state), find(state, states, "state")))
                seen += [(("dynamics", key, state), find(name, columns, "column")) for name in names]
        for key in ("conserved", "decreasing"):
            among = (*(c for c in columns if c not in actions), *constants)
            seen += [
                (("dynamics", key), find(v, among, "state")) for text in getattr(self, key) for v in names_of(text)
            ]
        for state, template in self.templates.items():
            seen += [(("dynamics", state), problem) for problem in template.problems(columns, constants)]
        yield from ((path, problem) for path, problem in seen if problem)


def read_side(text: str) -> Template | str:
    """A right-hand side, as a template where it has unknown functions.

    Raises FormulaError when it cannot be read.
    """
    try:
        parse(text)
    except FormulaError:
        return Template(text)
    return text


def names_of(text: str) -> Names:
    """Names in a formula: states and named constants."""
    e: Expression = parse(text)
    return (*e.variables, *(c.name for c in e.constants if c.name))
