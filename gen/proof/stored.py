"""The stored form of pairs: nothing is lost on the way to memory and back."""

from pathlib import Path

from gen.proof.job import Job, Rtl
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from golden import NamedFormat
from hdl import PairEncoder, SignedPairEncoder, StoredPairDecoder, StoredPairEncoder


class StoredJob(Job):
    """For every pair of bytes, encoded and stored: decoded, it is the encoded pair again.

    The word of two zeros is 0. Encoded pairs are those of the emitted encoder, which makes every
    word that a pair can have.
    """

    property_name = "stored"
    says = "a stored pair decodes to the encoded pair it was made of; zeros are stored as 0"
    method = "SAT"

    def __init__(self, fmt: NamedFormat):
        self.format = fmt.sparq_format
        self.configuration = fmt.slug
        self.depth = f"all 2^{24 if self.format.takes_zero_point else 16} inputs"

    def rtl(self) -> Rtl:
        """The three components."""
        encoder = SignedPairEncoder if self.format.signed else PairEncoder
        components = {
            "pair_encoder": encoder(self.format),
            "stored_encoder": StoredPairEncoder(self.format),
            "stored_decoder": StoredPairDecoder(self.format),
        }
        return {name: Emission(name).verilog(component) for name, component in components.items()}

    @property
    def statement(self) -> str:
        """The property around them."""
        fmt = self.format
        idle = ".clk(1'b0), .rst(1'b0)"
        port, zero, zero_input, legal = "activations", "", "", "1"
        if fmt.signed:
            port, legal = "bytes", "activations[7:0] != 8'h80 && activations[15:8] != 8'h80"
        zeros = "activations == 0"
        if fmt.takes_zero_point:
            zero, zero_input, legal = ".zero_point(zero), ", ", input [7:0] zero", "1"
            zeros = "activations == {2{zero}}"
        return "\n".join(
            [
                f"module claim(input [15:0] activations{zero_input});",
                f"  wire [{fmt.pair_bits - 1}:0] pair, loaded;",
                f"  wire [{fmt.stored_pair_bits - 1}:0] stored;",
                f"  pair_encoder encoder(.{port}(activations), {zero}.pair(pair), {idle});",
                f"  stored_encoder store(.pair(pair), .stored(stored), {idle});",
                f"  stored_decoder load(.stored(stored), .pair(loaded), {idle});",
                f"  always @* assume ({legal});",
                "  always @* assert (loaded == pair);",
                f"  always @* assert (!({zeros}) || stored == 0);",
                "endmodule\n",
            ]
        )

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """One SAT problem over all input bits."""
        return sat(rtl, self.statement, "", timeout, waveform)
