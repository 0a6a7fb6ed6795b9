"""ONNX's attributes of convolutions and pools as patches."""

from dataclasses import replace

import numpy as np

from networks.fixed_point import Float64Array
from networks.graph.lowering import Pair, Patch
from networks.importer.context import Context, Value
from networks.importer.model_file import MOST_ELEMENTS


def _extent(patch: Patch, axis: int) -> int:
    return (patch.kernel[axis] - 1) * patch.dilation[axis] + 1


def _padded(patch: Patch, before: tuple[int, ...], after: tuple[int, ...]) -> Patch:
    return replace(patch, padding=(before[0], before[1], after[0], after[1]))


def pair(context: Context, x: Value, name: str, default: int, least: int = 1) -> Pair:
    """An attribute of an integer for each spatial axis of ``x``; of lines, 1 for the columns."""
    sizes = context.sizes(name, (default,) * (x.rank - 2), least)
    return (sizes[0], sizes[1]) if len(sizes) == 2 else (sizes[0], default)


def padding(context: Context, x: Value) -> tuple[int, int, int, int]:
    """The attribute ``pads``: top, left, bottom, right; of lines, only top and bottom."""
    pads = context.sizes("pads", (0,) * (2 * (x.rank - 2)), 0)
    return (pads[0], pads[1], pads[2], pads[3]) if len(pads) == 4 else (pads[0], 0, pads[1], 0)


def patch(context: Context, x: Value, kernel: Pair, groups: int = 1) -> Patch:
    """The patch of a node on ``x``, stored as an image, but for ``ceil_mode``."""
    strides, dilations = (pair(context, x, name, 1) for name in ("strides", "dilations"))
    plain = Patch(kernel, strides, (0, 0, 0, 0), dilations, groups)
    auto = context.attribute("auto_pad", "NOTSET")
    if auto == "NOTSET":
        top, left, bottom, right = padding(context, x)
        result = replace(plain, padding=(top, left, bottom, right))
    elif auto == "VALID":
        result = plain
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        totals = []
        for axis in (0, 1):
            size, stride = x.stored[axis], plain.stride[axis]
            last = (-(-size // stride) - 1) * stride
            totals.append(max(last + _extent(plain, axis) - size, 0))
        small = tuple(total // 2 for total in totals)
        large = tuple(total - total // 2 for total in totals)
        ordered = (small, large) if auto == "SAME_UPPER" else (large, small)
        result = _padded(plain, *ordered)
    else:
        raise ValueError(f"auto_pad {auto!r} is unknown")
    height, width, channels = x.stored
    top, left, bottom, right = result.padding
    if (height + top + bottom) * (width + left + right) * channels > MOST_ELEMENTS:
        raise ValueError(f"padding of {result.padding} is too large")
    return result


def pooling_patch(context: Context, x: Value) -> tuple[Patch, Float64Array]:
    """The patch of a pool on ``x``, and how many elements it covers where: (rows, columns, 1).

    Padding counts if the attribute ``count_include_pad`` is set, but for the part that is there
    for ``ceil_mode`` only.
    """
    height, width = context.sizes("kernel_shape", (0,) * (x.rank - 2), 1) + (1,) * (4 - x.rank)
    declared = patch(context, x, (height, width))
    before, after = declared.padding[:2], declared.padding[2:]
    rounded = declared
    # Padding by auto_pad already gives the number of outputs that it is defined by.
    if context.attribute("ceil_mode", 0) and context.attribute("auto_pad", "NOTSET") == "NOTSET":
        rounded = _padded(
            declared, before, tuple(_ceiling(declared, axis, x.stored[axis]) for axis in (0, 1))
        )
    shape = rounded.output_size(*x.stored[:2])
    inside = [_covered(rounded, axis, shape[axis], 0, x.stored[axis]) for axis in (0, 1)]
    if context.attribute("count_include_pad", 0):
        inside = [
            _covered(rounded, axis, shape[axis], -before[axis], x.stored[axis] + after[axis])
            for axis in (0, 1)
        ]
    if min(counts.min() for counts in inside) < 1:
        raise ValueError("a patch lies in the padding alone")
    return rounded, np.multiply.outer(*inside)[..., np.newaxis].astype(np.float64)


def _ceiling(patch: Patch, axis: int, size: int) -> int:
    """The padding after ``size`` pixels that makes a division round up.

    The last patch must start in the image or in the padding before it.
    """
    before, after = patch.padding[axis], patch.padding[axis + 2]
    extent, stride = _extent(patch, axis), patch.stride[axis]
    if size + before + after < extent:
        return after
    last = -(-(size + before + after - extent) // stride)
    if last * stride >= size + before:
        last -= 1
    return max(last * stride + extent - size - before, 0)


def _covered(patch: Patch, axis: int, count: int, low: int, high: int) -> Float64Array:
    """How many elements of each of ``count`` patches lie at the pixels ``low`` to ``high`` - 1."""
    starts = np.arange(count) * patch.stride[axis] - patch.padding[axis]
    dilation, kernel = patch.dilation[axis], patch.kernel[axis]

    def below(limit: int) -> Float64Array:
        result: Float64Array = np.clip(-((starts - limit) // dilation), 0, kernel)
        return result

    return below(high) - below(low)
