"""Compiled networks on the emitted Verilog."""

from collections.abc import Iterator
from typing import Any

from rich.progress import Progress

from gen.compiler.image import MemoryImage
from gen.compiler.run import Logits
from gen.design.configuration import Configuration
from gen.simulation.building import build_machines
from gen.simulation.compiled_accelerator import (
    AcceleratorError,
    CompiledAccelerator,
    MemoryKind,
)
from golden.accelerator.shape import Bytes
from golden.descriptor import Error


class AcceleratorRuns:
    """Runs images on an accelerator beside a memory of some ``kind``, and keeps what it counts.

    ``counters`` are those of each image, in order.
    """

    def __init__(self, accelerator: CompiledAccelerator, kind: MemoryKind):
        self._accelerator = accelerator
        self._kind = kind
        self.counters: list[dict[str, int]] = []

    @classmethod
    def built(
        cls, configuration: Configuration, latency: int, progress: Progress
    ) -> "AcceleratorRuns":
        """On the accelerator of ``configuration``, which is compiled unless it has been."""

        def build(configuration: Configuration, on_step: Any) -> CompiledAccelerator:
            return CompiledAccelerator(configuration, on_step=on_step)

        (accelerator,) = build_machines(build, [configuration], progress)
        return cls(accelerator, MemoryKind(latency))

    def __call__(self, image: MemoryImage, inputs: Bytes) -> Iterator[Logits]:
        """Logits (values,) of each of the bytes (N, ...).

        Raises :class:`AcceleratorError` if a program does not end as it must.
        """
        memory = image.memory()
        for each in inputs:
            image.write_input(memory, each)
            run = self._accelerator.run(memory, image.reads, image.writes, kind=self._kind)
            if run.error is not Error.NONE:
                raise AcceleratorError(
                    f"the program stopped with the error {run.error.name} after {run.done} "
                    "descriptors"
                )
            self.counters.append(run.counters)
            yield image.read_output(memory)

    @property
    def cycles_per_image(self) -> float:
        """The mean over all images."""
        return sum(each["cycles"] for each in self.counters) / len(self.counters)
