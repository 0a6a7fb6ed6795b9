# amaranth: UnusedElaboratable=no
# Replicas may stand for what is emitted once, and are then never elaborated.
"""What all processing elements have in common."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl.arithmetic.accumulator import Accumulator
from hdl.multiplier.contract import Multiplier

MAX_PIPELINE = 2


class ProcessingElement(wiring.Component):
    """A multiply-accumulate element of an output-stationary array, drained while it computes.

    In every cycle the element adds what its multiplier makes of the operands at its inputs to its
    accumulator (zero activations add nothing but the multiplier's bias, so a bubble needs no
    enable) and passes operands and control on to its neighbours one cycle later. ``last`` ends a
    sum, which then goes to the result register while the next one starts from zero; with ``shift``
    the result register takes its upper neighbour's instead.

    The result is biased as the multiplier says; what an array's edges have to do about it, and
    the codes of the operands, are the multiplier's.

    Latency: ``last`` of a slice comes :attr:`pipeline` cycles after its operands; ``result_out``
    shows the sum two cycles after ``last``. Control registers are reset, data registers are not:
    the first sum after reset starts with the first ``last``.

    Parameters
    ----------
    multiplier : Multiplier
    acc_bits : int
        Width of the accumulator. A sum that does not fit wraps.
    pipeline : int, 0 to 2
        Registers between operands and accumulator: before the addition (1), and also within the
        multiplication (2).

    Members
    -------
    activation_in, activation_out : code of ``k_per_cycle`` activations, to the right
    weight_in, weight_out : code of ``k_per_cycle`` weights, downwards
    last_in, last_out, shift_in, shift_out : control, to the right
    result_in, result_out : acc_bits, downwards
    """

    module_name = "pe"

    def __init__(self, multiplier: Multiplier, acc_bits: int = 32, pipeline: int = 0):
        self.multiplier = multiplier
        self.acc_bits = acc_bits
        self.pipeline = pipeline
        ports = {"last": 1, "shift": 1, "activation": multiplier.activation_code_bits}
        ports |= {"weight": multiplier.weight_code_bits, "result": acc_bits}
        inputs = {f"{name}_in": In(width) for name, width in ports.items()}
        outputs = {f"{name}_out": Out(width) for name, width in ports.items()}
        super().__init__(inputs | outputs)

    @property
    def k_per_cycle(self) -> int:
        """Activations, and MACs, per cycle."""
        return self.multiplier.k_per_cycle

    @property
    def latency(self) -> int:
        """Cycles from the operands of a sum's last slice to its result."""
        return self.pipeline + 2

    def replica(self) -> "ProcessingElement":
        """A new element with the same parameters."""
        return ProcessingElement(self.multiplier, self.acc_bits, self.pipeline)

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        # Pass operands and control on.
        last = Signal(name="last_register")
        shift = Signal(name="shift_register")
        m.d.sync += [last.eq(self.last_in), shift.eq(self.shift_in)]
        m.d.comb += [self.last_out.eq(last), self.shift_out.eq(shift)]
        for name in ("activation", "weight"):
            operand = getattr(self, f"{name}_in")
            passed = Signal(operand.shape(), name=f"{name}_register", reset_less=True)
            m.d.sync += passed.eq(operand)
            m.d.comb += getattr(self, f"{name}_out").eq(passed)

        # Multiply and accumulate.
        accumulator = Accumulator(m, platform, self.acc_bits, self.multiplier.sum_bits)
        addends = self.multiplier.addends(
            m, platform, self.activation_in, self.weight_in, registered=self.pipeline > 1
        )
        accumulator.add(addends, last, registered=self.pipeline > 0)

        # Drain.
        result = Signal(self.acc_bits, reset_less=True)
        m.d.sync += result.eq(Mux(last, accumulator.total, Mux(shift, self.result_in, result)))
        m.d.comb += self.result_out.eq(result)
        return m
