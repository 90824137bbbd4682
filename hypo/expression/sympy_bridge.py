"""Conversion of expressions to sympy and back. sympy is imported on first use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache, reduce
from typing import TYPE_CHECKING, Any

from hypo.errors import FormulaError
from hypo.expression import operators as ops
from hypo.expression.expr import PI, Constant, Expression
from hypo.kernels import opcodes as oc

if TYPE_CHECKING:
    import sympy

_MAX_DENOMINATOR = 1024


def to_sympy(e: Expression) -> sympy.Expr:
    """``e`` as a sympy expression with real symbols.

    Whole numbers and fractions like 0.5 become exact rationals, other numbers floats, ``pi`` sympy's pi, other named
    constants symbols. ``cbrt(u)`` is the real root ``sign(u)*Abs(u)**(1/3)``. sympy simplifies on the way as it always does.
    Raises FormulaError where it cannot represent a part that has no real value, and of formulas nested too deeply for it.
    """
    import sympy

    stack: list[Any] = []
    for op, arg in e.code:
        if op == oc.VAR:
            stack.append(sympy.Symbol(e.variables[arg], real=True))
        elif op == oc.CONST:
            stack.append(_number(e.constants[arg]))
        else:
            n = oc.arity(op)
            args = stack[-n:]
            del stack[-n:]
            try:
                stack.append(_builder(ops.BY_OPCODE[op])(*args))
            except ValueError as error:  # min and max of numbers that are not real
                raise FormulaError(f"sympy cannot hold {e.pretty()}, as a part of it is not real: {error}") from error
            except RecursionError:
                raise FormulaError(
                    f"sympy cannot hold a formula of {len(e)} nodes that is nested so deeply: take a part of it"
                ) from None
    return stack[0]


def _number(c: Constant) -> Any:
    import sympy

    if c == PI:
        return sympy.pi
    if c.name is not None:
        return sympy.Symbol(c.name, real=True)
    if not c.free and abs(c.value) < 2**53:
        exact = Fraction(c.value)
        if exact.denominator <= _MAX_DENOMINATOR:
            return sympy.Rational(exact.numerator, exact.denominator)
    return sympy.Float(c.value, 17)


@cache
def _builder(row: ops.OperatorRow) -> Callable[..., Any]:
    """The function that makes the sympy expression of an operator from those of its arguments."""
    import sympy

    def cbrt(u: Any) -> Any:
        root = sympy.Pow(sympy.Abs(u), sympy.Rational(1, 3))
        return root if u.is_nonnegative else sympy.sign(u) * root

    if oc.is_user_defined(row.opcode):
        made: Callable[..., Any] = _function_class(row)
        return made
    if row.opcode == oc.CBRT:
        return cbrt
    found: Callable[..., Any] | None = row.number if row.sympy is None else getattr(sympy, row.sympy)
    if found is None:
        raise ops.unknown(row.opcode, "the conversion to sympy (operators.py)")
    return found


@cache
def _function_class(row: ops.OperatorRow) -> Any:
    """An undefined function of sympy that knows the derivative of a user's operator."""
    import sympy

    # A derivative that is no operator stays unevaluated.
    slope = ops.BY_NAME.get(row.derivative[0].removesuffix("(u)"))
    more = {} if slope is None else {"fdiff": lambda self, argindex=1: _function_class(slope)(self.args[0])}
    return type(row.name, (sympy.Function,), {"is_real": True, "nargs": 1, **more})


def from_sympy(expr: Any, constants: Mapping[str, float] | None = None) -> Expression:
    """The sympy expression ``expr`` as an :class:`Expression`; symbols named in ``constants`` become named constants.

    Sums, products and ``Min``/``Max`` of several terms are nested to the left, a rational number becomes a quotient of whole
    numbers. Raises FormulaError naming the part that the operator table cannot express.
    """
    import sympy

    expr = sympy.sympify(expr, strict=True)
    if not isinstance(expr, sympy.Expr):
        raise _inexpressible(expr)
    try:
        return _FromSympy(constants or {}).convert(expr)
    except RecursionError:
        raise FormulaError("the sympy expression is nested too deeply") from None


