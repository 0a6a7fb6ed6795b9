"""What an accelerator is."""

from dataclasses import dataclass

from golden.descriptor import slice_bytes
from golden.format import ACTIVATION_BITS
from hdl.bus.axi4 import DATA_BITS, Axi4Bus
from hdl.engine.column_parameters import COLUMN_PARAMETERS
from hdl.engine.engine_unit import EngineUnit
from hdl.memory.line_encoding import LineEncoding
from hdl.memory.scratchpad_shape import MAX_LINES, ScratchpadShape

KIB = 1024
DENSE = ("array", "tensor_core")
"""Machines whose weights are all there."""

MAX_ROWS = 64
MIN_LINES = 4
SCRATCHPAD_KIB = tuple(1 << power for power in range(13))


@dataclass(frozen=True)
class AcceleratorUnit:
    """An engine's machine, and the sizes of what is around it: the description that all else has.

    Attributes
    ----------
    engine : EngineUnit
        Its rows are a power of two from 2 to 64, its columns a multiple of the steps of the
        reduction per cycle, and these a power of two; all columns are requantized at once, streams
        are as wide as what they carry, weights are buffered and activations come as bytes.
    scratchpad_kib : int
        Of the scratchpad, a power of two: at least 4 lines, at most 65536.
    data_bits : int
        Of the memory port: one of :func:`memory_widths`.
    multiplies : bool
        The vector unit has multipliers; otherwise it only adds up bytes.
    encoded_memory : bool
        LOADs and STOREs can move stored pairs of the engine's format.

    Raises
    ------
    ValueError
        One line that names the offending value and what is allowed.
    """

    engine: EngineUnit
    scratchpad_kib: int
    data_bits: int
    multiplies: bool = True
    encoded_memory: bool = False

    def __post_init__(self) -> None:
        engine = self.engine
        if engine.machine not in DENSE:
            raise ValueError(
                f"machine of an accelerator must be one of {', '.join(DENSE)}, not "
                f"{engine.machine!r}"
            )
        rows, steps = engine.rows, self.k_per_cycle
        if not 2 <= rows <= MAX_ROWS or rows & (rows - 1):
            raise ValueError(
                f"rows of an accelerator must be a power of two from 2 to {MAX_ROWS}, not {rows}"
            )
        if steps & (steps - 1):
            raise ValueError(
                f"pairs of an accelerator must be a power of two, not {engine.unit.pairs}"
            )
        if engine.cols % steps:
            raise ValueError(
                f"cols of an accelerator must be a multiple of {steps}, the steps of the "
                f"reduction per cycle, not {engine.cols}"
            )
        for name, value, needed in (
            ("encoded_input", engine.unit.encoded_input, False),
            ("encoded_output", engine.encoded_output, False),
            ("multipoint", engine.multipoint, False),
            ("stream_bits", engine.stream_bits, 0),
            ("lanes", engine.lanes, engine.cols),
        ):
            if value != needed:
                raise ValueError(f"{name} of an accelerator must be {needed}, not {value}")
        if not engine.weight_depth:
            raise ValueError("weight_depth of an accelerator must be at least 1, not 0")
        kib = self.scratchpad_kib
        if type(kib) is not int or kib not in SCRATCHPAD_KIB:
            raise ValueError(
                f"scratchpad_kib must be a power of two from 1 to {SCRATCHPAD_KIB[-1]}, not {kib!r}"
            )
        line_bytes = _line_bytes(engine)
        least, most = (-(-lines * line_bytes // KIB) for lines in (MIN_LINES, MAX_LINES))
        if not least <= kib <= most:
            raise ValueError(
                f"scratchpad_kib must be from {least} to {most} with lines of {line_bytes} bytes, "
                f"not {kib}"
            )
        widths = memory_widths(engine)
        if type(self.data_bits) is not int or self.data_bits not in widths:
            raise ValueError(
                f"data_bits must be one of {', '.join(map(str, widths))} with lines of "
                f"{line_bytes} bytes in the scratchpad, not {self.data_bits!r}"
            )
        if self.encoded_memory:
            self._check_encoding()

    def _check_encoding(self) -> None:
        fmt = self.engine.unit.format
        if fmt is None:
            raise ValueError(
                f"encoded_memory must be False with pe {self.engine.unit.kind!r}, not True"
            )
        if fmt.sparq_format.signed:
            raise ValueError(
                f"encoded_memory must be False with format {fmt.name}, whose activations are "
                "signed, not True"
            )
        bits = fmt.sparq_format.stored_pair_bits
        if bits >= 2 * ACTIVATION_BITS:
            raise ValueError(
                f"encoded_memory must be False with format {fmt.name}, of which a pair takes "
                f"{bits} bits, no fewer than as bytes, not True"
            )
        # What shares a window is neighbouring channels of a word, in one beat.
        most = min(self.k_per_cycle, self.bus.beat_bytes)
        if fmt.group > most:
            raise ValueError(
                f"group must be at most {most} to encode what lies in memory, the channels of a "
                f"word or of a beat of it, not {fmt.group}"
            )

    @property
    def encoding(self) -> LineEncoding | None:
        """How lines that are stored pairs lie in memory, where there are such."""
        fmt = self.engine.unit.sparq_format
        if fmt is None or not self.encoded_memory:
            return None
        return LineEncoding(self.scratchpad, fmt.stored_pair_bits)

    @property
    def k_per_cycle(self) -> int:
        """Steps of the reduction per slice, which are the channels of a word."""
        return self.engine.unit.mac.k_per_cycle

    @property
    def bus(self) -> Axi4Bus:
        """The memory port."""
        return Axi4Bus(self.data_bits)

    @property
    def scratchpad(self) -> ScratchpadShape:
        """The scratchpad."""
        banks = 2 * self.engine.rows
        lines = self.scratchpad_kib * KIB // (banks * self.k_per_cycle)
        return ScratchpadShape(banks, self.k_per_cycle, lines, self.data_bits)

    @property
    def column_beats(self) -> int:
        """Beats of the parameters of a column of tiles."""
        return -(-self.engine.cols * COLUMN_PARAMETERS.size // self.data_bits)

    @property
    def slice_bits(self) -> int:
        """Bits of a slice of weights in memory."""
        engine, beat_bytes = self.engine, self.bus.beat_bytes
        weights = engine.cols * self.k_per_cycle
        return 8 * slice_bytes(weights, engine.unit.weight_bits, beat_bytes)

    @property
    def beats_per_slice(self) -> int:
        """Beats of a slice of weights, or 1 for several slices."""
        return max(1, self.slice_bits // self.data_bits)

    @property
    def slices_per_beat(self) -> int:
        """Slices of weights in a beat, or 1 in several beats."""
        return max(1, self.data_bits // self.slice_bits)


def memory_widths(engine: EngineUnit) -> tuple[int, ...]:
    """The bits that the memory port of an engine's accelerator can have: at most a line's."""
    return tuple(bits for bits in DATA_BITS if bits <= 8 * _line_bytes(engine))


def _line_bytes(engine: EngineUnit) -> int:
    """Bytes of a line of the scratchpad: of two pixels for each row, a channel word each."""
    return 2 * engine.rows * engine.unit.mac.k_per_cycle
