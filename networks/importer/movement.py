"""ONNX's operators that move values."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from networks.graph.elementwise import Affine
from networks.graph.embedding import Embedding
from networks.graph.lowering import Array
from networks.graph.movement import Concat, Expand, Pad, Slice, Take
from networks.importer.context import Context, Value, channels_last

_BEYOND_ANY_AXIS = 2**31 - 1
"""Ends of slices from here on mean the end of the axis."""


def concat(node: Context) -> Value:
    """Concat along any axis of an image, of values and, before or after all of them, constants."""
    if "axis" not in node.attributes:
        raise ValueError("attribute axis is missing")
    places = [i for i, given in enumerate(node.inputs) if isinstance(given, Value)]
    if not places or places != list(range(places[0], places[-1] + 1)):
        raise ValueError("constants must come before or after all values")
    values = node.values(places)
    axis = node.axis(node.attribute("axis", 1), values[0])
    if len(places) == len(node.inputs):
        return values[0] if len(values) == 1 else node.emit(Concat(axis + 1), *values)
    joined = values[0]
    if len(values) > 1:
        joined = node.emit(Concat(axis + 1), *values, part="/values")
    return _with_constants(node, joined, axis, places)


def _with_constants(node: Context, x: Value, axis: int, places: Sequence[int]) -> Value:
    """``x`` between constants: padded along the stored ``axis``, and the constants added."""
    position = x.order.index(axis)
    parts: list[list[Array]] = [[], []]
    for index, given in enumerate(node.inputs):
        if isinstance(given, np.ndarray):
            constant = node.of_all_images(index, x)
            size = constant.shape[position + 1] if constant.ndim == x.rank else 0
            shape = (*x.shape[:position], size, *x.shape[position + 1 :])
            if constant.ndim != x.rank or constant.shape[1:] != shape or constant.shape[0] != 1:
                raise ValueError(
                    f"a constant of the shape {constant.shape} cannot be joined to images of "
                    f"{x.shape}"
                )
            parts[index > places[0]].append(constant)
    before, after = (sum(part.shape[position + 1] for part in side) for side in parts)
    amounts = [(0, 0)] * len(x.stored)
    amounts[axis] = before, after
    padded = node.emit(Pad(tuple(amounts)), x, part="/padded")
    zeros = np.zeros((1, *x.shape))
    offset = np.concatenate([*parts[0], zeros, *parts[1]], axis=position + 1)
    stored = node.stored(offset, padded)
    return node.emit(Affine(np.ones_like(stored), stored), padded)


def flatten(node: Context) -> Value:
    """Flatten to one axis beside the batch."""
    x = node.value()
    if node.attribute("axis", 1) not in (1, 1 - x.rank):
        raise ValueError("must keep the batch axis")
    return node.reshaped(x, (1, math.prod(x.stored)), 1)


def reshape(node: Context) -> Value:
    """Reshape, 0 and -1 in the new shape included."""
    x, batch = node.value(), node.batch or 1
    old, new = (batch, *x.shape), node.integers(1, "shape") or []
    if not node.attribute("allowzero", 0):
        new = [old[axis] if size == 0 else size for axis, size in enumerate(new)]
    if new.count(-1) == 1:
        known = -math.prod(new)
        if known < 1 or math.prod(old) % known:
            raise ValueError(f"the shape {old} cannot become {tuple(new)}")
        new[new.index(-1)] = math.prod(old) // known
    if math.prod(new) != math.prod(old) or min(new, default=1) < 1:
        raise ValueError(f"the shape {old} cannot become {tuple(new)}")
    return node.reshaped(x, tuple(new), batch)


def squeeze(node: Context) -> Value:
    """Squeeze of some axes, or of all of size 1."""
    x, batch = node.value(moved=True), node.batch or 1
    old = (*x.shape[: x.batch], batch, *x.shape[x.batch :])
    axes = node.integers(1, "axes")
    if axes is None:
        axes = [axis for axis, size in enumerate(old) if size == 1]
    dropped = {node.axis(axis, x) for axis in axes}
    if any(x.stored[axis] != 1 for axis in dropped):
        raise ValueError(f"the axes {axes} of the shape {old} are not all of size 1")
    if x.batch:
        return node.without(x, dropped)
    kept = [x.stored[axis] for axis in x.order if axis not in dropped]
    return node.reshaped(x, (batch, *kept), batch)


def unsqueeze(node: Context) -> Value:
    """Unsqueeze: new axes of size 1."""
    x, axes = node.value(), node.integers(1, "axes") or []
    rank = x.rank + len(axes)
    if any(not -rank <= axis < rank for axis in axes):
        raise ValueError(f"there is no axis for each of {axes} in a value of rank {rank}")
    added = {axis % rank for axis in axes}
    if 0 in added or len(added) != len(axes):
        raise ValueError("must keep the batch axis")
    sizes = iter((1, *x.shape))
    new = tuple(1 if axis in added else next(sizes) for axis in range(rank))
    return node.reshaped(x, new, 1)


def transpose(node: Context) -> Value:
    """Transpose of an image's axes: they are called by other numbers, and stay where they are."""
    x = node.value(moved=True)
    order = node.integers(len(node.inputs), "perm") or list(range(x.rank))[::-1]
    if sorted(order) != list(range(x.rank)):
        raise ValueError(f"perm must order {x.rank} axes, not be {order}")
    kept = tuple(node.axis(axis, x) for axis in order if axis != x.batch)
    return replace(x, order=kept, batch=order.index(x.batch))


