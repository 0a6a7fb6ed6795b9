"""Control of the matrix engine, by induction: no result is without room, no bank is used twice."""

from pathlib import Path

from gen.proof.job import Job, Rtl, asserted
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from hdl.engine.command import COMMAND, COUNT_BITS
from hdl.engine.parameter_buffer import ParameterBuffer
from hdl.engine.tile_walk import TileWalk
from hdl.engine.weight_buffer import WeightBuffer


class WalkJob(Job):
    """The walk lets no tile's last slice go while as many tiles are under way as there is room.

    Whoever offers a command keeps it until it is taken, with counts from 1; only a tile that is
    under way finishes. Slices go whenever both are offered and there is room, all of a command in
    order, and the command is taken with the last one.

    So neither results nor what is to be done with them are lost where they wait. A tile is under
    way from its last slice until its last row has left the queue of results. An array makes of each
    tile exactly ``rows`` rows (``rows``, ``sequencer``), so the rows in it and in the queue belong
    to at most ``room`` tiles and are at most ``rows * room``, the queue's depth; a row that comes
    finds fewer. A queue of three words or more takes a word whenever it holds fewer than its depth
    (``queue``). The queue of what is to be done has a word for each tile under way.
    """

    property_name = "walk"
    says = "as many tiles are under way as there is room, never more; slices go whenever they can"
    method = "SAT, induction"
    depth = "unbounded"

    def __init__(self, room: int):
        self.room = room
        self.configuration = f"room_{room}"

    def rtl(self) -> Rtl:
        """The walk."""
        return {"walk": Emission("walk").verilog(TileWalk(self.room))}

    @property
    def statement(self) -> str:
        """``at``, ``tile_at`` and ``column_at`` are where the walk must be, counted from 0."""
        places = {"at": "slice_number", "tile_at": "tile_m", "column_at": "tile_n"}
        word = f"[{COUNT_BITS - 1}:0]"
        wires = [f"(* keep *) wire {word} {inner};" for inner in places.values()]
        return "\n".join(
            [
                "module claim(input clk, rst, command_valid, activations_valid, weights_valid,",
                f"    slice_ready, finished, input [{COMMAND.size - 1}:0] command);",
                "  wire command_ready, slice_valid, slice_last, slice_exact;",
                "  wire [3:0] tile; wire no_activations, no_weights, no_room;",
                "  walk dut(.clk(clk), .rst(rst), .command_valid(command_valid),",
                "    .command_ready(command_ready), .command(command), .tile(tile),",
                "    .activations_valid(activations_valid), .weights_valid(weights_valid),",
                "    .slice_valid(slice_valid), .slice_ready(slice_ready), .finished(finished),",
                "    .slice_last(slice_last), .slice_exact(slice_exact),",
                "    .waits_for_activations(no_activations), .waits_for_weights(no_weights),",
                "    .waits_for_output(no_room));",
                *(f"  {line}" for line in wires),
                f"  (* keep *) wire [{self.room.bit_length() - 1}:0] inside;",
                f"  wire {word} tiles = command[15:0], columns = command[31:16];",
                f"  wire {word} slices = command[47:32];",
                "  reg started = 0, waits = 0; reg [7:0] under_way = 0;",
                f"  reg [{COMMAND.size - 1}:0] was = 0;",
                f"  reg {word} at = 0, tile_at = 0, column_at = 0;",
                "  wire goes = slice_valid && slice_ready;",
                "  wire last = at == slices - 1, of_column = tile_at == tiles - 1;",
                "  wire of_command = of_column && column_at == columns - 1;",
                "  always @(posedge clk) begin",
                "    started <= 1; was <= command;",
                "    waits <= !rst && command_valid && !command_ready;",
                "    under_way <= rst ? 0 : under_way + (goes && last) - finished;",
                "    at <= rst ? 0 : !goes ? at : last ? 0 : at + 1;",
                "    tile_at <= rst ? 0 : !(goes && last) ? tile_at : of_column ? 0 : tile_at + 1;",
                "    column_at <= rst ? 0 : !(goes && last && of_column) ? column_at :",
                "      of_command ? 0 : column_at + 1;",
                "  end",
                "  always @* assume (started || rst);",
                "  always @* assume (!finished || under_way != 0);",
                "  always @* assume (tiles != 0 && columns != 0 && slices != 0);",
                "  always @* assume (!waits || (command_valid && command == was));",
                "  always @* if (started) begin",
                f"    assert (under_way <= {self.room} && inside == under_way);",
                *(f"    assert ({inner} == {must_be} + 1);" for must_be, inner in places.items()),
                "    assert (waits || (at == 0 && tile_at == 0 && column_at == 0));",
                "    assert (!waits || (at < was[47:32] && tile_at < was[15:0]));",
                "    assert (!waits || column_at < was[31:16]);",
                "    assert (slice_valid == (command_valid && activations_valid && weights_valid",
                f"      && (!last || under_way < {self.room})));",
                "    assert (slice_last == last && slice_exact == command[48]);",
                "    assert (tile == {command[50], of_command, of_column, command[49]});",
                "    assert (command_ready == (goes && last && of_command));",
                "  end",
                "endmodule\n",
            ]
        )

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction of a step."""
        probes = {name: f"dut.{name}" for name in ("slice_number", "tile_m", "tile_n")}
        probes["inside"] = "dut.under_way"
        return sat(rtl, self.statement, "-tempinduct -maxsteps 4", timeout, waveform, probes)


BANKS = """
  (* keep *) wire [1:0] is_full; (* keep *) wire loaded_bank, read_bank;
  reg started = 0; reg [1:0] still = 0;
  always @* assume (started || rst);
