"""What a part of a machine must do, cycle by cycle."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gen.design.configuration import Configuration
from gen.design.expectation import multiplied
from golden import SparqFormat, encode_pairs, pack_pairs
from golden.format import ACTIVATION_BITS, ACTIVATION_MAX

PE_CYCLES = 200
LAST_PROBABILITY = 0.1
DRAIN_PROBABILITY = 0.3
RANDOM_GROUPS = 256


@dataclass(frozen=True)
class Vectors:
    """Words at the inputs and, in the same cycles, at the outputs; by ports.

    Outputs are unknown in the first ``unknown`` cycles.
    """

    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]
    unknown: int = 0


def encoder_vectors(fmt: SparqFormat, generator: np.random.Generator) -> Vectors:
    """Every activation beside a zero, first or second, and random groups of all magnitudes.

    Those of a signed format have random signs, of a pair with 8 bits of magnitude as far as a byte
    holds both, less a zero point, which is random too.
    """
    values = np.arange(fmt.magnitude_max + 1)
    beside_zero = np.stack([values, np.zeros_like(values)], axis=1)
    beside_zero[1::2] = beside_zero[1::2, ::-1]
    size = max(2, fmt.group)
    groups = generator.integers(0, fmt.magnitude_max + 1, (RANDOM_GROUPS * 2 // size, size))
    groups >>= generator.integers(0, ACTIVATION_BITS, groups.shape)
    # What is beside a zero may be alone in its group, or not.
    zeros = generator.random(groups.shape) < 0.2
    x = np.concatenate([beside_zero.reshape(-1), np.where(zeros, 0, groups).reshape(-1)])
    pairs = x.reshape(-1, 2)
    inputs = {"activations": _joined(pairs, ACTIVATION_BITS)}
    if fmt.signed:
        signs = generator.choice([-1, 1], pairs.shape)
        signs[pairs.sum(axis=1) > ACTIVATION_MAX] = generator.choice([-1, 1])
        x = (pairs * signs).reshape(-1)
        inputs = _signed_bytes(x.reshape(-1, 2), fmt, generator)
    if fmt.group > 2:
        counts = pairs.all(axis=1, keepdims=True) if fmt.vsparq else True
        parts = np.where(counts, pairs, 0).reshape(-1, fmt.group)
        largest = np.bitwise_or.reduce(parts, axis=1)
        inputs["shared"] = np.repeat(largest, fmt.group // 2).tolist()
    return Vectors(inputs, {"pair": pack_pairs(encode_pairs(x, fmt), fmt).tolist()})


def pe_vectors(
    configuration: Configuration, sidecar: dict[str, Any], generator: np.random.Generator
) -> Vectors:
    """Random slices and control; sums that leave the accumulator's range wrap.

    The first sum starts where the first one known, of reset, ends; a drain then makes the result
    register known as well.
    """
    fmt = configuration.mac.sparq_format
    k, pipeline = sidecar["k_per_cycle"], sidecar["pipeline"]
    half = 1 << (sidecar["weight_bits"] - 1)
    modulus = 1 << sidecar["acc_bits"]
    x = generator.integers(0, ACTIVATION_MAX + 1, (PE_CYCLES, k))
    x >>= generator.integers(0, ACTIVATION_BITS, x.shape)
    x[generator.random(x.shape) < 0.25] = 0
    if fmt is not None and fmt.signed:
        x = (x >> ACTIVATION_BITS - fmt.magnitude_bits) * generator.choice([-1, 1], x.shape)
    w = generator.integers(-half, half, x.shape)
    last = generator.random(PE_CYCLES) < LAST_PROBABILITY
    drain = generator.random(PE_CYCLES) < DRAIN_PROBABILITY
    start = pipeline + 2
    last[: start + 1], drain[: start + 2] = False, False
    last[start] = drain[start + 1] = True
    above = [int(value) % modulus for value in generator.integers(-(1 << 63), 1 << 63, PE_CYCLES)]

    flat = x.reshape(-1)
    values = multiplied(configuration.mac, flat).reshape(x.shape).astype(np.int64)
    if fmt is not None:
        activations = pack_pairs(encode_pairs(flat, fmt), fmt).tolist()
    else:
        activations = _joined(values, sidecar["activation_bits_used"])
    sums = (values * w).sum(axis=1) + sidecar["row_scale"] * _row_bias(values, half, fmt)
    if sidecar["column_scale"]:
        sums += sidecar["column_scale"] * _zero_digits(w + half, sidecar["weight_bits"])
    codes = w + sidecar["codes"]["weight_offset"] & 2 * half - 1
    weights = _joined(codes, sidecar["weight_bits"])
    ports = {port["name"]: port for port in sidecar["ports"]}
    if "sum" in [field["name"] for field in ports["weight_in"]["elements"]["fields"]]:
        low = k * sidecar["weight_bits"]
        both = (w + half).sum(axis=1).tolist()
        weights = [code | total << low for code, total in zip(weights, both, strict=True)]

    # After the edge that ends a cycle: the sum that was ended in the cycle before, or what came in.
    result = total = 0
    results = []
    for cycle in range(PE_CYCLES):
        if cycle > pipeline:
            total += int(sums[cycle - 1 - pipeline])
        if cycle and last[cycle - 1]:
            result, total = total % modulus, 0
        elif cycle and drain[cycle - 1]:
            result = above[cycle]
        results.append(result)
    inputs = {
        "last_in": last.astype(int).tolist(),
        "drain_in": drain.astype(int).tolist(),
        "activation_in": activations,
        "weight_in": weights,
        "result_in": above,
    }
    passed = {name.replace("_in", "_out"): words for name, words in inputs.items()}
    outputs = {name: [0, *words[:-1]] for name, words in {**passed, "result_out": results}.items()}
    return Vectors(inputs, outputs, unknown=start + 3)


def _signed_bytes(
    pairs: npt.NDArray[Any], fmt: SparqFormat, generator: np.random.Generator
) -> dict[str, list[int]]:
    """What a :class:`SignedPairEncoder` takes of ``pairs`` (P, 2), which a byte can hold."""
    if not fmt.takes_zero_point:
        return {"bytes": _joined(pairs & ACTIVATION_MAX, ACTIVATION_BITS)}
    least, most = -pairs.clip(max=0).min(axis=1), ACTIVATION_MAX - pairs.clip(0).max(axis=1)
    zero_points = generator.integers(least, most + 1)
    return {
        "bytes": _joined(pairs + zero_points[:, np.newaxis], ACTIVATION_BITS),
        "zero_point": zero_points.tolist(),
    }


def _row_bias(
    values: npt.NDArray[Any], half: int, fmt: SparqFormat | None
) -> npt.NDArray[np.int64]:
    """What lanes of these values (..., k) add up to, in units of ``row_scale``."""
    counts = half - (values < 0) if fmt is not None and fmt.signed else 1
    sums: npt.NDArray[np.int64] = (abs(values) * counts).sum(axis=1)
    return sums


def _joined(values: npt.NDArray[Any], bits: int) -> list[int]:
    """Each row as one word, its first value in the low bits."""
    return [_word(row, bits) for row in values.tolist()]


def _word(row: Iterable[int], bits: int) -> int:
    return sum(value << (bits * index) for index, value in enumerate(row))


def _zero_digits(weights: npt.NDArray[Any], weight_bits: int) -> npt.NDArray[np.int64]:
    """The sum of 4**p over the radix-4 digits p of each row's weights that are 0."""
    places = np.arange(0, weight_bits, 2)
    digits = weights[..., np.newaxis] >> places & 3
    zeros: npt.NDArray[np.int64] = np.where(digits == 0, 1 << places, 0).sum(axis=(1, 2))
    return zeros
