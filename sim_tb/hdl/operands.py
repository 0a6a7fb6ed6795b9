"""What operands travel as inside an array, and what bias they leave: stated by itself."""

from typing import Any

from golden import SparqFormat, encode_pairs, pack_pairs, sparq


def activation_range(fmt: SparqFormat | None) -> tuple[int, int]:
    """The least and the largest activation."""
    if fmt is None:
        return 0, 255
    return -fmt.magnitude_max if fmt.signed else 0, fmt.magnitude_max


def effective(pe: str, fmt: SparqFormat | None, x: Any) -> Any:
    """The activations that an element multiplies by; ``x`` has K activations, in one group."""
    if fmt is not None and pe == "sparq":
        return sparq(x, fmt)
    return x & 15 if pe == "2x4x8" else x


def activation_codes(pe: str, fmt: SparqFormat | None, x: Any) -> list[int]:
    """The activation codes of the slices of ``x``, which follow each other along K."""
    if fmt is not None and pe == "sparq":
        return [int(word) for word in pack_pairs(encode_pairs(x, fmt), fmt)]
    if pe == "8x8":
        return [int(value) for value in x]
    bits = 4 if pe == "2x4x8" else 8
    values = [int(value) & ((1 << bits) - 1) for value in x]
    return [low | high << bits for low, high in zip(values[::2], values[1::2], strict=True)]


def weight_code(multiplier: str, w: Any, weight_bits: int) -> int:
    """The weight code of one slice: weights as they are, or in offset form; and their sum.

    ``multiplier`` is of structural style, "signed" of signed formats, or "product", of behavioral
    style.
    """
    half = 1 << (weight_bits - 1)
    if multiplier in ("booth", "product"):
        words = [int(value) % (2 * half) for value in w]
    else:
        words = [int(value) + half for value in w]
    code = sum(word << (weight_bits * k) for k, word in enumerate(words))
    if multiplier == "distributed":
        code |= sum(words) << (weight_bits * len(words))
    return code


def bias(multiplier: str, values: Any, w: Any, weight_bits: int) -> int:
    """What a slice adds beside its products; ``values`` are its effective activations."""
    half = 1 << (weight_bits - 1)
    if multiplier == "product":
        return 0
    if multiplier == "signed":
        # A negative activation meets what an inverted weight is, half a range minus one off.
        return sum(abs(value) * (half - (value < 0)) for value in map(int, values))
    if multiplier == "booth":
        return sum(511 << place for word in w for place in _negative(int(word), weight_bits))
    if multiplier != "radix4":
        return half * int(values.sum())
    places = range(0, weight_bits, 2)
    ones = sum(1 << place for place in places)
    zeros = sum(
        255 << place for word in w for place in places if (int(word) + half) >> place & 3 == 0
    )
    return (half - ones) * int(values.sum()) + zeros


def _negative(weight: int, weight_bits: int) -> list[int]:
    """Places of the digits with a negative sign in the Booth recoding of a weight."""
    places = []
    for place in range(0, weight_bits, 2):
        if weight >> (place + 1) & 1:  # Python's shift extends the sign
            places.append(place)
    return places
