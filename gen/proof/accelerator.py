"""The accelerator, by induction: what it asks memory for lies in its windows, and nothing starts
before what it waits for has ended.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from amaranth.hdl import Shape
from amaranth.lib.wiring import In

from gen.proof.job import Job, Rtl, asserted
from gen.proof.memory import START
from gen.proof.solver import sat
from gen.proof.verdict import Verdict
from gen.verilog.emission import Emission
from golden.descriptor import DESCRIPTOR_BYTES, LAYOUT, TABLE_BYTES, WAIT_COUNTS, Opcode
from hdl.accelerator.accelerator import MOVE_BITS, Accelerator
from hdl.accelerator.accelerator_unit import AcceleratorUnit
from hdl.accelerator.compute_unit import ComputeUnit
from hdl.accelerator.descriptor_fields import DESCRIPTOR_BITS
from hdl.accelerator.layouts import EVENT_BITS, WAITS_BITS
from hdl.accelerator.program_reader import LAG_BITS, WINDOW_BITS, ProgramReader
from hdl.bus.axi4 import LENGTH_BITS, Axi4Bus
from hdl.memory.axi_reader import MEMORY, AxiReader
from hdl.memory.axi_writer import AxiWriter
from hdl.memory.line_encoding import PAIR_BYTES_BITS
from hdl.memory.transfer import burst_layout, transfer_layout
from hdl.placement import Component
from hdl.stream.stream_fifo import GAPLESS_DEPTH

UNITS = ("loads", "stores", "computes")
"""What is counted."""
REAL = "[31:0]"
"""Of counts of the proof."""


class _AcceleratorJob(Job):
    """A part of an accelerator, all of whose ports are wires of the claim, by their names.

    Parts whose modules' names have nothing of ``kept`` in them can do anything.
    """

    method = "SAT, induction"
    depth = "unbounded"
    kept: Sequence[str] = ()
    probes: Mapping[str, tuple[int, str]]
    """Wires of the claim that show signals inside: their bits, and the signals."""

    def part(self) -> Component:
        """What it is about."""
        raise NotImplementedError

    def lines(self) -> Iterable[str]:
        """What stands in the claim before what is asserted."""
        raise NotImplementedError

    def claims(self) -> Iterable[str]:
        """What is asserted."""
        raise NotImplementedError

    def rtl(self) -> Rtl:
        """The part, and of what is in it what is kept."""
        return {"part": self._emitted[0]}

    @cached_property
    def _emitted(self) -> tuple[str, list[str]]:
        """The Verilog, and what the claim begins with."""
        part = self.part()
        return _without_others(Emission("part").verilog(part), self.kept), _around(part)

    @property
    def statement(self) -> str:
        """The claim around the part."""
        return "\n".join(
            [
                *self._emitted[1],
                *(
                    f"  (* keep *) wire {_range(bits)} {name};"
                    for name, (bits, _) in self.probes.items()
                ),
                *(f"  {line}" for line in (*START, *self.lines())),
                *asserted(self.claims()),
            ]
        )

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Induction of a step."""
        probes = {name: f"dut.{inner}" for name, (_, inner) in self.probes.items()}
        return sat(rtl, self.statement, "-tempinduct -maxsteps 2", timeout, waveform, probes)


def _range(bits: int) -> str:
    return f"[{bits - 1}:0]"


def _sizes(unit: AcceleratorUnit) -> str:
    """What tells the configurations of an accelerator apart."""
    pairs = "_of_pairs" if unit.encoding else ""
    sizes = f"{unit.engine.rows}x{unit.engine.cols}_{unit.data_bits}b"
    return f"{sizes}_{unit.scratchpad.lines}_lines{pairs}"


def _whole(unit: AcceleratorUnit) -> Accelerator:
    return Accelerator(unit, "0" * 16, (0, 0, 0))


def _around(part: Component) -> list[str]:
    """The head of a module ``claim`` whose inputs are those of ``part``, and its outputs wires."""
    inputs, outputs = ["clk", "rst"], list[str]()
    ports = [".clk(clk)", ".rst(rst)"]
    for path, member, _ in part.signature.flatten(part):
        (name,) = path
        # One may be a word of SystemVerilog.
        wire = f"{_range(Shape.cast(member.shape).width)} \\{name} "
        (inputs if member.flow == In else outputs).append(wire)
        ports.append(f".\\{name} (\\{name} )")
    return [
        f"module claim({', '.join(f'input {own}' for own in inputs)});",
        *(f"  wire {wire};" for wire in outputs),
        f"  part dut({', '.join(ports)});",
    ]


