"""The expression type: an immutable postfix program with constants."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hypo.errors import FormulaError
from hypo.expression import operators as ops
from hypo.kernels import opcodes as oc


@dataclass(frozen=True)
class Constant:
    """A number in an expression.

    ``name`` is set for named constants (``pi``, ``c``, or a parameter still to be fitted). ``free`` says that the value may
    be fitted; it does not take part in equality, because a printed formula does not carry it.
    """

    value: float
    name: str | None = None
    free: bool = field(default=False, compare=False)

    @property
    def is_literal(self) -> bool:
        """An exact, unnamed number."""
        return self.name is None and not self.free


PI = Constant(math.pi, "pi")


@dataclass(frozen=True)
class Expression:
    """A formula as a postfix program.

    ``code[i] = (opcode, arg)``; for a variable ``arg`` indexes ``variables``, for a constant ``constants``, else it is 0.
    Constants are numbered in order of appearance, one slot per leaf, and ``variables`` lists just those that occur, in
    order of first appearance, so that equal formulas compare (and hash) equal. Use the constructors below
    rather than filling the fields by hand; they keep these invariants.
    """

    code: tuple[tuple[int, int], ...]
    constants: tuple[Constant, ...] = ()
    variables: tuple[str, ...] = ()

    # --- construction -------------------------------------------------------------------------------------------

    @staticmethod
    def variable(name: str) -> Expression:
        """The expression made of one variable."""
        return Expression(((oc.VAR, 0),), (), (name,))

    @staticmethod
    def constant(value: float, *, name: str | None = None, free: bool = False) -> Expression:
        """The expression made of one constant."""
        return Expression(((oc.CONST, 0),), (Constant(float(value), name, free),), ())

    @staticmethod
    def apply(name: str, *args: Expression) -> Expression:
        """The operator ``name`` of the table applied to expressions; raises ValueError on a wrong name or arity."""
        row = ops.lookup(name)
        if row is None or row.arity != len(args):
            expected = "unknown operator" if row is None else f"expected {row.arity} arguments"
            raise ValueError(f"cannot apply {name!r} to {len(args)} arguments: {expected}")
        return Expression.join(row.opcode, args)

    @staticmethod
    def join(opcode: int, args: Sequence[Expression]) -> Expression:
        """Postfix concatenation of ``args`` followed by ``opcode``."""
        code: list[tuple[int, int]] = []
        constants: list[Constant] = []
        names: dict[str, int] = {}
        for arg in args:
            rename = [names.setdefault(v, len(names)) for v in arg.variables]
            shift = len(constants)
            for op, index in arg.code:
                if op == oc.VAR:
                    code.append((op, rename[index]))
                elif op == oc.CONST:
                    code.append((op, index + shift))
                else:
                    code.append((op, 0))
            constants.extend(arg.constants)
        code.append((opcode, 0))
        return Expression(tuple(code), tuple(constants), tuple(names))

    @staticmethod
    def from_arrays(
        op: Sequence[int] | NDArray[Any],
        arg: Sequence[int] | NDArray[Any],
        variables: Sequence[str],
        constants: Sequence[Constant] = (),
    ) -> Expression:
        """An expression from raw postfix arrays over the columns ``variables``; unused names and constants are dropped."""
        code: list[tuple[int, int]] = []
        used: dict[str, int] = {}
        slots: list[Constant] = []
        for o, a in zip(op, arg, strict=True):
            if o == oc.VAR:
                code.append((oc.VAR, used.setdefault(variables[int(a)], len(used))))
            elif o == oc.CONST:
                code.append((oc.CONST, len(slots)))
                slots.append(constants[int(a)])
            else:
                code.append((int(o), 0))
        return Expression(tuple(code), tuple(slots), tuple(used))

    # Arithmetic builds expressions: ``x*y + 1``.
    def __add__(self, other: Expression | float) -> Expression:
        return Expression.apply("+", self, _lift(other))

    def __sub__(self, other: Expression | float) -> Expression:
        return Expression.apply("-", self, _lift(other))

    def __mul__(self, other: Expression | float) -> Expression:
        return Expression.apply("*", self, _lift(other))

    def __truediv__(self, other: Expression | float) -> Expression:
        return Expression.apply("/", self, _lift(other))

    def __pow__(self, other: Expression | float) -> Expression:
        return Expression.apply("**", self, _lift(other))

    def __radd__(self, other: float) -> Expression:
        return _lift(other) + self

    def __rsub__(self, other: float) -> Expression:
        return _lift(other) - self

    def __rmul__(self, other: float) -> Expression:
        return _lift(other) * self

    def __rtruediv__(self, other: float) -> Expression:
        return _lift(other) / self

    def __neg__(self) -> Expression:
        return Expression.apply("neg", self)

    # --- structure ----------------------------------------------------------------------------------------------

    def __reduce__(self) -> Any:
        # Codes of users' operators mean something in this process only; their names mean the same everywhere.
        fields = (self.code, self.constants, self.variables)
        names = {op: ops.BY_OPCODE[op].name for op, _ in self.code if oc.is_user_defined(op)}
        return (_renamed, (*fields, names)) if names else (Expression, fields)

    def __len__(self) -> int:
        return len(self.code)

    @property
    def root(self) -> int:
        """Opcode of the outermost node."""
        return self.code[-1][0]

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """For each node the position where its subtree begins, so ``code[starts[i]:i+1]`` is the subtree of node i."""
        stack: list[int] = []
        begin: list[int] = []
        for i, (op, _) in enumerate(self.code):
            n = oc.arity(op)
            start = i if n == 0 else stack[-n]
            if n:
                del stack[-n:]
            stack.append(start)
            begin.append(start)
        return tuple(begin)

    def subtree(self, node: int) -> Expression:
        """The expression rooted at node ``node``."""
        part = self.code[self.starts[node] : node + 1]
        return Expression.from_arrays([o for o, _ in part], [a for _, a in part], self.variables, self.constants)

    @cached_property
    def children(self) -> tuple[Expression, ...]:
        """The arguments of the outermost operator, left to right."""
        n = oc.arity(self.root)
        if n == 0:
            return ()
        last = len(self.code) - 2
        if n == 1:
            return (self.subtree(last),)
        return (self.subtree(self.starts[last] - 1), self.subtree(last))

    def walk(self) -> Iterator[Expression]:
        """All subexpressions in postfix order; the last one is the expression itself."""
        for i in range(len(self.code)):
            yield self.subtree(i)

    @property
    def depth(self) -> int:
        """Height of the tree; a leaf has depth 1."""
        stack: list[int] = []
        for op, _ in self.code:
            n = oc.arity(op)
            deepest = max(stack[-n:]) if n else 0
            if n:
                del stack[-n:]
            stack.append(deepest + 1)
        return stack[0]

    def complexity(self, weights: Mapping[str, float] | None = None) -> float:
        """Number of nodes, each counted with its operator's weight (default 1; ``weights`` maps operator names)."""
        if not weights:
            return len(self.code)
        table = {ops.BY_NAME[k].opcode: w for k, w in weights.items()}
        return sum(table.get(op, 1) for op, _ in self.code)

    # --- constants ----------------------------------------------------------------------------------------------

    @property
    def values(self) -> NDArray[np.float64]:
        """All constants' values, shape ``(n_constant,)``."""
        return np.array([c.value for c in self.constants], dtype=np.float64)

    @property
    def free(self) -> tuple[int, ...]:
        """Positions of the constants that may be fitted."""
        return tuple(i for i, c in enumerate(self.constants) if c.free)

    def with_values(self, values: Sequence[float] | NDArray[np.float64]) -> Expression:
        """The same formula with new values for all constants, in order."""
        if len(values) != len(self.constants):
            raise ValueError(f"expected {len(self.constants)} constants, got {len(values)}")
        new = tuple(replace(c, value=float(v)) for c, v in zip(self.constants, values, strict=True))
        return Expression(self.code, new, self.variables)

    def without_names(self) -> Expression:
        """The same formula with plain numbers for its named fitted constants."""
        return Expression(
            self.code, tuple(replace(c, name=None) if c.free else c for c in self.constants), self.variables
        )

    def masked(self) -> str:
        """Text with one value in the place of all fitted ones, the same for formulas that differ in these only."""
        return str(self.with_values([1.2345 if c.free else c.value for c in self.constants]))

    def replace_leaf(self, node: int, new: Expression) -> Expression:
        """The expression with the leaf at position ``node`` replaced by ``new``."""
        return self.rebuilt(lambda i, leaf: new if i == node else leaf)

    def replace_node(self, node: int, new: Expression) -> Expression:
        """The expression with the subtree at position ``node`` replaced by ``new``."""
        stack: list[Expression] = []
        for k, (op, _) in enumerate(self.code):
            n = oc.arity(op)
            args = stack[len(stack) - n :]
            del stack[len(stack) - n :]
            if k == node:
                stack.append(new)
            else:
                stack.append(Expression.join(op, args) if n else self.subtree(k))
        return stack[0]

    def substitute(self, formulas: Mapping[str, Expression]) -> Expression:
        """The expression with each variable named in ``formulas`` replaced by its formula."""
        return self.rebuilt(lambda _, leaf: formulas.get(leaf.variables[0], leaf) if leaf.variables else leaf)

    def rebuilt(self, leaf_at: Callable[[int, Expression], Expression]) -> Expression:
        """The expression with each leaf replaced by ``leaf_at(i, leaf)``, where ``i`` is its place in ``code``."""
        stack: list[Expression] = []
        for i, (op, arg) in enumerate(self.code):
            if op == oc.VAR:
                stack.append(leaf_at(i, Expression.variable(self.variables[arg])))
            elif op == oc.CONST:
                stack.append(leaf_at(i, Expression(((oc.CONST, 0),), (self.constants[arg],), ())))
            else:
                n = oc.arity(op)
                args = stack[-n:]
                del stack[-n:]
                stack.append(Expression.join(op, args))
        return stack[0]

    # --- kernel form --------------------------------------------------------------------------------------------

    def arrays(self, columns: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Postfix arrays ``(op, arg)`` with variables numbered by their place in ``columns``; KeyError when one is missing."""
        where = _places(columns)
        index = [where[v] for v in self.variables]
        op = np.array([o for o, _ in self.code], dtype=np.int32)
        arg = np.array([index[a] if o == oc.VAR else a for o, a in self.code], dtype=np.int32)
        return op, arg

    # --- printed forms ------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        return _introduced.writer.plain(self)

    def __repr__(self) -> str:
        return f"Expression({_introduced.writer.shortened(str(self), 200)!r})"

    def pretty(self, digits: int = 4) -> str:
        """Readable text with ``digits`` significant digits."""
        return _introduced.writer.pretty(self, digits)

    def latex(self, digits: int = 4) -> str:
        """LaTeX source."""
        return _introduced.writer.latex(self, digits)

    def numpy_source(self, name: str = "f") -> str:
        """Source of a NumPy function of this formula."""
        return _introduced.writer.numpy_source(self, name)

    def sympy(self):  # type: ignore[no-untyped-def]
        """The formula as a sympy expression with real symbols."""
        return _introduced.to_sympy(self)


def _renamed(
    code: tuple[tuple[int, int], ...],
    constants: tuple[Constant, ...],
    variables: tuple[str, ...],
    names: Mapping[int, str],
) -> Expression:
    """An expression with operators of users, by their names; raises FormulaError where one is not defined."""
    codes = {}
    for opcode, name in names.items():
        row = ops.lookup(name)
        if row is None:
            raise FormulaError(ops.missing((name,)))
        codes[opcode] = row.opcode
    return Expression(tuple((codes.get(op, op), arg) for op, arg in code), constants, variables)


class Writer(Protocol):
    """Something that writes expressions, as :mod:`hypo.expression.printing` does."""

    def plain(self, e: Expression, /) -> str:
        """Exact text."""
        ...

    def pretty(self, e: Expression, digits: int, /) -> str:
        """Readable text."""
        ...

    def latex(self, e: Expression, digits: int, /) -> str:
        """LaTeX source."""
        ...

    def numpy_source(self, e: Expression, name: str, /) -> str:
        """Source of a NumPy function."""
        ...

    def shortened(self, text: str, most: int, /) -> str:
        """Text of at most ``most`` characters."""
        ...


class _Introduced:
    """Who writes expressions. Printers know of expressions, and not the other way round: the package introduces them."""

    writer: Writer
    to_sympy: Callable[[Expression], Any]


_introduced = _Introduced()


def write_by(writer: Writer, to_sympy: Callable[[Expression], Any]) -> None:
    """Let expressions be printed by ``writer``, and turned into those of sympy by ``to_sympy``."""
    _introduced.writer, _introduced.to_sympy = writer, to_sympy


# The columns of the last call, and their places: they are mostly the same, and may be thousands.
_last: tuple[Sequence[str], dict[str, int]] = ((), {})


def _places(columns: Sequence[str]) -> dict[str, int]:
    """The place of each of ``columns``; of a tuple, which cannot change, they are remembered."""
    global _last
    known, where = _last
    if known is not columns:
        where = {name: i for i, name in enumerate(columns)}
        if isinstance(columns, tuple):
            _last = columns, where
    return where


def _lift(value: Expression | float) -> Expression:
    return value if isinstance(value, Expression) else Expression.constant(value)
