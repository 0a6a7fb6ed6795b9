"""What all processing elements have in common."""

from collections.abc import Callable
from typing import Any, ClassVar

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Member, Out

from golden.format import ACTIVATION_BITS
from hdl.element.multiply_accumulate import MultiplyAccumulate
from hdl.elements import Elements
from hdl.multiplier.mac import Mac
from hdl.multiplier.mac_part import DOWNWARDS, RIGHTWARDS, Route
from hdl.multiplier.multiplier import Multiplier
from hdl.multiplier.products import Products


def chosen_multiplier(allowed: tuple[str, ...], multiplier: str | None) -> str:
    """The multiplier of that name, or the first one; ``ValueError`` if it is not allowed."""
    if multiplier is not None and multiplier not in allowed:
        raise ValueError(f"multiplier must be one of {', '.join(allowed)}, not {multiplier!r}")
    return multiplier or allowed[0]


class ProcessingElement(MultiplyAccumulate):
    """A multiply-accumulate element of an output-stationary array, drained while it computes.

    In every cycle the element adds what its multiplier makes of the operands at its inputs to its
    accumulator (zero activations add nothing but the multiplier's bias, so a bubble needs no
    enable) and passes operands and control on to its neighbours one cycle later. ``last`` ends a
    sum, which then goes to the result register while the next one starts from zero; with ``drain``
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
    last_in : In(1)
        A sum ends with the operands of this cycle, or of as many cycles ago as pipeline says.
    drain_in : In(1)
        The result register takes result_in, which ends no sum, in the next cycle.
    activation_in : In(activation_code_bits)
        The code of the activations of one slice; that of zeros is a bubble.
    weight_in : In(weight_code_bits)
        The code of the weights of one slice.
    result_in : In(acc_bits)
        The result of the element above, read one cycle after drain_in.
    last_out : Out(1)
        What last_in was one cycle ago.
    drain_out : Out(1)
        What drain_in was one cycle ago.
    activation_out : Out(activation_code_bits)
        What activation_in was one cycle ago.
    weight_out : Out(weight_code_bits)
        What weight_in was one cycle ago.
    result_out : Out(acc_bits)
        The result register: a sum with its biases two cycles after its last_in, or what drained
        into it.
    """

    module_name = "pe"

    MULTIPLIERS: ClassVar[dict[str, Callable[[int], Multiplier]]] = {}
    """Of a kind of exact elements, by name: makes one for weights of so many bits."""

    ACTIVATION_BITS: ClassVar[int] = ACTIVATION_BITS
    """Bits of each activation that an exact element multiplies: the low ones."""

    routes: ClassVar[dict[str, Route]] = {
        "last": RIGHTWARDS,
        "drain": RIGHTWARDS,
        "activation": RIGHTWARDS,
        "weight": DOWNWARDS,
        "result": DOWNWARDS,
    }

    @classmethod
    def made_multiplier(cls, weight_bits: int, multiplier: str | None = None) -> Multiplier:
        """The one of :attr:`MULTIPLIERS` of that name, or the first; ``ValueError`` for another."""
        name = chosen_multiplier(tuple(cls.MULTIPLIERS), multiplier)
        return cls.MULTIPLIERS[name](weight_bits)

    @classmethod
    def behavioral_multiplier(cls, weight_bits: int) -> Multiplier:
        """As any of :attr:`MULTIPLIERS`, of operators."""
        return Products(
            weight_bits, cls.made_multiplier(weight_bits).k_per_cycle, cls.ACTIVATION_BITS
        )

    @classmethod
    def members(cls, mac: Mac) -> dict[str, Member]:
        ports = {"last": 1, "drain": 1, "activation": mac.multiplier.activation_code_bits}
        ports |= {"weight": mac.multiplier.weight_code_bits, "result": mac.acc_bits}
        inputs = {f"{name}_in": In(width) for name, width in ports.items()}
        return inputs | {f"{name}_out": Out(width) for name, width in ports.items()}

    @property
    def elements(self) -> dict[str, Elements]:
        """Of each port, in the order of the signature, what its word consists of."""
        words = {
            "last": Elements(1),
            "drain": Elements(1),
            "activation": self.multiplier.activation_elements,
            "weight": self.multiplier.weight_elements,
            "result": Elements(self.acc_bits),
        }
        return {f"{name}_{way}": words[name] for way in ("in", "out") for name in words}

    def elaborate(self, platform: Any) -> Module:
        m = Module()

        # Pass operands and control on.
        last = Signal(name="last_register")
        drain = Signal(name="drain_register")
        m.d.sync += [last.eq(self.last_in), drain.eq(self.drain_in)]
        m.d.comb += [self.last_out.eq(last), self.drain_out.eq(drain)]
        for name in ("activation", "weight"):
            operand = getattr(self, f"{name}_in")
            passed = Signal(operand.shape(), name=f"{name}_register", reset_less=True)
            m.d.sync += passed.eq(operand)
            m.d.comb += getattr(self, f"{name}_out").eq(passed)

        self._accumulate(m, platform, self.activation_in, self.weight_in, last, drain)
        return m
