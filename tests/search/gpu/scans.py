"""A scan on a device and on the processor."""

import os
from collections.abc import Callable

import numpy as np
import pytest

os.environ["TRITON_INTERPRET"] = "1"  # before anything imports Triton
torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("triton", reason="Triton is not installed")

from hypo.clock import Clock  # noqa: E402
from hypo.kernels.gpu import pair_scores as cuda_rescore  # noqa: E402
from hypo.kernels.gpu import pair_tiles as kernel  # noqa: E402
from hypo.parallel.executor import Serial  # noqa: E402
from hypo.search.gpu import forms as cuda_forms  # noqa: E402
from hypo.search.gpu import scan as cuda_scan  # noqa: E402
from hypo.search.gpu.backend import Cuda  # noqa: E402
from hypo.search.library.unit_rows import orthonormal  # noqa: E402
from hypo.search.scan.pair_scan import Best  # noqa: E402

N = 40
NONE = np.empty((0, N))
CONSTANT = orthonormal([np.ones(N)], N)


def scan_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """All scans on the device, with a small pilot, few columns and tiles that the sets do not fill."""
    torch.set_num_threads(1)
    for form in (cuda_forms.SumForm, cuda_forms.ProductForm):
        monkeypatch.setattr(form, "shape", kernel.Shape(128, 64, 2))
    monkeypatch.setattr(cuda_scan, "DENSE", 0)
    monkeypatch.setattr(cuda_scan, "FIRST_ROWS", 6)
    monkeypatch.setattr(cuda_forms, "WIDTH", 16)
    monkeypatch.setattr(cuda_rescore, "ELEMENTS", 1 << 17)
    monkeypatch.setattr("hypo.search.gpu.backend.WORTH", 0)


def problem(seed: int = 0, n: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Rows and targets, two of which are an exact sum and an exact product of rows."""
    rng = np.random.default_rng(seed)
    F, t = rng.uniform(0.2, 2, (n, N)), rng.uniform(0.2, 2, (3, N))
    t[0] = 3 + 2 * F[5] - F[77]
    t[1] = 2 * F[3] * F[n - 1]
    return F, t


def same(found: list[Best], want: list[Best]) -> None:
    """Equal lists to the last bit."""
    for a, b in zip(found, want, strict=True):
        np.testing.assert_array_equal(np.column_stack([a.i, a.j]), np.column_stack([b.i, b.j]))
        np.testing.assert_array_equal(a.r2, b.r2)


def both(scan: Callable[..., list[Best]], keep: int, executor: Cuda | None = None) -> list[Best]:
    """The lists of the device, which must be those of the processor, with the same count of hypotheses."""
    clock, other = Clock(), Clock()
    want = scan(keep=keep, clock=clock)
    found = scan(keep=keep, clock=other, executor=executor or Cuda(Serial(), ("cpu",)))
    same(found, want)
    assert other.scored == clock.scored
    return found
