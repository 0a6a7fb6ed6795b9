"""Evenly spaced values around 0, or from 0, of a number of bits."""

from typing import NamedTuple

import numpy as np

from networks.message_passing.node_graph import Float32Array


def largest_code(bits: int, signed: bool) -> int:
    """The largest code: signed ones are symmetric."""
    return (1 << bits - 1) - 1 if signed else (1 << bits) - 1


class Rounded(NamedTuple):
    """Quantized values, and where the gradient passes: within the range."""

    values: Float32Array
    inside: Float32Array


def fake_quantize(values: Float32Array, largest: float, bits: int, signed: bool) -> Rounded:
    """``values`` as the nearest codes, half to even, times their step; the range is ``largest``."""
    top = largest_code(bits, signed)
    step = np.float32(largest / top)
    codes = np.rint(values / step)
    inside = (np.abs(values) <= np.float32(largest)).astype(np.float32)
    return Rounded(np.clip(codes, -top if signed else 0, top) * step, inside)


def quantize_weights(weights: Float32Array, bits: int) -> tuple[Float32Array, Float32Array]:
    """The codes of ``weights`` (K, C) and the step of each output channel (C,): symmetric."""
    largest = np.abs(weights).max(axis=0)
    step = (np.where(largest > 0, largest, 1) / largest_code(bits, True)).astype(np.float32)
    codes: Float32Array = np.rint(weights / step)
    return codes, step
