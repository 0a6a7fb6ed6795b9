"""Where the values of a network lie: tensors of lines, and parts of them."""

from dataclasses import dataclass, replace
from math import prod

from golden.accelerator.shape import AcceleratorShape
from golden.engine import WORDS_PER_SUM
from networks.graph.lowering import Shape


@dataclass(eq=False)
class Buffer:
    """A tensor of lines: ``pixels`` of ``words`` channel words each.

    With ``whole`` it is a part of that one, from its channel word ``word`` on.
    """

    name: str
    pixels: int
    words: int
    is_made: bool = True
    """By the program; the network's input is not."""
    has_sums: bool = False
    whole: "Buffer | None" = None
    word: int = 0

    @property
    def root(self) -> "Buffer":
        """The tensor that all of it is a part of."""
        return self if self.whole is None else self.whole.root

    @property
    def first_word(self) -> int:
        """Its first channel word in :attr:`root`."""
        return 0 if self.whole is None else self.word + self.whole.first_word

    def blocks(self, shape: AcceleratorShape) -> int:
        """Groups of as many pixels as there are banks."""
        return shape.blocks(self.pixels)

    def lines(self, shape: AcceleratorShape) -> int:
        """Lines of all of it."""
        return self.blocks(shape) * self.words


@dataclass(frozen=True)
class Value:
    """A value of the network: channel words of a buffer, of which ``channels`` channels count.

    ``shape`` is that of the value in the network, its elements in the order of pixels and channels.
    """

    buffer: Buffer
    word: int
    words: int
    height: int
    width: int
    channels: int
    shape: Shape

    @property
    def pixels(self) -> int:
        """How many there are."""
        return self.height * self.width

    @property
    def is_flattened(self) -> bool:
        """Whether its last axis is more than the channels of a pixel."""
        return self.shape[-1] != self.channels

    @property
    def is_whole(self) -> bool:
        """Whether it is all of its buffer."""
        return (self.word, self.words) == (0, self.buffer.words)

    @property
    def first_word(self) -> int:
        """Its first channel word in the root of its buffer."""
        return self.word + self.buffer.first_word

    def part(self, word: int, words: int) -> "Value":
        """Some of its channel words."""
        return replace(self, word=self.word + word, words=words)

    def shaped(self, shape: Shape) -> "Value":
        """The same elements in another shape; its pixels stay what they are if that allows."""
        if shape[-1] != self.channels:
            return replace(self, shape=shape)
        height, width = sides(shape)
        return replace(self, height=height, width=width, shape=shape)


def sides(shape: Shape) -> tuple[int, int]:
    """Rows and columns of the pixels of a value of that shape."""
    return (shape[0], shape[1]) if len(shape) == 3 else (1, prod(shape[:-1]))


def new_value(
    shape: AcceleratorShape, name: str, size: Shape, is_made: bool = True, has_sums: bool = False
) -> Value:
    """A value of its own, of the shape ``size``."""
    height, width = sides(size)
    words = shape.words(size[-1]) * (WORDS_PER_SUM if has_sums else 1)
    buffer = Buffer(name, height * width, words, is_made, has_sums)
    return Value(buffer, 0, words, height, width, size[-1], size)
