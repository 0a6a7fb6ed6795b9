# amaranth: UnusedElaboratable=no
"""The sidecar: complete, documented, and true of the hardware."""

import re
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Shape
from amaranth.lib import wiring

from gen.compiler.accelerator import shape_of
from gen.design.configuration import (
    ACCELERATOR_SIZES,
    ENCODED,
    ENGINE_SIZES,
    GIVEN_SIZES,
    MACHINES,
    OPTIONS,
    TENSOR_CORES,
    Configuration,
)
from gen.driver.product import ColumnParameters, EngineProduct
from gen.simulation.compiled_engine import engine_shape
from gen.simulation.tiling import ArrayShape
from gen.verilog import docstring
from gen.verilog.generate import build
from gen.verilog.sidecar import make_sidecar
from golden import (
    NAMED_FORMATS,
    encode_pairs,
    named_format,
    pack_2_4,
    pack_pairs,
    sparq,
    store_pairs,
)
from golden.descriptor import DESCRIPTOR_BYTES
from hdl import PROCESSING_ELEMENTS
from sim_tb.gen.test_verilog import (
    ACCELERATORS,
    CONFIGURATIONS,
    ENGINES,
    every_accelerator,
    every_configuration,
)
from sim_tb.hdl.pysim import clock

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "sidecar.md"
NOT_LISTED = ("configuration", "tools", "registers", "stream_elements")
"""Objects whose keys are those of a configuration file, of packages, of a table, and of ports."""


@cache
def sidecar_of(configuration: Configuration) -> dict[str, Any]:
    """The sidecar alone: nothing is lowered."""
    return make_sidecar(configuration, build(configuration), configuration.name)


def key_paths(value: Any, before: str = "") -> set[str]:
    """All keys, those of nested objects after a point; lists are as their items."""
    if isinstance(value, list):
        return set().union(*(key_paths(item, before) for item in value))
    if not isinstance(value, dict):
        return set()
    paths = set()
    for key, inner in value.items():
        paths.add(before + key)
        if key not in NOT_LISTED:
            paths |= key_paths(inner, f"{before}{key}.")
    return paths


def test_every_key_is_documented() -> None:
    designs = (*CONFIGURATIONS, *ENGINES, *ACCELERATORS)
    keys = set().union(*(key_paths(sidecar_of(each)) for each in designs))
    rows = re.findall(r"^\| (`.*?) \|", DOCUMENT.read_text(), re.MULTILINE)
    documented = [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]
    files = {name for name in documented if name.startswith("NAME") or name.endswith(".h")}
    assert len(set(documented)) == len(documented)
    assert set(documented) - files == keys


@pytest.mark.every(6)
@every_configuration
def test_ports_are_described(configuration: Configuration) -> None:
    """Docstring, signature and elements agree: names, direction, width as the docstring has it."""
    component: Any = build(configuration)
    names: dict[str, Any] = {"fmt": configuration.format and configuration.sparq_format}
    for source in (component, getattr(component, "mac", None)):
        for name in ("rows", "cols", "k_per_cycle", "weight_bits", "acc_bits", "multiplier"):
            if hasattr(source, name):
                names[name] = getattr(source, name)
    if "multiplier" in names:
        for name in ("weight_bits", "activation_code_bits", "weight_code_bits"):
            names[name] = getattr(names["multiplier"], name)
    declared: dict[str, str] = {}
    for kind in reversed(type(component).__mro__):
        declared |= dict(re.findall(r"^ +(\w+) : ((?:In|Out)\(.*\))$", kind.__doc__ or "", re.M))
    assert set(docstring.ports(type(component))) == set(declared)
    ports = sidecar_of(configuration)["ports"][2:]
    flattened = list(component.signature.flatten(component))
    assert [port["name"] for port in ports] == [name for (name,), *_ in flattened]
    for ((name,), member, _), port in zip(flattened, ports, strict=True):
        text = declared[name]
        direction, width = text.rstrip(")").split("(", 1)
        assert (direction == "In") == (member.flow == wiring.In), name
        bits = eval(width, {}, names)
        if name == "in_a" and configuration.mac.encoded_input:  # two bytes are a stored pair
            bits = bits // 16 * configuration.sparq_format.stored_pair_bits
        assert bits == Shape.cast(member.shape).width == port["width"], name
        assert port["meaning"].endswith("."), name
        assert "`" not in port["meaning"], name


