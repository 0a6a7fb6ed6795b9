"""Standard-cell libraries: the generic one, Liberty files as they are found, and broken ones."""

import itertools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from gen.library import load as load_module
from gen.library.errors import LibraryError
from gen.library.function import compile_function
from gen.library.generic_library import INVERTER_FF, TAU_PS, generic_liberty
from gen.library.library import AdderCell, Arc, Cell, Library, Table
from gen.library.load import load_library

GENERIC = generic_liberty()

# The functions of the generic cells, of their inputs in order.
FUNCTIONS: dict[str, dict[str, Callable[..., int]]] = {
    **{name: {"Y": lambda a: 1 - a} for name in ("INV_X1", "INV_X2", "INV_X4")},
    **{name: {"Y": lambda a: a} for name in ("BUF_X2", "BUF_X4")},
    **{name: {"Y": lambda *a: 1 - min(a)} for name in ("NAND2", "NAND3", "NAND4")},
    **{name: {"Y": lambda *a: 1 - max(a)} for name in ("NOR2", "NOR3")},
    "AND2": {"Y": lambda a, b: a & b},
    "OR2": {"Y": lambda a, b: a | b},
    "AOI21": {"Y": lambda a, b, c: 1 - (a & b | c)},
    "AOI22": {"Y": lambda a, b, c, d: 1 - (a & b | c & d)},
    "OAI21": {"Y": lambda a, b, c: 1 - ((a | b) & c)},
    "OAI22": {"Y": lambda a, b, c, d: 1 - ((a | b) & (c | d))},
    "XOR2": {"Y": lambda a, b: a ^ b},
    "XNOR2": {"Y": lambda a, b: 1 - (a ^ b)},
    "MUX2": {"Y": lambda a, b, s: b if s else a},
    "HA": {"S": lambda a, b: (a + b) & 1, "CO": lambda a, b: (a + b) >> 1},
    "FA": {"S": lambda a, b, c: (a + b + c) & 1, "CO": lambda a, b, c: (a + b + c) >> 1},
}


@pytest.fixture(scope="module")
def generic(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return load_library("generic", tmp_path_factory.mktemp("library"))


def load(text: str | bytes, folder: Path) -> Library:
    path = folder / "x.lib"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_library(path, folder)


def error(text: str | bytes, folder: Path) -> str:
    """The message for a file of this text, without its name."""
    with pytest.raises(LibraryError) as caught:
        load(text, folder)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'x.lib'} ")
    assert "\n" not in message
    return message.removeprefix(f"{folder / 'x.lib'} ")


def replaced(old: str, new: str, count: int = -1) -> str:
    assert old in GENERIC
    return GENERIC.replace(old, new, count)


def arc(cell: Cell, source: str, sink: str) -> Arc:
    (found,) = [arc for arc in cell.arcs if (arc.source, arc.sink) == (source, sink)]
    return found


# Boolean functions


def truth(function: str, *names: str) -> list[int]:
    rows = np.array(list(itertools.product((0, 1), repeat=len(names))), np.uint64).reshape(
        2 ** len(names), len(names)
    )
    values = {name: rows[:, column] * ~np.uint64(0) for column, name in enumerate(names)}
    result = np.broadcast_to(compile_function(function)(values), len(rows))
    assert set(result.tolist()) <= {0, 2**64 - 1}
    return [int(word) & 1 for word in result]