def _inexpressible(part: Any) -> FormulaError:
    return FormulaError(
        f"cannot turn the sympy expression {part} into a formula; expected numbers, symbols, "
        f"+ - * / ** and the functions {', '.join(r.name for r in ops.OPERATORS if r.name.isalpha())}"
    )


class _FromSympy:
    """The conversion of one sympy expression, from the outside inward."""

    def __init__(self, constants: Mapping[str, float]) -> None:
        self._constants = constants
        unary = [row for row in ops.BY_NAME.values() if row.arity == 1 and row.sympy is not None]
        self._names = {_builder(row): row.name for row in unary}

    def convert(self, x: Any) -> Expression:
        """The formula of a part."""
        import sympy

        if x.is_Symbol:
            known = x.name in self._constants
            return _number_of(self._constants[x.name], x.name) if known else Expression.variable(x.name)
        if x == sympy.pi:
            return Expression(((oc.CONST, 0),), (PI,), ())
        if x == sympy.E:
            return Expression.apply("exp", _number_of(1))
        if x.is_Integer or x.is_Float:
            return _number_of(float(x))
        if x.is_Rational:
            return Expression.apply("/", _number_of(x.p), _number_of(x.q))
        if x.is_Add:
            return self._sum(x)
        if x.is_Mul:
            return self._product(list(x.args))
        if x.is_Pow:
            return self._power(x.base, x.exp)
        return self._call(x)

    def _call(self, x: Any) -> Expression:
        import sympy

        if x.func in self._names:
            return Expression.apply(self._names[x.func], self.convert(x.args[0]))
        if x.func in (sympy.Min, sympy.Max):
            name = "min" if x.func is sympy.Min else "max"
            return reduce(lambda a, b: Expression.apply(name, a, b), map(self.convert, sympy.ordered(x.args)))
        if x.func is sympy.sign:
            u = self.convert(x.args[0])
            return Expression.apply("/", u, Expression.apply("abs", u))
        raise _inexpressible(x)

    def _sum(self, x: Any) -> Expression:
        terms = x.as_ordered_terms()
        result = self.convert(terms[0])
        for t in terms[1:]:
            minus = t.could_extract_minus_sign()
            result = result - self.convert(-t) if minus else result + self.convert(t)
        return result

    def _product(self, factors: list[Any]) -> Expression:
        top = self._cube_roots(factors)
        bottom: list[Expression] = []
        negative = False
        for f in factors:
            if f.is_Rational:
                negative = f.p < 0
                if abs(f.p) != 1:
                    top.insert(0, _number_of(abs(f.p)))
                if f.q != 1:
                    bottom.insert(0, _number_of(f.q))
            elif f.is_Pow and f.exp.is_Rational and f.exp < 0:
                bottom.append(self.convert(f.base**-f.exp))
            else:
                top.append(self.convert(f))
        if not top:
            result = Expression.apply("inv", _times(bottom)) if bottom else _number_of(1)
        else:
            result = Expression.apply("/", _times(top), _times(bottom)) if bottom else _times(top)
        return Expression.apply("neg", result) if negative else result

    def _cube_roots(self, factors: list[Any]) -> list[Expression]:
        """The cube roots among ``factors``, as sympy has them, which are taken out."""
        import sympy

        found = []
        for u in [f.args[0] for f in factors if f.func is sympy.sign]:
            root = sympy.Pow(sympy.Abs(u), sympy.Rational(1, 3))
            if root in factors:
                factors.remove(root)
                factors.remove(sympy.sign(u))
                found.append(Expression.apply("cbrt", self.convert(u)))
        return found

    def _power(self, base: Any, exponent: Any) -> Expression:
        import sympy

        if exponent.is_Rational and exponent < 0:
            below = self._power(base, -exponent) if exponent != -1 else self.convert(base)
            return Expression.apply("inv", below)
        short = {2: "square", 3: "cube", sympy.Rational(1, 2): "sqrt"}.get(exponent)
        if short:
            return Expression.apply(short, self.convert(base))
        return Expression.apply("**", self.convert(base), self.convert(exponent))


def _number_of(value: float, name: str | None = None) -> Expression:
    return Expression.constant(value, name=name)


def _times(parts: list[Expression]) -> Expression:
    return reduce(lambda a, b: Expression.apply("*", a, b), parts)
