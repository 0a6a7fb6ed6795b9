# amaranth: UnusedElaboratable=no
# Replicas may stand for what is emitted once, and are then never elaborated.
"""Many products per cycle on one accumulator."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.arithmetic.accumulator import Accumulator
from hdl.multiplier.contract import Multiplier


class DotProductUnit(wiring.Component):
    """A dot product of ``k_per_cycle`` activations and weights per cycle, summed over cycles.

    A processing element without the registers that pass operands and control on: operands are
    broadcast by what is around it, which also registers them. In every cycle the unit adds what its
    multiplier makes of the operands to its accumulator, so a bubble is a slice of zero activations.
    ``last`` ends a sum, which goes to the result register while the next one starts from zero; with
    ``shift`` the result register takes its upper neighbour's instead, so that the results of a
    column leave at its bottom, one per cycle.

    The result is biased as the multiplier says; what the edges have to do about it, and the codes
    of the operands, are the multiplier's.

    Latency: ``last`` comes :attr:`pipeline` + 1 cycles after the operands of a sum's last slice,
    beside those that come as much later; ``result_out`` shows the sum one cycle after ``last``.
    Nothing is reset: the first sum starts with the first ``last``.

    Parameters
    ----------
    multiplier : Multiplier
        Many lanes in one: ``Radix4(8, 8)``, ``MultiplierBank(WindowLanes(fmt, 8), 4)``.
    acc_bits : int
        Width of the accumulator. A sum that does not fit wraps.
    pipeline : int, 0 to 2
        Registers between operands and accumulator: before the addition (1), and also within the
        multiplication (2).

    Members
    -------
    last, shift : In(1)
    activation : In, code of ``k_per_cycle`` activations
    weight : In, code of ``k_per_cycle`` weights
    result_in, result_out : acc_bits, downwards
    """

    module_name = "dot_product_unit"

    def __init__(self, multiplier: Multiplier, acc_bits: int = 32, pipeline: int = 0):
        self.multiplier = multiplier
        self.acc_bits = acc_bits
        self.pipeline = pipeline
        super().__init__(
            {
                "last": In(1),
                "shift": In(1),
                "activation": In(multiplier.activation_code_bits),
                "weight": In(multiplier.weight_code_bits),
                "result_in": In(acc_bits),
                "result_out": Out(acc_bits),
            }
        )

    @property
    def k_per_cycle(self) -> int:
        """Steps of the reduction per cycle."""
        return self.multiplier.k_per_cycle

    @property
    def latency(self) -> int:
        """Cycles from the operands of a sum's last slice to its result."""
        return self.pipeline + 2

    def replica(self) -> "DotProductUnit":
        """A new unit with the same parameters."""
        return DotProductUnit(self.multiplier, self.acc_bits, self.pipeline)

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        # Multiply and accumulate.
        accumulator = Accumulator(m, platform, self.acc_bits, self.multiplier.sum_bits)
        addends = self.multiplier.addends(
            m, platform, self.activation, self.weight, registered=self.pipeline > 1
        )
        accumulator.add(addends, self.last, registered=self.pipeline > 0)

        # Drain.
        result = Signal(self.acc_bits, reset_less=True)
        m.d.sync += result.eq(
            Mux(self.last, accumulator.total, Mux(self.shift, self.result_in, result))
        )
        m.d.comb += self.result_out.eq(result)
        return m