@pytest.mark.every(6)
@pytest.mark.parametrize(
    "configuration", [*CONFIGURATIONS, *ENGINES, *ACCELERATORS], ids=lambda c: c.name
)
def test_elements_make_up_each_port(configuration: Configuration) -> None:
    for port in sidecar_of(configuration)["ports"]:
        elements = port["elements"]
        assert elements["count"] * elements["width"] == port["width"]
        counts = [dimension["count"] for dimension in elements["dimensions"]]
        assert int(np.prod(counts, dtype=int)) == elements["count"]
        low = 0
        for field in elements["fields"]:
            assert field["low"] == low
            low += field["width"]
        assert low in (0, elements["width"])
        assert set(sidecar_of(configuration)["ports"][0]) == set(port)


def words(port: dict[str, Any], values: Any) -> int:
    """``values``, indexed by the port's dimensions, as a word: the sidecar read literally."""
    elements, word = port["elements"], 0
    counts = [dimension["count"] for dimension in elements["dimensions"]]
    assert values.shape == tuple(counts)
    for number, index in enumerate(product(*map(range, counts))):
        value = int(values[index]) & ((1 << elements["width"]) - 1)
        word |= value << (number * elements["width"])
    return word


@pytest.mark.parametrize("top", MACHINES)
@pytest.mark.parametrize("pe", ["sparq", "8x8"])
def test_slices_by_the_sidecar_alone(top: str, pe: str) -> None:
    """A slice as the elements of the ports say is the one that simulations feed."""
    pairs = {"pairs": 4} if top in TENSOR_CORES else {}
    configuration = Configuration(top=top, pe=pe, rows=3, cols=2, weight_bits=5, **pairs)
    sidecar = sidecar_of(configuration)
    ports = {port["name"]: port for port in sidecar["ports"]}
    rng = np.random.default_rng(1)
    k = sidecar["k_per_cycle"]
    x = rng.integers(0, 256, (3, k), dtype=np.uint8)
    w = rng.integers(-16, 16, (k, 2), dtype=np.int8)
    if sidecar["sparse"]:
        w.reshape(-1, 4, 2)[:, rng.permutation(4)[:2]] = 0
    expected = [
        int.from_bytes(word.tobytes(), "little") for word in ArrayShape.of(sidecar).slices(x, w)
    ]
    names = {dimension["name"] for dimension in ports["in_w"]["elements"]["dimensions"]}
    if sidecar["sparse"]:
        assert names == {"column", "block", "weight"}
        values, places = (part.reshape(-1, 2, 2).transpose(2, 0, 1) for part in pack_2_4(w))
        got = [words(ports["in_a"], x), words(ports["in_w"], values)]
        got.append(words(ports["in_index"], places))
    else:
        assert names == {"column", "step"}
        got = [words(ports["in_a"], x), words(ports["in_w"], w.T)]
    assert got == expected


@pytest.mark.parametrize("group", [1, 4])
def test_stored_pairs_by_the_sidecar_alone(group: int) -> None:
    """The stored pairs of a slice, as the elements of the port say."""
    options: dict[str, Any] = {"rows": 3, "cols": 2, "pairs": 4, "encoded_input": True}
    configuration = Configuration(top="tensor_core", group=group, **options)
    sidecar, fmt = sidecar_of(configuration), configuration.sparq_format
    assert sidecar["encoded_input"] is True
    (port,) = (port for port in sidecar["ports"] if port["name"] == "in_a")
    assert [each["name"] for each in port["elements"]["dimensions"]] == ["row", "pair"]
    x = np.random.default_rng(2).integers(0, 256, (3, 8), dtype=np.uint8)
    x[:, ::3] = 0
    slice_, _ = ArrayShape.of(sidecar).slices(x, np.zeros((8, 2), np.int8))
    expected = int.from_bytes(slice_.tobytes(), "little")
    assert words(port, store_pairs(encode_pairs(x, fmt), fmt)) == expected


