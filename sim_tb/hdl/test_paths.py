"""From banks through the array or the vector unit back to banks, in Amaranth's own simulator."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.accelerator.byte_tables import ENTRIES, ByteTables
from hdl.accelerator.layouts import PIXELS, VECTOR, VECTOR_LOAD
from hdl.accelerator.patch_reader import PatchReader
from hdl.accelerator.result_writer import ResultWriter
from hdl.accelerator.turner import Turner
from hdl.accelerator.vector_unit import VectorUnit
from hdl.catalogue import MacUnit
from hdl.engine.command import COMMAND
from hdl.engine.engine_unit import EngineUnit
from hdl.engine.gemm_core import GemmCore
from hdl.multiplier.style import Style
from hdl.stream.stream import Stream
from hdl.stream.stream_fifo import StreamFifo
from sim_tb.hdl.banks import ReadBanks, WriteBanks
from sim_tb.hdl.pysim import SEED, Bench, Word, pack
from sim_tb.oracle.cycles import After, Agent, Fixed, Source
from sim_tb.oracle.engine_parts import parameters_word
from sim_tb.oracle.patches import Bytes, Patches, number, pack_fields, store, tiles
from sim_tb.oracle.requantization import Case, expected, wrapped

ROWS, COLS, STEPS, LINES = 4, 4, 2, 128


class Path(wiring.Component):
    """A reader, the core of an engine or a vector unit, and what writes; tiles wait beside it."""

    def __init__(self, core: GemmCore | VectorUnit):
        self.core = core
        self.reader = PatchReader(ROWS, STEPS, LINES)
        self.tables = ByteTables(ROWS, STEPS)
        self.writer = ResultWriter(ROWS, STEPS, LINES)
        ports = {}
        parts = {
            self.reader: ("patches", "read"),
            core: ("command", "load", "words", "weights", "parameters"),
            self.tables: ("load_valid", "load_data", "applies"),
            self.writer: ("base", "pitch", "write", "done"),
        }
        self.shown = []
        for part, prefixes in parts.items():
            for name, member in part.signature.members.items():
                if name.startswith(prefixes) and name != "commands_waiting":
                    own = f"table_{name}" if part is self.tables else name
                    ports[own] = member
                    self.shown.append((own, member.flow, getattr(part, name)))
        super().__init__({**ports, "sums": In(1), "out_words": In(16), "over": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        core, reader, tables, writer = self.core, self.reader, self.tables, self.writer
        m.submodules += [core, reader, tables, writer]
        for name, flow, inner in self.shown:
            outer = getattr(self, name)
            m.d.comb += outer.eq(inner) if flow == Out else inner.eq(outer)
        m.submodules.tiles = waiting = StreamFifo(PIXELS.size, 8)
        m.d.comb += [
            waiting.in_valid.eq(reader.tile_valid),
            waiting.in_data.eq(reader.tile),
            reader.tile_ready.eq(waiting.in_ready),
        ]
        last: Any = core
        slices_in = Stream.of(reader, "slice_")
        if isinstance(core, GemmCore):
            m.submodules.turner = last = Turner(ROWS, COLS, STEPS)
            slices_in.feed(m, Stream.of(core, "activations_"))
            Stream.of(core, "results_").feed(m, Stream.of(last, "in_"))
            m.d.comb += [
                core.enable.eq(1),
                last.sums.eq(self.sums),
                last.out_words.eq(self.out_words),
            ]
        else:
            slices_in.feed(m, Stream.of(core, "slice_"))
            m.d.comb += core.slice_marks.eq(reader.slice_marks)
        m.d.comb += [
            last.tile_valid.eq(waiting.out_valid),
            last.tile.eq(waiting.out_data),
            waiting.out_ready.eq(last.tile_ready),
            tables.in_place.eq(last.out_place),
            writer.in_place.eq(tables.out_place),
            self.over.eq(writer.done),
        ]
        Stream.of(last, "out_").feed(m, Stream.of(tables, "in_"))
        Stream.of(tables, "out_").feed(m, Stream.of(writer, "in_"))
        return m


class UntilDone(Agent):
    """Is done when the last result is written."""

    is_done = False

    def inputs(self, model: Any, rng: random.Random) -> Word:
        """None."""
        return {}

    def observe(self, ports: Any) -> None:
        """It may be."""
        self.is_done = self.is_done or bool(ports["done"])


def run(path: Path, agents: Sequence[Agent], own: Patches, a: Bytes, b: Bytes, out: Bytes) -> None:
    """The banks hold the operands, and in the end the outputs (pixels, words, steps), too."""
    base, pitch = 40, out.shape[1] + 1
    rng = np.random.default_rng(SEED)
    banks = rng.integers(0, 256, (2 * ROWS, LINES, STEPS), dtype=np.uint8)
    store(banks, a, own.base, own.pitch)
    store(banks, b, own.base_b, own.pitch_b)
    wanted = banks.copy()
    store(wanted, out, base, pitch)
    everything = [
        *agents,
        After(ENTRIES // 4, Source([{"patches": own.word}], "patches_valid", ["patches_ready"], 0)),
        ReadBanks(banks, 0.1),
        WriteBanks(banks, 0.1),
        Fixed(base=base, pitch=pitch, out_words=out.shape[1]),
        UntilDone(),
    ]
    ports = Bench(path).converse(everything, random.Random(SEED))
    assert sum(each["done"] for each in ports) == 1
    assert (banks == wanted).all()


def random_cases(rng: Any, count: int, largest: int) -> list[Case]:
    """Parameters of some channels."""
    return [
        Case(
            sum=0,
            bias=int(rng.integers(-largest // 8, largest // 8)),
            multiplier=int(rng.integers(2**14, 2**15)),
            shift=largest.bit_length() + 5,
            zero_point=int(rng.integers(50, 150)),
            low=int(rng.integers(0, 50)),
            high=int(rng.integers(200, 256)),
        )
        for _ in range(count)
    ]


def requantized(totals: Any, cases: Sequence[Case], sums: bool) -> Bytes:
    """Bytes (pixels, words, steps) of sums (pixels, channels)."""
    own = [
        case._replace(sum=wrapped(int(total)))
        for of_pixel in totals
        for total, case in zip(of_pixel, cases, strict=True)
    ]
    biased, activations = expected(own)
    values = biased.astype("<i4").view(np.uint8) if sums else activations
    return values.reshape(len(totals), -1, STEPS)


@pytest.mark.every(8)
@pytest.mark.parametrize("sums", [False, True], ids=["bytes", "sums"])
@pytest.mark.parametrize("stride", [2, 1])
def test_convolution(stride: int, sums: bool, checks: Any) -> None:
    """Three by three, padded, by the array: two columns of tiles, of which one is not full."""
    rng = np.random.default_rng((SEED, stride, sums))
    size, words, channels = (5, 6), 2, 6
    out_size = [(n + 2 - 3) // stride + 1 for n in size]
    own = Patches.of(
        size,
        out_size[0] * out_size[1],
        out_size[1],
        (-1, -1),
        (3, 3),
        (stride, stride),
        passes=2,
        words=words,
        by_matrix=1,
        base=3,
        pitch=words,
        base_b=20,
        pad_byte=17,
    )
    a = rng.integers(0, 256, (*size, words, STEPS), dtype=np.uint8)
    kernel = rng.integers(-128, 128, (3, 3, words * STEPS, channels))
    padded = np.pad(a.reshape(*size, -1), ((1, 1), (1, 1), (0, 0)), constant_values=17)
    totals = np.array(
        [
            np.einsum(
                "yxc,yxco",
                padded[y * stride :, x * stride :][:3, :3].astype(np.int64),
                kernel,
            )
            for y in range(out_size[0])
            for x in range(out_size[1])
        ]
    )
    cases = random_cases(rng, channels, 9 * words * STEPS * 2**13)
    out = requantized(totals, cases, sums)
    columns = np.pad(kernel.reshape(-1, channels), ((0, 0), (0, 2))).reshape(-1, STEPS, 2, COLS)
    weights = [
        {"weights_data": pack(columns[k, :, n].T, 8)} for n in range(2) for k in range(len(columns))
    ]
    parameters = [
        {"parameters_data": parameters_word(case) >> 32 * place & 0xFFFFFFFF}
        for case in [*cases, cases[0], cases[0]]
        for place in range(3)
    ]
    command = {
        "tiles_m": len([*tiles(own, ROWS)]) // 2,
        "tiles_n": 2,
        "depth": len(columns),
        "sums": int(sums),
    }
    agents = [
        Source([{"command": pack_fields(COMMAND, command)}], "command_valid", ["command_ready"], 0),
        Source(weights, "weights_valid", ["weights_ready"], 0.1),
        Source(parameters, "parameters_valid", ["parameters_ready"], 0.1),
        Fixed(sums=int(sums)),
    ]
    unit = EngineUnit(
        "array", ROWS, COLS, MacUnit("2x8x8", style=Style.BEHAVIORAL), weight_depth=32
    )
    run(Path(GemmCore(unit)), agents, own, a, a[:1, :1], out)
    checks(out.size)


@pytest.mark.every(8)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kind", ["depthwise", "gate"])
def test_vector(kind: str, stride: int, checks: Any) -> None:
    """A depthwise convolution, and a product with one pixel; results are looked up in a table."""
    rng = np.random.default_rng((SEED, stride))
    size, words = (4, 5), 3
    gate = kind == "gate"
    taps, padding = (1, 0) if gate else (2, 1)
    stride = 1 if gate else stride
    out_size = [(n + padding - taps) // stride + 1 for n in size]
    own = Patches.of(
        size,
        out_size[0] * out_size[1],
        out_size[1],
        (-padding, -padding),
        (taps, taps),
        (stride, stride),
        passes=words,
        words=words,
        two_operands=int(gate),
        broadcast=1,
        base=3,
        pitch=words,
        base_b=30,
        pitch_b=words,
        pad_byte=90,
    )
    a, b = rng.integers(0, 256, (2, *size, words, STEPS), dtype=np.uint8)
    weights = rng.integers(-(2**15), 2**15, (words, STEPS, 0 if gate else 4))
    zeros = (33, 44) if gate else (0, 0)
    of_pixel: list[list[int]] = []
    padded = np.pad(a, ((padding, 0), (padding, 0), (0, 0), (0, 0)), constant_values=90)
    for y in range(out_size[0]):
        for x in range(out_size[1]):
            patch = padded[y * stride :, x * stride :][:taps, :taps].astype(np.int64)
            patch = patch.reshape(-1, words * STEPS)
            if gate:
                total = (patch[0] - zeros[0]) * (b[0, 0].reshape(-1).astype(np.int64) - zeros[1])
            else:
                total = (patch * weights.reshape(-1, 4).T).sum(axis=0)
            of_pixel.append(total.tolist())
    cases = random_cases(rng, words * STEPS, 2**15 if gate else 2**23)
    table = rng.permutation(ENTRIES).astype(np.uint8)
    out = table[requantized(of_pixel, cases, False)]
    stream = []
    for case, of_channel in zip(cases, weights.reshape(words * STEPS, -1), strict=True):
        stream += [parameters_word(case) >> 32 * place & 0xFFFFFFFF for place in range(3)]
        stream += [pack(of_channel[at : at + 2], 16) for at in range(0, len(of_channel), 2)]
    command = {"product": int(gate), "zero_a": zeros[0], "zero_b": zeros[1]}
    load = {"weights": weights.shape[2], "passes": words}
    agents = [
        Source([{"table_load_data": number(four)} for four in table.reshape(-1, 4)],
               "table_load_valid", [], 0),
        Source([{"command": pack_fields(VECTOR, command)}], "command_valid", ["command_ready"], 0),
        Source([{"load": pack_fields(VECTOR_LOAD, load)}], "load_valid", ["load_ready"], 0),
        Source([{"words_data": word} for word in stream], "words_valid", ["words_ready"], 0.1),
        Fixed(table_applies=1),
    ]  # fmt: skip
    run(Path(VectorUnit(ROWS, STEPS, 4)), agents, own, a, b[:1, :1], out)
    checks(out.size)
