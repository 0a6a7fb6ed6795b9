"""Skews, chains and grids of every size that may matter, with one-bit registers in their places.

What reaches each output, and after how many cycles, is read off the emitted netlist.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import In, Member, Out

from gen.tools.yosys import run_yosys
from gen.verilog.emission import Emission
from hdl.edge.chain import Chain
from hdl.edge.delay import Delay
from hdl.edge.skew import Skew
from hdl.element.dot_product_unit import DotProductUnit
from hdl.element.processing_element import ProcessingElement
from hdl.grid.grid import Grid
from hdl.multiplier.exact import AndArray
from hdl.multiplier.mac import Mac
from hdl.multiplier.mac_part import DOWNWARDS, RIGHTWARDS, TO_COLUMN, TO_ROW, MacPart
from sim_tb.hdl.test_sizes import LARGE

MAC = Mac(AndArray(2, 1))
"""Of parts whose ports have one bit, whatever it is."""

Reach = frozenset[tuple[str, int, int]]
"""Input bits, by port and place in it, and the cycles that each takes."""


class Flow:
    """What reaches the outputs of a component without loops.

    Each module is looked into once, however often it is placed: what is built of halves takes
    little time.
    """

    def __init__(self, component: Any, folder: Path):
        source, target = folder / "design.v", folder / "design.json"
        source.write_text(Emission("top").verilog(component))
        commands = [f"read_verilog {source}", "hierarchy -check -top top", "proc", "simplemap"]
        run_yosys([*commands, "opt_clean", f"write_json {target}"])
        self._modules = json.loads(target.read_text())["modules"]
        self._known: dict[str, dict[str, list[Reach]]] = {}

    def reach(self, module: str = "top") -> dict[str, list[Reach]]:
        """Of each output port, what reaches its bits."""
        if module not in self._known:
            self._known[module] = _Module(self, self._modules[module]).outputs()
        return self._known[module]

    def is_module(self, name: str) -> bool:
        return name in self._modules


class _Module:
    def __init__(self, flow: Flow, module: Mapping[str, Any]):
        self._flow = flow
        self._ports = module["ports"]
        self._drivers: dict[int, tuple[Mapping[str, Any], str, int]] = {}
        self._reach: dict[int, Reach] = {}
        for name, port in self._ports.items():
            if port["direction"] == "input":
                for index, net in enumerate(port["bits"]):
                    self._reach[net] = frozenset({(name, index, 0)})
        for cell in module["cells"].values():
            for name, nets in cell["connections"].items():
                if cell["port_directions"][name] == "output":
                    for index, net in enumerate(nets):
                        self._drivers[net] = cell, name, index

    def outputs(self) -> dict[str, list[Reach]]:
        return {
            name: [self._of(net) for net in port["bits"]]
            for name, port in self._ports.items()
            if port["direction"] == "output"
        }

    def _of(self, net: Any) -> Reach:
        if isinstance(net, str):  # a constant
            return frozenset()
        if net not in self._reach:
            cell, name, index = self._drivers[net]
            self._reach[net] = self._through(cell, name, index)
        return self._reach[net]

    def _through(self, cell: Mapping[str, Any], name: str, index: int) -> Reach:
        pins = cell["connections"]
        if self._flow.is_module(cell["type"]):
            inner = self._flow.reach(cell["type"])[name][index]
            return frozenset(
                (port, place, cycles + later)
                for pin, bit, later in inner
                for port, place, cycles in self._of(pins[pin][bit])
            )
        if cell["type"] == "$_DFF_P_":
            return frozenset((port, at, cycles + 1) for port, at, cycles in self._of(pins["D"][0]))
        inputs = [pin for pin, way in cell["port_directions"].items() if way == "input"]
        return frozenset().union(*(self._of(pins[pin][0]) for pin in inputs))


class Registers(MacPart):
    """One bit per port; each output a register of the inputs that it is said to depend on."""

    depends: ClassVar[Mapping[str, tuple[str, ...]]]

    @classmethod
    def members(cls, mac: Mac) -> dict[str, Member]:
        inputs = {name for names in cls.depends.values() for name in names}
        return {name: In(1) for name in sorted(inputs)} | dict.fromkeys(cls.depends, Out(1))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name, sources in self.depends.items():
            register = Signal(name=f"{name}_register", reset_less=True)
            value = getattr(self, sources[0])
            for source in sources[1:]:
                value = value ^ getattr(self, source)
            m.d.sync += register.eq(value)
            m.d.comb += getattr(self, name).eq(register)
        return m


class Element(Registers):
    """A processing element: operands and control pass, the result is that of all inputs."""

    routes = ProcessingElement.routes
    depends: ClassVar = {
        **{f"{name}_out": (f"{name}_in",) for name in ("last", "drain", "activation", "weight")},
        "result_out": ("result_in", "last_in", "drain_in", "activation_in", "weight_in"),
    }


class Unit(Registers):
    """A dot-product unit: the result is that of all inputs."""

    routes = DotProductUnit.routes
    depends: ClassVar = {"result_out": ("result_in", "last", "drain", "activation", "weight")}


class RowLink(Registers):
    """Beside a row: what it hands down, and what it makes of that and of its own input."""

    routes: ClassVar = {"bias": DOWNWARDS, "own": TO_ROW, "result": TO_ROW}
    depends: ClassVar = {"bias_out": ("bias_in", "own"), "result": ("bias_in", "own")}


class ColumnLink(RowLink):
    """The same below a column."""

    routes: ClassVar = {"bias": RIGHTWARDS, "own": TO_COLUMN, "result": TO_COLUMN}


def test_flow_of_registers(tmp_path: Path) -> None:
    flow = Flow(Element(MAC), tmp_path).reach()
    assert flow["weight_out"] == [frozenset({("weight_in", 0, 1)})]
    assert flow["result_out"][0] > flow["weight_out"][0]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lanes", [1, 2, 3, *LARGE])
def test_skew(lanes: int, reverse: bool, tmp_path: Path, checks: Any) -> None:
    """Lane i is exactly i cycles later than lane 0, or earlier."""
    (got,) = Flow(Skew(lanes, 1, reverse), tmp_path).reach().values()
    for lane, reach in enumerate(got):
        cycles = lanes - 1 - lane if reverse else lane
        assert reach == {("data_in", lane, cycles)}, f"lane {lane}"
    assert len(got) == lanes
    checks(lanes)


@pytest.mark.parametrize(("lanes", "cycles"), [(13, 17), (1, 255), (255, 256)])
def test_delay_of_sizes(lanes: int, cycles: int, tmp_path: Path, checks: Any) -> None:
    (got,) = Flow(Delay(lanes, 2, cycles), tmp_path).reach().values()
    assert got == [{("data_in", bit, cycles)} for bit in range(2 * lanes)]
    checks(2 * lanes)


@pytest.mark.parametrize("lanes", [1, 2, 3, *LARGE])
def test_chain(lanes: int, tmp_path: Path, checks: Any) -> None:
    """Each lane is one cycle later than the one before it."""
    got = Flow(Chain(lanes, 2), tmp_path).reach()
    expected = [{("data_in", bit, lane + 1)} for lane in range(lanes) for bit in range(2)]
    assert got["data_out"] == expected
    checks(2 * lanes)


SIZES = [(13, 16), (17, 64), (255, 13), (256, 256)]


@pytest.mark.parametrize(("rows", "cols"), SIZES)
def test_grid_of_elements(rows: int, cols: int, tmp_path: Path, checks: Any) -> None:
    """The result that leaves a column is of all rows in order, and of that column alone."""
    got = Flow(Grid(rows, cols, Element, MAC), tmp_path).reach()
    for name in ("last", "drain", "activation"):
        assert got[f"{name}_out"] == [{(f"{name}_in", row, cols)} for row in range(rows)]
    assert got["weight_out"] == [{("weight_in", col, rows)} for col in range(cols)]
    for col in range(cols):
        expected = {
            (f"{name}_in", row, col + rows - row)
            for name in ("last", "drain", "activation")
            for row in range(rows)
        }
        expected |= {("weight_in", col, rows), ("result_in", col, rows)}
        assert got["result_out"][col] == expected, f"column {col}"
    checks(3 * rows * cols + 2 * cols)


@pytest.mark.parametrize(("rows", "cols"), SIZES)
def test_grid_of_units(rows: int, cols: int, tmp_path: Path, checks: Any) -> None:
    """Operands are broadcast: a row's results take as many cycles as rows are below it."""
    got = Flow(Grid(rows, cols, Unit, MAC), tmp_path).reach()
    for col in range(cols):
        expected = {("activation", row, rows - row) for row in range(rows)}
        expected |= {
            (name, place, rows - row)
            for name, place in (("weight", col), ("last", 0), ("drain", 0))
            for row in range(rows)
        }
        assert got["result_out"][col] == expected | {("result_in", col, rows)}, f"column {col}"
    checks(rows * cols)


