"""Post-training quantization to the integers that an accelerator computes with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from golden import FixedPointScale, requantize
from networks.grid import on_grid
from networks.layers import Array, Layer, Linear, MatrixLayer, Shape, propagate
from networks.network import PIXEL_SCALE, Network, Parameters, as_input

ACTIVATION_MAX = 255
MAX_BIAS = 1 << 30
"""Half of an int32; the other half is left to the products."""
MAX_DEPTH = ((1 << 31) - 1 - MAX_BIAS) // (ACTIVATION_MAX * 128)
ZERO_SCALE = 1e-30
"""Stands for the scale of a channel that is all zeros; it requantizes by a multiplier of 0."""

Int32Array = npt.NDArray[np.int32]
Matmul = Callable[[MatrixLayer, npt.NDArray[np.uint8], npt.NDArray[np.int8]], Int32Array]
"""``matmul(layer, x, w)``: the int32 product (M, N) of uint8 ``x`` (M, K) and int8 ``w`` (K, N)."""


@dataclass(frozen=True)
class Requantization:
    """``multiplier / 2**shift`` per output channel, int64 (N,), as ``golden.requantize`` takes."""

    multiplier: npt.NDArray[np.int64]
    shift: npt.NDArray[np.int64]


@dataclass(frozen=True)
class QuantizedParameters:
    """Integers of one layer: ``weights`` int8 (K, N), ``bias`` int32 (N,) to add to the products.

    ``requantization`` turns the sums into the next layer's activations, ReLU included; it is None
    in the last layer, whose sums are the logits.
    """

    weights: npt.NDArray[np.int8]
    bias: Int32Array
    requantization: Requantization | None


@dataclass(frozen=True)
class QuantizedNetwork:
    """A network in integers alone; made by :func:`quantize`."""

    input_shape: Shape
    layers: tuple[Layer, ...]
    parameters: Mapping[str, QuantizedParameters]

    def forward(self, images: npt.NDArray[np.uint8], matmul: Matmul) -> Int32Array:
        """Logits, int32 (N, classes), with every product computed by ``matmul``.

        ``images`` as in :func:`networks.network.as_input`; their bytes are the first layer's
        activations. ``matmul`` is called once per layer, in order, for all images together: give it
        ``golden.exact_matmul``, ``golden.sparq_matmul`` in some format, or hardware. Raises
        ``ValueError`` if its result has another shape, ``TypeError`` if it is not int32.
        """

        def apply(layer: MatrixLayer, x: Array) -> Array:
            parameters = self.parameters[layer.name]
            products = matmul(layer, x, parameters.weights)
            expected = (len(x), layer.width)
            if products.shape != expected:
                raise ValueError(
                    f"matmul must return the shape {expected} for {layer.name}, "
                    f"not {products.shape}"
                )
            if products.dtype != np.int32:
                raise TypeError(f"matmul must return int32 for {layer.name}, not {products.dtype}")
            sums = products + parameters.bias
            scale = parameters.requantization
            return sums if scale is None else requantize(sums, scale.multiplier, scale.shift)

        return propagate(self.layers, as_input(images, self.input_shape), apply)


def quantize(
    network: Network, images: npt.NDArray[np.uint8], weight_bits: int = 8
) -> QuantizedNetwork:
    """Quantize ``network`` after training, as SPARQ presumes (paper, section 5).

    Activations are unsigned bytes, one scale per tensor: the largest value that ``images`` (as in
    :func:`networks.network.as_input`) give rise to, / 255. Weights are symmetric signed integers of
    ``weight_bits`` bits, one scale per output channel: the largest magnitude / (2**(weight_bits-1)
    - 1). The last layer has one scale for all its outputs, so its sums compare as they are. A scale
    is made coarser where the bias would exceed 2**30. The result is the same on every machine.

    Raises ``ValueError`` for ``weight_bits`` other than 2 to 8, no images, or a layer so deep that
    its sums could leave int32.
    """
    if not isinstance(weight_bits, int) or not 2 <= weight_bits <= 8:
        raise ValueError(f"weight_bits must be an integer from 2 to 8, not {weight_bits!r}")
    calibration = as_input(images, network.input_shape)
    if len(calibration) == 0:
        raise ValueError("images must hold at least 1 image to calibrate with, not 0")
    scales = _activation_scales(network, calibration)
    layers = network.matrix_layers
    output_scales = [scales[layer.name] for layer in layers[1:]] + [None]
    parameters = {
        layer.name: _quantize_layer(
            layer, network.parameters[layer.name], weight_bits, scales[layer.name], output_scale
        )
        for layer, output_scale in zip(layers, output_scales, strict=True)
    }
    return QuantizedNetwork(network.input_shape, network.layers, parameters)


def _activation_scales(network: Network, images: npt.NDArray[np.uint8]) -> dict[str, float]:
    """The real value of one activation step at the input of each layer."""
    largest: dict[str, float] = {}

    def apply(layer: MatrixLayer, x: Array) -> Array:
        largest[layer.name] = float(x.max())
        weights, bias = network.parameters[layer.name]
        # Exact sums: a maximum that depended on the machine could move a multiplier by one.
        sums = on_grid(x) @ on_grid(weights) + bias
        return sums if isinstance(layer, Linear) else np.maximum(sums, 0)

    propagate(network.layers, images / PIXEL_SCALE, apply)
    # The first layer takes the image bytes as they are; a layer that sees only zeros, any scale.
    largest[network.matrix_layers[0].name] = 1.0
    return {name: (value or 1.0) / ACTIVATION_MAX for name, value in largest.items()}


def _quantize_layer(
    layer: MatrixLayer,
    parameters: Parameters,
    weight_bits: int,
    input_scale: float,
    output_scale: float | None,
) -> QuantizedParameters:
    if layer.depth > MAX_DEPTH:
        raise ValueError(
            f"K must be at most {MAX_DEPTH} for int32 sums, not {layer.depth} in {layer.name}"
        )
    weights, bias = (array.astype(np.float64) for array in parameters)
    weight_max = (1 << (weight_bits - 1)) - 1
    scales = np.maximum(
        np.abs(weights).max(axis=0) / weight_max, np.abs(bias) / input_scale / MAX_BIAS
    )
    if output_scale is None:
        scales = np.full_like(scales, scales.max())
    scales = np.maximum(scales, ZERO_SCALE)
    requantization = None
    if output_scale is not None:
        factors = [FixedPointScale.nearest(s * input_scale / output_scale) for s in scales]
        requantization = Requantization(
            np.array([factor.multiplier for factor in factors], np.int64),
            np.array([factor.shift for factor in factors], np.int64),
        )
    return QuantizedParameters(
        np.rint(weights / scales).astype(np.int8),
        np.rint(bias / (scales * input_scale)).astype(np.int32),
        requantization,
    )
