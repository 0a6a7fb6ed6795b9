"""The output stage, by induction: what is read of each row leaves as its words, in order."""

import re
from pathlib import Path

from gen.proof.job import Job, Rtl, asserted
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from hdl.engine.column_parameters import COLUMN_PARAMETERS
from hdl.engine.output_stage import BYTES_PER_SUM, SUM_BITS, OutputStage
from hdl.engine.requantizer_lane import RequantizerLane

FIELDS = {
    name: field
    for name, field in COLUMN_PARAMETERS
    if not name.startswith("reserved") and name != "combine"
}
"""What a lane takes of the parameters of its column."""
COMBINE = dict(COLUMN_PARAMETERS)["combine"]
"""What a combiner takes of them."""
STAGES = 1 + RequantizerLane.latency
"""From a row to its words."""
_LANE = re.compile(r"(\nmodule \w*requantizer_lane\([^;]*;).*?\nendmodule", re.DOTALL)
"""A lane, and its head: what it gives of what it takes is left open here."""
ACC_BITS = 3
"""Of sums: they are only passed on."""


class OutputJob(Job):
    """The output stage reads rows in parts, in order, and gives the words of each part once.

    - A part is read whenever a row and its parameters are there and the stage moves on. With the
      last part of a tile it is ``finished``, and parameters are released.
    - The stage moves on unless a word waits. Every lane is enabled in just these cycles, and what
      it adds and requantizes in the first of them after a reading is its column of the part, with
      its own parameters; where columns combine, with the column to its left as they say. So, as
      lanes take four such cycles (``requantizer``), what they show five after a reading is of that
      part.
    - Then the part's words are offered: the bytes of the lanes, or four of their sums, in order,
      until they are taken. The last one of a command is marked.

    The reference knows the row and part that are read next, and carries what is said of a part
    along.
    """

    property_name = "output"
    says = "each part of a row is read once, and leaves as its bytes or its sums, in order"
    method = "SAT, induction"
    depth = "unbounded"

    def __init__(self, rows: int, cols: int, lanes: int, points: int | None = None):
        self.rows = rows
        self.cols = cols
        self.lanes = lanes
        self.points = points
        self.configuration = f"{rows}x{cols}_lanes{lanes}{'_combines' if points else ''}"

    def rtl(self) -> Rtl:
        """The stage, with its lanes."""
        stage = OutputStage(self.rows, self.cols, self.lanes, ACC_BITS, points=self.points)
        return {"stage": Emission("stage").verilog(stage)}

    @property
    def statement(self) -> str:
        """``s`` are the parts that were read and have not left; bit 0 is the newest."""
        rows, lanes, parts, stages = self.rows, self.lanes, self.cols // self.lanes, STAGES
        last, part_bits, width = stages - 1, lanes * ACC_BITS, lanes * 8
        ports = {
            **dict.fromkeys(("rows_valid", "parameters_full", "out_ready"), 1),
            "sums": self.cols * ACC_BITS,
            "tile": 3,
            "parameters": lanes * COLUMN_PARAMETERS.size,
        }
        outputs = {
            **dict.fromkeys(("rows_ready", "finished", "parameters_read"), 1),
            **dict.fromkeys(("parameters_release", "out_valid", "out_last"), 1),
            "out_data": width,
            **({"parameters_part": (parts - 1).bit_length()} if parts > 1 else {}),
        }
        pins = ", ".join(f".{name}({name})" for name in (*ports, *outputs))
        inside = {"row": (rows - 1).bit_length() or None, "word": 2}
        inside |= dict.fromkeys(("valid", "as_sums", "is_last"), stages)
        claims = [
            f"row_at < {rows} && part_at < {parts}",
            "parameters_part == part_at" if parts > 1 else "part_at == 0",
            "row == row_at" if rows > 1 else "row_at == 0",
            "word == word_at",
            "parameters_read == reads",
            "rows_ready == (reads && ends_row)",
            "finished == (reads && ends_tile)",
            "parameters_release == (reads && ends_tile && tile[1])",
            f"out_valid == s[{last}]",
            "valid == s",
            *(
                f"!s[{i}] || as_sums[{i}] == s_sums[{i}] && is_last[{i}] == s_last[{i}]"
                for i in range(stages)
            ),
            f"!out_valid || out_last == (s_last[{last}] && ends_part)",
            f"!out_valid || of_sums || out_data == {{{_lanes('activation', lanes)}}}",
            f"!out_valid || !of_sums || out_data == biased[word_at * {width} +: {width}]",
        ]
        for lane in range(lanes):
            claims += [f"enable_{lane} == moves", f"!s[0] || $signed(sum_{lane}) == total_{lane}"]
            for name, field in FIELDS.items():
                low = lane * COLUMN_PARAMETERS.size + field.offset
                claims.append(f"{name}_{lane} == parameters[{low} +: {field.width}]")
        inputs = ", ".join(f"input [{bits - 1}:0] {name}" for name, bits in ports.items())
        return "\n".join(
            [
                f"module claim(input clk, rst, {inputs});",
                *(f"  wire [{bits - 1}:0] {name};" for name, bits in outputs.items()),
                f"  stage dut(.clk(clk), .rst(rst), {pins});",
                *(
                    f"  (* keep *) wire [{bits - 1}:0] {name};"
                    for name, bits in (*inside.items(), *self._lane_wires().items())
                    if bits
                ),
                f"  wire [{lanes * SUM_BITS - 1}:0] biased = {{{_lanes('biased', lanes)}}};",
                "  reg started = 0; reg [7:0] row_at = 0, part_at = 0, word_at = 0;",
                f"  reg [{last}:0] s = 0, s_sums = 0, s_last = 0;",
                f"  reg [{part_bits - 1}:0] read_part = 0;",
                f"  wire of_sums = s_sums[{last}];",
                f"  wire ends_part = !of_sums || word_at == {BYTES_PER_SUM - 1};",
                "  wire moves = !out_valid || out_ready && ends_part;",
                "  wire reads = moves && rows_valid && parameters_full;",
                f"  wire ends_row = part_at == {parts - 1};",
                f"  wire ends_tile = ends_row && row_at == {rows - 1};",
                "  always @(posedge clk) begin",
                "    started <= 1;",
                "    part_at <= rst ? 0 : !reads ? part_at : ends_row ? 0 : part_at + 1;",
                "    row_at <= rst || reads && ends_tile ? 0 : row_at + (reads && ends_row);",
                "    word_at <= rst || moves ? 0 : word_at + (out_ready && of_sums);",
                f"    if (reads) read_part <= sums[part_at * {part_bits} +: {part_bits}];",
                "    s <= rst ? 0 : moves ? {s, reads} : s;",
                "    if (moves) s_sums <= {s_sums, tile[0]};",
                "    if (moves) s_last <= {s_last, ends_tile && tile[2]};",
                "  end",
                *map(self._total, range(lanes)),
                "  always @* assume (started || rst);",
                *asserted(claims),
            ]
        )

    def _total(self, lane: int) -> str:
        """What a lane's sum is: that of its column, or of two."""
        own, left = (
            f"$signed(read_part[{column * ACC_BITS} +: {ACC_BITS}])"
            for column in (lane, max(0, lane - 1))
        )
        if not self.points or lane % self.points == 0:
            return f"  wire signed [{SUM_BITS - 1}:0] total_{lane} = {own};"
        low = lane * COLUMN_PARAMETERS.size + COMBINE.offset
        return "\n".join(
            [
                f"  wire [{COMBINE.width - 1}:0] by_{lane} = parameters[{low} +: {COMBINE.width}];",
                f"  wire signed [{SUM_BITS - 1}:0] left_{lane} = {left}, own_{lane} = {own};",
                f"  wire signed [{SUM_BITS - 1}:0] total_{lane} =",
                f"    by_{lane} == 0 ? own_{lane} : (left_{lane} <<< by_{lane}) + own_{lane};",
            ]
        )

    def _lane_wires(self) -> dict[str, int]:
        """Wires that show the ports of the lanes, and their widths."""
        widths = {
            **{name: field.width for name, field in FIELDS.items()},
            **{"enable": 1, "sum": SUM_BITS, "biased": SUM_BITS, "activation": 8},
        }
        return {
            f"{name}_{lane}": bits for lane in range(self.lanes) for name, bits in widths.items()
        }

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction of a step."""
        names = ["word", "valid", "as_sums", "is_last", *(["row"] if self.rows > 1 else [])]
        probes = {name: f"dut.{name}" for name in names}
        for wire in self._lane_wires():
            name, _, lane = wire.rpartition("_")
            probes[wire] = f"dut.lane_{lane}.{name}"
        rtl = {name: _LANE.sub(r"\1\nendmodule", text) for name, text in rtl.items()}
        return sat(rtl, self.statement, "-tempinduct -maxsteps 4", timeout, waveform, probes)


def _lanes(name: str, lanes: int) -> str:
    return ", ".join(f"{name}_{lane}" for lane in reversed(range(lanes)))
