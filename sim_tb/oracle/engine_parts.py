"""Parts of the matrix engine as plain models."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from golden import SparqFormat, decode_pairs, encode_pairs, load_pairs, store_pairs
from hdl.engine.column_parameters import COLUMN_PARAMETERS, WORDS_PER_COLUMN
from hdl.engine.requantizer_lane import RequantizerLane
from sim_tb.oracle.cycles import Model, Word
from sim_tb.oracle.requantization import Case, expected

BANKS = 2
WORD_BITS = 32


class CommandFields(NamedTuple):
    """What a command is: tiles of a column, columns, slices of a tile; its mode."""

    tiles: int
    columns: int
    depth: int
    exact: int
    sums: int
    encoded: int


def command_fields(word: int) -> CommandFields:
    """Of a command as it is packed."""
    counts = (word >> 16 * place & 0xFFFF for place in range(3))
    return CommandFields(*counts, *(word >> place & 1 for place in (48, 49, 50)))


@dataclass
class WeightBank:
    """Slices of one column of tiles, and how many were given, each once for each tile."""

    depth: int
    tiles: int
    words: list[int] = field(default_factory=list)
    given: int = 0

    @property
    def is_full(self) -> bool:
        """All slices are there."""
        return len(self.words) == self.depth

    @property
    def has_next(self) -> bool:
        """The slice to be given next is there."""
        return self.given % self.depth < len(self.words)


class WeightBufferModel(Model):
    """Columns of weights; each leaves as often as it has tiles, then its bank is free."""

    def __init__(self) -> None:
        self.column = 0
        self.banks: deque[WeightBank] = deque()
        """The last one may still load."""
        self.offered: int | None = None

    @property
    def is_empty(self) -> bool:  # type: ignore[override]  # it was True
        """No slice is left to be given."""
        return self.offered is None and not (self.banks and self.banks[0].has_next)

    @property
    def has_room(self) -> bool:
        """A bank is free, or still loads."""
        return sum(bank.is_full for bank in self.banks) < BANKS

    def outputs(self, given: Mapping[str, int]) -> Word:
        """A slice is taken where there are a command and a bank for it."""
        ready = given["command_valid"] and self.has_room
        _, columns, depth, *_ = command_fields(given["command"])
        loaded = 0 if not self.banks or self.banks[-1].is_full else len(self.banks[-1].words)
        ends = loaded == depth - 1 and self.column == columns - 1
        out = {"in_ready": int(ready), "out_valid": int(self.offered is not None)}
        out["command_ready"] = int(ready and given["in_valid"] and ends)
        return out if self.offered is None else {**out, "out_data": self.offered}

    def step(self, given: Mapping[str, int]) -> None:
        """One is read if none is left to be offered, one comes."""
        tiles, columns, depth, *_ = command_fields(given["command"])
        takes = given["in_valid"] and given["command_valid"] and self.has_room
        if given["out_ready"]:
            self.offered = None
        if self.offered is None and self.banks and self.banks[0].has_next:
            bank = self.banks[0]
            self.offered = bank.words[bank.given % bank.depth]
            bank.given += 1
            if bank.given == bank.depth * bank.tiles:
                self.banks.popleft()
        if takes:
            if not self.banks or self.banks[-1].is_full:
                self.banks.append(WeightBank(depth, tiles))
            self.banks[-1].words.append(given["in_data"])
            if self.banks[-1].is_full:
                self.column = (self.column + 1) % columns


class ParameterBufferModel(Model):
    """Sets of parameters, one for all columns; the first full one can be read."""

    def __init__(self, cols: int, lanes: int):
        self.words = cols * WORDS_PER_COLUMN
        self.per_part = lanes * WORDS_PER_COLUMN
        self.loading: list[int] = []
        self.full: deque[list[int]] = deque()
        self.was_read: int | None = None

    def outputs(self, given: Mapping[str, int]) -> Word:
        """Words are taken while a bank is free."""
        out = {"in_ready": int(len(self.full) < BANKS), "full": int(bool(self.full))}
        return out if self.was_read is None else {**out, "parameters": self.was_read}

    def step(self, given: Mapping[str, int]) -> None:
        """A part is read, a bank is freed, a word comes."""
        takes = given["in_valid"] and len(self.full) < BANKS
        if given["read"]:
            first = given["part"] * self.per_part
            words = enumerate(self.full[0][first : first + self.per_part])
            self.was_read = sum(word << WORD_BITS * place for place, word in words)
        if given["free_bank"]:
            self.full.popleft()
        if takes:
            self.loading.append(given["in_data"])
            if len(self.loading) == self.words:
                self.full.append(self.loading)
                self.loading = []


class TileWalkModel(Model):
    """All slices of a command in order; the last one of a tile waits for room."""

    def __init__(self, room: int):
        self.room = room
        self.slice = self.tile = self.column = 0
        self.under_way = 0

    def outputs(self, given: Mapping[str, int]) -> Word:
        """What goes, or why nothing does."""
        command, activations, weights = (
            given[f"{name}_valid"] for name in ("command", "activations", "weights")
        )
        tiles, columns, depth, exact, sums, encoded = command_fields(given["command"])
        last = self.slice == depth - 1
        ends_column = self.tile == tiles - 1
        ends_command = ends_column and self.column == columns - 1
        both = command and activations and weights
        fits = not last or self.under_way < self.room
        out = {
            "command_ready": int(both and fits and given["slice_ready"] and last and ends_command),
            "slice_valid": int(both and fits),
            "waits_for_activations": int(command and not activations),
            "waits_for_weights": int(command and activations and not weights),
            "waits_for_output": int(both and not fits),
        }
        if not command:
            return out
        what = sums | ends_column << 1 | ends_command << 2 | encoded << 3
        return {**out, "slice_last": int(last), "slice_exact": exact, "tile": what}

    def step(self, given: Mapping[str, int]) -> None:
        """A slice goes, results of a tile have left."""
        out = self.outputs(given)
        self.under_way -= given["finished"]
        if not (out["slice_valid"] and given["slice_ready"]):
            return
        tiles, columns, depth, *_ = command_fields(given["command"])
        self.slice += 1
        if self.slice == depth:
            self.under_way += 1
            self.slice, self.tile = 0, self.tile + 1
        if self.tile == tiles:
            self.tile, self.column = 0, self.column + 1
        if self.column == columns:
            self.column = 0


class PlaneSplitterModel(Model):
    """Slices pass; those of an exact group are then repeated in the planes that are left."""

    def __init__(
        self,
        activations: int,
        weight_bits: int,
        planes: Sequence[int],
        group: int,
        fmt: SparqFormat | None = None,
    ):
        del weight_bits
        self.activations = activations
        self.planes = planes
        self.group = group
        self.fmt = fmt
        self.taken: list[int] = []
        self.left: deque[tuple[int, int]] = deque()
        """What is still to be given, and whether it is a tile's last."""

    @property
    def is_empty(self) -> bool:  # type: ignore[override]  # it was True
        """No group is left to be repeated."""
        return not self.left

    def outputs(self, given: Mapping[str, int]) -> Word:
        """What is left goes first; the slice of a group of one is taken with its last plane."""
        alone = self.group == 1 and len(self.planes) > 1
        if self.left:
            word, last = self.left[0]
            ready = given["out_ready"] if alone and len(self.left) == 1 else 0
            return {"out_valid": 1, "out_data": word, "out_last": last, "in_ready": ready}
        splits = len(self.planes) > 1 and given["in_exact"]
        out = {"out_valid": given["in_valid"]}
        if not alone or given["in_valid"]:
            out["in_ready"] = 0 if alone and splits else given["out_ready"]
        if not given["in_valid"]:
            return out
        word = self._masked(given["in_data"], self.planes[0]) if splits else given["in_data"]
        last = 0 if splits else given["in_last"]
        return {**out, "out_data": word, "out_last": last}

    def step(self, given: Mapping[str, int]) -> None:
        """A slice goes."""
        if not given["out_ready"]:
            return
        if self.left:
            self.left.popleft()
        elif given["in_valid"] and given["in_exact"] and len(self.planes) > 1:
            self.taken.append(given["in_data"])
            if len(self.taken) == self.group or given["in_last"]:
                self.left = deque(self._rest(given["in_last"]))
                self.taken = []

    def _rest(self, ends_tile: int) -> Iterator[tuple[int, int]]:
        empty = [(0, 0)] * (self.group - len(self.taken))
        yield from empty
        for plane in self.planes[1:-1]:
            yield from ((self._masked(word, plane), 0) for word in self.taken)
            yield from empty
        *before, last = (self._masked(word, self.planes[-1]) for word in self.taken)
        yield from ((word, 0) for word in before)
        yield last, ends_tile

    def _masked(self, word: int, plane: int) -> int:
        """The bits of a plane of each activation, with its sign if there are any; and weights."""
        width = self.fmt.activation_bits if self.fmt else 8
        bits = width * self.activations
        masked = word >> bits << bits
        for place in range(self.activations):
            activation = word >> width * place & (1 << width) - 1
            sign = activation & 1 << width - 1 if self.fmt and activation & plane else 0
            masked |= (activation & plane | sign) << width * place
        return masked


