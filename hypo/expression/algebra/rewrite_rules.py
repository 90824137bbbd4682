"""Simplification rules as data: ``pattern → replacement`` in hypo's own syntax, with a condition where one is needed.

In patterns ``u v`` stand for any subformula, ``c d`` for a number to be fitted, ``k m`` for an exact number; a name used
twice must stand for the same subformula. Calculations on ``c d k m`` in a replacement are carried out (to a new number to be
fitted, or exactly). ``c*u`` and ``k*u`` also match products and quotients of several factors, ``u + c`` sums of several
terms, and a pattern whose outermost operation is ``+ - * /`` any two terms of a sum, or factors of a product.

Every rule keeps the value wherever the pattern is defined; the replacement may be defined at more points, as in
``exp(log(u)) → u``. None makes a formula more complex. None brings in an operator of another kind, but for the short forms
(square, cube, inv, neg), ``sqrt(u**2) → abs(u)`` and ``u**0.5 → sqrt(u)``.

Like terms and like powers (``x + x``, ``x*x``, ``x/x``, ``c*x + 2*x``), signs, fractions of fractions, exact arithmetic and
the order of operands are not rules: :mod:`hypo.expression.algebra.simplify` collects sums and products as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from hypo.expression.algebra.term import Term, exact_result
from hypo.kernels import opcodes as oc


class RewriteRule(NamedTuple):
    """``pattern → replacement``, if the condition ``when`` (a key of :data:`CONDITIONS`) holds."""

    pattern: str
    replacement: str
    when: str = ""


RULES: tuple[RewriteRule, ...] = (
    # Roots and powers
    RewriteRule("sqrt(u**2)", "abs(u)"),
    RewriteRule("cbrt(u**3)", "u"),
    RewriteRule("cbrt(-u)", "-cbrt(u)"),
    RewriteRule("cbrt(1/u)", "1/cbrt(u)"),
    RewriteRule("sqrt(1/u)", "1/sqrt(u)"),
    RewriteRule("cbrt(u)**3", "u"),
    RewriteRule("sqrt(c*u)", "sqrt(c)*sqrt(u)", "c > 0"),
    RewriteRule("cbrt(c*u)", "cbrt(c)*cbrt(u)"),
    RewriteRule("sqrt(k*u)", "sqrt(k)*sqrt(u)", "sqrt(k) is exact"),
    RewriteRule("cbrt(k*u)", "cbrt(k)*cbrt(u)", "cbrt(k) is exact"),
    RewriteRule("u**0.5", "sqrt(u)"),
    RewriteRule("u**(-0.5)", "1/sqrt(u)"),
    RewriteRule("(c*u)**k", "c**k*u**k", "c > 0"),
    RewriteRule("(c*u)**d", "c**d*u**d", "c > 0"),
    RewriteRule("(u**k)**m", "u**(k*m)", "k is not whole"),
    RewriteRule("(u**c)**d", "u**(c*d)", "c is not whole"),
    RewriteRule("(u**c)**k", "u**(c*k)", "c is not whole"),
    RewriteRule("(u**c)**2", "u**(2*c)"),
    RewriteRule("(u**c)**3", "u**(3*c)"),
    RewriteRule("(u**k)**2", "u**(2*k)"),
    RewriteRule("(u**k)**3", "u**(3*k)"),
    RewriteRule("(u**k)**c", "u**(k*c)", "k is not whole"),
    RewriteRule("(c**u)**v", "c**(u*v)", "c > 0"),
    RewriteRule("(k**u)**v", "k**(u*v)", "k > 0"),
    RewriteRule("sqrt(u)**c", "u**(c/2)"),
    RewriteRule("sqrt(u)**k", "u**(k/2)"),
    RewriteRule("sqrt(u**c)", "u**(c/2)", "c is not whole"),
    RewriteRule("sqrt(u**k)", "u**(k/2)", "k is not whole"),
    RewriteRule("(1/u)**c", "u**(-c)"),
    RewriteRule("(1/u)**k", "u**(-k)"),
    RewriteRule("u**c*u", "u**(c + 1)"),
    RewriteRule("u**c/u", "u**(c - 1)"),
    RewriteRule("u**c*u**d", "u**(c + d)"),
    RewriteRule("u**c/u**d", "u**(c - d)"),
    RewriteRule("u**c*u**k", "u**(c + k)"),
    RewriteRule("u**c/u**k", "u**(c - k)"),
    RewriteRule("u**k*u", "u**(k + 1)"),
    RewriteRule("u**k/u", "u**(k - 1)"),
    RewriteRule("u**k*u**m", "u**(k + m)"),
    RewriteRule("u**k/u**m", "u**(k - m)"),
    # Exponential and logarithm
    RewriteRule("exp(log(u))", "u"),
    RewriteRule("log(exp(u))", "u"),
    RewriteRule("exp(-log(u))", "1/u"),
    RewriteRule("log(1/u)", "-log(u)"),
    RewriteRule("exp(u + c)", "exp(c)*exp(u)", "exp(c) is a number"),
    RewriteRule("exp(c - u)", "exp(c)/exp(u)", "exp(c) is a number"),
    RewriteRule("log(c*u)", "log(u) + log(c)", "c > 0"),
    RewriteRule("log(u**c)", "c*log(u)", "c is not whole"),
    RewriteRule("log(u**k)", "k*log(u)", "k is not whole"),
    RewriteRule("exp(u)**c", "exp(c*u)"),
    RewriteRule("exp(u)**k", "exp(k*u)"),
    RewriteRule("exp(u)**v", "exp(u*v)"),
    RewriteRule("exp(u)*exp(v)", "exp(u + v)"),
    RewriteRule("exp(u)/exp(v)", "exp(u - v)"),
    RewriteRule("1/exp(u)", "exp(-u)"),
    RewriteRule("log(u) + log(v)", "log(u*v)"),
    RewriteRule("log(u) - log(v)", "log(u/v)"),
    # Odd and even functions
    RewriteRule("sin(-u)", "-sin(u)"),
    RewriteRule("tan(-u)", "-tan(u)"),
    RewriteRule("sinh(-u)", "-sinh(u)"),
    RewriteRule("tanh(-u)", "-tanh(u)"),
    RewriteRule("asin(-u)", "-asin(u)"),
    RewriteRule("atan(-u)", "-atan(u)"),
    RewriteRule("cos(k*u)", "cos(-k*u)", "k < 0"),
    RewriteRule("cosh(k*u)", "cosh(-k*u)", "k < 0"),
    RewriteRule("abs(k*u)", "abs(k)*abs(u)"),
    RewriteRule("abs(c*u)", "abs(c)*abs(u)"),
    RewriteRule("cos(u - v)", "cos(v - u)", "v sorts before u"),
    RewriteRule("cosh(u - v)", "cosh(v - u)", "v sorts before u"),
    RewriteRule("abs(u - v)", "abs(v - u)", "v sorts before u"),
    RewriteRule("(u - v)**2", "(v - u)**2", "v sorts before u"),
    # Inverse functions
    RewriteRule("sin(asin(u))", "u"),
    RewriteRule("cos(acos(u))", "u"),
    RewriteRule("tan(atan(u))", "u"),
    RewriteRule("sin(u)**2 + cos(u)**2", "1"),
    RewriteRule("cosh(u)**2 - sinh(u)**2", "1"),
    # Absolute value, minimum and maximum
    RewriteRule("abs(abs(u))", "abs(u)"),
    RewriteRule("abs(u)**2", "u**2"),
    RewriteRule("abs(u**2)", "u**2"),
    RewriteRule("abs(sqrt(u))", "sqrt(u)"),
    RewriteRule("abs(exp(u))", "exp(u)"),
    RewriteRule("abs(cosh(u))", "cosh(u)"),
    RewriteRule("abs(acos(u))", "acos(u)"),
    RewriteRule("abs(1/u)", "1/abs(u)"),
    RewriteRule("min(u, u)", "u"),
    RewriteRule("max(u, u)", "u"),
    RewriteRule("min(-u, -v)", "-max(u, v)"),
    RewriteRule("max(-u, -v)", "-min(u, v)"),
    RewriteRule("min(u, v) + max(u, v)", "u + v"),
    RewriteRule("min(u, v)*max(u, v)", "u*v"),
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
    "sqrt(k) is exact": lambda b: _number(b["k"]) > 0 and _has_exact_root(b["k"], oc.SQRT, 2),
    "cbrt(k) is exact": lambda b: _has_exact_root(b["k"], oc.CBRT, 3),
    # Sums of more terms have an order of their own.
    "v sorts before u": lambda b: b["v"].rank < b["u"].rank and not {b["u"].op, b["v"].op} & {oc.ADD, oc.SUB},
}


def _number(t: Term) -> float:
    assert t.value is not None
    return t.value


def _has_exact_root(k: Term, root: int, n: int) -> bool:
    """True if k is ±m**n or ±1/m**n for a whole m > 1, exactly: 1e-6 is not, as a float. Else the root stays unevaluated, and
    the factors would come together again, without end."""
    return _is_power(abs(_number(k)), n) and exact_result(root, (k,)) is not None


def _is_power(x: float, n: int) -> bool:
    """True if x is a whole number's n-th power, or the reciprocal of one, other than 1."""
    x = 1 / x if 0 < x < 1 else x
    return 1 < x < 2.0**53 and x.is_integer() and round(x ** (1 / n)) ** n == x
