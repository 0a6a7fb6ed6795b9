"""The stored form of pairs: nothing is lost on the way to memory and back."""

from pathlib import Path

from gen.proof.job import Job, Rtl
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from golden import NamedFormat
from hdl import PairEncoder, SignedPairEncoder, StoredPairDecoder, StoredPairEncoder
from hdl.engine.result_encoder import ResultEncoder


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


class ResultsJob(Job):
    """For all bytes of so many columns: what is stored decodes to the encoded pairs of the columns.

    Each pair is what the emitted encoder (``encoder``) makes of two columns side by side, with what
    its group shares; the emitted decoder is the inverse of the stored form (``stored``).

    Parameters
    ----------
    fmt : NamedFormat
    lanes : int
        Columns, a multiple of 2 and of the group.
    """

    property_name = "results"
    says = "stored pairs of an engine's results are those of columns side by side, in order"
    method = "SAT"

    def __init__(self, fmt: NamedFormat, lanes: int):
        self.format = fmt.sparq_format
        self.lanes = lanes
        self.configuration = f"{fmt.slug}_{lanes}lanes"
        self.depth = f"all 2^{8 * lanes} inputs"

    def rtl(self) -> Rtl:
        """The encoder of results, and those of one pair."""
        components = {
            "result_encoder": ResultEncoder(self.format, self.lanes),
            "pair_encoder": PairEncoder(self.format),
            "stored_decoder": StoredPairDecoder(self.format),
        }
        return {name: Emission(name).verilog(component) for name, component in components.items()}

    @property
    def statement(self) -> str:
        """The property around them."""
        fmt, lanes = self.format, self.lanes
        width, stored, per_group = fmt.pair_bits, fmt.stored_pair_bits, max(1, fmt.group // 2)
        idle = ".clk(1'b0), .rst(1'b0)"
        lines = [
            f"module claim(input [{8 * lanes - 1}:0] results);",
            f"  wire [{lanes // 2 * stored - 1}:0] pairs;",
            f"  result_encoder dut(.results(results), .pairs(pairs), {idle});",
        ]
        for index in range(lanes // 2):
            low = f"results[{16 * index} +: 8]"
            high = f"results[{16 * index + 8} +: 8]"
            counts = f"({low} != 0 && {high} != 0)" if fmt.vsparq else "1"
            lines.append(f"  wire [7:0] share_{index} = {counts} ? {low} | {high} : 0;")
        for index in range(lanes // 2):
            first = index - index % per_group
            own = (f"share_{i}" for i in range(first, first + per_group))
            shared = f", .shared({' | '.join(own)})" if fmt.group > 2 else ""
            lines += [
                f"  wire [{width - 1}:0] pair_{index}, loaded_{index};",
                f"  pair_encoder encoder_{index}(.activations(results[{16 * index} +: 16])"
                f"{shared}, .pair(pair_{index}), {idle});",
                f"  stored_decoder load_{index}(.stored(pairs[{stored * index} +: {stored}]), "
                f".pair(loaded_{index}), {idle});",
                f"  always @* assert (loaded_{index} == pair_{index});",
            ]
        return "\n".join([*lines, "endmodule\n"])

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """One SAT problem over all input bits."""
        return sat(rtl, self.statement, "", timeout, waveform)
