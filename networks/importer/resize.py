"""ONNX's resizing of images."""

import numpy as np
import numpy.typing as npt

from networks.graph.movement import Interpolate, Take, Taps
from networks.importer.context import Context, Value

_Coordinates = npt.NDArray[np.float32]
"""In single precision, as onnxruntime has them: ties of the nearest position depend on it."""


def resize(node: Context) -> Value:
    """Resize of images by the nearest pixel, or linearly between pixels."""
    rank = node.value().rank
    x = node.image()
    mode = node.attribute("mode", "nearest")
    if mode not in ("nearest", "linear"):
        # Cubic ones overshoot the range of what they take, whose scale the others share.
        raise ValueError(f"the mode must be nearest or linear, not {mode!r}")
    if node.attribute("antialias", 0):
        raise ValueError("antialias must be 0")
    if node.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise ValueError("keep_aspect_ratio_policy must be 'stretch'")
    places = [_places(node, x, *scale) for scale in _scales(node, x, rank)]
    if mode == "linear":
        return node.emit(Interpolate(*(_taps(*place) for place in places)), x)
    nearest = [_nearest(node, *place) for place in places]
    changed = [
        (axis, indices)
        for axis, indices in enumerate(nearest)
        if indices != tuple(range(x.stored[axis]))
    ]
    for number, (axis, indices) in enumerate(changed, 1):
        part = "" if number == len(changed) else "/rows"
        x = node.emit(Take(axis + 1, indices), x, part=part)
    return x


def _of_old(node: Context) -> bool:
    """Whether it is an Upsample, or a Resize as it was before its modes."""
    return len(node.inputs) < 3


def _scales(node: Context, x: Value, rank: int) -> list[tuple[int, int, np.float32]]:
    """For rows and columns the size, the new one, and what it is scaled by."""
    index = 1 if _of_old(node) else 2
    sizes = node.integers(3, "sizes") if node.has(3) else None
    given = node.integers(len(node.inputs), "axes")
    axes = list(range(rank)) if given is None else [axis % rank for axis in given]
    factors = node.weights(index).ravel().tolist() if sizes is None else sizes
    if len(factors) != len(axes):
        raise ValueError(f"scales or sizes must be one for each of {len(axes)} axes, not {factors}")
    by_axis = dict(zip(axes, factors, strict=True))
    same = (1, 1) if sizes is None else (node.batch or 1, x.stored[-1])
    if any(by_axis.get(axis, size) != size for axis, size in enumerate(same)):
        raise ValueError("images and channels must stay as many as they are")
    result = []
    for axis in (2, 3):
        size = x.stored[axis - 2]
        if axis >= rank or axis not in by_axis:
            result.append((size, size, np.float32(1)))
        elif sizes is None:
            scale = np.float32(by_axis[axis])
            result.append((size, int(np.floor(np.float32(size) * scale)), scale))
        else:
            result.append((size, sizes[axes.index(axis)], np.float32(by_axis[axis] / size)))
    if min(new for _, new, _ in result) < 1 or min(scale for *_, scale in result) <= 0:
        raise ValueError(f"an image must keep a row and a column, scaled by {factors}")
    return result


def _places(
    node: Context, x: Value, size: int, new: int, scale: np.float32
) -> tuple[_Coordinates, int]:
    """Where each new position lies among the ``size`` old ones."""
    mode = node.attribute("coordinate_transformation_mode", "half_pixel")
    if _of_old(node):
        mode = "asymmetric"
    position, half = np.arange(new, dtype=np.float32), np.float32(0.5)
    if size == new and scale == 1:
        places = position
    elif mode == "half_pixel" or (mode == "pytorch_half_pixel" and new > 1):
        places = (position + half) / scale - half
    elif mode == "asymmetric":
        places = position / scale
    elif mode == "tf_half_pixel_for_nn":
        places = (position + half) / scale
    elif mode == "pytorch_half_pixel" or (mode == "align_corners" and new == 1):
        places = np.zeros_like(position)
    elif mode == "align_corners":
        places = position * np.float32(size - 1) / np.float32(new - 1)
    else:
        raise ValueError(f"the coordinate transformation {mode!r} is not supported")
    return places, size


def _nearest(node: Context, places: _Coordinates, size: int) -> tuple[int, ...]:
    half = np.float32(0.5)
    mode = node.attribute("nearest_mode", "round_prefer_floor")
    if _of_old(node):
        mode = "floor"
    if mode == "round_prefer_floor":
        rounded = np.ceil(places - half)
    elif mode == "round_prefer_ceil":
        rounded = np.floor(places + half)
    elif mode in ("floor", "ceil"):
        rounded = np.floor(places) if mode == "floor" else np.ceil(places)
    else:
        raise ValueError(f"the nearest_mode {mode!r} is unknown")
    return tuple(np.clip(rounded, 0, size - 1).astype(int).tolist())


def _taps(places: _Coordinates, size: int) -> Taps:
    inside = np.clip(places.astype(np.float64), 0, size - 1)
    first = np.floor(inside).astype(int)
    second = np.minimum(first + 1, size - 1)
    return Taps(tuple(first.tolist()), tuple(second.tolist()), inside - first)
