"""Proofs: the quick ones hold, every property can fail, and the command refuses bad input."""

import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from joblib.externals.loky import get_reusable_executor

from gen.cli import main
from gen.design.configuration import ConfigurationError
from gen.proof import cache, solver
from gen.proof.accelerator import AskedJob, BusJob, GivenJob, StartsJob, WaitsJob
from gen.proof.accumulation import AccumulationJob
from gen.proof.array import ArrayJob
from gen.proof.bounds import OverflowJob
from gen.proof.combiner import CombinerJob
from gen.proof.element import LanesJob, ProductJob
from gen.proof.element_ports import ContractJob, CorrectionJob
from gen.proof.encoder import EncoderJob
from gen.proof.engine_control import BanksJob, WalkJob
from gen.proof.gates import Gates
from gen.proof.job import Job
from gen.proof.memory import BeatsJob, BurstsJob, RoomJob
from gen.proof.output import OutputJob
from gen.proof.planes import PlanesJob
from gen.proof.queues import AdapterJob, GearboxJob, QueueJob
from gen.proof.registers import ACCELERATOR, ENGINE, RegistersJob
from gen.proof.requantization import VERILOG, requantized
from gen.proof.requantizer import STEPS, RequantizerJob
from gen.proof.rule import Rule, window
from gen.proof.run import Outcome, run_job, select
from gen.proof.stored import ResultsJob, StoredJob
from gen.proof.streams import GroupBufferJob, RowsJob, SequencerJob
from gen.proof.table import ACCELERATORS, all_jobs, jobs_of_formats
from gen.proof.top import TopJob
from gen.proof.verdict import ProofError
from gen.proof.wiring import EdgesJob, GridJob
from golden import NAMED_FORMATS, NamedFormat
from hdl import MacUnit, sparq_mac
from hdl.bus.axi4 import Axi4Bus
from hdl.multiplier.style import Style
from sim_tb.oracle.random_formats import random_formats
from support.errors import ToolError

SPARQ = sparq_mac("5opt")
BEHAVIORAL = sparq_mac("5opt", style=Style.BEHAVIORAL)
RADIX_4 = MacUnit("8x8", "radix4")
NARROW = replace(SPARQ, weight_bits=2, acc_bits=11)
SHORT_BURSTS = Axi4Bus(32, 16, 4)
TIMEOUT = 120


def swap(part: str, pattern: str, replacement: str, count: int = 1) -> Callable[[Any], Any]:
    """A change of the emitted Verilog of ``part``, which must be there to be changed."""

    def change(rtl: Any) -> Any:
        text, changes = re.subn(pattern, replacement, rtl[part], count=count)
        assert changes, f"{pattern} is not in {part}"
        return {**rtl, part: text}

    return change


def _name(value: Any) -> str:
    return value.name if isinstance(value, Job) else value if isinstance(value, str) else ""


SMALL, PAIRS = ACCELERATORS[0], ACCELERATORS[-1]

