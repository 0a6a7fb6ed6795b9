"""Queues and adapters of streams, by induction: each word leaves once, in order, and in time."""

from collections.abc import Sequence
from math import gcd
from pathlib import Path

from gen.proof.job import Job, Rtl
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from hdl.stream.downsizer import Downsizer
from hdl.stream.gearbox import Gearbox
from hdl.stream.stream_fifo import GAPLESS_DEPTH, StreamFifo
from hdl.stream.stream_register import StreamRegister
from hdl.stream.stream_stage import StreamStage
from hdl.stream.upsizer import Upsizer

WIDTH = 3
"""Of words: a queue does not look into them."""


class _StreamJob(Job):
    """A stage between streams, beside what it must do."""

    method = "SAT, induction"
    depth = "unbounded"

    def _claim(
        self, in_bits: int, out_bits: int, state: Sequence[str], claims: Sequence[str], last: bool
    ) -> str:
        more = ", .in_last(in_last), .out_last(out_last)" if last else ""
        lines = [
            f"module claim(input clk, rst, in_valid, in_last, out_ready, input [{in_bits - 1}:0] "
            "in_data);",
            f"  wire in_ready, out_valid, out_last; wire [{out_bits - 1}:0] out_data;",
            "  stage dut(.clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready),",
            "    .in_data(in_data), .out_valid(out_valid), .out_ready(out_ready),",
            f"    .out_data(out_data){more});",
            "  wire taken = in_valid && in_ready, given = out_valid && out_ready;",
            "  reg started = 0; always @(posedge clk) started <= 1;",
            "  always @* assume (started || rst);",
            *(f"  {line}" for line in state),
            "  always @* if (started) begin",
            *(f"    assert ({claim});" for claim in claims),
            "  end",
            "endmodule\n",
        ]
        return "\n".join(lines)


class QueueJob(_StreamJob):
    """A queue holds what was taken and has not left: its first word is offered until it is taken.

    The reference is a row of words that all move up when one leaves. A word that is held is offered
    no later than one cycle after it became the first; one is taken in every cycle in which there is
    room, but for a queue of two words, whose contract is weaker.

    Parameters
    ----------
    depth : int
        Of a :class:`StreamFifo`; 0 stands for a :class:`StreamRegister`.
    """

    property_name = "queue"
    says = "each word taken leaves once, in order; there is room for as many as stated"

    def __init__(self, depth: int):
        self.fifo_depth = depth
        self.words = depth or 2
        self.configuration = f"fifo_{depth}" if depth else "register"

    def rtl(self) -> Rtl:
        """The queue."""
        depth = self.fifo_depth
        stage: StreamStage = StreamFifo(WIDTH, depth) if depth else StreamRegister(WIDTH)
        return {"stage": Emission("stage").verilog(stage)}

    @property
    def statement(self) -> str:
        """``q_0`` is the word that must be the first."""
        size = self.words
        state = [f"reg [{WIDTH - 1}:0] q_{place};" for place in range(size)]
        state += ["reg [7:0] count = 0; reg late = 0;", "always @(posedge clk) begin"]
        state += ["  count <= rst ? 0 : count + taken - given;"]
        state += ["  late <= !rst && count != 0 && !out_valid;"]
        for place in range(size):
            behind = f"q_{place + 1}" if place + 1 < size else "0"
            state.append(
                f"  q_{place} <= taken && count - given == {place} ? in_data "
                f": given ? {behind} : q_{place};"
            )
        state.append("end")
        claims = [f"count <= {size}", "!out_valid || (count != 0 && out_data == q_0)"]
        claims.append("!late || out_valid")
        if self.fifo_depth in range(1, GAPLESS_DEPTH):
            claims.append("in_ready == (count == 0 || (count == 1 && out_valid))")
        else:
            claims.append(f"in_ready == (count < {size})")
        inside, more = self._inside()
        return self._claim(WIDTH, WIDTH, [*state, *inside], [*claims, *more], last=False)

    def _inside(self) -> tuple[list[str], list[str]]:
        """What the registers inside hold, so that the induction is short."""
        if not self.fifo_depth:
            wires = [f"(* keep *) wire [{WIDTH - 1}:0] spare; (* keep *) wire spare_valid;"]
            claims = ["out_valid == (count != 0)", "spare_valid == (count == 2)"]
            return wires, [*claims, "!spare_valid || spare == q_1"]
        size = self.fifo_depth - 1
        bits = (size - 1).bit_length()
        wires = [f"(* keep *) wire [{size.bit_length() - 1}:0] level;"]
        wires += [f"(* keep *) wire [{WIDTH - 1}:0] kept_{place};" for place in range(size)]
        claims = ["level == count - out_valid", "out_valid || level <= 1"]
        if bits:
            wires.append(f"(* keep *) wire [{bits - 1}:0] newest, oldest;")
            claims += [f"oldest < {size}", f"newest == (oldest + level) % {size}"]
        for first in range(size):
            here = f"oldest == {first}" if bits else "1"
            for place in range(size):
                word = f"kept_{(first + place) % size}"
                must_be = f"(out_valid ? q_{place + 1} : q_{place})"
                claims.append(f"!({here} && {place} < level) || {word} == {must_be}")
        return wires, claims

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction of a step."""
        if not self.fifo_depth:
            probes = {name: f"dut.{name}" for name in ("spare", "spare_valid")}
        else:
            size = self.fifo_depth - 1
            probes = {"level": "dut.fifo.inner_level"}
            probes |= {f"kept_{place}": f"dut.fifo.storage[{place}]" for place in range(size)}
            if size > 1:
                probes |= {"oldest": "dut.fifo.r_port__addr", "newest": "dut.fifo.w_port__addr"}
        return sat(rtl, self.statement, "-tempinduct -maxsteps 4", timeout, waveform, probes)


class AdapterJob(_StreamJob):
    """Adapters of widths: which bits leave with which words, and when.

    The reference counts the parts of the wide word, and keeps those that came. Nothing is held
    back: a part goes in every cycle in which both sides want it.
    """

    property_name = "adapter"
    says = "words are put together and cut in order; a part moves in every cycle that it can"

    def __init__(self, kind: str, beats: int):
        self.kind = kind
        self.words = beats
        self.configuration = f"{kind}_{beats}"

    def rtl(self) -> Rtl:
        """The adapter."""
        kinds: dict[str, type[Upsizer] | type[Downsizer]] = {
            "upsizer": Upsizer,
            "downsizer": Downsizer,
        }
        return {"stage": Emission("stage").verilog(kinds[self.kind](WIDTH, self.words))}

    @property
    def statement(self) -> str:
        """``part`` is the place of the part that moves next."""
        n, width = self.words, WIDTH
        ups = self.kind == "upsizer"
        moves = "taken" if ups else "given"
        state = [
            f"reg [7:0] part = 0; (* keep *) wire [{(n - 1).bit_length() - 1}:0] beat;",
            f"wire ends = part == {n - 1};",
            f"reg [{n * width - 1}:0] held = 0;",
            "always @(posedge clk) begin",
            f"  part <= rst ? 0 : !{moves} ? part : ends ? 0 : part + 1;",
            f"  if ({moves}) held[part * {width} +: {width}] <= in_data;",
            "end",
        ]
        claims = [f"part < {n}", "beat == part"]
        if ups:
            claims += ["out_valid == (in_valid && ends)", "in_ready == (out_ready || !ends)"]
            low = f"{(n - 1) * width - 1}:0"
            claims.append(f"!out_valid || out_data == {{in_data, held[{low}]}}")
            for place in range(n - 1):
                bits = f"[{place * width} +: {width}]"
                claims.append(f"part <= {place} || out_data{bits} == held{bits}")
            return self._claim(width, n * width, state, claims, last=False)
        claims += ["out_valid == in_valid", "in_ready == (out_ready && ends)"]
        claims.append(f"out_data == in_data[part * {width} +: {width}]")
        claims.append("out_last == (in_last && ends)")
        return self._claim(n * width, width, state, claims, last=True)

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction of a step."""
        probes = {"beat": "dut.beat"}
        return sat(rtl, self.statement, "-tempinduct -maxsteps 4", timeout, waveform, probes)


