"""Registers that say which machine this is."""

import re

from golden.named import NamedFormat
from hdl.bus.register_map import Access, Field, Register


def identity_registers(
    kind: str,
    identification: int,
    *,
    rows: int,
    cols: int,
    k_per_cycle: int,
    weight_bits: int,
    acc_bits: int,
    planes: int,
    configuration_hash: str,
    version: tuple[int, int, int],
    format: NamedFormat | None,
    encoded_input: bool = False,
    encoded_output: bool = False,
) -> tuple[Register, ...]:
    """Constants at the offsets 0x00 to 0x18, of an ``identification`` of four letters.

    ``kind`` is what a SPARQ machine is called; all else as of
    :func:`hdl.engine.engine_registers.engine_registers`, whose errors this raises.
    """
    if not re.fullmatch("[0-9a-f]{16}", str(configuration_hash)):
        raise ValueError(
            "configuration_hash must be 16 hexadecimal digits in lower case, "
            f"not {configuration_hash!r}"
        )
    if len(version) != 3:
        raise ValueError(f"version must be three integers, not {version!r}")
    major, minor, patch = version
    letters = identification.to_bytes(4, "big").decode()
    fmt = format.sparq_format if format else None
    shifts = sum(1 << shift for shift in fmt.shifts) if fmt else 0

    return (
        Register(
            "IDENTIFICATION",
            0x00,
            f"Says that this is a SPARQ {kind}.",
            (
                constant(
                    *("value", 0, 32, identification),
                    f"The letters {letters}, S in the highest byte.",
                ),
            ),
        ),
        Register(
            "VERSION",
            0x04,
            "Version of the generator.",
            (
                constant("patch", 0, 8, patch, "Its third number."),
                constant("minor", 8, 8, minor, "Its second number."),
                constant("major", 16, 8, major, "Its first number."),
            ),
        ),
        Register(
            "HASH_HIGH",
            0x08,
            "Hash of the configuration, first half.",
            (constant("value", 0, 32, int(configuration_hash[:8], 16), "Its first 8 digits."),),
        ),
        Register(
            "HASH_LOW",
            0x0C,
            "Hash of the configuration, second half.",
            (constant("value", 0, 32, int(configuration_hash[8:], 16), "Its last 8 digits."),),
        ),
        Register(
            "SIZE",
            0x10,
            "Size of a tile.",
            (
                constant("rows", 0, 16, rows, "Rows of a tile."),
                constant("cols", 16, 16, cols, "Columns of a tile."),
            ),
        ),
        Register(
            "WIDTHS",
            0x14,
            "Widths of what is multiplied.",
            (
                constant("k_per_cycle", 0, 8, k_per_cycle, "Steps of the reduction in a slice."),
                constant("weight_bits", 8, 8, weight_bits, "Bits of a weight."),
                constant("acc_bits", 16, 8, acc_bits, "Bits of a sum."),
                constant("planes", 24, 8, planes, "Passes of the exact mode; 0: there is none."),
            ),
        ),
        Register(
            "FORMAT",
            0x18,
            "Windows of activations; all 0 where exact activations are multiplied.",
            (
                constant("window_bits", 0, 4, fmt.window_bits if fmt else 0, "Bits of a window."),
                constant("rounding", 4, 1, int(fmt.rounding) if fmt else 0, "Windows are rounded."),
                constant("vsparq", 5, 1, int(fmt.vsparq) if fmt else 0, "Zeros lend their bits."),
                constant(
                    "encoded_input", 6, 1, int(encoded_input), "Activations come as stored pairs."
                ),
                constant(
                    "encoded_output",
                    7,
                    1,
                    int(encoded_output),
                    "Results can leave as stored pairs.",
                ),
                constant("group", 8, 5, fmt.group if fmt else 0, "Activations that share a shift."),
                constant("signs", 13, 1, int(fmt.signed) if fmt else 0, "Activations have signs."),
                constant(
                    "affine",
                    *(14, 1, int(fmt.takes_zero_point) if fmt else 0),
                    "Those with signs are bytes less a zero point, which may be any byte.",
                ),
                constant("shifts", 16, 8, shifts, "Bit s: a window may stand at shift s."),
                constant(
                    "pair_bits", 24, 8, fmt.stored_pair_bits if fmt else 0, "Bits of a stored pair."
                ),
            ),
        ),
    )


def constant(name: str, low_bit: int, bits: int, value: int, description: str) -> Field:
    """A field that always reads as ``value``."""
    return Field(name, low_bit, bits, Access.CONSTANT, description, value)
