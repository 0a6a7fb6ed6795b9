"""Parts of the accelerator with the conversations of their tests: for any simulator."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from golden.descriptor import Opcode
from hdl.accelerator.byte_tables import ByteTables
from hdl.accelerator.patch_reader import PatchReader
from hdl.accelerator.program_reader import ProgramReader
from hdl.accelerator.result_writer import ResultWriter
from hdl.placement import Component
from sim_tb.hdl import test_patches, test_programs, test_results
from sim_tb.hdl.pysim import SEED
from sim_tb.oracle.cycles import Conversation


@dataclass(frozen=True)
class ConversationCase:
    """A part, and conversations with it, each after a reset; they are new with each call."""

    component: Callable[[], Component]
    conversations: Callable[[], Iterator[Conversation]]


def patch_reader() -> ConversationCase:
    """Small layers whole, also of many passes, and the first slices of large ones."""
    rows, steps = 4, 2

    def conversations() -> Iterator[Conversation]:
        rng = np.random.default_rng(SEED)
        for stalls in test_patches.STALLS * 4:
            layers = [
                test_patches.random_layer(rng, rows, steps, 60, first)
                for first in (0, test_patches.LINES // 2)
            ]
            yield test_patches.reading(rows, steps, layers, *stalls)
        yield test_patches.reading_rows_in_tiles(rows, steps)
        yield test_patches.reading_many_passes(rows, steps, (*range(2, 9), 13))
        for seed in range(40):
            yield test_patches.reading_the_first(rows, steps, 60, seed)

    return ConversationCase(lambda: PatchReader(rows, steps, test_patches.LINES), conversations)


def byte_tables() -> ConversationCase:
    """Looked up, and not."""
    sizes = (2, 4)

    def conversations() -> Iterator[Conversation]:
        for applies in (1, 0):
            for stalls in test_results.STALLS:
                yield test_results.looking_up(*sizes, applies, stalls)

    return ConversationCase(lambda: ByteTables(*sizes), conversations)


def result_writer() -> ConversationCase:
    """Into as many lines as there may be."""
    sizes = (64, 1)

    def conversations() -> Iterator[Conversation]:
        for seed in range(12):
            yield test_results.writing_anywhere(*sizes, 0.4 * (seed % 2), seed)

    return ConversationCase(lambda: ResultWriter(*sizes, test_results.MOST_LINES), conversations)


def stream_router() -> ConversationCase:
    """Whole streams, and the beginning of long ones."""
    unit = test_programs.accelerator(4, 2, "8x8", 8, 64)

    def conversations() -> Iterator[Conversation]:
        for stalls in ((0, 0), (0.4, 0.3)):
            yield test_programs.routing(unit, stalls)
        yield test_programs.routing(unit, (0, 0), are_long=True)
        for kind, bit in test_programs.LONG_STREAMS:
            yield test_programs.routing_the_first(unit, kind, bit)

    return ConversationCase(lambda: test_programs.router(unit), conversations)


def program_reader() -> ConversationCase:
    """Programs, right and damaged."""
    unit = test_programs.accelerator(4, 3, "8x8", 8, 32)

    def conversations() -> Iterator[Conversation]:
        for stall in (0, 0.3):
            yield test_programs.running(unit, stall)
        for opcode in Opcode:
            yield test_programs.reading_other_bits(unit, opcode)

    return ConversationCase(lambda: ProgramReader(unit), conversations)


CONVERSATIONS = {
    "patch_reader": patch_reader(),
    "byte_tables": byte_tables(),
    "result_writer": result_writer(),
    "stream_router": stream_router(),
    "program_reader": program_reader(),
}
"""All of them, by name."""
