"""What of a network's clips can be chosen: one number for each scale of values, and each layer."""

from dataclasses import dataclass, replace

import numpy as np

from networks.graph.graph import Graph
from networks.graph.operations import MatrixLayer
from networks.quantization.clips import Clips
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import WideQuantization
from networks.quantization.quantize import scale_groups, values_of_logits


@dataclass(frozen=True)
class Coordinate:
    """Values that share a scale, or the weights of a layer."""

    name: str
    values: tuple[str, ...] = ()
    layer: str | None = None

    def part(self, clips: Clips) -> tuple[float, ...]:
        """What this is in ``clips``."""
        if self.layer is not None:
            return tuple(clips.weights[self.layer].tolist())
        return tuple(end for name in self.values for end in clips.ranges[name])

    def taken(self, clips: Clips, other: Clips) -> Clips:
        """``clips``, this as in ``other``."""
        if self.layer is not None:
            return replace(clips, weights={**clips.weights, self.layer: other.weights[self.layer]})
        return replace(
            clips, ranges={**clips.ranges, **{name: other.ranges[name] for name in self.values}}
        )

    def scaled(self, clips: Clips, factor: float) -> Clips:
        """``clips``, these times ``factor``; weights must be in them."""
        if self.layer is not None:
            weights = {**clips.weights, self.layer: clips.weights[self.layer] * factor}
            return replace(clips, weights=weights)
        ranges = dict(clips.ranges)
        for name in self.values:
            low, high = ranges[name]
            ranges[name] = (low * factor, high * factor)
        return replace(clips, ranges=ranges)


def coordinates_of(graph: Graph, network: QuantizedNetwork) -> list[Coordinate]:
    """All of ``graph``, of which ``network`` is made, in the order of computation.

    Not of the images, whose bytes are given; nor of the output, where these are sums; nor of values
    of more than a byte.
    """
    groups = scale_groups(graph)
    members: dict[str, list[str]] = {}
    for name, group in groups.items():
        members.setdefault(group, []).append(name)
    fixed = {groups[name] for name in (graph.source, *values_of_logits(graph))}
    fixed |= {
        groups[name]
        for name in graph.shapes
        if isinstance(network.quantizations[name], WideQuantization)
    }
    found = []
    for node in graph.nodes:
        if isinstance(node.operation, MatrixLayer):
            found.append(Coordinate(f"weights of {node.name}", layer=node.name))
        group = groups[node.output]
        if group not in fixed:
            fixed.add(group)
            found.append(Coordinate(f"values {node.output}", values=tuple(members[group])))
    return found


def all_weights(graph: Graph, clips: Clips) -> Clips:
    """``clips`` in which layers that keep all their weights have their largest ones."""
    largest = {
        node.name: np.abs(node.operation.weights).max(axis=1).reshape(-1)
        for node in graph.matrix_nodes
        if isinstance(node.operation, MatrixLayer)
    }
    return replace(clips, weights=largest | dict(clips.weights))