_MODULE = re.compile(r"^(module (\S+?)\(.*?\);\n)(.*?)(^endmodule$)", re.DOTALL | re.MULTILINE)
_REGISTER = re.compile(r" reg\b| = \d+'[hd]\w+")
"""What makes an output one, in the head of a module."""


def _without_others(verilog: str, kept: Sequence[str]) -> str:
    """Modules in whose names nothing of this is, but for the first, have nothing inside."""

    def emptied(match: re.Match[str]) -> str:
        head, name, _, end = match.groups()
        if name == "part" or any(own in name for own in kept):
            return match[0]
        # Without anything inside it would be a black box.
        return f"{_REGISTER.sub('', head)}  wire nothing = 1'b0;\n{end}"

    return _MODULE.sub(emptied, verilog)


def _field(opcode: Opcode, name: str, descriptor: str) -> str:
    """A field of a descriptor."""
    place = LAYOUT[opcode][name]
    low = 32 * place.word + place.low_bit
    return f"{descriptor}[{low + place.bits - 1}:{low}]"


def _inside(address: str, count: str, size: str) -> str:
    """So many bytes from an address on, in a window that begins at 0, in 80 bits."""
    return f"({{80'd0, {address}}} + {count} <= {size})"


def _encoded(unit: AcceleratorUnit, opcode: Opcode, descriptor: str) -> str:
    """Whether what a descriptor moves is stored pairs in memory."""
    return _field(opcode, "encoded", descriptor) if unit.encoding else "1'b0"


def _moved_beats(unit: AcceleratorUnit, lines: str, encoded: str) -> str:
    """Beats of so many lines, in 80 bits."""
    beats = f"({{80'd0, {lines}}} * {unit.scratchpad.beats_per_line})"
    if unit.encoding is None:
        return beats
    pairs = f"{beats} * {unit.encoding.pair_bits} / {PAIR_BYTES_BITS}"
    return f"({encoded} ? {pairs} : {beats})"


WINDOWS = ("reads_low", "reads_high", "writes_low", "writes_high", "reads_size", "writes_size")
MOVES = (("loads", "memory_reader", "loads_request"), ("stores", "memory_writer", "request"))
"""Of LOADs and STOREs what asks for them, and its port."""
STATES = (
    *("idle", "fetch", "end", "gather", "fields", "taps", "taps_ready", "depth", "depth_ready"),
    *("stream", "stream_ready", "decide", "request", "give", "describe"),
)
"""What reads programs is in, in the order of their numbers."""
CHECKED = ("request", "describe", "give")
"""Those in which a descriptor has been found right."""


class _ProgramJob(_AcceleratorJob):
    """Of what reads programs: what is right of a descriptor is so in the states behind the check.

    Windows stay while a program runs, and none is started then.
    """

    def __init__(self, unit: AcceleratorUnit):
        self.unit = unit
        self.probes = {"state": (4, "fsm_state"), "found": (4, "found_error")}
        self.configuration = f"program_{_sizes(unit)}"

    def part(self) -> Component:
        """What reads programs."""
        return ProgramReader(self.unit)

    def lines(self) -> Iterable[str]:
        """Names of states and of opcodes."""
        windows = "{reads_start, reads_size, writes_size}"
        bits = self.unit.bus.address_bits + 2 * WINDOW_BITS
        yield f"reg {_range(bits)} before;"
        yield f"always @(posedge clk) before <= {windows};"
        yield f"always @* assume (!running || before == {windows});"
        yield "always @* assume (!(start && running));"
        for number, name in enumerate(STATES):
            yield f"wire is_{name} = state == {number};"
        for opcode in Opcode:
            own = _field(opcode, "opcode", "descriptor")
            yield f"wire is_{opcode.name} = {own} == {opcode.value};"
        yield f"wire checked = {_any(CHECKED)};"

    def claims(self) -> Iterable[str]:
        """In which states there is no error."""
        yield "running == !is_idle"
        yield "!checked || found == 0"
        yield "(fetch_request_valid == 0 || is_fetch) && stream_request_valid == is_request"
        yield "!(is_request || is_describe) || !(is_LOAD || is_STORE)"
        yield "!loads_valid || (is_give && is_LOAD)"
        yield "!stores_valid || (is_give && is_STORE)"
        yield "!computes_valid || (is_give && !is_LOAD && !is_STORE)"


