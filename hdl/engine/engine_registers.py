"""The registers of the matrix engine: the one table that hardware, driver and pages are made of."""

from enum import IntEnum

from golden.named import NamedFormat
from hdl.bus.register_map import Access, Field, Register, RegisterMap
from hdl.engine.event_counters import counter_registers
from hdl.engine.identity_registers import constant, identity_registers

IDENTIFICATION = 0x53505251
"""Reads as ``SPRQ``, its first letter in the highest byte."""


class ErrorCode(IntEnum):
    """Why a command was refused, by what the register ``ERROR`` reads."""

    description: str

    def __new__(cls, value: int, description: str) -> "ErrorCode":
        """A code and its sentence."""
        self = int.__new__(cls, value)
        self._value_ = value
        self.description = description
        return self

    NO_TILES = 1, "The number of tiles is 0, in rows or in columns."
    DEPTH = 2, "The depth is 0, or more than the weight buffer holds."
    NO_EXACT_MODE = 3, "The exact mode is asked for, which this engine does not have."
    QUEUE_FULL = 4, "The command was started while the queue was full."
    NO_ENCODED_OUTPUT = 5, "Stored pairs are asked for where there are none, or sums as well."
    ZERO_POINT = 6, "The zero point is neither 0 nor 128, of signed bytes."


COUNTERS = {
    "CYCLES": "Cycles in which a command was under way or waited.",
    "BUSY": "Cycles in which the machine took a slice.",
    "WAIT_ACTIVATIONS": "Cycles in which a command waited for activations.",
    "WAIT_WEIGHTS": "Cycles in which activations waited for weights.",
    "WAIT_OUTPUT": "Cycles in which both waited for room for results.",
    "PAIRS": "Pairs of activations that were multiplied, in every pass; 0 if there are none.",
    "PAIRS_WITH_ZERO": "Those of the pairs of which exactly one activation was 0.",
    "ZERO_PAIRS": "Those of the pairs of which both activations were 0.",
}
"""The 64-bit counters in the order of their registers, and what they count."""

FIRST_COUNTER = 0x80


def engine_registers(
    *,
    rows: int,
    cols: int,
    k_per_cycle: int,
    weight_bits: int,
    acc_bits: int,
    weight_depth: int,
    lanes: int,
    planes: int,
    result_tiles: int,
    command_depth: int,
    stream_bits: int,
    configuration_hash: str,
    version: tuple[int, int, int],
    format: NamedFormat | None,
    encoded_input: bool,
    encoded_output: bool,
) -> RegisterMap:
    """The table of an engine's registers; all but the constants are the same in every engine.

    ``ZERO_POINT`` alone is there only where signed activations come as bytes.

    Parameters
    ----------
    rows, cols, k_per_cycle, weight_bits, acc_bits : int
        Of the machine that multiplies.
    weight_depth : int
        Slices that its weight buffer holds; 0 if there is none.
    lanes : int
        Results that are requantized in a cycle.
    planes : int
        Passes that the exact mode takes; 0 if there is none.
    result_tiles, command_depth : int
        Tiles of results, and commands, that are held.
    stream_bits : int
        Of a word of the streams; 0 if each is as wide as what it carries.
    configuration_hash : str
        16 hexadecimal digits.
    version : tuple of int
        Of the generator: major, minor and patch, of 8 bits each.
    format : NamedFormat or None
        Of a machine with windows.
    encoded_input, encoded_output : bool
        Activations come, and results can leave as stored pairs of that format.

    Raises
    ------
    ValueError
        One line that names the offending value and what is allowed.
    """
    fmt = format.sparq_format if format else None
    has_zero_point = fmt is not None and fmt.signed and not encoded_input
    constants = [
        *identity_registers(
            *("engine", IDENTIFICATION),
            rows=rows,
            cols=cols,
            k_per_cycle=k_per_cycle,
            weight_bits=weight_bits,
            acc_bits=acc_bits,
            planes=planes,
            configuration_hash=configuration_hash,
            version=version,
            format=format,
            encoded_input=encoded_input,
            encoded_output=encoded_output,
        ),
        Register(
            "BUFFERS",
            0x1C,
            "Sizes of what weights and results pass.",
            (
                constant(
                    "weight_depth", 0, 16, weight_depth, "Slices of buffered weights; 0: no buffer."
                ),
                constant("lanes", 16, 16, lanes, "Results that are requantized in a cycle."),
            ),
        ),
        Register(
            "QUEUES",
            0x20,
            "Sizes of what waits, and of what streams.",
            (
                constant("command_depth", 0, 8, command_depth, "Commands that can wait."),
                constant("result_tiles", 8, 8, result_tiles, "Tiles of results that can wait."),
                constant(
                    "stream_bits",
                    *(16, 16, stream_bits),
                    "Bits of a word of activations, weights or results; 0: as many as they have.",
                ),
            ),
        ),
    ]
    return RegisterMap(
        "sparq_engine",
        "Registers of a SPARQ matrix engine.",
        (
            *constants,
            *_CONTROL,
            _error(has_zero_point),
            *_OF_COMMANDS,
            *((_ZERO_POINT,) if has_zero_point else ()),
            _COUNTER_CONTROL,
            *counter_registers(COUNTERS, FIRST_COUNTER),
        ),
    )


