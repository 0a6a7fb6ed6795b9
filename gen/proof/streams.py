"""Handshake and control of the array, by induction: nothing is lost, repeated or stuck."""

from pathlib import Path

from gen.proof.element import array_bits, array_latency
from gen.proof.job import Job, Rtl, SizedJob
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from hdl.tile.group_buffer import GroupBuffer
from hdl.tile.tile_sequencer import TileSequencer


class SequencerJob(Job):
    """The handshake of the array and the control that follows from it, after any reset.

    - ``in_ready`` never falls inside a tile, and is low for less than ``rows`` cycles after one.
    - Each tile's last goes down the rows once, in order, at least ``rows`` cycles after the one
      before, and at most ``rows - 1`` cycles later than it was taken.
    - Results drain: in a column of result registers as the contract of elements has them, what the
      bottom one shows from two cycles after its last is the tile's results from the bottom row up.
    """

    property_name = "sequencer"
    says = "the input never stalls inside a tile or for rows cycles; no tile's results are lost"
    method = "SAT, induction"
    depth = "unbounded"

    def __init__(self, rows: int, delay: int):
        self.rows = rows
        self.delay = delay
        self.configuration = f"{rows}rows" + (f"_delay{delay}" if delay else "")

    def rtl(self) -> Rtl:
        """The sequencer."""
        return {"sequencer": Emission("sequencer").verilog(TileSequencer(self.rows, self.delay))}

    @property
    def statement(self) -> str:
        """``sent[i]`` is 1 where a last was sent i + 1 cycles ago, ``tile[i]`` if of a tile."""
        rows, delay = self.rows, self.delay
        length = delay + 2 * rows + 2
        lines = f"""
module claim(input clk, input rst, input in_valid, input in_last, input hold);
  wire in_ready, taken; wire [{rows}:0] last; wire [{rows - 1}:0] drain;
  sequencer dut(.clk(clk), .rst(rst), .in_valid(in_valid), .in_last(in_last), .hold(hold),
    .in_ready(in_ready), .taken(taken), .last(last), .drain(drain));
  reg started = 0, in_tile = 0, pending = 0;
  reg [7:0] since = {rows}, low = 0;
  reg [{length - 1}:0] sent = 1, tile = 0;
  reg [7:0] age = 0;
  (* keep *) wire [{(rows - 1).bit_length() - 1 if rows > 1 else 0}:0] cycles_to_wait;
  (* keep *) wire last_held, cleared;
  wire due = (in_valid && in_ready && in_last) || pending;
  wire send = due && since >= {rows};
  always @(posedge clk) begin
    started <= 1;
    in_tile <= !rst && (taken ? !in_last : in_tile);
    pending <= !rst && due && !send;
    since <= rst ? {rows} : send ? 1 : since == {rows} ? since : since + 1;
    low <= rst || in_ready || hold ? 0 : low + 1;
    sent <= rst ? 1 : {{sent, send}};
    tile <= rst ? 0 : {{tile, send}};
    age <= rst ? 0 : age == {delay + rows} ? age : age + 1;
  end
  always @* assume (started || rst);
  always @* assume (!(hold && in_tile));
  always @* if (started) begin
    assert (taken == (in_valid && in_ready));
    assert (!in_tile || in_ready);
    assert (in_ready == !(pending || hold));
    assert (low < {rows});
    assert (last == (sent >> {delay}) % {2 ** (rows + 1)});
    assert (since <= {rows} && since >= 1);
""".splitlines()
        if rows > 1:
            # What the registers hold, so that the induction is short.
            lines += [
                f"    assert (cycles_to_wait == {rows} - since);",
                "    assert (last_held == pending);",
                f"    assert (cleared == (age == {delay + rows}));",
                f"    assert (age <= {delay + rows} && (age == {delay + rows} || !(tile >> age)));",
            ]
        for row in range(rows):
            first = delay + rows
            lines.append(f"    assert (drain[{row}] == |tile[{first} +: {row + 1}]);")
        lines += ["  end", *self._column(), "endmodule\n"]
        return "\n".join(lines)

    def _column(self) -> list[str]:
        """A column of result registers; each holds a row's number and the parity of its tile."""
        rows, delay = self.rows, self.delay
        bits = max(1, (rows - 1).bit_length()) + 1
        lines = [f"  reg [{rows - 1}:0] loads = 0, drains = 0, parity = 0;"]
        lines += [f"  reg [{bits - 1}:0] result_{row};" for row in range(rows)]
        lines += ["  always @(posedge clk) begin"]
        lines += [f"    loads <= rst ? 0 : last[{rows - 1}:0]; drains <= rst ? 0 : drain;"]
        lines += ["    parity <= rst ? 0 : parity ^ loads;"]
        for row in range(rows):
            above = f"result_{row - 1}" if row else "0"
            lines.append(
                f"    result_{row} <= loads[{row}] ? {{{bits - 1}'d{row}, ~parity[{row}]}} "
                f": drains[{row}] ? {above} : result_{row};"
            )
        lines += ["  end", "  always @* if (started) begin"]
        for k in range(rows):
            at = delay + rows + 1 + k
            lines.append(
                f"    assert (!tile[{at}] || result_{rows - 1} == "
                f"{{{bits - 1}'d{rows - 1 - k}, parity[{rows - 1}]}});"
            )
        return [*lines, "  end"]

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction over as many cycles as a tile takes through the rows."""
        steps = 4 * (self.rows + 2) + self.delay
        names = ("cycles_to_wait", "last_held", "cleared")
        probes = {name: f"dut.{name}" if self.rows > 1 else "rst" for name in names}
        options = f"-tempinduct -maxsteps {steps}"
        return sat(rtl, self.statement, options, timeout, waveform, probes)


class RowsJob(SizedJob):
    """What comes out of an array, and when: for each tile its rows, in order, without a gap.

    The first row is valid ``latency`` cycles after the tile's last was sent, which is the cycle in
    which it was taken unless the tile is short; ``out_last`` comes with row 0.
    """

    property_name = "rows"
    says = "each tile taken leaves as its rows, without a gap, at the stated latency"
    method = "SAT, induction"
    depth = "unbounded"

    @property
    def statement(self) -> str:
        """``tile[i]`` is 1 where a tile's last was sent i + 1 cycles ago."""
        rows = self.rows
        widths = array_bits(self.element, rows, self.cols)
        del widths["out_acc"]
        latency = array_latency(self.element, self.rows, self.cols)
        ports = ", ".join(f"input [{width - 1}:0] {name}" for name, width in widths.items())
        return f"""
module claim(input clk, input rst, input in_valid, input in_last, {ports});
  wire in_ready, out_valid, out_last;
  array dut(.clk(clk), .rst(rst), .in_valid(in_valid), .in_last(in_last), .in_ready(in_ready),
    .in_a(in_a), .in_w(in_w), .out_valid(out_valid), .out_last(out_last));
  reg started = 0, pending = 0;
  reg [7:0] since = {rows}, age = 0;
  reg [{latency + rows}:0] tile = 0;
  (* keep *) wire top_cleared, row_cleared;
  wire due = (in_valid && in_ready && in_last) || pending;
  wire send = due && since >= {rows};
  always @(posedge clk) begin
    started <= 1;
    pending <= !rst && due && !send;
    since <= rst ? {rows} : send ? 1 : since == {rows} ? since : since + 1;
    tile <= rst ? 0 : {{tile, send}};
    age <= rst ? 0 : age == {latency} ? age : age + 1;
  end
  always @* assume (started || rst);
  always @* if (started) begin
    assert (age <= {latency} && since >= 1 && since <= {rows});
    assert (top_cleared == (age == {latency}));
    assert (row_cleared == (age >= {self.element.pipeline + rows}));
    assert (in_ready == !pending);
    assert (out_valid == |tile[{latency - 1} +: {rows}]);
    assert (out_last == tile[{latency + rows - 2}]);
  end
endmodule
"""

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction over as many cycles as a tile takes through the array."""
        steps = 2 * (array_latency(self.element, self.rows, self.cols) + 2 * self.rows + 4)
        probes = {
            "top_cleared": "dut.result_control.cleared",
            "row_cleared": "dut.sequencer.cleared",
        }
        options = f"-tempinduct -maxsteps {steps}"
        return sat(rtl, self.statement, options, timeout, waveform, probes)


class GroupBufferJob(Job):
    """Slices that wait for their group: each leaves once, in order, at its time.

    A slice leaves when its group is complete, in the place it has there; the OR of its group goes
    with it; empty slices leave otherwise. ``filling`` completes the last group of a tile, for less
    than ``slices`` cycles.
    """

    property_name = "group_buffer"
    says = "slices leave their group buffer once, in order, with the OR of their group"
    method = "SAT, induction"
    depth = "unbounded"

    def __init__(self, slices: int, width: int):
        self.slices = slices
        self.width = width
        self.configuration = f"{slices}slices_{width}bits"

    def rtl(self) -> Rtl:
        """The buffer."""
        buffer = GroupBuffer(self.slices, self.width, self.width)
        return {"buffer": Emission("buffer").verilog(buffer)}

    @property
    def statement(self) -> str:
        """The last cycles of what came in, and where groups ended, say what leaves."""
        n, width = self.slices, self.width
        word = f"[{width - 1}:0]"
        lines = f"""