BROKEN: list[tuple[str, Job, Callable[[Any], Any]]] = [
    (
        "rounding",
        EncoderJob(NamedFormat("5opt")),
        swap("dut", r"trimmed \} \+ \{", "trimmed } - {"),
    ),
    (
        "rest",
        StoredJob(NamedFormat("5opt")),
        swap("stored_decoder", r"= stored\[5:0\]", "= {stored[0], stored[5:1]}"),
    ),
    (
        "zeros",
        StoredJob(NamedFormat("2opt")),
        lambda rtl: {part: text.replace("= ~ ", "= ") for part, text in rtl.items()},
    ),
    ("sum", LanesJob(SPARQ), swap("pe", r"\.c\(multiplier1_product\[3\]\)", ".c(1'h0)")),
    (
        "weight code",
        ProductJob(RADIX_4),
        swap("weight_lane", r"~ *data_in", "data_in"),
    ),
    ("kept", AccumulationJob(SPARQ), swap("pe", r"last_out \? 17'h0", "drain_out ? 17'h0")),
    (
        "sign",
        LanesJob(BEHAVIORAL),
        swap("pe", r"product0\[11\], product0, 3'h0", "1'h0, product0, 3'h0"),
    ),
    (
        "start",
        AccumulationJob(BEHAVIORAL),
        swap("pe", r"if \(last_out\) accumulator_value", "if (drain_out) accumulator_value"),
    ),
    (
        "pending",
        AccumulationJob(BEHAVIORAL),
        swap("pe", r"\{ 2'h0, accumulator_value \}", "{ 2'h0, ~accumulator_value }"),
    ),
    (
        "operand",
        ContractJob(SPARQ),
        swap("pe", "weight_out <= weight_in", "weight_out <= ~weight_in"),
    ),
    (
        "held",
        CorrectionJob(RADIX_4),
        swap("column_correction", r"if \(last\) held", "if (~last) held"),
    ),
    (
        "neighbour",
        GridJob(SPARQ, 2, 3),
        swap("grid", r"\.last_in\(col_0_last_out\)", ".last_in(last_in)"),
    ),
    (
        "skew",
        EdgesJob(RADIX_4, 2, 3),
        swap("weight_skew", r"\.data_in\(delay_data_out\)", ".data_in(data_in[23:16])"),
    ),
    (
        "chain",
        EdgesJob(RADIX_4, 2, 3),
        swap("last_chain", r"\.data_in\(lane_0_data_out\[1\]\)", ".data_in(data_in)"),
    ),
    (
        "bias",
        TopJob(SPARQ, 2, 3),
        swap("array", r"\.last\(sequencer_last\[2:1\]\)", ".last(sequencer_last[1:0])"),
    ),
    (
        "bubble",
        ArrayJob(replace(RADIX_4, weight_bits=2, acc_bits=11), 1, 1, slices=3),
        swap("array", r"sequencer_taken \?", "in_ready ?", count=2),
    ),
    ("edge", TopJob(SPARQ, 2, 3), swap("array", r"sequencer_taken \?", "in_ready ?")),
    (
        "ready",
        SequencerJob(2, 0),
        swap("sequencer", r"assign in_ready = [^;]*;", "assign in_ready = 1'h1;"),
    ),
    ("valid", RowsJob(SPARQ, 2, 2), swap("array", r"start \| last", "start")),
    ("order", GroupBufferJob(2, 8), swap("buffer", r"\? waiting_0", "? leaving_1")),
    ("stall", RequantizerJob("stalls"), swap("lane", r"if \(enable\) (?=sign)", "")),
    (
        "negative",
        RequantizerJob("product"),
        swap("lane", r"biased_1\[31\] \? multiplier_1", "biased_1[31] ? biased_1[14:0]"),
    ),
    ("late", RequantizerJob("product"), swap("lane", "shift_2 <= shift_1", "shift_2 <= shift")),
    (
        "half up",
        RequantizerJob("byte"),
        swap("lane", r"= fine_1\[0\] & \w+;", "= fine_1[0];"),
    ),
    (
        "sticky bit",
        RequantizerJob("byte"),
        swap("lane", r"= \| \{ product_2\[30:0\], 1'h0 \}", "= | product_2[30:1]"),
    ),
    (
        "above the window",
        RequantizerJob("byte"),
        swap("lane", r"fine_8\[15:12\] \^", "{ fine_8[15:13], product_2[46] } ^"),
    ),
    (
        "one too high",
        RequantizerJob("byte"),
        swap("lane", r"\$signed\(total\) > (.*);", r"$signed(total) > \1 + 10'sh1;"),
    ),
    ("one too low", RequantizerJob("byte"), swap("lane", r"< (\$signed.*);", r"< \1 - 10'sh1;")),
    (
        "unmapped",
        RegistersJob(ENGINE),
        swap("registers", r"(read_mode = .*) == 6'h13", r"\1 == 6'h15"),
    ),
    (
        "refused",
        RegistersJob(ENGINE),
        swap("registers", r"if \(write_depth\)", "if (write)"),
    ),
    (
        "not locked",
        RegistersJob(ACCELERATOR),
        swap("registers", r"(write_reads_low = .*) & .*;", r"\1;"),
    ),
    ("lost", QueueJob(4), swap("stage", r"w_rdy = inner_level != 2'h3", "w_rdy = 1'h1")),
    ("too early", QueueJob(3), swap("stage", r"r_port__en = inner_r_rdy &", "r_port__en =")),
    ("overtaken", QueueJob(0), swap("stage", r"\? spare : in_data", "? in_data : spare")),
    ("wider queue", QueueJob(2), swap("stage", r"w_rdy = (.*);", r"w_rdy = \1 | r_en;")),
    (
        "held back",
        AdapterJob("upsizer", 3),
        swap("stage", r"in_ready = [^;]*;", "in_ready = out_ready;"),
    ),
    (
        "last part",
        AdapterJob("downsizer", 3),
        swap("stage", r"out_last = [^;]*;", "out_last = in_last;"),
    ),
    ("no room", WalkJob(2), swap("walk", r"under_way != 2'h2", "under_way != 2'h3")),
    (
        "no end",
        WalkJob(2),
        swap("walk", r"slice_exact = command\[48\]", "slice_exact = command[49]"),
    ),
    (
        "overwritten",
        BanksJob("weights"),
        swap("buffer", r"in_ready = [^;]*;", "in_ready = command_valid;"),
    ),
    (
        "other bank",
        BanksJob("parameters"),
        swap("buffer", r"read_bank <= [^;]*;", "read_bank <= read_bank;"),
    ),
    (
        "next group",
        PlanesJob((0xF0, 0x0F), 2),
        swap("stage", r"ends_tile <= in_last", "ends_tile <= 1'h1"),
    ),
    (
        "one plane",
        PlanesJob((0xF0, 0x0F), 1),
        swap("stage", r"in_ready = [^;]*;", "in_ready = out_ready;"),
    ),
    (
        "signed zero",
        PlanesJob((0x78, 0x07), 1, NamedFormat("s4opt")),
        swap("stage", r"= in_data\[7\] & \w+", "= in_data[7]"),
    ),
    (
        "word early",
        OutputJob(1, 1, 1),
        swap("stage", r"(advance) = [^;]*;", r"\1 = out_ready;"),
    ),
    ("unmarked", OutputJob(2, 2, 1), swap("stage", r"out_last = [^;]*;", "out_last = is_last[4];")),
    (
        "one point of two",
        OutputJob(2, 2, 2, points=2),
        swap("stage", r"assign sum = \{ ([^;]*\}) \+ [^;]*;", r"assign sum = { \1;"),
    ),
    (
        "unsigned left",
        CombinerJob(11),
        swap("combiner", r"sum = \{ \w+\[17\], ", "sum = { 1'h0, "),
    ),
    (
        "beyond a page",
        BurstsJob(SHORT_BURSTS),
        swap("splitter", r"to_end\[1:0\] = ~ first", "to_end[1:0] = 2'h3"),
    ),
    ("no credit", RoomJob(SHORT_BURSTS, 4), swap("queue", "has_room = [^;]*;", "has_room = 1'h1;")),
    (
        "a beat early",
        BeatsJob(SHORT_BURSTS, 4),
        swap("writer", r"(splitter_burst\[23:16\]) < ", r"\1 <= "),
    ),
    (
        "one beat less",
        BeatsJob(SHORT_BURSTS, 7),
        swap("writer", r"wlast = ~\| rest", "wlast = ~| rest[7:1]"),
    ),
    (
        "other burst",
        BusJob(SHORT_BURSTS, "reads"),
        swap("part", "(other_queue_burst_ready) = [^;]*;", r"\1 = may_go;"),
    ),
    (
        "burst again",
        BusJob(SHORT_BURSTS, "writes"),
        swap("part", "m_axi_memory_awready, goes", "goes"),
    ),
    ("full word", GearboxJob(6, 8), swap("stage", r">= 3'h4", "> 3'h4")),
    ("cut packet", GearboxJob(4, 6), swap("stage", r"out_last = [^;]*;", "out_last = in_last;")),
    (
        "another's group",
        ResultsJob(NamedFormat("5opt", group=4), 8),
        swap("result_encoder", r"(pair_2\w*_shared) = [^;]*;", r"\1 = pair_0_encoder_shared;"),
    ),
    (
        "other order",
        ResultsJob(NamedFormat("2opt", group=4), 8),
        swap("result_encoder", r"pairs = \{ (\w+), (\w+)", r"pairs = { \2, \1"),
    ),
]
"""Of each property, what is broken in the hardware and how."""
BROKEN_PROGRAMS: list[tuple[str, Job, Callable[[Any], Any]]] = [
    (
        "beyond the window",
        GivenJob(SMALL),
        swap("part", r"> \{ 1'h0, reads_size", "> { 1'h1, reads_size"),
    ),
    (
        "the other window",
        GivenJob(SMALL),
        swap("part", r"\? reads_size : writes_size", "? writes_size : reads_size"),
    ),
    (
        "pairs beyond the window",
        GivenJob(PAIRS),
        swap("part", r"> \{ 1'h0, reads_size", "> { 1'h1, reads_size"),
    ),
    (
        "as many beats as of bytes",
        AskedJob(PAIRS),
        swap("part", r"(request\[73:64\]) = command\[79\] \?", r"\1 = 1'h0 ?"),
    ),
    ("end early", WaitsJob(SMALL), swap("part", "= loads_started == loads_ended", "= 1'h1")),
    (
        "far ahead",
        WaitsJob(SMALL),
        swap("part", r"(\| \{ \w+\[7\]), \w+\[7\]", r"\1"),
    ),
    (
        "wrong start",
        AskedJob(SMALL),
        swap("part", "registers_writes_high_value, registers_writes_low_value", "64'h0"),
    ),
    (
        "no wait",
        StartsJob(SMALL, "moves"),
        swap("part", r"(loader_command_valid = \w+) & \w+", r"\1"),
    ),
    (
        "no end",
        StartsJob(SMALL, "computing"),
        swap("part", r"if \(ends\) ended <= [^;]*;", "if (busy) ended <= ended + 16'h1;"),
    ),
]
"""The same of what reads and starts programs, which takes longer."""


