"""Masks of sequences: what counts nothing, said exactly instead of by huge negative numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from networks.graph.attention import MaskedMean, Softmax
from networks.graph.elementwise import Affine, Function, Product, Quotient, Sum
from networks.graph.embedding import Embedding
from networks.graph.graph import Node
from networks.graph.lowering import Shape
from networks.graph.movement import Expand, Rearrange, Slice, Take
from networks.graph.operations import AveragePool
from networks.importer.fusion import live_nodes

LEAST_PENALTY = 1000.0
"""What is subtracted where a mask is 0; from far below it on an exponential is 0."""

MOVES = (Expand, Rearrange, Slice, Take)
"""Operations whose outputs are elements of their input, and nothing else."""


def masked(
    nodes: Sequence[Node], source: str, shapes: Mapping[str, Shape], output: str
) -> tuple[Node, ...]:
    """``nodes`` with softmaxes and means that take a mask of the ``source``, of 0 and 1.

    A softmax does of a sum of what it is taken of and a function of a mask that is 0 for 1 and
    -1000 or less for 0. A mean does of a sum of products with a mask, over the sum of that mask, or
    a number of at most 1 if that is larger. Raises ``ValueError`` where a softmax takes a function
    of tokens, which are no mask.
    """
    return _Masks(nodes, source, shapes).replaced(output)


class _Masks:
    def __init__(self, nodes: Sequence[Node], source: str, shapes: Mapping[str, Shape]) -> None:
        self.nodes = nodes
        self.shapes = shapes
        self.producers = {node.output: node for node in nodes}
        self.tokens = {node.inputs[0] for node in nodes if isinstance(node.operation, Embedding)}
        self.added: dict[str, list[Node]] = {}
        self.copied: set[str] = set()
        # What is moved from the source alone.
        self.moved = {source}
        for node in nodes:
            if isinstance(node.operation, MOVES) and node.inputs[0] in self.moved:
                self.moved.add(node.output)

    def replaced(self, output: str) -> tuple[Node, ...]:
        result: list[Node] = []
        for node in self.nodes:
            new = self.softmax(node) or self.mean(node)
            result += self.added.get(node.output, []) if new else []
            result.append(new or node)
        return tuple(live_nodes(result, output))

    def softmax(self, node: Node) -> Node | None:
        total = self.made(node.inputs[0], Sum)
        if not isinstance(node.operation, Softmax) or total is None or len(total.inputs) != 2:
            return None
        if total.clip is not None or total.operation != Sum():
            return None
        for scores, penalty in (total.inputs, total.inputs[::-1]):
            mask = self.penalized(penalty, node.output)
            if mask is not None:
                return replace(node, inputs=(scores, mask))
        return None

    def penalized(self, name: str, output: str) -> str | None:
        """The mask that a penalty is a function of, moved alike before the node of ``output``."""
        path: list[Node] = []
        while name not in self.moved:
            node = self.made(name, *MOVES, Affine, Function)
            if node is None:
                return None
            path.insert(0, node)
            name = node.inputs[0]
        if path and self.is_tokens(name):
            raise ValueError(
                f"{path[0].name}: a mask must be an input of 0 and 1, not be made of tokens"
            )
        shape = (1, *self.shapes[name])
        at_0, at_1 = np.zeros(shape), np.ones(shape)
        for node in path:
            at_0, at_1 = node(at_0), node(at_1)
        if (at_0 > -LEAST_PENALTY).any() or at_1.any():
            return None
        mask = name
        for move in path:
            if not isinstance(move.operation, MOVES):
                continue
            moved = f"{move.output}/mask"
            if moved not in self.copied:
                self.copied.add(moved)
                copy = replace(move, name=f"{move.name}/mask", inputs=(mask,), output=moved)
                self.added.setdefault(output, []).append(copy)
            mask = moved
        return mask

    def is_tokens(self, name: str) -> bool:
        """Whether ``name``, moved from the source, has rows of a table taken for it."""
        while name not in self.tokens and name in self.producers:
            name = self.producers[name].inputs[0]
        return name in self.tokens

    def mean(self, node: Node) -> Node | None:
        if not isinstance(node.operation, Quotient):
            return None
        total, count = self.summed(node.inputs[0]), self.counted(node.inputs[1])
        product = None if total is None else self.made(total, Product)
        limited = self.producers[self.unmoved(node.inputs[0])].clip if total else None
        if product is None or count is None or product.clip or limited:
            return None
        for x, mask in (product.inputs, product.inputs[::-1]):
            if self.root(mask) is None or self.root(mask) != self.root(count):
                continue
            shape, own = self.shapes[x], self.shapes[mask]
            result = (shape[-1],)
            if len(shape) != 2 or own[0] != shape[0] or self.shapes[node.output] != result:
                continue
            # One element of each position: a mask is the same for all features.
            root = self.root(mask) or ""
            line = f"{node.output}/mask"
            rearranged = Rearrange(tuple(range(len(self.shapes[root]))), (shape[0], 1), (0, 1))
            self.added[node.output] = [Node(f"{node.name}/mask", rearranged, (root,), line)]
            return replace(node, operation=MaskedMean(), inputs=(x, line))
        return None

    def summed(self, name: str) -> str | None:
        """What is summed over all its positions, along the first of its axes."""
        pool = self.producers.get(self.unmoved(name))
        if pool is None or not isinstance(pool.operation, AveragePool):
            return None
        rows, columns, _ = self.shapes[pool.inputs[0]]
        whole = pool.operation.patch.kernel == (rows, columns) and columns == 1
        if not whole or (pool.operation.divisors != 1).any():
            return None
        inner = self.unmoved(pool.inputs[0])
        return inner if self.shapes[inner][0] == rows else None

    def counted(self, name: str) -> str | None:
        """The mask whose sum is limited from below by at most 1."""
        name = self.unmoved(name)
        node = self.producers.get(name)
        if node is None:
            return None
        low, high = node.clip or (0.0, 0.0)
        if not (0 < low <= 1 and high == np.inf):
            return None
        return self.summed(node.inputs[0] if isinstance(node.operation, Sum) else name)

    def root(self, name: str) -> str | None:
        """The sequence of the source that ``name`` repeats; None if it is none."""
        while len(self.shapes[name]) > 1:
            node = self.made(name, Expand, Rearrange)
            if node is None or (isinstance(node.operation, Rearrange) and self.is_matrix(name)):
                return None
            name = node.inputs[0]
        return name if name in self.moved else None

    def is_matrix(self, name: str) -> bool:
        """Whether it has more than one axis, so that elements could change places."""
        return sum(size > 1 for size in self.shapes[name]) > 1

    def unmoved(self, name: str) -> str:
        """What ``name`` has the elements of, in their order, in another shape."""
        while (node := self.made(name, Rearrange)) is not None:
            move = node.operation
            assert isinstance(move, Rearrange)
            if (*move.before, *move.after) != (*sorted(move.before), *sorted(move.after)):
                return name
            name = node.inputs[0]
        return name

    def made(self, name: str, *operations: type) -> Node | None:
        node = self.producers.get(name)
        return node if node is not None and isinstance(node.operation, operations) else None
