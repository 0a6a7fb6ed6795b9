"""Components with one gate or wire changed, run through the project's own benches."""

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from gen.design.configuration import Configuration
from gen.proof.engine_control import WalkJob
from gen.proof.job import Job
from gen.synthesis.equivalence import are_equivalent
from gen.synthesis.parts import below
from gen.tools.yosys import run_yosys
from gen.verilog.generate import write_verilog
from golden import named_format
from hdl.engine.requantizer_lane import RequantizerLane
from hdl.multiplier.shift_add_multiplier import ShiftAddMultiplier
from sim_tb.hdl.conversation_cases import CONVERSATIONS
from sim_tb.hdl.part_cases import CASES
from sim_tb.rtl.benches.pe import OWN
from sim_tb.rtl.runner import Build, Module, build, emitted, module_of, simulate, wrap
from sim_tb.rtl.test_cocotb_pe import multiplier_of
from sim_tb.rtl.test_cocotb_requantizer import parameters
from sim_tb.rtl.test_cocotb_stored import stored_pairs

FOLDER = Path("build/mutate")
SECONDS = 120
"""A bench that needs more processor time on a mutant has noticed it: it hangs."""

SEED = 13
"""Of the benches: mutants are chosen by a seed of their own."""


@dataclass(frozen=True)
class Mutation:
    """One change, as Yosys describes it; ``line`` is that of the Verilog that it changes."""

    number: int
    mode: str
    module: str
    cell: str
    port: str
    line: str

    def __str__(self) -> str:
        return f"{self.mode} at {self.port} of {self.cell} in {self.module}: {self.line}"


