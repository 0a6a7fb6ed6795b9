"""What quantization keeps of a network's values and weights, and where that comes from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from networks.fixed_point import Float64Array
from networks.graph.graph import Graph
from networks.quantization.calibration import Range, calibrate


@dataclass(frozen=True, eq=False)
class Clips:
    """The range of each value, and the magnitudes of weights beyond which these are clipped.

    ``weights``, by layer: float64 (N,), above 0, of each output channel. Layers that are not there
    keep all their weights. ``shifts``, by layer: int64 (N,), by how many bits the first point of
    each channel is shifted where its weights have a second one, else 0; layers that are not there
    have none. ``orders``, by layer: int64 (C,), the order in which the channels of its input are
    paired; layers that are not there take them as they are. ``biases``, by layer: float64 (N,),
    what is added to the bias of each output channel; layers that are not there keep theirs.
    """

    ranges: Mapping[str, Range]
    weights: Mapping[str, Float64Array] = field(default_factory=dict)
    shifts: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    orders: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    biases: Mapping[str, Float64Array] = field(default_factory=dict)


class ClipSource(Protocol):
    """Where clips come from."""

    def __call__(self, graph: Graph, batches: Iterable[npt.NDArray[Any]]) -> Clips:
        """Those of ``graph``, on images ``batches`` (N, ...), channels-last, where it needs them.

        Raises ``ValueError`` for what no clips can be found by.
        """


@dataclass(frozen=True)
class MinMax:
    """The ranges of :func:`networks.quantization.calibration.calibrate`, and all of the weights."""

    method: str
    percentile: float

    def __call__(self, graph: Graph, batches: Iterable[npt.NDArray[Any]]) -> Clips:
        """Of all images of ``batches``."""
        return Clips(calibrate(graph, batches, self.method, self.percentile))


@dataclass(frozen=True)
class Given:
    """Clips that were found before; images are not looked at, but for that they are taken."""

    clips: Clips

    def __call__(self, graph: Graph, batches: Iterable[npt.NDArray[Any]]) -> Clips:
        """The same for every graph."""
        del graph
        for _ in batches:
            pass
        return self.clips
