"""All that is proved: properties by configurations."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

from gen.proof.accelerator import AskedJob, BusJob, GivenJob, StartsJob, WaitsJob
from gen.proof.accumulation import AccumulationJob
from gen.proof.array import ArrayJob
from gen.proof.bounds import OverflowJob
from gen.proof.combiner import CombinerJob
from gen.proof.element import (
    LanesJob,
    ProductJob,
    elements,
    signed_elements,
)
from gen.proof.element_ports import ContractJob, CorrectionJob
from gen.proof.encoder import EncoderJob
from gen.proof.engine_control import BanksJob, WalkJob
from gen.proof.job import Job
from gen.proof.memory import BeatsJob, BurstsJob, RoomJob
from gen.proof.output import OutputJob
from gen.proof.planes import PlanesJob
from gen.proof.queues import AdapterJob, GearboxJob, QueueJob
from gen.proof.registers import ACCELERATOR, ENGINE, RegistersJob
from gen.proof.requantizer import STEPS, RequantizerJob
from gen.proof.stored import ResultsJob, StoredJob
from gen.proof.streams import GroupBufferJob, RowsJob, SequencerJob
from gen.proof.top import TopJob
from gen.proof.wiring import EdgesJob, GridJob
from golden import NAMED_FORMATS, SIGNED_FORMATS, NamedFormat
from hdl import MacUnit, sparq_mac
from hdl.accelerator.accelerator_unit import AcceleratorUnit
from hdl.bus.axi4 import Axi4Bus
from hdl.engine.engine_unit import EngineUnit
from hdl.multiplier.style import Style

SPARQ = sparq_mac("5opt")
BASELINE = MacUnit("8x8", "radix4")
FLOOR = MacUnit("2x4x8", "distributed")
QUICK_ELEMENTS = (SPARQ, BASELINE, FLOOR, sparq_mac("5opt", style=Style.BEHAVIORAL))
"""Elements whose proofs belong to the developer loop."""

ACCUMULATORS = (20, 24, 31, 33, 48, 63, 64)
"""Widths of accumulators, beside 32 bits: around those at which words end, up to the largest."""

FLAGS = ((True, False), (True, False))
NARROW: dict[str, Any] = {"weight_bits": 2, "acc_bits": 11}
PLANES = ((0xF0, 0x0F), (0xE0, 0x1C, 0x03), (0xC0, 0x30, 0x0C, 0x03))
"""Of windows of 4, 3 and 2 bits."""

BUSES = ((32, 16, 1), (32, 16, 4), (128, 64, 16), (256, 64, 128), (32, 32, 256))
"""Bits of a beat and of an address, beats of the longest burst."""

BEAT_QUEUES = (((32, 16, 1), 3), ((32, 16, 4), 4), ((32, 16, 4), 7), ((64, 32, 16), 32))
"""The same, and beats that a queue holds."""

ACCELERATORS = (
    AcceleratorUnit(EngineUnit("array", 2, 2, BASELINE, weight_depth=16), 1, 32),
    AcceleratorUnit(EngineUnit("array", 4, 4, SPARQ, weight_depth=16), 4, 128),
    AcceleratorUnit(EngineUnit("array", 2, 2, SPARQ, weight_depth=16), 1, 32, encoded_memory=True),
)
LARGE_ACCELERATOR = AcceleratorUnit(EngineUnit("array", 16, 16, SPARQ, weight_depth=2048), 256, 128)
"""Of whose parts some are proved."""

SIZES = ((1, 2), (2, 1), (2, 3), (3, 2), (5, 7), (16, 16), (64, 64))


def all_jobs() -> list[Job]:
    """Every job, in the order of the summary."""
    jobs: list[Iterable[Job]] = [
        _encoders((*NAMED_FORMATS, *SIGNED_FORMATS)),
        _stored((*NAMED_FORMATS, *SIGNED_FORMATS)),
        _of_elements(
            LanesJob,
            (
                element
                for element in (*elements(), *elements(style=Style.BEHAVIORAL), *signed_elements())
                if element.format
            ),
        ),
        _of_elements(
            ProductJob,
            [
                *(*elements(), *_trimming(), *_narrow()),
                *(*_behavioral(without_registers=True), *signed_elements()),
            ],
        ),
        _of_elements(
            AccumulationJob,
            [
                *(*elements(), *_narrow(), *_accumulators(), *_behavioral()),
                *signed_elements(registered=True),
            ],
        ),
        _of_elements(
            ContractJob,
            [
                *(*elements(), *_accumulators(), *_behavioral()),
                *signed_elements(registered=True),
            ],
        ),
        _of_elements(CorrectionJob, [*_with_corrections(), *_accumulators()]),
        _of_elements(OverflowJob, _value_sets()),
        (GridJob(element, *size) for element in (SPARQ, BASELINE) for size in SIZES),
        (
            EdgesJob(element, *size)
            for element in (SPARQ, BASELINE)
            for size in SIZES
            if min(size) > 1 and max(size) < 64
        ),
        (
            TopJob(element, 2, 3)
            for element in (*elements(), *elements(style=Style.BEHAVIORAL), *signed_elements())
            if element.format is None or element.format.name in ("5opt", *SIGNED_FORMATS)
        ),
        _arrays(),
        (SequencerJob(rows, delay) for rows in (1, 2, 3, 4, 5, 8) for delay in range(4)),
        (
            RowsJob(replace(SPARQ, pipeline=pipeline), rows, cols)
            for pipeline in range(3)
            for rows, cols in ((1, 1), (1, 2), (2, 1), (2, 2), (3, 2), (4, 4))
        ),
        (GroupBufferJob(slices, width) for slices, width in ((2, 8), (4, 8), (8, 8))),
        (RequantizerJob(step) for step in STEPS),
        (RegistersJob(registers) for registers in (ENGINE, ACCELERATOR)),
        (QueueJob(depth) for depth in (0, 2, 3, 4, 5, 9)),
        (AdapterJob(kind, beats) for kind in ("upsizer", "downsizer") for beats in (2, 3, 4, 8)),
        (GearboxJob(*widths) for widths in ((3, 4), (4, 6), (6, 8), (22, 32), (24, 32))),
        (
            ResultsJob(NamedFormat(name, vsparq=vsparq, group=group), lanes)
            for name, vsparq in (("5opt", True), ("2opt", False))
            for group, lanes in ((1, 2), (1, 8), (2, 4), (4, 8), (8, 8))
        ),
        (WalkJob(room) for room in (2, 3, 4, 7)),
        (BanksJob(kind) for kind in ("weights", "parameters")),
        (PlanesJob(planes, group) for planes in PLANES for group in (1, 2, 4, 8)),
        (
            PlanesJob(fmt.sparq_format.exact_planes, group, fmt)
            for fmt in map(NamedFormat, SIGNED_FORMATS)
            for group in (1, 2, 4, 8)
        ),
        (OutputJob(*sizes) for sizes in ((1, 1, 1), (2, 2, 1), (3, 3, 3), (5, 6, 2))),
        (OutputJob(*sizes, points=2) for sizes in ((2, 2, 2), (2, 8, 4))),
        map(CombinerJob, (11, 20, 24)),
        (BurstsJob(Axi4Bus(*sizes)) for sizes in BUSES),
        (RoomJob(Axi4Bus(*sizes), depth) for sizes, depth in BEAT_QUEUES),
        (BeatsJob(Axi4Bus(*sizes), depth) for sizes, depth in BEAT_QUEUES),
        (job(unit) for job in (GivenJob, WaitsJob) for unit in (*ACCELERATORS, LARGE_ACCELERATOR)),
        (AskedJob(unit) for unit in ACCELERATORS),
        (BusJob(Axi4Bus(*sizes), kind) for sizes in BUSES for kind in ("reads", "writes")),
        (StartsJob(unit, kind) for unit in ACCELERATORS for kind in ("moves", "computing")),
    ]
    found = [job for group in jobs for job in group]
    for job in found:
        _set_effort(job)
    return found


def jobs_of_formats(names: Iterable[str]) -> list[Job]:
    """What depends on a format: of the formats of these names, which need not be the paper's."""
    chosen = list(dict.fromkeys(NamedFormat(name).name for name in names))
    of_both_styles = (*elements(chosen), *elements(chosen, Style.BEHAVIORAL))
    units = [element for element in of_both_styles if element.format]
    plain = [element for element in units if not element.pipeline]
    trimming = [_trimmed(element) for element in plain]
    structural = [element for element in plain if not element.is_behavioral]
    jobs: list[Iterable[Job]] = [
        _encoders(chosen),
        _stored(chosen),
        _of_elements(LanesJob, units),
        _of_elements(ProductJob, [*units, *trimming]),
        _of_elements(AccumulationJob, units),
        _of_elements(ContractJob, units),
        _of_elements(OverflowJob, [*structural, *map(_trimmed, structural)]),
        (TopJob(element, 2, 3) for element in units),
        (ArrayJob(replace(element, **NARROW), 1, 2, slices=3) for element in plain),
    ]
    found = [job for group in jobs for job in group]
    for job in found:
        _set_effort(job)
    return found


