"""A trained network to evaluate, and its images as it takes them."""

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from networks.evaluation.data import Images
from networks.graph.graph import Graph
from networks.graph.lowering import Array
from networks.importer import import_onnx, reference_model

MAX_BATCH = 96


class Model(NamedTuple):
    """A trained network: its graph, and an ONNX file of it as bytes."""

    name: str
    graph: Graph
    content: bytes

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one image in ONNX order: (C, H, W), or (F,)."""
        shape = self.graph.input_shape
        return (shape[-1], *shape[:-1]) if len(shape) == 3 else shape

    @property
    def classes(self) -> int:
        """Number of logits."""
        return prod(self.graph.shapes[self.graph.output])


def load_model(
    path: Path, output_name: str | None = None, input_shape: Sequence[int] | None = None
) -> Model:
    """The model in an ONNX file; raises ``ModelError`` for one that cannot be used.

    Arguments as of :func:`networks.importer.import_onnx`.
    """
    chosen = (path, output_name, input_shape)
    return Model(path.name, import_onnx(*chosen), reference_model(*chosen))


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
