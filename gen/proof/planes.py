"""The plane splitter, by induction: each slice passes once for each plane, in groups, and whole."""

from collections.abc import Sequence
from pathlib import Path

from gen.proof.job import Job, Rtl, asserted
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from golden import NamedFormat
from golden.format import ACTIVATION_BITS
from hdl.engine.plane_splitter import PlaneSplitter


class PlanesJob(Job):
    """What leaves the plane splitter, slice by slice.

    The reference knows the pass and the place in its group of the slice that leaves next, and what
    was taken at one place, whichever it is. Slices that are not exact pass as they are. Of exact
    ones each group passes once for each plane, masked; one that the end of a tile cuts short is
    filled up with zeros in all passes but the last, which ends the tile with its last slice.

    Whoever offers a slice keeps it until it is taken; all slices of a tile are exact, or none. A
    slice is an activation, and a bit of a weight above. One with a sign keeps it where anything is
    left of its magnitude, and a 0 has none.

    Parameters
    ----------
    planes : sequence of int
        Two masks or more.
    group : int
    fmt : NamedFormat, optional
        Of signed activations, whose planes they are.
    """

    property_name = "planes"
    says = "exact slices leave once for each plane, group by group, in order; others leave as is"
    method = "SAT, induction"
    depth = "unbounded"

    def __init__(self, planes: Sequence[int], group: int, fmt: NamedFormat | None = None):
        self.planes = tuple(planes)
        self.group = group
        self.fmt = fmt.sparq_format if fmt else None
        self.width = 1 + (self.fmt.activation_bits if self.fmt else ACTIVATION_BITS)
        signed = f"_{fmt.slug}" if fmt else ""
        self.configuration = f"{len(self.planes)}planes_group{group}{signed}"

    def rtl(self) -> Rtl:
        """A splitter of small slices."""
        splitter = PlaneSplitter(1, 1, self.planes, self.group, self.fmt)
        return {"stage": Emission("stage").verilog(splitter)}

    @property
    def statement(self) -> str:
        """``at`` is the place of the slice that leaves next."""
        place_bits = (self.group - 1).bit_length()
        watched = f", input [{place_bits - 1}:0] watched" if place_bits else ""
        last_plane = len(self.planes) - 1
        masks = " : ".join(f"pass == {i} ? {mask}" for i, mask in enumerate(self.planes))
        lines = [
            "module claim(input clk, rst, in_valid, in_last, in_exact, out_ready,",
            f"    input [{self.width - 1}:0] in_data{watched});",
            f"  wire in_ready, out_valid, out_last; wire [{self.width - 1}:0] out_data;",
            "  stage dut(.clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready),",
            "    .in_data(in_data), .in_last(in_last), .in_exact(in_exact),",
            "    .out_valid(out_valid), .out_ready(out_ready), .out_data(out_data),",
            "    .out_last(out_last));",
            "  reg started = 0, waits = 0, was_last = 0, was_exact = 0, in_tile = 0, of_tile = 0;",
            f"  reg [{self.width - 1}:0] was = 0;",
            f"  (* keep *) wire [{last_plane.bit_length() - 1}:0] plane;",
            "  reg [7:0] pass = 0;",
            f"  wire [7:0] mask = {masks} : 0;",
            f"  wire last_pass = pass == {last_plane}, given = out_valid && out_ready;",
            "  always @(posedge clk) begin",
            "    started <= 1; was <= in_data; was_last <= in_last; was_exact <= in_exact;",
            "    waits <= !rst && in_valid && !in_ready;",
            "    in_tile <= !rst && (in_valid && in_ready ? !in_last : in_tile);",
            "    if (in_valid && in_ready) of_tile <= in_exact;",
            "  end",
            "  always @* assume (started || rst);",
            "  always @* assume (!waits || in_valid && in_data == was && in_last == was_last",
            "    && in_exact == was_exact);",
            "  always @* assume (!in_tile || in_exact == of_tile);",
            *([f"  always @* assume ({self._unsigned_zero});"] if self.fmt else []),
            *(self._groups() if place_bits else self._slices()),
        ]
        return "\n".join(lines)

    def _masked(self, word: str) -> str:
        """What is left of a slice in the pass of ``mask``."""
        if self.fmt is None:
            return f"({word} & {{1'b1, mask}})"
        bits = self.fmt.magnitude_bits
        magnitude = f"{word}[{bits - 1}:0] & mask[{bits - 1}:0]"
        return f"{{{word}[{bits + 1}], {word}[{bits}] && ({magnitude}) != 0, {magnitude}}}"

    @property
    def _unsigned_zero(self) -> str:
        """A 0 that is offered has no sign."""
        assert self.fmt is not None
        bits = self.fmt.magnitude_bits
        return f"in_data[{bits - 1}:0] != 0 || !in_data[{bits}]"

    def _slices(self) -> list[str]:
        """Each slice is repeated where it is offered."""
        claims = [
            f"plane == pass && pass < {len(self.planes)}",
            "pass == 0 || waits && was_exact",
            "out_valid == in_valid",
            "in_ready == (out_ready && (!in_exact || last_pass))",
            "out_last == (in_last && (!in_exact || last_pass))",
            f"out_data == (in_exact ? {self._masked('in_data')} : in_data)",
        ]
        return [
            "  always @(posedge clk)",
            "    pass <= rst ? 0 : !given || !in_exact ? pass : last_pass ? 0 : pass + 1;",
            *asserted(claims),
        ]

    def _groups(self) -> list[str]:
        """``complete``: all ``slices`` of a group were taken, and it is repeated."""
        group, bits = self.group, (self.group - 1).bit_length()
        claims = [
            f"plane == pass && pass < {len(self.planes)} && at < {group} && place == at",
            "passes == !complete && (complete || pass == 0)",
            "out_valid == (complete || in_valid)",
            "in_ready == (!complete && out_ready)",
            "out_last == (complete ? ends_last : in_last && !in_exact)",
            f"complete || out_data == (in_exact ? {self._masked('in_data')} : in_data)",
            "!complete || at < slices || out_data == 0",
            f"!complete || at != watched || at >= slices || out_data == {self._masked('seen')}",
            # What the registers hold, so that the induction is short.
            f"!complete || slices != 0 && slices <= {group} && count == slices - 1",
            f"!complete || ends_tile == ends && (ends || slices == {group})",
            "is_filling == (complete && at >= slices)",
            "!complete || pass != 0 || at >= slices",
            "!complete || !last_pass || !ends || at < slices",
            "complete || at == 0 || in_tile && of_tile",
            "watched >= (complete ? slices : at) || word == seen",
        ]
        words = " : ".join(f"watched == {place} ? word_{place}" for place in range(group - 1))
        return [
            "  reg [7:0] at = 0, slices = 0; reg complete = 0, ends = 0;",
            f"  reg [{self.width - 1}:0] seen;",
            f"  (* keep *) wire [{bits - 1}:0] place, count;",
            "  (* keep *) wire passes, is_filling, ends_tile;",
            *(f"  (* keep *) wire [{self.width - 1}:0] word_{place};" for place in range(group)),
            f"  wire [{self.width - 1}:0] word = {words} : word_{group - 1};",
            f"  reg [{bits - 1}:0] watched_place;",
            "  always @* assume (!started || watched == watched_place);",
            f"  wire fills = at == {group - 1};",
            "  wire ends_last = complete && last_pass && ends && at == slices - 1;",
            "  wire begins = given && !complete && in_exact, repeats = given && complete;",
            "  always @(posedge clk) begin",
            "    watched_place <= watched;",
            "    if (begins && at == watched) seen <= in_data;",
            "    if (begins) begin slices <= at + 1; ends <= in_last; end",
            "    at <= rst ? 0 : !(begins || repeats) ? at : fills || ends_last ? 0 : at + 1;",
            "    complete <= !rst && (begins ? fills || in_last",
            "      : repeats ? !(ends_last || last_pass && fills) : complete);",
            "    pass <= rst ? 0 : ends_last && given ? 0",
            "      : !((begins || repeats) && fills) ? pass : last_pass ? 0 : pass + 1;",
            "  end",
            *asserted(claims),
        ]

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction of a step."""
        names = ["plane"]
        if self.group > 1:
            names += ["count", "passes", "is_filling", "ends_tile"]
        probes = {name: f"dut.{name}" for name in names}
        if self.group > 1:
            probes["place"] = "dut.write__addr"
            probes |= {f"word_{place}": f"dut.memory[{place}]" for place in range(self.group)}
        return sat(rtl, self.statement, "-tempinduct -maxsteps 4", timeout, waveform, probes)