@pytest.mark.parametrize(("style", "offset"), [("structural", 16), ("behavioral", 0)])
def test_weights_of_an_element_have_an_offset_or_none(style: str, offset: int) -> None:
    configuration = Configuration(top="pe", weight_bits=5, style=style)
    assert sidecar_of(configuration)["codes"]["weight_offset"] == offset


STREAMED: list[dict[str, Any]] = [
    {"rows": 3, "cols": 2, "weight_bits": 5},
    {"rows": 3, "cols": 4, "encoded_input": True, "encoded_output": True, "lanes": 2},
    {"rows": 3, "cols": 2, "encoded_input": True, "format": "3opt", "pairs": 2}
    | {"machine": "tensor_core"},
    {"rows": 2, "cols": 3, "machine": "sparse_tensor_core", "pairs": 2, "weight_bits": 3},
    {"rows": 2, "cols": 2, "pe": "8x8"},
]


@pytest.mark.parametrize("stream_bits", [0, 16])
@pytest.mark.parametrize("options", STREAMED, ids=str)
def test_streams_by_the_sidecar_alone(options: dict[str, Any], stream_bits: int) -> None:
    """The slices of an engine's streams, as their elements say, whatever a stream's width is."""
    width = {"stream_bits": stream_bits} if stream_bits else {}
    configuration = Configuration(top="engine", **options, **width)
    sidecar = sidecar_of(configuration)
    rows, cols, steps = (sidecar[name] for name in ("rows", "cols", "k_per_cycle"))
    rng = np.random.default_rng(4)
    x = rng.integers(0, 256, (rows, steps), np.uint8)
    half = 1 << (sidecar["weight_bits"] - 1)
    w = rng.integers(-half, half, (steps, cols), np.int8)
    given: dict[str, Any] = {"a": x}
    if sidecar["encoded_input"]:
        given["a"] = store_pairs(encode_pairs(x, fmt := configuration.sparq_format), fmt)
        assert sidecar["engine"]["pair_bits"] == fmt.stored_pair_bits
    given["w"] = w.T
    if sidecar["sparse"]:
        w.reshape(-1, 4, cols)[:, 1:3] = 0
        packed = (part.reshape(-1, 2, cols).transpose(2, 0, 1) for part in pack_2_4(w))
        given["w"], given["index"] = packed
    shape = engine_shape(sidecar)
    plan = EngineProduct(
        shape, sidecar["weight_bits"], sidecar["sparse"], x, w, ColumnParameters.of(cols)
    )
    elements = sidecar["engine"]["stream_elements"]
    assert list(elements) == list(sidecar["engine"]["stream_words"])
    for name, expected in (("activations", plan.activations()), ("weights", plan.weights())):
        got = low = 0
        for part in elements[name]:
            assert part["low"] == low
            low += part["elements"]["count"] * part["elements"]["width"]
            if part["name"] != "padding":
                got |= words(part, given[part["name"]]) << part["low"]
        assert low % 8 == 0
        assert got == int.from_bytes(expected.tobytes(), "little")
    (results,), (parameters,) = elements["results"], elements["parameters"]
    assert results["elements"]["dimensions"] == [
        {"name": "lane", "count": sidecar["engine"]["lanes"]}
    ]
    assert (results["elements"]["width"], parameters["elements"]["width"]) == (8, 32)


