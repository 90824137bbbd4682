"""Large levels of a library on the device: candidates are made, measured and deduplicated there, members come back.

The rules are those of :mod:`hypo.kernels.cpu.enumerate` and :mod:`hypo.kernels.cpu.member_table`. Instead of a hash
table there are *runs*: candidates and members sorted by a number that equal ones have in common (projection, logarithm
of the norm, dimension), cut where neighbours are farther apart than equal ones can be. In each run the earliest
candidate or member is compared, row by row, with all later ones; those it stands for go, the earliest of the others is
the next, until nobody is left. So every candidate meets every member that could be its equal, in their order, as on the
processor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hypo.clock import now
from hypo.expression import operators as ops
from hypo.kernels import opcodes as oc
from hypo.kernels.cpu import enumerate as kernel
from hypo.kernels.cpu import member_table as rules
from hypo.search.gpu.devices import Attempts
from hypo.search.gpu.dimensions import binary_dimensions, unary_dimensions
from hypo.search.library.library import Library, Seed

# Candidates from which on a level goes to the device.
WORTH = 1_000_000
# Candidates that are made at a time.
CHUNK = 1 << 20
# What is kept of a member on the device beside its row.
FIELDS = ("projection", "norm", "dims", "mask", "shape")
# What tells runs of different norms apart, in the number that is sorted by.
NORM_SHARE = 0.37
# What tells runs of different dimensions apart there: a step for each remainder of their code by DIMENSIONS, a prime.
DIMENSION_STEP = 617.3
DIMENSIONS = 8191

_UNARY: ops.ByOpcode[Callable[[Tensor], Tensor]] = ops.ByOpcode("enumeration on a GPU (search/gpu/library.py)", {
    oc.NEG: torch.neg, oc.SQUARE: torch.square, oc.CUBE: lambda u: u * u * u, oc.SQRT: torch.sqrt, oc.EXP: torch.exp,
    oc.SIN: torch.sin, oc.COS: torch.cos, oc.TAN: torch.tan, oc.TANH: torch.tanh, oc.SINH: torch.sinh, oc.COSH: torch.cosh,
    oc.ASIN: torch.asin, oc.ACOS: torch.acos, oc.ATAN: torch.atan, oc.ABS: torch.abs,
    oc.CBRT: lambda u: torch.copysign(u.abs().pow(1.0 / 3.0), u),
    oc.LOG: lambda u: torch.where(u > 0, u, torch.nan).log(),
    oc.INV: lambda u: torch.where(u != 0, u, torch.nan).reciprocal(),
})  # fmt: skip
_BINARY: ops.ByOpcode[Callable[[Tensor, Tensor], Tensor]] = ops.ByOpcode("enumeration on a GPU (search/gpu/library.py)", {
    oc.ADD: torch.add, oc.SUB: torch.sub, oc.MUL: torch.mul, oc.MIN: torch.minimum, oc.MAX: torch.maximum, oc.POW: torch.pow,
    oc.DIV: lambda u, v: u / torch.where(v != 0, v, torch.nan),
})  # fmt: skip


class CudaLibrary(Library):
    """A :class:`Library` with large levels enumerated on ``device``; a level at which that fails begins anew here."""

    def __init__(
        self, device: str, seeds: Sequence[Seed], operators: Sequence[str], columns: Sequence[str], **rest: Any
    ) -> None:
        self._device, self._attempts = torch.device(device), Attempts("enumerations")
        self._mirrored = 0
        self._rows = torch.empty((0, 0), dtype=torch.float64)
        self._of: dict[str, Tensor] = {}
        self._flawed = torch.empty(0, dtype=torch.int8)
        super().__init__(seeds, operators, columns, **rest)
        self._weights = torch.from_numpy(self._weight).to(self._device)

    def _level(self, cost: int, size: int, deadline: float) -> bool:
        if self._candidates(cost) < WORTH or self._attempts.has_failed:
            return super()._level(cost, size, deadline)
        for index, seed in enumerate(self.seeds):
            if seed.cost == cost and index >= self._next_seed:
                self._add_seed(index, seed)
                self._next_seed = index + 1
        self._find_flaws(self._level_start[cost])
        before = self.count, self.tested, int(self._pruned[0])
        try:
            ended = self._attempts.run(lambda: self._device_level(cost, size, deadline))
            if ended is None:
                self.count, self.tested, self._pruned[0] = before
        finally:
            self._head[:] = -1
            rules.rehash(self._members, self._head, self.count)
        return super()._level(cost, size, deadline) if ended is None else ended

    def _candidates(self, cost: int) -> int:
        """About how many candidates a level has."""
        start = self._level_start
        sizes = np.diff(start)
        pairs = sum(int(sizes[a]) * int(sizes[cost - 1 - a]) for a in range(1, cost - 1))
        return pairs * len(self._binary)

    def _device_level(self, cost: int, size: int, deadline: float) -> bool:
        start = self._level_start
        self._flawed = torch.from_numpy(self._flaws).to(self._device)
        for row in self._unary:
            for begin in range(start[cost - 1], start[cost], CHUNK):
                if self.count >= size or now() > deadline:
                    return False
                self._add(
                    row.opcode, cost, None, torch.arange(begin, min(begin + CHUNK, start[cost]), device=self._device)
                )
        for row in self._binary:
            for left_cost in range(1, cost - 1):
                right_cost = cost - 1 - left_cost
                if row.commutative and left_cost > right_cost:
                    continue
                right = torch.arange(start[right_cost], start[right_cost + 1], device=self._device)
                step = max(1, CHUNK // max(1, len(right)))
                for first in range(start[left_cost], start[left_cost + 1], step):
                    if self.count >= size or now() > deadline:
                        return False
                    left = torch.arange(first, min(first + step, start[left_cost + 1]), device=self._device)
                    i, j = (a.flatten() for a in torch.meshgrid(left, right, indexing="ij"))
                    if row.commutative:
                        wanted = j >= i
                        i, j = i[wanted], j[wanted]
                    self._add(row.opcode, cost, i, j)
        return self.count < size

    # --- candidates ---------------------------------------------------------------------------------------------

    def _add(self, code: int, cost: int, i: Tensor | None, j: Tensor) -> None:
        """Add what is new among op(u_j) or op(u_i, u_j)."""
        self._mirror()
        dims, mask = self._of["dims"], self._of["mask"]
        forbidden = int(self._forbid[code])
        if i is None:
            new = unary_dimensions(code, dims[j], self._bits, self._fields)
            allowed = (new != kernel.INVALID) & (mask[j] & forbidden == 0)
        else:
            new = binary_dimensions(code, dims[i], dims[j], self._bits, self._fields)
            allowed = (new != kernel.INVALID) & (mask[i] & forbidden == 0) & (mask[j] & forbidden == 0)
        if self._undefined[code]:
            flaws = self._flawed[j] & int(self._undefined[code])
            self._pruned[0] += int((allowed & (flaws > 0)).sum())
            allowed &= flaws == 0
        kept = torch.nonzero(allowed).view(-1)
        j, new = j[kept], new[kept]
        i = None if i is None else i[kept]
        if not len(j):
            return
        rows, has = self._rows[j], mask[j] | (1 << code)
        if i is None:
            rows = _UNARY[code](rows)
            floor = torch.zeros(len(j), dtype=torch.float64, device=self._device)
        else:
            left = self._rows[i]
            invalid = left.isnan() | rows.isnan() | ((left == 0) & (rows < 0)) if code == oc.POW else None
            rows = _BINARY[code](left, rows)
            if invalid is not None:
                rows[invalid] = torch.nan
            has = has | mask[i]
            additive = code in (oc.ADD, oc.SUB)
            floor = kernel.CANCEL * torch.maximum(self._of["norm"][i], self._of["norm"][j]) * additive
        norm = rows.abs().amax(dim=1)
        fine = torch.nonzero(norm.isfinite() & (norm > floor)).view(-1)
        before, tried = self.count, len(j)
        draft = {"dims": new[fine], "mask": has[fine], "norm": norm[fine]}
        rows, j = rows[fine], j[fine]
        draft["projection"] = (rows @ self._weights) / draft["norm"]
        status = self._status(rows, draft)
        chosen = torch.nonzero(status != rules.KNOWN).view(-1)
        room = len(self.values) - self.count
        if len(chosen) >= room:
            # As many as there is room for; what comes after was not looked at.
            chosen = chosen[:room]
            tried = int(fine[chosen[-1]]) + 1
        self.tested += tried
        if not len(chosen):
            return
        draft = {name: field[chosen] for name, field in draft.items()}
        draft["twin"] = status[chosen] == rules.TWIN
        rows = rows[chosen]
        draft["shape"] = self._shapes(rows, draft)
        self._store(rows, draft)
        record = self._members[before : self.count]
        record["op"], record["cost"] = code, cost
        record["left"] = (j if i is None else i[fine])[chosen].cpu().numpy()
        record["right"] = -1 if i is None else j[chosen].cpu().numpy()

    def _status(self, rows: Tensor, draft: dict[str, Tensor]) -> Tensor:
        """KNOWN, NEW or TWIN for each candidate."""
        n = self.count
        every = {name: torch.cat([self._of[name][:n], field]) for name, field in draft.items()}
        key = every["projection"] + NORM_SHARE * every["norm"].log() + _apart(every["dims"])
        reach = rules.REACH * self.n_probe
        status = torch.full((n + len(rows),), rules.NEW, device=self._device)

        def known(mine: Tensor, other: Tensor) -> Tensor:
            m, k = every["norm"][mine], every["norm"][other]
            equal = (every["dims"][mine] == every["dims"][other]) & ((m - k).abs() <= 2.0 * rules.TOLERANCE * m)
            equal &= (every["projection"][mine] - every["projection"][other]).abs() <= reach
            some = torch.nonzero(equal).view(-1)
            w, v, m, k = rows[mine[some] - n], self._values_of(rows, other[some]), m[some, None], k[some, None]
            same = (w / m - v / k).abs() <= rules.TOLERANCE
            same &= (w - v).abs() <= rules.TOLERANCE * w.abs() + rules.ROUNDING * m
            equal[some] = same.all(1)
            stands = equal & (every["mask"][other] & int(self._ruled) & ~every["mask"][mine] == 0)
            status[mine[equal]] = rules.TWIN
            status[mine[stands]] = rules.KNOWN
            return stands

        _meet(key, reach + 4.0 * rules.TOLERANCE, n, known)
        return status[n:]

    def _shapes(self, rows: Tensor, draft: dict[str, Tensor]) -> Tensor:
        """The first member of each new member's shape, itself included."""
        n = self.count
        new = torch.arange(n, n + len(rows), device=self._device)
        firsts = torch.nonzero(self._of["shape"][:n] == torch.arange(n, device=self._device)).view(-1)
        which = torch.cat([firsts, new])
        every = {name: torch.cat([self._of[name][firsts], draft[name]]) for name in ("dims", "norm", "projection")}
        shape = new.clone()
        reach = 2.0 * rules.REACH * self.n_probe

        def same(mine: Tensor, other: Tensor) -> Tensor:
            equal = every["dims"][mine] == every["dims"][other]
            some = torch.nonzero(equal).view(-1)
            a, b = every["norm"][mine[some], None], every["norm"][other[some], None]
            w, v = rows[which[mine[some]] - n] / a, self._values_of(rows, which[other[some]]) / b
            equal[some] = ((w - v).abs() <= rules.TOLERANCE).all(1) | ((w + v).abs() <= rules.TOLERANCE).all(1)
            shape[which[mine[equal]] - n] = which[other[equal]]
            return equal

        _meet(every["projection"].abs() + _apart(every["dims"]), reach, len(firsts), same)
        return shape

    def _values_of(self, rows: Tensor, which: Tensor) -> Tensor:
        """Rows of members, and of candidates after them."""
        old = which < self.count
        out = torch.empty((len(which), self.n_probe), dtype=torch.float64, device=self._device)
        out[old], out[~old] = self._rows[which[old]], rows[which[~old] - self.count]
        return out

    # --- members on the device ------------------------------------------------------------------------------------

    def _mirror(self) -> None:
        """Bring members that came otherwise to the device."""
        capacity = len(self.values)
        if len(self._rows) < capacity:
            old, self._rows = (
                self._rows,
                torch.empty((capacity, self.n_probe), dtype=torch.float64, device=self._device),
            )
            if self._mirrored:
                self._rows[: self._mirrored] = old[: self._mirrored]
            fields = {name: torch.from_numpy(self._members[name][:1].copy()).dtype for name in FIELDS}
            grown = {name: torch.empty(capacity, dtype=kind, device=self._device) for name, kind in fields.items()}
            for name, field in grown.items():
                if self._mirrored:
                    field[: self._mirrored] = self._of[name][: self._mirrored]
            self._of = grown
        part = slice(self._mirrored, self.count)
        if self._mirrored < self.count:
            self._rows[part] = torch.from_numpy(self.values[part]).to(self._device)
            for name in FIELDS:
                self._of[name][part] = torch.from_numpy(self._members[name][part].copy()).to(self._device)
            self._mirrored = self.count

    def _store(self, rows: Tensor, draft: dict[str, Tensor]) -> None:
        """New members, here and there."""
        part = slice(self.count, self.count + len(rows))
        self._rows[part] = rows
        self.values[part] = rows.cpu().numpy()
        for name, field in draft.items():
            self._members[name][part] = field.cpu().numpy()
            if name in FIELDS:
                self._of[name][part] = field
        self.count += len(rows)
        self._mirrored = self.count