def _any(states: Sequence[str]) -> str:
    return f"({' || '.join(f'is_{name}' for name in states)})"


class GivenJob(_ProgramJob):
    """Whatever a program is: what is asked for, and given, lies in the windows that are set.

    A descriptor is fetched only from the window that may be read, and so is a stream of parameters
    and weights. A LOAD or STORE that is given moves whole lines, from 1 to all of the scratchpad's,
    of which the last one is in its window; of stored pairs whole beats of these are.
    """

    property_name = "windows"
    says = "what the accelerator asks memory for lies in its windows, whatever a program is"

    def lines(self) -> Iterable[str]:
        """Where requests are, counted from the start of the window."""
        yield from super().lines()
        address, beats = transfer_layout(self.unit.bus.address_bits).members.values()
        for name in ("fetch", "stream"):
            request = f"{name}_request"
            yield f"wire {_range(address)} {name}_at = {request}{_range(address)} - reads_start;"
            yield f"wire {_range(beats)} {name}_beats = {request}[{address + beats - 1}:{address}];"

    def claims(self) -> Iterable[str]:
        """Of each request and of what is given."""
        yield from super().claims()
        beat = self.unit.bus.beat_bytes
        yield f"!fetch_request_valid || fetch_beats * {beat} == {DESCRIPTOR_BYTES}"
        for name in ("fetch", "stream"):
            inside = _inside(f"{name}_at", f"{name}_beats * 80'd{beat}", "reads_size")
            yield f"!{name}_request_valid || {inside}"
        right = "!(checked || (is_decide && found == 0)) || "
        address, beats = (_field(Opcode.MATRIX, own, "descriptor") for own in ("address", "beats"))
        no_stream = "is_LOAD || is_STORE || is_END || "
        bytes_ = f"(is_TABLE ? 80'd{TABLE_BYTES} : {beats} * 80'd{beat})"
        yield f"{right}{no_stream}{address} % {beat} == 0"
        yield f"{right}{no_stream}{_inside(address, bytes_, 'reads_size')}"
        line, most = self.unit.scratchpad.line_bits // 8, self.unit.scratchpad.lines
        for opcode, window in ((Opcode.LOAD, "reads_size"), (Opcode.STORE, "writes_size")):
            address, lines = (_field(opcode, own, "descriptor") for own in ("address", "lines"))
            encoded = _encoded(self.unit, opcode, "descriptor")
            other = f"{right}!is_{opcode.name} || "
            yield f"{other}({lines} != 0 && {lines} <= {most})"
            yield f"{other}{address} % ({encoded} ? {beat} : {line}) == 0"
            asked = f"80'd{beat} * {_moved_beats(self.unit, lines, encoded)}"
            yield other + _inside(address, asked, window)
            if self.unit.encoding:
                yield f"{other}!{encoded} || {lines} % {self.unit.encoding.lines} == 0"


