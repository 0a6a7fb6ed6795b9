"""Steps as descriptors: stripes that are loaded, computed and stored beside each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gen.compiler.allocation import Allocation, Blocks, Stripe
from gen.compiler.errors import CompileError
from gen.compiler.memory import MemoryMap
from gen.compiler.step import Step
from gen.compiler.values import Buffer, Value
from golden.accelerator.program import Window, tiles
from golden.accelerator.program_order import Footprints, Touched, touched, unit_of, wait_fields
from golden.accelerator.shape import AcceleratorShape, Bytes
from golden.descriptor import DESCRIPTOR_BYTES, Descriptor, Opcode
from golden.engine import WORDS_PER_SUM

MOST_LINES = 1 << 15
"""Of a descriptor that moves lines."""


class Emitted(NamedTuple):
    """A program: its descriptors, the layer that each is of, and the windows that it takes."""

    descriptors: list[Descriptor]
    layers: list[str]
    reads: Window
    writes: Window


@dataclass
class _Job:
    """What belongs to a stripe, addresses from the end of the program on."""

    name: str
    loads: list[Descriptor] = field(default_factory=list)
    computes: list[Descriptor] = field(default_factory=list)
    stores: list[Descriptor] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.loads) + len(self.computes) + len(self.stores)


class _Place(NamedTuple):
    """Where pixel 0 of a value would be in the scratchpad, and lines from block to block."""

    line: int
    pitch: int


def emit(
    shape: AcceleratorShape,
    steps: Sequence[Step],
    allocation: Allocation,
    memory: MemoryMap,
    output: Value,
) -> Emitted:
    """The program of ``steps``, with waits that are as few as keep it right.

    Raises ``CompileError`` for a step that no descriptor can describe.
    """
    jobs = [*_Jobs(shape, steps, allocation, memory, output)]
    count = sum(map(len, jobs)) + 1
    start = -(-count * DESCRIPTOR_BYTES // shape.line_bytes) * shape.line_bytes
    reads = Window(0, start + memory.size)
    writes = Window(start + memory.written, memory.size - memory.written)
    sequence = _Sequence(shape, reads, writes, start)
    pending: list[_Job] = []
    sequence.add(jobs[0].name, jobs[0].loads)
    for index, job in enumerate(jobs):
        sequence.add(job.name, job.computes)
        following = jobs[index + 1] if index + 1 < len(jobs) else _Job("")
        pending.append(job)
        # What is next is loaded, and waits to be computed, before these results are stored.
        sequence.store(pending, following.loads)
        sequence.add(following.name, following.loads)
        sequence.store(pending[:-1])
        pending = pending[-1:]
        sequence.store(pending, following.computes)
    sequence.store(pending)
    sequence.add("", [Descriptor(Opcode.END)])
    return Emitted(sequence.descriptors, sequence.layers, reads, writes)


class _Sequence:
    """Descriptors in their order, with what each must wait for."""

    def __init__(self, shape: AcceleratorShape, reads: Window, writes: Window, start: int):
        self._shape, self._windows, self._start = shape, (reads, writes), start
        self._footprints = Footprints()
        self._known: dict[int, tuple[Descriptor, Descriptor, Touched]] = {}
        self.descriptors: list[Descriptor] = []
        self.layers: list[str] = []

    def _placed(self, d: Descriptor) -> tuple[Descriptor, Touched]:
        """A descriptor with its address from the window's start, and what it touches."""
        if id(d) not in self._known:
            placed = d
            if d.opcode not in (Opcode.STORE, Opcode.END):
                placed = Descriptor(d.opcode, {**d.values, "address": d.address + self._start})
            self._known[id(d)] = d, placed, touched(self._shape, placed, *self._windows)
        return self._known[id(d)][1:]

    def add(self, name: str, descriptors: Sequence[Descriptor]) -> None:
        """The next ones, of the layer ``name``."""
        for each in descriptors:
            (placed, what), unit = self._placed(each), unit_of(each.opcode)
            started = [*self._footprints.started]
            needed = [0] * len(started)
            if unit is not None:
                counts = self._footprints.needed(unit, what).values()
                needed = [max(each) for each in zip(*counts, strict=True)]
                self._footprints.note(unit, what)
            waits = wait_fields(started, needed)
            self.descriptors.append(Descriptor(placed.opcode, {**placed.values, **waits}))
            self.layers.append(name)

    def store(self, jobs: Sequence[_Job], before: Sequence[Descriptor] | None = None) -> None:
        """The results of ``jobs``, once; only of those that cannot wait, if all else is done
        ``before`` them.
        """
        last = len(jobs)
        if before is not None:
            last = max((i + 1 for i, job in enumerate(jobs) if self._meet(job, before)), default=0)
        for job in jobs[:last]:
            self.add(job.name, job.stores)
            job.stores = []

    def _meet(self, job: _Job, others: Sequence[Descriptor]) -> bool:
        """Whether what is stored is read or written by ``others``, here or in memory."""
        stored = [self._placed(each)[1] for each in job.stores]
        touching = [self._placed(each)[1] for each in others] if stored else []
        return any(
            len(np.intersect1d(store.reads, other.writes))
            or len(np.intersect1d(store.memory_writes, other.memory_reads))
            for store in stored
            for other in touching
        )


