"""What reads and writes memory, by induction: where bursts go, and that beats have their room."""

from pathlib import Path

from gen.proof.job import Job, Rtl, asserted
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from hdl.bus.axi4 import LENGTH_BITS, Axi4Bus
from hdl.memory.axi_reader import MEMORY
from hdl.memory.axi_writer import AxiWriter
from hdl.memory.burst_splitter import BurstSplitter
from hdl.memory.read_queue import ReadQueue
from hdl.memory.transfer import beat_count_bits, burst_layout, transfer_layout

START = (
    "reg started = 0; always @(posedge clk) started <= 1;",
    "always @* assume (started || rst);",
)


class _MemoryJob(Job):
    """A part between requests and the bus, beside counters of beats."""

    method = "SAT, induction"
    depth = "unbounded"

    def __init__(self, bus: Axi4Bus):
        self.bus = bus
        self.request_bits = transfer_layout(bus.address_bits).size
        self.burst_bits = burst_layout(bus.address_bits).size
        self.configuration = (
            f"{bus.max_burst}_beats_of_{bus.data_bits}b_at_{bus.address_bits}b_addresses"
        )

    def _burst(self, name: str = "burst") -> str:
        """Wires of what a burst consists of."""
        bits = self.bus.address_bits
        return (
            f"wire [{bits - 1}:0] address = {name}[{bits - 1}:0]; "
            f"wire [{LENGTH_BITS - 1}:0] length = {name}[{bits + LENGTH_BITS - 1}:{bits}]; "
            f"wire last = {name}[{bits + LENGTH_BITS}];"
        )