@pytest.mark.parametrize(
    "configuration", [*CONFIGURATIONS, *ENGINES, *ACCELERATORS], ids=lambda c: c.name
)
def test_options_that_the_configuration_leaves_out(configuration: Configuration) -> None:
    """Those of docs/sidecar.md alone, and these where they have their defaults."""
    later = {"stream_bits", "style", "multipoint", *ENCODED}
    absent = {
        "engine": {*ACCELERATOR_SIZES},
        "accelerator": {*GIVEN_SIZES, "lanes"},
    }.get(configuration.top, {"machine", *ENGINE_SIZES, *ACCELERATOR_SIZES})
    own = sidecar_of(configuration)["configuration"]
    expected = set(OPTIONS) - later - absent
    assert set(own) - later == expected
    for name in later & set(own):
        assert own[name] not in (None, OPTIONS[name].default)
    given = {name: value for name, value in own.items() if value is not None}
    assert Configuration(**given) == configuration


@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("vsparq", [True, False])
@pytest.mark.parametrize("name", NAMED_FORMATS)
def test_pairs_by_the_sidecar_alone(name: str, vsparq: bool, group: int, checks: Any) -> None:
    """Every encoded pair, read with the code table, stands for the activations of the rule."""
    configuration = Configuration(top="encoder", format=name, vsparq=vsparq, group=group)
    sidecar = sidecar_of(configuration)
    port = next(port for port in sidecar["ports"] if port["name"] == "pair")
    fields = {field["name"]: field for field in port["elements"]["fields"]}
    encoding = sidecar["encoding"]
    assert encoding["window_bits"] == fields["x0"]["width"] == fields["x1"]["width"]
    fmt = configuration.sparq_format
    mesh = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    x = np.stack(mesh, axis=-1).reshape(-1, 2)
    packed = pack_pairs(encode_pairs(x, fmt), fmt).reshape(-1)

    def field(name: str) -> Any:
        if name not in fields:
            return np.zeros_like(packed)
        return packed >> fields[name]["low"] & ((1 << fields[name]["width"]) - 1)

    table = {entry["code"]: entry for entry in encoding["control_codes"]}
    assert list(table) == sorted(table)
    control = field("control")
    assert set(control.tolist()) == set(table)
    value = np.zeros((len(x), 2), np.int64)
    for code, entry in table.items():
        of_code = control == code
        for lane in range(2):
            shift = encoding["lane_shifts"][entry["shift_ctrl"][lane]]
            part = field(f"x{lane}")[of_code].astype(np.int64) << shift
            value[of_code, entry["mux_ctrl"][lane]] += part
    assert (value == sparq(x, fmt)).all()
    checks(value.size)


STALLS = [
    *(Configuration(rows=rows, cols=1, pe="8x8") for rows in (1, 2, 5)),
    *(Configuration(rows=rows, cols=1, group=group) for rows in (1, 3) for group in (4, 16)),
    Configuration(rows=5, cols=1, group=4, vsparq=False, pipeline=2),
    *(Configuration(top="tensor_core", rows=rows, cols=1, pairs=1) for rows in (1, 4)),
    Configuration(top="tensor_core", rows=3, cols=1, pairs=2, group=16, vsparq=False),
    Configuration(top="sparse_tensor_core", rows=4, cols=1, pairs=2),
    Configuration(rows=2, cols=1, group=16, encoded_input=True),
]


