"""Training in arithmetic that gives the same bits on every machine.

Only three kinds of operation are used: element-wise IEEE ``+ - * /`` and ``sqrt``, which round
correctly everywhere; sums and matrix products of values of
:func:`networks.fixed_point.to_fixed_point`, which are exact; and maxima. The exponential is made of
multiplications, because ``exp`` differs in its last bit between libraries and processors.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from networks.fixed_point import Float64Array, to_fixed_point
from networks.samples.mnist.layers import Conv, Layer, MaxPool, Parameters

_SQUARINGS = 20


def softmax(logits: Float64Array) -> Float64Array:
    """Softmax along the last axis, with exp(x) as ``(1 + x / 2**20) ** (2**20)``."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    powers: Float64Array = 1 + shifted / (1 << _SQUARINGS)
    for _ in range(_SQUARINGS):
        powers = powers * powers
    powers /= to_fixed_point(powers).sum(axis=-1, keepdims=True)
    return powers


def gradients(
    layers: Sequence[Layer],
    parameters: Mapping[str, Parameters],
    images: Float64Array,
    labels: npt.NDArray[np.uint8],
) -> dict[str, Parameters]:
    """Gradients of the mean cross-entropy of a batch, float64, for every layer with weights.

    ``images`` (N, H, W, C) and ``labels`` (N,); the last of ``layers`` is the only Linear. The
    result is the same, to the last bit, in whatever order the images come.
    """
    weights = {name: to_fixed_point(layer.weights) for name, layer in parameters.items()}
    values = images
    tape: list[tuple[Layer, Float64Array, Float64Array]] = []
    for layer in layers:
        if isinstance(layer, MaxPool):
            inputs, outputs = values, layer.pool(values)
        else:
            inputs = to_fixed_point(values)
            sums = layer.lower(inputs) @ weights[layer.name] + parameters[layer.name].bias
            if isinstance(layer, Conv):
                sums = np.maximum(sums, 0)
            outputs = sums.reshape(len(values), *layer.output_shape(values.shape[1:]))
        tape.append((layer, inputs, outputs))
        values = outputs

    slope = softmax(values)
    slope[np.arange(len(labels)), labels] -= 1
    slope /= len(labels)
    result: dict[str, Parameters] = {}
    for layer, inputs, outputs in reversed(tape):
        if isinstance(layer, MaxPool):
            winners = inputs == _enlarge(outputs, layer.size)
            slope = np.where(winners, _enlarge(slope, layer.size), 0)
            continue
        if isinstance(layer, Conv):
            slope = np.where(outputs > 0, slope, 0)
        slope = to_fixed_point(slope).reshape(-1, layer.width)
        result[layer.name] = Parameters(layer.lower(inputs).T @ slope, slope.sum(axis=0))
        # The images themselves need no gradient.
        if inputs is not tape[0][1]:
            slope = layer.lower_transposed(slope @ weights[layer.name].T, inputs.shape)
    return result


def _enlarge(images: Float64Array, size: int) -> Float64Array:
    return images.repeat(size, axis=1).repeat(size, axis=2)


class Adam:
    """The Adam optimizer (Kingma and Ba, ICLR 2015) with its usual constants, in float64."""

    BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, parameters: Mapping[str, Parameters]) -> None:
        """Start from ``parameters``, which :meth:`step` then changes in place."""
        self._values = [array for layer in parameters.values() for array in layer]
        self._names = list(parameters)
        self._means = [np.zeros_like(array) for array in self._values]
        self._squares = [np.zeros_like(array) for array in self._values]
        # Powers are products here: pow is not rounded alike by every library.
        self._power1 = self._power2 = 1.0

    def step(self, gradient: Mapping[str, Parameters], rate: float) -> None:
        """Move every parameter against its gradient, at learning rate ``rate``."""
        self._power1 *= self.BETA1
        self._power2 *= self.BETA2
        slopes = [array for name in self._names for array in gradient[name]]
        for value, slope, mean, square in zip(
            self._values, slopes, self._means, self._squares, strict=True
        ):
            mean += (1 - self.BETA1) * (slope - mean)
            square += (1 - self.BETA2) * (slope * slope - square)
            root = np.sqrt(square / (1 - self._power2))
            value -= rate * (mean / (1 - self._power1)) / (root + self.EPSILON)
