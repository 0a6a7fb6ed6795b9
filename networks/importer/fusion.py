"""Simplifications of a graph: what hardware does in one step becomes one node."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from networks.graph.graph import Node
from networks.graph.lowering import Flat, Shape
from networks.graph.operations import (
    STRUCTURAL,
    Affine,
    BatchNormalization,
    Concat,
    MatrixLayer,
    Rearrange,
    Sum,
)


def live_nodes(nodes: Sequence[Node], output: str) -> list[Node]:
    """The nodes that ``output`` depends on."""
    needed, kept = {output}, []
    for node in reversed(nodes):
        if node.output in needed:
            needed.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def fuse(
    nodes: Sequence[Node],
    shapes: Mapping[str, Shape],
    batch_norms: Mapping[str, BatchNormalization],
    output: str,
) -> tuple[Node, ...]:
    """``nodes`` with fewer of them, of the same ``output``.

    Scales, offsets and limits go into the node before them, if nothing else takes its output.
    A matrix layer behind a flattened image gets its rows in the order in which that is stored.
    """
    uses = Counter(name for node in nodes for name in node.inputs)
    uses[output] += 1
    fused: dict[str, Node] = {}
    for node in nodes:
        before = fused.get(node.inputs[0])
        if before is not None and len(node.inputs) == 1 and uses[before.output] == 1:
            merged = _merge(before, node, batch_norms.get(node.output))
            reordered = _channels_last(before, node, shapes[before.inputs[0]])
            if merged is not None:
                del fused[before.output]
                node = merged
            elif reordered is not None:
                fused[before.output], node = reordered
        fused[node.output] = node
    return tuple(fused.values())


def _merge(before: Node, node: Node, batch_norm: BatchNormalization | None) -> Node | None:
    """One node for ``before`` and ``node``; None if there is none."""
    if before.clip is not None:
        return None
    layer, operation = before.operation, node.operation
    if isinstance(layer, MatrixLayer) and isinstance(operation, Affine):
        return replace(before, operation=_scaled(layer, operation, batch_norm), output=node.output)
    # What moves or joins values has no arithmetic to put the limits into.
    if isinstance(operation, Sum) and not isinstance(layer, (*STRUCTURAL, Concat)):
        return replace(before, clip=node.clip, output=node.output)
    return None


def _scaled(
    layer: MatrixLayer, affine: Affine, batch_norm: BatchNormalization | None
) -> MatrixLayer:
    if batch_norm is None and layer.batch_norm is not None:  # an addition behind one
        batch_norm = layer.batch_norm._replace(offset=layer.batch_norm.offset + affine.offset)
    return replace(
        layer,
        weights=layer.weights * affine.scale.reshape(len(layer.weights), 1, -1),
        bias=layer.bias * affine.scale + affine.offset,
        batch_norm=batch_norm,
    )


def _channels_last(flatten: Node, node: Node, shape: Shape) -> tuple[Node, Node] | None:
    """A flattening of (C, H, W) and a layer as one of (H, W, C), the layer's rows in that order.

    ``shape`` is the image's, (H, W, C); None if that is not what the nodes are.
    """
    move, layer = flatten.operation, node.operation
    if not isinstance(move, Rearrange) or (move.before, move.after) != ((2, 0, 1), (0,)):
        return None
    if not isinstance(layer, MatrixLayer) or not isinstance(layer.lowering, Flat):
        return None
    rows, columns, channels = shape
    weights = layer.weights.reshape(channels, rows, columns, -1).transpose(1, 2, 0, 3)
    return (
        replace(flatten, operation=replace(move, before=(0, 1, 2))),
        replace(node, operation=replace(layer, weights=weights.reshape(layer.weights.shape))),
    )