@pytest.mark.parametrize(
    ("function", "names", "expected"),
    [
        ("A", "A", [0, 1]),
        ("!A", "A", [1, 0]),
        ("A'", "A", [1, 0]),
        ("!(A)''", "A", [1, 0]),
        ("A B", "AB", [0, 0, 0, 1]),
        ("A*B", "AB", [0, 0, 0, 1]),
        ("(A)(!B)", "AB", [0, 0, 1, 0]),
        ("A' B", "AB", [0, 1, 0, 0]),
        ("A + B", "AB", [0, 1, 1, 1]),
        ("A|B'", "AB", [1, 0, 1, 1]),
        ("A B ^ C", "ABC", [0, 0, 0, 0, 0, 1, 1, 0]),
        ("A | B & C", "ABC", [0, 0, 0, 1, 1, 1, 1, 1]),
        ("(!((A B)+C))", "ABC", [1, 0, 1, 0, 1, 0, 0, 0]),
        ("1", "", [1]),
        ("0 + A", "A", [0, 1]),
        ("A 1", "A", [0, 1]),
    ],
)
def test_function(function: str, names: str, expected: list[int]) -> None:
    assert truth(function, *names) == expected


@pytest.mark.parametrize(
    "function", ["", " ", "A &", "& A", "(A", "A)", "()", "A ! ", "'A", "A ? B", "2", "1A", "A,B"]
)
def test_no_function(function: str) -> None:
    with pytest.raises(ValueError, match=r"^not a Boolean function: "):
        compile_function(function)


def test_deep_function() -> None:
    assert truth("(" * 10_000 + "A" + ")" * 10_000, "A") == [0, 1]
    assert truth("!" * 10_000 + "A", "A") == [0, 1]


# Tables


def test_table() -> None:
    loads, slews = np.array([1.0, 2.0, 10.0]), np.array([10.0, 50.0])
    table = Table(loads, slews, 3 * loads[:, None] + slews / 4 + loads[:, None] * slews)
    for load_, slew in itertools.product((-5, 0, 1, 1.5, 2, 7, 10, 100), (0, 10, 33, 50, 500)):
        assert table.at(load_, slew) == pytest.approx(3 * load_ + slew / 4 + load_ * slew)
    bent = Table(np.array([0.0, 1.0, 2.0]), np.zeros(1), np.array([[0.0], [1.0], [5.0]]))
    assert [bent.at(load_, 9) for load_ in (-1, 0.5, 1.5, 3)] == [-1, 0.5, 3, 9]
    assert Table(np.zeros(1), np.zeros(1), np.full((1, 1), 7.0)).at(3, 4) == 7


# The generic library


def test_generic_cells(generic: Library) -> None:
    assert generic.name == "generic"
    assert set(generic.cells) == {*FUNCTIONS, "DFF"}
    assert generic.skipped == ()
    assert generic.um2_per_area is None
    for name, outputs in FUNCTIONS.items():
        cell = generic.cells[name]
        assert set(cell.outputs) == set(outputs)
        assert cell.flip_flop is None
        for output, function in outputs.items():
            text = cell.pins[output].function
            assert text is not None
            rows = itertools.product((0, 1), repeat=len(cell.inputs))
            assert truth(text, *cell.inputs) == [function(*row) for row in rows], name
            for source in cell.inputs:
                assert arc(cell, source, output).cell_rise.values.shape == (3, 3)


def test_generic_senses(generic: Library) -> None:
    """The sense of every arc is what its function says."""
    for name, outputs in FUNCTIONS.items():
        cell = generic.cells[name]
        for output, (axis, source) in itertools.product(outputs, enumerate(cell.inputs)):
            changes = set()
            for row in itertools.product((0, 1), repeat=len(cell.inputs)):
                low, high = (outputs[output](*row[:axis], x, *row[axis + 1 :]) for x in (0, 1))
                changes.add(high - low)
            rises, falls = 1 in changes, -1 in changes
            sense = "non_unate" if rises and falls else f"{'posi' if rises else 'nega'}tive_unate"
            assert arc(cell, source, output).sense == sense, (name, source, output)


