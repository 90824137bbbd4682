"""The rule kind ``saturates``: a law that levels off at the end of its range."""

from collections.abc import Sequence

from hypo import Expression
from hypo.rules import POSITIVE, VARIABLE, Claim, Comparison, Domain, Law, Rule, parameter


class Saturates(Rule):
    """``|∂f/∂x| <= slope`` where x is at the upper end of its range."""

    kind = "saturates"
    variable: str = parameter(VARIABLE, words="the variable")
    slope: float = parameter(POSITIVE, words="the greatest slope that counts as level")

    def claims(self, law: Law) -> Sequence[tuple[Claim, Domain]]:
        end = self.domain(law).ranges[self.variable][1]
        edge = self.domain(law, {self.variable: (end, end)})
        size = Expression.apply("abs", law.derivative(self.variable))
        return [(Comparison(size, "<=", Expression.constant(self.slope)), edge)]

    def sentence(self, target: str) -> str:
        return f"{target} levels off in {self.variable}, to a slope of at most {self.slope:g}"