@pytest.mark.every(4)
@pytest.mark.parametrize("configuration", STALLS, ids=lambda c: c.name)
def test_longest_stall(configuration: Configuration, checks: Any) -> None:
    """``in_ready`` stays low as long as the sidecar says at most, and for no longer."""
    sidecar = sidecar_of(configuration)
    k, longest = sidecar["k_per_cycle"], sidecar["max_stall_cycles"]
    group = 1 if sidecar["encoded_input"] else sidecar["group"] or 1
    assert longest == max(configuration.rows, group // k) - 1
    rng = np.random.default_rng(3)
    # Always offering, tiles of one slice; then tiles of few slices, with gaps; in_last is noise.
    steps: list[dict[str, int]] = [{"rst": 1}]
    steps += [{"in_valid": 1, "in_last": 1}] * (6 * (longest + 2))
    for probability in (0.5, 0.95):
        for valid, last in rng.random((150, 2)) < (probability, 0.7):
            steps.append({"in_valid": int(valid), "in_last": int(last)})
    ready = [word["in_ready"] for word in clock(build(configuration), steps)][1:]
    runs = [len(run) for run in re.findall("0+", "".join(map(str, ready)))]
    assert max(runs, default=0) == longest
    checks(len(ready))


def test_low_bits_of_2x4x8_are_stated() -> None:
    for top in ("pe", *MACHINES):
        for pe in PROCESSING_ELEMENTS:
            sidecar = sidecar_of(Configuration(top=top, pe=pe))
            assert sidecar["activation_bits"] == 8
            assert sidecar["activation_bits_used"] == (4 if pe == "2x4x8" else 8)


def test_what_applies_to_which_top() -> None:
    """Keys that say something of one kind of top are null for the others."""
    of_top = {top: sidecar_of(Configuration(top=top, rows=2, cols=2)) for top in MACHINES}
    others = ("pe", "encoder", "engine", "accelerator")
    of_top |= {top: sidecar_of(Configuration(top=top)) for top in others}
    for key, tops in {
        "row_order": MACHINES,
        "max_stall_cycles": MACHINES,
        "drain_cycles": MACHINES,
        "codes": ("pe",),
        "encoding": ("pe", "encoder"),
        "sparse_weights": ("sparse_tensor_core",),
        "clock": (*MACHINES, "pe", "engine", "accelerator"),
        "reset": (*MACHINES, "pe", "engine", "accelerator"),
        "pairs": TENSOR_CORES,
        "engine": ("engine",),
        "accelerator": ("accelerator",),
        "latency": (*MACHINES, "pe", "encoder"),
    }.items():
        assert [top for top in of_top if of_top[top][key] is not None] == list(tops), key
    assert sidecar_of(Configuration(top="pe", pe="8x8"))["encoding"] is None
    assert of_top["array"]["row_order"] == "descending"


@every_accelerator
def test_accelerator(configuration: Configuration) -> None:
    """What is around the machine, where each register is, and the same to programs."""
    component: Any = build(configuration)
    sidecar, own = sidecar_of(configuration), sidecar_of(configuration)["accelerator"]
    given, unit = configuration.canonical, configuration.mac
    for name in ("machine", "weight_depth", "command_depth", *ACCELERATOR_SIZES):
        assert own[name] == given[name], name
    assert own["result_tiles"] == given["result_tiles"] or not given["result_tiles"]
    pairs = {} if unit.pairs is None else {"pairs": unit.pairs}
    engine = sidecar_of(
        Configuration(
            top="engine",
            **{name: given[name] for name in ("machine", "rows", "cols", "pe", "pipeline")},
            **{name: given[name] for name in ("format", "group") if given[name] is not None},
            **pairs,
        )
    )["engine"]
    for name in ("machine_latency", "planes", "slices_per_group"):
        assert own[name] == engine[name], name
    assert own["banks"] == 2 * sidecar["rows"]
    assert own["line_bytes"] == own["banks"] * sidecar["k_per_cycle"]
    assert own["lines"] * own["line_bytes"] == own["scratchpad"] * 1024
    widths = {port["name"]: port["width"] for port in sidecar["ports"]}
    for channel in ("ar", "aw"):
        assert widths[f"m_axi_memory_{channel}addr"] == own["address_bits"]
        assert own["max_burst"] <= 1 << widths[f"m_axi_memory_{channel}len"]
    assert widths["m_axi_memory_rdata"] == widths["m_axi_memory_wdata"] == own["memory_bits"]
    assert own["descriptor_bytes"] == DESCRIPTOR_BYTES
    assert own["registers"] == {r.name: r.offset for r in component.registers.registers}
    assert configuration.accelerator is not None
    shape = shape_of(configuration.accelerator)
    for name in ("rows", "cols", "k_per_cycle", "weight_bits", "acc_bits"):
        assert getattr(shape, name) == sidecar[name], name
    assert shape.activation_bits == sidecar["activation_bits_used"]
    for name in ("banks", "lines", "line_bytes", "weight_depth"):
        assert getattr(shape, name) == own[name], name
    assert 8 * shape.beat_bytes == own["memory_bits"]
    assert shape.format == configuration.mac.sparq_format


def _check_stream_words(sidecar: dict[str, Any]) -> None:
    """Each slice, and a byte of each lane, takes as few words of its stream as it can."""
    engine, steps = sidecar["engine"], sidecar["k_per_cycle"]
    width = {port["name"]: port["width"] for port in sidecar["ports"]}
    weights, weight_bits = (steps, sidecar["weight_bits"])
    if sidecar["sparse"]:
        weights, weight_bits = weights // 2, weight_bits + 2
    activations = sidecar["rows"] * steps * 8
    if sidecar["encoded_input"]:
        fmt = named_format(*(sidecar[key] for key in ("format", "rounding", "vsparq", "group")))
        activations = -(-sidecar["rows"] * steps // 2 * fmt.stored_pair_bits // 8) * 8
    for name, port, bits in (
        ("activations", "s_axis_activations", activations),
        ("weights", "s_axis_weights", -(-sidecar["cols"] * weights * weight_bits // 8) * 8),
        ("parameters", "s_axis_parameters", 32),
        ("results", "m_axis_results", engine["lanes"] * 8),
    ):
        words, own = engine["stream_words"][name], width[f"{port}_tdata"]
        is_given = engine["stream_bits"] and name != "parameters"
        assert own == (engine["stream_bits"] if is_given else bits)
        assert (words - 1) * own < bits <= words * own


@pytest.mark.parametrize("configuration", ENGINES, ids=lambda c: c.name)
def test_engine(configuration: Configuration) -> None:
    """What is around the machine, the machine itself, and where each register is."""
    component: Any = build(configuration)
    sidecar, engine = sidecar_of(configuration), sidecar_of(configuration)["engine"]
    unit = configuration.mac
    pairs = {} if unit.pairs is None else {"pairs": unit.pairs}
    group = {} if unit.format is None else {"group": unit.format.group}
    machine = sidecar_of(
        Configuration(
            top=engine["machine"],
            **{"rows": configuration.rows, "cols": configuration.cols, "pe": unit.kind},
            **{"weight_bits": unit.weight_bits, "acc_bits": unit.acc_bits},
            **{"pipeline": unit.pipeline, **pairs, **group},
            **({"encoded_input": True} if unit.encoded_input else {}),
        )
    )
    same = ("rows", "cols", "k_per_cycle", "sparse", "pairs", "group", "weight_bits", "acc_bits")
    assert {name: sidecar[name] for name in same} == {name: machine[name] for name in same}
    assert engine["machine_latency"] == machine["latency"]
    slices = max(1, (machine["group"] or 1) // machine["k_per_cycle"])
    assert engine["slices_per_group"] == (1 if unit.encoded_input else slices)
    assert sidecar["encoded_input"] == machine["encoded_input"] == unit.encoded_input
    assert engine["encoded_output"] == configuration.canonical.get("encoded_output", False)
    assert engine.get("multipoint") == configuration.canonical.get("multipoint")
    given = configuration.canonical
    for name in ("machine", "weight_depth", "lanes", "command_depth"):
        assert engine[name] == given[name], name
    assert engine["stream_bits"] == given.get("stream_bits", 0)
    assert engine["pair_bits"] == engine_shape(sidecar).pair_bits
    assert engine["pair_bits"] or not (unit.encoded_input or engine["encoded_output"])
    _check_stream_words(sidecar)
    if given["result_tiles"]:
        assert engine["result_tiles"] == given["result_tiles"]
    # Each plane has bits of its own, of a window; together they are all.
    none = unit.kind == "2x4x8" or unit.encoded_input
    whole = unit.sparq_format.magnitude_max if unit.sparq_format else 255
    assert sum(engine["planes"]) == (0 if none else whole)
    is_signed = unit.sparq_format is not None and unit.sparq_format.signed
    assert ("ZERO_POINT" in engine["registers"]) is (is_signed and not unit.encoded_input)
    assert engine["registers"] == {r.name: r.offset for r in component.registers.registers}
    assert engine["registers"]["IDENTIFICATION"] == 0
