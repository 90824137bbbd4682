"""Libraries enumerated on a device against those of the processor: the same members in the same order."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from hypo.expression.expr import Expression  # noqa: E402
from hypo.expression.operators import BY_NAME  # noqa: E402
from hypo.kernels import opcodes as oc  # noqa: E402
from hypo.kernels.cpu.enumerate import binary_dimension, unary_dimension  # noqa: E402
from hypo.knowledge.rules.shape import Bounds  # noqa: E402
from hypo.problem.value_ranges import ValueRanges  # noqa: E402
from hypo.search.gpu import library as cuda_library  # noqa: E402
from hypo.search.gpu.dimensions import binary_dimensions, unary_dimensions  # noqa: E402
from hypo.search.gpu.library import CudaLibrary  # noqa: E402
from hypo.search.library.library import Library, Seed  # noqa: E402

FIELDS = ("op", "cost", "left", "right", "dims", "mask", "shape", "twin")


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """All levels on the device, in chunks whose borders cut through operators."""
    torch.set_num_threads(1)
    monkeypatch.setattr(cuda_library, "WORTH", 0)
    monkeypatch.setattr(cuda_library, "CHUNK", 5000)


def seeds(n: int = 40, units: bool = False) -> list[Seed]:
    X = np.random.default_rng(0).uniform(0.3, 1.2, (3, n))
    dims = (12, 0, 24) if units else (0, 0, 0)
    out = [Seed(Expression.variable(f"x{k}"), 1, row, d) for k, (row, d) in enumerate(zip(X, dims, strict=True))]
    named = Seed(Expression.constant(math.pi, name="p"), 1, math.pi * np.ones(n))
    return [*out, Seed(Expression.constant(1.0), 1, np.ones(n)), named]


def both(
    operators: tuple[str, ...], forbid: np.ndarray | None = None, units: bool = False
) -> tuple[Library, CudaLibrary]:
    given = {"columns": ("x0", "x1", "x2"), "forbid": forbid, "dimension_layout": (20, 1)}
    return Library(seeds(units=units), operators, **given), CudaLibrary("cpu", seeds(units=units), operators, **given)


def same(a: Library, b: Library, count: int) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(a._members[name][:count], b._members[name][:count], err_msg=name)
    # A unit in the last place of exp or sin grows in sines of large numbers.
    assert np.isclose(a.values[:count], b.values[:count], rtol=1e-8, atol=1e-8).mean() > 0.998


def nesting() -> np.ndarray:
    """No transcendental function inside another, and no square in a square."""
    forbid = np.zeros(oc.N_OPCODE, np.int64)
    for name in ("tanh", "sin"):
        forbid[BY_NAME[name].opcode] = sum(1 << BY_NAME[n].opcode for n in ("tanh", "sin"))
    forbid[oc.SQUARE] = 1 << oc.SQUARE
    return forbid


@pytest.mark.parametrize("units", [False, True], ids=["numbers", "units"])
@pytest.mark.parametrize("ruled", [False, True], ids=["free", "nesting rules"])
def test_finished_levels_hold_the_same_members(units: bool, ruled: bool) -> None:
    operators = ("+", "-", "*", "/", "sqrt", "square", "inv", "tanh", "sin", "log")
    a, b = both(operators, nesting() if ruled else None, units)
    for library in (a, b):
        library.grow(10**5, max_cost=4 if not units else 5)
    assert b.complete_to == a.complete_to and b.count == a.count > 1000
    assert (b.tested, b.distinct(), b.level_sizes()) == (a.tested, a.distinct(), a.level_sizes())
    same(a, b, a.count)
    assert [str(b.expression(k)) for k in range(0, a.count, 97)] == [
        str(a.expression(k)) for k in range(0, a.count, 97)
    ]


def test_stated_ranges_prune_the_same_candidates() -> None:
    operators, pruned = ("+", "-", "*", "/", "sqrt", "inv", "log"), []
    libraries = []
    for kind in (Library, lambda *given, **rest: CudaLibrary("cpu", *given, **rest)):
        value_ranges = ValueRanges.of(("x0", "x1", "x2"), {"x0": (-1.0, 2.0)}, [Bounds(min=0.0, hard=True)], {})
        assert value_ranges is not None
        libraries.append(kind(seeds(), operators, ("x0", "x1", "x2"), value_ranges=value_ranges))
        libraries[-1].grow(10**5, max_cost=5)
        pruned.append(int(value_ranges.pruned[0]))
    a, b = libraries
    assert b.count == a.count and b.tested == a.tested and pruned[0] == pruned[1] > 100
    same(a, b, a.count)
    assert "sqrt(x0)" not in {str(b.expression(k)) for k in range(b.count)}


def test_levels_cut_short_go_on_where_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = both(("+", "*", "/", "sin", "sqrt"))
    for size in (50, 300, 1000):
        a.grow(size)
        b.grow(size)
        assert b.count >= size
        same(a, b, size)
    # Levels on the device and on the processor take turns.
    monkeypatch.setattr(cuda_library, "WORTH", 10**9)
    a.grow(1500)
    b.grow(1500)
    monkeypatch.setattr(cuda_library, "WORTH", 0)
    a.grow(2500)
    b.grow(2500)
    same(a, b, 2500)


def test_a_deadline_ends_a_level() -> None:
    _, b = both(("+", "*"))
    b.grow(10**4, deadline=0.0)
    # Two nodes take an operator of one argument.
    assert b.complete_to == 2 and b.count == 5


def test_all_operators_have_the_domain_of_the_processor() -> None:
    points = np.array([-2.0, -1, -0.5, 0, 0.5, 1, 2, 30])
    from hypo.kernels.cpu.operators import binary_block, unary_block

    for code in range(oc.FIRST_UNARY, oc.FIRST_USER):
        want = np.empty(len(points))
        with np.errstate(all="ignore"):
            unary_block(code, points, want, len(points))
        found = cuda_library._UNARY[code](torch.from_numpy(points)).numpy()
        np.testing.assert_allclose(found, want, rtol=1e-14, err_msg=str(code))
    u, v = (np.ascontiguousarray(a.ravel()) for a in np.meshgrid(points, points))
    for code in range(oc.FIRST_BINARY, oc.N_OPCODE):
        if code != oc.POW:
            want = np.empty(len(u))
            with np.errstate(all="ignore"):
                binary_block(code, u, v, want, len(u))
            found = cuda_library._BINARY[code](torch.from_numpy(u), torch.from_numpy(v)).numpy()
            np.testing.assert_allclose(found, want, rtol=1e-14, err_msg=str(code))


def test_packed_dimensions() -> None:
    rng = np.random.default_rng(1)
    bits, n_field = 10, 3
    digits = rng.integers(-130, 131, (400, n_field)) * rng.choice([1, 6, 12], (400, 1))
    d = (digits.clip(-255, 255) << (bits * np.arange(n_field))).sum(1)
    e = np.where(rng.random(400) < 0.3, d, rng.permutation(d)) * (rng.random(400) < 0.8)
    d, e = d.astype(np.int64), e.astype(np.int64)
    for code in range(oc.FIRST_UNARY, oc.FIRST_USER):
        want = [unary_dimension(code, k, bits, n_field) for k in d]
        np.testing.assert_array_equal(unary_dimensions(code, torch.from_numpy(d), bits, n_field).numpy(), want)
    for code in range(oc.FIRST_BINARY, oc.N_OPCODE):
        want = [binary_dimension(code, j, k, bits, n_field) for j, k in zip(d, e, strict=True)]
        found = binary_dimensions(code, torch.from_numpy(d), torch.from_numpy(e), bits, n_field).numpy()
        np.testing.assert_array_equal(found, want)


def test_a_level_at_which_the_device_fails_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = both(("+", "*", "sin", "sqrt"))
    here.grow(3000)
    inner, calls = CudaLibrary._add, []

    def lost(self: CudaLibrary, *given: object) -> None:
        calls.append(given)
        if len(calls) == 8:
            raise RuntimeError("CUDA error: out of memory\nmore of it")
        inner(self, *given)

    monkeypatch.setattr(CudaLibrary, "_add", lost)
    said = r"^enumerations on the GPU failed \(RuntimeError: CUDA error: out of memory\); the processor does them from now on$"
    with pytest.warns(RuntimeWarning, match=said):
        there.grow(3000)
    assert len(calls) == 8 and there.count == here.count and there.tested == here.tested
    same(here, there, here.count)