def _encoders(names: Iterable[str]) -> Iterator[Job]:
    """Formats in all modes; groups above 4 have the encoder of a group of 4."""
    for group, name, rounding, vsparq in product((1, 2, 4), names, *FLAGS):
        yield EncoderJob(NamedFormat(name, rounding, vsparq, group))


def _stored(names: Iterable[str]) -> Iterator[Job]:
    """Formats in all modes without shared windows, whose pairs have a layout of their own."""
    for name, rounding, vsparq in product(names, *FLAGS):
        yield StoredJob(NamedFormat(name, rounding, vsparq))


def _of_elements(kind: Callable[[MacUnit], Job], chosen: Iterable[MacUnit]) -> Iterator[Job]:
    yield from (kind(element) for element in chosen)


def _trimming() -> Iterator[MacUnit]:
    """Elements behind an encoder that trims: another encoder, the same element."""
    for element in elements():
        if element.format and not element.pipeline:
            yield _trimmed(element)


def _trimmed(element: MacUnit) -> MacUnit:
    assert element.format is not None
    return replace(element, format=replace(element.format, rounding=False))


def _narrow() -> Iterator[MacUnit]:
    """Some elements of every width of weights, one of which is pipelined."""
    for weight_bits in range(2, 8):
        for element in (SPARQ, BASELINE, MacUnit("8x8", "booth"), replace(SPARQ, pipeline=2)):
            yield replace(element, weight_bits=weight_bits)


