"""Scratchpads, and what moves data between them and memory, as plain models."""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from hdl.bus.axi4 import PAGE_BYTES, Axi4Bus
from hdl.memory.line_encoding import LineEncoding
from hdl.memory.scratchpad_shape import ScratchpadShape
from sim_tb.oracle.cycles import Model, Word
from sim_tb.oracle.streams import DownsizerModel, QueueModel, RegisterModel

PORT = "m_axi_memory"
LENGTH_BITS = 8
COMMANDS_AHEAD = 3


class Burst(NamedTuple):
    """Where it begins, its beats, and whether it ends its request."""

    address: int
    beats: int
    last: int

    def packed(self, bus: Axi4Bus) -> int:
        """As it is in a port."""
        bits = bus.address_bits
        return self.address | self.beats - 1 << bits | self.last << bits + LENGTH_BITS


class Request(NamedTuple):
    """Where the first of its beats is, and how many they are."""

    address: int
    beats: int

    def packed(self, address_bits: int) -> int:
        """As it is in a port."""
        return self.address | self.beats << address_bits

    @classmethod
    def unpacked(cls, word: int, address_bits: int) -> "Request":
        """From a port."""
        return cls(word & (1 << address_bits) - 1, word >> address_bits)


def bursts_of(bus: Axi4Bus, request: Request) -> list[Burst]:
    """Beat by beat: one begins a burst if it is the first, or if one of the longest might."""
    longest = bus.max_burst * bus.beat_bytes
    assert PAGE_BYTES % longest == 0
    start = request.address - request.address % bus.beat_bytes
    places = [start + number * bus.beat_bytes for number in range(request.beats)]
    heads = [n for n, place in enumerate(places) if n == 0 or place % longest == 0]
    ends = [*heads[1:], len(places)]
    return [
        Burst(places[head] % (1 << bus.address_bits), end - head, int(end == len(places)))
        for head, end in zip(heads, ends, strict=True)
    ]


class BurstSplitterModel(Model):
    """The bursts of a request; the next one comes in when the last one leaves."""

    def __init__(self, bus: Axi4Bus):
        self.bus = bus
        self.bursts: deque[Burst] = deque()

    @property
    def is_empty(self) -> bool:  # type: ignore[override]  # it was True
        """All have left."""
        return not self.bursts

    def takes(self, leaves: bool) -> bool:
        """Whether a request is taken, where the first burst leaves or not."""
        return len(self.bursts) < 1 + leaves

    def outputs(self, given: Mapping[str, int]) -> Word:
        """The first one is offered."""
        out = {"burst_valid": int(bool(self.bursts))}
        out["request_ready"] = int(self.takes(bool(given["burst_ready"])))
        return out | ({"burst": self.bursts[0].packed(self.bus)} if self.bursts else {})

    def step(self, given: Mapping[str, int]) -> None:
        """One leaves, a request comes."""
        takes = given["request_valid"] and self.takes(bool(given["burst_ready"]))
        if self.bursts and given["burst_ready"]:
            self.bursts.popleft()
        if takes:
            self.bursts += bursts_of(
                self.bus, Request.unpacked(given["request"], self.bus.address_bits)
            )


class ReadQueueModel(Model):
    """Bursts, while all that was asked for and not yet given is no more than there is room for."""

    def __init__(self, bus: Axi4Bus, depth: int):
        self.splitter = BurstSplitterModel(bus)
        self.queue = QueueModel(depth)
        self.depth = depth
        self.asked = 0

    @property
    def is_empty(self) -> bool:  # type: ignore[override]  # it was True
        """All that was asked for was given."""
        return self.splitter.is_empty and self.asked == 0

    @property
    def burst(self) -> Burst | None:
        """The one that is offered."""
        bursts = self.splitter.bursts
        return bursts[0] if bursts and self.asked + bursts[0].beats <= self.depth else None

    def outputs(self, given: Mapping[str, int]) -> Word:
        """A burst, a beat."""
        burst, leaves = self.burst, bool(self.burst and given["burst_ready"])
        out = {"burst_valid": int(burst is not None)}
        out["request_ready"] = int(self.splitter.takes(leaves))
        if burst:
            out["burst"] = burst.packed(self.splitter.bus)
        beat = self.queue.outputs({})
        del beat["in_ready"]
        return out | beat

    def step(self, given: Mapping[str, int]) -> None:
        """A beat comes, and always finds room."""
        leaves = self.burst if given["burst_ready"] else None
        self.asked += leaves.beats if leaves else 0
        self.asked -= self.queue.offered is not None and given["out_ready"]
        self.splitter.step({**given, "burst_ready": int(leaves is not None)})
        assert not given["beat_valid"] or self.queue.outputs({})["in_ready"]
        beat = {"in_valid": given["beat_valid"], "in_data": given["beat_data"]}
        self.queue.step({**beat, "out_ready": given["out_ready"]})


