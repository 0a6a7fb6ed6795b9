"""What the left edge of a machine does for one row."""

from typing import Any, ClassVar

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Member, Out

from hdl.multiplier.mac import Mac
from hdl.multiplier.mac_part import TO_ROW, MacPart, Route


class ActivationLane(MacPart):
    """Encodes the bytes of one row, once for all units of the row. Latency: 1 cycle.

    Members
    -------
    data_in : ``k_per_cycle`` unsigned bytes, the lower k low; above them, where several slices
        share windows, the 8 bits of their group
    data_out : the activation code of the multiplier
    """

    measured_alone = True

    module_name = "activation_lane"
    latency = 1
    routes: ClassVar[dict[str, Route]] = {"data_in": TO_ROW, "data_out": TO_ROW}

    @classmethod
    def members(cls, mac: Mac) -> dict[str, Member]:
        shared_bits = mac.multiplier.shared_bits if mac.multiplier.slices_per_group > 1 else 0
        return {
            "data_in": In(mac.multiplier.activations.width + shared_bits),
            "data_out": Out(mac.multiplier.activation_code_bits),
        }

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        register = Signal(self.data_out.shape(), reset_less=True)
        bits = self.mac.multiplier.activations.width
        activations, shared = self.data_in[:bits], self.data_in[bits:]
        m.d.sync += register.eq(self.mac.multiplier.encode(m, platform, activations, shared))
        m.d.comb += self.data_out.eq(register)
        return m