class AskedJob(_AcceleratorJob):
    """What is asked of the memory port is what was given, in the windows of the registers.

    Between them stand a queue of LOADs and one of STOREs (``queue``), in which what was given is as
    it was. When a move leaves them, all its lines are asked for, from where it says in its window;
    all other requests are those of what reads the program.
    """

    property_name = "windows"
    says = GivenJob.says
    kept = ("line_loader", "line_storer", "line_walk")

    def __init__(self, unit: AcceleratorUnit):
        self.unit = unit
        self.configuration = f"requests_{_sizes(unit)}"
        transfer = transfer_layout(unit.bus.address_bits).size
        ports = {
            "registers": {f"{name}_value": WINDOW_BITS for name in WINDOWS} | {"locked": 1},
            "program_reader": {
                **{"reads_start": unit.bus.address_bits, "descriptor": DESCRIPTOR_BITS},
                **{"reads_size": WINDOW_BITS, "writes_size": WINDOW_BITS},
                **{f"{name}_valid": 1 for name in ("loads", "stores")},
                "running": 1,
            },
        }
        for name in ("fetch_request", "stream_request"):
            for part in ("program_reader", "memory_reader"):
                ports.setdefault(part, {}).update({name: transfer, f"{name}_valid": 1})
        for name, part, request in MOVES:
            own = {"": transfer, "_valid": 1, "_ready": 1}
            bits = {f"{request}{suffix}": count for suffix, count in own.items()}
            ports.setdefault(part, {}).update(bits)
            ports[f"{name}_queue"] = {
                **{"in_valid": 1, "in_data": MOVE_BITS + WAITS_BITS},
                **{"out_valid": 1, "out_ready": 1, "out_data": MOVE_BITS + WAITS_BITS},
            }
        self.probes = {
            f"{part}_{port}": (bits, f"{part}.{port}")
            for part, own in ports.items()
            for port, bits in own.items()
        }

    def part(self) -> Component:
        """The whole."""
        return _whole(self.unit)

    def lines(self) -> Iterable[str]:
        """What leaves the queues has as many lines as are given (``program``): of stored pairs
        whole beats.
        """
        for name in ("reads", "writes"):
            low, high = (f"registers_{name}_{half}_value" for half in ("low", "high"))
            yield f"wire [63:0] {name}_start = {{{high}, {low}}};"
        for name, *_ in MOVES:
            lines = _field(Opcode.LOAD, "lines", f"{name}_queue_out_data")
            yield f"always @* assume ({lines} <= {self.unit.scratchpad.lines});"
            if self.unit.encoding:
                encoded = _encoded(self.unit, Opcode.LOAD, f"{name}_queue_out_data")
                whole = f"{lines} % {self.unit.encoding.lines} == 0"
                yield f"always @* assume (!{encoded} || {whole});"

    def claims(self) -> Iterable[str]:
        """Windows, requests as they are, and those of moves."""
        yield "registers_locked == program_reader_running"
        yield "program_reader_reads_start == reads_start"
        for name in ("reads_size", "writes_size"):
            yield f"program_reader_{name} == registers_{name}_value"
        for name in ("fetch_request", "stream_request"):
            for signal in (name, f"{name}_valid"):
                yield f"memory_reader_{signal} == program_reader_{signal}"
        address_bits = self.unit.bus.address_bits
        for (name, part, request), window in zip(MOVES, ("reads", "writes"), strict=True):
            queue, asked = f"{name}_queue", f"{part}_{request}"
            address, lines = (
                _field(Opcode.LOAD, own, f"{queue}_out_data") for own in ("address", "lines")
            )
            moved = _range(MOVE_BITS)
            encoded = _encoded(self.unit, Opcode.LOAD, f"{queue}_out_data")
            beats = _moved_beats(self.unit, lines, encoded)
            yield f"{queue}_in_valid == program_reader_{name}_valid"
            yield f"{queue}_in_data{moved} == program_reader_descriptor{moved}"
            yield f"!{asked}_valid || {queue}_out_valid"
            yield (f"({asked}_valid && {asked}_ready) == ({queue}_out_valid && {queue}_out_ready)")
            yield f"!{asked}_valid || {asked}{_range(address_bits)} == {window}_start + {address}"
            top = f"{asked}[{transfer_layout(address_bits).size - 1}:{address_bits}]"
            yield f"!{asked}_valid || {top} == {beats}"


