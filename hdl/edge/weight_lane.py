"""What the upper edge of a machine does for one column."""

from typing import Any, ClassVar

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Member, Out

from hdl.multiplier.mac import Mac
from hdl.multiplier.mac_part import TO_COLUMN, MacPart, Route


class WeightLane(MacPart):
    """Recodes the weights of one column, once for all units of the column. Latency: 1 cycle.

    Members
    -------
    data_in : weights_bits, as ``multiplier.recode`` takes them
    data_out : the weight code of the multiplier
    """

    measured_alone = True

    module_name = "weight_lane"
    latency = 1
    routes: ClassVar[dict[str, Route]] = {"data_in": TO_COLUMN, "data_out": TO_COLUMN}

    @classmethod
    def members(cls, mac: Mac) -> dict[str, Member]:
        return {
            "data_in": In(mac.multiplier.weights_bits),
            "data_out": Out(mac.multiplier.weight_code_bits),
        }

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        register = Signal(self.data_out.shape(), reset_less=True)
        m.d.sync += register.eq(self.mac.multiplier.recode(m, platform, self.data_in))
        m.d.comb += self.data_out.eq(register)
        return m
