"""Operands of tensor cores: rows rounded to a precision, padded to tiles, and what the rounding can do to an inner product.

    precision   operand                  relative rounding   passes
    fp16        one half                 2⁻¹¹                1         range 6e-8 … 65504
    bf16        one bfloat16             2⁻⁸                 1
    tf32        float32 cut to 11 bits   2⁻¹¹                2
    bf16x3      high + low bfloat16      2⁻¹⁶                3         high·high + high·low + low·high
    float32     one float32              2⁻²⁴                about 12  on the other units

A pass is a product of two bfloat16 matrices. Rows are rounded here, to nearest, so that what the hardware does with
longer operands does not matter; products add up in single precision everywhere.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# Rounding of one operand, relative to it.
ROUNDING = {"fp16": 2.0**-11, "bf16": 2.0**-8, "tf32": 2.0**-11, "bf16x3": 2.0**-16, "float32": 2.0**-24}
# Passes of bfloat16 that a product takes: what the tensor-core limit is divided by.
PASSES = {"fp16": 1.0, "bf16": 1.0, "tf32": 2.0, "bf16x3": 3.0, "float32": 12.0}
# Rounding of one addition: tensor cores cut what they add where a processor rounds it.
ADDITION = 2.0**-22
# Absolute rounding of numbers below the range of halves.
HALF_STEP = 2.0**-25
# Fewest columns that tensor cores multiply.
LEAST_WIDTH = 16
# Most columns that a tile holds.
MOST_WIDTH = 128


class Operand(NamedTuple):
    """Rows (…, n_padded, width) as tensor cores read them, and what ``bf16x3`` adds to them (else the same again)."""

    high: Tensor
    low: Tensor


def width(n: int) -> int:
    """Columns of an operand: a power of two, ``LEAST_WIDTH`` to ``MOST_WIDTH``."""
    if n > MOST_WIDTH:
        raise ValueError(f"a tile holds up to {MOST_WIDTH} columns, got {n}")
    return max(LEAST_WIDTH, 1 << (n - 1).bit_length())


def operand(rows: Tensor, precision: str, block: int) -> Operand:
    """``rows`` (…, n, n_column) rounded, with zeros up to whole blocks of rows and a whole width."""
    n, k = rows.shape[-2:]
    padded = torch.zeros((*rows.shape[:-2], n + -n % block, width(k)), dtype=torch.float32, device=rows.device)
    padded[..., :n, :k] = rows
    if precision == "fp16":
        high = padded.to(torch.float16)
    elif precision == "tf32":
        # Half a unit of the last bit kept, then the bits below it away.
        high = ((padded.view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)
    elif precision == "float32":
        high = padded
    else:
        high = padded.to(torch.bfloat16)
        if precision == "bf16x3":
            return Operand(high, (padded - high.to(torch.float32)).to(torch.bfloat16))
    return Operand(high, high)


def error(precision: str, n_column: int) -> float:
    """Most that an inner product Σ f·g may be off, as a share of Σ |f|·|g|."""
    u = ROUNDING[precision]
    dropped = ROUNDING["bf16"] ** 2 if precision == "bf16x3" else 0.0
    # The rows themselves were rounded to single precision before.
    return (1.0 + u) ** 2 * (1.0 + 2.0**-23) - 1.0 + dropped + (width(n_column) + 8) * ADDITION


def below(precision: str, total: float) -> float:
    """The amount to be added to ``error`` for numbers below the range of halves (2⁻¹⁴), which are off by up to ``HALF_STEP``,
    where Σ |f| + Σ |g| is at most ``total``."""
    return HALF_STEP * total * (1.0 + 2.0 * ROUNDING["fp16"]) if precision == "fp16" else 0.0


def unit_error(precision: str, n_column: int) -> float:
    """Most that an inner product of rows of length up to 1 may be off."""
    # Σ |f| ≤ √n for rows of length 1.
    return error(precision, n_column) + below(precision, 2.0 * n_column**0.5)
