"""The work of a layer on a matrix engine, and the cycles that it takes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from golden.format import ACTIVATION_BITS, SparqFormat

MAX_COUNT = (1 << 16) - 1
"""Of tiles and slices of a command."""

WORDS_PER_COLUMN = 3
"""Of a column's parameters, 32 bits each."""

WORDS_PER_SUM = 4
"""Of the output: a word has a byte of each lane."""

COMMAND_LATENCY = 2
"""Cycles from a command's start to its first slice: it passes a queue, operands a register."""

QUEUE_LATENCY = 2
"""Cycles from a row of results to its being offered to the output."""

OUTPUT_STAGES = 5
"""Registers from a row to its words: one for its sums, the others those of a lane."""


@dataclass(frozen=True)
class EngineShape:
    """What of an engine decides which work a layer is, and how long it takes.

    Attributes
    ----------
    rows, cols, k_per_cycle : int
        Of the machine.
    machine_latency : int
        Cycles from a tile's last slice to its first row of results.
    slices_per_group : int
        Slices whose activations share a window.
    planes : int
        Passes of exact products; 0 if there is no exact mode.
    lanes : int
        Columns that are requantized per cycle.
    weight_depth : int
        Slices of weights that each bank holds; 0: weights stream in with the activations.
    result_tiles : int
        Tiles whose results can wait.
    format : SparqFormat or None
        Of a machine with windows.
    encoded_input, encoded_output : bool
        Activations come, results can leave as stored pairs of that format.
    """

    rows: int
    cols: int
    k_per_cycle: int
    machine_latency: int
    slices_per_group: int
    planes: int
    lanes: int
    weight_depth: int
    result_tiles: int
    format: SparqFormat | None = None
    encoded_input: bool = False
    encoded_output: bool = False

    @property
    def pair_bits(self) -> int:
        """Bits of a stored pair; 0 where there are none."""
        return 0 if self.format is None else self.format.stored_pair_bits

    @property
    def output_stages(self) -> int:
        """Registers from a row to its words; pairs are encoded in one more."""
        return OUTPUT_STAGES + self.encoded_output

    def result_words(self, command: "Command") -> int:
        """Words of results of a command: a word has a byte of each lane, or pairs without gaps."""
        parts = command.tiles_m * command.tiles_n * self.rows * (self.cols // self.lanes)
        if command.encoded:
            return self.encoded_words(parts)
        return parts * (WORDS_PER_SUM if command.sums else 1)

    def encoded_words(self, parts: int) -> int:
        """Words that the stored pairs of so many parts of rows fill, the last one perhaps not."""
        return -(-parts * self.pair_bits // (2 * ACTIVATION_BITS))


@dataclass(frozen=True)
class Command:
    """``tiles_n`` columns of ``tiles_m`` tiles each, every tile ``depth`` slices long.

    ``exact``: activations are split into planes, otherwise they are quantized. ``sums``: results
    leave as int32; ``encoded``: as stored pairs of bytes side by side; otherwise as bytes.
    """

    tiles_m: int
    tiles_n: int
    depth: int
    exact: bool = False
    sums: bool = False
    encoded: bool = False


@dataclass(frozen=True)
class LayerCommand:
    """A command, and the part of a layer's product that it is: its first row."""

    command: Command
    first_row: int


def layer_commands(
    shape: EngineShape,
    m: int,
    k: int,
    n: int,
    exact: bool = False,
    sums: bool = False,
    encoded: bool = False,
) -> list[LayerCommand]:
    """The commands for the product (m, k) times (k, n), in their order: one, or as few as can be.

    Each takes all columns of tiles for some rows. For each column of tiles come its weights and
    parameters once (weights again for each tile where they are not buffered); for each tile its
    activations. Raises ``ValueError`` for a product that does not fit.
    """
    for name, value in (("M", m), ("K", k), ("N", n)):
        if value < 1:
            raise ValueError(f"{name} must be an integer of at least 1, not {value}")
    depth, tiles_m, tiles_n = -(-k // shape.k_per_cycle), -(-m // shape.rows), -(-n // shape.cols)
    most = shape.weight_depth or MAX_COUNT
    if depth > most:
        raise ValueError(f"K must be at most {most * shape.k_per_cycle} on this engine, not {k}")
    if tiles_n > MAX_COUNT:
        raise ValueError(f"N must be at most {MAX_COUNT * shape.cols} on this engine, not {n}")
    if exact and not shape.planes:
        what = (
            "an engine of encoded activations"
            if shape.encoded_input
            else "the format of this engine"
        )
        raise ValueError(f"{what} has no exact mode")
    if encoded and not shape.encoded_output:
        raise ValueError("this engine has no encoded output")
    if encoded and sums:
        raise ValueError("results leave as sums or encoded, not as both")
    return [
        LayerCommand(
            Command(min(tiles_m - top, MAX_COUNT), tiles_n, depth, exact, sums, encoded),
            top * shape.rows,
        )
        for top in range(0, tiles_m, MAX_COUNT)
    ]


def busy_cycles(shape: EngineShape, command: Command) -> int:
    """Slices that the machine takes for a command, in every pass."""
    return command.tiles_m * command.tiles_n * _tile_slices(shape, command)


def _tile_slices(shape: EngineShape, command: Command) -> int:
    """Slices that the machine takes for a tile: where groups are split, the last one is filled up
    in all passes but the last.
    """
    if not command.exact or shape.planes < 2:
        return command.depth
    group = shape.slices_per_group
    before, in_last = _groups(command.depth, group)
    return before * shape.planes * group + (shape.planes - 1) * group + in_last


def _groups(depth: int, group: int) -> tuple[int, int]:
    """Full groups before the last one of a tile, and the slices of that."""
    before = -(-depth // group) - 1
    return before, depth - before * group


def predicted_cycles(shape: EngineShape, commands: Iterable[Command]) -> int:
    """Cycles from the first command's start to the last result of the last one.

    Exactly what the engine's counter of cycles shows where it was idle before, operands are always
    offered and results always taken, and each command waits before the one ahead of it has ended.
    """
    run = _Run(shape)
    for command in commands:
        run.begin_command(command)
        for _ in range(command.tiles_n):
            run.begin_column(command)
            for _ in range(command.tiles_m):
                run.tile(command)
            run.end_column()
    return run.done


class _Run:
    """The times of what happens, tile by tile, cycle 0 being that of the first command's start."""

    def __init__(self, shape: EngineShape):
        self._shape = shape
        self._machine_free = self._splitter_free = COMMAND_LATENCY
        self._last_end = -shape.rows
        """When the result registers were last loaded."""
        self._finished: list[int] = []
        """When each tile's last results were read."""
        self._weights_offered = COMMAND_LATENCY
        self._last_gone = 0
        """When a slice last left the buffer."""
        self._weights_loaded = COMMAND_LATENCY - 1
        self._last_read = 0
        """When a slice was last read from the buffer: when the one before it went."""
        self._weights_freed: list[int] = []
        self._parameters_loaded = 0
        self._parameters_released: list[int] = []
        self._parameters_full = 0
        self._slots = _OutputSlots(shape.output_stages)
        self._parts = self._parts_left = 0
        """Of rows of the command: those that were read, and those that were not."""

    @property
    def done(self) -> int:
        """When the last word of results has left: after its slot, through a register."""
        return self._slots.drained + 1

    def begin_command(self, command: Command) -> None:
        """Its results start with a word of their own."""
        parts = self._shape.cols // self._shape.lanes
        self._parts = 0
        self._parts_left = command.tiles_m * command.tiles_n * self._shape.rows * parts

    def begin_column(self, command: Command) -> None:
        """Weights and parameters of a column of tiles load as soon as a bank is free."""
        shape = self._shape
        free = [*self._parameters_released[-2:-1], self._parameters_loaded]
        self._parameters_loaded = max(free) + WORDS_PER_COLUMN * shape.cols
        self._parameters_full = self._parameters_loaded + 1
        if shape.weight_depth:
            free = [*self._weights_freed[-2:-1], self._weights_loaded]
            # Slices are read as they come in.
            self._weights_offered = max(max(free) + 2, self._last_gone) + 1
            self._weights_loaded = max(free) + command.depth

    def tile(self, command: Command) -> None:
        """Its slices go in, and its results come out."""
        shape = self._shape
        room = 0
        if len(self._finished) >= shape.result_tiles:
            room = self._finished[-shape.result_tiles] + 1
        start = max(self._machine_free, self._splitter_free, self._weights_offered)
        before_last, last_gone, last_taken = _slice_times(shape, command, start, room)
        self._last_read = self._weights_offered - 1 if before_last is None else before_last
        self._last_gone = last_gone
        self._weights_offered = last_gone + 1
        self._splitter_free = last_taken + 1

        # The result registers take the sums when they are free.
        end = max(last_taken, self._last_end + shape.rows)
        self._last_end = end
        in_group = _tile_slices(shape, command) % shape.slices_per_group
        filling = shape.slices_per_group - in_group if in_group else 0
        self._machine_free = max(end, last_taken + filling) + 1

        # Rows are read in parts.
        parts = shape.cols // shape.lanes
        for row in range(shape.rows):
            ready = end + shape.machine_latency + row + QUEUE_LATENCY
            for _ in range(parts):
                words = self._part_words(command)
                read = self._slots.read(max(ready, self._parameters_full), words)
        self._finished.append(read)

    def _part_words(self, command: Command) -> int:
        """Words that leave with the next part of a row."""
        if not command.encoded:
            return WORDS_PER_SUM if command.sums else 1
        self._parts, self._parts_left = self._parts + 1, self._parts_left - 1
        # Words leave when they are full, the last one of a command in any case.
        bits = self._parts * self._shape.pair_bits
        full, before = (
            each // (2 * ACTIVATION_BITS) for each in (bits, bits - self._shape.pair_bits)
        )
        is_last = not self._parts_left
        return (self._shape.encoded_words(self._parts) if is_last else full) - before

    def end_column(self) -> None:
        """Banks are free: of weights when the last slice was read, of parameters with the tile."""
        self._weights_freed.append(self._last_read)
        self._parameters_released.append(self._finished[-1])


def _slice_times(
    shape: EngineShape, command: Command, start: int, room: int
) -> tuple[int | None, int, int]:
    """When the last but one slice of a tile goes, if it has one, the last one, and when the machine
    has taken all, if the first may go at ``start`` and the last at ``room``.
    """
    depth, planes, group = command.depth, shape.planes, shape.slices_per_group
    if not command.exact or planes < 2:
        last = max(start + depth - 1, room)
        return start + depth - 2 if depth > 1 else None, last, last
    if group == 1:
        last = max(start + (depth - 1) * planes, room) + planes - 1
        return start + (depth - 1) * planes - 1 if depth > 1 else None, last, last
    before, count = _groups(depth, group)
    begin = start + before * planes * group
    last = max(begin + count - 1, room)
    before_last = begin + count - 2 if count > 1 else begin - (planes - 1) * group - 1
    taken = last + (group - count) + (planes - 2) * group + count
    return before_last if depth > 1 else None, last, taken


class _OutputSlots:
    """The output moves on one stage per slot: a cycle, or those in which words leave at its end,
    four of sums, or two of the last pairs.
    """

    def __init__(self, stages: int) -> None:
        self._next = 0
        """The cycle of the next slot."""
        self._stages: list[int] = [0] * stages
        """Words at each stage that the next slot finds, the last one first; 0: none leaves."""
        self.drained = 0
        """The cycle in which the last word that was read will leave."""

    def read(self, ready: int, words: int) -> int:
        """Read what will be ``words``, at or after ``ready``; the cycle in which it is."""
        while self._next < ready:
            if not any(self._stages):
                self._next = ready
                break
            self._move(0)
        at = self._next
        self._move(words)
        self.drained = at + sum(self._slot_cycles())
        return at

    def _move(self, words: int) -> None:
        """A slot: what is at the last stage has left, and what was read is at the first."""
        self._stages = [*self._stages[1:], words]
        self._next += max(1, self._stages[0])

    def _slot_cycles(self) -> Iterator[int]:
        return (max(1, words) for words in self._stages)
