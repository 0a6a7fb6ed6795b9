"""Waiting for what must have ended."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Value

from hdl.accelerator.layouts import EVENT_BITS


def have_ended(waits: Value, ended: Sequence[Value]) -> Value:
    """Whether so many LOADs, STOREs and computations have ended as are waited for."""
    return ~Cat(
        (count - waits.word_select(index, EVENT_BITS))[EVENT_BITS - 1]
        for index, count in enumerate(ended)
    ).any()
