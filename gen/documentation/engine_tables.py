"""Tables about the matrix engine, made of its description alone."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from gen.design.configuration import Configuration
from gen.verilog.generate import build
from gen.verilog.sidecar import make_sidecar
from gen.verilog.template import comment
from golden import NAMED_FORMATS, SIGNED_FORMATS, named_format
from hdl import GemmEngine
from hdl.bus.register_map import Access, Register
from hdl.engine.column_parameters import COLUMN_PARAMETERS, PARAMETER_WORD_BITS
from hdl.engine.engine_registers import COUNTERS, FIRST_COUNTER, ErrorCode

SIDES = (4, 8, 16, 32)
DEPTH = 256
"""Slices of the tiles of the table of bandwidths, of which as many stand on top of each other."""
TILES_M = 8
STREAM_BITS = (32, 64, 128, 256)
"""Of the table of streams, which each engine could have."""

ACCESS = {
    Access.CONSTANT: "constant",
    Access.READ: "read",
    Access.READ_WRITE: "read, write",
    Access.WRITE_ONE_TO_CLEAR: "read, write 1 to clear",
    Access.PULSE: "write 1",
}

Grid = tuple[list[str], list[list[str]]]


@cache
def _engine(side: int, **options: Any) -> tuple[GemmEngine, dict[str, Any]]:
    """An engine of that many rows and columns, all else as it is by default; its sidecar."""
    configuration = Configuration(top="engine", rows=side, cols=side, **options)
    engine = build(configuration)
    assert isinstance(engine, GemmEngine)
    return engine, make_sidecar(configuration, engine, configuration.name)


def ports() -> Grid:
    """The ports of the engine that has all defaults."""
    _, sidecar = _engine(16)
    rows = [
        [f"`{port['name']}`", port["direction"], str(port["width"]), comment(port)]
        for port in sidecar["ports"]
    ]
    return ["port", "direction", "bits", "meaning"], rows


def _fields(register: Register) -> Iterator[list[str]]:
    for field in register.fields:
        high = field.low_bit + field.bits - 1
        place = str(high) if field.bits == 1 else f"{high}:{field.low_bit}"
        yield [f"`{field.name}`", place, ACCESS[field.access], field.description]


def registers() -> Grid:
    """All registers but the counters, field by field, of an engine that has all of them."""
    engine, _ = _engine(16, format="s5opt")
    rows = []
    for register in engine.registers.registers:
        if register.offset < FIRST_COUNTER:
            name = [f"{register.offset:#04x}", f"`{register.name}`"]
            for field in _fields(register):
                rows.append([*name, *field])
                name = ["", ""]
    return ["offset", "register", "field", "bits", "access", "meaning"], rows


def counters() -> Grid:
    """The 64-bit counters."""
    engine, _ = _engine(16)
    rows = []
    for name, counted in COUNTERS.items():
        low, high = (engine.registers[f"{name}_{half}"].offset for half in ("LOW", "HIGH"))
        rows.append([f"{low:#04x}, {high:#04x}", f"`{name}`", counted])
    return ["offsets: low, high", "counter", "counts"], rows


def errors() -> Grid:
    """Why commands are refused."""
    rows = [[str(code.value), f"`{code.name}`", code.description] for code in ErrorCode]
    return ["code", "name", "meaning"], rows


def column_parameters() -> Grid:
    """Where the parameters of a column stand in its words."""
    rows = []
    for name, field in COLUMN_PARAMETERS:
        if not name.startswith("reserved"):
            word, low = divmod(field.offset, PARAMETER_WORD_BITS)
            high = low + field.width - 1
            sign = "signed" if name == "bias" else "unsigned"
            rows.append([f"`{name}`", str(word), f"{high}:{low}", sign])
    return ["parameter", "word", "bits", "number"], rows


def planes() -> Grid:
    """The passes of exact products in each named format, with vSPARQ or without."""
    rows = []
    for name in (*NAMED_FORMATS, *SIGNED_FORMATS):
        masks = named_format(name, True, True).exact_planes
        rows.append([f"`{name}`", str(len(masks)), ", ".join(f"{mask:#04x}" for mask in masks)])
    return ["format", "passes", "bits of an activation, or of its magnitude, in each"], rows


def bandwidth() -> Grid:
    """What engines of several sizes take and give, at best in every cycle."""
    headings = ["engine", "activations per cycle", "exact mode", "weights per column of tiles"]
    headings += ["per cycle", "parameters per column of tiles"]
    headings += ["results per cycle", "as sums"]
    rows = []
    for side in SIDES:
        engine, sidecar = _engine(side)
        width = {port["name"]: port["width"] // 8 for port in sidecar["ports"]}
        activations = width["s_axis_activations_tdata"]
        weights = DEPTH * width["s_axis_weights_tdata"]
        results = side * side / DEPTH
        rows.append(
            [
                f"{side}x{side}",
                str(activations),
                f"{activations / len(engine.engine.planes):g}",
                str(weights),
                f"{weights / (TILES_M * DEPTH):g}",
                str(COLUMN_PARAMETERS.size // 8 * side),
                *(f"{results:g}", f"{4 * results:g}"),
            ]
        )
    return headings, rows


def streams() -> Grid:
    """How often engines of several sizes get a slice through streams of a given width."""
    rows = []
    for side in SIDES:
        cells = []
        for bits in STREAM_BITS:
            engine, _ = _engine(side, stream_bits=bits)
            words = engine.stream_words["activations"]
            exact = min(1, len(engine.engine.planes) / words)
            cells.append(f"{words}: {100 / words:.3g} %, {100 * exact:.3g} %")
        rows.append([f"{side}x{side}", *cells])
    return ["engine", *(f"`STREAM_BITS={bits}`" for bits in STREAM_BITS)], rows