def test_generic_figures(generic: Library) -> None:
    areas = {name: cell.area for name, cell in generic.cells.items()}
    assert areas["NAND2"] == generic.nand2_area == 1
    assert (areas["INV_X1"], areas["FA"], areas["DFF"]) == (0.5, 7, 6)
    inverter = generic.cells["INV_X1"]
    assert inverter.pins["A"].capacitance == INVERTER_FF
    slew = 10 * TAU_PS
    # Four of its kind: 5 tau, and the slew that it gets is the one that it makes.
    tables = arc(inverter, "A", "Y")
    assert tables.cell_rise.at(4 * INVERTER_FF, slew) == pytest.approx(5 * TAU_PS)
    assert tables.fall_transition.at(4 * INVERTER_FF, slew) == pytest.approx(slew)
    wide = generic.cells["INV_X4"]
    assert wide.pins["A"].capacitance == 4 * INVERTER_FF
    assert arc(wide, "A", "Y").cell_fall.at(16 * INVERTER_FF, slew) == pytest.approx(5 * TAU_PS)


def test_generic_flip_flop(generic: Library) -> None:
    cell = generic.cells["DFF"]
    flip_flop = cell.flip_flop
    assert flip_flop is not None
    assert (flip_flop.clock, flip_flop.data, flip_flop.output) == ("CK", "D", "Q")
    assert flip_flop.inverted_output is None
    assert flip_flop.setup == pytest.approx(3 * TAU_PS)
    assert [(a.source, a.sink) for a in cell.arcs] == [("CK", "Q")]
    assert cell.pins["Q"].function is None


def test_generic_adders(generic: Library) -> None:
    assert generic.full_adder == AdderCell("FA", ("A", "B", "CI"), "S", "CO")
    assert generic.half_adder == AdderCell("HA", ("A", "B"), "S", "CO")


def test_generic_file(tmp_path: Path) -> None:
    first = load_library("generic", tmp_path)
    written = first.path.stat().st_mtime_ns
    second = load_library("generic", tmp_path)
    assert first.path == tmp_path / "generic.lib"
    assert second.path.stat().st_mtime_ns == written
    assert first.digest == second.digest
    assert len(first.digest) == 16


# What other libraries may have


def test_units_and_axes(tmp_path: Path) -> None:
    """The same cells in other units, with the axes of the tables swapped."""
    text = replaced('time_unit : "1ps"', "time_unit : 10ps").replace("(1, ff)", "(0.01, pf)")
    text = text.replace("total_output_net_capacitance", "x").replace(
        "input_net_transition", "total_output_net_capacitance"
    )
    cells = load(text.replace(" : x;", " : input_net_transition;"), tmp_path).cells
    table = arc(cells["INV_X1"], "A", "Y").cell_rise
    assert table.loads.tolist() == [100, 1200, 4800]
    assert table.slews.tolist() == [10, 80, 640]
    # The first row of the file: one slew, all loads.
    assert table.values[:, 0].tolist() == pytest.approx([125, 180, 360])
    assert cells["INV_X1"].pins["A"].capacitance == pytest.approx(20)


def test_scalar_and_one_dimensional_tables(tmp_path: Path) -> None:
    template = "lu_table_template (one) { variable_1 : input_net_transition; index_1 (1, 2); }"
    inverter = (
        "cell (I) { area : 1; pin (A) { direction : input; rise_capacitance : 1; "
        'fall_capacitance : 3; } pin ("Y") { direction : output; function : "A\'"; timing () { '
        'related_pin : A; cell_rise (scalar) { values ("5"); } cell_fall (one) { values ("1 3"); }'
        " rise_transition (one) { values (1, 2); } "
        "fall_transition (one) { index_1 (5, 6); values (1, 2); } } } }"
    )
    text = replaced("  cell (INV_X1)", f"{template}\n{inverter}\n  cell (INV_X1)")
    cell = load(text, tmp_path).cells["I"]
    (found,) = cell.arcs
    assert found.sense == "negative_unate"
    assert cell.pins["A"].capacitance == 2
    assert found.cell_rise.at(3, 100) == 5
    assert found.cell_fall.values.shape == (1, 2)
    assert found.cell_fall.at(9, 3) == 5
    assert found.fall_transition.at(9, 5.5) == 1.5


