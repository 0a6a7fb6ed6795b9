"""Waiting for what must have ended."""

from collections.abc import Iterable

from amaranth.hdl import Cat, Value


def have_ended(waits: Iterable[Value], ended: Iterable[Value]) -> Value:
    """Whether so many of each have ended as are waited for, all counted modulo 256.

    What is waited for is less than 128 ahead of or behind what has ended.
    """
    return ~Cat((count - wait)[:8][7] for wait, count in zip(waits, ended, strict=True)).any()
