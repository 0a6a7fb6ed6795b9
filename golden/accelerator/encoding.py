"""Lines of a scratchpad as they lie in memory where they are stored pairs.

Each two neighbouring bytes, channels of a pixel, are a pair. Its stored word stands above that of
the pair before, without gaps, the first one in the lowest bits.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from golden.accelerator.shape import AcceleratorShape, Bytes
from golden.format import ACTIVATION_MAX, SparqFormat
from golden.pairs import encode_pairs
from golden.stored import store_pairs

NO_PAIR = -1
"""In place of the bytes of a word that is that of no pair."""


def encode_lines(shape: AcceleratorShape, data: Bytes) -> Bytes:
    """Bytes of lines (all) as stored pairs; uint8, whole bytes.

    What is kept of the bytes are their windows: :func:`golden.sparq` of them.
    """
    assert shape.format is not None
    words = store_pairs(encode_pairs(data, shape.format), shape.format)
    bits = words[:, np.newaxis] >> np.arange(shape.pair_bits, dtype=np.uint32) & np.uint32(1)
    return np.packbits(bits.astype(np.uint8).reshape(-1), bitorder="little")


def decode_lines(shape: AcceleratorShape, data: Bytes) -> Bytes:
    """Of the stored pairs in ``data`` the bytes, uint8, that :func:`encode_lines` made it of, in
    their windows. Where a word is that of no pair they may be anything; here they are 0.
    """
    return np.maximum(_bytes(shape, data), 0).astype(np.uint8).reshape(-1)


def holds_pairs(shape: AcceleratorShape, data: Bytes) -> bool:
    """Whether all words of ``data`` are those of pairs."""
    return not (_bytes(shape, data) == NO_PAIR).any()


def _bytes(shape: AcceleratorShape, data: Bytes) -> npt.NDArray[np.int16]:
    """The bytes of each word of ``data``, or :data:`NO_PAIR`: int16 (words, 2)."""
    assert shape.format is not None
    bits = np.unpackbits(data, bitorder="little").reshape(-1, shape.pair_bits)
    words = bits.astype(np.int64) @ (1 << np.arange(shape.pair_bits))
    return _bytes_of_words(shape.format)[words]


@lru_cache(maxsize=64)
def _bytes_of_words(fmt: SparqFormat) -> npt.NDArray[np.int16]:
    """Of each stored word both bytes, or :data:`NO_PAIR`: int16 (words, 2)."""
    words = np.arange(1 << fmt.stored_pair_bits)
    packed = words ^ fmt.stored_inversion
    if fmt.stored_words:
        packed = np.full(len(words), NO_PAIR)
        packed[[*fmt.stored_words.values()]] = [*fmt.stored_words]
    bits, mask = fmt.window_bits, (1 << fmt.window_bits) - 1
    values = np.full((len(words), 2), NO_PAIR)
    for state, code in fmt.control_codes.items():
        own = packed >> 2 * bits == code
        lanes = [packed[own] & mask, packed[own] >> bits & mask]
        values[own] = 0
        for lane, shift, owner in zip(lanes, state[:2], state[2:], strict=True):
            values[own, owner] += lane << fmt.lane_shifts[shift]
    values[(values > ACTIVATION_MAX).any(axis=1)] = NO_PAIR
    return values.astype(np.int16)