"""
"""Registers that tell how both buffers use their banks."""

IN_TURN = (
    "(loaded_bank == read_bank) == (is_full == 0 || is_full == 3)",
    "is_full == 0 || is_full[read_bank]",
    "!(in_valid && in_ready) || !is_full[loaded_bank]",
)
"""Banks are filled and freed in turn, and only one that is not full is written."""


class BanksJob(Job):
    """A buffer of two banks writes none that is full, and reads what was written alone.

    It takes a word whenever a bank is free, and, where both of its sides want to, something moves
    in every three cycles: it is never stuck.

    Parameters
    ----------
    kind : str
        ``weights``, which reads by itself; or ``parameters``, which are read and released only
        where it says that it is full.
    """

    property_name = "banks"
    says = "no bank is written while full, or read where nothing is; something always moves"
    method = "SAT, induction"
    depth = "unbounded"

    def __init__(self, kind: str):
        self.kind = kind
        self.configuration = kind

    def rtl(self) -> Rtl:
        """A small buffer."""
        buffer = WeightBuffer(2, 2) if self.kind == "weights" else ParameterBuffer(2, 1)
        return {"buffer": Emission("buffer").verilog(buffer)}

    @property
    def statement(self) -> str:
        """``still``: cycles in which nothing moved, though it could."""
        return self._weights() if self.kind == "weights" else self._parameters()

    def _weights(self) -> str:
        claims = [
            *IN_TURN,
            "in_ready == (command_valid && !is_full[loaded_bank])",
            "!out_valid || readable || kept",
            "!kept || out_valid",
            "still < 3",
            "still != 2 || is_full == 3 || out_valid",
            "still != 1 || is_full != 0 || out_valid",
            # What makes it inductive: a bank that is loading knows its command's slices, and what
            # is read is below them.
            "loaded == 0 || waits && slices_loaded == depth && depth == 2",
            "!is_full[0] || bank_0[31:16] == 1 || bank_0[31:16] == 2",
            "!is_full[1] || bank_1[31:16] == 1 || bank_1[31:16] == 2",
            "slice_index == 0 || slices_read == 2",
            "slice_index == 0 || is_full[read_bank] || loaded && loaded_bank == read_bank",
        ]
        return "\n".join(
            [
                "module claim(input clk, rst, command_valid, in_valid, out_ready,",
                f"    input [{COMMAND.size - 1}:0] command, input [1:0] in_data);",
                "  wire command_ready, in_ready, out_valid; wire [1:0] out_data;",
                "  buffer dut(.clk(clk), .rst(rst), .command_valid(command_valid),",
                "    .command_ready(command_ready), .command(command), .in_valid(in_valid),",
                "    .in_ready(in_ready), .in_data(in_data), .out_valid(out_valid),",
                "    .out_ready(out_ready), .out_data(out_data));",
                BANKS,
                "  (* keep *) wire loaded, slice_index;",
                "  (* keep *) wire [31:0] bank_0, bank_1;",
                "  wire [15:0] slices_loaded = loaded_bank ? bank_1[31:16] : bank_0[31:16];",
                "  wire [15:0] slices_read = read_bank ? bank_1[31:16] : bank_0[31:16];",
                # A command fits, and stays until its last slice is taken.
                "  wire [15:0] depth = command[47:32];",
                f"  reg waits = 0; reg [{COMMAND.size - 1}:0] before;",
                "  always @* assume (depth == 1 || depth == 2);",
                "  always @* assume (!waits || command_valid && command == before);",
                "  reg readable = 0, kept = 0;",
                "  wire wants = command_valid && in_valid && out_ready;",
                "  always @(posedge clk) begin",
                "    started <= 1;",
                "    readable <= !rst && (is_full[read_bank]",
                "      || loaded_bank == read_bank && slice_index < loaded);",
                "    kept <= !rst && out_valid && !out_ready;",
                "    waits <= !rst && command_valid && !command_ready; before <= command;",
                "    still <= rst || !wants || in_ready || out_valid ? 0 : still + 1;",
                "  end",
                *asserted(claims),
            ]
        )

    def _parameters(self) -> str:
        claims = [
            *IN_TURN,
            "in_ready == !is_full[loaded_bank]",
            "full == is_full[read_bank]",
            "in_ready || full",
        ]
        return "\n".join(
            [
                "module claim(input clk, rst, in_valid, part, read, release_bank,",
                "    input [31:0] in_data);",
                "  wire in_ready, full; wire [95:0] parameters;",
                "  buffer dut(.clk(clk), .rst(rst), .in_valid(in_valid), .in_ready(in_ready),",
                "    .in_data(in_data), .full(full), .part(part), .read(read),",
                "    .free_bank(release_bank), .parameters(parameters));",
                BANKS,
                "  always @* assume (full || !(read || release_bank));",
                "  always @(posedge clk) started <= 1;",
                *asserted(claims),
            ]
        )

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction of a step."""
        names = ["is_full", "loaded_bank", "read_bank"]
        if self.kind == "weights":
            names += ["loaded", "slice_index", "bank_0", "bank_1"]
        probes = {name: f"dut.{name}" for name in names}
        return sat(rtl, self.statement, "-tempinduct -maxsteps 4", timeout, waveform, probes)
