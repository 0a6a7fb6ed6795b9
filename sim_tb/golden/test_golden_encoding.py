"""Lines as stored pairs in memory: what they keep, and that it stays when they are stored again."""

import re
from dataclasses import replace

import numpy as np
import pytest

from golden import NAMED_FORMATS, SparqFormat, named_format, sparq
from golden.accelerator.encoding import decode_lines, encode_lines, holds_pairs
from golden.accelerator.program import Machine, Outcome, Window
from golden.accelerator.shape import AcceleratorShape
from golden.descriptor import (
    DESCRIPTOR_WORDS,
    Descriptor,
    Error,
    Opcode,
    decode,
)
from golden.quantize import VALUES

SHAPE = AcceleratorShape(4, 4, 2, 64, 8, 16, format=named_format("5opt"), encodes=True)
PAIRS = np.stack(np.meshgrid(np.arange(VALUES), np.arange(VALUES)), axis=-1).astype(np.uint8)
OTHERS = ("4:0,1,4", "3:0,5", "5:0,4")


def formats() -> list[SparqFormat]:
    """Those with a name and some others, rounded and trimmed, with vSPARQ and without, and of which
    pairs share a window.
    """
    return [
        named_format(name, rounding=rounding, vsparq=vsparq, group=group)
        for name in (*NAMED_FORMATS, *OTHERS)
        for rounding in (True, False)
        for vsparq in (True, False)
        for group in (1, 2)
    ]


@pytest.mark.parametrize("fmt", formats(), ids=lambda fmt: f"{fmt}")
def test_all_pairs_stay_what_they_are_in_their_windows(fmt: SparqFormat) -> None:
    """Stored and loaded, every pair is what a machine takes it for, and stays so; also the stored
    word, where windows have a shift of their own and none of a value is 0.
    """
    shape = replace(SHAPE, format=fmt)
    data = PAIRS.reshape(-1)
    stored = encode_lines(shape, data)
    assert len(stored) * 16 == len(data) * fmt.stored_pair_bits
    assert holds_pairs(shape, stored)
    loaded = decode_lines(shape, stored)
    np.testing.assert_array_equal(loaded.reshape(-1, 2), sparq(PAIRS.reshape(-1, 2), fmt))
    np.testing.assert_array_equal(decode_lines(shape, encode_lines(shape, loaded)), loaded)
    if fmt.group == 1 and np.array_equal(loaded == 0, data == 0):
        np.testing.assert_array_equal(encode_lines(shape, loaded), stored)


def test_first_pair_is_low() -> None:
    """Words of 12 bits follow each other: of two pairs the first has byte 0 and half of byte 1."""
    one = encode_lines(SHAPE, np.array([7, 9, 0, 0], np.uint8))
    other = encode_lines(SHAPE, np.array([0, 0, 7, 9], np.uint8))
    word = int.from_bytes(one.tobytes(), "little")
    assert 0 < word < 1 << 12
    assert int.from_bytes(other.tobytes(), "little") == word << 12


def test_words_of_no_pair_are_found() -> None:
    """Of all words of 12 bits some are that of no pair: these become zeros."""
    words = np.arange(1 << 12)
    bits = (words[:, np.newaxis] >> np.arange(12) & 1).astype(np.uint8)
    data = np.packbits(bits.reshape(-1), bitorder="little")
    assert not holds_pairs(SHAPE, data)
    found = np.unique(decode_lines(SHAPE, data).reshape(-1, 2), axis=0)
    expected = np.unique(sparq(PAIRS.reshape(-1, 2), named_format("5opt")), axis=0)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("name", "lines"), [("5opt", 2), ("3opt", 8), ("2opt", 8), ("6opt", 4), ("7opt", 8)]
)
def test_fewest_lines_that_are_whole_beats(name: str, lines: int) -> None:
    """Of lines of two beats."""
    shape = replace(SHAPE, format=named_format(name))
    assert shape.encoded_lines == lines
    sizes = [shape.memory_bytes(count, True) for count in range(1, lines + 1)]
    whole = [shape.line_bytes * 8 * count * shape.pair_bits % (16 * 64) for count in range(1, 8)]
    assert sizes[-1] * 16 == lines * shape.line_bytes * shape.pair_bits
    assert sizes[-1] % shape.beat_bytes == 0
    assert all(rest for count, rest in enumerate(whole, 1) if count % lines)
    assert shape.memory_bytes(lines, False) == lines * shape.line_bytes


