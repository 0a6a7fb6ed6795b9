"""Steps of which even the smallest stripe would fill the scratchpad, channels by channels."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from gen.compiler.allocation import stripe_lines, stripes_of
from gen.compiler.step import Step
from golden.accelerator.program import weights_per_channel
from golden.accelerator.shape import AcceleratorShape
from golden.descriptor import VECTOR, Descriptor
from golden.engine import WORDS_PER_SUM


def split_large(shape: AcceleratorShape, steps: Iterable[Step]) -> Iterator[Step]:
    """``steps``, those of the vector unit in parts that take half of the scratchpad at most."""
    for step in steps:
        words = step.output.words // (WORDS_PER_SUM if step.sums else 1)
        if step.opcode not in VECTOR or words != step.inputs[0].words:
            yield step
            continue
        lines = sum(stripe_lines(step, stripes_of(shape, step, 1)))
        count = min(words, -(-lines // max(1, shape.lines // 2)))
        size = -(-words // count)
        for first in range(0, words, size):
            yield step if count == 1 else _part(shape, step, first, min(size, words - first))


def _part(shape: AcceleratorShape, step: Step, word: int, words: int) -> Step:
    """The results of some channel words."""
    kernel = {"kernel_height": step.patch.kernel[0], "kernel_width": step.patch.kernel[1]}
    fields = {**kernel, "uniform": int(step.uniform)}
    weights = weights_per_channel(Descriptor(step.opcode, fields))
    size = shape.k_per_cycle * shape.channel_bytes(weights)
    stream = step.stream[word * size : (word + words) * size]
    results = WORDS_PER_SUM if step.sums else 1
    return replace(
        step,
        inputs=tuple(value.part(word, words) for value in step.inputs),
        output=step.output.part(word * results, words * results),
        stream=np.pad(stream, (0, -len(stream) % shape.beat_bytes)),
    )
