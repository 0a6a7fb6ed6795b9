"""A trained network to evaluate, and its images as it takes them."""

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import onnx

from networks.evaluation.images import Images
from networks.graph.graph import Graph
from networks.graph.lowering import Array
from networks.importer import import_onnx, reference_model
from networks.importer.model_file import read_model

MAX_BATCH = 96
MOVING = ("Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")
"""Operators that do not change values."""


class Model(NamedTuple):
    """A trained network: its graph, and an ONNX file of it as bytes.

    Of the outputs, the one called ``output_name`` is evaluated.
    """

    name: str
    graph: Graph
    content: bytes
    output_name: str
    other_outputs: tuple[str, ...]
    ends_in_sigmoid: bool
    metadata: Mapping[str, str] = MappingProxyType({})

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one image in ONNX order: (C, H, W), or (F,)."""
        return _channels_first(self.graph.input_shape)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the output of one image in ONNX order."""
        return _channels_first(self.graph.shapes[self.graph.output])

    @property
    def logits(self) -> int:
        """Number of values that the output has."""
        return prod(self.graph.shapes[self.graph.output])

    @property
    def classes(self) -> int:
        """Number of classes: one logit alone tells two of them apart."""
        return max(2, self.logits)

    @property
    def thresholds(self) -> tuple[float, float]:
        """What a single logit must be above for class 1, of ``content`` and of ``graph``.

        That is 0, or 0.5 behind a sigmoid.
        """
        is_left_out = self.graph.output != self.output_name
        own = 0.5 if self.ends_in_sigmoid else 0.0
        return own, 0.0 if is_left_out else own


def load_model(
    path: Path,
    output_name: str | None = None,
    input_shape: Sequence[int] | None = None,
    whole: bool = False,
) -> Model:
    """The model in an ONNX file; raises ``ModelError`` for one that cannot be used.

    Arguments as of :func:`networks.importer.import_onnx`.
    """
    chosen = (path, output_name, input_shape)
    graph, content = import_onnx(*chosen, whole), reference_model(*chosen)
    reference = onnx.load_from_string(content).graph
    output = reference.output[0].name
    model = read_model(path)
    others = tuple(value.name for value in model.graph.output if value.name != output)
    ends_in_sigmoid = _ends_in_sigmoid(reference, output)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return Model(path.name, graph, content, output, others, ends_in_sigmoid, metadata)


def _ends_in_sigmoid(graph: onnx.GraphProto, output: str) -> bool:
    producers = {name: node for node in graph.node for name in node.output}
    while output in producers and producers[output].op_type in MOVING:
        output = producers[output].input[0]
    return output in producers and producers[output].op_type == "Sigmoid"


def _channels_first(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[-1], *shape[:-1]) if len(shape) == 3 else shape


def channels_last(images: Array) -> Array:
    """Images in ONNX order (N, C, H, W) as (N, H, W, C); other values as they are."""
    return np.moveaxis(images, 1, -1) if images.ndim == 4 else images


def batches_of(images: Images, elements: int) -> list[Images]:
    """Parts of ``images``, in their order, of at most so many ``elements`` of input each."""
    count = min(MAX_BATCH, max(1, elements // prod(images.input_shape)))
    return [
        images.select(np.arange(top, min(top + count, len(images))))
        for top in range(0, len(images), count)
    ]
