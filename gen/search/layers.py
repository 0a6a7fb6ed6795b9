"""Which layers are windowed: what is chosen of an accelerator at run time, layer by layer."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from networks.evaluation.preparation import EXACT_LAYER
from networks.methods.integers import Integers
from networks.quantization.clips import Clips
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import IntegerMatrixLayer

Layers = frozenset[str]
"""Names of layers that are windowed."""


def with_windows(network: QuantizedNetwork, windowed: Collection[str]) -> QuantizedNetwork:
    """``network``, of its windowed layers those alone that are among ``windowed``."""
    nodes = []
    for node in network.nodes:
        layer = node.operation
        if isinstance(layer, IntegerMatrixLayer) and layer.windowed and layer.name not in windowed:
            node = replace(node, operation=replace(layer, windowed=False, reason=EXACT_LAYER))
        nodes.append(node)
    return replace(network, nodes=tuple(nodes))


@dataclass(frozen=True, eq=False)
class LayerChoice(Clips):
    """The layers that are windowed; clips are those that a network was made of."""

    windowed: Layers = frozenset()


@dataclass(frozen=True, eq=False)
class LayerIntegers(Integers):
    """From layers to the network in which they are windowed, of ``made``, in which all can be."""

    made: QuantizedNetwork = field(kw_only=True)

    def network(self, clips: Clips) -> QuantizedNetwork:
        """The network of a :class:`LayerChoice`, or with all its windows."""
        if isinstance(clips, LayerChoice):
            return with_windows(self.made, clips.windowed)
        return self.made
