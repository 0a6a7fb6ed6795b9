"""Tables of registers that tests share."""

from collections.abc import Callable
from typing import Any

from golden.named import NamedFormat
from hdl.bus.register_map import Access, Field, Register, RegisterMap
from hdl.engine.engine_registers import engine_registers

ENGINE: dict[str, Any] = {
    "rows": 12,
    "cols": 24,
    "k_per_cycle": 2,
    "weight_bits": 5,
    "acc_bits": 28,
    "weight_depth": 512,
    "lanes": 4,
    "planes": 3,
    "result_tiles": 2,
    "command_depth": 4,
    "stream_bits": 128,
    "configuration_hash": "0123456789abcdef",
    "version": (1, 2, 3),
    "format": NamedFormat("3opt", vsparq=False, group=4),
    "encoded_input": False,
    "encoded_output": True,
}
"""What :func:`engine_registers` is given: every number another one."""


def every_access() -> RegisterMap:
    """Fields of every kind, wide and narrow ones, side by side and across bytes, with holes."""

    def field(name: str, low_bit: int, bits: int, access: Access, value: int = 0) -> Field:
        return Field(name, low_bit, bits, access, f"The field {name}.", value)

    read_write, clear, pulse = Access.READ_WRITE, Access.WRITE_ONE_TO_CLEAR, Access.PULSE
    return RegisterMap(
        "every",
        "Every kind of access.",
        (
            Register("FIXED", 0x04, "C.", (field("value", 0, 32, Access.CONSTANT, 0xDEADBEEF),)),
            Register("GIVEN", 0x08, "R.", (field("wide", 5, 20, Access.READ),)),
            Register("WORD", 0x0C, "W.", (field("all", 0, 32, read_write, 0x12345678),), True),
            Register(
                "MIXED",
                0x20,
                "All.",
                (
                    field("pulse", 31, 1, pulse),
                    field("high", 28, 3, read_write, 5),
                    field("middle", 12, 12, read_write),
                    field("code", 5, 5, clear),
                    field("flag", 4, 1, clear),
                    field("level", 3, 1, Access.READ),
                    field("fixed", 1, 2, Access.CONSTANT, 2),
                    field("go", 0, 1, pulse),
                ),
                True,
            ),
            Register("EVENT", 0x3C, "E.", (field("event", 7, 1, clear),)),
            Register(
                "LOCKED",
                0x40,
                "L.",
                (
                    field("level", 0, 9, read_write),
                    field("event", 12, 1, clear),
                    field("go", 31, 1, pulse),
                ),
                strobe=True,
                locks=True,
            ),
        ),
    )


def engine() -> RegisterMap:
    """The table of an engine."""
    return engine_registers(**ENGINE)


def signed_engine() -> RegisterMap:
    """The same of signed activations, which has all registers that there are."""
    own = {"format": NamedFormat("s5opt"), "encoded_output": False}
    return engine_registers(**{**ENGINE, **own})


TABLES: dict[str, Callable[[], RegisterMap]] = {"engine": engine, "every": every_access}
"""All of them, by name."""
