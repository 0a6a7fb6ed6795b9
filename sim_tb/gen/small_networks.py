"""Small networks of what an accelerator runs, in random order and sizes."""

from math import inf
from typing import Any

import numpy as np

from networks.fixed_point import Float64Array
from networks.graph.elementwise import Affine, Function, Product, Sum
from networks.graph.expression import X, apply
from networks.graph.graph import Graph, Node
from networks.graph.lowering import Flat, Patch
from networks.graph.movement import Concat, Pad, Rearrange, Slice
from networks.graph.operations import AveragePool, MatrixLayer, MaxPool
from networks.quantization.channel_groups import channel_groups
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import Int64Array, IntegerMatrixLayer

RELU = (0.0, inf)


def matrix_layer(
    rng: np.random.Generator, lowering: Patch | Flat, channels: int, width: int
) -> MatrixLayer:
    """Random weights."""
    shape = (lowering.groups, lowering.depth(channels), width // lowering.groups)
    weights = rng.normal(size=shape) / np.sqrt(shape[1])
    return MatrixLayer(lowering, weights, rng.normal(size=width) / 4)


def graph_of(shape: tuple[int, ...], *nodes: tuple[Any, ...]) -> Graph:
    """A graph of (operation, inputs, output[, clip]); nodes are called as what they make."""
    made = tuple(
        Node(output, operation, inputs, output, *clip) for operation, inputs, output, *clip in nodes
    )
    return Graph("x", shape, made, made[-1].output)


def average(patch: Patch) -> AveragePool:
    """Padding counts."""
    return AveragePool(patch, np.full((1, 1, 1), float(patch.kernel[0] * patch.kernel[1])))


class Growing:
    """A graph that random operations are added to; ``word`` channels are a word."""

    def __init__(self, rng: np.random.Generator, word: int):
        self.rng, self.word = rng, word
        size = (int(rng.integers(3, 12)), int(rng.integers(3, 12)), int(rng.integers(1, 6)))
        self.size = size
        self.nodes: list[tuple[Any, ...]] = []
        self.shapes: dict[str, tuple[int, ...]] = {"x": size}

    def add(self, operation: Any, inputs: tuple[str, ...], *clip: tuple[float, float]) -> str:
        """One more node, and its value's name."""
        name = f"{type(operation).__name__} {len(self.nodes)}"
        self.shapes[name] = operation.output_shape(*(self.shapes[each] for each in inputs))
        self.nodes.append((operation, inputs, name, *clip))
        return name

    def pick(self, allowed: Any = lambda shape: True) -> str | None:
        """One of the images, rather a new one."""
        names = [name for name, shape in self.shapes.items() if allowed(shape)]
        if not names:
            return None
        return names[-1 - int(min(self.rng.geometric(0.5) - 1, len(names) - 1))]

    def patch(self, shape: tuple[int, ...], groups: int = 1, over_image: bool = False) -> Patch:
        """One that fits an image; always with a pixel of it, if it has to be ``over_image``."""
        rng = self.rng
        kernel = [int(rng.integers(1, 4)) for _ in range(2)]
        dilation = [1 if over_image else int(rng.integers(1, 3)) for _ in range(2)]
        padding = [int(rng.integers(0, k + (not over_image))) for k in (*kernel, *kernel)]
        for axis in range(2):
            extent = (kernel[axis] - 1) * dilation[axis] + 1
            if shape[axis] + padding[axis] + padding[axis + 2] < extent:
                kernel[axis] = dilation[axis] = 1
                padding[axis] = padding[axis + 2] = 0
        stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        top, left, bottom, right = padding
        return Patch(
            *((kernel[0], kernel[1]), stride, (top, left, bottom, right)),
            *((dilation[0], dilation[1]), groups),
        )

    def limits(self) -> list[tuple[float, float]]:
        """Those of a result: none, or such as those of ReLU."""
        return [[], [RELU], [RELU], [(-0.5, 1.0)]][int(self.rng.integers(4))]

    def convolution(self, name: str) -> str:
        """Dense, grouped or depthwise."""
        rng, channels = self.rng, self.shapes[name][-1]
        width = int(rng.integers(1, 13))
        groups = 1
        if rng.integers(3) == 0:
            groups = int(rng.choice([g for g in (1, 2, 3, channels) if channels % g == 0]))
            width = groups * int(rng.integers(1, 4))
        patch = self.patch(self.shapes[name], groups)
        return self.add(matrix_layer(rng, patch, channels, width), (name,), *self.limits())

    def grow(self) -> None:
        """One more operation, or a few that belong together."""
        rng = self.rng
        name = self.pick() or "x"
        shape = self.shapes[name]
        match int(rng.integers(10)):
            case 0 | 1 | 2:
                self.convolution(name)
            case 3:
                self.add(MaxPool(self.patch(shape, over_image=True)), (name,))
            case 4:
                self.add(average(self.patch(shape)), (name,), *self.limits())
            case 5:
                other = self.pick(lambda s: s == shape) or name
                self.add(Sum((1.0, float(rng.normal()))), (name, other), *self.limits())
            case 6:
                scale, offset = rng.normal(size=(2, shape[-1]))
                self.add(Affine(scale, offset), (name,), *self.limits())
            case 7:
                made = self.convolution(name) if rng.integers(2) else name
                self.add(Function(apply("tanh", X)), (made,), *self.limits())
            case 8:
                gate = self.add(average(Patch((shape[0], shape[1]))), (name,))
                gate = self.add(Function(apply("sigmoid", X)), (gate,))
                inputs = (name, gate) if rng.integers(2) else (gate, name)
                self.add(Product(), inputs, *self.limits())
            case _:
                self.join_and_cut(name)

    def join_and_cut(self, name: str) -> None:
        """Parts that are whole words; pads."""
        rng, shape, word = self.rng, self.shapes[name], self.word
        if rng.integers(3) == 0:
            amounts = [(int(rng.integers(0, 3)), int(rng.integers(0, 3))) for _ in range(2)]
            channels = (0, 0)
            if shape[-1] % word == 0 and rng.integers(2):
                channels = (word * int(rng.integers(0, 3)), int(rng.integers(0, 3 * word)))
                amounts = amounts if rng.integers(2) else [(0, 0), (0, 0)]
            name = self.add(Pad((*amounts, channels), "constant", float(rng.normal())), (name,))
            if rng.integers(2):
                self.convolution(name)
            return
        parts = [
            self.add(
                matrix_layer(rng, Patch((1, 1)), shape[-1], word * int(rng.integers(1, 4))),
                (name,),
                *self.limits(),
            )
            for _ in range(int(rng.integers(1, 3)))
        ]
        if shape[-1] % word == 0 and rng.integers(2):
            parts.append(name)
        joined = self.add(Concat(3), (*parts, self.convolution_like(name)))
        if rng.integers(2):
            words = self.shapes[joined][-1] // word
            first = int(rng.integers(0, words))
            end = int(rng.integers(first, words)) + 1
            cut = slice(first * word, end * word)
            pixels = [slice(None), slice(None)]
            if rng.integers(2):
                starts = [int(rng.integers(0, min(side, 16))) for side in shape[:2]]
                pixels = [slice(start, None, int(rng.integers(1, 4))) for start in starts]
            self.add(Slice((*pixels, cut)), (joined,))

    def convolution_like(self, name: str) -> str:
        """Of 1x1, and any number of channels."""
        width = int(self.rng.integers(1, 6))
        return self.add(
            matrix_layer(self.rng, Patch((1, 1)), self.shapes[name][-1], width), (name,)
        )

    def graph(self) -> Graph:
        """With a fully connected layer, or sums or an image of bytes, at the end."""
        rng = self.rng
        name = self.pick() or "x"
        shape = self.shapes[name]
        match int(rng.integers(3)):
            case 0:
                count = int(np.prod(shape))
                name = self.add(Rearrange((0, 1, 2), (count,), (0,)), (name,))
                name = self.add(matrix_layer(rng, Flat(), count, 7), (name,), RELU)
                self.add(matrix_layer(rng, Flat(), 7, 5), (name,))
            case 1:
                self.add(average(Patch((shape[0], shape[1]))), (name,))
            case _:
                self.add(Sum(), (self.convolution(name),), RELU)
        return graph_of(self.size, *self.nodes)


def random_graph(rng: np.random.Generator, word: int, operations: int) -> Graph:
    """So many random operations, on images that can be negative or not."""
    growing = Growing(rng, word)
    for _ in range(operations):
        growing.grow()
    return growing.graph()


def images_of(graph: Graph, rng: np.random.Generator, count: int) -> Float64Array:
    """Random images."""
    images: Float64Array = rng.normal(size=(count, *graph.input_shape))
    return np.abs(images) if rng.integers(2) else images


def random_orders(network: QuantizedNetwork, rng: np.random.Generator) -> dict[str, Int64Array]:
    """Of all channels that can be reordered, for the windowed layers that take them."""
    groups = channel_groups(network)
    orders: dict[int, Int64Array] = {
        group: rng.permutation(size)
        for group, size in groups.sizes.items()
        if group not in groups.fixed
    }
    found = {}
    for node in network.nodes:
        layer = node.operation
        if isinstance(layer, IntegerMatrixLayer) and layer.windowed and layer.groups == 1:
            order = groups.order(node.inputs[0], orders)
            if order is not None:
                found[layer.name] = order
    return found


def squeeze_network(rng: np.random.Generator, size: tuple[int, int, int], word: int) -> Graph:
    """As SqueezeNet is: a convolution, parts that narrow and widen in two branches that are joined,
    the second behind a pool, and an average of what a last convolution makes.

    Narrow values have ``word`` channels, wide ones three times as many from each branch.
    """
    pad = Patch((3, 3), padding=(1, 1, 1, 1))
    nodes: list[tuple[Any, ...]] = [
        (matrix_layer(rng, pad, size[-1], 2 * word), ("x",), "first", RELU)
    ]
    before, channels = "first", 2 * word
    for fire in ("fire1", "fire2"):
        narrow, small, large, wide = (f"{fire} {name}" for name in ("narrow", "1x1", "3x3", "wide"))
        nodes += [
            (matrix_layer(rng, Patch((1, 1)), channels, word), (before,), narrow, RELU),
            (matrix_layer(rng, Patch((1, 1)), word, 3 * word), (narrow,), small, RELU),
            (matrix_layer(rng, pad, word, 3 * word), (narrow,), large, RELU),
            (Concat(3), (small, large), wide),
        ]
        before, channels = wide, 6 * word
    nodes += [
        (MaxPool(Patch((2, 2), (2, 2))), (before,), "pool"),
        (matrix_layer(rng, Patch((1, 1)), channels, 5), ("pool",), "last", RELU),
        (average(Patch((size[0] // 2, size[1] // 2))), ("last",), "average"),
    ]
    return graph_of(size, *nodes)
