"""Codes of a few bits in bytes, the first one in the low bits."""

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


def code_bytes(width: int, bits: int) -> int:
    """Bytes of ``width`` codes."""
    return -(-width * bits // 8)


def pack_codes(codes: Bytes, bits: int) -> Bytes:
    """``codes`` (rows, width) as bytes; the last one is filled with zeros."""
    rows, width = codes.shape
    each = 8 // bits
    padded = np.zeros((rows, code_bytes(width, bits) * each), np.uint8)
    padded[:, :width] = codes
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    packed: Bytes = np.bitwise_or.reduce(padded.reshape(rows, -1, each) << shifts, axis=2)
    return packed


def unpack_codes(packed: Bytes, width: int, bits: int) -> Bytes:
    """The inverse of :func:`pack_codes`."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    codes = (packed[..., np.newaxis] >> shifts) & np.uint8((1 << bits) - 1)
    return np.ascontiguousarray(codes.reshape(len(packed), -1)[:, :width])