@pytest.mark.every(16)
@pytest.mark.parametrize("job", select([], [], quick=True), ids=lambda job: job.name)
def test_quick_proofs_hold(job: Job, tmp_path: Path) -> None:
    verdict = job.prove(job.rtl(), TIMEOUT, tmp_path / "trace.vcd")
    assert verdict.proved, verdict.reason


@pytest.mark.every(8)
@pytest.mark.parametrize(
    ("what", "job", "change"),
    [*BROKEN, *(pytest.param(*own, marks=pytest.mark.slow) for own in BROKEN_PROGRAMS)],
    ids=_name,
)
def test_what_is_broken_is_found(
    what: str, job: Job, change: Callable[[Any], Any], tmp_path: Path
) -> None:
    waveform = tmp_path / "trace.vcd"
    verdict = job.prove(change(job.rtl()), TIMEOUT, waveform)
    assert not verdict.proved, what
    assert verdict.waveform == waveform, verdict.reason
    assert "$enddefinitions" in waveform.read_text()
    assert str(waveform) in verdict.reason


def test_an_accumulator_that_is_too_narrow_is_found(tmp_path: Path) -> None:
    class TooLong(OverflowJob):
        def length(self, weight_bits: int, acc_bits: int) -> int:
            return 2 * super().length(weight_bits, acc_bits)

    waveform = tmp_path / "trace.vcd"
    verdict = TooLong(SPARQ).prove({}, TIMEOUT, waveform)
    assert not verdict.proved
    assert waveform.is_file()


