# amaranth: UnusedElaboratable=no
# Replicas may stand for what is emitted once, and are then never elaborated.
"""What an edge of the array does for one row or one column."""

from typing import Any, ClassVar

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS
from hdl.element.processing_element import ProcessingElement
from hdl.placement import Component


class EdgeLane(Component):
    """One input, one output, a fixed latency in cycles, and the processing element it serves."""

    module_name: ClassVar[str]
    latency: ClassVar[int]

    def __init__(self, pe: ProcessingElement, bits_in: int, bits_out: int):
        self._pe = pe
        super().__init__({"data_in": In(bits_in), "data_out": Out(bits_out)})


class ActivationLane(EdgeLane):
    """Encodes the bytes of one row, once for all elements of the row. Latency: 1 cycle.

    Members
    -------
    data_in : ``k_per_cycle`` unsigned bytes, the lower k low; above them, where several slices
        share windows, the 8 bits of their group
    data_out : the activation code of the processing element
    """

    measured_alone = True

    module_name = "activation_lane"
    latency = 1

    def __init__(self, pe: ProcessingElement):
        shared_bits = ACTIVATION_BITS if pe.multiplier.slices_per_group > 1 else 0
        bits = pe.k_per_cycle * ACTIVATION_BITS + shared_bits
        super().__init__(pe, bits, len(pe.activation_in))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        register = Signal(self.data_out.shape(), reset_less=True)
        bits = self._pe.k_per_cycle * ACTIVATION_BITS
        activations, shared = self.data_in[:bits], self.data_in[bits:]
        m.d.sync += register.eq(self._pe.multiplier.encode(m, platform, activations, shared))
        m.d.comb += self.data_out.eq(register)
        return m


class WeightLane(EdgeLane):
    """Recodes the weights of one column, once for all elements of the column. Latency: 1 cycle.

    Members
    -------
    data_in : ``k_per_cycle`` signed weights, the lower k low
    data_out : the weight code of the processing element
    """

    measured_alone = True

    module_name = "weight_lane"
    latency = 1

    def __init__(self, pe: ProcessingElement):
        super().__init__(pe, pe.k_per_cycle * pe.multiplier.weight_bits, len(pe.weight_in))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        register = Signal(self.data_out.shape(), reset_less=True)
        m.d.sync += register.eq(self._pe.multiplier.recode(m, platform, self.data_in))
        m.d.comb += self.data_out.eq(register)
        return m


class ResultLane(EdgeLane):
    """One column's results, as they are. Combinational.

    Members
    -------
    data_in, data_out : the accumulator's bits
    """

    module_name = "result_lane"
    latency = 0

    def __init__(self, pe: ProcessingElement):
        super().__init__(pe, pe.acc_bits, pe.acc_bits)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.data_out.eq(self.data_in)
        return m
