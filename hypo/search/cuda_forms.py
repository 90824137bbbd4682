"""Sums and products of library rows on the device: thresholds for its kernels, and scores of single pairs and whole blocks.

Both forms offer the same: ``n_f``, ``n_g``, ``launcher(group, floor, precision)``, the filter for a group of targets
of ``groups``, ``exact(i, j)``, scores (n_pair, n_target) in double precision, and ``against(rows)``, scores
(n_target, n_row, n_g) of some rows f with all g, which is also the unfused way to scan. Rows may be in an order
of their own (:mod:`hypo.kernels.cuda_order`): ``order_f`` and ``order_g`` say where each came from.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hypo.kernels import cuda_scan as kernel
from hypo.kernels.cuda_operands import Operand, error, operand, unit_error
from hypo.kernels.cuda_order import clustered
from hypo.kernels.cuda_scan import Launcher, Shape
from hypo.kernels.scan import COLLINEAR
from hypo.search.columns import AXES
from hypo.search.scan import Rows, scaled, seen

# Columns that the filter multiplies where there are more: the rest is bounded.
WIDTH = 64
# What keeps a target that is nothing, or the room for one, from passing.
NEVER = 1e15
# Bytes of one side that pairs are scored with at once in double precision.
ROOM = 1 << 28


def tensor(rows: NDArray[np.float64] | NDArray[np.float32], device: torch.device) -> Tensor:
    """Rows on the device."""
    return torch.from_numpy(np.ascontiguousarray(rows)).to(device)


def split(n_pair: int, n: int) -> Iterator[slice]:
    """Slices of pairs of rows of n numbers that fit the room."""
    step = max(1, ROOM // (8 * n))
    return (slice(k, k + step) for k in range(0, n_pair, step))


def _ordered(rows: Tensor, ordered: bool) -> Tensor:
    """The order of clusters, or the given one."""
    if not ordered:
        return torch.arange(len(rows), device=rows.device)
    size = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return clustered(torch.where(size > 0, rows / size, 0.0).nan_to_num(0.0))


class _Grouped:
    """Targets ``T`` in groups of ``together`` that share a launch."""

    T: Tensor
    together: int

    @property
    def groups(self) -> int:
        """Number of groups."""
        return -(-len(self.T) // self.together)

    def group(self, number: int) -> slice:
        """The targets of a group."""
        return slice(number * self.together, (number + 1) * self.together)


class Sums(_Grouped):
    """t ≈ b·f + c·g for unit ``targets`` (n_target, n) and unit rows F, G (n_f, n), (n_g, n); G None means F.

    R² ≥ T where |ρ − uu'| ≥ vv', u = r/√T, v² = 1 − u² (:mod:`hypo.kernels.scan`), ρ on some principal axes and a bound on what
    it lacks there.
    """

    gap, together = 1, kernel.SUM_TARGETS
    coarse, shape = "fp16", Shape()

    def __init__(self, targets: Rows, F: Rows, G: Rows | None, device: torch.device, ordered: bool = False) -> None:
        self.F, self.T = tensor(F, device), tensor(targets, device)
        self.order_f = self.order_g = _ordered(self.F, ordered)
        self.F = self.G = self.F[self.order_f]
        if G is not None:
            self.G = tensor(G, device)
            self.order_g = _ordered(self.G, ordered)
            self.G = self.G[self.order_g]
        self.n_f, self.n_g, self.n = len(self.F), len(self.G), F.shape[1]
        self.rf, self.rg = self.T @ self.F.T, self.T @ self.G.T
        self._along: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
        self._operands: dict[str, tuple[Operand, Operand]] = {}

    def _sides(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Either side's rows on the axes, and the lengths of what they have beside them."""
        if self._along is None:
            if self.n <= WIDTH:
                self._along = tuple((rows, torch.zeros_like(rows[:, 0])) for rows in (self.F, self.G))  # type: ignore[assignment]
            else:
                some = torch.cat([rows[:: 1 + len(rows) // AXES] for rows in (self.F, self.G)])
                axes = torch.linalg.eigh(some.T @ some)[1][:, -WIDTH:]
                on = [rows @ axes for rows in (self.F, self.G)]
                self._along = tuple((a, (1.0 - (a * a).sum(1)).clamp(min=0.0).sqrt()) for a in on)  # type: ignore[assignment]
        assert self._along is not None
        return self._along

    def launcher(self, group: int, floor: Tensor, precision: str) -> Launcher:
        """The filter for the pairs that may reach the ``floor`` (n_target,) of the targets of a group."""
        (left, beside), (right, beyond) = self._sides()
        if precision not in self._operands:
            self._operands[precision] = (
                operand(left, precision, self.shape.f), operand(right, precision, self.shape.g)
            )
        a, b = self._operands[precision]
        n_f, n_g = a.high.shape[-2], b.high.shape[-2]
        least = -unit_error(precision, min(self.n, WIDTH))
        part = self.group(group)
        x, y = _thresholds(self.rf[part], floor[part], n_f)
        u, v = _thresholds(self.rg[part], floor[part], n_g)
        arrays = (*a, *b, x, y, _padded(beside, n_f), u, v, _padded(beyond, n_g))
        kernels = (kernel.sum_margins, kernel.sum_pairs)
        return Launcher(kernels, arrays, (n_f, n_g), least, self.shape, precision, TARGETS=len(x))

    def exact(self, i: Tensor, j: Tensor) -> Tensor:
        """R² (n_pair, n_target) in double precision."""
        out = [self._scores((self.F[i[s]] * self.G[j[s]]).sum(1)[:, None], self.rf.T[i[s]], self.rg.T[j[s]])
               for s in split(len(i), self.n)]
        return torch.cat(out) if out else self.rf.new_empty((0, len(self.T)))

    def against(self, rows: Tensor) -> Tensor:
        """R² (n_target, n_row, n_g) of some rows f with all g, in the type of the rows."""
        return self._scores(self.F[rows] @ self.G.T, self.rf[:, rows, None], self.rg[:, None, :])

    @staticmethod
    def _scores(rho: Tensor, r: Tensor, q: Tensor) -> Tensor:
        left = 1.0 - rho * rho
        return torch.where(left > COLLINEAR, ((r * r + q * q - 2.0 * (r * q) * rho) / left).clamp(max=1.0), 0.0)


def _padded(values: Tensor, n: int) -> Tensor:
    out = torch.zeros((*values.shape[:-1], n), dtype=torch.float32, device=values.device)
    out[..., : values.shape[-1]] = values
    return out


def _thresholds(r: Tensor, floor: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """r/√T and what is left of a length of 1 beside it, padded to n rows; 0 where a row alone reaches T."""
    u2 = r * r / floor[:, None].clamp(min=1e-300)
    inside = u2 < 1.0
    u = torch.where(inside, torch.copysign(u2.sqrt(), r), 0.0)
    v = torch.where(inside, (1.0 - u2).clamp(min=0.0).sqrt(), 0.0)
    # A floor above 1 is out of reach.
    v[floor > 1.0] = NEVER
    return _padded(u, n), _padded(v, n)


class Products(_Grouped):
    """t ≈ b·f·g + span(basis) for unit ``targets`` orthogonal to an orthonormal ``basis`` of up to one row; any rows F, G.

    R² ≥ T where num² + T·shared² ≥ T·den of rows over their largest values, on the probe rows on which the targets are
    largest (T less what the targets lack there). With δ the rounding of an inner product as a share of the lengths, num and
    shared are off by δ·√den and den by δ·den, so that such a pair still has
        num² + T·shared² ≥ C·den,  C = T − (2·√(1 + n_basis) + 1)·δ.
    """

    gap, together = 0, kernel.PRODUCT_TARGETS
    coarse, shape = "tf32", Shape()

    def __init__(
        self, targets: Rows, F: Rows, G: Rows | None, basis: Rows, device: torch.device, ordered: bool = False
    ) -> None:
        if len(basis) > 1:
            raise ValueError(f"products on the device take a basis of up to one row, got {len(basis)}")
        self.F, self.T, self.z = tensor(F, device), tensor(targets, device), tensor(basis, device)
        short = [tensor(scaled(rows), device) for rows in ([F] if G is None else [F, G])]
        self.order_f = self.order_g = _ordered(short[0].double(), ordered)
        self.F = self.G = self.F[self.order_f]
        if G is not None:
            self.order_g = _ordered(short[1].double(), ordered)
            self.G = tensor(G, device)[self.order_g]
        self.n_f, self.n_g, self.n = len(self.F), len(self.G), F.shape[1]
        chosen = None
        if self.n > WIDTH:
            chosen = np.sort(np.argsort(-np.sum(targets**2, axis=0), kind="stable")[:WIDTH])
        view, z, unseen = seen(targets, basis, chosen)
        self._view, self._basis = tensor(view, device), tensor(z, device)
        self._unseen = tensor(unseen, device)
        self._short = [rows[order] for rows, order in zip(short, (self.order_f, self.order_g), strict=False)]
        if chosen is not None:
            self._short = [rows[:, torch.from_numpy(chosen).to(device)] for rows in self._short]
        self._operands: dict[tuple[int, str], tuple[Operand, Operand, Operand]] = {}

    def launcher(self, group: int, floor: Tensor, precision: str) -> Launcher:
        """As of :class:`Sums`. Raises ValueError for halves."""
        if precision == "fp16":
            raise ValueError("halves have too small a range for products of rows; choose tf32, bf16 or bf16x3")
        part = self.group(group)
        sides, b, q = self._sides(group, precision)
        reach = (floor[part] - self._unseen[part]).clamp(min=0.0)
        allowed = reach - (2.0 * (1.0 + len(self._basis)) ** 0.5 + 1.0) * error(precision, self._short[0].shape[1])
        # A floor above 1 is out of reach.
        reach, allowed = torch.where(floor[part] > 1.0, 0.0, reach), torch.where(floor[part] > 1.0, NEVER, allowed)
        arrays = (*sides, *b, *q, reach.float(), allowed.float())
        kernels = (kernel.product_margins, kernel.product_pairs)
        constants = {"TARGETS": len(reach), "BASIS": len(self._basis) > 0}
        return Launcher(kernels, arrays, (sides.high.shape[-2],), -kernel.TINY, self.shape, precision, **constants)

    def _sides(self, group: int, precision: str) -> tuple[Operand, Operand, Operand]:
        """F², F∘z and F∘t of a group, below one another; G; G²."""
        if (group, precision) not in self._operands:
            part = self.group(group)
            left, right = self._short[0].double(), self._short[-1].double()
            z = self._basis[0] if len(self._basis) else torch.zeros_like(left[0])
            sides = torch.stack([left * left, left * z, *(left * t for t in self._view[part])])
            first = self._operands.get((0, precision))
            self._operands[group, precision] = (
                operand(sides, precision, self.shape.f),
                operand(right, precision, self.shape.g) if first is None else first[1],
                operand(right * right, precision, self.shape.g) if first is None else first[2],
            )
        return self._operands[group, precision]

    def exact(self, i: Tensor, j: Tensor) -> Tensor:
        """R² (n_pair, n_target) in double precision."""
        out = []
        for s in split(len(i), self.n):
            p = self.F[i[s]] * self.G[j[s]]
            out.append(self._scores((p @ self.T.T), (p * p).sum(1)[:, None], ((p @ self.z.T) ** 2).sum(1)[:, None]))
        return torch.cat(out) if out else self.T.new_empty((0, len(self.T)))

    def against(self, rows: Tensor) -> Tensor:
        """R² (n_target, n_row, n_g) of some rows f with all g, in the type of the rows."""
        f = self.F[rows]
        shared = torch.zeros((1, 1), dtype=f.dtype, device=f.device)
        for z in self.z:
            shared = shared + ((f * z) @ self.G.T) ** 2
        den = (f * f) @ (self.G * self.G).T
        return torch.stack([self._scores((f * t) @ self.G.T, den, shared) for t in self.T])

    @staticmethod
    def _scores(num: Tensor, den: Tensor, shared: Tensor) -> Tensor:
        rest = den - shared
        # What overflows is no product at all, as in the kernel of the processor.
        return torch.where(rest > COLLINEAR * den, (num * num / rest).clamp(max=1.0), 0.0).nan_to_num(0.0)
