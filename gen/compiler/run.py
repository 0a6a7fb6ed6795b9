"""Compiled networks on what runs them."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from gen.compiler.image import MemoryImage
from golden.accelerator import Bytes
from golden.program import Error, Machine
from support.errors import RunError


def run_on_golden(
    image: MemoryImage, inputs: Bytes, advance: Callable[[], None] = lambda: None
) -> npt.NDArray[np.int64]:
    """Logits (N, values) of bytes (N, ...), one after the other, by the interpreter.

    ``advance`` is called after each. Raises ``RunError`` if the program stops with an error.
    """
    memory = image.memory()
    machine = Machine(image.shape, memory, image.reads, image.writes)
    logits = []
    for index, each in enumerate(inputs):
        image.write_input(memory, each)
        outcome = machine.run(0)
        if outcome.error is not Error.NONE:
            raise RunError(
                f"image {index}: the program stopped with the error {outcome.error.name} after "
                f"{outcome.done} descriptors"
            )
        logits.append(image.read_output(memory))
        advance()
    return np.stack(logits)
