"""The backend ``cuda`` from outside: the same law as without it, and what is said where a GPU or PyTorch is missing."""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

os.environ["TRITON_INTERPRET"] = "1"  # before anything imports Triton

import hypo
from hypo.cli import main as cli
from hypo.search.gpu import backend as cuda

INSTALLED = find_spec("torch") is not None and find_spec("triton") is not None
needs_torch = pytest.mark.skipif(not INSTALLED, reason="PyTorch or Triton is not installed")


def table() -> tuple[np.ndarray, np.ndarray]:
    """A law that scans find: one in powers of the columns is found without them."""
    X = np.random.default_rng(0).uniform(1, 3, (60, 2))
    return X, 2.5 * X[:, 0] * np.sqrt(X[:, 1]) + 1


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hypo.search.gpu.devices.find_spec", lambda name: None)
    with pytest.raises(hypo.MissingExtraError, match=r"Triton, which are not installed: pip install 'hypo\[gpu\]'$"):
        hypo.fit(*table(), backend="cuda", time_limit=5)


@needs_torch
def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    monkeypatch.setattr("hypo.kernels.gpu.pair_tiles.interpreted", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    data = tmp_path / "data.csv"
    data.write_text("x,y\n" + "".join(f"{k},{k * k}\n" for k in range(1, 20)))
    code = cli.main(["fit", str(data), "--target", "y", "--backend", "cuda", "--quiet", "--out", str(tmp_path / "out")])
    assert code == 2
    assert capsys.readouterr().err.endswith(
        "error: the backend cuda needs an NVIDIA GPU, and PyTorch finds none here; "
        "leave out the backend to search on the processor\n"
    )


@needs_torch
def test_the_same_law_as_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    torch.set_num_threads(1)
    monkeypatch.setattr(cuda, "WORTH", 0)
    # Few and large steps: what takes time here is the interpreter.
    monkeypatch.setattr("hypo.kernels.gpu.pair_scores.ELEMENTS", 1 << 17)
    monkeypatch.setattr("hypo.search.gpu.library.WORTH", 50_000)
    # In numba's simulator, where other tests turned it on, fits would take minutes.
    monkeypatch.setattr("hypo.search.gpu.batches.WORTH", 10**18)
    scans = []
    inner = cuda.Cuda.scan
    monkeypatch.setattr(cuda.Cuda, "scan", lambda *given, **rest: scans.append(given[1]) or inner(*given, **rest))
    X, y = table()
    native = hypo.fit(X, y, time_limit=60, workers=1)
    found = hypo.fit(X, y, time_limit=60, workers=1, backend="cuda")
    assert str(found.expression) == str(native.expression)
    assert [str(h.expression) for h in found.front] == [str(h.expression) for h in native.front]
    assert found.coverage.scored == native.coverage.scored
    assert {"sums", "products"} <= set(scans)
    assert found.manifest["packages"]["torch"] and found.manifest["settings"]["backend"] == "cuda"