class PairCounterModel(Model):
    """What was counted leaves two cycles later."""

    def __init__(
        self, pairs: int, fmt: SparqFormat | None = None, split_format: SparqFormat | None = None
    ):
        self.pairs = pairs
        self.fmt = fmt
        self.bits = split_format.activation_bits if split_format else 8
        self.counted = [(0, 0), (0, 0)]

    def outputs(self, given: Mapping[str, int]) -> Word:
        """Pairs of one zero, and of two."""
        return dict(zip(("with_zero", "zero"), self.counted[-1], strict=True))

    def step(self, given: Mapping[str, int]) -> None:
        """Count."""
        zeros = [value == 0 for value in self._values(given["activations"])]
        pairs = [a + b for a, b in zip(zeros[::2], zeros[1::2], strict=True)]
        counts = (pairs.count(1), pairs.count(2)) if given["valid"] else (0, 0)
        self.counted = [counts, self.counted[0]]

    def _values(self, word: int) -> list[int]:
        """The activations, or what stored pairs stand for."""
        if self.fmt is None:
            mask = (1 << self.bits) - 1
            return [word >> self.bits * place & mask for place in range(2 * self.pairs)]
        bits = self.fmt.stored_pair_bits
        stored = [word >> bits * place & (1 << bits) - 1 for place in range(self.pairs)]
        return list(map(int, decode_pairs(load_pairs(stored, self.fmt), self.fmt)))


