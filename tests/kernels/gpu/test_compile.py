"""The kernels compile for a device where there is none: simulator and interpreter take much that the compilers refuse."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.oracles.places import ROOT

# In a process of its own, since here the simulator may be on. Calls between device functions ask which device there is.
NUMBA = """
from types import SimpleNamespace
from numba import cuda
from numba.cuda import dispatcher, types
dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=(9, 0))
try:
    cuda.compile_ptx(lambda x: None, types.void(types.Array(types.float32, 1, "C")), cc=(9, 0))
except Exception as error:
    print("no compiler:", error)
    raise SystemExit
from hypo.kernels.gpu import evaluate as cuda_evaluate
from hypo.kernels.gpu import fit_batch as cuda_fit
def array(kind, n):
    return types.Array(kind, n, "C")
n, i, f, r = types.int64, types.int32, types.float64, types.float64
packed, rows = (array(i, 1), array(f, 1)), (array(r, 2), array(r, 1), array(r, 1))
ragged = array(i, 1), array(n, 1), array(f, 1), array(n, 1)
normal, fit = cuda_fit._kernels(True)
values, losses = cuda_evaluate._kernels(True, 4)
for kernel, signature in (
    (fit, (*packed, n, n, n, *rows, n, n, f, n)), (normal, (*packed, n, n, *rows, n, n, array(f, 2))),
    (values, (*ragged, array(r, 2), array(r, 2))), (losses, (*ragged, *rows, array(f, 2))),
):
    ptx, _ = cuda.compile_ptx(kernel.py_func, types.void(*signature), cc=(9, 0))
    assert ".visible .entry" in ptx
print("compiled")
"""

# A launch compiles the kernel for its arguments, as Triton would, and says whether it uses tensor cores and what it spills.
TRITON = """
import re, subprocess, tempfile
import numpy as np
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from hypo.kernels.gpu import pair_scores as cuda_rescore
from hypo.kernels.gpu import pair_scan as cuda_scan
from hypo.kernels.gpu import pair_tiles as cuda_tiles
from hypo.search.gpu import forms as cuda_forms
from hypo.search.gpu.layout import Piece

KINDS = {torch.float16: "*fp16", torch.bfloat16: "*bf16", torch.float32: "*fp32", torch.float64: "*fp64", torch.int8: "*i8",
         torch.int32: "*i32", torch.int64: "*i64"}

class Compiled:
    def __init__(self, kernel):
        self.kernel = kernel
    def __getitem__(self, grid):
        return self.launch
    def launch(self, *given, num_warps, num_stages=3, **constants):
        signature, hints = dict.fromkeys(constants, "constexpr"), {}
        for k, (name, value) in enumerate(zip(self.kernel.arg_names, given)):
            is_tensor = isinstance(value, torch.Tensor)
            signature[name] = KINDS[value.dtype] if is_tensor else "fp32" if isinstance(value, float) else "i32"
            if is_tensor or isinstance(value, int) and value % 16 == 0:
                hints[(k,)] = [["tt.divisibility", 16]]
        source = ASTSource(self.kernel, {name: signature[name] for name in self.kernel.arg_names}, constants, hints)
        options = {"num_warps": num_warps, "num_stages": num_stages}
        made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(made.asm["cubin"])
            file.flush()
            command = [triton.knobs.nvidia.cuobjdump.path, "-res-usage", file.name]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        print(self.kernel.__name__, "wgmma" in made.asm["ptx"], re.search("STACK:[0-9]+", said).group())

for name in ("sum_margins", "sum_pairs", "product_margins", "product_pairs"):
    setattr(cuda_scan, name, Compiled(getattr(cuda_scan, name)))
cuda_rescore.may_reach = Compiled(cuda_rescore.may_reach)
rows = np.random.default_rng(0).standard_normal((300, 64))
rows /= np.linalg.norm(rows, axis=1)[:, None]
targets, pieces, where, basis = [rows[:5]], [Piece(0, rows, None)], torch.device("cpu"), np.full((1, 64), 0.125)
for form in (
    cuda_forms.SumForm(targets, pieces, where, [False]), cuda_forms.ProductForm(targets, pieces, basis, where, [False]),
):
    work, floor = cuda_tiles.runs(form.sets(), form.shape), torch.ones((1, 5), dtype=torch.float64)
    form.launcher(0, floor, form.coarse).margins(work)
    form.launcher(0, floor, "bf16x3").pairs(cuda_tiles.tiles(work, torch.arange(3), form.shape), 1 << 14)
    form.near(0, floor, torch.zeros((2, 8), dtype=torch.int64))
"""


def ended(code: str) -> str:
    """What the code prints in a process of its own, for a device."""
    given = os.environ | {"NUMBA_ENABLE_CUDASIM": "0", "PYTHONPATH": str(ROOT)}
    given.pop("TRITON_INTERPRET", None)
    command = [sys.executable, "-W", "ignore", "-c", code]
    found = subprocess.run(command, env=given, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.skipif(
    find_spec("triton") is None or find_spec("torch") is None, reason="PyTorch or Triton is not installed"
)
def test_scans_compile_for_a_device() -> None:
    # Tensor cores of the H200 for all products, and nothing that registers have no room for.
    assert ended(TRITON).splitlines() == [
        "sum_margins True STACK:0", "sum_pairs True STACK:0", "may_reach False STACK:0",
        "product_margins True STACK:0", "product_pairs True STACK:0", "may_reach False STACK:0",
    ]  # fmt: skip


@pytest.mark.skipif(find_spec("numba_cuda") is None, reason="numba-cuda is not installed")
def test_kernels_compile_for_a_device() -> None:
    out = ended(NUMBA)
    if out.startswith("no compiler"):
        pytest.skip(f"numba-cuda finds no compiler: {out[:200]}")
    assert out.endswith("compiled\n")