def test_every_property_is_broken_by_a_test() -> None:
    broken = {job.property_name for _, job, _ in (*BROKEN, *BROKEN_PROGRAMS)} | {"overflow"}
    assert broken == {job.property_name for job in all_jobs()}


def test_names_of_jobs_are_unique() -> None:
    for jobs in (all_jobs(), jobs_of_formats(["s4:0,3", "2opt"])):
        assert len({job.name for job in jobs}) == len(jobs)


@pytest.mark.parametrize(
    "fmt",
    [*map(NamedFormat, NAMED_FORMATS), NamedFormat("7opt", False), *random_formats(4)],
    ids=lambda fmt: fmt.slug,
)
def test_rule_in_verilog_is_that_in_python(fmt: NamedFormat, tmp_path: Path) -> None:
    """Both windows of bytes, each alone and beside a larger one, from the text of the proofs."""
    rule = Rule.of(fmt)
    lines = ["module claim();", rule.verilog(), "always @* begin"]
    for a in (0, 1, 2, 7, 15, 16, 17, 24, 31, 63, 100, 127, 128, 136, 152, 200, 247, 248, 254, 255):
        for largest in (a, 255):
            for function, bits in (("narrow", rule.window_bits), ("wide", 2 * rule.window_bits)):
                _, shift = window(largest, bits, rule.shifts, rounding=False)
                contents, _ = window(a, bits, (shift,), rule.rounding)
                lines.append(f"assert ({function}({a}, {largest}) == {contents << shift});")
    statement = "\n".join([*lines, "end endmodule"])
    verdict = solver.sat({}, statement, "", TIMEOUT, tmp_path / "trace.vcd")
    assert verdict.proved, verdict.reason