def _parameter(name: str, description: str) -> tuple[Field]:
    return (Field(name, 0, 16, Access.READ_WRITE, description),)


def _error(has_zero_point: bool) -> Register:
    codes = [code for code in ErrorCode if has_zero_point or code is not ErrorCode.ZERO_POINT]
    meanings = " ".join(f"{code.value}: {code.description}" for code in codes)
    description = f"The error; 0: none. {meanings}"
    code = Field("code", 0, 8, Access.WRITE_ONE_TO_CLEAR, description)
    return Register("ERROR", 0x2C, "The first error since it was cleared.", (code,))


_CONTROL = (
    Register(
        "CONTROL",
        0x24,
        "Control of the engine.",
        (
            Field("enable", 0, 1, Access.READ_WRITE, "Commands are executed."),
            Field(
                "soft_reset", 1, 1, Access.PULSE, "Empties the engine; registers keep their values."
            ),
        ),
    ),
    Register(
        "STATUS",
        0x28,
        "What the engine does.",
        (
            Field("idle", 0, 1, Access.READ, "No command is under way, and none waits."),
            Field("command_full", 1, 1, Access.READ, "No command can be started."),
            Field(
                "commands_waiting", 8, 8, Access.READ, "Commands whose slices have not all gone in."
            ),
        ),
    ),
)
_OF_COMMANDS = (
    Register(
        "INTERRUPT",
        0x30,
        "What has happened since it was cleared.",
        (
            Field("done", 0, 1, Access.WRITE_ONE_TO_CLEAR, "A command was completed."),
            Field("error", 1, 1, Access.WRITE_ONE_TO_CLEAR, "There was an error."),
        ),
    ),
    Register(
        "INTERRUPT_ENABLE",
        0x34,
        "What of INTERRUPT raises the interrupt.",
        (
            Field("done", 0, 1, Access.READ_WRITE, "A completed command does."),
            Field("error", 1, 1, Access.READ_WRITE, "An error does."),
        ),
    ),
    Register(
        "COMPLETED",
        0x38,
        "Progress of the commands.",
        (Field("count", 0, 32, Access.READ, "Commands that were completed, modulo 2**32."),),
    ),
    Register(
        "TILES_M",
        0x40,
        "Of the next command: height of the product.",
        _parameter("count", "Tiles on top of each other, each of as many rows as the machine has."),
    ),
    Register(
        "TILES_N",
        0x44,
        "Of the next command: width of the product.",
        _parameter("count", "Tiles side by side, each of as many columns as the machine has."),
    ),
    Register(
        "DEPTH",
        0x48,
        "Of the next command: length of the reduction.",
        _parameter("slices", "Slices of each tile."),
    ),
    Register(
        "MODE",
        0x4C,
        "Of the next command: what is computed.",
        (
            Field("exact", 0, 1, Access.READ_WRITE, "The exact product, in more passes than one."),
            Field("sums", 1, 1, Access.READ_WRITE, "Sums leave as they are, not requantized."),
            Field("encoded", 2, 1, Access.READ_WRITE, "Results leave as stored pairs."),
        ),
    ),
    Register(
        "START",
        0x50,
        "Starts a command.",
        (
            Field(
                "start",
                0,
                1,
                Access.PULSE,
                "Puts the command that TILES_M, TILES_N, DEPTH and MODE describe into the queue.",
            ),
        ),
    ),
)
_ZERO_POINT = Register(
    "ZERO_POINT",
    0x54,
    "Of the next command: what stands for 0.",
    (
        Field(
            "value",
            *(0, 8, Access.READ_WRITE),
            "What is subtracted from each byte of the activations; of signed bytes 0 or 128.",
        ),
    ),
)
_COUNTER_CONTROL = Register(
    "COUNTER_CONTROL",
    0x60,
    "Control of the counters.",
    (
        Field("freeze", 0, 1, Access.READ_WRITE, "The counters stand still, to be read."),
        Field("clear", 1, 1, Access.PULSE, "The counters start again from 0."),
    ),
)
