"""A compiled network as files: its memory, and the map of that."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from golden.accelerator.encoding import decode_lines
from golden.accelerator.program import Window, unpack_sums
from golden.accelerator.shape import AcceleratorShape, Bytes, pack_tensor, unpack_tensor
from golden.format import SparqFormat
from golden.requantize import rescale
from networks.graph.lowering import Array


@dataclass(frozen=True)
class TensorPlace:
    """Where a tensor lies in memory.

    From ``address`` on there are lines; block after block of pixels ``pitch`` channel words, of
    which ``words`` from ``word`` on are those of the tensor. With ``sums`` each channel is a signed
    integer of four bytes, little-endian. What is ``encoded`` is stored pairs of its channels.
    """

    address: int
    height: int
    width: int
    channels: int
    pitch: int
    word: int
    words: int
    sums: bool = False
    encoded: bool = False

    def size(self, shape: AcceleratorShape) -> int:
        """Bytes of its lines."""
        lines = shape.blocks(self.height * self.width) * self.pitch
        return shape.memory_bytes(lines, self.encoded)

    def read(self, shape: AcceleratorShape, memory: Bytes) -> Array:
        """The tensor (height, width, channels): uint8, or int32 of sums; of what is encoded in its
        windows.
        """
        lines = memory[self.address : self.address + self.size(shape)]
        if self.encoded:
            lines = decode_lines(shape, lines)
        every = self.height, self.width, self.pitch * shape.k_per_cycle
        first, end = (word * shape.k_per_cycle for word in (self.word, self.word + self.words))
        tensor = unpack_tensor(shape, lines, every)[:, :, first:end]
        return unpack_sums(tensor, self.channels) if self.sums else tensor[:, :, : self.channels]


@dataclass(frozen=True)
class OutputScales:
    """What makes logits of the output: ``golden.rescale`` by these, one for each channel.

    ``step`` is what a unit of the logits stands for, ``zero_point`` the one that stands for 0.
    """

    multiplier: tuple[int, ...]
    shift: tuple[int, ...]
    step: float
    zero_point: int


@dataclass(frozen=True)
class MemoryImage:
    """The memory that a program runs in, and what goes in and out.

    Attributes
    ----------
    shape : AcceleratorShape
    constants : uint8 (bytes,)
        What memory starts with: the program, then parameters and weights.
    size : int
        Bytes of all of it.
    reads, writes : Window
        Relative to its start; the program is at the start of ``reads``.
    input, output : TensorPlace
    scales : OutputScales
    input_step, input_zero_point : float, int
        What bytes of the input stand for.
    """

    shape: AcceleratorShape
    constants: Bytes
    size: int
    reads: Window
    writes: Window
    input: TensorPlace
    output: TensorPlace
    scales: OutputScales
    input_step: float
    input_zero_point: int

    def memory(self) -> Bytes:
        """The memory before an input is there; uint8 (size,)."""
        memory = np.zeros(self.size, np.uint8)
        memory[: len(self.constants)] = self.constants
        return memory

    def write_input(self, memory: Bytes, image: Bytes) -> None:
        """Put the bytes of an image where the program takes them."""
        place = self.input
        lines = pack_tensor(self.shape, image.reshape(place.height, place.width, place.channels))
        memory[place.address : place.address + lines.size] = lines.reshape(-1)

    def read_output(self, memory: Bytes) -> npt.NDArray[np.int64]:
        """The logits that the program has left in memory; int64 (values,)."""
        values = self.output.read(self.shape, memory)
        if self.output.sums:
            values = rescale(values, np.array(self.scales.multiplier), np.array(self.scales.shift))
        return values.reshape(-1).astype(np.int64)

    def as_map(self) -> dict[str, Any]:
        """All but ``constants`` as plain data."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        del values["constants"]
        return {
            name: asdict(value) if hasattr(value, "__dataclass_fields__") else value
            for name, value in values.items()
        }

    @classmethod
    def of_map(cls, values: Mapping[str, Any], constants: Bytes) -> "MemoryImage":
        """What :meth:`as_map` made ``values`` of."""
        given = {each.name: values[each.name] for each in fields(cls) if each.name != "constants"}
        shape = dict(given["shape"])
        if shape["format"] is not None:
            shape["format"] = SparqFormat(**shape["format"])
        scales = given["scales"]
        scales = {name: tuple(v) if isinstance(v, list) else v for name, v in scales.items()}
        return cls(
            **given
            | {
                "shape": AcceleratorShape(**shape),
                "constants": constants,
                "reads": Window(**given["reads"]),
                "writes": Window(**given["writes"]),
                "input": TensorPlace(**given["input"]),
                "output": TensorPlace(**given["output"]),
                "scales": OutputScales(**scales),
            }
        )
