"""Random programs, and the engines that evaluate them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypo.kernels import opcodes as oc

# Columns of the table.
COLUMNS = 10
# Trees of a batch.
TREES = 60
# Nodes of a tree, at most.
NODES = 64
ARITHMETIC = (oc.ADD, oc.SUB, oc.MUL, oc.DIV)
Array = NDArray[np.floating]


@dataclass(frozen=True)
class Batch:
    """Postfix programs as in :mod:`hypo.kernels.cpu.evaluate`."""

    op: NDArray[np.int32]
    arg: NDArray[np.int32]
    start: NDArray[np.int64]
    const: Array
    const_start: NDArray[np.int64]

    @staticmethod
    def random(seed: int, functions: tuple[int, ...]) -> Batch:
        """``TREES`` trees of uniform size; three of ten leaves are constants, three of ten inner nodes functions."""
        rng = np.random.default_rng(seed)

        def grow(n: int) -> list[tuple[int, float]]:
            if n == 1:
                if rng.random() < 0.3:
                    return [(oc.CONST, float(np.float32(rng.uniform(0.5, 2.0))))]
                return [(oc.VAR, float(rng.integers(COLUMNS)))]
            if functions and (n == 2 or rng.random() < 0.3):
                return [*grow(n - 1), (int(rng.choice(functions)), 0.0)]
            left = int(rng.integers(1, n - 1)) if functions else 2 * int(rng.integers(0, (n - 1) // 2)) + 1
            return [*grow(left), *grow(n - 1 - left), (int(rng.choice(ARITHMETIC)), 0.0)]

        op: list[int] = []
        arg: list[int] = []
        const: list[float] = []
        start, const_start = [0], []
        for _ in range(TREES):
            n = int(rng.integers(1, NODES + 1))
            const_start.append(len(const))
            # Trees of operators with two arguments have an odd number of nodes.
            for code, value in grow(n if functions else n - 1 + n % 2):
                op.append(code)
                arg.append(len(const) - const_start[-1] if code == oc.CONST else int(value))
                if code == oc.CONST:
                    const.append(value)
            start.append(len(op))
        return Batch(
            np.array(op, np.int32), np.array(arg, np.int32), np.array(start), np.array(const), np.array(const_start)
        )

    @property
    def programs(self) -> list[tuple[NDArray[np.int32], NDArray[np.int32], Array]]:
        """(op, arg, const) of each program."""
        const_end = [*self.const_start[1:], len(self.const)]
        return [
            (self.op[a:b], self.arg[a:b], self.const[c:d])
            for a, b, c, d in zip(self.start[:-1], self.start[1:], self.const_start, const_end, strict=True)
        ]


def hypo_job(batch: Batch, X: Array, out: Array) -> Callable[[], object]:
    """All values by one call."""
    from hypo.kernels.cpu.evaluate import evaluate

    const = batch.const.astype(X.dtype)
    return lambda: evaluate(batch.op, batch.arg, batch.start, const, batch.const_start, X, out)


def gradient_job(batch: Batch, X: Array) -> Callable[[], object]:
    """Values and gradients in all constants, a call per tree."""
    from hypo.kernels.cpu.evaluate import value_and_gradient

    out = np.empty(X.shape[1], X.dtype)
    work = [(op, arg, c.astype(X.dtype), np.empty((len(c), X.shape[1]), X.dtype)) for op, arg, c in batch.programs]

    def job() -> None:
        for op, arg, const, grad in work:
            value_and_gradient(op, arg, const, X, out, grad)

    return job


def numpy_job(batch: Batch, X: Array, out: Array) -> Callable[[], object]:
    """All values by numpy, an operation at a time."""
    does = {
        oc.ADD: np.add,
        oc.SUB: np.subtract,
        oc.MUL: np.multiply,
        oc.DIV: np.divide,
        oc.EXP: np.exp,
        oc.LOG: np.log,
        oc.SIN: np.sin,
    }
    programs = [(op, arg, const.astype(X.dtype)) for op, arg, const in batch.programs]

    def job() -> None:
        with np.errstate(all="ignore"):
            for (op, arg, const), line in zip(programs, out, strict=True):
                stack: list[Array] = []
                for code, a in zip(op, arg, strict=True):
                    if code < oc.FIRST_UNARY:
                        stack.append(X[a] if code == oc.VAR else const[a])
                    elif code < oc.FIRST_BINARY:
                        stack.append(does[code](stack.pop()))
                    else:
                        right = stack.pop()
                        stack.append(does[code](stack.pop(), right))
                line[:] = stack[0]

    return job


def operon_job(batch: Batch, X: Array, out: Array) -> Callable[[], object] | None:
    """All values by one call of pyoperon with one thread; None where it is not installed."""
    try:
        import pyoperon
    except ImportError:
        return None
    kind = pyoperon.NodeType
    does = {
        oc.ADD: kind.Add,
        oc.SUB: kind.Sub,
        oc.MUL: kind.Mul,
        oc.DIV: kind.Div,
        oc.EXP: kind.Exp,
        oc.LOG: kind.Log,
        oc.SIN: kind.Sin,
    }
    table = np.asfortranarray(X.T, dtype=np.float32)
    dataset = pyoperon.Dataset(table)
    names = [v.Hash for v in dataset.Variables]

    def leaf(code: int, a: int, const: Array) -> object:
        if code == oc.VAR:
            node = pyoperon.Node(kind.Variable, names[a])
            node.Value = 1.0
            return node
        return pyoperon.Node.Constant(float(const[a]))

    trees = []
    for op, arg, const in batch.programs:
        stack: list[list[object]] = []
        for code, a in zip(op, arg, strict=True):
            if code < oc.FIRST_UNARY:
                stack.append([leaf(code, a, const)])
            elif code < oc.FIRST_BINARY:
                stack[-1].append(pyoperon.Node(does[code]))
            else:
                # Operon's first argument is the one next to the operator.
                right = stack.pop()
                stack.append([*right, *stack.pop(), pyoperon.Node(does[code])])
        tree = pyoperon.Tree(stack[0])
        tree.UpdateNodes()
        trees.append(tree)
    whole = pyoperon.Range(0, X.shape[1])

    def job(keep: object = table) -> None:
        # The data set looks into ``table`` without holding it.
        pyoperon.EvaluateTrees(trees, dataset, whole, out, 1)

    return job
