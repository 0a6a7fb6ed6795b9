"""Compiled networks on what runs them."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from gen.compiler.image import MemoryImage
from gen.design.expectation import require_equal
from golden.accelerator.program import Machine
from golden.accelerator.shape import Bytes
from golden.descriptor import Error
from networks.evaluation.images import Images
from networks.evaluation.model import batches_of, channels_last
from networks.quantization.arithmetic import of_machine
from networks.quantization.network import QuantizedNetwork
from support.errors import RunError

BATCH_ELEMENTS = 1 << 20
"""Input elements of the images that are compared in one go."""

Logits = npt.NDArray[np.int64]


def run_on_golden(image: MemoryImage, inputs: Bytes) -> Iterator[Logits]:
    """Logits (values,) of each of the bytes (N, ...), by the interpreter.

    Raises ``RunError`` if the program stops with an error.
    """
    memory = image.memory()
    machine = Machine(image.shape, memory, image.reads, image.writes)
    for each in inputs:
        image.write_input(memory, each)
        outcome = machine.run(0)
        if outcome.error is not Error.NONE:
            raise RunError(
                f"the program stopped with the error {outcome.error.name} after {outcome.done} "
                "descriptors"
            )
        yield image.read_output(memory)


Runner = Callable[[MemoryImage, Bytes], Iterator[Logits]]
"""What gives the logits of each image, one after the other, of the bytes of all."""


def compare(
    image: MemoryImage,
    network: QuantizedNetwork,
    images: Images,
    run: Runner = run_on_golden,
    advance: Callable[[], None] = lambda: None,
) -> Logits:
    """Logits (N, values) of ``images`` by what runs them; ``advance`` is called after each.

    Raises ``MismatchError`` at the first that is not that of ``network``.
    """
    results: list[Logits] = []
    for part in batches_of(images, BATCH_ELEMENTS):
        inputs = network.quantize_images(channels_last(part.batch()))
        expected = network.forward(inputs, of_machine(image.shape.format))
        logits = []
        for each in run(image, inputs):
            logits.append(each)
            advance()
        found = np.stack(logits)
        require_equal(f"logits from image {len(results)} on", found, expected)
        results.extend(logits)
    return np.stack(results)
