"""Standard-cell libraries: what a Liberty file says about the cells that can be used.

Units are fixed: fF, ps, fJ and V. Only areas are in a unit of the library's own.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
from liberty.parser import (  # type: ignore[import-untyped]
    LibertyParser,
    ParserError,
    UnexpectedEndOfFile,
    UnexpectedToken,
)
from liberty.types import EscapedString  # type: ignore[import-untyped]

from gen.library.errors import LibraryError
from gen.library.generic_library import generic_liberty
from support.files import write_if_changed

Words = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.float64]
Sense = Literal["positive_unate", "negative_unate", "non_unate"]

SENSES: tuple[Sense, ...] = ("positive_unate", "negative_unate", "non_unate")

GENERIC = "generic"

# Where Debian's packages qflow-tech-* put their libraries.
_INSTALLED = {
    name: Path("/usr/share/qflow/tech") / name / f"{name}_stdcells.lib"
    for name in ("osu018", "osu035")
}

NAMED_LIBRARIES = (GENERIC, *_INSTALLED)
"""Names that :func:`load_library` takes instead of a path."""

# The slews of clock and data at which a setup time is taken.
_SETUP_SLEW_PS = 100.0

# Truth tables have 2**n entries; cells of more inputs are not understood.
_MOST_INPUTS = 10

# Groups of cells that are more than logic or a plain flip-flop.
_SPECIAL_GROUPS = {"latch", "latch_bank", "ff_bank", "statetable", "bus", "bundle", "test_cell"}

_TIME_PS = {"fs": 1e-3, "ps": 1.0, "ns": 1e3, "us": 1e6, "ms": 1e9, "s": 1e12}
_CAPACITANCE_FF = {"af": 1e-3, "ff": 1.0, "pf": 1e3, "nf": 1e6, "uf": 1e9, "f": 1e15}
_VOLTAGE_V = {"uv": 1e-6, "mv": 1e-3, "v": 1.0}

# Variables of tables, and the axes of a Table that they are.
_DELAY_AXES = {"total_output_net_capacitance": 0, "input_net_transition": 1}
_ENERGY_AXES = {"total_output_net_capacitance": 0, "input_transition_time": 1}
_CONSTRAINT_AXES = {"related_pin_transition": 0, "constrained_pin_transition": 1}


class _NotUnderstoodError(Exception):
    """A cell, or a part of it, is beyond what this module models."""


@dataclass(frozen=True, eq=False)
class Table:
    """Values at ``loads`` (fF) times ``slews`` (ps), each ascending; of shape (loads, slews).

    Values are ps, or fJ. An axis that the library's table does not have is a single point.
    """

    loads: Numbers
    slews: Numbers
    values: Numbers

    def at(self, load: float, slew: float) -> float:
        """The value by bilinear interpolation, linear beyond the ends."""
        return float(_interpolate(self.slews, slew, _interpolate(self.loads, load, self.values)))


@dataclass(frozen=True, eq=False)
class Arc:
    """A delay from the input pin ``source`` to the output pin ``sink``.

    There can be several between two pins, for different states of the others.
    """

    source: str
    sink: str
    sense: Sense
    cell_rise: Table
    cell_fall: Table
    rise_transition: Table
    fall_transition: Table


@dataclass(frozen=True)
class FlipFlop:
    """A D flip-flop with a rising clock, and nothing else.

    ``setup`` (ps) is the worse of rising and falling data, at slews of 100 ps, or the nearest that
    the library has.
    """

    clock: str
    data: str
    output: str
    inverted_output: str | None
    setup: float


@dataclass(frozen=True)
class Pin:
    """A pin: its capacitance in fF, the mean of rise and fall if both are given.

    ``function`` is that of an output of a combinational cell, of its input pins.
    """

    name: str
    is_input: bool
    capacitance: float
    function: str | None


@dataclass(frozen=True, eq=False)
class InternalEnergy:
    """Energy in fJ that a change of ``pin`` costs inside the cell, without charging its load.

    ``related`` is the input that caused it, for outputs. Several states of the other pins count
    alike, several supplies are added. The unit of a library's tables is voltage_unit squared times
    capacitive_load_unit.
    """

    pin: str
    related: str | None
    rise: Table
    fall: Table


@dataclass(frozen=True, eq=False)
class Cell:
    """A combinational cell, or a flip-flop.

    ``arcs`` are those from inputs to outputs, the clock to the outputs of a flip-flop.
    """

    name: str
    area: float
    pins: Mapping[str, Pin]
    arcs: tuple[Arc, ...]
    flip_flop: FlipFlop | None
    internal_energy: tuple[InternalEnergy, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input pins."""
        return tuple(pin.name for pin in self.pins.values() if pin.is_input)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output pins."""
        return tuple(pin.name for pin in self.pins.values() if not pin.is_input)


@dataclass(frozen=True)
class AdderCell:
    """A full adder (three inputs) or a half adder (two)."""

    cell: str
    inputs: tuple[str, ...]
    sum: str
    carry: str


@dataclass(frozen=True, eq=False)
class Library:
    """The usable cells of a Liberty file; ``path`` is the file, ``digest`` that of its bytes.

    ``skipped`` names the cells of the file that are not in ``cells``: those without an area, pads,
    latches, tri-state cells, flip-flops with anything but a clock and data, cells that the library
    says not to use, and cells that are not understood. Synthesis must be told not to use them.
    ``nand2_area`` is the area of the smallest NAND2. ``um2_per_area`` is how many square microns
    the unit of area is, by the LEF file beside the Liberty file; None if there is none. Of adder
    cells there is the smallest.
    """

    name: str
    path: Path
    digest: str
    voltage: float
    cells: Mapping[str, Cell]
    skipped: tuple[str, ...]
    nand2_area: float
    full_adder: AdderCell | None
    half_adder: AdderCell | None
    um2_per_area: float | None


def load_library(library: str | Path, folder: Path) -> Library:
    """The library of that name (:data:`NAMED_LIBRARIES`), or in the Liberty file of that path.

    The text of the generic library is written to ``folder``. Raises :class:`LibraryError`, and
    :class:`support.files.OutputError` if it cannot be written.
    """
    if library == GENERIC:
        path = folder / f"{GENERIC}.lib"
        write_if_changed(path, generic_liberty())
        return read_library(path)
    if isinstance(library, str) and library in _INSTALLED:
        path = _INSTALLED[library]
        if not path.is_file():
            raise LibraryError(
                f"library {library} is not installed: apt install qflow-tech-{library}, "
                "or give a Liberty file"
            )
        return read_library(path)
    path = Path(library)
    if isinstance(library, str) and path.name == library and not (path.suffix or path.exists()):
        names = ", ".join(NAMED_LIBRARIES)
        raise LibraryError(
            f"library must be one of {names}, or a path of a Liberty file, not {library!r}"
        )
    return read_library(path)


def read_library(path: Path) -> Library:
    """The library in the Liberty file ``path``; raises :class:`LibraryError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LibraryError(f"cannot read {path}: {error.strerror}") from None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        # Comments in older files.
        text = data.decode("latin-1")
    try:
        top = _parse(text)
        reader = _Reader(top)
    except _NotUnderstoodError as error:
        raise LibraryError(f"{path} is not a Liberty file: {error}") from None

    cells: dict[str, Cell] = {}
    skipped = []
    for group in top.groups:
        if group.group_name == "cell":
            try:
                cell = reader.cell(group)
            except _NotUnderstoodError:
                skipped.append(", ".join(map(_text, group.args)))
            else:
                cells[cell.name] = cell

    if not any(cell.flip_flop for cell in cells.values()):
        raise LibraryError(f"{path} has no D flip-flop with a rising clock")
    if _smallest(cells, _INVERTER) is None:
        raise LibraryError(f"{path} has no inverter")
    nand2 = _smallest(cells, _NAND2)
    if nand2 is None:
        raise LibraryError(f"{path} has no two-input NAND")
    return Library(
        name=_text(top.args[0]) if top.args else path.stem,
        path=path,
        digest=hashlib.sha256(data).hexdigest()[:16],
        voltage=reader.voltage,
        cells=cells,
        skipped=tuple(skipped),
        nand2_area=nand2[0].area,
        full_adder=_adder(cells, _FULL_ADDER),
        half_adder=_adder(cells, _HALF_ADDER),
        um2_per_area=_um2_per_area(path.with_suffix(".lef"), cells),
    )


# Boolean functions


_TOKEN = re.compile(r"\s*(?:([A-Za-z_]\w*(?:\[\d+\])?)|([01])(?!\w)|([!'&*|+^()]))")
_CONSTANTS = (np.uint64(0), ~np.uint64(0))
_SYNONYMS = {"*": "&", "+": "|"}
_PRECEDENCE = {"!": 4, "^": 3, "&": 2, "|": 1, "(": 0}


def compile_function(function: str) -> Callable[[Mapping[str, Words]], Words]:
    """A function of words of 64 independent bits each, from a Boolean function of Liberty.

    What is returned takes the values of all names in ``function``, and returns an array of their
    common shape, which may be one of them. Operators are ``! ' ^ & * | +``, a name that follows
    another is an AND, 0 and 1 are constants, of shape (). Inversion comes first, then ^, then AND.
    Raises ``ValueError`` for anything else.
    """
    # As Python source: interpreted by us it would take twice as long. One operation in each line,
    # as expressions may be deeper than Python's parser.
    lines = ["def evaluate(values):"]
    stack: list[str] = []

    def push(expression: str) -> None:
        stack.append(f"word{len(lines)}")
        lines.append(f"    {stack[-1]} = {expression}")

    for token in _postfix(function):
        if token == "!":
            push(f"~{stack.pop()}")
        elif token in _PRECEDENCE:
            right, left = stack.pop(), stack.pop()
            push(f"{left} {token} {right}")
        elif token in ("0", "1"):
            push(f"constants[{token}]")
        else:
            push(f"values[{token!r}]")
    lines.append(f"    return np.asarray({stack.pop()})")
    names: dict[str, Any] = {"np": np, "constants": _CONSTANTS}
    exec("\n".join(lines), names)
    return cast(Callable[[Mapping[str, Words]], Words], names["evaluate"])


def function_inputs(function: str) -> tuple[str, ...]:
    """The names in ``function``, each once, in the order of their first appearance."""
    return tuple(
        dict.fromkeys(t for t in _postfix(function) if t not in _PRECEDENCE and t not in "01")
    )


@cache
def _postfix(function: str) -> tuple[str, ...]:
    """``function`` with every operator after what it applies to."""
    output: list[str] = []
    operators: list[str] = []

    def apply(precedence: int) -> None:
        while operators and _PRECEDENCE[operators[-1]] >= precedence:
            output.append(operators.pop())

    def binary(operator: str) -> None:
        apply(_PRECEDENCE[operator])
        operators.append(operator)

    error = ValueError(f"not a Boolean function: {function!r}")
    after_operand = False
    position = 0
    text = function.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise error
        position = match.end()
        token = match[match.lastindex or 0]
        token = _SYNONYMS.get(token, token)
        if token in ("&", "|", "^", ")", "'"):
            if not after_operand:
                raise error
            if token == ")":
                apply(1)
                if not operators:
                    raise error
                operators.pop()
            elif token == "'":
                output.append("!")
            else:
                binary(token)
                after_operand = False
            continue
        if after_operand:
            binary("&")
        if token in ("!", "("):
            operators.append(token)
            after_operand = False
        else:
            output.append(token)
            after_operand = True
    if not after_operand or "(" in operators:
        raise error
    apply(1)
    return tuple(output)


def _truth(function: str, inputs: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whether ``function`` is 1, for every value of ``inputs``: one axis of 2 for each."""
    if len(inputs) > _MOST_INPUTS:
        raise _NotUnderstoodError("too many inputs")
    shape = (2,) * len(inputs)
    values = dict(zip(inputs, np.indices(shape).astype(np.uint64), strict=True))
    try:
        result = compile_function(function)(values)
    except (ValueError, KeyError):
        raise _NotUnderstoodError(f"not a function of its inputs: {function!r}") from None
    return np.broadcast_to(result & np.uint64(1), shape).astype(np.bool_)


def _sense(truth: npt.NDArray[np.bool_], axis: int) -> Sense | None:
    """How the function depends on the input ``axis``; None if it does not."""
    low, high = truth.take(0, axis), truth.take(1, axis)
    if (low == high).all():
        return None
    if (low <= high).all():
        return "positive_unate"
    return "negative_unate" if (low >= high).all() else "non_unate"


# Of cells that are looked for: the inputs' names, and the functions of the outputs.
_INVERTER = ("A", "!A")
_NAND2 = ("AB", "!(A B)")
_FULL_ADDER = ("ABC", "A^B^C", "A B | B C | A C")
_HALF_ADDER = ("AB", "A^B", "A B")


def _smallest(
    cells: Mapping[str, Cell], wanted: tuple[str, ...]
) -> tuple[Cell, tuple[str, ...]] | None:
    """The smallest cell with the functions ``wanted``, and its outputs in their order."""
    inputs, *functions = wanted
    tables = [_truth(function, inputs) for function in functions]
    best = None
    for cell in cells.values():
        if len(cell.inputs) != len(inputs) or len(cell.outputs) != len(functions):
            continue
        outputs: list[str] = []
        for table in tables:
            for name in cell.outputs:
                function = cell.pins[name].function
                if function is not None and (_truth(function, cell.inputs) == table).all():
                    outputs.append(name)
                    break
        if len(outputs) == len(functions) and (best is None or cell.area < best[0].area):
            best = cell, tuple(outputs)
    return best


def _adder(cells: Mapping[str, Cell], wanted: tuple[str, ...]) -> AdderCell | None:
    found = _smallest(cells, wanted)
    if found is None:
        return None
    cell, (sum_output, carry) = found
    return AdderCell(cell.name, cell.inputs, sum_output, carry)


# Liberty


class _Characters:
    """The characters of a text; an error where a parser does not notice that they have ended.

    The parser loops for ever in an expression without an end.
    """

    _ENDS = 100

    def __init__(self, text: str):
        self._characters = iter(text)
        self._ends = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for character in self._characters:
            return character
        self._ends += 1
        if self._ends > self._ENDS:
            raise UnexpectedEndOfFile
        raise StopIteration


def _parse(text: str) -> Any:
    """The library group of a Liberty text."""
    try:
        tops = LibertyParser().read_liberty_chars(_Characters(text))
    except ParserError as error:
        cause = getattr(error, "e", error)
        line = getattr(error, "line_num", 0) + 1
        if isinstance(cause, UnexpectedEndOfFile) or getattr(cause, "actual", "") in (None, []):
            reason = "it ends in the middle"
        elif isinstance(cause, UnexpectedToken):
            token = "".join(cause.actual)
            reason = f"unexpected {token if len(token) <= 20 else token[:20] + '...'!r}"
        else:
            reason = "it cannot be parsed"
        # The parser has read ahead by a token.
        raise _NotUnderstoodError(f"{reason}, near line {line}") from None
    if len(tops) != 1 or tops[0].group_name != "library":
        raise _NotUnderstoodError("it must hold one library")
    return tops[0]


def _text(value: Any) -> str:
    return str(value.value if isinstance(value, EscapedString) else value).strip()


def _number(value: Any) -> float:
    try:
        number = float(_text(value))
    except ValueError:
        raise _NotUnderstoodError(f"not a number: {_text(value)!r}") from None
    if not np.isfinite(number):
        raise _NotUnderstoodError(f"not a number: {_text(value)!r}")
    return number


def _attribute(group: Any, name: str) -> Any:
    """The last value of an attribute; None if there is none."""
    found = None
    for attribute in group.attributes:
        if attribute.name == name:
            found = attribute.value
    return found


def _is_true(group: Any, name: str) -> bool:
    return _text(_attribute(group, name)).lower() == "true"


def _groups(group: Any, *names: str) -> list[Any]:
    return [inner for inner in group.groups if inner.group_name in names]


def _numbers(value: Any) -> Numbers:
    """All numbers of an attribute that is a list of numbers, or of strings of them."""
    if value is None:
        raise _NotUnderstoodError("a table without numbers")
    items = value if isinstance(value, list) else [value]
    words = (word for item in items for word in re.split(r"[\s,\\]+", _text(item)) if word)
    return np.array([_number(word) for word in words])


def _interpolate(points: Numbers, point: float, values: Numbers) -> Any:
    """``values``, given at ``points`` along their first axis, at ``point``."""
    if len(points) == 1:
        return values[0]
    index = min(max(int(np.searchsorted(points, point)), 1), len(points) - 1)
    left, right = points[index - 1], points[index]
    weight = (point - left) / (right - left)
    return values[index - 1] + weight * (values[index] - values[index - 1])


class _Reader:
    """Reads the cells of a library with its units and templates."""

    def __init__(self, library: Any):
        self._time = self._unit(library, "time_unit", _TIME_PS, "1ns")
        self._capacitance = self._unit(library, "capacitive_load_unit", _CAPACITANCE_FF, None)
        volt = self._unit(library, "voltage_unit", _VOLTAGE_V, "1V")
        self._energy = volt**2 * self._capacitance
        self._templates = {
            (group.group_name, _text(group.args[0])): group
            for group in _groups(library, "lu_table_template", "power_lut_template")
            if group.args
        }
        self._default_capacitance = _attribute(library, "default_input_pin_cap")
        voltage = _attribute(library, "nom_voltage")
        for conditions in _groups(library, "operating_conditions"):
            if voltage is None:
                voltage = _attribute(conditions, "voltage")
        if voltage is None:
            raise _NotUnderstoodError("it has no nom_voltage")
        self.voltage = _number(voltage) * volt
        if self.voltage <= 0:
            raise _NotUnderstoodError("its nom_voltage is not above 0")

    @staticmethod
    def _unit(library: Any, name: str, scales: Mapping[str, float], default: str | None) -> float:
        value = _attribute(library, name)
        value = default if value is None else value
        if value is None:
            raise _NotUnderstoodError(f"it has no {name}")
        text = "".join(map(_text, value)) if isinstance(value, list) else _text(value)
        match = re.fullmatch(r"([\d.]+(?:[eE][-+]?\d+)?)\s*([a-z]+)", text.lower())
        if match is None or match[2] not in scales or _number(match[1]) <= 0:
            raise _NotUnderstoodError(f"its {name} is {text!r}")
        return _number(match[1]) * scales[match[2]]

    def cell(self, group: Any) -> Cell:
        """A cell; raises :class:`_NotUnderstoodError` for any that is to be skipped."""
        if len(group.args) != 1:
            raise _NotUnderstoodError("a cell without a name")
        if _is_true(group, "dont_use") or _is_true(group, "pad_cell"):
            raise _NotUnderstoodError("not to be used")
        area = _attribute(group, "area")
        if area is None or _number(area) <= 0:
            raise _NotUnderstoodError("no area")
        if _groups(group, *_SPECIAL_GROUPS):
            raise _NotUnderstoodError("more than logic or a plain flip-flop")
        pin_groups = {_text(name): pin for pin in _groups(group, "pin") for name in pin.args}
        is_input = {name: self._is_input(pin) for name, pin in pin_groups.items()}
        outputs = {name: pin for name, pin in pin_groups.items() if not is_input[name]}
        inputs = [name for name in pin_groups if is_input[name]]
        functions = {name: self._function(pin) for name, pin in outputs.items()}
        if not functions:
            raise _NotUnderstoodError("no output")

        arcs: list[Arc] = []
        flip_flops = _groups(group, "ff")
        flip_flop = None
        if flip_flops:
            flip_flop = self._flip_flop(flip_flops, functions, pin_groups, inputs)
            clock = {flip_flop.clock: "non_unate"}
            for name, pin in outputs.items():
                arcs += self._arcs(name, pin, clock, "rising_edge")
        else:
            for name, pin in outputs.items():
                truth = _truth(functions[name], inputs)
                senses = {
                    source: sense
                    for axis, source in enumerate(inputs)
                    if (sense := _sense(truth, axis)) is not None
                }
                arcs += self._arcs(name, pin, senses, "combinational")
        return Cell(
            name=_text(group.args[0]),
            area=_number(area),
            pins={
                name: Pin(
                    name,
                    is_input[name],
                    self._pin_capacitance(pin, is_input[name]),
                    functions.get(name) if flip_flop is None else None,
                )
                for name, pin in pin_groups.items()
            },
            arcs=tuple(arcs),
            flip_flop=flip_flop,
            internal_energy=tuple(self._internal_energy(pin_groups)),
        )

    @staticmethod
    def _is_input(pin: Any) -> bool:
        direction = _text(_attribute(pin, "direction"))
        if direction not in ("input", "output"):
            raise _NotUnderstoodError(f"a pin of direction {direction}")
        return direction == "input"

    @staticmethod
    def _function(pin: Any) -> str:
        function = _attribute(pin, "function")
        if function is None or _attribute(pin, "three_state") is not None:
            raise _NotUnderstoodError("an output that is no function")
        return _text(function)

    def _pin_capacitance(self, pin: Any, is_input: bool) -> float:
        edges = [_attribute(pin, f"{edge}_capacitance") for edge in ("rise", "fall")]
        if None not in edges:
            value = sum(map(_number, edges)) / 2
        else:
            given = _attribute(pin, "capacitance")
            given = self._default_capacitance if given is None and is_input else given
            if given is None and is_input:
                raise _NotUnderstoodError("an input without a capacitance")
            value = 0.0 if given is None else _number(given)
        return value * self._capacitance

    def _flip_flop(
        self,
        groups: Sequence[Any],
        functions: Mapping[str, str],
        pins: Mapping[str, Any],
        inputs: Sequence[str],
    ) -> FlipFlop:
        ff = groups[0]
        if len(groups) != 1 or len(ff.args) != 2 or len(inputs) != 2:
            raise _NotUnderstoodError("more than one plain flip-flop")
        if any(attribute.name in ("clear", "preset") for attribute in ff.attributes):
            raise _NotUnderstoodError("a flip-flop with set or reset")
        clock, data = (self._one_of(inputs, ff, name) for name in ("clocked_on", "next_state"))
        state, inverse = map(_text, ff.args)
        found: dict[Sense, str] = {}
        for name, function in functions.items():
            truth = _truth(function, (state, inverse))
            # The two variables are always opposite.
            sense = _sense(np.array([truth[0, 1], truth[1, 0]]), 0)
            if sense is None or sense in found:
                raise _NotUnderstoodError("an output that is not the state")
            found[sense] = name
        if "positive_unate" not in found or clock == data:
            raise _NotUnderstoodError("no output of the state")
        return FlipFlop(
            clock,
            data,
            found["positive_unate"],
            found.get("negative_unate"),
            self._setup(pins[data], clock),
        )

    @staticmethod
    def _one_of(inputs: Sequence[str], ff: Any, attribute: str) -> str:
        """The input that an attribute of ``ff`` is, and not a function of it."""
        truth = _truth(_text(_attribute(ff, attribute)), inputs)
        for axis, name in enumerate(inputs):
            others = [i for i in range(len(inputs)) if i != axis]
            if _sense(truth, axis) == "positive_unate" and not any(
                _sense(truth, other) for other in others
            ):
                return name
        raise _NotUnderstoodError(f"{attribute} is not a pin")

    def _setup(self, data: Any, clock: str) -> float:
        values = []
        for timing in _groups(data, "timing"):
            kind = _text(_attribute(timing, "timing_type"))
            if kind == "setup_rising" and clock in self._related(timing):
                for group in _groups(timing, "rise_constraint", "fall_constraint"):
                    table = self._table(group, _CONSTRAINT_AXES, self._time)
                    slews = (
                        float(np.clip(_SETUP_SLEW_PS, axis[0], axis[-1]))
                        for axis in (table.loads, table.slews)
                    )
                    values.append(table.at(*slews))
        if not values:
            raise _NotUnderstoodError("no setup time")
        return max(values)

    @staticmethod
    def _related(group: Any) -> list[str]:
        related = _attribute(group, "related_pin")
        return [] if related is None else _text(related).split()

    def _arcs(
        self, sink: str, pin: Any, senses: Mapping[str, str], timing_type: str
    ) -> Iterator[Arc]:
        """The arcs from the pins ``senses``, which says their sense if the library does not."""
        missing = set(senses)
        for timing in _groups(pin, "timing"):
            kind = _attribute(timing, "timing_type")
            if ("combinational" if kind is None else _text(kind)) != timing_type:
                continue
            for source in self._related(timing):
                if source not in senses:
                    continue
                given = _attribute(timing, "timing_sense")
                named = senses[source] if given is None else _text(given)
                for sense in SENSES:
                    if sense == named:
                        break
                else:
                    raise _NotUnderstoodError(f"a timing sense {named}")
                tables = [
                    self._table(self._only(timing, name), _DELAY_AXES, self._time)
                    for name in ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
                ]
                missing.discard(source)
                yield Arc(source, sink, sense, *tables)
        if missing:
            raise _NotUnderstoodError(f"no delay from {', '.join(sorted(missing))} to {sink}")

    @staticmethod
    def _only(group: Any, name: str) -> Any:
        groups = _groups(group, name)
        if len(groups) != 1:
            raise _NotUnderstoodError(f"not one {name}")
        return groups[0]

    def _internal_energy(self, pins: Mapping[str, Any]) -> Iterator[InternalEnergy]:
        """What is understood of it."""
        # For every pin and what causes its change, for every supply, the tables of all states.
        found: dict[tuple[str, str | None], dict[str, list[tuple[Table, Table]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for name, pin in pins.items():
            for power in _groups(pin, "internal_power"):
                try:
                    tables = self._energies(power)
                except _NotUnderstoodError:
                    continue
                causes: list[str | None] = [*self._related(power)]
                for cause in causes or [None]:
                    found[name, cause][_text(_attribute(power, "related_pg_pin"))].append(tables)
        for (name, cause), supplies in found.items():
            weighted = [
                (tables, 1 / len(states)) for states in supplies.values() for tables in states
            ]
            yield InternalEnergy(
                name,
                cause,
                _sum([(rise, weight) for (rise, _), weight in weighted]),
                _sum([(fall, weight) for (_, fall), weight in weighted]),
            )

    def _energies(self, power: Any) -> tuple[Table, Table]:
        """Of a rise and of a fall; what is not given is the same, or nothing."""
        by_name = {
            name: self._table(self._only(power, name), _ENERGY_AXES, self._energy)
            for name in ("power", "rise_power", "fall_power")
            if _groups(power, name)
        }
        if not by_name:
            raise _NotUnderstoodError("no energy")
        nothing = Table(np.zeros(1), np.zeros(1), np.zeros((1, 1)))
        both = by_name.get("power", nothing)
        return by_name.get("rise_power", both), by_name.get("fall_power", both)

    def _table(self, group: Any, axes: Mapping[str, int], scale: float) -> Table:
        """A table with the variables ``axes``; its values times ``scale``."""
        template = self._template(group)
        points = [np.zeros(1), np.zeros(1)]
        order = []
        for number in (1, 2, 3):
            variable = _attribute(template, f"variable_{number}") if template else None
            if variable is None:
                break
            axis = axes.get(_text(variable))
            if axis is None or axis in order:
                raise _NotUnderstoodError(f"a table over {_text(variable)}")
            index = _attribute(group, f"index_{number}")
            index = _attribute(template, f"index_{number}") if index is None else index
            is_load = _text(variable) == "total_output_net_capacitance"
            points[axis] = _numbers(index) * (self._capacitance if is_load else self._time)
            if not len(points[axis]) or any(a >= b for a, b in pairwise(points[axis])):
                raise _NotUnderstoodError("points of a table that do not ascend")
            order.append(axis)
        values = _numbers(_attribute(group, "values")) * scale
        shape = (len(points[0]), len(points[1]))
        if values.size != shape[0] * shape[1]:
            raise _NotUnderstoodError("a table of the wrong size")
        # The first variable of the library changes slowest.
        values = values.reshape(shape[::-1]).T if order == [1, 0] else values.reshape(shape)
        return Table(points[0], points[1], np.ascontiguousarray(values))

    def _template(self, group: Any) -> Any:
        """The template of a table; None for one value."""
        name = _text(group.args[0]) if group.args else "scalar"
        for kind in ("power_lut_template", "lu_table_template"):
            if (kind == "power_lut_template") == ("power" in group.group_name) and (
                template := self._templates.get((kind, name))
            ):
                return template
        if name == "scalar":
            return None
        raise _NotUnderstoodError(f"no template {name}")


def _sum(weighted: Sequence[tuple[Table, float]]) -> Table:
    """The weighted sum of tables, at the points of the one with the most."""
    grid = max((table for table, _ in weighted), key=lambda table: table.values.size)
    total = np.zeros(grid.values.shape)
    for table, weight in weighted:
        total += weight * np.array(
            [[table.at(load, slew) for slew in grid.slews] for load in grid.loads]
        )
    return Table(grid.loads, grid.slews, total)


_LEF = re.compile(r"^\s*(?:MACRO\s+(\S+)|SIZE\s+([\d.]+)\s+BY\s+([\d.]+))", re.MULTILINE)


def _um2_per_area(path: Path, cells: Mapping[str, Cell]) -> float | None:
    """The median, over all cells in the LEF file ``path``, of their true area over their area."""
    try:
        text = path.read_text(encoding="latin-1")
    except OSError:
        return None
    ratios = []
    name = ""
    for macro, width, height in _LEF.findall(text):
        if macro:
            name = macro
        elif name in cells:
            try:
                ratios.append(float(width) * float(height) / cells[name].area)
            except ValueError:
                return None
    return median(ratios) if ratios and median(ratios) > 0 else None
