"""Packed dimensions of many candidates at once: :func:`hypo.kernels.cpu.enumerate.unary_dimension` and its like on tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from hypo.expression import operators as ops
from hypo.kernels import opcodes as oc
from hypo.kernels.cpu import enumerate as kernel

INVALID = int(kernel.INVALID)


def _digits_ok(d: Tensor, bits: int, n_field: int, divisor: int, limit: int) -> Tensor:
    half, full = 1 << (bits - 1), 1 << bits
    ok = torch.ones_like(d, dtype=torch.bool)
    for _ in range(n_field):
        low = d & (full - 1)
        low = torch.where(low >= half, low - full, low)
        ok &= (low % divisor == 0) & (low.abs() <= limit)
        d = (d - low) >> bits
    return ok


def unary_dimensions(op: int, d: Tensor, bits: int, n_field: int) -> Tensor:
    """Packed dimensions of ``op(u)`` for dimensions ``d``, INVALID where there is none."""
    if op in (oc.NEG, oc.ABS):
        return d
    if op == oc.INV:
        return -d
    limit = (1 << (bits - 2)) - 1
    if op in (oc.SQUARE, oc.CUBE):
        power = 2 if op == oc.SQUARE else 3
        return torch.where(_digits_ok(d, bits, n_field, 1, limit // power), power * d, INVALID)
    if op in (oc.SQRT, oc.CBRT):
        root = 2 if op == oc.SQRT else 3
        whole = torch.div(d, root, rounding_mode="floor")
        return torch.where(_digits_ok(d, bits, n_field, root, limit), whole, INVALID)
    if ops.BY_OPCODE[op].dimension != "dimensionless":
        raise ops.unknown(op, "the table of dimensions on a GPU (search/gpu/dimensions.py)")
    return torch.where(d == 0, 0, INVALID)


def binary_dimensions(op: int, d: Tensor, e: Tensor, bits: int, n_field: int) -> Tensor:
    """Packed dimensions of ``op(u, v)`` for dimensions ``d`` and ``e``, INVALID where there is none."""
    if op in (oc.ADD, oc.SUB, oc.MIN, oc.MAX):
        return torch.where(d == e, d, INVALID)
    if op in (oc.MUL, oc.DIV):
        r = d + e if op == oc.MUL else d - e
        return torch.where((r == 0) | _digits_ok(r, bits, n_field, 1, (1 << (bits - 2)) - 1), r, INVALID)
    if op != oc.POW:
        raise ops.unknown(op, "the table of dimensions on a GPU (search/gpu/dimensions.py)")
    return torch.where((d == 0) & (e == 0), 0, INVALID)