def _whole(root: Buffer) -> Value:
    return Value(root, 0, root.words, 1, root.pixels, 0, ())


@dataclass
class _Jobs:
    shape: AcceleratorShape
    steps: Sequence[Step]
    allocation: Allocation
    memory: MemoryMap
    output: Value

    def __iter__(self) -> Iterator[_Job]:
        loaded: dict[Buffer, int] = {}
        table: Bytes | None = None
        last_maker = max(
            index
            for index, step in enumerate(self.steps)
            if step.output.buffer.root is self.output.buffer.root
        )
        for index, step in enumerate(self.steps):
            striping = self.allocation.striping[index]
            count = len(striping.stripes)
            for place, stripe in enumerate(striping.stripes):
                job = _Job(step.name)
                try:
                    for value, blocks in zip(step.inputs, stripe.inputs, strict=True):
                        root = value.buffer.root
                        if not root.is_made and root in self.allocation.lines:
                            is_last = place == count - 1
                            end = root.blocks(self.shape) if is_last else blocks.end
                            job.loads += self._load_until(root, loaded, end)
                    inputs = [
                        self._input(job, value, blocks, lines, place)
                        for value, blocks, lines in zip(
                            step.inputs, stripe.inputs, striping.inputs, strict=True
                        )
                    ]
                    if step.table is not None and (
                        table is None or not np.array_equal(table, step.table)
                    ):
                        table = step.table
                        address = self.memory.of(table)
                        job.computes.append(Descriptor(Opcode.TABLE, {"address": address}))
                    result = self._result(job, step.output, stripe.results, striping.output, place)
                    job.computes.append(self._compute(step, stripe, inputs, result))
                    if index == last_maker and place == count - 1:
                        root = self.output.buffer.root
                        if root in self.allocation.lines:
                            job.stores += self._store(root)
                except ValueError as error:
                    raise CompileError(f"{step.name}: {error}") from None
                yield job

    def _load_until(
        self, root: Buffer, loaded: dict[Buffer, int], end: int
    ) -> Iterator[Descriptor]:
        """The blocks of a tensor that is kept, which are not ``loaded``, up to ``end``."""
        first = loaded.get(root, 0)
        if end > first:
            loaded[root] = end
            value = _whole(root)
            line = self.allocation.lines[root] + first * root.words
            yield from self._moves(Opcode.LOAD, value, Blocks(first, end), line)

    def _store(self, root: Buffer) -> Iterator[Descriptor]:
        """All lines of a tensor that is kept."""
        blocks = Blocks(0, root.blocks(self.shape))
        return self._moves(Opcode.STORE, _whole(root), blocks, self.allocation.lines[root])

    def _input(
        self, job: _Job, value: Value, blocks: Blocks, lines: tuple[int, ...], place: int
    ) -> _Place:
        if self.allocation.is_kept(value):
            return self._kept(value)
        line = lines[place % len(lines)]
        job.loads += self._moves(Opcode.LOAD, value, blocks, line)
        return self._striped(value, blocks, line)

    def _result(
        self, job: _Job, value: Value, blocks: Blocks, lines: tuple[int, ...], place: int
    ) -> _Place:
        if self.allocation.is_kept(value):
            return self._kept(value)
        line = lines[place % len(lines)]
        job.stores += self._moves(Opcode.STORE, value, blocks, line)
        return self._striped(value, blocks, line)

    def _kept(self, value: Value) -> _Place:
        root = value.buffer.root
        return _Place(self.allocation.lines[root] + value.first_word, root.words)

    def _striped(self, value: Value, blocks: Blocks, line: int) -> _Place:
        return _Place((line - blocks.first * value.words) % self.shape.lines, value.words)

    def _moves(
        self, opcode: Opcode, value: Value, blocks: Blocks, line: int
    ) -> Iterator[Descriptor]:
        """Lines between memory and the scratchpad, where those of the value alone are."""
        root = value.buffer.root
        start = self.memory.tensors[root]
        if opcode is Opcode.STORE:
            start -= self.memory.written
        encoded = root in self.allocation.encoded
        together = value.words == root.words
        runs = [blocks] if together else [Blocks(b, b + 1) for b in range(*blocks)]
        for run in runs:
            count = len(run) * value.words
            first = run.first * root.words + value.first_word
            for done in range(0, count, MOST_LINES):
                part = min(MOST_LINES, count - done)
                values = {
                    "address": start + self.shape.memory_bytes(first + done, encoded),
                    "line": (line + done) % self.shape.lines,
                    "lines": part,
                    "encoded": int(encoded),
                }
                yield Descriptor(opcode, values)
            line += count

    def _compute(
        self, step: Step, stripe: Stripe, inputs: Sequence[_Place], result: _Place
    ) -> Descriptor:
        shape, patch, value = self.shape, step.patch, step.inputs[0]
        first = stripe.results.first * shape.banks
        pixels = min(stripe.results.end * shape.banks, step.output.pixels) - first
        row, column = divmod(first, step.output.width)
        made = tiles(
            *(shape, first, pixels, row, column),
            out_width=step.output.width,
            in_width=value.width,
            stride=patch.stride,
        )
        out_words = step.output.words // (WORDS_PER_SUM if step.sums else 1)
        values = {
            "address": self.memory.of(step.stream),
            "beats": len(step.stream) // shape.beat_bytes,
            "exact": int(step.exact),
            "sums": int(step.sums),
            "table": int(step.table is not None),
            "uniform": int(step.uniform),
            "broadcast": int(step.broadcast),
            "in_line": (inputs[0].line - step.words_before) % shape.lines,
            "in_pitch": inputs[0].pitch,
            "in_words": value.words,
            "pad_byte": step.pad_byte,
            "zero_point": step.zero_point,
            "in_height": value.height,
            "in_width": value.width,
            "kernel_height": patch.kernel[0],
            "kernel_width": patch.kernel[1],
            "stride_y": patch.stride[0],
            "stride_x": patch.stride[1],
            "dilation_y": patch.dilation[0],
            "dilation_x": patch.dilation[1],
            "pad_top": patch.padding[0],
            "pad_left": patch.padding[1],
            "depth": step.depth,
            "out_line": result.line,
            "out_pitch": result.pitch,
            "out_words": out_words,
            "tiles_n": -(-out_words // shape.column_words) if step.depth else 0,
            "out_width": step.output.width,
            "tiles_m": sum(1 for _ in made),
            "first_pixel": first,
            "pixels": pixels,
            "first_row": row,
            "first_column": column,
            "other_line": inputs[1].line if len(inputs) > 1 else 0,
            "other_pitch": inputs[1].pitch if len(inputs) > 1 else 0,
            "other_zero_point": step.other_zero_point,
        }
        return Descriptor(step.opcode, values)
