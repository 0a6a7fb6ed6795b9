"""Which tensors stay in the scratchpad and where, and how what does not fit goes through it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import sqrt
from typing import NamedTuple

from gen.compiler.errors import CompileError
from gen.compiler.step import Step
from gen.compiler.values import Buffer, Value
from golden.accelerator.cycles import START_CYCLES
from golden.accelerator.shape import AcceleratorShape


class Blocks(NamedTuple):
    """Neighbouring groups of pixels of a tensor, from ``first`` to before ``end``."""

    first: int
    end: int

    def __len__(self) -> int:
        return self.end - self.first


class Stripe(NamedTuple):
    """Blocks of results, and those of each input that they need."""

    results: Blocks
    inputs: tuple[Blocks, ...]


@dataclass(frozen=True)
class Striping:
    """A step in stripes: where those of what lies in memory stand in the scratchpad.

    ``inputs`` and ``output`` are the lines of as many copies as there are, one after the other;
    none for what is in the scratchpad.
    """

    stripes: tuple[Stripe, ...]
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]


@dataclass(frozen=True)
class Allocation:
    """Lines of the tensors that stay in the scratchpad, and the stripes of each step; of the others
    those that are ``encoded`` in memory, as stored pairs.
    """

    lines: dict[Buffer, int]
    striping: tuple[Striping, ...]
    encoded: frozenset[Buffer] = frozenset()

    def is_kept(self, value: Value) -> bool:
        """Whether a value stays in the scratchpad."""
        return value.buffer.root in self.lines


def allocate(
    shape: AcceleratorShape,
    steps: Sequence[Step],
    output: Value,
    encoded: frozenset[Buffer] = frozenset(),
) -> Allocation:
    """Keep what fits; the rest lies in memory, what costs the least traffic first: those that would
    be ``encoded`` there less than others.

    Raises ``CompileError`` for a step of which not even a block of results fits.
    """
    planner = _Planner(shape, steps, output, encoded)
    in_memory: set[Buffer] = set()
    while True:
        try:
            result = planner.plan(in_memory)
            break
        except _NoRoom as missing:
            chosen = planner.least_traffic(missing)
            if chosen is None:
                kib = -(-missing.lines * shape.line_bytes // 1024)
                raise CompileError(
                    f"{steps[missing.step].name}: the layer takes {missing.lines} lines of the "
                    f"scratchpad at least, which has {shape.lines}: scratchpad must be at least "
                    f"{1 << (kib - 1).bit_length()}"
                ) from None
            in_memory.add(chosen)
    for buffer in sorted(in_memory, key=lambda buffer: -buffer.lines(shape)):
        # Others that were chosen after it may have made room.
        try:
            result = planner.plan(in_memory - {buffer})
        except _NoRoom:
            continue
        in_memory.remove(buffer)
    return replace(result, encoded=encoded & in_memory)


def stripes_of(shape: AcceleratorShape, step: Step, blocks: int) -> tuple[Stripe, ...]:
    """A step in stripes of so many blocks of results."""
    pixels = step.output.pixels
    total = shape.blocks(pixels)
    made = []
    for first in range(0, total, blocks):
        results = Blocks(first, min(first + blocks, total))
        last = min(results.end * shape.banks, pixels) - 1
        inputs = tuple(
            _needed(shape, step, index, results.first * shape.banks, last)
            for index in range(len(step.inputs))
        )
        made.append(Stripe(results, inputs))
    return tuple(made)


def _needed(shape: AcceleratorShape, step: Step, index: int, first: int, last: int) -> Blocks:
    """The blocks of an input that the results from pixel ``first`` to ``last`` are made of."""
    if index and step.broadcast:
        return Blocks(0, 1)
    patch, value = step.patch, step.inputs[index]
    height, width = value.height, value.width
    (top, left, *_), (down, across) = patch.padding, patch.stride
    row, column = divmod(first, step.output.width)
    y, x = row * down - top, column * across - left
    lowest = y * width + min(max(x, 0), width) if y >= 0 else 0
    row, column = divmod(last, step.output.width)
    y = row * down - top + (patch.kernel[0] - 1) * patch.dilation[0]
    x = column * across - left + (patch.kernel[1] - 1) * patch.dilation[1]
    if row > first // step.output.width:
        x = width - 1  # of the row before
    highest = y * width + min(max(x, -1), width - 1) if y < height else height * width - 1
    highest = min(max(highest, 0), height * width - 1)
    lowest = min(lowest, highest)
    return Blocks(lowest // shape.banks, highest // shape.banks + 1)


def stripe_lines(step: Step, stripes: Sequence[Stripe], kept: Collection[Buffer] = ()) -> list[int]:
    """Lines of the largest stripe of each input and of the results; 0 for what is ``kept``."""
    sizes = [
        max(len(stripe.inputs[index]) for stripe in stripes) * value.words
        for index, value in enumerate(step.inputs)
    ]
    sizes.append(max(len(stripe.results) for stripe in stripes) * step.output.words)
    return [
        0 if value.buffer.root in kept else size
        for value, size in zip((*step.inputs, step.output), sizes, strict=True)
    ]


class _NoRoom(Exception):
    """A step for which so many lines are missing, with what else is kept then."""

    def __init__(self, step: int, lines: int, kept: Sequence[Buffer], own: Buffer | None):
        super().__init__(step, lines)
        self.step, self.lines, self.kept, self.own = step, lines, kept, own


@dataclass
class _Space:
    """Lines of the scratchpad that are taken."""

    lines: int
    taken: list[tuple[int, int]] = field(default_factory=list)

    def fit(self, count: int) -> int | None:
        """Take the first ``count`` lines side by side that are free; None if there are none."""
        start = 0
        for first, end in sorted(self.taken):
            if first - start >= count:
                break
            start = max(start, end)
        if start + count > self.lines:
            return None
        self.taken.append((start, start + count))
        return start

    def fit_all(self, counts: Sequence[int]) -> list[int] | None:
        """Take all of them, or nothing."""
        before, found = [*self.taken], []
        for count in counts:
            line = self.fit(count)
            if line is None:
                self.taken = before
                return None
            found.append(line)
        return found


@dataclass
class _Planner:
    shape: AcceleratorShape
    steps: Sequence[Step]
    output: Value
    encoded: frozenset[Buffer]

    def __post_init__(self) -> None:
        self._stripes: dict[tuple[int, int], tuple[Stripe, ...]] = {}

    @cached_property
    def lives(self) -> dict[Buffer, tuple[int, int]]:
        """Of each tensor the first and the last step that touch it."""
        lives: dict[Buffer, tuple[int, int]] = {}
        for index, step in enumerate(self.steps):
            for value in (*step.inputs, step.output):
                root = value.buffer.root
                lives[root] = lives.get(root, (index, index))[0], index
        root = self.output.buffer.root
        lives[root] = lives[root][0], len(self.steps)
        return lives

    def stripes(self, index: int, blocks: int) -> tuple[Stripe, ...]:
        """Those of a step."""
        key = index, blocks
        if key not in self._stripes:
            self._stripes[key] = stripes_of(self.shape, self.steps[index], blocks)
        return self._stripes[key]

    def plan(self, in_memory: set[Buffer]) -> Allocation:
        """An allocation without the tensors ``in_memory``; raises :class:`_NoRoom`."""
        lines: dict[Buffer, int] = {}
        live: dict[Buffer, tuple[int, int]] = {}
        striping = []
        for index, step in enumerate(self.steps):
            live = {
                buffer: place for buffer, place in live.items() if self.lives[buffer][1] >= index
            }
            for value in (*step.inputs, step.output):
                root = value.buffer.root
                if root in in_memory or root in lines:
                    continue
                count = root.lines(self.shape)
                line = _Space(self.shape.lines, [*live.values()]).fit(count)
                if line is None:
                    raise _NoRoom(index, count, [*live], root)
                lines[root] = line
                live[root] = line, line + count
            striping.append(self._striping(index, lines, live))
        return Allocation(lines, tuple(striping))

    def _striping(
        self, index: int, lines: dict[Buffer, int], live: dict[Buffer, tuple[int, int]]
    ) -> Striping:
        """The stripes of a step that cost the least time outside of computing."""
        step, shape = self.steps[index], self.shape
        streamed = [value for value in step.inputs if value.buffer.root not in lines]
        stores = step.output.buffer.root not in lines
        total = shape.blocks(step.output.pixels)
        per_line = shape.line_bytes // shape.beat_bytes
        stream = len(step.stream) // shape.beat_bytes + START_CYCLES
        if not streamed and not stores:
            none = tuple(() for _ in step.inputs)
            loaded = sum(
                value.buffer.lines(shape) * per_line
                for value in step.inputs
                if not value.buffer.is_made and self.lives[value.buffer][0] == index
            )
            # What it is loaded for begins with the first part.
            count = max(1, min(total, round(sqrt(loaded / START_CYCLES))))
            return Striping(self.stripes(index, -(-total // count)), none, ())
        best: tuple[float, Striping] | None = None
        for copies in (2, 1):
            for blocks in dict.fromkeys(-(-total // n) for n in range(1, total + 1)):
                stripes = self.stripes(index, blocks)
                count = len(stripes)
                if best is not None and count * stream >= best[0]:
                    break
                moved = sum(
                    len(stripe.inputs[i]) * value.words
                    for stripe in stripes
                    for i, value in enumerate(step.inputs)
                    if value in streamed
                )
                stored = total * step.output.words if stores else 0
                cost = count * stream + (moved + (moved + stored) / count) * per_line
                if best is not None and cost >= best[0]:
                    continue
                found = self._fit(step, stripes, min(copies, count), lines, live)
                if found is not None:
                    best = cost, found
            if best is not None:
                return best[1]
        raise _NoRoom(index, self._least(index, lines), [*live], None)

    def _fit(
        self,
        step: Step,
        stripes: tuple[Stripe, ...],
        copies: int,
        lines: dict[Buffer, int],
        live: dict[Buffer, tuple[int, int]],
    ) -> Striping | None:
        space = _Space(self.shape.lines, [*live.values()])
        found = []
        for size in stripe_lines(step, stripes, lines):
            places = space.fit_all([size] * copies) if size else []
            if places is None:
                return None
            found.append(tuple(places))
        return Striping(stripes, tuple(found[:-1]), found[-1])

    def _least(self, index: int, lines: dict[Buffer, int]) -> int:
        return sum(stripe_lines(self.steps[index], self.stripes(index, 1), lines))

    def least_traffic(self, missing: _NoRoom) -> Buffer | None:
        """What is best kept in memory to make room."""
        shape = self.shape
        if missing.own is not None and missing.lines > shape.lines:
            return missing.own
        candidates = [*missing.kept, *([missing.own] if missing.own is not None else [])]
        taken = sum(buffer.lines(shape) for buffer in missing.kept)
        least = missing.lines - (shape.lines - taken)
        enough = [buffer for buffer in candidates if buffer.lines(shape) >= least]
        if enough:
            return min(enough, key=self._traffic)
        return max(candidates, key=lambda buffer: buffer.lines(shape), default=None)

    def _traffic(self, buffer: Buffer) -> int:
        """Bytes that are moved if it lies in memory."""
        readers = sum(value.buffer.root is buffer for step in self.steps for value in step.inputs)
        size = self.shape.memory_bytes(buffer.lines(self.shape), buffer in self.encoded)
        return size * (readers + buffer.is_made)
