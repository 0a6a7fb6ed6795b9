"""What an engine is."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from golden.format import ACTIVATION_BITS, ACTIVATION_MAX, SparqFormat
from hdl.array.systolic_array import SystolicArray
from hdl.catalogue import MacUnit
from hdl.engine.column_combiner import MAX_SHIFT
from hdl.multiplier.mac import Mac
from hdl.tensor.sparse_tensor_core import SparseTensorCore
from hdl.tensor.tensor_core import TensorCore
from hdl.tile.tile_machine import TileMachine

MACHINES: dict[str, Callable[[int, int, Mac], TileMachine]] = {
    "array": SystolicArray,
    "tensor_core": TensorCore,
    "sparse_tensor_core": SparseTensorCore,
}
"""The machines that multiply tiles."""

MAX_WEIGHT_DEPTH = 1 << 12
MAX_RESULT_TILES = 64
MAX_COMMANDS = 16
MAX_SUM_BITS = 32
MAX_ACC_BITS = MAX_SUM_BITS - MAX_SHIFT - 1
"""Of sums that can be combined."""
STREAM_BITS = tuple(1 << bits for bits in range(3, 11))


@dataclass(frozen=True)
class EngineUnit:
    """A machine, and the sizes of what is around it: the one description that all else has.

    Attributes
    ----------
    machine : str
        A key of :data:`MACHINES`.
    rows, cols : int
    unit : MacUnit
    lanes : int
        Columns that are requantized per cycle, a divisor of ``cols``; all of them where it is 0.
    weight_depth : int
        Slices of weights that each of two banks holds; with 0 weights are not buffered, but stream
        in with the activations.
    result_tiles : int
        Tiles whose results may wait; where it is 0, so many that tiles of ``rows`` slices follow
        each other without a gap while the output takes a row per cycle.
    command_depth : int
        Commands that may wait.
    stream_bits : int
        Bits of a word of the streams of activations, weights and results, a power of two; where it
        is 0, each is as wide as what the engine takes or gives in a cycle.
    encoded_output : bool
        Results can leave as stored pairs of the unit's format.
    multipoint : bool
        Columns can combine, two by two, to one of wider weights.

    Raises
    ------
    ValueError
        One line that names the offending value and what is allowed.
    """

    machine: str
    rows: int
    cols: int
    unit: MacUnit
    lanes: int = 0
    weight_depth: int = 256
    result_tiles: int = 0
    command_depth: int = 4
    stream_bits: int = 0
    encoded_output: bool = False
    multipoint: bool = False

    def __post_init__(self) -> None:
        if self.machine not in MACHINES:
            raise ValueError(f"machine must be one of {', '.join(MACHINES)}, not {self.machine!r}")
        if self.unit.acc_bits > MAX_SUM_BITS:
            raise ValueError(
                f"acc_bits of an engine must be at most {MAX_SUM_BITS}, not {self.unit.acc_bits}"
            )
        for name, low, high in (
            ("weight_depth", 0, MAX_WEIGHT_DEPTH),
            ("result_tiles", 0, MAX_RESULT_TILES),
            ("command_depth", 2, MAX_COMMANDS),
            ("lanes", 0, self.cols),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} must be an integer from {low} to {high}, not {value!r}")
        bits = self.stream_bits
        if type(bits) is not int or bits not in (0, *STREAM_BITS):
            raise ValueError(
                f"stream_bits must be 0 or a power of two from {STREAM_BITS[0]} to "
                f"{STREAM_BITS[-1]}, not {bits!r}"
            )
        if self.result_tiles == 1:  # the next tile could not start before the results have left
            raise ValueError(f"result_tiles must be 0 or from 2 to {MAX_RESULT_TILES}, not 1")
        if self.lanes == 0:
            object.__setattr__(self, "lanes", self.cols)
        if self.cols % self.lanes:
            raise ValueError(
                f"lanes must be a divisor of the {self.cols} columns, not {self.lanes}"
            )
        if self.encoded_output:
            self._check_encoding()
        if self.multipoint:
            self._check_points()

    def _check_encoding(self) -> None:
        fmt = self.unit.format
        if fmt is None:
            raise ValueError(
                f"encoded_output must be False with pe {self.unit.kind!r}, not {True!r}"
            )
        if fmt.sparq_format.signed:
            raise ValueError(
                f"encoded_output must be False with format {fmt.name}, as each column of results "
                "has a zero point of its own, not True"
            )
        bits = fmt.sparq_format.stored_pair_bits
        if bits >= 2 * ACTIVATION_BITS:
            raise ValueError(
                f"encoded_output must be False with format {fmt.name}, of which a pair takes "
                f"{bits} bits, no fewer than as bytes, not True"
            )
        least = max(2, fmt.group)
        lanes = f"{self.lanes}{' (all columns)' if self.lanes == self.cols else ''}"
        if self.lanes % least:
            raise ValueError(f"lanes must be a multiple of {least} to encode results, not {lanes}")
        # What fills up a word of the stream would be gaps between pairs.
        if self.stream_bits and 8 * self.lanes % self.stream_bits:
            raise ValueError(
                f"stream_bits must divide the {8 * self.lanes} bits of a byte of each lane to "
                f"encode results, not {self.stream_bits} where lanes is {lanes}"
            )

    def _check_points(self) -> None:
        if self.unit.acc_bits > MAX_ACC_BITS:
            raise ValueError(
                f"acc_bits must be at most {MAX_ACC_BITS} where columns combine, as two sums take "
                f"{MAX_SHIFT + 1} bits more and must fit {MAX_SUM_BITS}, not {self.unit.acc_bits}"
            )
        if self.lanes % 2:
            all_ = " (all columns)" if self.lanes == self.cols else ""
            raise ValueError(
                f"lanes must be a multiple of 2 where columns combine, not {self.lanes}{all_}"
            )

    @property
    def output_format(self) -> SparqFormat | None:
        """Of results that leave as stored pairs; none where they cannot."""
        return self.unit.sparq_format if self.encoded_output else None

    def machine_component(self) -> TileMachine:
        """A new component: the machine."""
        mac = replace(self.unit.mac, takes_bytes=False)
        return MACHINES[self.machine](self.rows, self.cols, mac)

    @property
    def split_format(self) -> SparqFormat | None:
        """The signed format of bytes that are taken apart; none of stored pairs."""
        return self.unit.mac.split_format

    @property
    def zero_point_bits(self) -> int:
        """Bits of a zero point, the high ones of a byte: of signed bytes one, as it is 0 or 128."""
        if self.split_format is None:
            return 0
        return ACTIVATION_BITS if self.split_format.takes_zero_point else 1

    @property
    def lane_parts(self) -> int:
        """Cycles in which the lanes requantize a row."""
        return self.cols // self.lanes

    @property
    def planes(self) -> tuple[int, ...]:
        """The passes of exact products, as masks of a byte; none where there is no exact mode."""
        if self.unit.encoded_input:
            return ()
        if self.unit.sparq_format is not None:
            return self.unit.sparq_format.exact_planes
        return (ACTIVATION_MAX,) if self.unit.activation_bits == ACTIVATION_BITS else ()
