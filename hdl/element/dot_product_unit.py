"""Many products per cycle on one accumulator."""

from typing import Any, ClassVar

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Member, Out

from hdl.element.multiply_accumulate import MultiplyAccumulate
from hdl.multiplier.mac import Mac
from hdl.multiplier.mac_part import DOWNWARDS, EVERYWHERE, TO_COLUMN, TO_ROW, Route


class DotProductUnit(MultiplyAccumulate):
    """A dot product of ``k_per_cycle`` activations and weights per cycle, summed over cycles.

    A processing element without the registers that pass operands and control on: operands are
    broadcast by what is around it, which also registers them. In every cycle the unit adds what its
    multiplier makes of the operands to its accumulator, so a bubble is a slice of zero activations.
    ``last`` ends a sum, which goes to the result register while the next one starts from zero; with
    ``drain`` the result register takes its upper neighbour's instead, so that the results of a
    column leave at its bottom, one per cycle.

    Latency: ``last`` comes :attr:`pipeline` + 1 cycles after the operands of a sum's last slice,
    beside those that come as much later; ``result_out`` shows the sum one cycle after ``last``.
    Nothing is reset: the first sum starts with the first ``last``.

    Parameters
    ----------
    multiplier : Multiplier
        Many lanes in one: ``Radix4(8, 8)``, ``MultiplierBank(WindowLanes(fmt, 8), 4)``.
    acc_bits, pipeline
        Of a :class:`MultiplyAccumulate`.

    Members
    -------
    last, drain : In(1)
    activation : In, code of ``k_per_cycle`` activations
    weight : In, code of ``k_per_cycle`` weights
    result_in, result_out : acc_bits, downwards
    """

    module_name = "dot_product_unit"

    routes: ClassVar[dict[str, Route]] = {
        "last": EVERYWHERE,
        "drain": EVERYWHERE,
        "activation": TO_ROW,
        "weight": TO_COLUMN,
        "result": DOWNWARDS,
    }

    @classmethod
    def members(cls, mac: Mac) -> dict[str, Member]:
        return {
            "last": In(1),
            "drain": In(1),
            "activation": In(mac.multiplier.activation_code_bits),
            "weight": In(mac.multiplier.weight_code_bits),
            "result_in": In(mac.acc_bits),
            "result_out": Out(mac.acc_bits),
        }

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        self._accumulate(m, platform, self.activation, self.weight, self.last, self.drain)
        return m
