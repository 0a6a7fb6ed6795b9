"""Programs of an accelerator, against plain loops over pixels and channels."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from golden import named_format, requantize, sparq_matmul
from golden.accelerator.program import Machine, Outcome, Window, tiles, tiles_of, unpack_sums
from golden.accelerator.shape import (
    COLUMN_PARAMETERS,
    AcceleratorShape,
    pack_channels,
    pack_columns,
    pack_tensor,
    pack_weights,
    unpack_channels,
    unpack_columns,
    unpack_tensor,
    unpack_weights,
)
from golden.descriptor import (
    DESCRIPTOR_BYTES,
    LAYOUT,
    PATCHES,
    Descriptor,
    Error,
    Opcode,
    decode,
)

SIZES: dict[str, Any] = {
    **{"rows": 4, "cols": 4, "k_per_cycle": 2, "lines": 512},
    **{"beat_bytes": 8, "weight_depth": 512},
}
FORMATS = {
    "exact elements": None,
    "5opt": named_format("5opt"),
    "group of 4": named_format("5opt", vsparq=False, group=4),
    "s5opt": named_format("s5opt"),
}
MEMORY_BYTES = 1 << 17
PROGRAM, TENSORS, STREAM, RESULTS = 0, 1 << 12, 1 << 15, 1 << 16
"""Where they start; results have the rest."""

Bytes = npt.NDArray[np.uint8]


def machine(shape: AcceleratorShape, parts: Mapping[int, Bytes]) -> Machine:
    """One beside a memory with these parts, by their addresses."""
    memory = np.zeros(MEMORY_BYTES, np.uint8)
    for address, part in parts.items():
        memory[address : address + part.size] = part.reshape(-1)
    reads, writes = Window(0, MEMORY_BYTES), Window(RESULTS, MEMORY_BYTES - RESULTS)
    return Machine(shape, memory, reads, writes)


def program(*descriptors: Descriptor) -> Bytes:
    """As it lies in memory."""
    return np.concatenate([each.words() for each in descriptors]).view(np.uint8)


def computed(
    shape: AcceleratorShape,
    work: Descriptor,
    stream: Bytes,
    *tensors: Bytes,
    result: tuple[int, int, int],
) -> Bytes:
    """The tensor that a descriptor makes of ``tensors``, which stand one after the other."""
    lines = [pack_tensor(shape, tensor) for tensor in tensors]
    loaded = np.concatenate(lines)
    out = pack_tensor(shape, np.zeros(result, np.uint8))
    first = work.out_line
    assert first == len(loaded)
    whole = machine(
        shape,
        {
            PROGRAM: program(
                Descriptor(Opcode.LOAD, {"address": TENSORS, "lines": len(loaded)}),
                work,
                Descriptor(Opcode.STORE, {"wait_computes": 1, "line": first, "lines": len(out)}),
                Descriptor(Opcode.END),
            ),
            TENSORS: loaded,
            STREAM: stream,
        },
    )
    assert whole.run(PROGRAM) == Outcome(Error.NONE, 4)
    stored = whole.memory[RESULTS : RESULTS + out.size]
    return unpack_tensor(shape, stored, result)


def random_parameters(rng: np.random.Generator, channels: int) -> npt.NDArray[np.void]:
    """Of so many channels, such that results spread over the bytes."""
    parameters = np.zeros(channels, COLUMN_PARAMETERS)
    parameters["bias"] = rng.integers(-2000, 2000, channels)
    parameters["multiplier"] = rng.integers(1 << 14, 1 << 15, channels)
    parameters["shift"] = rng.integers(17, 24, channels)
    parameters["zero_point"] = rng.integers(0, 256, channels)
    parameters["low"] = rng.integers(0, 40, channels)
    parameters["high"] = rng.integers(200, 256, channels)
    return parameters


def finished(sums: npt.NDArray[np.int64], parameters: npt.NDArray[np.void]) -> Bytes:
    """The bytes of sums (..., channels), channel by channel."""
    return np.stack(
        [
            requantize(
                sums[..., channel] + int(own["bias"]),
                *(int(own[name]) for name in ("multiplier", "shift", "zero_point", "low", "high")),
            )
            for channel, own in enumerate(parameters[: sums.shape[-1]])
        ],
        axis=-1,
    )


def geometry(rng: np.random.Generator) -> dict[str, int]:
    """Of a random patch that fits a random tensor."""
    names = ("stride_y", "stride_x", "dilation_y", "dilation_x")
    own = {name: int(rng.integers(1, 4)) for name in names}
    own |= {f"kernel_{side}": int(rng.integers(1, 4)) for side in ("height", "width")}
    own |= {name: int(rng.integers(0, 3)) for name in ("pad_top", "pad_left", "pad_below")}
    own |= {"pad_behind": int(rng.integers(0, 3))}
    for axis, side in (("y", "height"), ("x", "width")):
        own[f"in_{side}"] = (
            int(rng.integers(1, 6)) + (own[f"kernel_{side}"] - 1) * (own[f"dilation_{axis}"])
        )
    return own


def patch_values(own: Mapping[str, int], x: Bytes, pad: int) -> npt.NDArray[np.int64]:
    """(rows, columns, kernel rows, kernel columns, C) of a tensor (H, W, C), value by value."""
    padded_height = own["pad_top"] + own["in_height"] + own["pad_below"]
    padded_width = own["pad_left"] + own["in_width"] + own["pad_behind"]
    extent_y = (own["kernel_height"] - 1) * own["dilation_y"] + 1
    extent_x = (own["kernel_width"] - 1) * own["dilation_x"] + 1
    rows = (padded_height - extent_y) // own["stride_y"] + 1
    columns = (padded_width - extent_x) // own["stride_x"] + 1
    shape = (rows, columns, own["kernel_height"], own["kernel_width"])
    result = np.full((*shape, x.shape[2]), pad, np.int64)
    for place in product(*map(range, shape)):
        y = place[0] * own["stride_y"] + place[2] * own["dilation_y"] - own["pad_top"]
        x_ = place[1] * own["stride_x"] + place[3] * own["dilation_x"] - own["pad_left"]
        if 0 <= y < x.shape[0] and 0 <= x_ < x.shape[1]:
            result[place] = x[y, x_]
    return result


def described(
    shape: AcceleratorShape, own: Mapping[str, int], rows: int, columns: int
) -> dict[str, int]:
    """The fields of a patch, and of all its results."""
    count = tiles(
        *(shape, 0, rows * columns, 0, 0),
        out_width=columns,
        in_width=own["in_width"],
        stride=(own["stride_y"], own["stride_x"]),
    )
    fields = {name: value for name, value in own.items() if name in LAYOUT[Opcode.MATRIX]}
    return fields | {"out_width": columns, "pixels": rows * columns, "tiles_m": len(list(count))}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", FORMATS)
def test_convolutions(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    acc_bits = 16 if seed % 2 else 32  # in the fewer ones sums wrap
    shape = AcceleratorShape(**SIZES, acc_bits=acc_bits, format=FORMATS[name])
    own = geometry(rng)
    words = int(rng.integers(1, 3)) * 2
    channels, width = words * 2, int(rng.integers(1, 11))
    pad, zero_point = (int(value) for value in rng.integers(0, 256, 2))
    exact, sums = bool(seed % 3 == 0 and shape.format), seed % 4 == 0
    x = rng.integers(0, 256, (own["in_height"], own["in_width"], channels), np.uint8)
    patches = patch_values(own, x, pad)
    rows, columns = patches.shape[:2]
    lowered = patches.reshape(rows * columns, -1)
    depth = lowered.shape[1]
    weights = rng.integers(-128, 128, (depth, width)).astype(np.int8)
    parameters = random_parameters(rng, width)
    if shape.format is None or exact or not shape.format.signed:
        zero_point = zero_point if exact and shape.format and shape.format.signed else 0
    lowered = lowered - zero_point
    if shape.format and not exact:
        totals = sparq_matmul(lowered, weights, shape.format).astype(np.int64)
    else:
        totals = lowered @ weights.astype(np.int64)
    half = 1 << (acc_bits - 1)
    totals = ((totals + half) % (2 * half) - half).reshape(rows, columns, width)

    tiles_n = -(-width // shape.cols)
    filled = np.zeros((depth, tiles_n * shape.cols), np.int8)
    filled[:, :width] = weights
    all_parameters = np.zeros(tiles_n * shape.cols, COLUMN_PARAMETERS)
    all_parameters[:width] = parameters
    parts = []
    for first in range(0, filled.shape[1], shape.cols):
        own_columns = slice(first, first + shape.cols)
        parts.append(pack_columns(shape, all_parameters[own_columns]))
        parts.append(pack_weights(shape, filled[:, own_columns]))
    stream = np.concatenate(parts)
    out_words = shape.words(width)
    work = Descriptor(
        Opcode.MATRIX,
        described(shape, own, rows, columns)
        | {"wait_loads": 1, "address": STREAM, "beats": len(stream) // shape.beat_bytes}
        | {"exact": int(exact), "sums": int(sums), "pad_byte": pad, "zero_point": zero_point}
        | {"in_pitch": words, "in_words": words, "depth": depth // 2, "tiles_n": tiles_n}
        | {"out_line": len(pack_tensor(shape, x)), "out_words": out_words}
        | {"out_pitch": out_words * (4 if sums else 1)},
    )
    if sums:
        result = computed(shape, work, stream, x, result=(rows, columns, 8 * out_words))
        biased = totals + parameters["bias"]
        assert np.array_equal(unpack_sums(result, width), biased)
    else:
        result = computed(shape, work, stream, x, result=(rows, columns, width))
        assert np.array_equal(result, finished(totals, parameters))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("opcode", [Opcode.SUM, Opcode.MAX])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_patches_of_each_channel(opcode: Opcode, seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    shape = AcceleratorShape(**SIZES | {"k_per_cycle": steps})
    own = geometry(rng)
    words, pad = int(rng.integers(1, 4)), int(rng.integers(0, 256))
    uniform, sums = seed % 2, seed % 3 == 0
    x = rng.integers(0, 256, (own["in_height"], own["in_width"], words * steps), np.uint8)
    patches = patch_values(own, x, pad)
    rows, columns, height, width, channels = patches.shape
    count = (1 if uniform else height * width) if opcode is Opcode.SUM else 0
    weights = rng.integers(-(1 << 15), 1 << 15, (channels, count)).astype(np.int16)
    parameters = random_parameters(rng, channels)
    taps = patches.reshape(rows, columns, height * width, channels)
    if opcode is Opcode.MAX:
        totals = taps.max(axis=2)
    else:
        spread = np.broadcast_to(weights, (channels, height * width))
        totals = (taps * spread.T.astype(np.int64)).sum(axis=2)
    stream = pack_channels(shape, parameters, weights)
    work = Descriptor(
        opcode,
        described(shape, own, rows, columns)
        | {"wait_loads": 1, "address": STREAM, "beats": len(stream) // shape.beat_bytes}
        | {"uniform": uniform if opcode is Opcode.SUM else 0, "sums": int(sums), "pad_byte": pad}
        | {"in_pitch": words, "in_words": words}
        | {"out_line": len(pack_tensor(shape, x)), "out_words": words}
        | {"out_pitch": words * (4 if sums else 1)},
    )
    if sums:
        result = computed(shape, work, stream, x, result=(rows, columns, 4 * channels))
        assert np.array_equal(unpack_sums(result, channels), totals + parameters["bias"])
    else:
        result = computed(shape, work, stream, x, result=(rows, columns, channels))
        assert np.array_equal(result, finished(totals, parameters))


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("broadcast", [0, 1])
@pytest.mark.parametrize("opcode", [Opcode.COMBINE, Opcode.PRODUCT])
def test_two_tensors(opcode: Opcode, broadcast: int, padding: int) -> None:
    """Outside of the first one both are the byte for that."""
    rng = np.random.default_rng(broadcast)
    shape = AcceleratorShape(**SIZES)
    x = rng.integers(0, 256, (5, 3, 6), np.uint8)
    y = rng.integers(0, 256, (1, 1, 6) if broadcast else x.shape, np.uint8)
    parameters = random_parameters(rng, 6)
    weights = rng.integers(-500, 500, (6, 2)).astype(np.int16)
    wide = [(padding, 0), (padding, 0), (0, 0)]
    a, b = (
        np.pad(np.broadcast_to(each, x.shape).astype(np.int64), wide, constant_values=99)
        for each in (x, y)
    )
    if opcode is Opcode.PRODUCT:
        weights = weights[:, :0]
        totals = (a - 7) * (b - 200)
    else:
        totals = a * weights[:, 0].astype(np.int64) + b * weights[:, 1].astype(np.int64)
    stream = pack_channels(shape, parameters, weights)
    first = len(pack_tensor(shape, x))
    names = ("in_height", "kernel_height", "kernel_width", "stride_y", "stride_x")
    own = dict.fromkeys((*names, "dilation_y", "dilation_x"), 1)
    own |= {"in_height": 5, "in_width": 3, "pad_top": padding, "pad_left": padding}
    work = Descriptor(
        opcode,
        described(shape, own, *a.shape[:2])
        | {"pad_byte": 99}
        | {"wait_loads": 1, "address": STREAM, "beats": len(stream) // shape.beat_bytes}
        | {"zero_point": 7, "other_zero_point": 200, "broadcast": broadcast}
        | {"in_pitch": 3, "in_words": 3, "other_line": first, "other_pitch": 3}
        | {"out_line": first + len(pack_tensor(shape, y)), "out_words": 3, "out_pitch": 3},
    )
    result = computed(shape, work, stream, x, y, result=a.shape)
    assert np.array_equal(result, finished(totals, parameters))


def plain_tiles(
    rows: int, banks: int, pixels: Iterator[tuple[int, int]], stride: int, width: int
) -> list[int]:
    """How many pixels each tile takes, of their (row, column)."""
    starts = [(y * stride) * width + x * stride for y, x in pixels]
    counts = []
    while starts:
        taken = 0
        while taken < min(rows, len(starts)) and starts[taken] - starts[0] < banks:
            taken += 1
        counts.append(taken)
        starts = starts[taken:]
    return counts


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("out_width", [1, 3, 4, 7, 8, 20])
def test_tiles(stride: int, out_width: int) -> None:
    shape = AcceleratorShape(**SIZES | {"rows": 8})
    width = out_width * stride
    found = list(
        tiles(
            shape, 0, 6 * out_width, 0, 0, out_width=out_width, in_width=width, stride=(stride,) * 2
        )
    )
    pixels = iter([(y, x) for y in range(6) for x in range(out_width)])
    assert [tile.pixels for tile in found] == plain_tiles(8, 16, pixels, stride, width)
    assert [tile.row * out_width + tile.column for tile in found] == [t.first for t in found]


def test_parts_of_results_are_the_whole() -> None:
    """Whatever block of pixels a program starts with: rows of the input that it needs are there."""
    rng = np.random.default_rng(0)
    shape = AcceleratorShape(**SIZES)
    x = rng.integers(0, 256, (6, 5, 2), np.uint8)
    parameters, weights = random_parameters(rng, 2), rng.integers(-9, 9, (2, 9)).astype(np.int16)
    stream = pack_channels(shape, parameters, weights)
    own = dict.fromkeys(("stride_y", "stride_x", "dilation_y", "dilation_x"), 1)
    own |= {"kernel_height": 3, "kernel_width": 3, "pad_top": 1, "pad_left": 1}
    own |= {"in_height": 6, "in_width": 5, "pad_below": 1, "pad_behind": 1}
    totals = patch_values(own, x, 0).reshape(6, 5, 9, 2) * weights.T.astype(np.int64)
    lines = len(pack_tensor(shape, x))
    fields = described(shape, own, 6, 5)
    fields |= {"wait_loads": 1, "address": STREAM, "beats": len(stream) // shape.beat_bytes}
    fields |= {"in_pitch": 1, "in_words": 1, "out_line": lines, "out_words": 1, "out_pitch": 1}
    parts = []
    for first in range(0, 30, 8):
        part = {"first_pixel": first, "pixels": min(8, 30 - first), "first_row": first // 5}
        part |= {"first_column": first % 5, "tiles_m": min(2, -(-(30 - first) // 4))}
        parts.append(Descriptor(Opcode.SUM, fields | part))
    load = Descriptor(Opcode.LOAD, {"address": TENSORS, "lines": lines})
    store = Descriptor(Opcode.STORE, {"wait_computes": 4, "line": lines, "lines": lines})
    code = program(load, *parts, store, Descriptor(Opcode.END))
    whole = machine(shape, {PROGRAM: code, TENSORS: pack_tensor(shape, x), STREAM: stream})
    assert whole.run(PROGRAM).error is Error.NONE
    result = unpack_tensor(shape, whole.memory[RESULTS:][: lines * shape.line_bytes], (6, 5, 2))
    assert np.array_equal(result, finished(totals.sum(axis=2), parameters))


def test_table() -> None:
    rng = np.random.default_rng(0)
    shape = AcceleratorShape(**SIZES)
    x, table = rng.integers(0, 256, (3, 3, 2), np.uint8), rng.permutation(256).astype(np.uint8)
    parameters = np.zeros(2, COLUMN_PARAMETERS)
    parameters["multiplier"], parameters["high"] = 1, 255
    stream = pack_channels(shape, parameters, np.ones((2, 1), np.int16))
    lines = len(pack_tensor(shape, x))
    one = dict.fromkeys(
        ("kernel_height", "kernel_width", "stride_y", "stride_x", "dilation_y", "dilation_x"), 1
    )
    fields = described(shape, one | {"in_height": 3, "in_width": 3}, 3, 3)
    fields |= {"wait_loads": 1, "address": STREAM, "beats": len(stream) // shape.beat_bytes}
    fields |= {"in_pitch": 1, "in_words": 1, "out_line": lines, "out_words": 1, "out_pitch": 1}
    code = program(
        Descriptor(Opcode.LOAD, {"address": TENSORS, "lines": lines}),
        Descriptor(Opcode.TABLE, {"address": STREAM + 4096}),
        Descriptor(Opcode.SUM, fields | {"table": 1}),
        Descriptor(Opcode.STORE, {"wait_computes": 2, "line": lines, "lines": lines}),
        Descriptor(Opcode.END),
    )
    parts = {PROGRAM: code, TENSORS: pack_tensor(shape, x), STREAM: stream, STREAM + 4096: table}
    whole = machine(shape, parts)
    assert whole.run(PROGRAM) == Outcome(Error.NONE, 5)
    result = unpack_tensor(shape, whole.memory[RESULTS:][: lines * shape.line_bytes], (3, 3, 2))
    assert np.array_equal(result, table[x])


@pytest.mark.parametrize("weight_bits", range(2, 9))
@pytest.mark.parametrize(("cols", "steps"), [(4, 2), (3, 1), (6, 2), (8, 4)])
def test_what_is_packed_is_unpacked(weight_bits: int, cols: int, steps: int) -> None:
    rng = np.random.default_rng(weight_bits)
    sizes = {"cols": cols, "k_per_cycle": steps, "weight_bits": weight_bits}
    shape = AcceleratorShape(**SIZES | sizes)
    half = 1 << (weight_bits - 1)
    weights = rng.integers(-half, half, (5 * steps, cols)).astype(np.int8)
    packed = pack_weights(shape, weights)
    assert len(packed) == shape.weight_beats(5) * shape.beat_bytes
    assert np.array_equal(unpack_weights(shape, packed, 5), weights)
    parameters = random_parameters(rng, cols)
    packed = pack_columns(shape, parameters)
    assert len(packed) == shape.column_beats * shape.beat_bytes
    assert np.array_equal(unpack_columns(shape, packed), parameters)
    own = rng.integers(-(1 << 15), 1 << 15, (cols, weight_bits)).astype(np.int16)
    packed = pack_channels(shape, parameters, own)
    assert len(packed) == shape.vector_beats(cols // steps, weight_bits) * shape.beat_bytes
    for got, expected in zip(
        unpack_channels(shape, packed, cols, weight_bits), (parameters, own), strict=True
    ):
        assert np.array_equal(got, expected)


def test_where_a_channel_lies() -> None:
    shape = AcceleratorShape(**SIZES)
    x = np.arange(5 * 3 * 3, dtype=np.uint8).reshape(5, 3, 3)
    lines = pack_tensor(shape, x)
    assert lines.shape == (2 * 2, 8, 2)
    for y, column, channel in product(range(5), range(3), range(3)):
        pixel = y * 3 + column
        word, step = divmod(channel, 2)
        assert lines[pixel // 8 * 2 + word, pixel % 8, step] == x[y, column, channel]
    assert np.array_equal(unpack_tensor(shape, lines, x.shape), x)


@pytest.mark.parametrize("opcode", Opcode)
def test_fields_have_their_own_bits(opcode: Opcode) -> None:
    taken = [0] * 16
    for place in LAYOUT[opcode].values():
        mask = place.largest << place.low_bit
        assert mask < 1 << 32
        assert not taken[place.word] & mask
        taken[place.word] |= mask
    rng = np.random.default_rng(int(opcode))
    values = {
        name: int(rng.integers(0, place.largest + 1))
        for name, place in LAYOUT[opcode].items()
        if name != "opcode"
    }
    descriptor = Descriptor(opcode, values)
    assert decode(descriptor.words(), encodes=True) == descriptor
    for word, mask in enumerate(taken):
        if mask != (1 << 32) - 1:
            words = descriptor.words()
            words[word] |= ~mask & 0xFFFF_FFFF
            assert decode(words) is Error.FIELD


@pytest.mark.parametrize(
    ("opcode", "values", "text"),
    [
        (Opcode.LOAD, {"depth": 1}, "LOAD has no field 'depth'"),
        (Opcode.LOAD, {"opcode": 1}, "LOAD has no field 'opcode'"),
        (Opcode.STORE, {"lines": 1 << 16}, "lines of STORE must be an integer from 0 to 65535, "),
        (Opcode.MAX, {"pad_byte": -1}, "pad_byte of MAX must be an integer from 0 to 255, not -1"),
    ],
)
def test_fields_that_do_not_fit(opcode: Opcode, values: dict[str, int], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Descriptor(opcode, values)


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        ({"rows": 3}, "rows of an accelerator must be a power of two from 2 to 256, not 3"),
        ({"lines": 100}, "lines of an accelerator must be a power of two from 2 to 65536, not 100"),
        ({"beat_bytes": 32}, "beat_bytes of an accelerator must be a power of two from 4 to 16, "),
        ({"cols": 5}, "cols of an accelerator must be a multiple of 2, the steps of the reduction"),
    ],
)
def test_shapes_that_cannot_be(sizes: dict[str, int], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        AcceleratorShape(**SIZES | sizes)


SUM_1X1 = dict.fromkeys(
    (
        *("in_words", "in_height", "in_width", "kernel_height", "kernel_width", "stride_y"),
        *("stride_x", "dilation_y", "dilation_x", "out_words", "out_width", "tiles_m", "pixels"),
        *("in_pitch", "out_pitch"),
    ),
    1,
)
"""A SUM of one pixel; its stream is of two channels, each of three words and a weight."""
MATRIX_1X1 = SUM_1X1 | {"tiles_n": 1, "depth": 1, "beats": 7}


@pytest.mark.parametrize(
    ("opcode", "values", "error"),
    [
        (Opcode.LOAD, {"wait_loads": 1, "lines": 1}, Error.WAIT),
        (Opcode.LOAD, {}, Error.FIELD),
        (Opcode.LOAD, {"lines": 1, "address": 8}, Error.FIELD),
        (Opcode.STORE, {"lines": 513}, Error.FIELD),
        (Opcode.LOAD, {"lines": 2, "address": MEMORY_BYTES - 16}, Error.READ),
        (Opcode.STORE, {"lines": 2, "address": MEMORY_BYTES - RESULTS - 16}, Error.WRITE),
        (Opcode.TABLE, {"address": 4}, Error.FIELD),
        (Opcode.TABLE, {"address": MEMORY_BYTES - 248}, Error.READ),
        (Opcode.SUM, SUM_1X1 | {"beats": 3}, Error.FIELD),
        (Opcode.SUM, SUM_1X1 | {"beats": 4, "address": MEMORY_BYTES - 24}, Error.READ),
        (Opcode.SUM, SUM_1X1 | {"beats": 4, "stride_x": 0}, Error.FIELD),
        (Opcode.SUM, SUM_1X1 | {"sums": 1, "out_words": 16383, "beats": 4 * 16383}, Error.READ),
        (Opcode.SUM, SUM_1X1 | {"sums": 1, "out_words": 16384, "beats": 4 * 16384}, Error.FIELD),
        (Opcode.SUM, SUM_1X1 | {"beats": 4, "first_column": 1}, Error.FIELD),
        (Opcode.PRODUCT, SUM_1X1 | {"beats": 3, "kernel_width": 2}, Error.FIELD),
        (
            Opcode.SUM,
            SUM_1X1 | {"beats": 139, "kernel_width": 17, "kernel_height": 16},
            Error.FIELD,
        ),
        (Opcode.MATRIX, SUM_1X1 | {"tiles_n": 1, "depth": 2, "beats": 8}, Error.FIELD),
        (Opcode.MATRIX, SUM_1X1 | {"depth": 1}, Error.FIELD),
        (Opcode.MATRIX, MATRIX_1X1 | {"tiles_n": 2, "beats": 16}, Error.FIELD),
        (Opcode.MATRIX, MATRIX_1X1 | {"out_words": 3}, Error.FIELD),
        (Opcode.MATRIX, MATRIX_1X1 | {"first_column": 1}, Error.FIELD),
    ],
)
def test_what_stops_a_program(opcode: Opcode, values: dict[str, int], error: Error) -> None:
    code = program(Descriptor(opcode, values), Descriptor(Opcode.END))
    whole = machine(AcceleratorShape(**SIZES), {PROGRAM: code})
    before = whole.memory.copy()
    assert whole.run(PROGRAM) == Outcome(error, 0)
    assert np.array_equal(whole.memory, before)


def test_a_program_without_end_leaves_the_window() -> None:
    count = 300
    loads = [Descriptor(Opcode.LOAD, {"lines": 1, "wait_loads": n % 256}) for n in range(count)]
    whole = machine(AcceleratorShape(**SIZES), {PROGRAM: program(*loads)})
    whole.reads = Window(0, count * DESCRIPTOR_BYTES + 32)
    assert whole.run(PROGRAM) == Outcome(Error.READ, count)
    whole.reads = Window(0, MEMORY_BYTES)
    assert whole.run(PROGRAM) == Outcome(Error.OPCODE, count)


def test_counts_that_are_waited_for_lie_near() -> None:
    loads = [
        Descriptor(Opcode.LOAD, {"lines": 1, "wait_loads": n * 127 // 128}) for n in range(200)
    ]
    never = [Descriptor(Opcode.LOAD, {"lines": 1})] * 200
    shape = AcceleratorShape(**SIZES)
    assert machine(shape, {PROGRAM: program(*loads)}).run(PROGRAM) == Outcome(Error.OPCODE, 200)
    assert machine(shape, {PROGRAM: program(*never)}).run(PROGRAM) == Outcome(Error.WAIT, 128)


def test_damaged_programs_end_and_write_nowhere_else() -> None:
    rng = np.random.default_rng(0)
    shape = AcceleratorShape(**SIZES)
    load = Descriptor(Opcode.LOAD, {"address": TENSORS, "lines": 4})
    work = Descriptor(Opcode.SUM, SUM_1X1 | {"wait_loads": 1, "beats": 4, "address": STREAM})
    store = Descriptor(Opcode.STORE, {"wait_computes": 1, "lines": 4})
    code = program(load, work, store, Descriptor(Opcode.END))
    errors = set()
    for _ in range(300):
        damaged = code.copy()
        for _ in range(int(rng.integers(1, 4))):
            damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        whole = machine(shape, {PROGRAM: damaged})
        before = whole.memory.copy()
        errors.add(whole.run(PROGRAM).error)
        assert np.array_equal(whole.memory[:RESULTS], before[:RESULTS])
    assert errors >= {Error.NONE, Error.OPCODE, Error.FIELD, Error.WAIT, Error.READ}


def test_tiles_of_a_descriptor() -> None:
    shape = AcceleratorShape(**SIZES)
    descriptor = Descriptor(Opcode.MAX, SUM_1X1 | {"pixels": 9, "tiles_m": 2})
    assert [tile.pixels for tile in tiles_of(shape, descriptor)] == [4, 4, 1]
    assert Opcode.MAX in PATCHES


@pytest.mark.parametrize(
    ("tiles_m", "error"), [(1, Error.TILES), (2, Error.NONE), (3, Error.TILES)]
)
def test_tiles_of_a_matrix(tiles_m: int, error: Error) -> None:
    """Of 5 pixels in a row of 5, 4 fit a tile."""
    shape = AcceleratorShape(**SIZES)
    sizes = {"out_width": 5, "in_width": 5, "pixels": 5, "tiles_m": tiles_m}
    beats = shape.column_beats + shape.weight_beats(1)
    work = SUM_1X1 | sizes | {"tiles_n": 1, "depth": 1, "beats": beats, "address": STREAM}
    code = program(Descriptor(Opcode.MATRIX, work), Descriptor(Opcode.END))
    whole = machine(shape, {PROGRAM: code})
    assert whole.run(PROGRAM).error is error