def test_requantization_in_verilog_is_that_in_python(tmp_path: Path) -> None:
    """Ties and their neighbours, results at limits, and the largest products."""
    products = [sign * size for size in (0, 1, 2, 3, 6, 7, 253 << 9, 2**46 - 1) for sign in (1, -1)]
    lines = ["module claim();", VERILOG, "always @* begin"]
    for product in (*products, -(2**46), 2**32 + 2**9, 3 * 2**32):
        for shift, zero_point, low, high in ((0, 9, 5, 12), (1, 0, 0, 255), (9, 3, 3, 255)):
            must_be = requantized(product, shift, zero_point, low, high)
            given = f"{product % 2**64}, {shift}, {zero_point}, {low}, {high}"
            lines.append(f"assert (requantized(64'd{given}) == {must_be});")
        must_be = requantized(product, 33, 100, 0, 255)
        lines.append(f"assert (requantized(64'd{product % 2**64}, 33, 100, 0, 255) == {must_be});")
    verdict = solver.sat({}, "\n".join([*lines, "end endmodule"]), "", TIMEOUT, tmp_path / "t.vcd")
    assert verdict.proved, verdict.reason


def test_all_registers_of_the_requantizer_are_known_to_hold() -> None:
    """The statement is about every register that the lane assigns, and its outputs."""
    job = RequantizerJob("stalls")
    assigned = re.findall(r"(\w+) <= ", job.rtl()["lane"])
    assert assigned
    assert sorted(re.findall(r"assert \((\w+)_now == ", job.statement)) == sorted(assigned)
    assert job.configuration in STEPS


def test_gates_compute_what_their_verilog_says() -> None:
    verilog = (
        "module dut(input [2:0] a, output y, z); assign y = a[2] ? a[1] : ~a[0];"
        " assign z = a[0] ^ (a[1] | a[2]); endmodule"
    )
    gates = Gates.of(verilog, "dut", TIMEOUT)
    inputs = gates.ports["a"]
    for row in range(8):
        bits = [row >> place & 1 for place in range(3)]
        known = gates.evaluate(
            [*gates.ports["y"], *gates.ports["z"]], dict(zip(inputs, bits, strict=True)), 1
        )
        assert known[gates.ports["y"][0]] == (bits[1] if bits[2] else 1 - bits[0])
        assert known[gates.ports["z"][0]] == bits[0] ^ (bits[1] | bits[2])


def test_a_statement_that_is_false_is_not_proved(tmp_path: Path) -> None:
    statement = "module claim(input [3:0] a); always @* assert (a != 5); endmodule"
    verdict = solver.sat({}, statement, "", TIMEOUT, tmp_path / "trace.vcd")
    assert not verdict.proved
    assert (tmp_path / "trace.vcd").is_file()


@pytest.mark.slow
def test_a_solver_that_runs_out_of_time_is_a_failure(tmp_path: Path) -> None:
    statement = """
    module claim(input [23:0] a, b, c);
      always @* assert ((a + b) * c == a * c + b * c);
    endmodule"""
    verdict = solver.sat({}, statement, "", 1, tmp_path / "trace.vcd")
    assert not verdict.proved
    assert verdict.reason == "not proved within 1 s"


def test_an_error_of_yosys_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ProofError, match=r"^Yosys failed: syntax error") as caught:
        solver.sat({}, "module claim(; endmodule", "", TIMEOUT, tmp_path / "trace.vcd")
    assert "\n" not in str(caught.value)


def test_a_missing_solver_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", absent)
    with pytest.raises(ToolError, match="pyosys is not installed"):
        solver.version()


