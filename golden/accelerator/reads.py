"""What an accelerator reads from memory, burst by burst, as ``hdl/memory/axi_reader.py`` does."""

from golden.accelerator.events import Process, Times

BURST = 16
"""Beats of the longest burst, which ends at a multiple of so many."""
THROUGH_QUEUE = 2
"""Cycles from a word's being taken by an empty queue to its being offered."""


def burst_length(first: int, left: int) -> int:
    """Beats of a burst from beat ``first`` of memory on, if so many are left."""
    return min(left, BURST - first % BURST)


class ReadBus:
    """A memory whose beats come in the order of the bursts, one in a cycle, the first one of a
    burst ``latency`` cycles after that was asked for.
    """

    def __init__(self, latency: int):
        self._latency = max(1, latency)
        self._next = 0
        self._free = 0

    def burst(self, at: int, beats: int) -> Process[tuple[int, int]]:
        """A burst may go from ``at`` on: when it does, and when its first beat comes."""
        yield at
        while at < self._next:
            at = self._next
            yield at
        self._next = at + 1
        first = max(at + 1 + self._latency, self._free)
        self._free = first + beats
        return at, first


class ReadTimes:
    """What one destination reads, through a queue of ``depth`` beats.

    Attributes
    ----------
    accepted : Times
        When the last burst of each request went: the next request can come.
    offered : Times
        Of each beat, to the destination.
    taken : Times
        Of each beat; the destination says this.
    """

    def __init__(self, bus: ReadBus, beat_bytes: int, depth: int):
        self._bus = bus
        self._beat_bytes = beat_bytes
        self._depth = depth
        self._requests: list[tuple[int, int]] = []
        self._requested = Times()
        self.accepted, self.offered, self.taken = Times(), Times(), Times()

    def request(self, at: int, address: int, beats: int) -> None:
        """Ask for beats, when the request before was accepted."""
        self._requests.append((address // self._beat_bytes, beats))
        self._requested.append(at)

    def take(self, after: int) -> Process[int]:
        """Take the next beat when it is offered, and after a cycle; when that is."""
        at = max(after + 1, (yield from self.offered.when(len(self.taken))))
        self.taken.append(at)
        return at

    def process(self) -> Process[None]:
        """Bursts go as far as there is room for their beats."""
        promised = 0
        while True:
            number = len(self.accepted)
            at = (yield from self._requested.when(number)) + 1
            first, left = self._requests[number]
            while True:
                length = burst_length(first, left)
                promised += length
                room = yield from self.taken.when(promised - self._depth - 1)
                went, comes = yield from self._bus.burst(max(at, room + 1), length)
                comes += THROUGH_QUEUE
                self.offered.extend(range(comes, comes + length))
                first, left, at = first + length, left - length, went + 1
                if not left:
                    break
            self.accepted.append(went)
