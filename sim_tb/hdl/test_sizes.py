# amaranth: UnusedElaboratable=no
# Machines are taken without what they multiply with, which nothing then elaborates.
"""What depends on a size, at every size that may matter: control by itself, without elements."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from amaranth.hdl import Elaboratable, Fragment, Module, Signal
from amaranth.lib import wiring
from amaranth.sim import Simulator

from golden import named_format
from hdl import Mac, SystolicArray, TensorCore
from hdl.broadcast.dot_product import dot_product
from hdl.element.processing_elements import element_multiplier
from hdl.tile.group_buffer import GroupBuffer
from hdl.tile.result_control import ResultControl
from hdl.tile.row_counter import RowCounter
from hdl.tile.tile_control import TileControl
from hdl.tile.tile_handshake import TileHandshake
from hdl.tile.tile_machine import TileMachine
from hdl.tile.tile_sequencer import TileSequencer
from sim_tb.hdl.pysim import SEED, Bench, Word, clock

SMALL = (1, 2, 3, 5, 8)
LARGE = (13, 16, 17, 64, 255, 256)
"""Around the sizes at which counters and halves change; up to the largest."""


def cases(*delays: int) -> list[tuple[int, float, int]]:
    """Rows, how often no slice is offered, and the delay: all for small ones."""
    small = [(rows, bubbles, delay) for rows in SMALL for bubbles in (0, 0.25) for delay in delays]
    return small + [(rows, 0.25 * (rows % 2), delays[-1]) for rows in LARGE]


def lengths(rows: int, rng: random.Random) -> list[int]:
    """Slices of tiles: short ones, those around ``rows``, long ones, and random ones."""
    around = [max(1, rows + delta) for delta in (-1, 0, 1)]
    counts = [1, 1, *around, 1, *around[::-1], 2 * rows, 1, 1]
    return counts + [rng.randint(1, rows + 3) for _ in range(30 if rows < 13 else 4)]


@dataclass
class Handshake:
    """A stream of slices through a component, and the cycles in which tiles' lasts are sent.

    ``fill`` are the slices to which a group is filled up; ``rows`` the cycles of a drain.
    """

    rows: int
    fill: int = 1
    valid: list[bool] = field(default_factory=list)
    held_off: list[bool] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    not_ready: list[int] = field(default_factory=list)

    def play(
        self,
        component: wiring.Component,
        tiles: Sequence[int],
        bubbles: float,
        idle: int,
        rng: random.Random,
        longest_hold: int = 0,
        platform: Any = None,
    ) -> None:
        """Offer the slices of ``tiles``; ``in_last`` is anything in a bubble.

        After a tile, slices are held off by up to ``longest_hold`` cycles.
        """
        bench = Bench(component)
        slices = [k == tile - 1 for tile in tiles for k in range(tile)]

        async def testbench(ctx: Any) -> None:
            position, after, to_hold = 0, 0, 0
            while after < idle:
                offered = position < len(slices) and rng.random() >= bubbles
                after += position == len(slices)
                is_last = slices[position] if offered else rng.random() < 0.5
                self.held_off.append(to_hold > 0)
                to_hold = max(0, to_hold - 1)
                values: Word = {"in_valid": offered, "in_last": is_last}
                values["hold"] = self.held_off[-1]
                ctx.set(bench.stimulus, bench.pack(values))
                word = bench.unpack(ctx.get(bench.response))
                self.valid.append(offered)
                self.words.append(word)
                if offered and word["in_ready"]:
                    position += 1
                    to_hold = rng.randint(0, longest_hold) if is_last else 0
                await ctx.tick()

        simulator = Simulator(Fragment.get(bench.module, platform))
        simulator.add_clock(1e-6)
        simulator.add_testbench(testbench)
        simulator.run()
        self._check_ready(slices)

    def _check_ready(self, slices: Sequence[bool]) -> None:
        """The model: when slices are taken, and lasts sent."""
        position = in_tile = 0
        for cycle, (valid, word) in enumerate(zip(self.valid, self.words, strict=True)):
            ready = cycle not in self.not_ready and not self.held_off[cycle]
            assert word["in_ready"] == ready, f"in_ready in cycle {cycle}"
            assert word.get("taken", valid and ready) == (valid and ready), f"cycle {cycle}"
            if not (valid and ready):
                continue
            in_tile += 1
            if slices[position]:
                at = max(cycle, self.sent[-1] + self.rows) if self.sent else cycle
                self.sent.append(at)
                filled = max(at, cycle + -in_tile % self.fill)
                self.not_ready = list(range(cycle + 1, filled + 1))
                in_tile = 0
            position += 1
        assert position == len(slices)

    def events(self, offset: int) -> Iterator[tuple[int, int]]:
        """Of each cycle the number of the last tile sent ``offset`` cycles ago, and since when."""
        tile = -1
        for cycle in range(len(self.words)):
            while tile + 1 < len(self.sent) and self.sent[tile + 1] + offset <= cycle:
                tile += 1
            yield tile, cycle - offset - self.sent[tile] if tile >= 0 else -1


@pytest.mark.parametrize(("rows", "bubbles", "delay"), cases(0, 2, 8))
def test_tile_sequencer(rows: int, bubbles: float, delay: int, checks: Any) -> None:
    """Each row's last follows that of the row above; drains start at the bottom's."""
    rng = random.Random(SEED)
    stream = Handshake(rows)
    stream.play(
        TileSequencer(rows, delay), lengths(rows, rng), bubbles, 3 * rows + delay + 2, rng, delay
    )
    all_rows = (1 << rows) - 1
    for cycle, word in enumerate(stream.words):
        # One more last comes before all others, as if sent in the cycle before the first.
        ages = [cycle - 1 - delay - sent for sent in (-1, *stream.sent)]
        last = sum(1 << age for age in ages if 0 <= age <= rows)
        drains = [age - rows for age in ages[1:] if rows <= age < 2 * rows]
        drain = sum(all_rows >> age << age for age in drains)
        assert (word["last"], word["drain"]) == (last, drain), f"cycle {cycle}"
    checks(len(stream.words) * (2 + 2 * rows))


@pytest.mark.parametrize(("rows", "bubbles", "delay"), cases(1, 2, 9))
def test_tile_control(rows: int, bubbles: float, delay: int, checks: Any) -> None:
    """The last, the drain after it, and a row of results two cycles after it and each drain."""
    rng = random.Random(SEED)
    stream = Handshake(rows)
    stream.play(TileControl(rows, delay), lengths(rows, rng), bubbles, rows + delay + 4, rng, delay)
    for cycle, (_, age) in enumerate(stream.events(delay)):
        expected = {"last": int(age == 0 or cycle < delay), "drain": int(1 <= age < rows)}
        got = {name: stream.words[cycle][name] for name in expected}
        assert got == expected, f"cycle {cycle}"
    for cycle, (_, row) in enumerate(stream.events(delay + 2)):
        expected = {"out_valid": int(0 <= row < rows), "out_last": int(row == rows - 1)}
        got = {name: stream.words[cycle][name] for name in expected}
        assert got == expected, f"cycle {cycle}"
    checks(5 * len(stream.words))


@pytest.mark.parametrize("rows", [*SMALL, *LARGE])
def test_row_counter(rows: int, checks: Any) -> None:
    """Back to back, with one cycle between, and far apart."""
    gaps = [rows, rows, rows + 1, 2 * rows, rows, rows + 1, 2 * rows + 3]
    starts = [2 + sum(gaps[:index]) for index in range(len(gaps))]
    inputs = [{"start": int(cycle in starts)} for cycle in range(starts[-1] + 2 * rows)]
    for cycle, word in enumerate(clock(RowCounter(rows), inputs)):
        row = min((cycle - start for start in starts if cycle >= start), default=rows)
        assert word == {"valid": int(row < rows), "last": int(row == rows - 1)}, f"cycle {cycle}"
    checks(2 * len(inputs))


class ControlAlone:
    """A platform under which a machine has its control, and nothing that multiplies.

    Of the grid there is what passes ``last`` on to the right, one cycle per column.
    """

    CONTROL = (TileSequencer, TileControl, RowCounter, ResultControl, GroupBuffer)

    def instance_of(self, component: Any, name: str, reset: Any = None) -> Any:
        if isinstance(component, self.CONTROL):
            return component
        for part in (component, *vars(component).values()):
            if isinstance(part, Elaboratable):
                part._MustUse__used = True
        m = Module()
        if name == "grid" and hasattr(component, "last_out"):
            last = component.last_in
            for column in range(component.cols):
                last, earlier = Signal.like(last, name=f"last_{column}"), last
                m.d.sync += last.eq(earlier)
            m.d.comb += component.last_out.eq(last)
        return m


def array_of(rows: int, cols: int, pipeline: int, group: int) -> tuple[TileMachine, int, int]:
    """A machine, its latency as documented, and the slices of a group."""
    fmt = named_format("5opt", vsparq=False, group=group)
    mac = Mac(element_multiplier("sparq", fmt), pipeline=pipeline)
    wait = group // 2 if group > 2 else 0
    return SystolicArray(rows, cols, mac), rows + cols + 2 + pipeline + wait, max(1, wait)


def core_of(rows: int, cols: int, pipeline: int, group: int) -> tuple[TileMachine, int, int]:
    fmt = named_format("5opt", vsparq=False, group=group)
    mac = Mac(dot_product("sparq", 1, fmt), pipeline=pipeline)
    wait = group // 2 if group > 2 else 0
    return TensorCore(rows, cols, mac), 4 + pipeline + wait, max(1, wait)


@pytest.mark.every(1)
@pytest.mark.parametrize(
    ("machine", "rows", "cols", "pipeline", "group"),
    [
        (array_of, 13, 16, 0, 8),
        (array_of, 16, 17, 1, 2),
        (array_of, 17, 13, 2, 1),
        (array_of, 64, 255, 1, 4),
        (array_of, 255, 64, 0, 1),
        (array_of, 256, 256, 0, 1),
        (array_of, 1, 256, 2, 16),
        (core_of, 13, 1, 0, 16),
        (core_of, 16, 17, 1, 2),
        (core_of, 17, 1, 2, 8),
        (core_of, 64, 1, 1, 4),
        (core_of, 256, 1, 0, 1),
    ],
)
def test_control_of_machines(
    machine: Any, rows: int, cols: int, pipeline: int, group: int, checks: Any
) -> None:
    """The whole protocol but the sums: what is taken, and which rows leave when."""
    rng = random.Random(SEED)
    component, latency, slices_per_group = machine(rows, cols, pipeline, group)
    assert component.latency == latency
    assert component.drain_cycles == rows
    tiles = [1, 1, rows + 1, max(1, rows - 1), 1, rng.randint(1, rows + 3)]
    stream = Handshake(rows, slices_per_group)
    stream.play(component, tiles, 0.2, 2 * rows + latency + 2, rng, platform=ControlAlone())
    for cycle, (_, row) in enumerate(stream.events(latency)):
        expected = {"out_valid": int(0 <= row < rows), "out_last": int(row == rows - 1)}
        got = {name: stream.words[cycle][name] for name in expected}
        assert got == expected, f"cycle {cycle}"
    checks(3 * len(stream.words))


@pytest.mark.parametrize("test", [test_tile_sequencer, test_tile_control])
def test_a_drain_that_is_short_at_large_sizes_is_found(
    test: Any, checks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_tiles = TileHandshake._end_tiles

    def end_early(control: Any, m: Module) -> Any:
        rows = control.rows
        control.rows = rows - (rows > max(SMALL))
        try:
            return end_tiles(control, m)
        finally:
            control.rows = rows

    monkeypatch.setattr(TileHandshake, "_end_tiles", end_early)
    test(8, 0.25, 2, lambda count: None)
    with pytest.raises(AssertionError, match="in_ready in cycle"):
        test(13, 0.25, 2, lambda count: None)
    checks(1)