class GearboxJob(_StreamJob):
    """The bits of a packet leave as they came, one behind the other, its last word filled up.

    The reference counts the bits that came and have not left. A word leaves as soon as what is
    there fills it, or ends the packet; the last word that comes is taken when all of it has left.

    Parameters
    ----------
    in_width, out_width : int
        Bits of words.
    """

    property_name = "gearbox"
    says = "the bits of a packet leave in order and without gaps; zeros fill its last word"

    def __init__(self, in_width: int, out_width: int):
        self.in_width = in_width
        self.out_width = out_width
        self.configuration = f"{in_width}_to_{out_width}"

    def rtl(self) -> Rtl:
        """The gearbox."""
        return {"stage": Emission("stage").verilog(Gearbox(self.in_width, self.out_width))}

    @property
    def statement(self) -> str:
        """``left`` are the ``count`` bits that have not left; ``ending`` if no more follow."""
        wide = self.in_width + self.out_width
        unit = gcd(self.in_width, self.out_width)
        high = (self.out_width // unit - 1).bit_length() - 1
        state = [
            f"(* keep *) wire [{high}:0] held; (* keep *) wire ends;",
            f"(* keep *) wire [{self.out_width - unit - 1}:0] rest;",
            f"reg [{wide - 1}:0] left = 0; reg [15:0] count = 0; reg ending = 0, stalled = 0;",
            f"wire [{wide - 1}:0] there = left | (ending ? 0 : in_data) << count;",
            f"wire [15:0] bits = count + (ending ? 0 : {self.in_width});",
            f"wire more = bits > {self.out_width};",
            "always @(posedge clk) begin",
            f"  left <= rst || (given && !more) ? 0 : given ? there >> {self.out_width} "
            ": taken ? there : left;",
            f"  count <= rst || (given && !more) ? 0 : given ? bits - {self.out_width} "
            ": taken ? bits : count;",
            "  ending <= !rst && (given ? in_last && more : ending);",
            "  stalled <= !rst && in_valid && !in_ready;",
            "end",
            # The last word of a packet is offered until it is taken.
            "reg last_before = 0; always @(posedge clk) last_before <= in_last;",
            "always @* assume (!stalled || (in_valid && in_last == last_before));",
        ]
        claims = [
            f"count < {self.out_width} && (left >> count) == 0 && (!ending || stalled)",
            f"held * {unit} == count && ends == ending && (!ending || last_before)",
            "((rest ^ left) & ((1 << count) - 1)) == 0",
            f"out_valid == (in_valid && (in_last || bits >= {self.out_width}))",
            f"!out_valid || out_data == there[{self.out_width - 1}:0]",
            "!out_valid || out_last == (in_last && !more)",
            "!in_valid || in_ready == (!out_valid || (out_ready && (out_last || !in_last)))",
        ]
        return self._claim(self.in_width, self.out_width, state, claims, last=True)

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction of a step."""
        probes = {name: f"dut.{name}" for name in ("held", "rest", "ends")}
        return sat(rtl, self.statement, "-tempinduct -maxsteps 4", timeout, waveform, probes)