class BusJob(_AcceleratorJob):
    """What is on the bus are the bursts of what was asked for, each once, and nothing else.

    Which these are says ``bursts``: the beats of the requests. A burst that is taken from where
    requests are split is offered in the next cycle, and until it is taken.

    Parameters
    ----------
    bus : Axi4Bus
    kind : str
        ``reads``, of two destinations, or ``writes``.
    """

    property_name = "windows"
    says = GivenJob.says
    kept = ("read_queue",)

    def __init__(self, bus: Axi4Bus, kind: str):
        self.bus = bus
        self.kind = kind
        self.configuration = (
            f"{kind}_{bus.max_burst}_beats_of_{bus.data_bits}b_at_{bus.address_bits}b_addresses"
        )
        self._splitters = {"": ""}
        if kind == "reads":
            self._splitters = {f"{name}_": f"{name}_queue." for name in ("urgent", "other")}
        sizes = {
            "request": transfer_layout(bus.address_bits).size,
            "burst": burst_layout(bus.address_bits).size,
        }
        self.probes = {
            f"split_{name}{what}{suffix}": (bits, f"{path}splitter.{what}{suffix}")
            for name, path in self._splitters.items()
            for what, size in sizes.items()
            for suffix, bits in {"": size, "_valid": 1, "_ready": 1}.items()
        }

    def part(self) -> Component:
        """What reads, or writes."""
        depth = max(self.bus.max_burst, GAPLESS_DEPTH)
        if self.kind == "writes":
            return AxiWriter(self.bus, depth, 2)
        return AxiReader(self.bus, {"urgent": depth, "other": depth}, 2)

    def lines(self) -> Iterable[str]:
        """The last burst that was taken, and whether it is still to go."""
        size = burst_layout(self.bus.address_bits).size
        for name in self._splitters:
            valid, ready = (f"split_{name}burst_{signal}" for signal in ("valid", "ready"))
            yield f"wire {name}goes = {valid} && {ready};"
        yield f"reg {_range(size)} last; reg waits = 0;"
        yield "always @(posedge clk) begin"
        yield f"  waits <= !rst && ({self._goes} || waits && !{self._channel}ready);"
        for name in self._splitters:
            yield f"  if ({name}goes) last <= split_{name}burst;"
        yield "end"

    def claims(self) -> Iterable[str]:
        """Of requests, of bursts, and of what is on the bus."""
        for name in self._splitters:
            for signal in ("request", "request_valid", "request_ready"):
                yield f"split_{name}{signal} == {name}{signal}"
        if self.kind == "reads":
            yield f"!({' && '.join(f'{name}goes' for name in self._splitters)})"
        yield f"!({self._goes}) || !waits || {self._channel}ready"
        yield f"{self._channel}valid == waits"
        bits = self.bus.address_bits
        yield f"!waits || {self._channel}addr == last{_range(bits)}"
        yield f"!waits || {self._channel}len == last[{bits + LENGTH_BITS - 1}:{bits}]"

    @property
    def _channel(self) -> str:
        return f"{MEMORY}_a{self.kind[0]}"

    @property
    def _goes(self) -> str:
        return " || ".join(f"{name}goes" for name in self._splitters)


class WaitsJob(_ProgramJob):
    """What a descriptor waits for is what its fields say, of what was given before it.

    Counts of the proof begin with a program, and are never cut off. Of each unit a descriptor waits
    for as many as were given, less at most 127. What was given and has not ended is less than a
    count of hardware can tell apart: so a program ends only when all has.
    """

    property_name = "counts"
    says = "what waits starts when all that it waits for has ended, and a program ends only then"

    def __init__(self, unit: AcceleratorUnit):
        super().__init__(unit)
        started = {f"{name}_started": (EVENT_BITS, f"{name}_started") for name in UNITS}
        self.probes = {**self.probes, **started}

    def lines(self) -> Iterable[str]:
        """What was given, what has ended, and how far behind a descriptor waits."""
        yield from super().lines()
        yield f"wire is_read = {_any(STATES[STATES.index('taps') :])};"
        for name in UNITS:
            field = _field(Opcode.END, f"wait_{name}", "descriptor")
            yield f"reg {REAL} {name}_given;"
            yield "always @(posedge clk)"
            yield f"  {name}_given <= start ? 0 : {name}_given + ({name}_valid && {name}_ready);"
            yield from _real(f"{name}_done", f"{name}_ended")
            yield f"always @* assume ({name}_given - {name}_done < {1 << EVENT_BITS});"
            yield f"wire {_range(LAG_BITS)} {name}_lag = {name}_given - {field};"

    def claims(self) -> Iterable[str]:
        """Of each unit."""
        yield from super().claims()
        for index, name in enumerate(UNITS):
            own = f"waits[{EVENT_BITS * (index + 1) - 1}:{EVENT_BITS * index}]"
            yield f"is_idle || {name}_started == {name}_given{_range(EVENT_BITS)}"
            yield f"!is_read || found != 0 || {name}_lag < {WAIT_COUNTS // 2}"
            yield f"!checked || {own} == ({name}_given - {name}_lag) % {1 << EVENT_BITS}"
            yield f"!ended || {name}_done == {name}_given"