def slice_(node: Context) -> Value:
    """Slice along axes of an image, with any steps."""
    x = node.value(moved=True)
    starts, ends = node.integers(1, "starts"), node.integers(2, "ends")
    if starts is None or ends is None:
        raise ValueError("starts and ends are missing")
    given = node.integers(3, "axes")
    axes = list(range(len(starts))) if given is None else given
    steps = node.integers(4, "steps") or [1] * len(starts)
    slices = [slice(None)] * len(x.stored)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if axis in (x.batch, x.batch - x.rank) and _all_images(node, slice(start, end, step)):
            continue
        stored = node.axis(axis, x)
        first, stop, step = slice(start, end, step).indices(x.stored[stored])
        # An end before the first position has no number in Python.
        slices[stored] = slice(first, stop if stop >= 0 else None, step)
    return node.emit(Slice(tuple(slices)), x)


def _all_images(node: Context, part: slice) -> bool:
    most = range(_BEYOND_ANY_AXIS)
    return most[part] == most or (
        node.batch is not None and range(node.batch)[part] == range(node.batch)
    )


def split(node: Context) -> list[Value]:
    """Split into parts of given sizes, or of equal ones, the last being smaller if need be."""
    x, count = node.value(moved=True), len(node.outputs)
    axis = node.axis(node.attribute("axis", 0), x)
    size = x.stored[axis]
    sizes = node.integers(1, "split")
    if sizes is None:
        count = node.attribute("num_outputs", count)
        each = -(-size // count)
        sizes = [min(each, size - each * index) for index in range(count)]
    if len(sizes) != len(node.outputs) or sum(sizes) != size or min(sizes) < 1:
        raise ValueError(f"{size} positions cannot be split into {len(node.outputs)}, of {sizes}")
    ends = np.cumsum(sizes).tolist()
    results = []
    for index, (end, length) in enumerate(zip(ends, sizes, strict=True)):
        parts = [slice(None)] * len(x.stored)
        parts[axis] = slice(end - length, end)
        results.append(node.emit(Slice(tuple(parts)), x, result=index))
    return results


def gather(node: Context) -> Value:
    """Gather of constant indices along one axis of an image, or of rows of a constant table."""
    if isinstance(node.inputs[0], np.ndarray):
        return _embedded(node)
    x, indices = node.value(moved=True), node.constant(1)
    if indices.dtype.kind not in "iu":
        raise ValueError(f"input 1 must be of integers, not {indices.dtype}")
    given = node.attribute("axis", 0)
    axis = node.axis(given, x)
    size = x.stored[axis]
    if ((indices < -size) | (indices >= size)).any():
        raise ValueError(f"indices must be from {-size} to {size - 1}")
    flat = tuple(int(index) % size for index in indices.ravel())
    taken = Take(axis + 1, flat)
    if indices.ndim == 1:
        return node.emit(taken, x)
    if x.batch:
        if indices.ndim:
            raise ValueError("must keep the batch axis")
        return node.without(node.emit(taken, x), {axis})
    first = given % x.rank - 1
    shape = (1, *x.shape[:first], *indices.shape, *x.shape[first + 1 :])
    return node.reshaped(node.emit(taken, x, part="/taken"), shape, 1)


def _embedded(node: Context) -> Value:
    """The row of a table for each integer."""
    tokens, table = node.value(1), node.constant(0)
    node.weights(0)
    if not tokens.integers:
        raise ValueError("input 1 must be of integers, as an input of the model has them")
    if table.ndim != 2 or node.attribute("axis", 0) != 0:
        raise ValueError(f"rows must be taken from a matrix, not from the shape {table.shape}")
    order = (*tokens.order, len(tokens.stored))
    return node.emit(Embedding(table), tokens, order=order)


def expand(node: Context) -> Value:
    """Expand: axes of size 1 repeated."""
    x, given = node.value(), node.integers(1, "shape") or []
    shape = (1,) * (x.rank - len(given)) + tuple(given)
    if len(shape) != x.rank or shape[0] not in (1, node.batch or 1):
        raise ValueError("must keep the batch axis")
    stored = list(x.stored)
    for axis, size, new in zip(x.order, x.shape, shape[1:], strict=True):
        if 1 not in (size, new) and size != new:
            raise ValueError(f"the shape {x.shape} cannot be repeated to {shape[1:]}")
        stored[axis] = max(size, new)
    return x if tuple(stored) == x.stored else node.emit(Expand(tuple(stored)), x)


def pad(node: Context) -> Value:
    """Pad of an image's axes with a constant, a reflection or the edge."""
    x = node.value()
    pads, given = node.integers(1, "pads") or [], node.integers(3, "axes")
    axes = list(range(x.rank)) if given is None else given
    mode = node.attribute("mode", "constant")
    if mode not in ("constant", "reflect", "edge"):
        raise ValueError(f"the mode {mode!r} is not supported")
    fill = node.scalar(2, 0.0)
    if not math.isfinite(fill):
        raise ValueError(f"padding must be finite, not {fill}")
    if len(pads) != 2 * len(axes) or min(pads, default=0) < 0:
        raise ValueError(f"pads must be two sizes of at least 0 for each axis, not {pads}")
    amounts = [(0, 0)] * len(x.stored)
    for axis, before, after in zip(axes, pads, pads[len(axes) :], strict=False):
        if axis in (0, -x.rank) and before == after == 0:
            continue
        stored = node.axis(axis, x)
        if mode == "reflect" and max(before, after) >= x.stored[stored]:
            raise ValueError(f"{x.stored[stored]} positions are too few to reflect in {pads}")
        amounts[stored] = before, after
    return node.emit(Pad(tuple(amounts), mode, fill), x)


def depth_to_space(node: Context) -> Value:
    """DepthToSpace: blocks of channels become blocks of pixels."""
    x, block = node.value(rank=4), node.attribute("blocksize", 0)
    x = node.arranged(x, channels_last(3))
    rows, columns, channels = x.stored
    mode = node.attribute("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise ValueError(f"the mode {mode!r} is unknown")
    if block < 1 or channels % block**2:
        raise ValueError(f"blocks of {block} by {block} do not fit {channels} channels")
    depth = channels // block**2
    parts, after = (block, block, depth), (0, 2, 1, 3, 4)
    if mode == "CRD":
        parts, after = (depth, block, block), (0, 3, 1, 4, 2)
    shape = (rows, columns, *parts)
    apart = node.rearrange(x, (0, 1, 2), shape, after, tuple(range(5)), "/blocks")
    whole = (rows * block, columns * block, depth)
    return node.rearrange(apart, tuple(range(5)), whole, (0, 1, 2), channels_last(3))


def space_to_depth(node: Context) -> Value:
    """SpaceToDepth: blocks of pixels become blocks of channels."""
    x, block = node.value(rank=4), node.attribute("blocksize", 0)
    x = node.arranged(x, channels_last(3))
    rows, columns, channels = x.stored
    if block < 1 or rows % block or columns % block:
        raise ValueError(f"blocks of {block} by {block} do not fit an image of {rows} by {columns}")
    shape = (rows // block, block, columns // block, block, channels)
    apart = node.rearrange(x, (0, 1, 2), shape, (0, 2, 1, 3, 4), tuple(range(5)), "/blocks")
    whole = (rows // block, columns // block, channels * block**2)
    return node.rearrange(apart, tuple(range(5)), whole, (0, 1, 2), channels_last(3))
