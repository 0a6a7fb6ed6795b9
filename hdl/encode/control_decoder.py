"""What the control code of an encoded pair says of its lanes."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Const, Module, Value
from amaranth.lib.wiring import In, Out

from golden.format import SparqFormat
from hdl.placement import Component


class ControlDecoder(Component):
    """Finds ShiftCtrl and MuxCtrl of both lanes from the control code of their pair.

    Combinational; the inverse of ``fmt.control_codes``. Of numbers that are no codes the outputs
    may be anything.

    Parameters
    ----------
    fmt : SparqFormat

    Members
    -------
    control : In(fmt.control_bits)
    shift0, shift1 : Out(fmt.shift_ctrl_bits)
        Index of the lane's left-shift in ``fmt.lane_shifts``.
    mux0, mux1 : Out(1)
        1 where the lane meets the weight of the second activation.
    """

    module_name = "control_decoder"

    def __init__(self, fmt: SparqFormat):
        self.fmt = fmt
        super().__init__(
            {
                "control": In(fmt.control_bits),
                "shift0": Out(fmt.shift_ctrl_bits),
                "shift1": Out(fmt.shift_ctrl_bits),
                "mux0": Out(1),
                "mux1": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        codes = self.fmt.control_codes
        for index, name in enumerate(("shift0", "shift1", "mux0", "mux1")):
            for bit, output in enumerate(getattr(self, name)):
                ones = [code for state, code in codes.items() if state[index] >> bit & 1]
                m.d.comb += output.eq(self._is_one_of(ones, set(codes.values()).difference(ones)))
        return m

    def _is_one_of(self, codes: Iterable[int], others: Iterable[int]) -> Value:
        """Whether ``control`` is one of ``codes``, not of ``others``: a sum of products.

        Each product starts as one code, and loses every bit that no other code needs.
        """
        products: list[tuple[int, int]] = []
        for code in codes:
            if any(code & mask == value for mask, value in products):
                continue
            mask = (1 << len(self.control)) - 1
            for bit in range(len(self.control)):
                fewer = mask & ~(1 << bit)
                if all((code ^ other) & fewer for other in others):
                    mask = fewer
            products.append((mask, code & mask))
        terms: list[Value] = [self.control & mask == value for mask, value in products]
        return reduce(or_, terms, Const(0, 1))
