"""Two-level logic of tables with gaps."""

from collections.abc import Iterable, Iterator

from amaranth.hdl import Cat, Value

Product = tuple[int, int]
"""Bits that must be as in a number: a mask, and the number under it."""


def is_one_of(word: Value, ones: Iterable[int], zeros: Iterable[int]) -> Value:
    """A bit that is 1 where ``word`` is one of ``ones``, 0 where it is one of ``zeros``.

    Anything elsewhere, which makes it small. A sum of products for either, whichever has fewer.
    """
    bits = len(word)
    on, off = _as_set(ones), _as_set(zeros)
    for_ones, for_zeros = products(bits, on, off), products(bits, off, on)
    if len(for_ones) <= len(for_zeros):
        return _sum(word, for_ones)
    return ~_sum(word, for_zeros)


def products(bits: int, on: int, off: int) -> list[Product]:
    """Products that together hold for all numbers of the set ``on``, and for none of ``off``.

    Sets are integers with one bit for each number of ``bits`` bits. Each product starts as one
    number, and loses every bit that no number of ``off`` needs; then those go that others make up
    for.
    """
    found: list[tuple[Product, int]] = []
    left = on
    while left:
        start = (left & -left).bit_length() - 1
        mask, cover = (1 << bits) - 1, 1 << start
        for bit in range(bits):
            step = 1 << bit
            wider = cover | (cover >> step if start & step else cover << step)
            if not wider & off:
                mask, cover = mask & ~step, wider
        found.append(((mask, start & mask), cover))
        left &= ~cover
    kept = list(found)
    for entry in found:
        rest = 0
        for other in kept:
            if other is not entry:
                rest |= other[1]
        if not on & entry[1] & ~rest:
            kept.remove(entry)
    return [product for product, _ in kept]


def _sum(word: Value, terms: Iterable[Product]) -> Value:
    return Cat(word & mask == value for mask, value in terms).any()


def _as_set(numbers: Iterable[int]) -> int:
    found = 0
    for number in numbers:
        found |= 1 << number
    return found


def translated(word: Value, table: dict[int, int], width: int) -> Iterator[Value]:
    """Each bit of ``table[word]``, of so many bits; anything where ``word`` is no key of it."""
    for bit in range(width):
        ones = [key for key, value in table.items() if value >> bit & 1]
        zeros = [key for key, value in table.items() if not value >> bit & 1]
        yield is_one_of(word, ones, zeros)
