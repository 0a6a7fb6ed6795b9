"""Products of two values in window formats."""

from dataclasses import replace

from networks.quantization.arithmetic import Windows
from networks.quantization.network import QuantizedNetwork
from networks.quantization.operations import MultiplyMatrices
from networks.quantization.quantize import LARGEST_SYMMETRIC, uniform_codes


def window_attention(network: QuantizedNetwork, windows: Windows) -> QuantizedNetwork:
    """``network`` whose products of two values take windows of the first one: Q in Q K, P in P V.

    Those of values with a zero point in the signed format of ``windows``, if it has one; where it
    has none they stay exact. Values without a zero point that the format has not enough bits for
    are recoded to half as many steps.
    """
    nodes = []
    for node in network.nodes:
        operation = node.operation
        if isinstance(operation, MultiplyMatrices):
            nodes.append(replace(node, operation=_windowed(operation, windows)))
        else:
            nodes.append(node)
    return replace(network, nodes=tuple(nodes))


def _windowed(operation: MultiplyMatrices, windows: Windows) -> MultiplyMatrices:
    fmt = windows.signed if operation.zero_point else windows.fmt
    if fmt is None:
        return operation
    finish = operation.requantization
    if operation.zero_point or fmt.magnitude_max > LARGEST_SYMMETRIC or not finish.shift.all():
        return replace(operation, fmt=fmt)
    halved = replace(finish, shift=finish.shift - 1)
    codes = uniform_codes(2.0, LARGEST_SYMMETRIC)
    return replace(operation, fmt=fmt, codes=codes, requantization=halved)