class StartsJob(_AcceleratorJob):
    """A move, or a computation, starts when all that it waits for has ended, and no later.

    Counts of the proof begin with a program, and are never cut off. While it waits fewer than half
    of those that a count of hardware can tell apart end, and it waits for no more.

    Parameters
    ----------
    unit : AcceleratorUnit
    kind : str
        ``moves``, or ``computing``.
    """

    property_name = "counts"
    says = WaitsJob.says

    def __init__(self, unit: AcceleratorUnit, kind: str):
        self.unit = unit
        self.kind = kind
        self.configuration = f"{kind}_{_sizes(unit)}"
        self._queues = ("queue",) if kind == "computing" else ("loads_queue", "stores_queue")
        self._head = DESCRIPTOR_BITS if kind == "computing" else MOVE_BITS
        signals = {
            f"{queue}.{port}": bits
            for queue in self._queues
            for port, bits in (("out_valid", 1), ("out_data", self._head + WAITS_BITS))
        }
        if kind == "computing":
            signals |= {"ends": 1}
        else:
            signals |= {"loader.done": 1, "memory_writer.done": 1, "compute.clear": 1}
            signals |= {f"compute.{name}_ended": EVENT_BITS for name in UNITS[:2]}
            signals |= {"compute.ended": EVENT_BITS}
            signals |= {f"{mover}.command_valid": 1 for mover in ("loader", "storer")}
        self.probes = {name.replace(".", "_"): (bits, name) for name, bits in signals.items()}

    def part(self) -> Component:
        """What computes, or the whole."""
        if self.kind == "computing":
            return ComputeUnit(self.unit)
        return _whole(self.unit)

    @property
    def _counted(self) -> dict[str, str]:
        """Of each unit that is counted here, what says that one ends."""
        if self.kind == "computing":
            return {"computes": "ends"}
        return {"loads": "loader_done", "stores": "memory_writer_done"}

    @property
    def _counts(self) -> dict[str, str]:
        """Of each unit, the count of hardware."""
        before = "" if self.kind == "computing" else "compute_"
        names = {f"{name}": f"{before}{name}_ended" for name in UNITS}
        return {**names, "computes": f"{before}ended"}

    def lines(self) -> Iterable[str]:
        """What has ended, and what is waited for."""
        clear = "clear" if self.kind == "computing" else "compute_clear"
        yield f"reg begun = 0; always @(posedge clk) begun <= begun || {clear};"
        for name, count in self._counts.items():
            if name in self._counted:
                event = self._counted[name]
                yield f"reg {REAL} {name}_done; always @(posedge clk)"
                yield f"  {name}_done <= {clear} ? 0 : {name}_done + {event};"
            else:
                yield from _real(f"{name}_done", count)
        for queue in self._queues:
            for index, name in enumerate(UNITS):
                low = self._head + EVENT_BITS * index
                own = f"{queue}_out_data[{low + EVENT_BITS - 1}:{low}]"
                yield from _real(f"{queue}_{name}", own)
                yield f"wire signed {REAL} {queue}_{name}_more = {name}_done - {queue}_{name};"
                half = 1 << (EVENT_BITS - 1)
                within = f"{queue}_{name}_more < {half} && {queue}_{name}_more >= -{half}"
                yield f"always @* assume ({within});"
            all_done = " && ".join(f"{queue}_{name}_more >= 0" for name in UNITS)
            yield f"wire {queue}_starts = {queue}_out_valid && {all_done};"
        if self.kind == "computing":
            yield "reg starts = 0, continues = 0, was_begun = 0;"
            yield "always @(posedge clk) begin"
            yield "  was_begun <= begun;"
            yield "  starts <= !rst && queue_starts && !busy && !ends;"
            yield "  continues <= !rst && busy && !ends;"
            yield "end"

    def claims(self) -> Iterable[str]:
        """Counts are those of hardware, and what starts is what may."""
        for name in self._counted:
            yield f"!begun || {self._counts[name]} == {name}_done{_range(EVENT_BITS)}"
        if self.kind == "computing":
            yield "!was_begun || busy == (starts || continues)"
        else:
            for mover, queue in zip(("loader", "storer"), self._queues, strict=True):
                yield f"!begun || {mover}_command_valid == {queue}_starts"


def _real(name: str, count: str) -> Iterable[str]:
    """A count that is never cut off, of which hardware has the low bits."""
    yield f"(* anyseq *) wire {REAL} {name};"
    yield f"always @* assume ({name}{_range(EVENT_BITS)} == {count});"
