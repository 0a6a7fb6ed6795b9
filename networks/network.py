"""A small convolutional network in single precision."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from networks.layers import Array, Layer, Linear, MatrixLayer, MaxPool, Shape, propagate

Float32Array = npt.NDArray[np.float32]

PIXEL_SCALE = 255
"""A pixel of 255 is 1.0 to the network."""


class Parameters(NamedTuple):
    """Weights (K, N) and bias (N,) of one layer, floating point."""

    weights: npt.NDArray[np.floating[Any]]
    bias: npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Network:
    """Layers and their float32 parameters.

    Parameters
    ----------
    input_shape : (rows, columns, channels) of one image
    layers : tuple of Conv and MaxPool, ending with the only Linear
    parameters : the Parameters of every Conv and Linear by its name

    Raises
    ------
    ValueError
        For layers that do not fit each other, or parameters that do not fit their layer.
    """

    input_shape: Shape
    layers: tuple[Layer, ...]
    parameters: Mapping[str, Parameters]

    def __post_init__(self) -> None:
        is_linear = [isinstance(layer, Linear) for layer in self.layers]
        if is_linear != [False] * (len(is_linear) - 1) + [True]:
            raise ValueError("layers must end with the only Linear layer")
        shape = self.input_shape
        for layer in self.layers:
            shape = layer.output_shape(shape)
        names = [matrix_layer.name for matrix_layer in self.matrix_layers]
        if sorted(names) != sorted(self.parameters):
            raise ValueError(
                f"parameters must be those of the layers {', '.join(names)}, each name once, "
                f"not of {', '.join(self.parameters) or 'none'}"
            )
        for matrix_layer in self.matrix_layers:
            weights, bias = self.parameters[matrix_layer.name]
            expected = (matrix_layer.depth, matrix_layer.width)
            if weights.shape != expected or bias.shape != expected[1:]:
                raise ValueError(
                    f"weights and bias of {matrix_layer.name} must have the shapes {expected} and "
                    f"{expected[1:]}, not {weights.shape} and {bias.shape}"
                )

    @property
    def matrix_layers(self) -> tuple[MatrixLayer, ...]:
        """The layers that multiply with weights, in order."""
        return tuple(layer for layer in self.layers if not isinstance(layer, MaxPool))

    def forward(self, images: npt.NDArray[np.uint8]) -> Float32Array:
        """Logits, float32 (N, classes), of ``images`` as in :func:`as_input`."""

        def apply(layer: MatrixLayer, x: Array) -> Array:
            weights, bias = self.parameters[layer.name]
            sums: Array = x @ weights + bias
            return sums if isinstance(layer, Linear) else np.maximum(sums, 0)

        pixels = as_input(images, self.input_shape).astype(np.float32) / np.float32(PIXEL_SCALE)
        return propagate(self.layers, pixels, apply)


def as_input(images: npt.NDArray[np.uint8], shape: Shape) -> npt.NDArray[np.uint8]:
    """``images`` as (N, rows, columns, channels), checked to be bytes of that ``shape``.

    The channel axis may be missing where there is one channel. Raises ``TypeError`` for a dtype
    other than uint8 and ``ValueError`` for another shape.
    """
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8:
        kind = getattr(images, "dtype", type(images).__name__)
        raise TypeError(f"images must be a uint8 array, not {kind}")
    rows, columns, channels = shape
    if channels == 1 and images.shape[1:] == (rows, columns):
        return images[..., np.newaxis]
    if images.shape[1:] != shape:
        raise ValueError(
            f"images must have the shape (N, {rows}, {columns}, {channels}), not {images.shape}"
        )
    return images