@pytest.mark.slow
@pytest.mark.every(1)
@pytest.mark.parametrize(("found", "named"), [("absent", "absent"), ("", r"c\+\+")])
def test_a_missing_compiler_is_refused(
    found: str, named: str, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", found)
    monkeypatch.setattr("support.cpp.shutil.which", lambda name: None)
    with pytest.raises(ToolError, match=rf"no C\+\+ compiler \({named}\): install one"):
        LanesJob(SPARQ).prove(LanesJob(SPARQ).rtl(), TIMEOUT, tmp_path / "trace.vcd")
    status, _, errors = run("--property", "lanes", "--configuration", "5opt")
    assert status == 2
    assert errors.startswith("sparq: no C++ compiler (")
    assert len(errors.splitlines()) == 1
    assert run("--property", "overflow", "--configuration", "8x8")[0] == 0
    get_reusable_executor().shutdown()  # its workers would keep CXX


@pytest.mark.slow
def test_a_proof_that_runs_out_of_time_is_a_failure(run: Any) -> None:
    choice = ("--property", "products", "--configuration", "2x8x8_radix4")
    status, output, errors = run(*choice, "--timeout", "1")
    assert status == 1
    assert "NO" in output
    assert errors.endswith("products of 2x8x8_radix4: not proved within 1 s\n")
    assert not list(Path("build/prove").iterdir())


def test_proofs_are_kept_until_something_changes(tmp_path: Path) -> None:
    job = EncoderJob(NamedFormat("2opt", False, False))
    programs = cache.programs()
    assert programs != cache.programs(compiled=True)
    first = run_job(job, TIMEOUT, tmp_path, programs)
    assert first.proved
    assert not first.cached
    second = run_job(job, TIMEOUT, tmp_path, programs)
    assert second.proved
    assert second.cached
    other = run_job(job, TIMEOUT, tmp_path, "of another version")
    assert other.proved
    assert other.outdated
    assert not other.cached
    (tmp_path / f"{job.name}.json").write_text("{")
    unreadable = run_job(job, TIMEOUT, tmp_path, programs)
    assert unreadable.proved
    assert unreadable.outdated


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"property must be one of encoder, .*, not 'x'"):
        select(["x"], [])
    with pytest.raises(ConfigurationError) as refusal:
        select(["encoder"], ["9opt"])
    count = sum(job.property_name == "encoder" for job in all_jobs())
    assert str(refusal.value) == (
        f"configuration must be one of the {count} that --list shows, such as 7opt, 6opt, 5opt, "
        "3opt, 2opt, not '9opt'"
    )
    with pytest.raises(ConfigurationError, match=r"such as 5opt, 5opt_novsparq, .*, not '#'"):
        select(["encoder"], ["#"])
    with pytest.raises(ConfigurationError) as refusal:
        select(["requantizer"], ["bytes"])
    steps = ", ".join(STEPS)
    assert str(refusal.value) == f"configuration must be one of {steps}, not 'bytes'"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--property", "x"], "property must be one of"),
        (["--property", "encoder", "--configuration", "x"], "configuration must be one of"),
        (["--list", "--json", "r.json"], "json has no effect beside list: leave it out"),
        (["--timeout", "0"], "timeout must be an integer of at least 1, not 0"),
        (["--timeout", "soon"], "timeout must be an integer of at least 1, not 'soon'"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, run: Any) -> None:
    status, _, errors = run(*arguments)
    assert status == 2
    assert message in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.slow
def test_command_prints_and_writes_what_is_proved(run: Any) -> None:
    choice = ("--property", "sequencer", "--configuration", "1rows")
    status, output, _ = run(*choice, "--json", "proofs.json")
    assert status == 0
    assert "unbounded" in output
    written = json.loads(Path("proofs.json").read_text())
    assert written["proved"] == 1
    assert written["proofs"][0]["property"] == "sequencer"
    kept = Path("build/prove/sequencer_1rows.json")
    kept.write_text('{"programs": "of another version"}')
    status, output, _ = run(*choice)
    assert status == 0
    assert "1 results in build/prove are of another version: proved again" in output
    assert run(*choice)[1].count("(cached)") == 1


def test_what_is_not_proved_is_a_failure(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = Outcome("rows", "2x2", "SAT", "unbounded", False, 1.0, reason="not proved within 1 s")
    monkeypatch.setattr("gen.commands.prove.run_proofs", lambda *arguments: [outcome])
    status, output, errors = run("--property", "rows")
    assert status == 1
    assert "NO" in output
    assert errors == "sparq: 1 of 1 not proved; the first is rows of 2x2: not proved within 1 s\n"


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run ``sparq prove`` in a folder of its own: exit status, output and errors."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sparq", "prove", *arguments])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
        output, errors = capsys.readouterr()
        return status, output, errors

    return command