def test_internal_energy(tmp_path: Path) -> None:
    power = (
        "internal_power () { %s rise_power (p) { values (%s); } fall_power (scalar) "
        "{ values (3); } }"
    )
    template = (
        "power_lut_template (p) { variable_1 : input_transition_time; "
        "variable_2 : total_output_net_capacitance; index_1 (1, 2); index_2 (1, 2, 3); }"
    )
    groups = power % ('when : "A"; related_pin : "A";', "1, 2, 3, 4, 5, 6")
    groups += power % ('when : "!A"; related_pin : "A";', "3, 4, 5, 6, 7, 8")
    # Not understood, and not counted: the cell can be used all the same.
    groups += power % ('related_pin : "A";', "1, 2")
    text = replaced('function : "!A";', f'function : "!A"; {groups}', 1)
    text = text.replace("  cell (INV_X1)", f"{template} cell (INV_X1)")
    text = text.replace('voltage_unit : "1V"', 'voltage_unit : "100mV"')
    loaded = load(text, tmp_path)
    (energy,) = loaded.cells["INV_X1"].internal_energy
    assert loaded.voltage == pytest.approx(0.12)
    assert (energy.pin, energy.related) == ("Y", "A")
    # The mean of both states, in units of 0.01 V^2 * 1 fF.
    assert energy.rise.values == pytest.approx(np.array([[2, 5], [3, 6], [4, 7]]) / 100)
    assert energy.fall.at(2, 2) == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("area : 2;", "area : 0;"),
        ("area : 2;", ""),
        ("area : 2;", "area : nan;"),
        ("area : 2;", "area : 2; dont_use : true;"),
        ("area : 2;", "area : 2; pad_cell : TRUE;"),
        ("area : 2;", 'area : 2; latch (L, LN) { enable : "A"; data_in : "B"; }'),
        ("direction : output;", 'direction : output; three_state : "A";'),
        ("direction : output;", "direction : inout;"),
        ('function : "!(A & B & C & D)";', ""),
        ('function : "!(A & B & C & D)";', 'function : "!(A & B & C & D";'),
        ('function : "!(A & B & C & D)";', 'function : "!(A & B & C & E)";'),
        ("capacitance : 4;", ""),
        ("timing_sense : negative_unate;", "timing_sense : odd;"),
        ("timing_sense : negative_unate;", "timing_type : three_state_enable;"),
        ("cell_rise (delay)", "cell_rise (other)"),
        ("cell_rise (delay)", "something (delay)"),
        ('index_1 ("1, 8, 64");', 'index_1 ("1, 8");'),
        ('index_1 ("1, 8, 64");', 'index_1 ("1, 64, 8");'),
        ('index_1 ("1, 8, 64");', 'index_1 ("1, eight, 64");'),
    ],
)
def test_skipped(old: str, new: str, tmp_path: Path) -> None:
    """What is not understood is not in the library, and the others are."""
    start = GENERIC.index("  cell (NAND4)")
    text = GENERIC[start:]
    assert old in text
    loaded = load(GENERIC[:start] + text.replace(old, new, 1), tmp_path)
    assert loaded.skipped == ("NAND4",)
    assert "NAND4" not in loaded.cells


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('clocked_on : "CK";', 'clocked_on : "!CK";'),
        ('clocked_on : "CK";', 'clocked_on : "CK D";'),
        ('clocked_on : "CK";', 'clocked_on : "CK"; clear : "D";'),
        ('next_state : "D";', 'next_state : "D CK";'),
        ('next_state : "D";', 'next_state : "!D";'),
        ('next_state : "D";', ""),
        ('function : "IQ";', 'function : "IQN";'),
        ('function : "IQ";', 'function : "D";'),
        ("setup_rising", "setup_falling"),
        ("timing_type : rising_edge", "timing_type : falling_edge"),
        ("    ff (IQ, IQN) {", "    ff (IQ) {"),
    ],
)
def test_no_flip_flop(old: str, new: str, tmp_path: Path) -> None:
    assert error(replaced(old, new), tmp_path) == "has no D flip-flop with a rising clock"


