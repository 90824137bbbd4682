"""Sums and products of library rows on the device: thresholds for its kernels, and scores of pairs and of whole blocks.

A form holds the rows of some pieces of scans (:mod:`hypo.search.gpu.layout`), the targets of the scans, and offers
``launcher(group, floor, precision)``, the filter for a group of targets of ``groups``,
``near(group, floor, pairs)``, those of listed pairs that may reach the floor as single precision sees it,
``exact(group, i, j)``, their scores (n_pair, n_together) in double precision, and
``against(piece, rows)``, scores (n_target, n_row, n_g) of some rows f of a piece with all its rows g, which is also the
unfused way to scan.
Rows are named by their places, and floors are (n_job, n_target).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from hypo.kernels.cpu.pair_scan import COLLINEAR
from hypo.kernels.gpu import pair_scan as kernel
from hypo.kernels.gpu import pair_scores as rescore
from hypo.kernels.gpu.operands import Operand, below, error, operand, unit_error
from hypo.kernels.gpu.pair_tiles import Launcher, Shape
from hypo.search.gpu.layout import Layout, Piece
from hypo.search.scan.pair_scan import restrict_targets
from hypo.search.scan.prefilter import AXES, Rows

# Columns that the filter multiplies where there are more: the rest is bounded.
WIDTH = 64
# What keeps a target that is nothing, or the room for one, from passing.
NEVER = 1e15
# Bytes of one side that pairs are scored with at once in double precision.
ROOM = 1 << 28
# Numbers below this share of a row's largest leave single precision in a product of squares.
LEAST = 1e-19
# The largest number of a row in a product, so that its square and that of a 10⁻⁴th of it are in the range of halves.
LARGEST = 128.0
# κ: with LARGEST, numbers below that range let pairs pass only whose products are all below 10⁻⁵ of the largest there could be.
GIVE = 2.0**-13


def split(n_pair: int, n: int) -> Iterator[slice]:
    """Slices of pairs of rows of n numbers that fit the room."""
    step = max(1, ROOM // (8 * n))
    return (slice(k, k + step) for k in range(0, n_pair, step))


def _stack(targets: Sequence[Rows], device: torch.device) -> Tensor:
    """Targets (n_job, n_target, n) of all scans, those that some lack all zeros."""
    out = np.zeros((len(targets), max(map(len, targets)), targets[0].shape[1]))
    for k, rows in enumerate(targets):
        out[k, : len(rows)] = rows
    return torch.from_numpy(out).to(device)


class _Form(Layout):
    """The common part of both forms: the layout of pieces, targets ``T`` (n_job, n_target, n), ``together`` of them in a
    launch."""

    T: Tensor
    together: int
    shape: Shape

    def __init__(
        self, targets: Sequence[Rows], pieces: Sequence[Piece], device: torch.device, ordered: Sequence[bool], gap: int
    ) -> None:
        super().__init__(pieces, ordered, gap, max(self.shape.f, self.shape.g), device)
        self.F, self.G, self.n = self.left.rows, self.right.rows, pieces[0].F.shape[1]
        self.T = _stack(targets, device)
        self.job_f, self.job_g = self.jobs(self.left), self.jobs(self.right)
        self._near: tuple[Tensor, Tensor] | None = None

    @property
    def n_target(self) -> int:
        """Most targets of a scan."""
        return int(self.T.shape[1])

    @property
    def groups(self) -> int:
        """Number of groups of targets."""
        return -(-self.n_target // self.together)

    def group(self, number: int) -> slice:
        """The targets of a group."""
        return slice(number * self.together, (number + 1) * self.together)

    def of_rows(self, values: Tensor, jobs: Tensor) -> Tensor:
        """Values (n_job, n_target) of scans for each of their rows, (n_target, n_row)."""
        return values.T[:, jobs]

    def inner(self, rows: Tensor, jobs: Tensor) -> Tensor:
        """Inner products (n_target, n_row) with the targets of each row's scan."""
        if len(self.T) == 1:
            return self.T[0] @ rows.T
        return torch.stack([(rows * t[jobs]).sum(1) for t in self.T.unbind(1)])

    def near(self, group: int, floor: Tensor, pairs: Tensor) -> Tensor:
        """Those of the ``pairs`` (2, n_pair) of places that may reach the floor of a target of a group, in single precision."""
        if self._near is None:
            left = rescore.padded(self._scale(self.F))
            self._near = left, left if self.G is self.F else rescore.padded(self._scale(self.G))
            self._targets = rescore.padded(self.T.flatten(0, 1)).view(*self.T.shape[:2], -1)
        part = self.group(group)
        reach = self._reach(floor, part).float().contiguous()
        targets = self._targets[:, part].contiguous()
        given = *self._near, self._near_basis(), targets, self.job_f, reach, pairs
        return rescore.passing(*given, COLLINEAR**0.5, isinstance(self, SumForm))

    def exact(self, group: int, i: Tensor, j: Tensor) -> Tensor:
        """Scores (n_pair, n_together) of pairs of places for a group of targets in double precision."""
        part = self.group(group)
        out = [self._exact(part, i[s], j[s]) for s in split(len(i), self.n)]
        return torch.cat(out) if out else self.F.new_empty((0, len(self.T[0, part])))

    def _scale(self, rows: Tensor) -> Tensor:
        raise NotImplementedError

    def _near_basis(self) -> Tensor:
        raise NotImplementedError

    def _reach(self, floor: Tensor, part: slice) -> Tensor:
        raise NotImplementedError

    def _exact(self, part: slice, i: Tensor, j: Tensor) -> Tensor:
        raise NotImplementedError


