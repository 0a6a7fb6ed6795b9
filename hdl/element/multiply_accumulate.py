"""What processing elements and dot-product units have in common."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value

from hdl.arithmetic.accumulator import Accumulator
from hdl.multiplier.multiplier import Multiplier
from hdl.placement import Component


class MultiplyAccumulate(Component):
    """A multiplier, an accumulator, and a result register that drains while both go on.

    The result is biased as the multiplier says; what the edges have to do about it, and the codes
    of the operands, are the multiplier's.

    Parameters
    ----------
    multiplier : Multiplier
    acc_bits : int
        Width of the accumulator. A sum that does not fit wraps.
    pipeline : int, 0 to 2
        Registers between operands and accumulator: before the addition (1), and also within the
        multiplication (2).
    members : mapping
        ``result_in`` and ``result_out``, ``acc_bits`` wide, and what else there is.
    """

    measured_alone = True

    def __init__(
        self, multiplier: Multiplier, acc_bits: int, pipeline: int, members: Mapping[str, Any]
    ):
        self.multiplier = multiplier
        self.acc_bits = acc_bits
        self.pipeline = pipeline
        super().__init__(dict(members))

    @property
    def k_per_cycle(self) -> int:
        """Activations, and steps of the reduction, per cycle."""
        return self.multiplier.k_per_cycle

    @property
    def latency(self) -> int:
        """Cycles from the operands of a sum's last slice to its result."""
        return self.pipeline + 2

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
        accumulator = Accumulator(m, platform, self.acc_bits, self.multiplier.sum_bits)
        addends = self.multiplier.addends(
            m, platform, activation, weight, registered=self.pipeline > 1
        )
        accumulator.add(addends, last, registered=self.pipeline > 0)

        # Drain.
        result = Signal(self.acc_bits, reset_less=True)
        m.d.sync += result.eq(Mux(last, accumulator.total, Mux(drain, self.result_in, result)))
        m.d.comb += self.result_out.eq(result)
