"""Parts of the accelerator as plain models."""

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from golden import decode_pairs, encode_pairs, load_pairs, store_pairs
from golden.format import SparqFormat
from hdl.accelerator.layouts import PIXEL_BITS, PIXELS, PLACE
from sim_tb.oracle.cycles import LowBits, Model, Word
from sim_tb.oracle.requantization import wrapped

BYTES_PER_SUM = 4
COUNTS = 3
COUNT_BITS = 16
TILE_FIELDS = [field for _, field in PIXELS]
PLACE_OFFSETS = [field.offset for _, field in PLACE]
"""Looked up once: they are needed in every cycle."""


class EndedModel(Model):
    """Counts that wrap: one is reached if it is less than half of the way around ahead."""

    def __init__(self) -> None:
        self.have_ended = 0

    def outputs(self, given: Mapping[str, int]) -> Word:
        """What was asked in the cycle before."""
        return {"have_ended": self.have_ended}

    def step(self, given: Mapping[str, int]) -> None:
        """All of them must be reached."""
        around = 1 << COUNT_BITS
        ahead = (
            (given[f"ended_{index}"] - (given["waits"] >> COUNT_BITS * index)) % around
            for index in range(COUNTS)
        )
        self.have_ended = int(all(own < around // 2 for own in ahead))


class _PairStageModel(Model):
    """Beats that go through, or bits of those that are stored pairs, which leave as soon as there
    are as many as a beat has of the other kind.
    """

    def __init__(self, fmt: SparqFormat, beat_bits: int):
        self.fmt = fmt
        self.beat_bits = beat_bits
        self.pairs = beat_bits // 16
        self.bits: list[int] = []


class PairUnpackerModel(_PairStageModel):
    """From stored pairs to bytes."""

    def _bits(self, given: Mapping[str, int]) -> list[int]:
        if len(self.bits) >= self.pairs * self.fmt.stored_pair_bits or not given["in_valid"]:
            return self.bits
        return self.bits + [given["in_data"] >> n & 1 for n in range(self.beat_bits)]

    def outputs(self, given: Mapping[str, int]) -> Word:
        """As many pairs as a beat has."""
        if not given["encoded"]:
            out = {"in_ready": given["out_ready"], "out_valid": given["in_valid"]}
            return out | ({"out_data": given["in_data"]} if given["in_valid"] else {})
        bits, size = self._bits(given), self.fmt.stored_pair_bits
        out = {"out_valid": int(len(bits) >= self.pairs * size)}
        out["in_ready"] = int(given["out_ready"] and len(self.bits) < self.pairs * size)
        if out["out_valid"]:
            stored = [
                sum(bit << n for n, bit in enumerate(bits[place * size :][:size]))
                for place in range(self.pairs)
            ]
            with suppress(ValueError):  # of words of no pair, it may be anything
                values = decode_pairs(load_pairs(stored, self.fmt), self.fmt)
                out["out_data"] = sum(int(value) << 8 * n for n, value in enumerate(values))
        return out

    def step(self, given: Mapping[str, int]) -> None:
        """A beat leaves."""
        if given["encoded"] and given["out_ready"] and self.outputs(given)["out_valid"]:
            self.bits = self._bits(given)[self.pairs * self.fmt.stored_pair_bits :]


class PairPackerModel(_PairStageModel):
    """From bytes to stored pairs."""

    def _bits(self, given: Mapping[str, int]) -> list[int]:
        values = [given["in_data"] >> 8 * n & 255 for n in range(2 * self.pairs)]
        stored = store_pairs(encode_pairs(values, self.fmt), self.fmt)
        size = self.fmt.stored_pair_bits
        return self.bits + [int(word) >> n & 1 for word in stored for n in range(size)]

    def outputs(self, given: Mapping[str, int]) -> Word:
        """A beat of them."""
        if not given["in_valid"]:
            return {"out_valid": 0}
        if not given["encoded"]:
            return {"in_ready": given["out_ready"], "out_valid": 1, "out_data": given["in_data"]}
        bits = self._bits(given)
        if len(bits) < self.beat_bits:
            return {"in_ready": 1, "out_valid": 0}
        data = sum(bit << n for n, bit in enumerate(bits[: self.beat_bits]))
        return {"in_ready": given["out_ready"], "out_valid": 1, "out_data": data}

    def step(self, given: Mapping[str, int]) -> None:
        """A beat comes, and perhaps one leaves."""
        out = self.outputs(given)
        if given["encoded"] and given["in_valid"] and out["in_ready"]:
            self.bits = self._bits(given)[self.beat_bits if out["out_valid"] else 0 :]


class VectorLaneModel(Model):
    """A sum as int32; nothing is known of it before its first operand."""

    def __init__(self, multiplies: bool):
        self.multiplies = multiplies
        self.sum: int | None = None

    def outputs(self, given: Mapping[str, int]) -> Word:
        """As far as it has come."""
        return {} if self.sum is None else {"sum": self.sum % (1 << 32)}

    def step(self, given: Mapping[str, int]) -> None:
        """An operand comes."""
        if not given["enable"] or (self.sum is None and not given["first"]):
            return
        operand, weight = given["operand"], given["weight"]
        if not self.multiplies:
            weight %= 2
        before = None if given["first"] else self.sum
        if given["maximum"]:
            self.sum = operand if before is None else max(before, operand)
        elif given["product"]:
            self.sum = operand if before is None else before * operand
        else:
            self.sum = wrapped((before or 0) + operand * weight)


class TileFields(NamedTuple):
    """The fields of :data:`PIXELS`."""

    pixel: int
    pixels: int
    ends_pass: int
    ends_walk: int


def tile_of(given: Mapping[str, int]) -> TileFields:
    """The tile in a port."""
    tile = given["tile"]
    return TileFields(*(tile >> own.offset & (1 << own.width) - 1 for own in TILE_FIELDS))


class Turned(NamedTuple):
    """What was taken last: its row of the tile, its first channel, and how many words are kept."""

    row: int
    first: int
    kept: int


class TurnerModel(Model):
    """Rows are taken, then their channel words are given; of sums, one word of one row at a time.

    A tile may also be offered later than its results: they wait.
    """

    def __init__(self, rows: int, cols: int, steps: int):
        self.rows = rows
        self.steps = steps
        self.words = cols // steps
        self.held = [0] * rows
        self.first_of_pass = 0
        self.taken = 0
        """Words of the tile, those that are dropped included."""
        self.gives = False
        self.given = 0
        """Words of what is held."""
        self.waiting = 0
        """Words dropped while the last one of a walk is held, which leaves behind them."""
        self.is_held_back = False

    def _turned(self, given: Mapping[str, int]) -> Turned:
        """What is held."""
        tile = tile_of(given)
        row, part = (
            divmod(self.taken - 1 - self.waiting, BYTES_PER_SUM) if given["sums"] else (0, 0)
        )
        first = self.first_of_pass + part * self.words
        kept = max(0, min(self.words, given["out_words"] - first)) if row < tile.pixels else 0
        return Turned(row, first, kept)

    def _ends_tile(self, given: Mapping[str, int]) -> bool:
        return self.taken == self.rows * (BYTES_PER_SUM if given["sums"] else 1)

    def _is_last(self, given: Mapping[str, int]) -> bool:
        """The next word is the last one of its walk."""
        tile, own = tile_of(given), self._turned(given)
        is_last_row = not given["sums"] or own.row == tile.pixels - 1
        ends = own.first + self.given + 1 == given["out_words"]
        return bool(tile.ends_walk and is_last_row and ends)

    def _must_wait(self, given: Mapping[str, int]) -> bool:
        return self._is_last(given) and not self._ends_tile(given)

    def _drops(self, given: Mapping[str, int]) -> bool:
        return bool(given["tile_valid"]) and self.gives and not self._turned(given).kept

    def _offers(self, given: Mapping[str, int]) -> bool:
        is_there = given["tile_valid"] and self.gives and not self._drops(given)
        return bool(is_there and not self._must_wait(given))

    def _ends(self, given: Mapping[str, int]) -> bool:
        """Nothing of what is held is left."""
        leaves = self._offers(given) and given["out_ready"]
        is_over = bool(leaves) and self.given + 1 == self._turned(given).kept
        return self._drops(given) or is_over

    def _skips(self, given: Mapping[str, int]) -> bool:
        return self.is_held_back and not self._ends_tile(given)

    def outputs(self, given: Mapping[str, int]) -> Word:
        """A word; what comes is taken if nothing is left, or if it is dropped."""
        offers, ends = self._offers(given), self._ends(given)
        tile = tile_of(given)
        ready = ends and self._ends_tile(given)
        out = {
            "in_ready": int(not self.gives or ends or self._skips(given)),
            "out_valid": int(offers),
            "tile_ready": int(ready),
            "finished": int(ready and tile.ends_walk),
        }
        if not offers:
            return out
        own = self._turned(given)
        bits = 8 * self.steps
        lanes = [self.held[own.row]] if given["sums"] else self.held[: tile.pixels]
        words = (lane >> bits * self.given & (1 << bits) - 1 for lane in lanes)
        pixel = (tile.pixel + own.row) % (1 << PIXEL_BITS)
        place = pixel, len(lanes), own.first + self.given, int(self._is_last(given))
        data = sum(word << bits * lane for lane, word in enumerate(words))
        return out | {
            "out_data": LowBits(data, bits * len(lanes)),
            "out_place": sum(value << at for value, at in zip(place, PLACE_OFFSETS, strict=True)),
        }

    def step(self, given: Mapping[str, int]) -> None:
        """A word is given, one comes."""
        leaves = self._offers(given) and given["out_ready"]
        ends, skips = self._ends(given), self._skips(given)
        takes = given["in_valid"] and (not self.gives or ends)
        if given["tile_valid"] and self.gives and not ends and self._must_wait(given):
            self.is_held_back = True
        if skips and given["in_valid"]:
            self.taken += 1
            self.waiting += 1
        self.given += bool(leaves)
        if ends:
            self._end(given)
        if takes:
            of_row = BYTES_PER_SUM if given["sums"] else 1
            self.held[self.taken // of_row] = given["in_data"]
            self.taken += 1
            self.gives = bool(given["sums"] or self._ends_tile(given))

    def _end(self, given: Mapping[str, int]) -> None:
        """Room for what is next."""
        self.gives, self.given = False, 0
        if self._ends_tile(given):
            tile = tile_of(given)
            of_pixel = self.words * (BYTES_PER_SUM if given["sums"] else 1)
            self.first_of_pass += of_pixel * tile.ends_pass
            if tile.ends_walk:
                self.first_of_pass = 0
            self.taken, self.waiting, self.is_held_back = 0, 0, False
