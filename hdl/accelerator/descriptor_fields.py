"""The fields of a descriptor as hardware sees them."""

from amaranth.hdl import Cat, Const, Mux, Value

from golden.descriptor import DESCRIPTOR_BYTES, Opcode, layout

DESCRIPTOR_BITS = 8 * DESCRIPTOR_BYTES
WORD_BITS = 32


class DescriptorFields:
    """The parts of ``value``, a descriptor: an attribute for each field of its layout."""

    def __init__(self, value: Value, opcode: Opcode, encodes: bool = False):
        self._value = value
        self._layout = layout(opcode, encodes)

    def __getattr__(self, name: str) -> Value:
        place = self._layout[name]
        low = place.word * WORD_BITS + place.low_bit
        return self._value[low : low + place.bits]

    @property
    def waits(self) -> tuple[Value, Value, Value]:
        """LOADs, STOREs, and computing descriptors that must have ended."""
        return self.wait_loads, self.wait_stores, self.wait_computes

    def is_one_of(self, *opcodes: Opcode) -> Value:
        """Its opcode is one of these."""
        return Cat(self.opcode == opcode for opcode in opcodes).any()

    def weights(self, taps: Value) -> Value:
        """Of a vector operation with a patch of so many taps: weights of each channel."""
        of_sum = Mux(self.uniform, 1, taps)
        others = Mux(self.opcode == Opcode.COMBINE, 2, 0)
        return Mux(self.opcode == Opcode.SUM, of_sum, others)

    @property
    def has_other_bits(self) -> Value:
        """Bits that are in no field are set."""
        mask = 0
        for place in self._layout.values():
            mask |= place.largest << (place.word * WORD_BITS + place.low_bit)
        others = Const(~mask & ((1 << DESCRIPTOR_BITS) - 1), DESCRIPTOR_BITS)
        return (self._value & others).any()
