"""Wiring of arrays of any size, read off the emitted netlists."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gen.proof import solver
from gen.proof.gates import Gates
from gen.proof.job import Rtl, SizedJob
from gen.proof.verdict import Verdict
from gen.proof.waveform import write_waveform
from gen.verilog.emission import Emission
from hdl.edge.activation_lane import ActivationLane
from hdl.edge.chain import Chain
from hdl.edge.column_correction import ColumnCorrection
from hdl.edge.row_bias import RowBias
from hdl.edge.skew import Skew
from hdl.edge.weight_lane import WeightLane
from hdl.element.processing_element import ProcessingElement
from hdl.grid.grid import Grid
from hdl.multiplier.mac_part import MacPart

Position = tuple[int, int]
Difference = tuple[str, list[Any], list[Any]]
"""What is wired wrongly, the nets that it must have, and those it has."""


class _StructureJob(SizedJob):
    """A property of a netlist's structure, of which every difference is found."""

    depth = "unbounded"
    method = "netlist"

    @property
    def statement(self) -> str:
        """For the hash."""
        return f"{self.property_name}: {self.says}; {self.rows}x{self.cols} {self.element}"

    def differences(self, rtl: Rtl, timeout: float) -> Iterator[Difference]:
        """All that is not as it must be."""
        raise NotImplementedError

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """The first difference is shown as numbers of nets, or of cycles."""
        waveform.unlink(missing_ok=True)
        for what, expected, found in self.differences(rtl, timeout):
            numbers = [[_number(net) for net in nets] for nets in (expected, found)]
            shown = {"expected": (32, numbers[0]), "found": (32, numbers[1])}
            write_waveform(waveform, shown)
            return Verdict(False, f"{what}: {waveform}", waveform)
        return Verdict(True)


class GridJob(_StructureJob):
    """Each element's inputs are its left and upper neighbour's outputs, or ports of the grid.

    Ports are rows and columns in order. With the contract of elements this fixes, for every row and
    column, which operands meet in which cycle.
    """

    property_name = "grid"
    says = "each element is wired to its neighbours, each edge to its rows or columns in order"

    def rtl(self) -> Rtl:
        """The grid."""
        grid = Grid(self.rows, self.cols, ProcessingElement, self.element.mac)
        return {"grid": Emission("grid").verilog(grid)}

    def differences(self, rtl: Rtl, timeout: float) -> Iterator[Difference]:
        """Net by net, where each element is found by the names of the blocks around it."""
        module = solver.instances(rtl["grid"], "grid", "pe", timeout)
        yield from _grid_differences(module, ProcessingElement, self.rows, self.cols)