class BurstsJob(_MemoryJob):
    """The bursts of a request are all its beats, in order, and no beat of anything else.

    Whoever asks asks for one beat at least. The reference counts the beats that are left, and the
    address of the next one. Each burst begins there, takes no more than are left, ends where the
    next multiple of the longest one begins or with its request, and never goes beyond: so it stays
    in its 4 KiB, of which that is a divisor.
    """

    property_name = "bursts"
    says = "bursts are the beats of their requests, in order; none goes on beyond 4 KiB"

    def rtl(self) -> Rtl:
        """The splitter."""
        return {"splitter": Emission("splitter").verilog(BurstSplitter(self.bus))}

    @property
    def statement(self) -> str:
        """``left`` and ``next`` are what must be left, and where."""
        bus = self.bus
        count = f"[{beat_count_bits(bus.address_bits) - 1}:0]"
        place_bits = bus.address_bits - bus.size
        block_bits = bus.max_burst.bit_length() - 1
        asked = f"request[{self.request_bits - 1}:{bus.address_bits}]"
        inside = f"(* keep *) wire {count} rest;"
        inside += f" (* keep *) wire [{place_bits - block_bits - 1}:0] block;"
        first = f"next[{block_bits - 1}:0]" if block_bits else "0"
        claims = [
            "burst_valid == (left != 0)",
            "request_ready == (left == 0 || (burst_ready && last))",
            f"left == 0 || (address == {{next, {bus.size}'d0}} && length < left)",
            "left == 0 || last == (left == length + 1)",
            f"left == 0 || {first} + length < {bus.max_burst}",
            f"left == 0 || last || {first} + length + 1 == {bus.max_burst}",
            "left == 0 || rest == left - 1",
            f"left == 0 || block == next[{place_bits - 1}:{block_bits}]",
        ]
        if block_bits:
            inside += f" (* keep *) wire [{block_bits - 1}:0] first;"
            claims.append(f"left == 0 || first == {first}")
        lines = [
            "module claim(input clk, rst, request_valid, burst_ready,",
            f"    input [{self.request_bits - 1}:0] request);",
            f"  wire request_ready, burst_valid; wire [{self.burst_bits - 1}:0] burst;",
            "  splitter dut(.clk(clk), .rst(rst), .request_valid(request_valid),",
            "    .request_ready(request_ready), .request(request), .burst_valid(burst_valid),",
            "    .burst_ready(burst_ready), .burst(burst));",
            f"  {self._burst()} {inside}",
            *(f"  {line}" for line in START),
            f"  reg {count} left = 0; reg [{place_bits - 1}:0] next = 0;",
            "  wire takes = request_valid && request_ready, goes = burst_valid && burst_ready;",
            "  always @(posedge clk) begin",
            f"    left <= rst ? 0 : takes ? {asked} : goes ? left - length - 1 : left;",
            f"    next <= takes ? request[{bus.address_bits - 1}:{bus.size}]",
            "      : goes ? next + length + 1 : next;",
            "  end",
            f"  always @* assume ({asked} != 0);",
            *asserted(claims),
        ]
        return "\n".join(lines)

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction of a step."""
        names = ["rest", "block", *(["first"] if self.bus.max_burst > 1 else [])]
        probes = {name: f"dut.{name}" for name in names}
        return sat(rtl, self.statement, "-tempinduct -maxsteps 4", timeout, waveform, probes)


class RoomJob(_MemoryJob):
    """A beat that was asked for is taken in the cycle in which it comes.

    No beat comes that was not asked for. What was asked for and has not come, what is held, and
    what may still be asked for are together always as many beats as the queue holds.
    """

    property_name = "room"
    says = "what is read finds room in its queue in the cycle in which it comes"

    def __init__(self, bus: Axi4Bus, depth: int):
        super().__init__(bus)
        self.queue_depth = depth
        self.configuration += f"_into_{depth}"

    def rtl(self) -> Rtl:
        """The queue, and what asks for it."""
        return {"queue": Emission("queue").verilog(ReadQueue(self.bus, self.queue_depth))}

    @property
    def statement(self) -> str:
        """``owed`` beats are to come, and ``held`` have come and not left."""
        depth = self.queue_depth
        bits = depth.bit_length() - 1
        level_bits = (depth - 1).bit_length() - 1
        claims = [
            f"owed + held + room == {depth}",
            f"owed <= {depth} && held <= {depth}",
            "!(burst_valid && burst_ready) || length < room",
            "level + out_valid == held && (out_valid || level <= 1)",
            "!beat_valid || takes",
        ]
        return "\n".join(
            [
                "module claim(input clk, rst, request_valid, burst_ready, beat_valid, out_ready,",
                f"    input [{self.request_bits - 1}:0] request,",
                f"    input [{self.bus.data_bits - 1}:0] beat_data);",
                "  wire request_ready, burst_valid, out_valid;",
                f"  wire [{self.burst_bits - 1}:0] burst;",
                f"  wire [{self.bus.data_bits - 1}:0] out_data;",
                "  queue dut(.clk(clk), .rst(rst), .request_valid(request_valid),",
                "    .request_ready(request_ready), .request(request), .burst_valid(burst_valid),",
                "    .burst_ready(burst_ready), .burst(burst), .beat_valid(beat_valid),",
                "    .beat_data(beat_data), .out_valid(out_valid), .out_ready(out_ready),",
                "    .out_data(out_data));",
                f"  {self._burst()} (* keep *) wire takes;",
                f"  (* keep *) wire [{bits}:0] room; (* keep *) wire [{level_bits}:0] level;",
                *(f"  {line}" for line in START),
                "  reg [15:0] owed = 0, held = 0;",
                "  always @(posedge clk) begin",
                "    owed <= rst ? 0 : owed + (burst_valid && burst_ready ? length + 1 : 0)",
                "      - beat_valid;",
                "    held <= rst ? 0 : held + beat_valid - (out_valid && out_ready);",
                "  end",
                "  always @* assume (!beat_valid || owed != 0);",
                *asserted(claims),
            ]
        )

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction of a step."""
        probes = {
            "room": "dut.room",
            "level": "dut.queue.fifo.inner_level",
            "takes": "dut.queue.in_ready",
        }
        return sat(rtl, self.statement, "-tempinduct -maxsteps 4", timeout, waveform, probes)


