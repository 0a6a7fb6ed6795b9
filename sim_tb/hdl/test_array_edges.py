"""Where biases are accumulated and subtracted: row bias and column correction by themselves."""

import random
from typing import Any

import numpy as np
import pytest

from golden import SparqFormat, named_format
from hdl import PROCESSING_ELEMENTS, Mac
from hdl.edge.column_correction import ColumnCorrection
from hdl.edge.row_bias import RowBias
from hdl.element.processing_elements import element_multiplier
from hdl.multiplier.style import Style
from sim_tb.hdl.operands import activation_codes, bias, effective, weight_code
from sim_tb.hdl.pysim import CUSTOM, SEED, Word, clock, grouped
from sim_tb.oracle.reference import assert_same

CYCLES = 300
FORMAT = named_format("5opt")
KINDS: list[tuple[str, str, SparqFormat]] = [
    *(
        (pe, kind, FORMAT)
        for pe in ("8x8", "2x8x8", "2x4x8")
        for kind in PROCESSING_ELEMENTS[pe].MULTIPLIERS
    ),
    ("sparq", "and", FORMAT),
    ("sparq", "and", named_format("7opt", False, False)),
    ("sparq", "and", CUSTOM[2]),
    ("sparq", "distributed", named_format("3opt", True, False, 2)),
    ("sparq", "distributed", grouped(CUSTOM[0], 4, vsparq=False)),
]


def with_row_bias(kind: str) -> bool:
    return kind != "booth"


def with_column_bias(kind: str) -> bool:
    return kind in ("booth", "radix4")


def mac_of(
    pe: str, kind: str, fmt: SparqFormat, weight_bits: int, acc_bits: int, pipeline: int
) -> Mac:
    name = None if pe == "sparq" else kind
    return Mac(element_multiplier(pe, fmt, weight_bits, name), acc_bits, pipeline)


def last_at(cycle: int, rng: random.Random) -> bool:
    """Random, but for the first one, which comes when all that it ends has come."""
    first = Style.STRUCTURAL.max_pipeline + 1
    return cycle == first or (cycle > first and rng.random() < 0.15)


def sums_in_step(values: list[int], lasts: list[bool], pipeline: int) -> list[int | None]:
    """What has been summed up when each cycle's last acts; None: not known.

    ``values`` are those that enter in each cycle; last comes one cycle later, and as many more as
    the pipeline has.
    """
    total: int | None = None
    sums: list[int | None] = []
    for cycle, last in enumerate(lasts):
        if total is not None:
            total += values[cycle - pipeline - 1]
        sums.append(total)
        if last:
            total = 0
    return sums


@pytest.mark.every(6)
@pytest.mark.slow
@pytest.mark.parametrize("pipeline", range(Style.STRUCTURAL.max_pipeline + 1))
@pytest.mark.parametrize(("weight_bits", "acc_bits"), [(8, 32), (5, 18), (2, 11)])
@pytest.mark.parametrize(("pe", "kind", "fmt"), [case for case in KINDS if with_row_bias(case[1])])
def test_row_bias(
    pe: str,
    kind: str,
    fmt: SparqFormat,
    weight_bits: int,
    acc_bits: int,
    pipeline: int,
    checks: Any,
) -> None:
    """Random codes and control: bias times scale is what a slice adds beside its products."""
    rng = random.Random(SEED)
    mac = mac_of(pe, kind, fmt, weight_bits, acc_bits, pipeline)
    scale = mac.multiplier.row_scale
    component = RowBias(mac)
    bits = len(component.bias_out)
    # A weight whose code leaves no column bias: the digits of its offset form are all 1.
    half = 1 << (weight_bits - 1)
    weight = sum(1 << place for place in range(0, weight_bits, 2)) - half
    inputs: list[Word] = []
    values: list[int] = []
    for cycle in range(CYCLES):
        x = np.array([rng.choice((0, 255, rng.randrange(256))) for _ in range(mac.k_per_cycle)])
        inputs.append(
            {
                "activation": activation_codes(pe, fmt, x)[0],
                "last": last_at(cycle, rng),
                "drain": rng.random() < 0.3,
                "bias_in": rng.getrandbits(bits),
            }
        )
        values.append(bias(kind, effective(pe, fmt, x), [weight] * mac.k_per_cycle, weight_bits))
    lasts = [bool(word["last"]) for word in inputs]
    sums = sums_in_step(values, lasts, pipeline)
    result: int | None = None
    known: list[int] = []
    expected: list[int] = []
    for cycle in range(CYCLES - 1):
        if lasts[cycle]:
            result = sums[cycle]
        elif inputs[cycle]["drain"]:
            result = inputs[cycle]["bias_in"] * scale
        if result is not None:
            known.append(cycle + 1)
            expected.append(result % (1 << acc_bits))
    assert len(known) > CYCLES // 2
    got = clock(component, inputs)
    outputs = [got[cycle]["bias_out"] * scale % (1 << acc_bits) for cycle in known]
    assert_same(f"{pe}, {kind}", known, expected, outputs)
    checks(len(known))


@pytest.mark.every(4)
@pytest.mark.parametrize("pipeline", range(Style.STRUCTURAL.max_pipeline + 1))
@pytest.mark.parametrize(("weight_bits", "acc_bits"), [(8, 32), (5, 18), (2, 11)])
@pytest.mark.parametrize(("pe", "kind", "fmt"), KINDS)
def test_column_correction(
    pe: str,
    kind: str,
    fmt: SparqFormat,
    weight_bits: int,
    acc_bits: int,
    pipeline: int,
    checks: Any,
) -> None:
    """Random results, weights and control: what is left when both biases are subtracted."""
    rng = random.Random(SEED)
    mac = mac_of(pe, kind, fmt, weight_bits, acc_bits, pipeline)
    row_bits = mac.multiplier.row_bias_bits(acc_bits) if with_row_bias(kind) else 0
    half = 1 << (weight_bits - 1)
    inputs: list[Word] = []
    values: list[int] = []
    none = np.zeros(mac.k_per_cycle, int)
    for cycle in range(CYCLES):
        w = [rng.choice((-half, rng.randrange(-half, half))) for _ in range(mac.k_per_cycle)]
        word = {"result_in": rng.getrandbits(acc_bits)}
        if with_row_bias(kind):
            word["row_bias"] = rng.getrandbits(row_bits)
        if with_column_bias(kind):
            word["weight"] = weight_code(kind, w, weight_bits)
            word["last"] = last_at(cycle, rng)
        inputs.append(word)
        values.append(bias(kind, none, w, weight_bits))

    held: list[int | None] = [0] * CYCLES
    if with_column_bias(kind):
        lasts = [bool(word["last"]) for word in inputs]
        sums = sums_in_step(values, lasts, pipeline)
        held = [None] * CYCLES
        for cycle in range(CYCLES - 1):
            held[cycle + 1] = sums[cycle] if lasts[cycle] else held[cycle]
    got = clock(ColumnCorrection(mac), inputs)
    known, expected = [], []
    for cycle in range(1, CYCLES):
        column_bias = held[cycle]
        if column_bias is not None:
            known.append(cycle)
            row_bias = inputs[cycle].get("row_bias", 0) << (acc_bits - row_bits)
            exact = inputs[cycle - 1]["result_in"] - row_bias - column_bias
            expected.append(exact % (1 << acc_bits))
    assert len(known) > CYCLES // 2
    outputs = [got[cycle]["result_out"] for cycle in known]
    assert_same(f"{pe}, {kind}", known, expected, outputs)
    checks(len(known) + CYCLES)
