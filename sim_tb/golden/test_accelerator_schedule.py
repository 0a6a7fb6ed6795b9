"""How the units of an accelerator wait for each other."""

from itertools import pairwise

from golden.accelerator.events import Process, Times, run_processes
from golden.accelerator.reads import ReadBus, ReadTimes
from golden.accelerator.schedule import Span, schedule
from golden.accelerator.shape import AcceleratorShape
from golden.descriptor import Descriptor, Opcode

SHAPE = AcceleratorShape(
    rows=4, cols=8, k_per_cycle=2, lines=64, beat_bytes=8, weight_depth=64, format=None
)
END = Descriptor(Opcode.END)
LOAD = Descriptor(Opcode.LOAD, {"lines": 24})
"""48 beats: three bursts."""


def store(**waits: int) -> Descriptor:
    return Descriptor(Opcode.STORE, {"lines": 24, **waits})


def largest(width: int, **waits: int) -> Descriptor:
    """The largest of so many neighbours of each of 32 pixels, one channel word."""
    ones = ("in_words", "in_height", "kernel_height", "stride_y", "stride_x", "dilation_y")
    more = ("dilation_x", "out_words", "in_pitch", "out_pitch")
    sizes = {"kernel_width": width, "in_width": 31 + width, "out_width": 32, "pixels": 32}
    counts = {"tiles_m": 8, "beats": 3}
    return Descriptor(Opcode.MAX, dict.fromkeys((*ones, *more), 1) | sizes | counts | waits)


def test_processes_go_on_in_the_order_of_time() -> None:
    seen: list[tuple[str, int]] = []
    times = Times()

    def sleeper(name: str, cycles: tuple[int, ...]) -> Process[None]:
        for cycle in cycles:
            yield cycle
            seen.append((name, cycle))
        times.append(cycles[-1])

    def follower() -> Process[None]:
        assert (yield from times.when(-1)) == 0
        seen.append(("follower", (yield from times.when(0))))
        seen.append(("never", (yield from times.when(2))))

    run_processes([follower(), sleeper("first", (5, 7)), sleeper("second", (3, 5, 9))])
    assert seen == [
        *(("second", 3), ("first", 5), ("second", 5), ("first", 7)),
        *(("follower", 7), ("second", 9)),
    ]


def test_a_burst_waits_for_room_and_for_the_bus() -> None:
    bus = ReadBus(latency=10)
    reads, others = (ReadTimes(bus, beat_bytes=8, depth=32) for _ in range(2))

    def take() -> Process[None]:
        at = 100
        for _ in range(44):
            at = yield from reads.take(at)

    reads.request(0, 4 * 8, 44)  # up to the next multiple of 16: bursts of 12, 16, 16
    others.request(0, 0, 16)
    run_processes([reads.process(), others.process(), take()])
    # They go in cycles 1 and 2; the third one when 12 beats have left the queue.
    assert reads.offered[:28] == [*range(1 + 11 + 2, 1 + 11 + 2 + 28)]
    assert reads.taken[11] == 112
    assert reads.accepted == [113]
    assert reads.offered[28:] == [*range(113 + 11 + 2, 113 + 11 + 2 + 16)]
    # The other destination asked in between.
    assert others.accepted == [3]
    assert others.offered[0] == reads.offered[27] + 1


def test_a_load_and_what_it_waits_for() -> None:
    spans = schedule(SHAPE, [LOAD, store(wait_loads=1), END], latency=0)
    # A descriptor takes 21 cycles with its 8 beats; its beats come from the fourth one on.
    assert spans[0].start == 1 + 21 + 2
    assert spans[1].start == spans[0].end + 1
    # A store gathers 16 beats, sends bursts of 16 a cycle apart, and is answered.
    assert spans[1].end == spans[1].start + 4 + 16 + 1 + 3 * 17
    assert spans[2] == Span(spans[1].end + 1, spans[1].end + 1)
    late = schedule(SHAPE, [LOAD, store(wait_loads=1), END], latency=50)
    assert late[0].end - late[0].start > spans[0].end - spans[0].start + 48
    assert late[1].end - late[1].start == spans[1].end - spans[1].start + 49


def test_stored_lines_hold_up_patches() -> None:
    alone, beside = (
        schedule(SHAPE, [LOAD, *more, END], latency=0)
        for more in (
            [largest(16, wait_loads=1)],
            [store(wait_loads=1), largest(16, wait_loads=1)],
        )
    )
    took = alone[1].end - alone[1].start
    # A cycle for each slice, those to the first one, and from the last one.
    assert took == 8 * 16 + 4 + 1 + 4 + 7
    assert took < beside[2].end - beside[2].start <= took + 24


def test_one_computes_after_the_other() -> None:
    program = [LOAD, *[largest(1, wait_loads=1)] * 5, END]
    spans = schedule(SHAPE, program)
    for before, after in pairwise(spans[1:-1]):
        assert after.start >= before.end + 2
    assert spans[-1].end == spans[-2].end + 1