@dataclass(frozen=True)
class Component:
    """What is mutated, and the bench that should notice.

    Attributes
    ----------
    name : str
    aim : float
        The part of mutants that must be noticed, of those that change what the component does.
    bench : str
        A module of ``sim_tb.rtl.benches``.
    design : callable
        The emitted module.
    testcase : str or None
        Of the bench; all by default.
    parameters : callable
        What the bench needs to know, for the emitted module.
    own : sequence of str
        Of :func:`sim_tb.rtl.runner.wrap`; ``None`` for a design that needs no wrapper.
    mutated : callable
        The names of the modules to change, by the emitted Verilog and the top module's name.
    place : Configuration or None
        The machine around a processing element, whose encoders make the codes that it can meet.
    claim : Job or None
        What ``make prove`` says of the component for all inputs, those that no bench reaches among
        them: its mutants must fail in the bench or here.
    """

    name: str
    aim: float
    bench: str
    design: Callable[[], Module]
    parameters: Callable[[Module], dict[str, Any]]
    testcase: str | None = None
    own: Sequence[str] | None = ()
    mutated: Callable[[str, str], list[str]] = field(default=lambda verilog, top: _names(verilog))
    place: Configuration | None = None
    claim: Job | None = None

    @cached_property
    def module(self) -> Module:
        """The emitted module."""
        return self.design()

    def prepare(self, count: int, seed: int) -> list[Mutation]:
        """Build the component with ``count`` mutations that can be turned on one by one."""
        folder = self._folder
        folder.mkdir(parents=True, exist_ok=True)
        name, verilog = self.module.name, self.module.verilog
        (folder / "design.v").write_text(verilog)
        run_yosys(
            [
                f"read_verilog {folder / 'design.v'}",
                f"hierarchy -check -top {name}",
                *("proc", "opt_clean"),
                "delete */t:$meminit*",  # no gates
                f"mutate -list {count} -seed {seed} -ctrl mutant {max(2, count.bit_length())} 1 "
                f"-o {folder / 'list.txt'} {' '.join(self.mutated(verilog, name))}",
                f"script {folder / 'list.txt'}",
                f"write_verilog -noattr {folder / 'mutated.v'}",
                f"write_rtlil {folder / 'mutated.il'}",
            ]
        )
        text = self._controlled(
            'reg [HIGH:0] mutant; initial if (!$value$plusargs("mutant=%d", mutant)) mutant = 0;'
        )
        top, wrapper = name, ""
        if self.own is not None:
            top, wrapper = "wrapper", wrap("wrapper", [self.module], self.own)
        (folder / "simulated.v").write_text(text + wrapper)
        build(Build(top, folder), [folder / "simulated.v"])
        lines = (folder / "list.txt").read_text().splitlines()
        return [_mutation(line, number, verilog) for number, line in enumerate(lines, 1)]

    def is_noticed(self, number: int) -> bool:
        """Whether the bench or the claim fails with that mutation; 0 is none."""
        scratch = self._folder / f"run_{number}"
        outcome = simulate(
            Build(self.module.name if self.own is None else "wrapper", self._folder),
            self.bench,
            scratch,
            seed=SEED,
            parameters={"rerun": "make mutate", **self.parameters(self.module)},
            testcase=self.testcase,
            plusargs=[f"+mutant={number}"],
            first_failure=True,
            seconds=SECONDS,
        )
        return bool(outcome.failures) or self._is_refuted(number, scratch)

    def is_equivalent(self, number: int) -> bool:
        """Whether the component is proved to do the same with that mutation.

        An element in its place, a machine by its results where they are valid.
        """
        original, top, read = self.module.verilog, self.module.name, "read_verilog"
        machine = None
        if self.place is not None:
            machine = module_of(self.place)
            changed = _with_element(machine, top, self._with(number))
        elif any(port["name"] == "out_acc" for port in self.module.ports):
            machine = self.module
            changed = self._with(number)
        else:
            # A memory whose bits are written one by one takes Yosys minutes to read as Verilog.
            changed, read = self._in_rtlil(number), "read_rtlil"
        if machine is not None:
            top = "observed"
            original, changed = machine.verilog + _observed(machine), changed + _observed(machine)
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder, name) for name in ("original", "changed")]
            for file, text in zip(files, (original, changed), strict=True):
                file.write_text(text)
            flat = [f"hierarchy -check -top {top}", "proc", "flatten", "memory"]
            try:
                return are_equivalent(
                    [f"read_verilog {files[0]}", *flat], [f"{read} {files[1]}", *flat], top
                )
            except TimeoutError:
                return False

    def _is_refuted(self, number: int, folder: Path) -> bool:
        """Whether the claim, if there is one, has a counterexample with that mutation."""
        if self.claim is None:
            return False
        (top,) = self.claim.rtl()
        changed = re.sub(rf"\b{self.module.name}\b", top, self._with(number))
        # One that takes too long shows nothing.
        return self.claim.prove({top: changed}, SECONDS, folder / "claim.vcd").waveform is not None

    def _with(self, number: int) -> str:
        """The Verilog with one mutation."""
        return self._controlled(f"wire [HIGH:0] mutant = {number};")

    def _in_rtlil(self, number: int) -> str:
        """The same in Yosys's own language."""
        text = (self._folder / "mutated.il").read_text()
        start = text.index(f"module \\{self.module.name}\n")
        port = re.compile(r"^  wire width (\d+) input \d+ \\mutant$", re.MULTILINE)

        def fixed(match: re.Match[str]) -> str:
            bits = int(match[1])
            return f"  wire width {bits} \\mutant\n  connect \\mutant {bits}'{number:0{bits}b}"

        return text[:start] + port.sub(fixed, text[start:], count=1)

    @property
    def _folder(self) -> Path:
        return (FOLDER / self.name.replace(" ", "_")).resolve()

    def _controlled(self, declaration: str) -> str:
        """The mutated Verilog, whose top module declares the control so, instead of as a port.

        ``HIGH`` stands for its highest bit.
        """
        text = (self._folder / "mutated.v").read_text()
        start = text.index(f"module {self.module.name}(")
        top = text[start:].replace(", mutant);", ");", 1)
        port = re.compile(r"^  input \[(\d+):0\] mutant;\n  wire \[\d+:0\] mutant;\n", re.MULTILINE)
        return text[:start] + port.sub(
            lambda match: f"  {declaration.replace('HIGH', match[1])}\n", top, count=1
        )


def _with_element(machine: Module, name: str, verilog: str) -> str:
    """Verilog of an array, whose elements are module ``name`` of ``verilog``.

    The element's own modules have other names than those of the array.
    """
    element = f"{machine.name}_pe"
    around = re.sub(
        rf"^module {element}\(.*?^endmodule\n", "", machine.verilog, flags=re.DOTALL | re.MULTILINE
    )
    return around + re.sub(rf"^module {name}\(", f"module {element}(", verilog, flags=re.MULTILINE)