def _accumulators() -> Iterator[MacUnit]:
    """Elements of every width of accumulators: with both biases, and the smallest one."""
    for acc_bits in ACCUMULATORS:
        yield from (replace(BASELINE, acc_bits=acc_bits), replace(FLOOR, acc_bits=acc_bits))


def _behavioral(without_registers: bool = False) -> Iterator[MacUnit]:
    """Elements in behavioral style: all, and of every width of weights and accumulators."""
    for element in elements(style=Style.BEHAVIORAL):
        if not (without_registers and element.pipeline):
            yield element
    sparq = replace(SPARQ, style=Style.BEHAVIORAL)
    for weight_bits in range(2, 8):
        yield replace(sparq, weight_bits=weight_bits)
    if not without_registers:
        yield from (replace(sparq, acc_bits=acc_bits) for acc_bits in ACCUMULATORS)


def _with_corrections() -> Iterator[MacUnit]:
    """Elements with a bias; that of all SPARQ elements is of one width, and of signed ones."""
    for element in elements():
        if element.format is None or (element.format.name, element.format.vsparq) == ("5opt", True):
            yield element
    yield sparq_mac("s5opt")


def _value_sets() -> Iterator[MacUnit]:
    """One element for each way in which activations become values."""
    yield from (BASELINE, MacUnit("2x8x8", "radix4"), MacUnit("2x4x8", "distributed"))
    names = (*NAMED_FORMATS, *SIGNED_FORMATS)
    for group, name, rounding, vsparq in product((1, 2), names, *FLAGS):
        yield sparq_mac(name, rounding, vsparq, group)


