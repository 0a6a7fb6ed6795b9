"""Which tensors lie in memory as stored pairs."""

from collections.abc import Collection, Sequence

from gen.compiler.step import Step
from gen.compiler.values import Buffer, Value
from golden.accelerator.shape import AcceleratorShape
from golden.descriptor import Opcode


def encodable(
    shape: AcceleratorShape, steps: Sequence[Step], outside: Collection[Buffer]
) -> frozenset[Buffer]:
    """The tensors that can lie in memory as stored pairs, with the same results, where memory has
    such.

    All that read them are products in windows. Those read whole words, of whole pairs, so that each
    pair is one for the machine, too, whatever fills up the last word: and what is left of it in its
    windows stays so. All that is moved of them is whole beats. Tensors that come from outside, or
    go there, are bytes.
    """
    if not shape.encodes:
        return frozenset()
    made = {step.output.buffer.root for step in steps}
    read = {value.buffer.root for step in steps for value in step.inputs}
    found = (made & read).difference(outside)
    for step in steps:
        if step.opcode is not Opcode.MATRIX or step.exact:
            found -= {value.buffer.root for value in step.inputs}
        found -= {
            value.buffer.root
            for value in (*step.inputs, step.output)
            if value.buffer.has_sums or not _is_whole_beats(shape, value)
        }
    return frozenset(found)


def _is_whole_beats(shape: AcceleratorShape, value: Value) -> bool:
    """Whether the lines of a block of ``value``, wherever it is, start and end with a beat."""
    sizes = value.buffer.root.words, value.first_word, value.words
    return all(size % shape.encoded_lines == 0 for size in sizes)
