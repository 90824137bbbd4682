"""Simplification rules as data: ``pattern → replacement`` in hypo's own syntax, with a condition where one is needed.

In patterns ``u v`` stand for any subformula, ``c d`` for a number to be fitted, ``k m`` for an exact number; a name used
twice must stand for the same subformula. Calculations on ``c d k m`` in a replacement are carried out (to a new number to be
fitted, or exactly). ``c*u`` and ``k*u`` also match products and quotients of several factors, ``u + c`` sums of several
terms, and a pattern whose outermost operation is ``+ - * /`` any two terms of a sum, or factors of a product.

Every rule keeps the value wherever the pattern is defined; the replacement may be defined at more points, as in
``exp(log(u)) → u``. None makes a formula more complex. None brings in an operator of another kind, but for the short forms
(square, cube, inv, neg), ``sqrt(u**2) → abs(u)`` and ``u**0.5 → sqrt(u)``.

Like terms and like powers (``x + x``, ``x*x``, ``x/x``, ``c*x + 2*x``), signs, fractions of fractions, exact arithmetic and
the order of operands are not rules: :mod:`hypo.expression.simplify` collects sums and products as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from hypo.expression.terms import Term
from hypo.kernels import opcodes as oc


class Rule(NamedTuple):
    """``pattern → replacement``, if the condition ``when`` (a key of :data:`CONDITIONS`) holds."""

    pattern: str
    replacement: str
    when: str = ""


RULES: tuple[Rule, ...] = (
    # Roots and powers
    Rule("sqrt(u**2)", "abs(u)"),
    Rule("cbrt(u**3)", "u"),
    Rule("cbrt(-u)", "-cbrt(u)"),
    Rule("cbrt(1/u)", "1/cbrt(u)"),
    Rule("sqrt(1/u)", "1/sqrt(u)"),
    Rule("cbrt(u)**3", "u"),
    Rule("sqrt(c*u)", "sqrt(c)*sqrt(u)", "c > 0"),
    Rule("cbrt(c*u)", "cbrt(c)*cbrt(u)"),
    Rule("sqrt(k*u)", "sqrt(k)*sqrt(u)", "sqrt(k) is exact"),
    Rule("cbrt(k*u)", "cbrt(k)*cbrt(u)", "cbrt(k) is exact"),
    Rule("u**0.5", "sqrt(u)"),
    Rule("u**(-0.5)", "1/sqrt(u)"),
    Rule("(c*u)**k", "c**k*u**k", "c > 0"),
    Rule("(c*u)**d", "c**d*u**d", "c > 0"),
    Rule("(u**k)**m", "u**(k*m)", "k is not whole"),
    Rule("(u**c)**d", "u**(c*d)", "c is not whole"),
    Rule("(u**c)**k", "u**(c*k)", "c is not whole"),
    Rule("(u**c)**2", "u**(2*c)"),
    Rule("(u**c)**3", "u**(3*c)"),
    Rule("(u**k)**2", "u**(2*k)"),
    Rule("(u**k)**3", "u**(3*k)"),
    Rule("(u**k)**c", "u**(k*c)", "k is not whole"),
    Rule("(c**u)**v", "c**(u*v)", "c > 0"),
    Rule("(k**u)**v", "k**(u*v)", "k > 0"),
    Rule("sqrt(u)**c", "u**(c/2)"),
    Rule("sqrt(u)**k", "u**(k/2)"),
    Rule("sqrt(u**c)", "u**(c/2)", "c is not whole"),
    Rule("sqrt(u**k)", "u**(k/2)", "k is not whole"),
    Rule("(1/u)**c", "u**(-c)"),
    Rule("(1/u)**k", "u**(-k)"),
    Rule("u**c*u", "u**(c + 1)"),
    Rule("u**c/u", "u**(c - 1)"),
    Rule("u**c*u**d", "u**(c + d)"),
    Rule("u**c/u**d", "u**(c - d)"),
    Rule("u**c*u**k", "u**(c + k)"),
    Rule("u**c/u**k", "u**(c - k)"),
    Rule("u**k*u", "u**(k + 1)"),
    Rule("u**k/u", "u**(k - 1)"),
    Rule("u**k*u**m", "u**(k + m)"),
    Rule("u**k/u**m", "u**(k - m)"),
    # Exponential and logarithm
    Rule("exp(log(u))", "u"),
    Rule("log(exp(u))", "u"),
    Rule("exp(-log(u))", "1/u"),
    Rule("log(1/u)", "-log(u)"),
    Rule("exp(u + c)", "exp(c)*exp(u)", "exp(c) is a number"),
    Rule("exp(c - u)", "exp(c)/exp(u)", "exp(c) is a number"),
    Rule("log(c*u)", "log(u) + log(c)", "c > 0"),
    Rule("log(u**c)", "c*log(u)", "c is not whole"),
    Rule("log(u**k)", "k*log(u)", "k is not whole"),
    Rule("exp(u)**c", "exp(c*u)"),
    Rule("exp(u)**k", "exp(k*u)"),
    Rule("exp(u)**v", "exp(u*v)"),
    Rule("exp(u)*exp(v)", "exp(u + v)"),
    Rule("exp(u)/exp(v)", "exp(u - v)"),
    Rule("1/exp(u)", "exp(-u)"),
    Rule("log(u) + log(v)", "log(u*v)"),
    Rule("log(u) - log(v)", "log(u/v)"),
    # Odd and even functions
    Rule("sin(-u)", "-sin(u)"),
    Rule("tan(-u)", "-tan(u)"),
    Rule("sinh(-u)", "-sinh(u)"),
    Rule("tanh(-u)", "-tanh(u)"),
    Rule("asin(-u)", "-asin(u)"),
    Rule("atan(-u)", "-atan(u)"),
    Rule("cos(k*u)", "cos(-k*u)", "k < 0"),
    Rule("cosh(k*u)", "cosh(-k*u)", "k < 0"),
    Rule("abs(k*u)", "abs(k)*abs(u)"),
    Rule("abs(c*u)", "abs(c)*abs(u)"),
    Rule("cos(u - v)", "cos(v - u)", "v sorts before u"),
    Rule("cosh(u - v)", "cosh(v - u)", "v sorts before u"),
    Rule("abs(u - v)", "abs(v - u)", "v sorts before u"),
    Rule("(u - v)**2", "(v - u)**2", "v sorts before u"),
    # Inverse functions
    Rule("sin(asin(u))", "u"),
    Rule("cos(acos(u))", "u"),
    Rule("tan(atan(u))", "u"),
    Rule("sin(u)**2 + cos(u)**2", "1"),
    Rule("cosh(u)**2 - sinh(u)**2", "1"),
    # Absolute value, minimum and maximum
    Rule("abs(abs(u))", "abs(u)"),
    Rule("abs(u)**2", "u**2"),
    Rule("abs(u**2)", "u**2"),
    Rule("abs(sqrt(u))", "sqrt(u)"),
    Rule("abs(exp(u))", "exp(u)"),
    Rule("abs(cosh(u))", "cosh(u)"),
    Rule("abs(acos(u))", "acos(u)"),
    Rule("abs(1/u)", "1/abs(u)"),
    Rule("min(u, u)", "u"),
    Rule("max(u, u)", "u"),
    Rule("min(-u, -v)", "-max(u, v)"),
    Rule("max(-u, -v)", "-min(u, v)"),
    Rule("min(u, v) + max(u, v)", "u + v"),
    Rule("min(u, v)*max(u, v)", "u*v"),
)

# What a condition may look at: the terms bound to the names of the pattern.
CONDITIONS: Mapping[str, Callable[[Mapping[str, Term]], bool]] = {
    "c > 0": lambda b: _number(b["c"]) > 0,
    # Beyond that it is infinite or 0, and the factors would come together again.
    "exp(c) is a number": lambda b: abs(_number(b["c"])) < 700,
    "c is not whole": lambda b: not _number(b["c"]).is_integer(),
    "k > 0": lambda b: _number(b["k"]) > 0,
    "k < 0": lambda b: _number(b["k"]) < 0,
    "k is not whole": lambda b: not _number(b["k"]).is_integer(),
    "sqrt(k) is exact": lambda b: _number(b["k"]) > 0 and _is_power(_number(b["k"]), 2),
    "cbrt(k) is exact": lambda b: _is_power(abs(_number(b["k"])), 3),
    # Sums of more terms have an order of their own.
    "v sorts before u": lambda b: b["v"].rank < b["u"].rank and not {b["u"].op, b["v"].op} & {oc.ADD, oc.SUB},
}


def _number(t: Term) -> float:
    assert t.value is not None
    return t.value


def _is_power(x: float, n: int) -> bool:
    """Whether x is a whole number's n-th power, or the reciprocal of one, other than 1."""
    x = 1 / x if 0 < x < 1 else x
    return 1 < x < 2.0**53 and x.is_integer() and round(x ** (1 / n)) ** n == x
