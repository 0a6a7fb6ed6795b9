# amaranth: UnusedElaboratable=no
"""Machines of signed formats, from signed or affine bytes or stored pairs, against golden."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from golden import SparqFormat, sparq_matmul, sparq_matmul_2_4
from hdl import MacUnit, SystolicArray, sparq_mac
from hdl.multiplier.style import Style
from hdl.tensor.sparse_tensor_core import SparseTensorCore
from hdl.tensor.tensor_core import TensorCore
from hdl.tile.tile_machine import TileMachine
from sim_tb.hdl.pysim import SEED, Word, pack
from sim_tb.hdl.test_stored_pairs import stored_slices
from sim_tb.hdl.tiles import Tile, check_tiles, make_operands, slices_of
from sim_tb.oracle.random_formats import random_formats

Array = npt.NDArray[Any]

CASES = [
    *((name, vsparq, group) for name in ("s4opt", "s5opt") for vsparq in (True, False)
      for group in (1, 2, 8)),
    ("s3:0,4", True, 1),
    *((fmt.name, fmt.vsparq, fmt.group) for fmt in random_formats(2, (1, 2, 4), signed=True)),
]  # fmt: skip


@pytest.mark.every(8)
@pytest.mark.parametrize("encoded", [False, True], ids=["bytes", "stored"])
@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize(("name", "vsparq", "group"), CASES)
def test_array(
    name: str, vsparq: bool, group: int, style: Style, encoded: bool, checks: Any
) -> None:
    """The bias of rows is taken away."""
    options: dict[str, Any] = {"encoded_input": encoded, "style": style}
    unit = sparq_mac(name, True, vsparq, group, pipeline=group % 3, **options)
    check_machine(SystolicArray(2, 3, unit.mac), unit, checks)


CORES = [
    *((name, vsparq, group, pairs) for name in ("s5opt", "s4opt") for vsparq in (True, False)
      for group, pairs in ((1, 2), (2, 1), (4, 2), (4, 1))),
    ("s3:0,4", True, 1, 3),
    ("s1:0,2,3,7", False, 1, 1),
    ("s8:0", False, 2, 2),
    *((fmt.name, fmt.vsparq, fmt.group, 2) for fmt in random_formats(3, (1, 2, 4), signed=True)),
]  # fmt: skip
SPARSE_CORES = [core for core in CORES if core[2] <= 2 * core[3]]


@pytest.mark.every(32)
@pytest.mark.parametrize("encoded", [False, True], ids=["bytes", "stored"])
@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize(("name", "vsparq", "group", "pairs"), CORES)
def test_tensor_core(
    name: str, vsparq: bool, group: int, pairs: int, style: Style, encoded: bool, checks: Any
) -> None:
    """Signs travel with the lanes; what is missing of negative ones is in the bias of rows."""
    options: dict[str, Any] = {"encoded_input": encoded, "style": style, "pairs": pairs}
    unit = sparq_mac(name, True, vsparq, group, 9 - pairs, pipeline=group % 3, **options)
    check_machine(TensorCore(2, 1, unit.mac), unit, checks)


@pytest.mark.every(24)
@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize(("name", "vsparq", "group", "pairs"), SPARSE_CORES)
def test_sparse_tensor_core(
    name: str, vsparq: bool, group: int, pairs: int, style: Style, checks: Any
) -> None:
    """No edge knows the selected activations: nothing is missing."""
    options: dict[str, Any] = {"sparse": True, "style": style, "pairs": pairs}
    unit = sparq_mac(name, False, vsparq, group, 9 - pairs, pipeline=group % 3, **options)
    check_machine(SparseTensorCore(1, 2, unit.mac), unit, checks)


def check_machine(machine: TileMachine, unit: MacUnit, checks: Any) -> None:
    """Tiles of many lengths, with bubbles: exactly golden's sums.

    Affine tiles have a zero point each; one of unsigned bytes is among them.
    """
    rng = np.random.default_rng(SEED)
    fmt, step, encoded = unit.sparq_format, unit.k_per_cycle, unit.encoded_input
    assert fmt is not None
    tiles = []
    zero_points = [0, 128, 255, 3, 100, 0] if fmt.takes_zero_point else [0] * 6
    lengths = [2, 1, 7, 20, 3, 1]
    sizes = machine.rows, machine.cols, unit.weight_bits, unit.sparse
    product = sparq_matmul_2_4 if unit.sparse else sparq_matmul
    for zero, (x, w) in zip(zero_points, make_operands(rng, lengths, *sizes), strict=True):
        if not fmt.takes_zero_point:
            x = np.minimum(x, fmt.magnitude_max).astype(np.int16) * rng.choice([-1, 1], x.shape)
        x[rng.random(x.shape) < 0.2] = zero
        if encoded:
            slices = stored_slices(x.astype(np.int16) - zero, w, step, fmt, unit.weight_bits)
        else:
            slices = byte_slices(x, w, zero, unit, fmt)
        tiles.append(Tile(slices, product(x, w, fmt, unit.weight_bits, zero)))
    slices_per_group = 1 if encoded or unit.sparse else max(1, fmt.group // step)
    checks(check_tiles(machine, tiles, [0.0, 0.3] * 3, slices_per_group, rng))


def byte_slices(x: Array, w: Array, zero_point: int, unit: MacUnit, fmt: SparqFormat) -> list[Word]:
    """The slices of a tile: its bytes, the last one filled with the byte that stands for 0."""
    step = unit.k_per_cycle
    slices = slices_of(np.abs(x), w, step, unit.weight_bits, unit.sparse)
    missing = -x.shape[1] % step
    padded = np.pad(x.astype(np.int16), ((0, 0), (0, missing)), constant_values=zero_point)
    for index, word in enumerate(slices):
        word["in_a"] = pack(padded[:, step * index : step * index + step] & 255, 8)
        if fmt.takes_zero_point:
            word["zero_point"] = zero_point
    return slices


@pytest.mark.parametrize("name", ["s4opt", "s5opt"])
@pytest.mark.parametrize("encoded", [False, True])
def test_ports(name: str, encoded: bool) -> None:
    """Bytes, signed or with a zero point; or stored pairs, which have none."""
    array = SystolicArray(2, 3, sparq_mac(name, encoded_input=encoded).mac)
    affine = name == "s5opt" and not encoded
    assert hasattr(array, "zero_point") is affine
    widths = {port: len(getattr(array, port)) for port in array.elements}
    assert widths == {port: own.width for port, own in array.elements.items()}
    assert array.elements["in_a"].signed is (name == "s4opt" and not encoded)
    kind = "Stored pairs of" if encoded else "Affine" if affine else "Signed"
    assert array.port_meanings["in_a"].startswith(f"{kind} activations, row 0 low")
