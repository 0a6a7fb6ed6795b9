"""Adders, multipliers and processing elements by themselves, in Amaranth's own simulator."""

import random
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden import NAMED_FORMATS, SparqFormat, named_format
from hdl import PROCESSING_ELEMENTS, ProcessingElement, ShiftAddMultiplier
from hdl.arithmetic.bit_heap import BitHeap
from hdl.element.processing_elements import element_multiplier
from hdl.multiplier.style import Style
from sim_tb.hdl.operands import (
    activation_codes,
    activation_range,
    bias,
    effective,
    weight_code,
)
from sim_tb.hdl.pysim import CUSTOM, SEED, Word, clock, describe, grouped, respond
from sim_tb.oracle.random_formats import random_formats
from sim_tb.oracle.reference import assert_same


class Sum(wiring.Component):
    """The sum of three addends by a bit heap, as one number and as two."""

    def __init__(self) -> None:
        super().__init__({"a": In(5), "b": In(7), "c": In(1), "total": Out(9), "rows": Out(9)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name in ("total", "rows"):
            heap = BitHeap(m, platform, name, 9)
            heap.add(self.a, 2)
            heap.add(self.b)
            heap.add(self.b, 1, arrival=3)
            heap.add(self.c, 4)
            if name == "total":
                m.d.comb += self.total.eq(heap.total())
            else:
                first, second = heap.two_rows()
                m.d.comb += self.rows.eq(first + second)
        return m


def test_bit_heap(checks: Any) -> None:
    """Every input; carries beyond the width are dropped."""
    inputs = [{"a": a, "b": b, "c": c} for a in range(32) for b in range(0, 128, 3) for c in (0, 1)]
    expected = [(4 * i["a"] + 3 * i["b"] + 16 * i["c"]) % 512 for i in inputs]
    got = respond(Sum(), inputs)
    for name in ("total", "rows"):
        assert_same(name, inputs, expected, [word[name] for word in got])
    checks(2 * len(inputs))


@pytest.mark.every(4)
@pytest.mark.parametrize("weight_bits", [2, 8])
@pytest.mark.parametrize("fmt", [named_format("5opt"), named_format("7opt"), *CUSTOM], ids=describe)
def test_shift_add_multiplier(fmt: SparqFormat, weight_bits: int, checks: Any) -> None:
    """All shifts with the corners of x and of the weight, and random operands."""
    rng = random.Random(SEED)
    top, heaviest = (1 << fmt.window_bits) - 1, (1 << weight_bits) - 1
    codes = range(len(fmt.lane_shifts))
    operands = [(x, w, c) for x in (0, 1, top) for w in (0, 1, heaviest) for c in codes]
    operands += [
        (rng.randint(0, top), rng.randint(0, heaviest), rng.choice(codes)) for _ in range(500)
    ]
    inputs = [{"x": x, "weight": w, "shift": 1 << c} for x, w, c in operands]
    expected = [(x * w) << fmt.lane_shifts[c] for x, w, c in operands]
    got = respond(ShiftAddMultiplier(fmt, weight_bits), inputs)
    assert_same(describe(fmt), operands, expected, [word["product"] for word in got])
    registered = clock(ShiftAddMultiplier(fmt, weight_bits, registered=True), inputs)
    products = [word["product"] for word in registered[1:]]
    assert_same(f"{describe(fmt)}, registered", operands[:-1], expected[:-1], products)
    checks(2 * len(operands) - 1)


WIDTHS = ((8, 32), (2, 18), (5, 18))
"""Weight and accumulator bits."""
EXACT = [
    (pe, kind) for pe in ("8x8", "2x8x8", "2x4x8") for kind in PROCESSING_ELEMENTS[pe].MULTIPLIERS
]
FORMATS = [
    *(
        named_format(name, True, vsparq, group)
        for name in NAMED_FORMATS
        for vsparq in (True, False)
        for group in (1, 2)
    ),
    *CUSTOM,
    named_format("7opt", False, False, 4),
    *(named.sparq_format for named in random_formats(4, (1, 2))),
]
SIGNED = [
    *(
        named_format(name, True, vsparq, group)
        for name in ("s5opt", "s4opt", "s4:0,3", "s3:0,4", "s8:0")
        for vsparq in (True, False)
        for group in (1, 2, 4)
    ),
    *(named.sparq_format for named in random_formats(4, (1, 2), signed=True)),
]
PE_CASES: list[tuple[str, str, SparqFormat | None, int, int]] = [
    *((pe, kind, None, 8, 32) for pe, kind in EXACT),
    *((pe, kind, None, bits, 18) for pe, kind in EXACT for bits in (2, 5, 8)),
    *(
        ("sparq", "and" if vsparq or group == 1 else "distributed", fmt, weight_bits, acc_bits)
        for name in NAMED_FORMATS
        for vsparq in (True, False)
        for group in (1, 2)
        for fmt in [named_format(name, True, vsparq, group)]
        for weight_bits, acc_bits in ((8, 32), (3, 14))
    ),
    *(("sparq", "and", fmt, 8, 20) for fmt in CUSTOM),
    ("sparq", "distributed", named_format("7opt", False, False, 4), 2, 64),
    *(("sparq", "distributed", grouped(fmt, 2, vsparq=False), 8, 20) for fmt in CUSTOM),
    *(
        ("sparq", "and" if fmt.vsparq or fmt.group == 1 else "distributed", fmt, 6, 19)
        for fmt in (named.sparq_format for named in random_formats(4, (1, 2)))
    ),
    *(("sparq", "signed", fmt, *WIDTHS[index % 3]) for index, fmt in enumerate(SIGNED)),
    *((pe, "product", None, *widths) for pe in ("8x8", "2x8x8", "2x4x8") for widths in WIDTHS),
    *(
        ("sparq", "product", fmt, *WIDTHS[index % 3])
        for index, fmt in enumerate((*FORMATS, *SIGNED))
    ),
]


@pytest.mark.every(32)
@pytest.mark.parametrize(
    ("pe", "kind", "fmt", "weight_bits", "acc_bits", "pipeline"),
    [
        (pe, kind, *others, pipeline)
        for pipeline in range(Style.BEHAVIORAL.max_pipeline + 1)
        for pe, kind, *others in PE_CASES
        if kind == "product" or pipeline <= Style.STRUCTURAL.max_pipeline
    ],
)
def test_processing_element(
    pe: str,
    kind: str,
    fmt: SparqFormat | None,
    weight_bits: int,
    acc_bits: int,
    pipeline: int,
    checks: Any,
) -> None:
    """Random control: sums (wrapping), the result register, and what is passed on."""
    rng = random.Random(SEED)
    multiplier = (
        element_multiplier(pe, fmt, weight_bits, style=Style.BEHAVIORAL)
        if kind == "product"
        else element_multiplier(pe, fmt, weight_bits, kind if fmt is None else None)
    )
    element = ProcessingElement(multiplier, acc_bits, pipeline)
    half = 1 << (weight_bits - 1)
    least, most = activation_range(fmt)
    inputs: list[Word] = []
    sums: list[int] = []
    cycles = 200
    for cycle in range(cycles):
        choices = [(0, least, most, rng.randint(least, most)) for _ in range(element.k_per_cycle)]
        x = np.array([rng.choice(own) for own in choices])
        w = [rng.choice((-half, rng.randrange(-half, half))) for _ in range(element.k_per_cycle)]
        inputs.append(
            {
                "last_in": cycle == 0 or rng.random() < 0.2,
                "drain_in": rng.random() < 0.3,
                "activation_in": activation_codes(pe, fmt, x)[0],
                "weight_in": weight_code(kind, w, weight_bits),
                "result_in": rng.getrandbits(acc_bits),
            }
        )
        values = np.asarray(effective(pe, fmt, x), np.int64)
        sums.append(int(values @ np.array(w)) + bias(kind, values, w, weight_bits))

    # last and drain act one cycle later, on what was added up to then.
    expected: list[int | None] = [None] * (2 + pipeline)
    accumulator, result = None, None
    for cycle in range(pipeline, cycles - 2):
        added = sums[cycle - pipeline]
        accumulator = None if accumulator is None else accumulator + added
        if inputs[cycle]["last_in"]:
            result, accumulator = accumulator, 0
        elif inputs[cycle]["drain_in"]:
            result = inputs[cycle + 1]["result_in"]
        expected.append(result)
    got = clock(element, inputs)
    known = [cycle for cycle, value in enumerate(expected) if value is not None]
    assert len(known) > cycles // 2
    assert_same(
        f"result of {pe}",
        known,
        [int(expected[cycle] or 0) % (1 << acc_bits) for cycle in known],
        [got[cycle]["result_out"] for cycle in known],
    )
    for name in ("last", "drain", "activation", "weight"):
        passed = [int(word[f"{name}_in"]) for word in inputs[:-1]]
        assert_same(name, range(cycles - 1), passed, [word[f"{name}_out"] for word in got[1:]])
    checks(len(known) + 4 * (cycles - 1))


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        (name, ", ".join(element.MULTIPLIERS))
        for name, element in PROCESSING_ELEMENTS.items()
        if element.MULTIPLIERS
    ],
)
def test_a_multiplier_that_there_is_not(name: str, allowed: str) -> None:
    element: Any = PROCESSING_ELEMENTS[name]
    text = f"multiplier must be one of {allowed}, not 'radix8'"
    with pytest.raises(ValueError, match=f"^{text}$"):
        element(multiplier="radix8")