@pytest.mark.parametrize("count", [2, *LARGE])
def test_broadcast(count: int, tmp_path: Path, checks: Any) -> None:
    """What is broadcast reaches all parts, whatever its route is."""
    got = Flow(Grid(1, count, ColumnLink, MAC, broadcast=("own",)), tmp_path).reach()
    for index in range(count):
        own = {("own", 0, late + 1) for late in range(index + 1)}
        assert got["result"][index] == own | {("bias_in", 0, index + 1)}
    checks(count)


@pytest.mark.parametrize("kind", [RowLink, ColumnLink])
@pytest.mark.parametrize("count", [2, *LARGE])
def test_handed_on(count: int, kind: type[Registers], tmp_path: Path, checks: Any) -> None:
    rows, cols = (count, 1) if kind is RowLink else (1, count)
    got = Flow(Grid(rows, cols, kind, MAC), tmp_path).reach()

    def before(index: int) -> Any:
        own = {("own", link, index + 1 - link) for link in range(index + 1)}
        return own | {("bias_in", 0, index + 1)}

    assert got["bias_out"] == [before(count - 1)]
    assert got["result"] == [before(index) for index in range(count)]
    checks(count)


def test_a_skew_that_is_late_at_large_sizes_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(lanes: int, width: int, cycles: int) -> Delay:
        return Delay(lanes, width, cycles + (cycles > 64))

    monkeypatch.setattr("hdl.edge.skew.Delay", late)
    test_skew(64, False, tmp_path, lambda count: None)
    with pytest.raises(AssertionError, match="lane 128"):
        test_skew(255, False, tmp_path, lambda count: None)
