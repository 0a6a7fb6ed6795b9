# amaranth: UnusedElaboratable=no
"""Wiring of arrays of any size, read off the emitted netlists."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gen.proof import solver
from gen.proof.gates import Gates
from gen.proof.job import Job, Rtl
from gen.proof.verdict import Verdict
from gen.proof.waveform import write_waveform
from gen.verilog.emission import Emission
from hdl import MacUnit
from hdl.edge.chain import Chain
from hdl.edge.column_correction import ColumnCorrection
from hdl.edge.edge_lane import ActivationLane, ResultLane, WeightLane
from hdl.edge.row_bias import RowBias
from hdl.edge.skewed_lanes import SkewedLanes
from hdl.grid.pe_grid import DOWNWARDS, RIGHTWARDS, PeGrid

Position = tuple[int, int]
Difference = tuple[str, list[Any], list[Any]]
"""What is wired wrongly, the nets that it must have, and those it has."""


class _StructureJob(Job):
    """A property of a netlist's structure, of which every difference is found."""

    depth = "unbounded"
    method = "netlist"

    def __init__(self, element: MacUnit, rows: int, cols: int):
        self.element = element
        self.rows = rows
        self.cols = cols
        self.configuration = f"{rows}x{cols}_{element.slug}"

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
        grid = PeGrid(self.rows, self.cols, self.element.processing_element())
        return {"grid": Emission("grid").verilog(grid)}

    def differences(self, rtl: Rtl, timeout: float) -> Iterator[Difference]:
        """Net by net, where each element is found by the names of the blocks around it."""
        module = solver.instances(rtl["grid"], "grid", "pe", timeout)
        ports = {name: port["bits"] for name, port in module["ports"].items()}
        elements = {
            position_of(name): cell["connections"]
            for name, cell in module["cells"].items()
            if cell["type"] != "$scopeinfo"
        }
        positions = [(row, col) for row in range(self.rows) for col in range(self.cols)]
        if sorted(elements) != positions:
            yield "positions of the elements", [len(positions)], [len(elements)]
            return
        for row, col in positions:
            own = elements[row, col]
            for name in RIGHTWARDS + DOWNWARDS:
                rightwards = name in RIGHTWARDS
                index = row if rightwards else col
                width = len(own[f"{name}_in"])
                edge = slice(index * width, (index + 1) * width)
                before = (row, col - 1) if rightwards else (row - 1, col)
                at_end = col == self.cols - 1 if rightwards else row == self.rows - 1
                source = (
                    elements[before][f"{name}_out"]
                    if before in elements
                    else ports[f"{name}_in"][edge]
                )
                if own[f"{name}_in"] != source:
                    yield f"{name} into row {row}, column {col}", source, own[f"{name}_in"]
                if at_end and ports[f"{name}_out"][edge] != own[f"{name}_out"]:
                    wired = ports[f"{name}_out"][edge]
                    yield f"{name} out of row {row}, column {col}", own[f"{name}_out"], wired
            for name in ("clk", "rst"):
                if own[name] != ports[name]:
                    yield f"{name} of row {row}, column {col}", ports[name], own[name]


class EdgesJob(_StructureJob):
    """The edges: lane i is i cycles later than lane 0, or as much earlier; chains pass on in order.

    Each lane depends on its own inputs alone, all of one latency: one cycle and its position at the
    left and top, the columns to its right at the bottom.
    """

    property_name = "edges"
    says = "each edge lane reads its own row or column, delayed by its place; chains are in order"

    def rtl(self) -> Rtl:
        """All parts of the edges."""
        pe = self.element.processing_element()
        parts: dict[str, Any] = {
            "activation_edge": SkewedLanes(self.rows, ActivationLane(pe)),
            "weight_edge": SkewedLanes(self.cols, WeightLane(pe)),
            "result_edge": SkewedLanes(self.cols, ResultLane(pe), reverse=True),
        }
        if pe.multiplier.row_scale:
            parts["row_bias_chain"] = Chain(RowBias, pe, self.rows)
        parts["correction_chain"] = Chain(ColumnCorrection, pe, self.cols)
        return {name: Emission(name).verilog(part) for name, part in parts.items()}

    def differences(self, rtl: Rtl, timeout: float) -> Iterator[Difference]:
        """Latencies of the lanes, then nets of the chains."""
        edges = {
            "activation_edge": [1 + row for row in range(self.rows)],
            "weight_edge": [1 + col for col in range(self.cols)],
            "result_edge": [self.cols - 1 - col for col in range(self.cols)],
        }
        for name, cycles in edges.items():
            gates = Gates.of(rtl[name], name, timeout)
            data_in, data_out = gates.ports["data_in"], gates.ports["data_out"]
            bits_in, bits_out = len(data_in) // len(cycles), len(data_out) // len(cycles)
            for lane, expected in enumerate(cycles):
                own = set(data_in[lane * bits_in : (lane + 1) * bits_in])
                found = gates.latencies(data_out[lane * bits_out : (lane + 1) * bits_out], [])
                late = sorted(set().union(*found.values()))
                if not set(found) <= own or late != [expected]:
                    yield f"{name}, lane {lane}", [expected], late
        chains = {"row_bias_chain": ("row_bias", RowBias, self.rows)}
        chains["correction_chain"] = ("column_correction", ColumnCorrection, self.cols)
        for name, (kept, kind, count) in chains.items():
            if name in rtl:
                module = solver.instances(rtl[name], name, kept, timeout)
                yield from self._chain(module, kind.passed, count)

    def _chain(
        self, module: Mapping[str, Any], passed: tuple[str, ...], count: int
    ) -> Iterator[Difference]:
        ports = {name: port["bits"] for name, port in module["ports"].items()}
        links = {
            sum(position_of(name)): cell["connections"]
            for name, cell in module["cells"].items()
            if cell["type"] != "$scopeinfo"
        }
        if sorted(links) != list(range(count)):
            yield "positions in the chain", [count], [len(links)]
            return
        for index, own in links.items():
            for name, nets in own.items():
                stem, _, way = name.rpartition("_")
                if name in ("clk", "rst"):
                    source = ports[name]
                elif stem not in passed:
                    source = ports[name][index * len(nets) : (index + 1) * len(nets)]
                elif way == "in":
                    source = links[index - 1][f"{stem}_out"] if index else ports[name]
                else:
                    source = ports[name] if index == count - 1 else nets
                if nets != source:
                    yield f"{name} of link {index}", source, nets


def position_of(name: str) -> Position:
    """Row and column of an element, from the offsets in the names of the blocks around it.

    The lane of a chain counts as its row.
    """
    position = {"row": 0, "col": 0}
    for block in name.split("."):
        kind, _, offset = block.rpartition("_")
        if kind in ("row", "col", "lane") and offset.isdigit():
            position["row" if kind == "lane" else kind] += int(offset)
    return position["row"], position["col"]


def _number(net: Any) -> int:
    return net if isinstance(net, int) else int(net == "1")
