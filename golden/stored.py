"""Encoded pairs as memories and streams have them: in as few bits as a pair needs."""

from collections.abc import Sequence
from functools import lru_cache
from math import prod

import numpy as np
import numpy.typing as npt

from golden import checks
from golden.format import SparqFormat
from golden.pairs import EncodedPairs, pack_pairs, unpack_pairs

_NO_WORD = np.uint32(0xFFFF_FFFF)


def store_pairs(encoded: EncodedPairs, fmt: SparqFormat) -> npt.NDArray[np.uint32]:
    """Encoded pairs as stored words of ``fmt.stored_pair_bits`` bits, uint32 (..., P).

    The word of a pair of zeros is 0. Raises ``ValueError`` for what
    :func:`golden.decode_pairs` does not take either, and where ``fmt.stored_words`` says which
    pairs there are, for all others: a window above the lowest placement that would fit a lower one,
    and a lane of its own beside a zero.
    """
    packed = pack_pairs(encoded, fmt)
    if not fmt.stored_words:
        return packed ^ np.uint32(fmt.stored_inversion)
    of_pairs = "pairs that activations are encoded as"
    below = _tables(fmt)[0]
    return _looked_up("encoded", of_pairs, packed, below, fmt.unsigned_stored_bits)


def load_pairs(words: npt.ArrayLike, fmt: SparqFormat) -> EncodedPairs:
    """The inverse of :func:`store_pairs`, of integer words (..., P).

    Raises ``ValueError`` for words that are those of no pair.
    """
    checks.sparq_format(fmt)
    array = checks.integers("words", words, 0, (1 << fmt.stored_pair_bits) - 1).astype(np.uint32)
    if array.ndim < 1:
        raise ValueError(f"words must have the shape (..., P), not {array.shape}")
    if not fmt.stored_words:
        return unpack_pairs(array ^ np.uint32(fmt.stored_inversion), fmt)
    below = _tables(fmt)[1]
    packed = _looked_up("words", "words of pairs", array, below, fmt.unsigned_pair_bits)
    return unpack_pairs(packed, fmt)


def encoded_bits(shape: Sequence[int], fmt: SparqFormat) -> int:
    """Bits that activations of ``shape`` (..., K) take as stored words; an odd K ends with a pair.

    Raises ``ValueError`` for a shape without K or with negative lengths.
    """
    checks.sparq_format(fmt)
    lengths = [int(length) for length in checks.integers("shape", shape, 0, 2**63 - 1)]
    if not lengths:
        raise ValueError("shape must be (..., K), not ()")
    return prod(lengths[:-1]) * -(-lengths[-1] // 2) * fmt.stored_pair_bits


@lru_cache(maxsize=64)
def _tables(fmt: SparqFormat) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """The stored word of each packed pair, and the packed pair of each stored word.

    Of both what is below the signs.
    """
    packed = np.array([*fmt.stored_words], np.uint32)
    stored = np.array([*fmt.stored_words.values()], np.uint32)
    widths = fmt.unsigned_pair_bits, fmt.unsigned_stored_bits
    tables = np.full(1 << widths[0], _NO_WORD), np.full(1 << widths[1], _NO_WORD)
    tables[0][packed], tables[1][stored] = stored, packed
    return tables


def _looked_up(
    name: str,
    allowed: str,
    words: npt.NDArray[np.uint32],
    table: npt.NDArray[np.uint32],
    bits: int,
) -> npt.NDArray[np.uint32]:
    """``words`` with what ``table`` says of their low bits: ``bits`` bits, and signs above them."""
    known = len(table).bit_length() - 1
    found = np.take(table, words & np.uint32((1 << known) - 1))
    wrong = found == _NO_WORD
    if wrong.any():
        position = np.unravel_index(int(wrong.argmax()), wrong.shape)
        where = ", ".join(str(int(index)) for index in position)
        raise ValueError(f"{name} must be {allowed}, not {words[position]:#x} (at index [{where}])")
    return found | words >> np.uint32(known) << np.uint32(bits)
