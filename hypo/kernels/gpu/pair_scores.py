"""Listed pairs in single precision: which of them may reach a score. What is left goes to double precision.

The filter (:mod:`hypo.kernels.gpu.pair_scan`) knows inner products only, so that what they leave of each other, den −
shared² or 1 − ρ², is known to the rounding of 1, and all pairs pass of which little is left: nearly parallel rows,
products nearly constant. Here the elements of a pair are at hand, and what is left is computed itself,
    p = g, q = p − f·⟨f, p⟩ (sum)    or    p = f∘g, q = p − z·⟨z, p⟩ for the basis row z, if any (product).
A pair reaches the score T of a unit target t where |⟨t, q⟩| ≥ c·‖q‖, with c² = T for products and T less what f alone explains
for sums. With rounding u = 2⁻²⁴ and sums of n numbers as sums of sums, of h additions on the way of any number, in
whatever order, first order in u and in units of u·‖p‖
    p is off by 3, ⟨z, p⟩ by 5 + h, q by 11 + h, ⟨t, q⟩ by 13 + 2h, ‖q‖ by 13 + 1.5·h, ‖p‖ by 5 + h/2 in itself,
so that no pair is lost whose ⟨t, q⟩ and ‖q‖ get ``slack``·‖p‖ of room each, slack = (24 + 3h)·u. A pair whose ‖q‖ is beyond
doubt too small a share of ‖p‖ for a score (``dependent``) goes too. A pair reads 8n bytes, most from the caches, because listed
pairs of a tile share their rows; scores in double precision by tensors move more than ten times as many.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

# Rounding of one operation in single precision, relative to its result.
ROUNDING = 2.0**-24
# A length below which products of numbers in single precision leave the range.
SHORTEST = 1e-10
# Numbers of either row that a program holds.
ELEMENTS = 4096


def inner(width: int) -> int:
    """Numbers of a row of a power of two that are added up at first."""
    return int(1 << (width.bit_length() // 2))


def slack(width: int) -> float:
    """Room for the rounding of ⟨t, q⟩ and of ‖q‖, as a share of ‖p‖, for rows of so many numbers."""
    return (24.0 + 3.0 * (inner(width) + width // inner(width) - 2)) * ROUNDING


def padded(rows: Tensor) -> Tensor:
    """Rows (n_row, n) in single precision with zeros up to a power of two."""
    n_row, n = rows.shape
    out = torch.zeros((n_row, max(16, 1 << (n - 1).bit_length())), dtype=torch.float32, device=rows.device)
    out[:, :n] = rows
    return out


@triton.jit
def _total(x, BLOCK: tl.constexpr, K: tl.constexpr, INNER: tl.constexpr):
    """Σ of each row as a sum of sums, which bounds how often a number is added to."""
    return tl.sum(tl.sum(tl.reshape(x, [BLOCK, K // INNER, INNER]), 2), 1)


@triton.jit
def may_reach(
    F,
    G,
    basis,
    targets,
    job,
    reach,
    pairs,
    passes,
    n_pair,
    n_f,
    slack,
    dependent,
    shortest,
    K: tl.constexpr,
    INNER: tl.constexpr,
    BLOCK: tl.constexpr,
    BASIS: tl.constexpr,
    TARGETS: tl.constexpr,
    SUM: tl.constexpr,
):
    """Some ``pairs`` (2, n_pair) of rows F (n_f, K), G (n_g, K): ``passes`` (n_pair,) gets 1 where one may reach c, ``reach``
    (TARGETS, n_f), of a target of the row's ``job`` (n_f,), ``targets`` (n_job, TARGETS, K); ``basis`` (BASIS, K)."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n_pair
    i, j = tl.load(pairs + at, mask=inside, other=0), tl.load(pairs + n_pair + at, mask=inside, other=0)
    k = tl.arange(0, K)[None, :]
    f, q = tl.load(F + i[:, None].to(tl.int64) * K + k), tl.load(G + j[:, None].to(tl.int64) * K + k)
    if not SUM:
        q = f * q
    size = tl.sqrt(_total(q * q, BLOCK, K, INNER))
    if SUM:
        q = q - f * _total(q * f, BLOCK, K, INNER)[:, None]
    for b in tl.static_range(BASIS):
        z = tl.load(basis + b * K + k)
        q = q - z * _total(q * z, BLOCK, K, INNER)[:, None]
    rest = tl.sqrt(_total(q * q, BLOCK, K, INNER))
    room = slack * size
    own = targets + tl.load(job + i)[:, None] * (TARGETS * K) + k
    good = size < shortest
    for t in tl.static_range(TARGETS):
        num = tl.abs(_total(q * tl.load(own + t * K), BLOCK, K, INNER))
        good = good | (num + room >= tl.load(reach + t * n_f + i) * (rest - room))
    good = good & ((rest + room >= dependent * size) | (size < shortest))
    tl.store(passes + at, good.to(tl.int8), mask=inside)


def passing(
    F: Tensor,
    G: Tensor,
    basis: Tensor,
    targets: Tensor,
    job: Tensor,
    reach: Tensor,
    pairs: Tensor,
    dependent: float,
    sums: bool,
) -> Tensor:
    """Those of the ``pairs`` (2, n_pair) that may reach a score; arguments as of :func:`may_reach`."""
    n_pair, width = pairs.shape[1], F.shape[1]
    passes = torch.zeros(n_pair, dtype=torch.int8, device=pairs.device)
    block = max(1, ELEMENTS // width)
    if n_pair:
        may_reach[(triton.cdiv(n_pair, block),)](
            F, G, basis, targets, job, reach, pairs.contiguous(), passes, n_pair, reach.shape[1], slack(width), dependent,
            SHORTEST, K=width, INNER=inner(width), BLOCK=block, BASIS=len(basis), TARGETS=targets.shape[1], SUM=sums,
            num_warps=8,
        )  # fmt: skip
    return pairs[:, torch.nonzero(passes).view(-1)]
