"""A generic standard-cell library: areas in NAND2 equivalents, delays by logical effort.

It stands for no process in particular: it compares designs where no library of a process is at
hand. The method of logical effort is that of Sutherland, Sproull and Harris, *Logical Effort*
(1999). A cell of several stages has the parasitic delay of all of them, each loaded by the next.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

TAU_PS = 12.0
"""Delay unit: an inverter that drives four of its kind takes 5 tau, 60 ps, as around 130 nm."""

INVERTER_FF = 2.0
"""Input capacitance of INV_X1."""

VOLTAGE = 1.2

TRANSISTORS_OF_NAND2 = 4

# The slew of an inverter that drives four of its kind: delays at this slew are tau * (p + g * h).
_REFERENCE_SLEW_PS = 2 * 5 * TAU_PS
_DELAY_PER_SLEW = 0.05

# The tables are linear, so that their ends matter little. Loads are those of a cell of drive 1.
_SLEWS_PS = (10.0, 120.0, 480.0)
_LOADS_FF = (1.0, 8.0, 64.0)

_THIRD = Fraction(1, 3)


@dataclass(frozen=True)
class Output:
    """An output: its Liberty function, and its delays in units of tau.

    ``parasitic`` is the p of its slowest path, ``slow`` the p of inputs that have another one.
    ``last`` is the p of its last stage alone, which makes the slew. ``sense`` is the timing sense
    of all inputs but those ``slow`` ones, which select and are non-unate.
    """

    function: str
    sense: str
    parasitic: Fraction | int
    last: Fraction | int
    slow: Mapping[str, Fraction | int] = field(default_factory=dict)


@dataclass(frozen=True)
class GenericCell:
    """A combinational cell.

    ``transistors`` counts those of drive 1; k fingers of a wider one share their diffusions, and
    count as (k + 1) / 2. ``efforts`` are the g of each input: its capacitance over that of an
    inverter with the same output resistance. ``source`` says where the figures come from.
    """

    name: str
    transistors: int
    efforts: Mapping[str, Fraction | int]
    outputs: Mapping[str, Output]
    source: str
    drive: int = 1

    @property
    def area(self) -> float:
        """In NAND2 equivalents."""
        return self.transistors / TRANSISTORS_OF_NAND2


def _simple(
    name: str,
    transistors: int,
    function: str,
    efforts: Mapping[str, Fraction | int],
    parasitic: Fraction | int,
    source: str = "g and p of a single static CMOS stage",
    *,
    sense: str = "negative_unate",
    last: Fraction | int | None = None,
    drive: int = 1,
) -> GenericCell:
    """A cell with the one output Y."""
    output = Output(function, sense, parasitic, parasitic if last is None else last)
    return GenericCell(name, transistors, efforts, {"Y": output}, source, drive)


CELLS: tuple[GenericCell, ...] = (
    _simple("INV_X1", 2, "!A", {"A": 1}, 1),
    _simple("INV_X2", 3, "!A", {"A": 1}, 1, drive=2),
    _simple("INV_X4", 5, "!A", {"A": 1}, 1, drive=4),
    *(
        _simple(
            f"BUF_X{drive}",
            transistors,
            "A",
            {"A": Fraction(1, 2)},
            4,
            "an inverter of half the drive, p 1 and load 2, and one of p 1",
            sense="positive_unate",
            last=1,
            drive=drive,
        )
        for drive, transistors in ((2, 2 + 3), (4, 3 + 5))
    ),
    _simple("NAND2", 4, "!(A & B)", dict.fromkeys("AB", 4 * _THIRD), 2),
    _simple("NAND3", 6, "!(A & B & C)", dict.fromkeys("ABC", 5 * _THIRD), 3),
    _simple("NAND4", 8, "!(A & B & C & D)", dict.fromkeys("ABCD", 2), 4),
    _simple("NOR2", 4, "!(A | B)", dict.fromkeys("AB", 5 * _THIRD), 2),
    _simple("NOR3", 6, "!(A | B | C)", dict.fromkeys("ABC", 7 * _THIRD), 3),
    _simple(
        "AND2",
        6,
        "A & B",
        dict.fromkeys("AB", 4 * _THIRD),
        4,
        "NAND2, p 2 and load 1, and an inverter of p 1",
        sense="positive_unate",
        last=1,
    ),
    _simple(
        "OR2",
        6,
        "A | B",
        dict.fromkeys("AB", 5 * _THIRD),
        4,
        "NOR2, p 2 and load 1, and an inverter of p 1",
        sense="positive_unate",
        last=1,
    ),
    _simple("AOI21", 6, "!((A & B) | C)", {"A": 2, "B": 2, "C": 5 * _THIRD}, 7 * _THIRD),
    _simple("AOI22", 8, "!((A & B) | (C & D))", dict.fromkeys("ABCD", 2), 4),
    _simple("OAI21", 6, "!((A | B) & C)", {"A": 2, "B": 2, "C": 4 * _THIRD}, 8 * _THIRD),
    _simple("OAI22", 8, "!((A | B) & (C | D))", dict.fromkeys("ABCD", 2), 4),
    _simple(
        "XOR2",
        10,
        "A ^ B",
        dict.fromkeys("AB", 11 * _THIRD),
        6,
        "NOR2, p 2 and load 5/3, into C of AOI21, p 7/3",
        sense="non_unate",
        last=7 * _THIRD,
    ),
    _simple(
        "XNOR2",
        10,
        "!(A ^ B)",
        dict.fromkeys("AB", 10 * _THIRD),
        6,
        "NAND2, p 2 and load 4/3, into C of OAI21, p 8/3",
        sense="non_unate",
        last=8 * _THIRD,
    ),
    GenericCell(
        "MUX2",
        12,
        {"A": 2, "B": 2, "S": 3},
        {"Y": Output("(A & !S) | (B & S)", "positive_unate", 6, 1, {"S": 9})},
        "inverters into transmission gates, p 4 and load 1, an inverter of p 1; "
        "S through its inverter, p 1 and load 2",
    ),
    GenericCell(
        "HA",
        14,
        dict.fromkeys("AB", 10 * _THIRD),
        {
            "S": Output("A ^ B", "non_unate", 9, 1),
            "CO": Output("A & B", "positive_unate", 16 * _THIRD, 1),
        },
        "NAND2, p 2 and load 7/3, and an inverter of p 1 for CO; it drives C of OAI21, p 8/3 and "
        "load 1, and an inverter of p 1 for S",
    ),
    GenericCell(
        "FA",
        28,
        {"A": 6, "B": 6, "CI": 4},
        {
            "S": Output("A ^ B ^ CI", "non_unate", 13, 1),
            "CO": Output("(A & B) | (A & CI) | (B & CI)", "positive_unate", 7, 1),
        },
        "mirror adder: its carry stage, p 4 and load 2, and an inverter of p 1 for CO; its sum "
        "stage of half the drive, p 4 and load 2, and an inverter of p 1 for S",
    ),
)

# Master and slave of transmission gates, with clocked inverters in their loops, and an inverter.
_FLIP_FLOP_TRANSISTORS = 24
_CLOCK_TO_OUTPUT = 15
_SETUP = 3


def generic_liberty() -> str:
    """The library as Liberty text, always the same."""
    lines = [
        "/* Generic standard cells. They stand for no process.",
        "   area: 1 is a NAND2; the transistors of a cell / 4, where k fingers of a wide",
        "   transistor share their diffusions and count as (k + 1) / 2.",
        "   delay: logical effort, tau * (p + g * h) at the slew of an inverter that drives four",
        f"   of its kind, {_number(_REFERENCE_SLEW_PS)} ps; tau is {_number(TAU_PS)} ps. "
        f"{_number(_DELAY_PER_SLEW)} of what the slew is above or below is added.",
        "   slew: 20 % to 80 %, 2 * tau * (p + g * h) of the last stage, which is 2 ln 2 time",
        "   constants where its delay of 50 % is ln 2.",
        f"   capacitance: g * drive * {_number(INVERTER_FF)} fF.",
        f"   {_number(TAU_PS)} ps, {_number(INVERTER_FF)} fF and {_number(VOLTAGE)} V are "
        "typical around 130 nm. */",
        "library (generic) {",
        "  delay_model : table_lookup;",
        '  time_unit : "1ps";',
        '  voltage_unit : "1V";',
        '  current_unit : "1uA";',
        '  pulling_resistance_unit : "1kohm";',
        '  leakage_power_unit : "1nW";',
        "  capacitive_load_unit (1, ff);",
        "  input_threshold_pct_rise : 50;",
        "  input_threshold_pct_fall : 50;",
        "  output_threshold_pct_rise : 50;",
        "  output_threshold_pct_fall : 50;",
        "  slew_lower_threshold_pct_rise : 20;",
        "  slew_lower_threshold_pct_fall : 20;",
        "  slew_upper_threshold_pct_rise : 80;",
        "  slew_upper_threshold_pct_fall : 80;",
        "  nom_process : 1;",
        f"  nom_voltage : {_number(VOLTAGE)};",
        "  nom_temperature : 25;",
        "  operating_conditions (typical) {",
        "    process : 1;",
        f"    voltage : {_number(VOLTAGE)};",
        "    temperature : 25;",
        "  }",
        "  default_operating_conditions : typical;",
        *_template("delay", "total_output_net_capacitance", _LOADS_FF, "input_net_transition"),
        *_template("constraint", "related_pin_transition", _SLEWS_PS, "constrained_pin_transition"),
    ]
    for cell in CELLS:
        lines += _cell(cell)
    lines += _flip_flop()
    return "\n".join([*lines, "}", ""])


def _number(value: float | Fraction) -> str:
    return f"{float(value):.6g}"


def _numbers(values: tuple[float, ...]) -> str:
    return f'"{", ".join(map(_number, values))}"'


def _template(name: str, first: str, points: tuple[float, ...], second: str) -> Iterator[str]:
    yield f"  lu_table_template ({name}) {{"
    yield f"    variable_1 : {first};"
    yield f"    variable_2 : {second};"
    yield f"    index_1 ({_numbers(points)});"
    yield f"    index_2 ({_numbers(_SLEWS_PS)});"
    yield "  }"


def _input(name: str, effort: float | Fraction, drive: int, *extra: str) -> Iterator[str]:
    yield f"    pin ({name}) {{"
    yield "      direction : input;"
    yield f"      capacitance : {_number(effort * drive * INVERTER_FF)};"
    yield from extra
    yield "    }"


def _output(name: str, function: str, drive: int) -> Iterator[str]:
    yield f"    pin ({name}) {{"
    yield "      direction : output;"
    yield f'      function : "{function}";'
    yield f"      max_capacitance : {_number(_LOADS_FF[-1] * drive)};"


def _tables(parasitic: float | Fraction, last: float | Fraction, drive: int) -> Iterator[str]:
    """The four tables of an arc."""
    loads = tuple(load * drive for load in _LOADS_FF)
    delays, slews = [], []
    for load in loads:
        # g * h: the load over the input capacitance of an inverter of this drive.
        effort = load / (drive * INVERTER_FF)
        added = [_DELAY_PER_SLEW * (slew - _REFERENCE_SLEW_PS) for slew in _SLEWS_PS]
        delays.append(tuple(TAU_PS * (float(parasitic) + effort) + extra for extra in added))
        slews.append(tuple(2 * TAU_PS * (float(last) + effort) + extra for extra in added))
    for edge in ("rise", "fall"):
        for table, rows in ((f"cell_{edge}", delays), (f"{edge}_transition", slews)):
            yield f"        {table} (delay) {{"
            yield f"          index_1 ({_numbers(loads)});"
            yield f"          values ({', '.join(map(_numbers, rows))});"
            yield "        }"


def _cell(cell: GenericCell) -> Iterator[str]:
    yield f"  /* {cell.transistors} transistors; {cell.source} */"
    yield f"  cell ({cell.name}) {{"
    yield f"    area : {_number(cell.area)};"
    for name, effort in cell.efforts.items():
        yield from _input(name, effort, cell.drive)
    for name, output in cell.outputs.items():
        yield from _output(name, output.function, cell.drive)
        for source in cell.efforts:
            sense = "non_unate" if source in output.slow else output.sense
            yield "      timing () {"
            yield f'        related_pin : "{source}";'
            yield f"        timing_sense : {sense};"
            parasitic = output.slow.get(source, output.parasitic)
            yield from _tables(parasitic, output.last, cell.drive)
            yield "      }"
        yield "    }"
    yield "  }"


def _constraint(kind: str, value: float) -> Iterator[str]:
    yield "      timing () {"
    yield '        related_pin : "CK";'
    yield f"        timing_type : {kind}_rising;"
    for edge in ("rise", "fall"):
        yield f"        {edge}_constraint (constraint) {{"
        row = _numbers((value,) * len(_SLEWS_PS))
        yield f"          values ({', '.join([row] * len(_SLEWS_PS))});"
        yield "        }"
    yield "      }"


def _flip_flop() -> Iterator[str]:
    yield f"  /* {_FLIP_FLOP_TRANSISTORS} transistors: transmission gates, clocked inverters in the"
    yield "     loops. Clock to output: two clock inverters, p 1 and loads 3 and 2, the master's"
    yield "     inverter through a gate, 4, the slave's, p 1 and load 2, and an inverter of p 1."
    yield "     Setup: the input's inverter and gate, 4, and the master's inverter, p 1 and load 2,"
    yield "     less the first clock inverter, 4. Hold: 0, the input is as slow as that one. */"
    yield "  cell (DFF) {"
    yield f"    area : {_number(_FLIP_FLOP_TRANSISTORS / TRANSISTORS_OF_NAND2)};"
    yield "    ff (IQ, IQN) {"
    yield '      next_state : "D";'
    yield '      clocked_on : "CK";'
    yield "    }"
    yield from _input("CK", 1, 1, "      clock : true;")
    constraints = [*_constraint("setup", TAU_PS * _SETUP), *_constraint("hold", 0.0)]
    yield from _input("D", 1, 1, *constraints)
    yield from _output("Q", "IQ", 1)
    yield "      timing () {"
    yield '        related_pin : "CK";'
    yield "        timing_type : rising_edge;"
    yield "        timing_sense : non_unate;"
    yield from _tables(_CLOCK_TO_OUTPUT, 1, 1)
    yield "      }"
    yield "    }"
    yield "  }"