class EdgesJob(_StructureJob):
    """The edges: lane i is i cycles later than lane 0, or as much earlier; chains pass on in order.

    Each lane of a skew depends on its own inputs alone, all of one latency: its place at the left
    and top, the columns to its right at the bottom. Each lane of a chain of biases or control
    depends on its input alone, a cycle later than the lane before it. Encoders, recoders, row
    biases and corrections are grids of one row or column.
    """

    property_name = "edges"
    says = "each edge lane reads its own row or column, delayed by its place; chains are in order"

    def _grids(self) -> dict[str, tuple[type[MacPart], int, int]]:
        """Kind, rows and columns of the parts."""
        grids: dict[str, tuple[type[MacPart], int, int]] = {
            "activation_lane": (ActivationLane, self.rows, 1),
            "weight_lane": (WeightLane, 1, self.cols),
            "column_correction": (ColumnCorrection, 1, self.cols),
        }
        if self.element.mac.multiplier.row_scale:
            grids["row_bias"] = (RowBias, self.rows, 1)
        return grids

    def _chains(self) -> dict[str, int]:
        """Widths of the chains."""
        mac = self.element.mac
        chains = {"last_chain": 1} if mac.multiplier.column_scale else {}
        return chains | ({"row_bias_chain": mac.row_bias_bits} if mac.multiplier.row_scale else {})

    def rtl(self) -> Rtl:
        """All parts of the edges."""
        mac = self.element.mac
        parts: dict[str, Any] = {
            "activation_skew": Skew(self.rows, ActivationLane.members(mac)["data_in"].shape),
            "weight_skew": Skew(self.cols, mac.multiplier.weights_bits),
            "result_skew": Skew(self.cols, mac.acc_bits, reverse=True),
            **{name: Chain(self.cols, width) for name, width in self._chains().items()},
        }
        for kept, (kind, rows, cols) in self._grids().items():
            parts[f"{kept}_grid"] = Grid(rows, cols, kind, mac)
        return {name: Emission(name).verilog(part) for name, part in parts.items()}

    def differences(self, rtl: Rtl, timeout: float) -> Iterator[Difference]:
        """Latencies of the lanes, then nets of the grids."""
        skews = {
            "activation_skew": list(range(self.rows)),
            "weight_skew": list(range(self.cols)),
            "result_skew": [self.cols - 1 - col for col in range(self.cols)],
        }
        chains = self._chains()
        late = [1 + col for col in range(self.cols)]
        for name, cycles in [*skews.items(), *((name, late) for name in chains)]:
            gates = Gates.of(rtl[name], name, timeout)
            data_in, data_out = gates.ports["data_in"], gates.ports["data_out"]
            bits = len(data_out) // len(cycles)
            for lane, expected in enumerate(cycles):
                places = slice(lane * bits, (lane + 1) * bits)
                own = data_in if name in chains else data_in[places]
                for source, output in zip(own, data_out[places], strict=True):
                    found = gates.latencies([output], [])
                    if found != {source: {expected}}:
                        yield (
                            f"{name}, lane {lane}",
                            [expected],
                            sorted(set().union(*found.values())),
                        )
        for kept, (kind, rows, cols) in self._grids().items():
            module = solver.instances(rtl[f"{kept}_grid"], f"{kept}_grid", kept, timeout)
            yield from _grid_differences(module, kind, rows, cols)


def _grid_differences(
    module: Mapping[str, Any], kind: type[MacPart], rows: int, cols: int
) -> Iterator[Difference]:
    """Net by net, as the routes of the parts say; clock and reset reach all of them."""
    ports = {name: port["bits"] for name, port in module["ports"].items()}
    parts = {
        position_of(name): cell["connections"]
        for name, cell in module["cells"].items()
        if cell["type"] != "$scopeinfo"
    }
    positions = [(row, col) for row in range(rows) for col in range(cols)]
    if sorted(parts) != positions:
        yield "positions of the parts", [len(positions)], [len(parts)]
        return
    for row, col in positions:
        own = parts[row, col]
        for name, nets in own.items():
            if name in ("clk", "rst"):
                source = ports[name]
            else:
                along, passed = kind.route(name)
                index = {"row": row, "col": col, "": 0}[along]
                source = ports[name][index * len(nets) : (index + 1) * len(nets)]
                if passed:
                    rightwards = along == "row"
                    before = (row, col - 1) if rightwards else (row - 1, col)
                    at_end = col == cols - 1 if rightwards else row == rows - 1
                    if name.endswith("_in") and before in parts:
                        source = parts[before][name.removesuffix("_in") + "_out"]
                    elif name.endswith("_out") and not at_end:
                        source = nets
            if nets != source:
                yield f"{name} of row {row}, column {col}", source, nets


def position_of(name: str) -> Position:
    """Row and column of an element, from the offsets in the names of the blocks around it."""
    position = {"row": 0, "col": 0}
    for block in name.split("."):
        kind, _, offset = block.rpartition("_")
        if kind in position and offset.isdigit():
            position[kind] += int(offset)
    return position["row"], position["col"]


def _number(net: Any) -> int:
    return net if isinstance(net, int) else int(net == "1")
