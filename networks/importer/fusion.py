"""Simplifications of a graph: what hardware does in one step becomes one node."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from networks.graph.attention import LayerNormalization, MatrixProduct, Softmax
from networks.graph.elementwise import (
    Affine,
    Function,
    Largest,
    Product,
    Quotient,
    Smallest,
    Sum,
)
from networks.graph.expression import Expression, X, apply, limited
from networks.graph.graph import Node
from networks.graph.lowering import Flat, Shape
from networks.graph.movement import Rearrange
from networks.graph.operations import (
    JOINING,
    SCALED_ALIKE,
    BatchNormalization,
    MatrixLayer,
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
    What works element by element on one value is one function of it.
    """
    merged = _merged(nodes, shapes, batch_norms, output)
    # What became one scale and offset may go into the node before.
    return _merged(_functions(merged, shapes, output), shapes, batch_norms, output)


def _merged(
    nodes: Sequence[Node],
    shapes: Mapping[str, Shape],
    batch_norms: Mapping[str, BatchNormalization],
    output: str,
) -> tuple[Node, ...]:
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
    operation = node.operation
    if isinstance(operation, Affine):
        return _merge_affine(before, node, operation, batch_norm)
    # What moves or joins values has no arithmetic to put the limits into.
    if (
        isinstance(operation, Sum)
        and not operation.factors
        and before.clip is None
        and not isinstance(before.operation, (*SCALED_ALIKE, *JOINING))
    ):
        return replace(before, clip=node.clip, output=node.output)
    return None


def _merge_affine(
    before: Node, node: Node, affine: Affine, batch_norm: BatchNormalization | None
) -> Node | None:
    """``affine``, that of ``node``, as a part of ``before``."""
    layer, clip = before.operation, node.clip
    if before.clip is not None:
        limits = _scaled_limits(before.clip, affine)
        if limits is None or clip is not None:
            return None
        clip, batch_norm = limits, None
    same = affine.scale.shape == affine.offset.shape
    merged: MatrixLayer | LayerNormalization | MatrixProduct | Affine
    if isinstance(layer, MatrixLayer) and same and affine.scale.shape == (layer.width,):
        merged = _scaled(layer, affine, batch_norm)
    elif isinstance(layer, LayerNormalization) and same and affine.scale.ndim == 1:
        offset = layer.offset * affine.scale + affine.offset
        merged = replace(layer, scale=layer.scale * affine.scale, offset=offset)
    elif isinstance(layer, MatrixProduct) and _scaled_limits((0, 0), affine) is not None:
        merged = replace(layer, scale=layer.scale * float(affine.scale.flat[0]))
    elif isinstance(layer, Affine) and before.clip is None:
        merged = Affine(layer.scale * affine.scale, layer.offset * affine.scale + affine.offset)
    else:
        return None
    return replace(before, operation=merged, output=node.output, clip=clip)


def _scaled_limits(clip: tuple[float, float], affine: Affine) -> tuple[float, float] | None:
    """The limits after ``affine``, if that is a positive factor of all channels and no more."""
    factor = float(affine.scale.flat[0])
    if factor <= 0 or (affine.scale != factor).any() or affine.offset.any():
        return None
    return clip[0] * factor, clip[1] * factor


def _scaled(
    layer: MatrixLayer, affine: Affine, batch_norm: BatchNormalization | None
) -> MatrixLayer:
    if batch_norm is None and layer.batch_norm is not None:  # a scale and an offset behind one
        norm = layer.batch_norm
        batch_norm = norm._replace(
            scale=norm.scale * affine.scale, offset=norm.offset * affine.scale + affine.offset
        )
    return replace(
        layer,
        weights=layer.weights * affine.scale.reshape(len(layer.weights), 1, -1),
        bias=layer.bias * affine.scale + affine.offset,
        batch_norm=batch_norm,
    )