def _observed(machine: Module) -> str:
    """Verilog of a module around a machine whose results show only where they are valid."""
    ports = {port["name"]: port for port in machine.ports}
    declared = [f"{p['direction']} [{p['width'] - 1}:0] {name}" for name, p in ports.items()]
    wires = ", ".join(f".{name}({'acc' if name == 'out_acc' else name})" for name in ports)
    return (
        f"module observed({', '.join(declared)}); wire [{ports['out_acc']['width'] - 1}:0] acc; "
        f"{machine.name} machine({wires}); assign out_acc = out_valid ? acc : 0; endmodule\n"
    )


def _names(verilog: str) -> list[str]:
    return re.findall(r"^module (\w+)\(", verilog, re.MULTILINE)


def _below(*parts: str) -> Callable[[str, str], list[str]]:
    """The modules that those parts of a machine are made of."""
    return lambda verilog, top: [
        name for part in parts for name in _names(below(verilog, f"{top}_{part}"))
    ]


def _outside(*parts: str) -> Callable[[str, str], list[str]]:
    """All other modules; adders and the like may be in both, and are changed with the parts."""
    inside = _below(*parts)
    return lambda verilog, top: sorted({*_names(verilog)} - {*inside(verilog, top)})


def _mutation(line: str, number: int, verilog: str) -> Mutation:
    """What a line of Yosys's list says."""
    words = line.split()
    options = {name: value for name, value in pairwise(words) if name.startswith("-")}
    source = int(options["-src"].rpartition(":")[2].partition(".")[0])
    text = verilog.splitlines()[source - 1].strip()
    port = f"{options['-port']}[{options['-portbit']}]"
    return Mutation(
        number,
        options["-mode"],
        options["-module"],
        options["-cell"].rpartition("/")[2],
        port,
        f"{source}: {text}",
    )


def _encoder(name: str, **options: Any) -> Component:
    mode: dict[str, Any] = {"format": "5opt", "rounding": True, "vsparq": True, "group": 1}
    mode |= options
    configuration = Configuration(top="encoder", **mode)
    is_signed = configuration.sparq_format.signed
    return Component(
        name,
        1,
        "encoder",
        lambda: module_of(configuration),
        lambda module: {"formats": [list(mode.values())], "pairs": 1 << 16},
        testcase="signed_pairs" if is_signed else "every_pair",
    )


def _stored(name: str) -> Component:
    """Encoder and decoder of stored pairs, behind the encoder that makes the words they can meet.

    Each format has a layout of another kind; that of 2opt is inverters.
    """
    mode = (name, True, True)
    return Component(
        f"stored pairs {name}",
        1,
        "stored",
        lambda: stored_pairs(mode),
        lambda module: {"formats": [list(mode)]},
        testcase="every_code",
        mutated=_below("stored_pair_encoder", "stored_pair_decoder"),
    )


def _element(name: str, **options: Any) -> Component:
    configuration = Configuration(top="pe", **options)
    return Component(
        name,
        1,
        "pe",
        lambda: module_of(configuration),
        lambda module: {
            "elements": [
                ({"top": "pe", **options}, multiplier_of(configuration), list(module.ports))
            ]
        },
        own=OWN,
        place=Configuration(top="array", rows=1, cols=1, **options),
    )


def _machine(
    name: str, mutated: Callable[[str, str], list[str]], aim: float = 0.98, **options: Any
) -> Component:
    configuration = Configuration(**options)

    def parameters(module: Module) -> dict[str, Any]:
        _, sidecar, *_ = write_verilog(configuration, FOLDER / "sidecars")
        return {"sidecar": str(sidecar.resolve())}

    return Component(
        name,
        aim,
        "array",
        lambda: module_of(configuration),
        parameters,
        own=None,
        mutated=mutated,
    )


PARTS = (
    "fifo_4",
    "register",
    "upsizer_3",
    "downsizer_3",
    "gearbox_4_6",
    "weight_buffer_5",
    "parameter_buffer_6_2",
    "plane_splitter_1_4",
    "plane_splitter_4_3",
    "plane_splitter_1_s4opt",
    "burst_splitter_long",
    "scratchpad_4_2_4_32",
    "line_loader_4_2_4_32",
    "line_storer_4_2_4_32",
    "waits",
    "vector_lane",
    "vector_lane_of_bits",
    "pair_packer_5opt",
    "pair_unpacker_5opt",
)
"""Of the matrix engine, around a scratchpad, of the accelerator: keys of ``CASES``."""