class AxiReaderModel(Model):
    """Of the queues that have a burst to go the first one lets it go; beats find their way back."""

    def __init__(self, bus: Axi4Bus, destinations: Mapping[str, int], outstanding: int):
        self.bus = bus
        self.queues = {name: ReadQueueModel(bus, depth) for name, depth in destinations.items()}
        self.order = QueueModel(outstanding)
        self.address: Burst | None = None

    @property
    def is_empty(self) -> bool:  # type: ignore[override]  # it was True
        """All is over."""
        return all(queue.is_empty for queue in self.queues.values())

    def goes(self, given: Mapping[str, int]) -> str | None:
        """The destination whose burst goes."""
        waits = self.address is not None and not given[f"{PORT}_arready"]
        if given["stop"] or waits or not self.order.outputs({})["in_ready"]:
            return None
        return next((name for name, queue in self.queues.items() if queue.burst), None)

    def of_queue(self, name: str, given: Mapping[str, int]) -> Word:
        """What a queue is given."""
        comes = given[f"{PORT}_rvalid"] and self.order.offered == list(self.queues).index(name)
        return {
            "request_valid": given[f"{name}_request_valid"],
            "request": given[f"{name}_request"],
            "burst_ready": int(self.goes(given) == name),
            "beat_valid": int(bool(comes)),
            "beat_data": given[f"{PORT}_rdata"],
            "out_ready": given[f"{name}_ready"],
        }

    def outputs(self, given: Mapping[str, int]) -> Word:
        """Of all queues, and of the bus."""
        out = {f"{PORT}_arvalid": int(self.address is not None)}
        out |= {f"{PORT}_{name}": value for name, value in constants(self.bus, "ar").items()}
        if self.address:
            out |= {
                f"{PORT}_araddr": self.address.address,
                f"{PORT}_arlen": self.address.beats - 1,
            }
        ready = self.order.offered is not None
        comes = ready and given[f"{PORT}_rvalid"]
        out[f"{PORT}_rready"] = int(ready)
        out["error"] = int(bool(comes and given[f"{PORT}_rresp"] >= 2))
        out["busy"] = int(self.address is not None or ready)
        for name, queue in self.queues.items():
            own = queue.outputs(self.of_queue(name, given))
            for outer, inner in (
                ("request_ready", "request_ready"),
                ("valid", "out_valid"),
                ("data", "out_data"),
            ):
                if inner in own:
                    out[f"{name}_{outer}"] = own[inner]
        return out

    def step(self, given: Mapping[str, int]) -> None:
        """A burst goes, a beat comes."""
        goes = self.goes(given)
        burst = None if goes is None else self.queues[goes].burst
        of_queues = {name: self.of_queue(name, given) for name in self.queues}
        if burst or given[f"{PORT}_arready"]:
            self.address = burst
        for name, queue in self.queues.items():
            queue.step(of_queues[name])
        self.order.step(
            {
                "in_valid": int(goes is not None),
                "in_data": 0 if goes is None else list(self.queues).index(goes),
                "out_ready": given[f"{PORT}_rvalid"] and given[f"{PORT}_rlast"],
            }
        )


def constants(bus: Axi4Bus, channel: str) -> Word:
    """What an address channel always says: incrementing, of whole beats, of memory."""
    size = {4: 2, 8: 3, 16: 4, 32: 5}[bus.beat_bytes]
    values = {"id": 0, "size": size, "burst": 1, "cache": 3, "prot": 0}
    return {f"{channel}{name}": value for name, value in values.items()}