def _apart(dims: Tensor) -> Tensor:
    """A number for each dimension, far from those of most others."""
    return (dims % DIMENSIONS) * DIMENSION_STEP


def _meet(key: Tensor, reach: float, first: int, gone: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Compare each candidate (from ``first`` on) with all before it whose keys are within reach, in their order, as long as
    ``gone(mine, other)`` leaves it."""
    order = torch.argsort(key, stable=True)
    cut = torch.ones(len(key), dtype=torch.int64, device=key.device)
    cut[1:] = ~(key[order[1:]] - key[order[:-1]] <= reach)
    run = torch.empty_like(order)
    run[order] = torch.cumsum(cut, 0) - 1
    waiting = torch.arange(len(key), device=key.device)
    while True:
        # Runs without a candidate, and those with nobody else, are settled.
        n_run = int(run.max()) + 1 if len(run) else 0
        size = torch.zeros(n_run, dtype=torch.int64, device=key.device).index_add_(
            0, run[waiting], torch.ones_like(waiting)
        )
        last = torch.full_like(size, -1).scatter_reduce(0, run[waiting], waiting, "amax")
        waiting = waiting[((size > 1) & (last >= first))[run[waiting]]]
        if not len(waiting):
            return
        earliest = torch.full_like(size, len(key)).scatter_reduce(0, run[waiting], waiting, "amin")
        other = earliest[run[waiting]]
        late = waiting != other
        mine, other = waiting[late], other[late]
        candidate = mine >= first
        stays = torch.ones_like(candidate)
        stays[candidate] = ~gone(mine[candidate], other[candidate])
        waiting = mine[stays]
