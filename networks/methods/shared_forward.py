"""Networks that differ in few nodes, on the same images."""

import hashlib
import pickle

from networks.graph.graph import propagate
from networks.graph.lowering import Array
from networks.quantization.arithmetic import Arithmetic
from networks.quantization.network import IntegerNode, QuantizedNetwork
from networks.quantization.operations import Bytes


class SharedForward:
    """The outputs of networks for the same ``images``, products in the same ``arithmetic``.

    What a network has in common with the first one, nodes and all that these are made of, is
    computed once. The values of the first one are all kept, as long as this object is.
    """

    def __init__(self, images: Bytes, arithmetic: Arithmetic) -> None:
        self._images = images
        self._arithmetic = arithmetic
        self._kept: dict[bytes, Array] = {}
        self._is_first = True

    def __call__(self, network: QuantizedNetwork) -> Array:
        """The output of ``network``, integers (N, values): that of ``network.forward``."""
        identities = {network.source: b""}

        def apply(node: IntegerNode, *values: Array) -> Array:
            identity = _identity(node, [identities[name] for name in node.inputs])
            identities[node.output] = identity
            value = self._kept.get(identity)
            if value is None:
                value = node.value(self._arithmetic, values)
            if self._is_first:
                self._kept[identity] = value
            return value

        output = propagate(network.nodes, network.source, self._images, network.output, apply)
        self._is_first = False
        return output.reshape(len(output), -1)


def _identity(node: IntegerNode, inputs: list[bytes]) -> bytes:
    """What stands for the value of ``node``: all that it is computed from."""
    own = pickle.dumps((node.operation, node.clip), pickle.HIGHEST_PROTOCOL)
    return hashlib.sha256(b"".join([hashlib.sha256(own).digest(), *inputs])).digest()
