"""What a program takes of the accelerator, layer by layer."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

from gen.compiler.compile import CompiledNetwork, compile_network
from gen.compiler.errors import CompileError
from golden.accelerator.cycles import (
    compute_cycles,
    most_products,
    passes,
    products,
    read_beats,
    written_beats,
)
from golden.accelerator.program import tiles_of
from golden.accelerator.program_order import Unit, unit_of
from golden.accelerator.schedule import LATENCY, schedule
from golden.accelerator.shape import SUM_BITS, AcceleratorShape
from golden.descriptor import Descriptor, Opcode
from networks.quantization.network import QuantizedNetwork

SUMMED = (
    *("descriptors", "cycles", "computing", "slices", "products"),
    *("loaded", "stored", "streamed", "saved"),
)
"""What a network has of all its layers together."""
MOSTLY = 0.9
"""Of a layer's cycles, the share that computing takes where it bounds it."""


def layer_report(compiled: CompiledNetwork, latency: int = LATENCY) -> list[dict[str, Any]]:
    """Of each layer, in the order of computation, what its descriptors take beside a memory that
    answers after ``latency`` cycles.

    ``cycles`` are those from the last result of the layer before to its own, and of the last layer
    to the end of the program: all together are the program's; ``computing``
    those that the computing unit alone would take; ``slices`` those of the machine; ``utilization``
    the share of ``cycles`` in which it has one. Bytes are those of loads and stores, and of weights
    and parameters; ``saved`` is how many more loads and stores would be without stored pairs.
    ``bound`` says what takes most of the cycles; ``roof`` what would take them at
    least: computing, of at most ``most_products`` in a cycle, or memory, of ``products_per_byte``
    at a word of it in a cycle.
    """
    shape = compiled.image.shape
    starts = compiled.image.reads.start, compiled.image.writes.start
    spans = schedule(shape, compiled.program, latency, *starts)
    rows: dict[str, dict[str, Any]] = {}
    last = 0
    for descriptor, name, span in zip(compiled.program, compiled.layers, spans, strict=True):
        if descriptor.opcode is Opcode.END:
            continue
        row = rows.setdefault(name, _empty(name))
        row["descriptors"] += 1
        read = read_beats(shape, descriptor) * shape.beat_bytes
        if descriptor.opcode is Opcode.LOAD:
            row["loaded"] += read
        stored = written_beats(shape, descriptor) * shape.beat_bytes
        row["stored"] += stored
        if unit_of(descriptor.opcode) is not Unit.COMPUTE:
            row["saved"] += moved_as_bytes(shape, descriptor) - read - stored
        if unit_of(descriptor.opcode) is Unit.COMPUTE:
            row["streamed"] += read
            row["computing"] += compute_cycles(shape, descriptor)
            row["slices"] += _slices(shape, descriptor)
            row["products"] += products(shape, descriptor)
            row["most_products"] = max(row["most_products"], most_products(shape, descriptor))
            row["cycles"] += max(0, span.end - last)
            last = max(last, span.end)
    row["cycles"] += spans[-1].end - last
    for row in rows.values():
        row["utilization"] = row["slices"] / row["cycles"] if row["cycles"] else 0.0
        row["bound"] = "compute" if row["computing"] >= MOSTLY * row["cycles"] else "memory"
        row["products_per_byte"] = _products_per_byte(row)
        by_memory = row["products_per_byte"] * shape.beat_bytes
        row["roof"] = "compute" if by_memory >= row["most_products"] else "memory"
    return list(rows.values())


def totals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The sums over all layers."""
    result: dict[str, Any] = {name: sum(row[name] for row in rows) for name in SUMMED}
    result["utilization"] = result["slices"] / result["cycles"]
    result["products_per_byte"] = _products_per_byte(result)
    return result


def moved_as_bytes(shape: AcceleratorShape, d: Descriptor) -> int:
    """Bytes that a LOAD or STORE would move if nothing were encoded."""
    return d.lines * shape.line_bytes


def rivals(shape: AcceleratorShape) -> dict[str, AcceleratorShape]:
    """Accelerators of exact elements, with as large memories and as wide a bus: of 8x8, that take
    half as many activations per cycle, and of 2x8x8. None beside those without windows, and none
    that cannot be: of half as long lines, which memory may be wider than, and twice as many.
    """
    if shape.format is None:
        return {}
    exact = replace(shape, format=None, acc_bits=SUM_BITS, encodes=False)
    result = {}
    with suppress(ValueError):
        result["8x8"] = replace(
            exact,
            k_per_cycle=shape.k_per_cycle // 2,
            lines=2 * shape.lines,
            weight_depth=2 * shape.weight_depth,
        )
    return {**result, "2x8x8": exact}


def cycles_of_rivals(compiled: CompiledNetwork, network: QuantizedNetwork) -> dict[str, int]:
    """Cycles of ``network``, that of ``compiled``, on each of :func:`rivals` that can run it."""
    result = {}
    for name, shape in rivals(compiled.image.shape).items():
        with suppress(CompileError):
            rival = compile_network(shape, network)
            result[name] = totals(layer_report(rival))["cycles"]
    return result


def cycles_of_other_lanes(compiled: CompiledNetwork, network: QuantizedNetwork) -> int | str:
    """Cycles of ``network``, of which ``compiled`` is, on the same accelerator with multipliers in
    its vector unit if it has none, and without if it has; or why it does not run there.
    """
    shape = compiled.image.shape
    try:
        other = compile_network(replace(shape, multiplies=not shape.multiplies), network)
    except CompileError as error:
        return str(error)
    return int(totals(layer_report(other))["cycles"])


def _empty(name: str) -> dict[str, Any]:
    return {"layer": name, **dict.fromkeys((*SUMMED, "most_products"), 0)}


def _products_per_byte(row: dict[str, Any]) -> float:
    traffic: int = row["loaded"] + row["stored"] + row["streamed"]
    return float(row["products"] / max(1, traffic))


def _slices(shape: AcceleratorShape, d: Descriptor) -> int:
    if d.opcode is not Opcode.MATRIX:
        return 0
    return d.tiles_n * d.depth * passes(shape, d) * len(tiles_of(shape, d))
