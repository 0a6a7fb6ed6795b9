"""Arrays of signed formats, whose activations enter as sign and magnitude, against golden."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from golden import named_format, sparq_matmul
from hdl import SystolicArray, sparq_mac
from hdl.broadcast.dot_product import dot_product
from hdl.multiplier.style import Style
from sim_tb.hdl.pysim import SEED, pack
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
@pytest.mark.parametrize("encoded", [False, True], ids=["magnitudes", "stored"])
@pytest.mark.parametrize("style", Style)
@pytest.mark.parametrize(("name", "vsparq", "group"), CASES)
def test_array(
    name: str, vsparq: bool, group: int, style: Style, encoded: bool, checks: Any
) -> None:
    """Tiles of many lengths, with bubbles: exactly golden's sums, the bias of rows taken away."""
    rng = np.random.default_rng(SEED)
    fmt = named_format(name, vsparq=vsparq, group=group)
    options: dict[str, Any] = {"encoded_input": encoded, "style": style}
    unit = sparq_mac(name, True, vsparq, group, pipeline=group % 3, **options)
    array = SystolicArray(2, 3, unit.mac)
    lengths = [1, 2, 7, 20, 3, 1]
    tiles = []
    for x, w in make_operands(rng, lengths, 2, 3, 8):
        signed = np.minimum(x, fmt.magnitude_max).astype(np.int16) * rng.choice([-1, 1], x.shape)
        tiles.append(Tile(_slices(signed, w, fmt, encoded), sparq_matmul(signed, w, fmt)))
    slices_per_group = 1 if encoded else max(1, group // 2)
    checks(check_tiles(array, tiles, [0.0, 0.3] * 3, slices_per_group, rng))


def _slices(x: Array, w: Array, fmt: Any, encoded: bool) -> Any:
    if encoded:
        return stored_slices(x, w, 2, fmt, 8)
    slices = slices_of(abs(x), w, 2, 8)
    padded = np.pad(x, ((0, 0), (0, x.shape[1] % 2)))
    codes = abs(padded) | (padded < 0).astype(int) << fmt.magnitude_bits
    for index, word in enumerate(slices):
        word["in_a"] = pack(codes[:, 2 * index : 2 * index + 2], fmt.activation_bits)
    return slices


def test_a_dot_product_takes_none() -> None:
    message = r"^a dot product needs a format of unsigned activations, not SparqFormat\(window_bits"
    with pytest.raises(ValueError, match=message):
        dot_product("sparq", 2, named_format("s4opt"))
    with pytest.raises(ValueError, match=message):
        sparq_mac("s5opt", pairs=4)