class SumForm(_Form):
    """t ≈ b·f + c·g for unit ``targets`` (n_target, n) of each scan and unit rows.

    R² ≥ T where |ρ − uu'| ≥ vv', u = r/√T, v² = 1 − u² (:mod:`hypo.kernels.cpu.pair_scan`), ρ on some principal axes
    and a bound on what it lacks there.
    """

    together, coarse, shape = kernel.SUM_TARGETS, "fp16", Shape()

    def __init__(
        self, targets: Sequence[Rows], pieces: Sequence[Piece], device: torch.device, ordered: Sequence[bool]
    ) -> None:
        super().__init__(targets, pieces, device, ordered, 1)
        self.rf = self.inner(self.F, self.job_f)
        self.rg = self.rf if self.G is self.F else self.inner(self.G, self.job_g)
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
        """The filter for the pairs that may reach the floor of the targets of a group."""
        (left, beside), (right, beyond) = self._sides()
        if precision not in self._operands:
            self._operands[precision] = (
                operand(left, precision, self.shape.f),
                operand(right, precision, self.shape.g),
            )
        a, b = self._operands[precision]
        n_f, n_g = a.high.shape[-2], b.high.shape[-2]
        least = -unit_error(precision, min(self.n, WIDTH))
        part = self.group(group)
        x, y = _thresholds(self.rf[part], self.of_rows(floor[:, part], self.job_f), self.left.is_filling, n_f)
        u, v = _thresholds(self.rg[part], self.of_rows(floor[:, part], self.job_g), self.right.is_filling, n_g)
        arrays = (*a, *b, x, y, _pad(beside, n_f), u, v, _pad(beyond, n_g))
        kernels = (kernel.sum_margins, kernel.sum_pairs)
        constants = {"TARGETS": len(x), "HIDDEN": self.n > WIDTH}
        return Launcher(kernels, arrays, (n_f, n_g), least, self.shape, precision, **constants)

    def _scale(self, rows: Tensor) -> Tensor:
        return rows

    def _near_basis(self) -> Tensor:
        return self.F.new_empty((0, 1))

    def _reach(self, floor: Tensor, part: slice) -> Tensor:
        own = self.of_rows(floor[:, part], self.job_f)
        # A floor above 1 is out of reach.
        return torch.where(own > 1.0, NEVER, (own - self.rf[part] ** 2).clamp(min=0.0).sqrt())

    def _exact(self, part: slice, i: Tensor, j: Tensor) -> Tensor:
        return self._scores((self.F[i] * self.G[j]).sum(1)[:, None], self.rf[part].T[i], self.rg[part].T[j])

    def against(self, piece: int, rows: Tensor) -> Tensor:
        """R² (n_target, n_row, n_g) of some rows f of a piece with all its rows g, in the type of the rows."""
        b = slice(self.right.begin[piece], self.right.end[piece])
        return self._scores(self.F[rows] @ self.G[b].T, self.rf[:, rows, None], self.rg[:, None, b])

    @staticmethod
    def _scores(rho: Tensor, r: Tensor, q: Tensor) -> Tensor:
        left = 1.0 - rho * rho
        return torch.where(left > COLLINEAR, ((r * r + q * q - 2.0 * (r * q) * rho) / left).clamp(max=1.0), 0.0)