class BeatsJob(_MemoryJob):
    """A burst of writes has all its beats when it goes: the bus never waits for one.

    What is held of bursts to come and what is left of the one that goes are together always what
    the queue holds. What the bus is offered stays until it is taken; each burst has as many beats
    as it says, the last one marked; it goes only when all beats of the one before have.
    """

    property_name = "beats"
    says = "a burst of writes never waits for its beats, and has as many as it says"

    def __init__(self, bus: Axi4Bus, depth: int):
        super().__init__(bus)
        self.queue_depth = depth
        self.configuration += f"_from_{depth}"

    def rtl(self) -> Rtl:
        """The writer."""
        return {"writer": Emission("writer").verilog(AxiWriter(self.bus, self.queue_depth, 2))}

    @property
    def statement(self) -> str:
        """``left`` beats of a burst are to leave, and ``inside`` are in the queue."""
        depth = self.queue_depth
        bits = depth.bit_length() - 1
        level_bits = (depth - 1).bit_length() - 1
        data, address = self.bus.data_bits, self.bus.address_bits
        inputs = ("awready", "wready", "bvalid")
        outputs = ("awvalid", "wvalid", "wlast", "bready")
        wires = [*inputs, *outputs, "awaddr", "awlen", "wdata"]
        claims = [
            f"inside <= {depth} && inside == level + first_valid && (first_valid || level <= 1)",
            "held + left == inside",
            "wvalid == (left != 0) && (!wvalid || rest + 1 == left)",
            "!wvalid || first_valid",
            "!wvalid || (wlast == (left == 1) && wdata == first)",
            "!goes || (left <= 1 && (left == 0 || wready))",
            "!waits_address || (awvalid && awaddr == was_address && awlen == was_length)",
            "!began || (awvalid && left == awlen + 1)",
            "!waits_beat || (wvalid && wdata == was_beat)",
        ]
        return "\n".join(
            [
                "module claim(input clk, rst, request_valid, in_valid, stop,",
                f"    input [{self.request_bits - 1}:0] request, input [{data - 1}:0] in_data,",
                f"    input {', '.join(inputs)}, input [1:0] bresp);",
                "  wire request_ready, in_ready, busy, done, error;",
                f"  wire {', '.join(outputs)}; wire [{address - 1}:0] awaddr;",
                f"  wire [{LENGTH_BITS - 1}:0] awlen; wire [{data - 1}:0] wdata;",
                "  writer dut(.clk(clk), .rst(rst), .request_valid(request_valid),",
                "    .request_ready(request_ready), .request(request), .in_valid(in_valid),",
                "    .in_ready(in_ready), .in_data(in_data), .stop(stop), .busy(busy),",
                "    .done(done), .error(error), "
                + ", ".join(f".{MEMORY}_{name}({name})" for name in [*wires, "bresp"])
                + ");",
                f"  (* keep *) wire [{bits}:0] held; (* keep *) wire [{level_bits}:0] level;",
                f"  (* keep *) wire [{LENGTH_BITS - 1}:0] rest, length;",
                f"  (* keep *) wire goes, first_valid; (* keep *) wire [{data - 1}:0] first;",
                *(f"  {line}" for line in START),
                "  reg [15:0] left = 0, inside = 0; reg waits_address = 0, waits_beat = 0;",
                f"  reg [{address - 1}:0] was_address; reg [{LENGTH_BITS - 1}:0] was_length;",
                f"  reg [{data - 1}:0] was_beat; reg began = 0;",
                "  wire beat = wvalid && wready;",
                "  always @(posedge clk) begin",
                "    left <= rst ? 0 : goes ? length + 1 : left - beat;",
                "    inside <= rst ? 0 : inside + (in_valid && in_ready) - beat;",
                "    waits_address <= !rst && awvalid && !awready;",
                "    waits_beat <= !rst && wvalid && !wready; began <= !rst && goes;",
                "    was_address <= awaddr; was_length <= awlen; was_beat <= wdata;",
                "  end",
                *asserted(claims),
            ]
        )

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction of a step."""
        probes = {name: f"dut.{name}" for name in ("held", "rest", "goes")}
        probes |= {
            "level": "dut.queue.fifo.inner_level",
            "first_valid": "dut.queue.out_valid",
            "first": "dut.queue.out_data",
            "length": "dut.splitter_burst["
            f"{self.bus.address_bits + LENGTH_BITS - 1}:{self.bus.address_bits}]",
        }
        return sat(rtl, self.statement, "-tempinduct -maxsteps 4", timeout, waveform, probes)