class AxiWriterModel(Model):
    """A burst goes when its beats are there, and the one before has left."""

    def __init__(self, bus: Axi4Bus, depth: int, outstanding: int):
        self.bus = bus
        self.splitter = BurstSplitterModel(bus)
        self.queue = QueueModel(depth)
        self.order = QueueModel(outstanding)
        self.held = 0
        self.address: Burst | None = None
        self.left = 0
        """Beats of the burst that goes."""

    @property
    def is_empty(self) -> bool:  # type: ignore[override]  # it was True
        """All is over, but for beats that belong to no request yet."""
        return self.splitter.is_empty and not self._is_busy

    @property
    def _is_busy(self) -> bool:
        return self.address is not None or self.order.offered is not None

    def goes(self, given: Mapping[str, int]) -> Burst | None:
        """The burst that goes."""
        bursts = self.splitter.bursts
        waits = self.address is not None and not given[f"{PORT}_awready"]
        goes_on = self.left > 1 or (self.left == 1 and not given[f"{PORT}_wready"])
        if not bursts or bursts[0].beats > self.held or waits or goes_on or given["stop"]:
            return None
        return bursts[0] if self.order.outputs({})["in_ready"] else None

    def outputs(self, given: Mapping[str, int]) -> Word:
        """Address, beats and response."""
        out = {
            "request_ready": int(self.splitter.takes(self.goes(given) is not None)),
            "in_ready": self.queue.outputs({})["in_ready"],
            f"{PORT}_awvalid": int(self.address is not None),
            f"{PORT}_wvalid": int(self.left > 0),
            f"{PORT}_wstrb": (1 << self.bus.beat_bytes) - 1,
            f"{PORT}_bready": int(self.order.offered is not None),
            "busy": int(self._is_busy),
        }
        out |= {f"{PORT}_{name}": value for name, value in constants(self.bus, "aw").items()}
        if self.address:
            out |= {
                f"{PORT}_awaddr": self.address.address,
                f"{PORT}_awlen": self.address.beats - 1,
            }
        if self.left:
            assert self.queue.offered is not None
            out |= {f"{PORT}_wdata": self.queue.offered, f"{PORT}_wlast": int(self.left == 1)}
        answered = self.order.offered is not None and given[f"{PORT}_bvalid"]
        out["done"] = int(bool(answered and self.order.offered))
        out["error"] = int(bool(answered and given[f"{PORT}_bresp"] >= 2))
        return out

    def step(self, given: Mapping[str, int]) -> None:
        """A burst goes, a beat leaves, a response comes."""
        goes = self.goes(given)
        beat = self.left and given[f"{PORT}_wready"]
        self.held += given["in_valid"] and self.queue.outputs({})["in_ready"]
        self.queue.step({**given, "out_ready": int(bool(beat))})
        self.splitter.step({**given, "burst_ready": int(goes is not None)})
        self.order.step(
            {
                "in_valid": int(goes is not None),
                "in_data": goes.last if goes else 0,
                "out_ready": given[f"{PORT}_bvalid"],
            }
        )
        if given[f"{PORT}_awready"]:
            self.address = None
        self.left -= bool(beat)
        if goes:
            self.address, self.left = goes, goes.beats
            self.held -= goes.beats


class ScratchpadBankModel(Model):
    """Words by address, of which parts are written; nothing is known of those that were not."""

    def __init__(self, width: int, depth: int, parts: int):
        self.bits = width // parts
        self.words: list[list[int | None]] = [[None] * parts for _ in range(depth)]
        self.read: list[int | None] = [None]

    def outputs(self, given: Mapping[str, int]) -> Word:
        """The word that was read last, where all of it is known."""
        known = [part for part in self.read if part is not None]
        if len(known) < len(self.read):
            return {}
        return {"read_data": sum(part << self.bits * n for n, part in enumerate(known))}

    def step(self, given: Mapping[str, int]) -> None:
        """Read, then write."""
        if given["read"]:
            self.read = list(self.words[given["read_address"]])
        own = self.words[given["write_address"]]
        for number in range(len(own)):
            if given["write"] >> number & 1:
                own[number] = given["write_data"] >> self.bits * number & (1 << self.bits) - 1