def _pad(values: Tensor, n: int, fill: float = 0.0) -> Tensor:
    out = torch.full((*values.shape[:-1], n), fill, dtype=torch.float32, device=values.device)
    out[..., : values.shape[-1]] = values
    return out


def _thresholds(r: Tensor, floor: Tensor, filling: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """r/√T and what is left of a length of 1 beside it, for n rows; 0 where a row alone reaches T, and out of reach where a row
    only fills up."""
    u2 = r * r / floor.clamp(min=1e-300)
    inside = u2 < 1.0
    u = torch.where(inside, torch.copysign(u2.sqrt(), r), 0.0)
    v = torch.where(inside, (1.0 - u2).clamp(min=0.0).sqrt(), 0.0)
    # A floor above 1 is out of reach.
    v = torch.where((floor > 1.0) | filling, NEVER, v)
    return _pad(u, n), _pad(v, n, NEVER)


class ProductForm(_Form):
    """t ≈ b·f·g + span(basis) for unit ``targets`` (n_target, n) of each scan, orthogonal to an orthonormal ``basis`` of up to
    one row; any rows.

    R² ≥ T where num² + T·shared² ≥ T·den of rows over their largest values, on the probe rows on which the targets are
    largest (T less what the targets lack there). With δ the rounding of an inner product as a share of the lengths, num and
    shared are off by δ·√den and den by δ·den, so that such a pair still has
        num² + T·shared² ≥ C·den,  C = T − (2·√(1 + n_basis) + 1)·δ.
    Halves are off by α (num, shared) and β (den) more, whatever the lengths; as κ·x² − 2·√(1 + n_basis)·α·x, with x² = den, is
    nowhere below −(1 + n_basis)·α²/κ, such a pair has
        num² + T·shared² ≥ (C − κ)·den − (1 + n_basis)·α²/κ − β.
    """

    together, coarse, shape = kernel.PRODUCT_TARGETS, "fp16", Shape()

    def __init__(
        self,
        targets: Sequence[Rows],
        pieces: Sequence[Piece],
        basis: Rows,
        device: torch.device,
        ordered: Sequence[bool],
    ) -> None:
        if len(basis) > 1:
            raise ValueError(f"products on the device take a basis of up to one row, got {len(basis)}")
        super().__init__(targets, pieces, device, ordered, 0)
        self.z = torch.from_numpy(np.ascontiguousarray(basis)).to(device)
        every, chosen = np.concatenate(list(targets)), None
        if self.n > WIDTH:
            chosen = np.sort(np.argsort(-np.sum(every**2, axis=0), kind="stable")[:WIDTH])
        view, z, unseen = restrict_targets(every, basis, chosen)
        cuts = np.cumsum([len(t) for t in targets])[:-1]
        self._view = _stack(np.split(view, cuts), device)
        self._unseen = _stack([u[:, None] for u in np.split(unseen, cuts)], device)[..., 0]
        self._basis = torch.from_numpy(np.ascontiguousarray(z)).to(device)
        self._chosen = slice(None) if chosen is None else torch.from_numpy(chosen).to(device)
        self._operands: dict[tuple[int, str], tuple[Operand, Operand, Operand]] = {}

    def launcher(self, group: int, floor: Tensor, precision: str) -> Launcher:
        """As of :class:`SumForm`."""
        part = self.group(group)
        sides, b, q = self._sides(group, precision)
        own = self.of_rows(floor[:, part], self.job_f)
        reach = (own - self.of_rows(self._unseen[:, part], self.job_f)).clamp(min=0.0)
        n, directions = min(self.n, WIDTH), 1.0 + len(self._basis)
        allowed = reach - (2.0 * directions**0.5 + 1.0) * error(precision, n)
        least = -kernel.TINY
        if precision == "fp16":
            off, off_den = below(precision, 2.0 * n * LARGEST), below(precision, 2.0 * n * LARGEST**2)
            allowed, least = allowed - GIVE, -directions * off * off / GIVE - off_den
        # A floor above 1 is out of reach, and so are rows that only fill up.
        never = (own > 1.0) | self.left.is_filling
        n_f = sides.high.shape[-2]
        reach = _pad(torch.where(never, 0.0, reach), n_f)
        allowed = _pad(torch.where(never, NEVER, allowed), n_f, NEVER)
        arrays = (*sides, *b, *q, reach, allowed)
        kernels = (kernel.product_margins, kernel.product_pairs)
        constants = {"TARGETS": len(reach), "BASIS": len(self._basis) > 0}
        return Launcher(kernels, arrays, (n_f,), least, self.shape, precision, **constants)

    def _sides(self, group: int, precision: str) -> tuple[Operand, Operand, Operand]:
        """F², F∘z and F∘t of a group, below one another; G; G². Squares of rows that only fill up are ones, so that no product
        with them is small."""
        if (group, precision) not in self._operands:
            left = LARGEST * self._scale(self.F[:, self._chosen]).double()
            z = self._basis[0] if len(self._basis) else torch.zeros_like(left[0])
            across = [left * t[self.job_f] for t in self._view[:, self.group(group)].unbind(1)]
            squares = torch.where(self.left.is_filling[:, None], 1.0, left * left)
            first = self._operands.get((0, precision))
            if first is None:
                right = LARGEST * self._scale(self.G[:, self._chosen]).double()
                beyond = torch.where(self.right.is_filling[:, None], 1.0, right * right)
                g, g2 = operand(right, precision, self.shape.g), operand(beyond, precision, self.shape.g)
            else:
                _, g, g2 = first
            sides = operand(torch.stack([squares, left * z, *across]), precision, self.shape.f)
            self._operands[group, precision] = sides, g, g2
        return self._operands[group, precision]

    def _scale(self, rows: Tensor) -> Tensor:
        """Rows over their largest values in single precision, as :func:`hypo.search.scan.pair_scan.scale_rows`."""
        out = (rows / rows.abs().amax(1, keepdim=True).clamp(min=1e-300)).float()
        return torch.where(out.abs() < LEAST, 0.0, out)

    def _near_basis(self) -> Tensor:
        return rescore.padded(self.z) if len(self.z) else self.z

    def _reach(self, floor: Tensor, part: slice) -> Tensor:
        own = self.of_rows(floor[:, part], self.job_f)
        return torch.where(own > 1.0, NEVER, own.sqrt())

    def _exact(self, part: slice, i: Tensor, j: Tensor) -> Tensor:
        p = self.F[i] * self.G[j]
        if len(self.T) == 1:
            num = p @ self.T[0, part].T
        else:
            num = torch.stack([(p * t[self.job_f[i]]).sum(1) for t in self.T[:, part].unbind(1)], 1)
        return self._scores(num, (p * p).sum(1)[:, None], ((p @ self.z.T) ** 2).sum(1)[:, None])

    def against(self, piece: int, rows: Tensor) -> Tensor:
        """R² (n_target, n_row, n_g) of some rows f of a piece with all its rows g, in the type of the rows."""
        f, g = self.F[rows], self.G[self.right.begin[piece] : self.right.end[piece]]
        shared = torch.zeros((1, 1), dtype=f.dtype, device=f.device)
        for z in self.z:
            shared = shared + ((f * z) @ g.T) ** 2
        den = (f * f) @ (g * g).T
        return torch.stack([self._scores((f * t) @ g.T, den, shared) for t in self.T[self.job[piece]]])

    @staticmethod
    def _scores(num: Tensor, den: Tensor, shared: Tensor) -> Tensor:
        rest = den - shared
        # What overflows is no product at all, as in the kernel of the processor.
        return torch.where(rest > COLLINEAR * den, (num * num / rest).clamp(max=1.0), 0.0).nan_to_num(0.0)
