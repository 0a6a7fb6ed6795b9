"""The registers of the accelerator: the one table that hardware, driver and pages are made of."""

from dataclasses import replace

from golden.descriptor import Error
from golden.named import NamedFormat
from hdl.bus.register_map import Access, Field, Register, RegisterMap
from hdl.engine.event_counters import counter_registers
from hdl.engine.identity_registers import constant, identity_registers

IDENTIFICATION = 0x53505241
"""Reads as ``SPRA``, its first letter in the highest byte."""

COUNTERS = {
    "CYCLES": "Cycles of the last program.",
    "BUSY": "Those of them in which something was computed.",
    "BEATS_READ": "Beats that it read.",
    "BEATS_WRITTEN": "Beats that it wrote.",
}
"""The 64-bit counters in the order of their registers, and what they count."""
FIRST_COUNTER = 0x80


def accelerator_registers(
    *,
    rows: int,
    cols: int,
    k_per_cycle: int,
    weight_bits: int,
    acc_bits: int,
    planes: int,
    weight_depth: int,
    lines: int,
    beat_bytes: int,
    encoded_memory: bool = False,
    configuration_hash: str,
    version: tuple[int, int, int],
    format: NamedFormat | None,
) -> RegisterMap:
    """The table of an accelerator's registers; all but the constants are the same in every one.

    Parameters
    ----------
    rows, cols, k_per_cycle, weight_bits, acc_bits, planes : int
        Of the machine that multiplies.
    weight_depth : int
        Slices that its weight buffer holds.
    lines : int
        Of the scratchpad.
    beat_bytes : int
        Of a word of the memory port.
    encoded_memory : bool
        Whether LOADs and STOREs can move stored pairs: so results can leave as such.
    configuration_hash, version, format
        As of :func:`hdl.engine.engine_registers.engine_registers`, whose errors this raises.
    """
    return RegisterMap(
        "sparq_accelerator",
        "Registers of a SPARQ accelerator.",
        (
            *identity_registers(
                *("accelerator", IDENTIFICATION),
                rows=rows,
                cols=cols,
                k_per_cycle=k_per_cycle,
                weight_bits=weight_bits,
                acc_bits=acc_bits,
                planes=planes,
                configuration_hash=configuration_hash,
                version=version,
                format=format,
                encoded_output=encoded_memory,
            ),
            Register(
                "MEMORY",
                0x1C,
                "Sizes of memories.",
                (
                    constant("lines", 0, 20, lines, "Lines of the scratchpad."),
                    constant("beat_bytes", 20, 8, beat_bytes, "Bytes of a beat."),
                ),
            ),
            Register(
                "BUFFERS",
                0x20,
                "Sizes of what weights pass.",
                (constant("weight_depth", 0, 16, weight_depth, "Slices of buffered weights."),),
            ),
            *_CONTROL,
            *_WINDOWS,
            *counter_registers(COUNTERS, FIRST_COUNTER),
        ),
    )


def _word(name: str, offset: int, register: str, field: str, value: int = 0) -> Register:
    return Register(
        name, offset, register, (Field("value", 0, 32, Access.READ_WRITE, field, value),)
    )


def _window(name: str, offset: int, what: str, field: str) -> Register:
    """Of what memory may be touched: it stays while a program runs."""
    register = f"The window that may be {what}; writes are refused while a program runs."
    return replace(_word(name, offset, register, field), locks=True)


_CODES = " ".join(f"{error.value}: {error.name.lower()}." for error in Error)
_CONTROL = (
    Register(
        "START",
        0x24,
        "Starts a program.",
        (Field("start", 0, 1, Access.PULSE, "Starts the program, if none runs."),),
    ),
    Register(
        "STATUS",
        0x28,
        "What the accelerator does.",
        (Field("running", 0, 1, Access.READ, "A program runs."),),
    ),
    Register(
        "ERROR",
        0x2C,
        "How the last program ended.",
        (Field("code", 0, 8, Access.READ, f"Why it stopped. {_CODES}"),),
    ),
    Register(
        "DONE",
        0x30,
        "How far the program is.",
        (Field("count", 0, 32, Access.READ, "Descriptors that were done, or are under way."),),
    ),
    Register(
        "INTERRUPT",
        0x34,
        "What has happened since it was cleared.",
        (
            Field("done", 0, 1, Access.WRITE_ONE_TO_CLEAR, "A program ended without an error."),
            Field("error", 1, 1, Access.WRITE_ONE_TO_CLEAR, "A program ended with an error."),
        ),
    ),
    Register(
        "INTERRUPT_ENABLE",
        0x38,
        "What of INTERRUPT raises the interrupt.",
        (
            Field("done", 0, 1, Access.READ_WRITE, "A program that ended does."),
            Field("error", 1, 1, Access.READ_WRITE, "An error does."),
        ),
    ),
)
_WINDOWS = (
    _word("PROGRAM", 0x40, "Where the program starts.", "Bytes from the start of the read window."),
    _window("READS_LOW", 0x44, "read", "Low bits of its address."),
    _window("READS_HIGH", 0x48, "read", "High bits of its address."),
    _window("READS_SIZE", 0x4C, "read", "Its bytes."),
    _window("WRITES_LOW", 0x50, "written", "Low bits of its address."),
    _window("WRITES_HIGH", 0x54, "written", "High bits of its address."),
    _window("WRITES_SIZE", 0x58, "written", "Its bytes."),
    _word(
        *("WATCHDOG", 0x5C, "When a program that hangs is stopped."),
        "Cycles in which nothing moves; 0: never.",
        1 << 20,
    ),
)