def test_without_a_format_nothing_is_encoded() -> None:
    """As there are no pairs."""
    text = "encodes of an accelerator must be False without a format, not True"
    with pytest.raises(ValueError, match=re.escape(text)):
        replace(SHAPE, format=None)


@pytest.mark.parametrize("opcode", [Opcode.LOAD, Opcode.STORE])
def test_the_bit_is_a_field_where_lines_are_encoded(opcode: Opcode) -> None:
    """Elsewhere it is one that is in no field, as it is in a descriptor that moves nothing."""
    move = Descriptor(opcode, {"lines": 1, "encoded": 1})
    found = decode(move.words(), encodes=True)
    assert isinstance(found, Descriptor)
    assert found.encoded == 1
    assert decode(move.words()) is Error.FIELD
    words = np.zeros(DESCRIPTOR_WORDS, np.uint32)
    words[0], words[3] = Opcode.TABLE, 1
    assert decode(words, encodes=True) is Error.FIELD


def machine(*descriptors: Descriptor) -> Machine:
    """A machine beside 1 KiB that starts with these, of which the last quarter may be written."""
    memory = np.zeros(1 << 10, np.uint8)
    code = np.concatenate([each.words() for each in descriptors]).view(np.uint8)
    memory[: len(code)] = code
    return Machine(SHAPE, memory, Window(0, 1 << 10), Window(768, 256))


def test_what_is_stored_and_loaded_stays_in_its_windows() -> None:
    """Four lines become 48 bytes, and nothing behind them is written; as bytes they stay."""
    moved = {"lines": 4, "address": 8}
    back = {"lines": 4, "line": 8, "address": 768 + 8, "wait_stores": 1}
    whole = machine(
        Descriptor(Opcode.STORE, {**moved, "encoded": 1}),
        Descriptor(Opcode.LOAD, {**back, "encoded": 1}),
        Descriptor(Opcode.END),
    )
    data = np.random.default_rng(0).integers(0, VALUES, (4, 8, 2)).astype(np.uint8)
    data[1, :, 1] = 0
    whole.scratchpad[:4] = data
    before = whole.memory.copy()
    assert whole.run(0) == Outcome(Error.NONE, 3)
    assert SHAPE.format is not None
    np.testing.assert_array_equal(whole.scratchpad[:4], data)
    np.testing.assert_array_equal(whole.scratchpad[8:12], sparq(data, SHAPE.format))
    np.testing.assert_array_equal(whole.scratchpad[9], data[1])
    changed = np.flatnonzero(whole.memory != before)
    assert changed.min() >= 776
    assert 800 <= changed.max() < 776 + 48


@pytest.mark.parametrize(
    ("opcode", "values", "error"),
    [
        (Opcode.LOAD, {"lines": 3}, Error.FIELD),
        (Opcode.LOAD, {"lines": 0}, Error.FIELD),
        (Opcode.STORE, {"lines": 2, "address": 4}, Error.FIELD),
        (Opcode.STORE, {"lines": 66}, Error.FIELD),
        (Opcode.LOAD, {"lines": 2, "address": 1024 - 24}, Error.NONE),
        (Opcode.LOAD, {"lines": 2, "address": 1024 - 16}, Error.READ),
        (Opcode.STORE, {"lines": 20, "address": 16}, Error.NONE),
        (Opcode.STORE, {"lines": 20, "address": 24}, Error.WRITE),
    ],
)
def test_what_stops_a_program(opcode: Opcode, values: dict[str, int], error: Error) -> None:
    """Pairs of lines are 24 bytes, three beats."""
    whole = machine(Descriptor(opcode, {**values, "encoded": 1}), Descriptor(Opcode.END))
    before = whole.memory.copy()
    assert whole.run(0) == Outcome(error, 0 if error else 2)
    assert opcode is Opcode.STORE or np.array_equal(whole.memory, before)