def test_inverted_output(tmp_path: Path) -> None:
    text = replaced("    ff (IQ, IQN) {", "    ff (IQ, IQN) { ")
    start = text.index("    pin (Q) {")
    output = text[start:].removesuffix("  }\n}\n")
    text = text[:start] + output + output.replace("(Q)", "(QN)").replace("IQ", "IQ'") + "  }\n}\n"
    cell = load(text, tmp_path).cells["DFF"]
    assert cell.flip_flop is not None
    assert (cell.flip_flop.output, cell.flip_flop.inverted_output) == ("Q", "QN")
    assert [a.sink for a in cell.arcs] == ["Q", "QN"]


def test_area_from_lef(tmp_path: Path) -> None:
    lef = "SITE core\n  SIZE 9 BY 9 ;\nEND core\nMACRO NAND2\n  SIZE 2.5 BY 4.0 ;\nEND NAND2\n"
    (tmp_path / "x.lef").write_text(lef + "MACRO OTHER\n  SIZE 1 BY 1 ;\nEND OTHER\n")
    assert load(GENERIC, tmp_path).um2_per_area == 10
    (tmp_path / "x.lef").write_text("MACRO OTHER\n  SIZE 1 BY 1 ;\nEND OTHER\n")
    assert load(GENERIC, tmp_path).um2_per_area is None


# Errors


def test_no_such_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LibraryError) as caught:
        load_library("foo", tmp_path)
    assert str(caught.value) == (
        "library must be one of generic, osu018, osu035, or a path of a Liberty file, not 'foo'"
    )
    monkeypatch.setitem(load_module._INSTALLED, "osu018", tmp_path / "none.lib")
    with pytest.raises(LibraryError) as caught:
        load_library("osu018", tmp_path)
    assert str(caught.value) == (
        "library osu018 is not installed: apt install qflow-tech-osu018, or give a Liberty file"
    )


def test_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "none.lib"
    with pytest.raises(LibraryError) as caught:
        load_library(str(path), tmp_path)
    assert str(caught.value) == f"cannot read {path}: No such file or directory"
    with pytest.raises(LibraryError) as caught:
        load_library("none.lib", tmp_path)
    assert str(caught.value) == "cannot read none.lib: No such file or directory"
    with pytest.raises(LibraryError) as caught:
        load_library(tmp_path, tmp_path)
    assert str(caught.value) == f"cannot read {tmp_path}: Is a directory"


