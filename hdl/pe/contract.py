# amaranth: UnusedElaboratable=no
# Replicas may stand for what is emitted once, and are then never elaborated.
"""What all processing elements have in common."""

from abc import abstractmethod
from typing import Any, ClassVar

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.format import ACTIVATION_BITS


class ProcessingElement(wiring.Component):
    """A multiply-accumulate element of an output-stationary array, drained while it computes.

    In every cycle the element adds the dot product of the operands at its inputs to its accumulator
    (zero operands add nothing, so a bubble needs no enable) and passes operands and control
    on to its neighbours one cycle later. With ``first`` it starts from zero instead of its
    accumulator; with ``last`` the sum, this slice included, goes to the result register; with
    ``shift`` the result register takes its upper neighbour's instead (``last`` wins).

    A subclass says what an activation code and a weight code are and how they are multiplied. What
    an array's edge can do once per row or per column is stated here as well, so that a code other
    than plain bytes and weights needs no other array: :meth:`encode`, :meth:`recode` and
    :meth:`correct`.

    Latency: ``result_out`` shows the sum :attr:`latency` cycles after its last slice. Control
    registers are reset; data registers are not, since ``first`` makes what they held before
    irrelevant.

    Parameters
    ----------
    weight_bits, acc_bits : int
        Widths of a signed weight and of the accumulator. A sum that does not fit wraps.

    Members
    -------
    activation_in, activation_out : code of ``k_per_cycle`` activations, to the right
    weight_in, weight_out : code of ``k_per_cycle`` weights, downwards
    first_in, first_out, last_in, last_out, shift_in, shift_out : control, to the right
    result_in, result_out : signed(acc_bits), downwards
    """

    k_per_cycle: ClassVar[int]
    """Activations, and MACs, per cycle."""

    latency: ClassVar[int] = 1

    slices_per_group = 1
    """Slices whose activations share a window, and are encoded together."""

    module_name = "pe"

    def __init__(self, *, activation_bits: int, weight_bits: int, acc_bits: int):
        self.weight_bits = weight_bits
        self.acc_bits = acc_bits
        ports = {"first": 1, "last": 1, "shift": 1, "activation": activation_bits}
        ports |= {"weight": self.k_per_cycle * weight_bits, "result": signed(acc_bits)}
        inputs = {f"{name}_in": In(shape) for name, shape in ports.items()}
        outputs = {f"{name}_out": Out(shape) for name, shape in ports.items()}
        super().__init__(inputs | outputs)

    @abstractmethod
    def dot_product(self, m: Module, platform: Any) -> Value:
        """The signed sum that the operands at the inputs contribute."""

    def replica(self) -> "ProcessingElement":
        """A new element with the same parameters."""
        return type(self)(weight_bits=self.weight_bits, acc_bits=self.acc_bits)  # type: ignore[call-arg]  # subclasses know their activation bits

    def encode(self, m: Module, platform: Any, activations: Value, shared: Value) -> Value:
        """The activation code of ``k_per_cycle`` bytes, made at the row's edge.

        ``shared`` (8 bits) is the OR of :meth:`shares` over the slices of the group.
        """
        return activations

    def shares(self, activations: Value) -> Value:
        """What ``k_per_cycle`` bytes contribute to the OR of their group, 8 bits."""
        return Const(0, ACTIVATION_BITS)

    def recode(self, m: Module, platform: Any, weights: Value) -> Value:
        """The weight code of ``k_per_cycle`` weights, made at the column's edge."""
        return weights

    def correct(self, m: Module, platform: Any, result: Value) -> Value:
        """The exact sum of ``acc_bits`` bits behind a result, made at the column's edge."""
        return result

    def weights(self) -> list[Value]:
        """The ``k_per_cycle`` signed weights of plain ``weight_in``, the lower k first."""
        return [self.weight_in.word_select(k, self.weight_bits).as_signed() for k in self._slice()]

    def activations(self) -> list[Value]:
        """The ``k_per_cycle`` bytes of plain ``activation_in``, the lower k first."""
        return [self.activation_in.word_select(k, ACTIVATION_BITS) for k in self._slice()]

    def _slice(self) -> range:
        return range(self.k_per_cycle)

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        # Pass operands and control on.
        for name in ("first", "last", "shift"):
            m.d.sync += getattr(self, f"{name}_out").eq(getattr(self, f"{name}_in"))
        for name in ("activation", "weight"):
            operand = getattr(self, f"{name}_in")
            passed = Signal(operand.shape(), name=f"{name}_register", reset_less=True)
            m.d.sync += passed.eq(operand)
            m.d.comb += getattr(self, f"{name}_out").eq(passed)

        # Multiply and accumulate.
        accumulator = Signal(signed(self.acc_bits), reset_less=True)
        dot_product = Signal(signed(self.acc_bits))
        total = Signal(signed(self.acc_bits))
        m.d.comb += dot_product.eq(self.dot_product(m, platform))
        m.d.comb += total.eq(Mux(self.first_in, 0, accumulator) + dot_product)
        m.d.sync += accumulator.eq(total)

        # Drain.
        result = Signal(signed(self.acc_bits), reset_less=True)
        with m.If(self.last_in):
            m.d.sync += result.eq(total)
        with m.Elif(self.shift_in):
            m.d.sync += result.eq(self.result_in)
        m.d.comb += self.result_out.eq(result)
        return m