def _arrays() -> Iterator[Job]:
    """Small arrays of narrow weights."""

    def narrow(element: MacUnit) -> MacUnit:
        return replace(element, **NARROW)

    for element in (SPARQ, sparq_mac("3opt", vsparq=False, group=2), MacUnit("8x8", "and")):
        for rows, cols in ((1, 1), (1, 2), (2, 1), (2, 2)):
            yield ArrayJob(narrow(element), rows, cols, slices=3)
    for element in (sparq_mac("s4opt"), sparq_mac("s5opt", vsparq=False, group=2)):
        for rows, cols in ((1, 1), (2, 1)):
            yield ArrayJob(narrow(element), rows, cols, slices=2)
    yield ArrayJob(narrow(BASELINE), 1, 1, slices=3)
    yield ArrayJob(narrow(BASELINE), 1, 2, slices=2)
    yield ArrayJob(narrow(BASELINE), 2, 1, slices=2)
    yield ArrayJob(narrow(replace(SPARQ, pipeline=2)), 1, 2, slices=2)
    yield ArrayJob(narrow(SPARQ), 1, 1, slices=1, ones=False)
    yield ArrayJob(narrow(MacUnit("8x8", "and")), 2, 2, slices=1, ones=False)


def _set_effort(job: Job) -> None:
    """Whether a job is quick, and about how long it takes."""
    costs = {"array": 20.0, "sequencer": 5.0, "edges": 5.0, "lanes": 4.0, "products": 3.0}
    job.cost = costs.get(job.property_name, 1.0)
    element = getattr(job, "element", None)
    if job.property_name == "products" and element is not None and element.kind == "2x8x8":
        job.cost = 30.0
    if isinstance(job, EncoderJob):
        job.quick = job.rule.group == 1 and job.rule.rounding and job.rule.vsparq
        if job.rule.signed and job.rule.group == 4:
            job.cost = 15.0
    elif isinstance(job, StoredJob):
        job.quick = job.format.rounding and job.format.vsparq
    elif isinstance(job, GridJob | EdgesJob):
        job.quick = (job.rows, job.cols) == (2, 3) and job.element == SPARQ
    elif isinstance(job, RowsJob):
        job.quick = (job.rows, job.cols) == (2, 2)
    elif isinstance(job, ArrayJob):
        is_signed = job.element.mac.multiplier.signed_format is not None
        job.quick = (job.rows, job.cols) in ((1, 1), (1, 2)) and job.ones and not is_signed
    elif isinstance(job, SequencerJob):
        job.quick = job.rows <= 4 and not job.delay
    elif isinstance(job, GroupBufferJob):
        job.quick = job.slices <= 4
    elif isinstance(job, RequantizerJob):
        job.quick = job.configuration != "byte"
        job.cost = 1.0 if job.quick else 20.0
    elif isinstance(job, WalkJob):
        job.quick = job.room == 2
    elif isinstance(job, PlanesJob):
        job.quick = job.group <= 2
    elif isinstance(job, QueueJob | AdapterJob):
        job.quick = job.words <= 3
    elif isinstance(job, BurstsJob | RoomJob | BeatsJob | BusJob):
        job.quick = job.bus.max_burst <= 4
    elif isinstance(job, GivenJob | WaitsJob | AskedJob | StartsJob):
        job.quick = job.unit == ACCELERATORS[0] and isinstance(job, WaitsJob)
        job.cost = 10.0
    elif isinstance(
        job, RegistersJob | BanksJob | OutputJob | CombinerJob | GearboxJob | ResultsJob
    ):
        job.quick = True
    else:
        job.quick = element in QUICK_ELEMENTS
    if isinstance(job, AccumulationJob | CorrectionJob):
        job.quick |= replace(job.element, acc_bits=FLOOR.acc_bits) == FLOOR