NO_LIBERTY = "is not a Liberty file: "


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "it ends in the middle, near line 1"),
        (b"module m(a, b); endmodule\n", "unexpected 'm', near line 1"),
        (b"\x7fELF\x02\x01\x01" + bytes(100), "it ends in the middle, near line 1"),
        (b"\xff\xfe\n" * 9, "unexpected '\xff\xfe', near line 2"),
        (b"cell (X) { area : 1; }", "it must hold one library"),
        (b"library (a) { } library (b) { }", "it must hold one library"),
        (b"library (x) { }", "it has no capacitive_load_unit"),
        (b"library (x) { nom_temperature : -", "it ends in the middle, near line 1"),
        (b'library (x) { a : -b } "', "it ends in the middle, near line 1"),
        (b"library (x) {\n a : 1; }\n}", "unexpected '}', near line 3"),
        (b"a (b) {" * 5000, "it ends in the middle, near line 1"),
    ],
)
def test_no_liberty(text: bytes, reason: str, tmp_path: Path) -> None:
    assert error(text, tmp_path) == NO_LIBERTY + reason


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("(1, ff)", "(1, kg)", NO_LIBERTY + "its capacitive_load_unit is '1kg'"),
        ('time_unit : "1ps"', 'time_unit : "0ps"', NO_LIBERTY + "its time_unit is '0ps'"),
        ("nom_voltage : 1.2;", "nom_voltage : x;", NO_LIBERTY + "not a number: 'x'"),
        ("nom_voltage : 1.2;", "nom_voltage : 0;", NO_LIBERTY + "its nom_voltage is not above 0"),
        ('"!A"', '"A"', "has no inverter"),
        ('"!(A & B)"', '"A & B"', "has no two-input NAND"),
        ("IQ", "IX'", "has no D flip-flop with a rising clock"),
    ],
)
def test_unusable(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert error(replaced(old, new), tmp_path) == message


@pytest.mark.slow
def test_truncated(tmp_path: Path) -> None:
    """Cut anywhere: in every token of a cell, and at places all over the file."""
    cell = GENERIC.index("  cell (NAND2)")
    places = [*range(0, len(GENERIC) - 2, 997), *range(cell, cell + 400, 7)]
    for length in places:
        reason = error(GENERIC[:length], tmp_path).removeprefix(NO_LIBERTY)
        assert reason.startswith("it ends in the middle, near line "), (length, reason)


def test_damaged(tmp_path: Path) -> None:
    """Random bytes are deleted or overwritten: an error, or a library without some cells."""
    random = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(GENERIC.encode())
        for place in random.integers(0, len(data) - 1, 20):
            if random.integers(2):
                data[place] = random.integers(256)
            else:
                del data[place]
        with suppress(LibraryError):
            load(bytes(data), tmp_path)


# Libraries that are installed


@pytest.mark.parametrize(("name", "voltage"), [("osu018", 1.8), ("osu035", 3.3)])
def test_installed(name: str, voltage: float, tmp_path: Path) -> None:
    try:
        loaded = load_library(name, tmp_path)
    except LibraryError as reason:
        pytest.skip(str(reason))
    assert loaded.name == f"{name}_stdcells"
    assert loaded.voltage == voltage
    assert loaded.um2_per_area == 1
    assert loaded.nand2_area == loaded.cells["NAND2X1"].area
    assert loaded.full_adder == AdderCell("FAX1", ("A", "B", "C"), "YS", "YC")
    assert loaded.half_adder == AdderCell("HAX1", ("A", "B"), "YS", "YC")
    assert {"DFFNEGX1", "DFFSR", "LATCH", "TBUFX1", "TBUFX2"} <= set(loaded.skipped)
    cell = loaded.cells["DFFPOSX1"]
    assert cell.flip_flop is not None
    assert (cell.flip_flop.clock, cell.flip_flop.output) == ("CLK", "Q")
    assert 100 < cell.flip_flop.setup < 400
    assert {(e.pin, e.related) for e in cell.internal_energy} == {
        ("CLK", None),
        ("D", None),
        ("Q", "CLK"),
    }
    # Y = !(S A + !S B)
    mux = loaded.cells["MUX2X1"]
    assert [arc(mux, pin, "Y").sense for pin in mux.inputs] == [
        "negative_unate",
        "negative_unate",
        "non_unate",
    ]


def test_osu018_figures(tmp_path: Path) -> None:
    """Some numbers as the file has them: ns, pF and pJ."""
    try:
        cells = load_library("osu018", tmp_path).cells
    except LibraryError as reason:
        pytest.skip(str(reason))
    cell = cells["DFFPOSX1"]
    assert cell.pins["D"].capacitance == pytest.approx((8.82947 + 8.81001) / 2)
    table = arc(cell, "CLK", "Q").cell_rise
    assert table.at(5, 60) == pytest.approx(93.526)
    assert table.at(150, 1800) == pytest.approx(248.208)
    (clock,) = [e for e in cell.internal_energy if e.pin == "CLK"]
    assert clock.fall.at(0, 60) == pytest.approx(110.34)
