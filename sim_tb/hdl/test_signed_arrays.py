# amaranth: UnusedElaboratable=no
"""Arrays of signed formats, from signed or affine bytes or stored pairs, against golden."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from golden import SparqFormat, named_format, sparq_matmul
from hdl import SystolicArray, sparq_mac
from hdl.broadcast.dot_product import dot_product
from hdl.multiplier.style import Style
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


@pytest.mark.every(4)
@pytest.mark.parametrize("encoded", [False, True], ids=["bytes", "stored"])
@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize(("name", "vsparq", "group"), CASES)
def test_array(
    name: str, vsparq: bool, group: int, style: Style, encoded: bool, checks: Any
) -> None:
    """Tiles of many lengths, with bubbles: exactly golden's sums, the bias of rows taken away.

    Affine tiles have a zero point each; one of unsigned bytes is among them.
    """
    rng = np.random.default_rng(SEED)
    fmt = named_format(name, vsparq=vsparq, group=group)
    options: dict[str, Any] = {"encoded_input": encoded, "style": style}
    unit = sparq_mac(name, True, vsparq, group, pipeline=group % 3, **options)
    array = SystolicArray(2, 3, unit.mac)
    tiles = []
    zero_points = [0, 128, 255, 3, 100, 0] if fmt.takes_zero_point else [0] * 6
    lengths = [2, 1, 7, 20, 3, 1]
    for zero, (x, w) in zip(zero_points, make_operands(rng, lengths, 2, 3, 8), strict=True):
        if not fmt.takes_zero_point:
            x = np.minimum(x, fmt.magnitude_max).astype(np.int16) * rng.choice([-1, 1], x.shape)
        x[rng.random(x.shape) < 0.2] = zero
        if encoded:
            slices = stored_slices(x.astype(np.int16) - zero, w, 2, fmt, 8)
        else:
            slices = byte_slices(x, w, zero, fmt)
        tiles.append(Tile(slices, sparq_matmul(x, w, fmt, zero_point=zero)))
    slices_per_group = 1 if encoded else max(1, group // 2)
    checks(check_tiles(array, tiles, [0.0, 0.3] * 3, slices_per_group, rng))


def byte_slices(x: Array, w: Array, zero_point: int, fmt: SparqFormat) -> list[Word]:
    """The slices of a tile: its bytes, the last one filled with the byte that stands for 0."""
    slices = slices_of(np.abs(x), w, 2, 8)
    missing = x.shape[1] % 2
    padded = np.pad(x.astype(np.int16), ((0, 0), (0, missing)), constant_values=zero_point)
    for index, word in enumerate(slices):
        word["in_a"] = pack(padded[:, 2 * index : 2 * index + 2] & 255, 8)
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


def test_a_dot_product_takes_none() -> None:
    message = r"^a dot product needs a format of unsigned activations, not SparqFormat\(window_bits"
    with pytest.raises(ValueError, match=message):
        dot_product("sparq", 2, named_format("s4opt"))
    with pytest.raises(ValueError, match=message):
        sparq_mac("s5opt", pairs=4)