OUTPUT_STAGES = (
    "output_stage_2_6_2_20",
    "output_stage_2_6_2_12_combines",
    "output_stage_2_6_6_16_2opt",
)
LANE = "requantizer_lane"
"""A part of them; its own bench has all ties and limits."""

SPLITTER = "burst_splitter_4_beats_of_32b"
"""A part of others; a bench of its own reaches all bits of its counters."""


def _part(
    name: str,
    mutated: Callable[[str, str], list[str]] = lambda verilog, top: _names(verilog),
    aim: float = 1,
    claim: Job | None = None,
) -> Component:
    return Component(
        name.replace("_", " "),
        aim,
        "part",
        lambda: emitted(f"part_{name}", CASES[name].component()),
        lambda module: {"case": name},
        own=None,
        mutated=mutated,
        claim=claim,
    )


def _conversing(
    name: str,
    part: str,
    mutated: Callable[[str, str], list[str]] = lambda verilog, top: _names(verilog),
) -> Component:
    """A part of the accelerator, or a part within one, in the conversations of its tests."""
    return Component(
        name,
        0.9,
        "conversation",
        lambda: emitted(f"conversing_{part}", CONVERSATIONS[part].component()),
        lambda module: {"case": part},
        own=None,
        mutated=mutated,
    )


def _components() -> list[Component]:
    # Narrow accumulators: the benches reach all of their bits.
    narrow: dict[str, Any] = {"acc_bits": 20}
    tensor_core = narrow | {"top": "tensor_core", "rows": 2, "cols": 2, "pairs": 2}
    grouped = narrow | {"rows": 2, "cols": 1, "group": 4, "vsparq": False}
    around_elements = _outside("pe", "pair_encoder")
    return [
        _encoder("encoder 5opt"),
        _encoder("encoder 2opt trim no vSPARQ", format="2opt", rounding=False, vsparq=False),
        _encoder("encoder 3opt group 2", format="3opt", vsparq=False, group=2),
        _encoder("encoder s4opt", format="s4opt"),
        _encoder("encoder s5opt group 2", format="s5opt", vsparq=False, group=2),
        *map(_stored, ("5opt", "3opt", "6opt", "7opt")),
        Component(
            "multiplier 5opt",
            1,
            "multiplier",
            lambda: emitted("multiplier_5opt", ShiftAddMultiplier(named_format("5opt"))),
            lambda module: {"formats": ["5opt"]},
        ),
        _element("pe 5opt", **narrow),
        _element("pe 5opt pipeline 1", pipeline=1, **narrow),
        _element("pe 5opt group 2", vsparq=False, group=2, **narrow),
        _element("pe s5opt", format="s5opt", **narrow),
        _element("pe s4opt group 2", format="s4opt", vsparq=False, group=2, **narrow),
        _element("pe 8x8", pe="8x8", **narrow),
        _element("pe 2x8x8", pe="2x8x8", **narrow),
        _machine("array 5opt", around_elements, rows=3, cols=2, **narrow),
        _machine("array 5opt group 4", around_elements, **grouped),
        _machine("dot-product unit 5opt", _below("dot_product_unit"), 1, **tensor_core),
        _machine("tensor core 5opt", _outside("dot_product_unit", "pair_encoder"), **tensor_core),
        Component(
            "requantizer lane",
            1,
            "requantizer",
            lambda: emitted("requantizer_lane", RequantizerLane()),
            lambda module: parameters(),
        ),
        *(_part(name) for name in PARTS),
        _part("turner_long", aim=0.9),
        _conversing("patch walk", "patch_reader", _below("patch_walk")),
        _conversing("patch reader", "patch_reader", _outside("patch_walk", "stream_register_68b")),
        *(
            _conversing(part.replace("_", " "), part)
            for part in ("byte_tables", "result_writer", "stream_router", "program_reader")
        ),
        # Only the proof counts up to 65,535.
        _part("tile_walk_3", claim=WalkJob(3)),
        *(_part(name, _outside(LANE)) for name in OUTPUT_STAGES),
        *(_part(name, _outside(SPLITTER)) for name in ("axi_reader_4_beats", "axi_writer_4_beats")),
    ]


COMPONENTS = {component.name: component for component in _components()}
