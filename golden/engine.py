"""The work of a layer on a matrix engine, and the cycles that it takes."""

from collections.abc import Iterable
from dataclasses import dataclass

from golden.format import ACTIVATION_BITS, ACTIVATION_MAX, SIGNED_ZERO_POINT, SparqFormat

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
    stream_bits : int
        Bits of a word of activations, weights or results; 0: as many as each has.
    activation_words, weight_words, result_words : int
        Words of its stream that a slice takes, or a byte of each lane.
    format : SparqFormat or None
        Of a machine with windows.
    encoded_input, encoded_output : bool
        Activations come, results can leave as stored pairs of that format.
    multipoint : bool
        Columns can combine, two by two.
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
    stream_bits: int = 0
    activation_words: int = 1
    weight_words: int = 1
    result_words: int = 1
    format: SparqFormat | None = None
    encoded_input: bool = False
    encoded_output: bool = False
    multipoint: bool = False

    @property
    def result_bytes(self) -> int:
        """Bytes of a word of results."""
        return self.stream_bits // 8 or self.lanes

    @property
    def pair_bits(self) -> int:
        """Bits of a stored pair; 0 where there are none."""
        return 0 if self.format is None else self.format.stored_pair_bits

    @property
    def split_format(self) -> SparqFormat | None:
        """The signed format of bytes that the engine takes apart; none of stored pairs."""
        fmt = self.format
        return fmt if fmt is not None and fmt.signed and not self.encoded_input else None

    def check_zero_point(self, zero_point: int) -> None:
        """Raise ``ValueError`` for one that a command cannot have."""
        fmt = self.split_format
        if fmt is None:
            kind = "encoded activations" if self.encoded_input else "unsigned activations"
            allowed, fits = f"0 on an engine of {kind}", zero_point == 0
        elif fmt.takes_zero_point:
            allowed, fits = f"from 0 to {ACTIVATION_MAX}", 0 <= zero_point <= ACTIVATION_MAX
        else:
            allowed = f"0 or {SIGNED_ZERO_POINT} on an engine of signed bytes"
            fits = zero_point in (0, SIGNED_ZERO_POINT)
        if not fits:
            raise ValueError(f"zero_point must be {allowed}, not {zero_point}")

    @property
    def output_stages(self) -> int:
        """Registers from a row to its words; pairs are encoded in one more."""
        return OUTPUT_STAGES + self.encoded_output

    def packet_words(self, command: "Command") -> int:
        """Words in which the results of a command leave."""
        parts = command.tiles_m * command.tiles_n * self.rows * (self.cols // self.lanes)
        if command.encoded:
            return self.encoded_words(parts) * self.result_words
        return parts * (WORDS_PER_SUM if command.sums else 1) * self.result_words

    def encoded_words(self, parts: int) -> int:
        """Of a byte of each lane: how many the stored pairs of so many parts of rows fill, without
        gaps, the last one perhaps not.
        """
        return -(-parts * self.pair_bits // (2 * ACTIVATION_BITS))


@dataclass(frozen=True)
class Command:
    """``tiles_n`` columns of ``tiles_m`` tiles each, every tile ``depth`` slices long.

    ``exact``: activations are split into planes, otherwise they are quantized. ``sums``: results
    leave as int32; ``encoded``: as stored pairs of bytes side by side; otherwise as bytes.
    ``zero_point``: the byte that stands for 0 in activations of a signed format; where it is 0,
    those of 7 bits of magnitude are in two's complement.
    """

    tiles_m: int
    tiles_n: int
    depth: int
    exact: bool = False
    sums: bool = False
    encoded: bool = False
    zero_point: int = 0


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
    zero_point: int = 0,
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
    shape.check_zero_point(zero_point)
    mode = exact, sums, encoded, zero_point
    return [
        LayerCommand(
            Command(min(tiles_m - top, MAX_COUNT), tiles_n, depth, *mode), top * shape.rows
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

    Exactly what the engine's counter of cycles shows where it was idle before, operands are offered
    in every cycle after that of the start and not before, results always taken, and each command
    waits before the one ahead of it has ended.
    """
    run = _Run(shape)
    for command in commands:
        run.begin_command(command)
        for _ in range(command.tiles_n):
            run.begin_column(command)
            for _ in range(command.tiles_m):
                run.tile(command)
            run.end_column()
    return run.end()


class _Stream:
    """Slices that come in, each of as many words, one per cycle from cycle 1 on, and wait in a
    register that holds two.
    """

    def __init__(self, words: int):
        self._words = words
        self._arrived = 0
        """When the last word of the last slice was taken."""
        self._gone = self._gone_before = 0
        """When the last two slices went."""

    def comes(self) -> int:
        """The next slice comes: when it can go, after its last word, for which there was room."""
        self._arrived = max(self._arrived + self._words, self._gone_before + 1)
        return self._arrived + 1

    def goes(self, at: int) -> None:
        """That slice goes."""
        self._gone_before, self._gone = self._gone, at


class _StreamedWeights(_Stream):
    """Weights that come with each tile: none are kept."""

    def begin_column(self, depth: int) -> None:
        """Nothing is loaded."""

    def begin_tile(self) -> None:
        """Other slices come."""

    def end_column(self) -> None:
        """Nothing was held."""


class _BufferedWeights:
    """Weights that are loaded once for each column of tiles, into one of two banks."""

    def __init__(self, words: int):
        self._stream = _Stream(words)
        self._loaded = COMMAND_LATENCY - 1
        self._slices: list[int] = []
        """When each slice of the column was loaded."""
        self._next = 0
        self._gone = self._read = 0
        """When a slice last left the buffer, and when one was last read from its memory."""
        self._freed: list[int] = []
        """When each bank was free again."""

    def begin_column(self, depth: int) -> None:
        """Its slices load as soon as a bank is free."""
        self._loaded = max([self._loaded, *self._freed[-2:-1]])
        self._slices = []
        for _ in range(depth):
            self._loaded = max(self._stream.comes(), self._loaded + 1)
            self._stream.goes(self._loaded)
            self._slices.append(self._loaded)

    def begin_tile(self) -> None:
        """The slices are read again."""
        self._next = 0

    def comes(self) -> int:
        """The next slice is read, when it is there and the one before it goes: when it can go."""
        self._read = max(self._slices[self._next] + 1, self._gone)
        return self._read + 1

    def goes(self, at: int) -> None:
        """That slice goes."""
        self._gone = at
        self._next += 1

    def end_column(self) -> None:
        """Its bank is free when its last slice was read."""
        self._freed.append(self._read)


class _Run:
    """The times of what happens, by slices; cycle 0 is that of the first command's start."""

    def __init__(self, shape: EngineShape):
        self._shape = shape
        self._activations = _Stream(shape.activation_words)
        weights = _BufferedWeights if shape.weight_depth else _StreamedWeights
        self._weights = weights(shape.weight_words)
        self._slice_free = self._tile_free = COMMAND_LATENCY
        """When the next slice can go in, and the next tile's first one."""
        self._last_end = -shape.rows
        """When the result registers were last loaded."""
        self._finished: list[int] = []
        """When each tile's last results were read."""
        self._parameters_loaded = 0
        self._parameters_released: list[int] = []
        self._parameters_full = 0
        self._output = _Output(shape.output_stages, shape.result_words)
        self._parts = self._parts_left = 0
        """Of rows of the command: those that were read, and those that were not."""

    def end(self) -> int:
        """When the last word of results has left."""
        return self._output.drain()

    def begin_command(self, command: Command) -> None:
        """Its results start with a word of their own."""
        parts = self._shape.cols // self._shape.lanes
        self._parts = 0
        self._parts_left = command.tiles_m * command.tiles_n * self._shape.rows * parts

    def begin_column(self, command: Command) -> None:
        """Weights and parameters of a column of tiles load as soon as a bank is free."""
        free = [*self._parameters_released[-2:-1], self._parameters_loaded]
        self._parameters_loaded = max(free) + WORDS_PER_COLUMN * self._shape.cols
        self._parameters_full = self._parameters_loaded + 1
        self._weights.begin_column(command.depth)

    def tile(self, command: Command) -> None:
        """Its slices go in, and its results come out."""
        shape, depth, group = self._shape, command.depth, self._shape.slices_per_group
        room = 0
        if len(self._finished) >= shape.result_tiles:
            room = self._finished[-shape.result_tiles] + 1
        more_passes = max(0, shape.planes - 1) if command.exact else 0
        free = max(self._slice_free, self._tile_free)
        self._weights.begin_tile()
        for left in reversed(range(depth)):
            goes = max(self._activations.comes(), self._weights.comes(), free)
            if left == 0:
                goes = max(goes, room)
            # In the exact mode a group of slices passes again, from the splitter.
            ends_group = left == 0 or (depth - left) % group == 0
            passed = goes + more_passes * group if ends_group else goes
            free = passed + 1
            # A group of one slice is not copied for that, but stays where it is.
            goes = passed if group == 1 else goes
            self._activations.goes(goes)
            self._weights.goes(goes)
        self._slice_free = free

        # The result registers take the sums when they are free.
        end = max(passed, self._last_end + shape.rows)
        self._last_end = end
        in_group = _tile_slices(shape, command) % group
        filling = group - in_group if in_group else 0
        self._tile_free = max(end, passed + filling) + 1

        # Rows are read in parts.
        parts = shape.cols // shape.lanes
        for row in range(shape.rows):
            ready = end + shape.machine_latency + row + QUEUE_LATENCY
            for _ in range(parts):
                words = self._part_words(command)
                read = self._output.read(max(ready, self._parameters_full), words)
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
        self._weights.end_column()
        self._parameters_released.append(self._finished[-1])


class _Output:
    """The output moves on one stage per slot: a cycle, or longer where what is at its end leaves
    in more words than one, through a register that holds two and sends each in ``beats`` cycles.
    """

    def __init__(self, stages: int, beats: int) -> None:
        self._beats = beats
        self._next = 0
        """The cycle of the next slot."""
        self._stages: list[int] = [0] * stages
        """Words at each stage after the last slot, those that leave first; 0: nothing leaves."""
        self._left = self._left_before = 0
        """When the last two words have left."""

    def read(self, ready: int, words: int) -> int:
        """Read what will be ``words``, at or after ``ready``; the cycle in which it is."""
        while self._next < ready:
            if not any(self._stages):
                self._next = ready
                break
            self._move(0)
        at = self._next
        self._move(words)
        return at

    def drain(self) -> int:
        """All that was read leaves; when the last word has."""
        while any(self._stages):
            self._move(0)
        return self._left

    def _move(self, words: int) -> None:
        """A slot: what was read is at the first stage, and what is now at the last one goes into
        the register, a word as soon as there is room. With its last word the next slot begins.
        """
        self._stages = [*self._stages[1:], words]
        at = self._next
        self._next += 1
        for _ in range(self._stages[0]):
            at = max(at, self._left_before) + 1
            self._left_before, self._left = self._left, max(at, self._left) + self._beats
            self._next = at
