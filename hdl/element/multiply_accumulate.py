"""What processing elements and dot-product units have in common."""

from typing import Any, Self

from amaranth.hdl import Module, Mux, Signal, Value

from hdl.arithmetic.accumulator import Accumulator
from hdl.arithmetic.signed_accumulator import SignedAccumulator
from hdl.multiplier.mac import Mac
from hdl.multiplier.mac_part import MacPart
from hdl.multiplier.multiplier import Multiplier
from hdl.multiplier.style import Style


class MultiplyAccumulate(MacPart):
    """A multiplier, an accumulator, and a result register that drains while both go on.

    The result is biased as the multiplier says; what the edges have to do about it, and the codes
    of the operands, are the multiplier's.

    Parameters
    ----------
    multiplier, acc_bits, pipeline
        Of a :class:`Mac`.
    """

    measured_alone = True

    def __init__(self, multiplier: Multiplier, acc_bits: int = 32, pipeline: int = 0):
        self.multiplier = multiplier
        self.acc_bits = acc_bits
        self.pipeline = pipeline
        super().__init__(Mac(multiplier, acc_bits, pipeline))

    @classmethod
    def build(cls, mac: Mac) -> Self:
        return cls(mac.multiplier, mac.acc_bits, mac.pipeline)

    @property
    def k_per_cycle(self) -> int:
        """Activations, and steps of the reduction, per cycle."""
        return self.mac.k_per_cycle

    @property
    def latency(self) -> int:
        """Cycles from the operands of a sum's last slice to its result."""
        return self.mac.latency

    def _accumulate(
        self,
        m: Module,
        platform: Any,
        activation: Value,
        weight: Value,
        last: Value,
        drain: Value,
    ) -> None:
        """Add the product of two codes; hand the sum over with ``last``, and on with ``drain``."""
        # Multiply and accumulate.
        operands = m, platform, activation, weight
        widths = self.acc_bits, self.multiplier.sum_bits
        accumulator: SignedAccumulator | Accumulator
        if self.multiplier.style is Style.BEHAVIORAL:
            accumulator = SignedAccumulator(m, *widths)
            accumulator.add(self.multiplier.addends(*operands, self.pipeline), last)
        else:
            accumulator = Accumulator(m, platform, *widths)
            addends = self.multiplier.addends(*operands, self.pipeline > 1)
            accumulator.add(addends, last, registered=self.pipeline > 0)

        # Drain.
        result = Signal(self.acc_bits, reset_less=True)
        m.d.sync += result.eq(Mux(last, accumulator.total, Mux(drain, self.result_in, result)))
        m.d.comb += self.result_out.eq(result)
