"""What multipliers state of their addends and biases is what they make."""

import re
from typing import Any

import pytest
from amaranth.hdl import Fragment

from golden import NAMED_FORMATS, SparqFormat, named_format
from hdl import PROCESSING_ELEMENTS
from hdl.broadcast.dot_product import DOT_PRODUCTS, dot_product, dot_product_multipliers
from hdl.broadcast.multiplier_part import MultiplierPart
from hdl.element.processing_elements import element_multiplier
from hdl.multiplier.exact import AndArray
from hdl.multiplier.multiplier import Multiplier
from hdl.multiplier.style import Style
from sim_tb.hdl.pysim import CUSTOM

FORMATS: list[SparqFormat] = [
    *(named_format(name, vsparq=v) for name in NAMED_FORMATS for v in (True, False)),
    *(named_format("5opt", vsparq=False, group=group) for group in (2, 4, 8)),
    named_format("5opt", group=4),
    *CUSTOM,
]
SIGNED = [
    named_format(name, vsparq=vsparq, group=group)
    for name in ("s4opt", "s5opt", "s3:0,4")
    for vsparq in (True, False)
    for group in (1, 2, 8)
]
STEPS = ("addends", "registered_addends", "encode", "row_bias", "column_bias")


def multipliers(weight_bits: int) -> list[Multiplier]:
    """All that an element or a dot-product unit can have."""
    found = [
        element_multiplier("sparq", fmt, weight_bits, style=style)
        for fmt in (*FORMATS, *SIGNED)
        for style in Style
    ]
    found += [
        element_multiplier(pe, None, weight_bits, style=Style.BEHAVIORAL)
        for pe in PROCESSING_ELEMENTS
        if pe != "sparq"
    ]
    found += [
        element_multiplier(pe, None, weight_bits, kind)
        for pe in PROCESSING_ELEMENTS
        if pe != "sparq"
        for kind in PROCESSING_ELEMENTS[pe].MULTIPLIERS
    ]
    for sparse in (False, True):
        for fmt in FORMATS:
            if not (sparse and fmt.group > 4):
                found += [
                    dot_product("sparq", 2, fmt, weight_bits, sparse, style=style)
                    for style in Style
                ]
        found += [
            dot_product(pe, 2, None, weight_bits, sparse, kind)
            for pe in DOT_PRODUCTS
            if pe != "sparq"
            for kind in dot_product_multipliers(pe, sparse)
        ]
        found += [
            dot_product(pe, 2, None, weight_bits, sparse, style=Style.BEHAVIORAL)
            for pe in DOT_PRODUCTS
            if pe != "sparq"
        ]
    return found


@pytest.mark.every(4)
@pytest.mark.slow
@pytest.mark.parametrize("weight_bits", [3, 8])
def test_what_is_stated_is_made(weight_bits: int, checks: Any) -> None:
    """A part, which has what is stated as its ports, takes nothing else."""
    made = 0
    for multiplier in multipliers(weight_bits):
        for step in STEPS:
            Fragment.get(MultiplierPart(multiplier, step), None)
            made += 1
    checks(made)


class Wrong(AndArray):
    def __init__(self) -> None:
        super().__init__(4, 1)
        self.row_bias_width = 7


def test_what_is_not_made() -> None:
    text = "Wrong states (width, exponent) of its row_bias as [(7, 0)], and makes [(8, 0)]"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        Fragment.get(MultiplierPart(Wrong(), "row_bias"), None)
