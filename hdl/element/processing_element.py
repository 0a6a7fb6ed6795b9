# amaranth: UnusedElaboratable=no
# Replicas may stand for what is emitted once, and are then never elaborated.
"""What all processing elements have in common."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Out

from hdl.element.multiply_accumulate import MultiplyAccumulate
from hdl.multiplier.multiplier import Multiplier

MAX_PIPELINE = 2


class ProcessingElement(MultiplyAccumulate):
    """A multiply-accumulate element of an output-stationary array, drained while it computes.

    In every cycle the element adds what its multiplier makes of the operands at its inputs to its
    accumulator (zero activations add nothing but the multiplier's bias, so a bubble needs no
    enable) and passes operands and control on to its neighbours one cycle later. ``last`` ends a
    sum, which then goes to the result register while the next one starts from zero; with ``shift``
    the result register takes its upper neighbour's instead.

    Latency: ``last`` of a slice comes :attr:`pipeline` cycles after its operands; ``result_out``
    shows the sum two cycles after ``last``. Control registers are reset, data registers are not:
    the first sum after reset starts with the first ``last``.

    Parameters
    ----------
    multiplier, acc_bits, pipeline
        Of a :class:`MultiplyAccumulate`.

    Members
    -------
    activation_in, activation_out : code of ``k_per_cycle`` activations, to the right
    weight_in, weight_out : code of ``k_per_cycle`` weights, downwards
    last_in, last_out, shift_in, shift_out : control, to the right
    result_in, result_out : acc_bits, downwards
    """

    module_name = "pe"

    def __init__(self, multiplier: Multiplier, acc_bits: int = 32, pipeline: int = 0):
        ports = {"last": 1, "shift": 1, "activation": multiplier.activation_code_bits}
        ports |= {"weight": multiplier.weight_code_bits, "result": acc_bits}
        inputs = {f"{name}_in": In(width) for name, width in ports.items()}
        outputs = {f"{name}_out": Out(width) for name, width in ports.items()}
        super().__init__(multiplier, acc_bits, pipeline, inputs | outputs)

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

        self._accumulate(m, platform, self.activation_in, self.weight_in, last, shift)
        return m