class EventCountersModel(Model):
    """Each counter adds what happened a cycle before, unless all are frozen or cleared."""

    def __init__(self, names: Sequence[str]):
        self.before = dict.fromkeys(names, 0)
        self.counters = dict.fromkeys(names, 0)

    def outputs(self, given: Mapping[str, int]) -> Word:
        """The counters."""
        return dict(self.counters)

    def step(self, given: Mapping[str, int]) -> None:
        """Count."""
        for name, before in self.before.items():
            if given["clear"]:
                self.counters[name] = 0
            elif not given["freeze"]:
                self.counters[name] = (self.counters[name] + before) % 2**64
            self.before[name] = given[f"count_{name}"]


class OutputStageModel(Model):
    """Parts of rows go through stages that move together, and leave as words."""

    def __init__(
        self,
        rows: int,
        cols: int,
        lanes: int,
        acc_bits: int,
        fmt: SparqFormat | None = None,
        points: int | None = None,
    ):
        self.points = points
        self.rows = rows
        self.lanes = lanes
        self.acc_bits = acc_bits
        self.parts = cols // lanes
        self.row = self.part = 0
        self.fmt = fmt
        self.sums: tuple[list[int], int, int] | None = None
        """What was read: sums, the mode in which they leave, and whether they are the last ones."""
        self.stages: list[Words | None] = [None] * (RequantizerLane.latency + (fmt is not None))
        self.bits: list[int] = []
        """Of stored pairs, those that fill no word."""
        self.word = 0
        """Of those at the last stage, the one that is offered."""

    @property
    def is_empty(self) -> bool:  # type: ignore[override]  # it was True
        """No row is on its way."""
        return self.sums is None and not any(self.stages)

    def _moves(self, given: Mapping[str, int]) -> bool:
        last = self.stages[-1]
        if last is None or not last.words:
            return True
        return bool(given["out_ready"] and self.word == len(last.words) - 1)

    def outputs(self, given: Mapping[str, int]) -> Word:
        """The word that is offered, and what is read."""
        reads = self._moves(given) and given["rows_valid"] and given["parameters_full"]
        ends_row = self.part == self.parts - 1
        ends_tile = ends_row and self.row == self.rows - 1
        out = {
            "parameters_read": int(reads),
            "rows_ready": int(reads and ends_row),
            "finished": int(reads and ends_tile),
            "parameters_release": int(reads and ends_tile and given["tile"] >> 1 & 1),
            "out_valid": int(bool(self.stages[-1] and self.stages[-1].words)),
        }
        if self.parts > 1:
            out["parameters_part"] = self.part
        last = self.stages[-1]
        if not out["out_valid"] or last is None:
            return out
        is_last = last.is_last and self.word == len(last.words) - 1
        return {**out, "out_data": last.words[self.word], "out_last": int(is_last)}

    def step(self, given: Mapping[str, int]) -> None:
        """All stages move, or a word of sums leaves."""
        if not self._moves(given):
            self.word += given["out_ready"]
            return
        out = self.outputs(given)
        self.word = 0
        entering = None if self.sums is None else self._words(*self.sums, given["parameters"])
        self.stages = [entering, *self.stages[:-1]]
        self.sums = None
        if out["parameters_read"]:
            bits = self.lanes * self.acc_bits
            own = given["sums"] >> self.part * bits
            sums = [
                _signed(own >> lane * self.acc_bits, self.acc_bits) for lane in range(self.lanes)
            ]
            is_last = int(out["finished"] and given["tile"] >> 2 & 1)
            self.sums = sums, given["tile"] & 0b1001, is_last
            self.part = (self.part + 1) % self.parts
            if self.part == 0:
                self.row = (self.row + 1) % self.rows

    def _words(self, sums: list[int], mode: int, is_last: int, parameters: int) -> "Words":
        size = COLUMN_PARAMETERS.size
        columns = [parameters >> size * lane & (1 << size) - 1 for lane in range(self.lanes)]
        if self.points:
            offset = dict(COLUMN_PARAMETERS)["combine"].offset
            shifts = [word >> offset & 7 for word in columns]
            # Each odd one with the one before it, unless its shift is 0.
            sums = [
                own + sums[lane - 1] * 2 ** shifts[lane] if lane % 2 and shifts[lane] else own
                for lane, own in enumerate(sums)
            ]
        cases = [parameters_case(own, word) for own, word in zip(sums, columns, strict=True)]
        biased, bytes_ = expected(cases)
        if mode & 0b1000:
            return Words(self._filled(bytes_, is_last), is_last)
        if not mode:
            return Words([sum(int(own) << 8 * lane for lane, own in enumerate(bytes_))], is_last)
        whole = sum(int(own) % 2**32 << 32 * lane for lane, own in enumerate(biased))
        bits = 8 * self.lanes
        return Words([whole >> bits * place & (1 << bits) - 1 for place in range(4)], is_last)

    def _filled(self, bytes_: Any, is_last: int) -> list[int]:
        """The words that the stored pairs of these bytes fill, or end."""
        assert self.fmt is not None
        pairs = store_pairs(encode_pairs(bytes_, self.fmt), self.fmt).tolist()
        width, whole = self.fmt.stored_pair_bits, 8 * self.lanes
        self.bits += [pair >> place & 1 for pair in pairs for place in range(width)]
        if is_last:
            self.bits += [0] * (-len(self.bits) % whole)
        words = []
        while len(self.bits) >= whole:
            words.append(sum(bit << place for place, bit in enumerate(self.bits[:whole])))
            self.bits = self.bits[whole:]
        return words


class Words(NamedTuple):
    """What leaves for some columns, and whether the last of it is a command's."""

    words: list[int]
    is_last: int


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (value >> bits - 1 << bits)


def parameters_case(own: int, word: int) -> Case:
    """A sum, and the parameters of its column as they are packed."""
    fields = dict(COLUMN_PARAMETERS)
    values = {
        name: word >> field.offset & (1 << field.width) - 1
        for name, field in fields.items()
        if not name.startswith("reserved") and name != "combine"
    }
    return Case(own, **{**values, "bias": _signed(values["bias"], 32)})


def parameters_word(case: Case, combine: int = 0) -> int:
    """The parameters of a case, as they are packed, and a shift of the column to the left."""
    fields = dict(COLUMN_PARAMETERS)
    values = case._asdict() | {"combine": combine}
    del values["sum"]
    return sum(
        (value & (1 << fields[name].width) - 1) << fields[name].offset
        for name, value in values.items()
    )