class ScratchpadModel(Model):
    """Bytes by line and bank; nothing is known of those that were not written."""

    def __init__(self, shape: ScratchpadShape):
        self.shape = shape
        self.bytes: dict[int, list[int | None]] = {
            line: [None] * (shape.line_bits // 8) for line in range(shape.lines)
        }
        self.read: list[int | None] | None = None

    @property
    def unknown(self) -> list[tuple[int, int]]:
        """Lines and beats of which something was not written."""
        size = self.shape.beat_bits // 8
        return [
            (line, beat)
            for line, own in self.bytes.items()
            for beat in range(self.shape.beats_per_line)
            if None in own[beat * size :][:size]
        ]

    def outputs(self, given: Mapping[str, int]) -> Word:
        """What was read, where all of it is known."""
        out = {
            "patches_ready": int(not given["stores_valid"]),
            "stores_ready": 1,
            "results_ready": 1,
            "loads_ready": int(not given["results_valid"]),
        }
        known = [byte for byte in self.read or [None] if byte is not None]
        if self.read and len(known) == len(self.read):
            out["read_data"] = int.from_bytes(bytes(known), "little")
        return out

    def step(self, given: Mapping[str, int]) -> None:
        """Read, then write."""
        shape = self.shape
        size = shape.word_bytes
        self.read = None
        if given["stores_valid"]:
            self.read = list(self.bytes[given["stores_line"]])
        elif given["patches_valid"]:
            high = given["patches_remainder"] * size
            self.read = [
                *self.bytes[given["patches_high"]][:high],
                *self.bytes[given["patches_low"]][high:],
            ]
        if given["results_valid"]:
            data = given["results_data"].to_bytes(shape.rows * size, "little")
            for pixel in range(given["results_count"]):
                bank = given["results_bank"] + pixel
                line = given["results_low"] if bank < shape.banks else given["results_high"]
                at = bank % shape.banks * size
                self.bytes[line][at : at + size] = data[pixel * size :][:size]
        elif given["loads_valid"]:
            beat = shape.beat_bits // 8
            at = given["loads_beat"] * beat
            data = given["loads_data"].to_bytes(beat, "little")
            self.bytes[given["loads_line"]][at : at + beat] = data


class LineCommand(NamedTuple):
    """Where the first of its lines is in memory, and in the scratchpad; how many they are, and
    whether they are stored pairs.
    """

    address: int
    line: int
    lines: int
    encoded: int = 0

    def packed(self, shape: ScratchpadShape, address_bits: int) -> int:
        """As it is in a port."""
        line_bits = shape.lines.bit_length() - 1
        lines = self.lines | self.encoded << line_bits + 1
        return self.address | self.line << address_bits | lines << address_bits + line_bits

    @classmethod
    def unpacked(cls, word: int, shape: ScratchpadShape, address_bits: int) -> "LineCommand":
        """From a port."""
        address, word = word & (1 << address_bits) - 1, word >> address_bits
        lines = word // shape.lines
        return cls(
            address, word % shape.lines, lines % (2 * shape.lines), lines // 2 // shape.lines
        )


class LineWalkModel(Model):
    """The lines of some commands; the first of one is offered a cycle after it could be."""

    def __init__(
        self, shape: ScratchpadShape, address_bits: int, encoding: LineEncoding | None = None
    ):
        self.shape = shape
        self.address_bits = address_bits
        self.encoding = encoding
        self.commands = QueueModel(COMMANDS_AHEAD)
        self.number = 0

    @property
    def is_empty(self) -> bool:  # type: ignore[override]  # it was True
        """All lines are done."""
        return self.commands.is_empty

    def _command(self, word: int) -> LineCommand:
        return LineCommand.unpacked(word, self.shape, self.address_bits)

    @property
    def encoded(self) -> int:
        """Whether the line that is offered is stored pairs in memory."""
        assert self.commands.offered is not None
        return self._command(self.commands.offered).encoded

    @property
    def line(self) -> tuple[int, int] | None:
        """The line that is offered, and whether it is the last one of its command."""
        if self.commands.offered is None:
            return None
        command = self._command(self.commands.offered)
        line = (command.line + self.number) % self.shape.lines
        return line, int(self.number == command.lines - 1)

    def outputs(self, given: Mapping[str, int]) -> Word:
        """A request beside its command, and the line."""
        room = self.commands.outputs({})["in_ready"]
        out = {"command_ready": int(room and given["request_ready"])}
        out["request_valid"] = int(room and given["command_valid"])
        if out["request_valid"]:
            command = self._command(given["command"])
            bits = command.lines * self.shape.line_bits
            if self.encoding and command.encoded:
                bits = bits // 16 * self.encoding.pair_bits
            request = Request(command.address, bits // self.shape.beat_bits)
            out["request"] = request.packed(self.address_bits)
        out["line_valid"] = int(self.line is not None)
        if self.encoding and self.commands.offered is not None:
            out["line_encoded"] = self.encoded
        return out | (dict(zip(("line", "line_last"), self.line, strict=True)) if self.line else {})

    def step(self, given: Mapping[str, int]) -> None:
        """A line is done, a command comes."""
        line = self.line if given["line_ready"] else None
        comes = given["command_valid"] and given["request_ready"]
        self.number = 0 if line and line[1] else self.number + (line is not None)
        self.commands.step(
            {
                "in_valid": comes,
                "in_data": given["command"],
                "out_ready": int(bool(line and line[1])),
            }
        )


def mover_outputs(walk: LineWalkModel, given: Mapping[str, int]) -> Word:
    """Of what takes commands: all but the lines."""
    outputs = walk.outputs(given)
    return {name: value for name, value in outputs.items() if not name.startswith("line")}


class LineLoaderModel(Model):
    """Beats that pass through, each with its place."""

    def __init__(
        self, shape: ScratchpadShape, address_bits: int, encoding: LineEncoding | None = None
    ):
        self.shape = shape
        self.walk = LineWalkModel(shape, address_bits, encoding)
        self.beat = 0

    @property
    def is_empty(self) -> bool:  # type: ignore[override]  # it was True
        """All lines are written."""
        return self.walk.is_empty

    def _goes(self, given: Mapping[str, int]) -> bool:
        return bool(self.walk.line and given["in_valid"] and given["loads_ready"])

    def _ends(self, given: Mapping[str, int]) -> bool:
        return self._goes(given) and self.beat == self.shape.beats_per_line - 1

    def outputs(self, given: Mapping[str, int]) -> Word:
        """A beat, if a command is there."""
        line = self.walk.line
        out = mover_outputs(self.walk, given)
        out["loads_valid"] = int(line is not None and given["in_valid"])
        out["in_ready"] = int(line is not None and given["loads_ready"])
        out["done"] = int(bool(line and line[1] and self._ends(given)))
        if line and self.walk.encoding:
            out["encoded"] = self.walk.encoded
        if line and given["in_valid"]:
            out |= {"loads_line": line[0], "loads_beat": self.beat, "loads_data": given["in_data"]}
        return out

    def step(self, given: Mapping[str, int]) -> None:
        """A beat goes."""
        goes, ends = self._goes(given), self._ends(given)
        self.walk.step({**given, "line_ready": int(ends)})
        self.beat = (self.beat + goes) % self.shape.beats_per_line


class LineStorerModel(Model):
    """Lines are read when there is room for them, and leave beat by beat."""

    def __init__(
        self, shape: ScratchpadShape, address_bits: int, encoding: LineEncoding | None = None
    ):
        self.shape = shape
        self.walk = LineWalkModel(shape, address_bits, encoding)
        self.lines = RegisterModel()
        self.beats = DownsizerModel(shape.beat_bits, shape.beats_per_line)
        self.was_read = False
        self.kinds: deque[int] = deque()
        """Of lines that were read, and have not left, whether they are stored pairs in memory."""

    @property
    def is_empty(self) -> bool:  # type: ignore[override]  # it was True
        """All beats have left."""
        return self.walk.is_empty and self.lines.is_empty and not self.was_read

    def _of_beats(self, given: Mapping[str, int]) -> Word:
        line = self.lines.words[0] if self.lines.words else 0
        valid = int(bool(self.lines.words))
        return {"in_valid": valid, "in_data": line, "in_last": 0, "out_ready": given["out_ready"]}

    def _leaves(self, given: Mapping[str, int]) -> bool:
        own = self._of_beats(given)
        return bool(own["in_valid"] and self.beats.outputs(own)["in_ready"])

    def _reads(self, given: Mapping[str, int]) -> bool:
        held = len(self.lines.words) + self.was_read - self._leaves(given)
        return self.walk.line is not None and held < 2

    def outputs(self, given: Mapping[str, int]) -> Word:
        """A line to be read, a beat."""
        out = mover_outputs(self.walk, given) | {"stores_valid": int(self._reads(given))}
        if self.walk.line and self._reads(given):
            out["stores_line"] = self.walk.line[0]
        beat = self.beats.outputs(self._of_beats(given))
        out["out_valid"] = beat["out_valid"]
        if beat["out_valid"] and self.walk.encoding:
            out["encoded"] = self.kinds[0]
        return out | ({"out_data": beat["out_data"]} if beat["out_valid"] else {})

    def step(self, given: Mapping[str, int]) -> None:
        """A line is read, the one read before comes, a beat leaves."""
        goes = self._reads(given) and given["stores_ready"]
        own = self._of_beats(given)
        leaves = self._leaves(given)
        came = {"in_valid": int(self.was_read), "in_data": given["read_data"]}
        if leaves:
            self.kinds.popleft()
        if goes:
            self.kinds.append(self.walk.encoded)
        self.beats.step(own)
        self.lines.step({**came, "out_ready": int(leaves)})
        self.was_read = bool(goes)
        self.walk.step({**given, "line_ready": int(bool(goes))})