def _functions(nodes: Sequence[Node], shapes: Mapping[str, Shape], output: str) -> Sequence[Node]:
    """``nodes``, those that work element by element on one value as functions of it.

    Each value is a function of the first one, on the way back from it, from which it is made so;
    what is only needed in between is gone.
    """
    functions: dict[str, tuple[str, Expression]] = {}
    for node in nodes:
        roots = {functions.get(name, (name, X))[0] for name in node.inputs}
        expression = _expression(node, [functions.get(name, (name, X))[1] for name in node.inputs])
        if len(roots) == 1 and expression is not None:
            functions[node.output] = (roots.pop(), expression)
    needed, kept = {output}, []
    for node in reversed(nodes):
        if node.output not in needed:
            continue
        root, expression = functions.get(node.output, ("", X))
        alone = len(node.inputs) == 1 and node.inputs[0] == root
        if root and (not alone or isinstance(node.operation, Function)):
            node = _function(node, root, expression, shapes[root])
        needed.update(node.inputs)
        kept.append(node)
    return kept[::-1]


def _expression(node: Node, inputs: Sequence[Expression]) -> Expression | None:
    """What ``node`` makes of ``inputs``, but None if it does not work element by element."""
    operation = node.operation
    result = None
    if isinstance(operation, Affine) and operation.scale.ndim == operation.offset.ndim == 1:
        result = inputs[0]
        for name, constants, neutral in (
            ("multiply", operation.scale, 1),
            ("add", operation.offset, 0),
        ):
            if (constants != neutral).any():
                same = (constants == constants[0]).all()
                result = apply(name, result, constants[0] if same else constants)
    elif isinstance(operation, Function):
        result = operation.expression.of(inputs[0])
    elif isinstance(operation, Sum):
        factors = operation.factors or (1.0,) * len(inputs)
        terms = [
            term if factor == 1 else apply("multiply", term, factor)
            for term, factor in zip(inputs, factors, strict=True)
        ]
        result = terms[0]
        for term in terms[1:]:
            result = apply("add", result, term)
    elif isinstance(operation, Product | Quotient):
        result = apply("multiply" if isinstance(operation, Product) else "divide", *inputs)
    elif isinstance(operation, Largest | Smallest):
        name = "maximum" if isinstance(operation, Largest) else "minimum"
        result = inputs[0]
        for value in inputs[1:]:
            result = apply(name, result, value)
    return result if result is None or node.clip is None else limited(result, *node.clip)


def _function(node: Node, root: str, expression: Expression, shape: Shape) -> Node:
    """``node`` as a function of the value ``root``.

    A scale, an offset and limits if it is no more.
    """
    inner, clip = _limits(expression)
    linear = inner.linear()
    if linear is None:
        return replace(node, operation=Function(expression), inputs=(root,), clip=None)
    scale, offset = (np.broadcast_to(part, shape[-1:]) for part in linear)
    return replace(node, operation=Affine(scale, offset), inputs=(root,), clip=clip)


def _limits(expression: Expression) -> tuple[Expression, tuple[float, float] | None]:
    """What ``expression`` limits, and the limits, as :func:`limited` puts them."""
    inner, found = expression, {"minimum": np.inf, "maximum": -np.inf}
    for name in found:
        operands = inner.operands if inner.function == name else ()
        match operands:
            case (Expression() as unlimited, np.ndarray(ndim=0) as limit):
                inner, found[name] = unlimited, float(limit)
    low, high = found["maximum"], found["minimum"]
    if inner is expression or low > high:
        return expression, None
    return inner, (low, high)


def as_ranking(nodes: Sequence[Node], output: str) -> tuple[tuple[Node, ...], str, bool]:
    """``nodes`` and ``output`` without a softmax or a sigmoid at the end, which may be moved.

    Values are in the same order without it. Also returns whether there was one.
    """
    producers = {node.output: node for node in nodes}
    uses = Counter(name for node in nodes for name in node.inputs)
    moved: list[Node] = []
    name = output
    while (last := producers.get(name)) is not None and uses[name] == (1 if moved else 0):
        if last.clip is None and (isinstance(last.operation, Softmax) or _is_sigmoid(last)):
            left = last.inputs[0]
            if not moved:
                return tuple(live_nodes(nodes, left)), left, True
            after = replace(moved[-1], inputs=(left,))
            kept = [after if node is moved[-1] else node for node in nodes]
            return tuple(live_nodes(kept, output)), output, True
        if not isinstance(last.operation, Rearrange):
            break
        moved.append(last)
        name = last.inputs[0]
    return tuple(nodes), output, False


def _is_sigmoid(node: Node) -> bool:
    operation = node.operation
    if not isinstance(operation, Function):
        return False
    expression = operation.expression
    return expression.function == "sigmoid" and all(
        isinstance(part, Expression) and part.function == "x" for part in expression.operands
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