module claim(input clk, input rst, input taken, input last, input {word} data, input {word} share);
  wire filling; wire {word} data_out, largest_out;
  buffer dut(.clk(clk), .rst(rst), .taken(taken), .last(last), .filling(filling), .data_in(data),
    .data_out(data_out), .largest_in(share), .largest_out(largest_out));
  reg started = 0, ending = 0;
  reg [7:0] count = 0, left = 0, low = 0;
  reg {word} ored = 0, group = 0;
  wire step = taken || filling;
  wire complete = step && count == {n - 1};
  wire {word} in = taken ? data : 0;
  wire {word} or_in = taken ? share : 0;
  always @* assume (started || rst);
  always @* assume (!(taken && filling));
  always @* assume (!last || taken);
""".splitlines()
        lines += [f"  reg {word} come_{i} = 0, go_{i} = 0;" for i in range(n)]
        lines += ["  always @(posedge clk) begin started <= 1;"]
        lines += ["    count <= rst || complete ? 0 : step ? count + 1 : count;"]
        lines += [
            "    ending <= !rst && step && !complete ? (ending || last) : !rst && !step && ending;"
        ]
        lines += [f"    left <= rst ? 0 : complete ? {n} : left ? left - 1 : 0;"]
        lines += ["    ored <= rst || complete ? 0 : step ? ored | or_in : ored;"]
        lines += ["    low <= rst || !filling || complete ? 0 : low + 1;"]
        lines += ["    if (complete) group <= ored | or_in;"]
        for i in range(n):
            now = f"(count == {i} ? in : come_{i})"
            following = f"go_{i + 1}" if i + 1 < n else "0"
            lines.append(f"    if (step && count == {i}) come_{i} <= in;")
            lines.append(f"    go_{i} <= rst ? 0 : complete ? {now} : {following};")
        lines += ["  end", "  always @* if (started) begin"]
        lines += ["    assert (filling == ending);", f"    assert (low < {n - 1} || !filling);"]
        lines += [f"    assert (count < {n} && left <= {n} && low <= count);"]
        lines += ["    assert (!ending || count != 0);"]
        lines += [
            "    assert (data_out == go_0);",
            "    assert (left == 0 || largest_out == group);",
        ]
        probes = {"waiting": "come", "leaving": "go"}
        for inner, outer in probes.items():
            for i in range(n - (inner == "waiting")):
                used = f"count <= {i} || " if inner == "waiting" else ""
                lines.append(f"    assert ({used}shown_{inner}_{i} == {outer}_{i});")
        lines += ["    assert (count == 0 || shown_so_far == ored);"]
        lines += ["    assert (shown_position == count);"]
        wires = [f"  (* keep *) wire {word} shown_so_far;"]
        wires += [f"  (* keep *) wire [{(n - 1).bit_length() - 1}:0] shown_position;"]
        wires += [f"  (* keep *) wire {word} shown_waiting_{i};" for i in range(n - 1)]
        wires += [f"  (* keep *) wire {word} shown_leaving_{i};" for i in range(n)]
        head = lines.index("  always @(posedge clk) begin started <= 1;")
        return "\n".join([*lines[:head], *wires, *lines[head:], "  end", "endmodule\n"])

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction of a step: the property names what every register holds."""
        names = ["so_far", "position", *(f"waiting_{i}" for i in range(self.slices - 1))]
        names += [f"leaving_{i}" for i in range(1, self.slices)]
        probes = {f"shown_{name}": f"dut.{name}" for name in names}
        probes["shown_leaving_0"] = "data_out"
        options = f"-tempinduct -maxsteps {3 * self.slices}"
        return sat(rtl, self.statement, options, timeout, waveform, probes)
