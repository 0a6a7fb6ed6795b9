"""Configurations: what is refused and with which words, names, hashes, presets and TOML files."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.progress import Progress

from gen.compiler.accelerator import accelerator_shape
from gen.design.configuration import (
    ACCELERATOR_DEFAULTS,
    ACCELERATOR_SIZES,
    ENCODED,
    ENGINE_SIZES,
    GIVEN_SIZES,
    OPTIONS,
    PRESETS,
    TENSOR_CORES,
    Configuration,
    ConfigurationError,
    load_preset,
    load_toml,
)
from gen.simulation.simulate import run_simulation
from gen.simulation.testbench import make_testbench
from golden import NAMED_FORMATS, exact_matmul
from hdl import PROCESSING_ELEMENTS

MACHINES = "array, tensor_core, sparse_tensor_core"
TOPS = f"{MACHINES}, engine, accelerator, pe, encoder"
FORMATS = (
    "5opt, 3opt, 2opt, 6opt, 7opt, or window bits and shifts such as 4:0,1,4; "
    "of signed activations s4opt, s5opt, or such as s4:0,1,3"
)
GROUP = "group must be one of 1, 2, 4, 8, 16, not"
SIDE = "must be an integer from 1 to 256, not"
FLAG = "must be true or false, not"

ACCELERATORS_REFUSED: list[tuple[dict[str, Any], str]] = [
    *(
        (
            {"rows": rows},
            f"rows of an accelerator must be a power of two from 2 to 64, not {rows}",
        )
        for rows in (1, 12, 128)
    ),
    (
        {"cols": 15},
        "cols of an accelerator must be a multiple of 2, the steps of the reduction per "
        "cycle, not 15",
    ),
    (
        {"machine": "sparse_tensor_core"},
        "machine of an accelerator must be one of array, tensor_core, not 'sparse_tensor_core'",
    ),
    (
        {"machine": "tensor_core", "pairs": 3, "cols": 12},
        "pairs of an accelerator must be a power of two, not 3",
    ),
    (
        {"weight_depth": 0},
        "weight_depth of an accelerator must be at least 1, not 0",
    ),
    *(
        (
            {"scratchpad": value},
            f"scratchpad must be a power of two from 1 to 4096, not {value!r}",
        )
        for value in (0, 3, 8192, 64.0, True, "64", None)
    ),
    (
        {"rows": 64, "machine": "tensor_core", "pairs": 16, "cols": 32, "scratchpad": 8},
        "scratchpad must be from 16 to 262144 with lines of 4096 bytes, not 8",
    ),
    (
        {"rows": 2, "cols": 2, "pe": "8x8", "memory_bits": 32, "scratchpad": 512},
        "scratchpad must be from 1 to 256 with lines of 4 bytes, not 512",
    ),
    *(
        (
            {"memory_bits": value},
            "memory_bits must be one of 32, 64, 128, 256 with lines of 64 bytes in the scratchpad, "
            f"not {value!r}",
        )
        for value in (0, 16, 96, 512, 64.0, True, "64", None)
    ),
    (
        {"rows": 2, "cols": 2, "memory_bits": 128},
        "memory_bits must be one of 32, 64 with lines of 8 bytes in the scratchpad, not 128",
    ),
]
SMALL_WORDS: list[tuple[int, dict[str, Any]]] = [
    (2, {"machine": "array"}),
    (4, {"machine": "tensor_core", "pairs": 2}),
    (4, {"machine": "tensor_core", "pairs": 4, "memory_bits": 32}),
]
"""Accelerators by the channels of a word, or of a beat of memory."""
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"top": "core"}, f"top must be one of {TOPS}, not 'core'"),
    ({"top": 1}, f"top must be one of {TOPS}, not 1"),
    *(({side: 0}, f"{side} {SIDE} 0") for side in ("rows", "cols")),
    *(({side: 257}, f"{side} {SIDE} 257") for side in ("rows", "cols")),
    *(({side: -4}, f"{side} {SIDE} -4") for side in ("rows", "cols")),
    *(({side: 1.5}, f"{side} {SIDE} 1.5") for side in ("rows", "cols")),
    *(({side: True}, f"{side} {SIDE} True") for side in ("rows", "cols")),
    *(({side: None}, f"{side} {SIDE} None") for side in ("rows", "cols")),
    ({"pe": "4x4"}, "pe must be one of sparq, 8x8, 2x8x8, 2x4x8, not '4x4'"),
    ({"pe": []}, "pe must be one of sparq, 8x8, 2x8x8, 2x4x8, not []"),
    ({"format": "9opt"}, f"format must be one of {FORMATS}, not '9opt'"),
    ({"format": 5}, f"format must be one of {FORMATS}, not 5"),
    (
        {"format": "s4opt", "top": "engine", "encoded_output": True},
        "encoded_output must be left out with format s4opt, as each column of results has a zero "
        "point of its own",
    ),
    ({"rounding": 1}, f"rounding {FLAG} 1"),
    ({"rounding": "yes"}, f"rounding {FLAG} 'yes'"),
    ({"vsparq": 0}, f"vsparq {FLAG} 0"),
    ({"vsparq": None}, f"vsparq {FLAG} None"),
    *(({"group": group}, f"{GROUP} {group!r}") for group in (3, 0, 32, -2, True, 2.0, "4", None)),
    ({"weight_bits": 1}, "weight_bits must be an integer from 2 to 8, not 1"),
    ({"weight_bits": 9}, "weight_bits must be an integer from 2 to 8, not 9"),
    ({"weight_bits": 8.0}, "weight_bits must be an integer from 2 to 8, not 8.0"),
    ({"acc_bits": 16}, "acc_bits must be an integer from 17 to 64, not 16"),
    ({"acc_bits": 65}, "acc_bits must be an integer from 17 to 64, not 65"),
    (
        {"acc_bits": 12, "weight_bits": 4},
        "acc_bits must be an integer from 13 to 64, not 12",
    ),
    *(
        ({"pipeline": value}, f"pipeline must be an integer from 0 to 2, not {value!r}")
        for value in (3, -1, 1.0, True, "1", None)
    ),
    (
        {"pipeline": 4, "style": "behavioral"},
        "pipeline must be an integer from 0 to 3, not 4",
    ),
    *(
        ({"style": value}, f"style must be one of structural, behavioral, not {value!r}")
        for value in ("fast", 1, None)
    ),
    *(
        (
            {"top": "tensor_core", "pairs": value},
            f"pairs must be an integer from 1 to 16, not {value!r}",
        )
        for value in (0, 17, -1, 4.0, True, "4", None)
    ),
    *(
        (
            {"top": top, "pairs": pairs, "acc_bits": least - 1},
            f"acc_bits must be an integer from {least} to 64, not {least - 1}",
        )
        for top in TENSOR_CORES
        for pairs, least in ((1, 17), (2, 18), (3, 19), (4, 19), (5, 20), (16, 21))
    ),
    (
        {"top": "tensor_core", "pairs": 3, "group": 8, "vsparq": False},
        "6 activations per slice must be a divisor or a multiple of the 8 that share a window",
    ),
    (
        {"top": "sparse_tensor_core", "pairs": 2, "group": 8, "vsparq": False},
        "group must be at most 4, the selected activations of a slice, not 8",
    ),
    (
        {"top": "sparse_tensor_core", "pairs": 1, "pe": "8x8"},
        "2:4 sparse weights come in pairs: a slice must have an even number of them, not 1",
    ),
    (
        {"top": "encoder", "pe": "8x8"},
        "pe must be sparq where top is encoder, not '8x8'",
    ),
    *(
        (options, f"{name} has no effect where {reason}: leave it out")
        for options, name, reason in (
            ({"top": "pe", "rows": 4}, "rows", "top is pe"),
            ({"top": "pe", "cols": 16}, "cols", "top is pe"),
            ({"top": "encoder", "cols": 4}, "cols", "top is encoder"),
            ({"top": "array", "pairs": 3}, "pairs", "top is array"),
            ({"pairs": 4}, "pairs", "top is array"),
            ({"top": "pe", "pairs": 3}, "pairs", "top is pe"),
            ({"top": "encoder", "pairs": 3}, "pairs", "top is encoder"),
            ({"top": "encoder", "weight_bits": 8}, "weight_bits", "top is encoder"),
            ({"top": "encoder", "style": "behavioral"}, "style", "top is encoder"),
            ({"top": "encoder", "acc_bits": 20}, "acc_bits", "top is encoder"),
            ({"top": "encoder", "pipeline": 1}, "pipeline", "top is encoder"),
            ({"pe": "8x8", "format": "3opt"}, "format", "pe is 8x8"),
            ({"pe": "2x8x8", "rounding": True}, "rounding", "pe is 2x8x8"),
            ({"top": "pe", "pe": "2x4x8", "vsparq": False}, "vsparq", "pe is 2x4x8"),
            ({"top": "tensor_core", "pe": "8x8", "group": 1}, "group", "pe is 8x8"),
            ({"top": "pe", "encoded_input": True}, "encoded_input", "top is pe"),
            ({"top": "encoder", "encoded_input": False}, "encoded_input", "top is encoder"),
            ({"pe": "2x8x8", "encoded_input": True}, "encoded_input", "pe is 2x8x8"),
            ({"encoded_output": True}, "encoded_output", "top is array"),
            (
                {"top": "engine", "pe": "8x8", "encoded_output": True},
                *("encoded_output", "pe is 8x8"),
            ),
            ({"multipoint": True}, "multipoint", "top is array"),
            ({"top": "accelerator", "multipoint": False}, "multipoint", "top is accelerator"),
            ({"encoded_memory": True}, "encoded_memory", "top is array"),
            ({"top": "engine", "encoded_memory": False}, "encoded_memory", "top is engine"),
            (
                {"top": "accelerator", "pe": "8x8", "encoded_memory": True},
                *("encoded_memory", "pe is 8x8"),
            ),
            (
                {"top": "accelerator", "pe": "2x8x8", "encoded_memory": True},
                *("encoded_memory", "pe is 2x8x8"),
            ),
        )
    ),
    *(
        ({"top": top, name: value}, f"{name} {FLAG} {value!r}")
        for top, names in (
            ("engine", (*ENCODED[:2], "multipoint")),
            ("accelerator", ENCODED[2:]),
        )
        for name in names
        for value in (1, None, "yes")
    ),
    *(
        (
            {"top": top, **machine, "encoded_input": True},
            f"encoded_input must be left out where {'machine' if machine else 'top'} is "
            "sparse_tensor_core, as activations are selected before they are encoded",
        )
        for top, machine in (
            ("sparse_tensor_core", {}),
            ("engine", {"machine": "sparse_tensor_core"}),
        )
    ),
    *(
        (
            {"top": "engine", "cols": 24, "lanes": lanes, "group": group, "encoded_output": True},
            f"lanes must be a multiple of {least} to encode results, not {lanes}",
        )
        for group, lanes, least in ((1, 1, 2), (1, 3, 2), (2, 3, 2), (4, 2, 4), (16, 8, 16))
    ),
    (
        {"top": "engine", "cols": 5, "encoded_output": True},
        "lanes must be a multiple of 2 to encode results, not 5 (all columns)",
    ),
    *(
        (
            {
                **{"top": "engine", "cols": 6, "lanes": 2, "encoded_output": True},
                "stream_bits": bits,
            },
            "stream_bits must divide the 16 bits of a byte of each lane to encode results, not "
            f"{bits} where lanes is 2",
        )
        for bits in (32, 1024)
    ),
    (
        {"top": "engine", "multipoint": True},
        "acc_bits must be at most 24 where columns combine, as two sums take 8 bits more and must "
        "fit 32, not 32",
    ),
    (
        {"top": "engine", "acc_bits": 24, "lanes": 1, "multipoint": True},
        "lanes must be a multiple of 2 where columns combine, not 1",
    ),
    (
        {"top": "engine", "acc_bits": 24, "cols": 3, "multipoint": True},
        "lanes must be a multiple of 2 where columns combine, not 3 (all columns)",
    ),
    (
        {"top": "engine", "format": "8:0", "encoded_output": True},
        "encoded_output must be left out with format 8:0, of which a pair takes 18 bits, no fewer "
        "than as bytes",
    ),
    *(
        (
            {"top": "accelerator", "encoded_memory": True, **options},
            f"encoded_memory must be left out with format {options['format']}, {why}",
        )
        for options, why in (
            ({"format": "s5opt"}, "whose activations are signed"),
            ({"format": "8:0"}, "of which a pair takes 18 bits, no fewer than as bytes"),
        )
    ),
    *(
        (
            {"top": "accelerator", "encoded_memory": True, "group": 8, **options},
            f"group must be at most {most} to encode what lies in memory, the channels of a word "
            "or of a beat of it, not 8",
        )
        for most, options in SMALL_WORDS
    ),
    ({"format": "4:1,4"}, "format 4:1,4: shifts must contain 0, not (1, 4)"),
    *(
        ({"top": "engine", "machine": value}, f"machine must be one of {MACHINES}, not {value!r}")
        for value in ("engine", "pe", 1, None)
    ),
    *(
        (
            {"top": "engine", name: value},
            f"{name} must be an integer from {low} to {high}, not {value!r}",
        )
        for name, low, high in (
            ("weight_depth", 0, 4096),
            ("result_tiles", 0, 64),
            ("command_depth", 2, 16),
            ("lanes", 0, 16),
        )
        for value in (low - 1, high + 1, 4.0, True, "4", None)
    ),
    *(
        (
            {"top": "engine", "stream_bits": value},
            f"stream_bits must be 0 or a power of two from 8 to 1024, not {value!r}",
        )
        for value in (-8, 1, 4, 24, 2048, 64.0, True, False, "64", None)
    ),
    ({"top": "engine", "result_tiles": 1}, "result_tiles must be 0 or from 2 to 64, not 1"),
    ({"top": "engine", "lanes": 3}, "lanes must be a divisor of the 16 columns, not 3"),
    ({"top": "engine", "acc_bits": 33}, "acc_bits of an engine must be at most 32, not 33"),
    ({"top": "engine", "acc_bits": 16}, "acc_bits must be an integer from 17 to 64, not 16"),
    ({"top": "engine", "rows": 0}, f"rows {SIDE} 0"),
    *(
        ({"top": top, name: value}, f"{name} has no effect where top is {top}: leave it out")
        for top, name, value in (
            ("array", "machine", "array"),
            ("tensor_core", "weight_depth", 256),
            ("sparse_tensor_core", "lanes", 0),
            ("pe", "result_tiles", 2),
            ("encoder", "command_depth", 4),
            ("array", "stream_bits", 0),
            ("array", "scratchpad", 256),
            ("engine", "scratchpad", 64),
            ("engine", "memory_bits", 128),
            ("pe", "memory_bits", 32),
            ("accelerator", "stream_bits", 0),
            ("accelerator", "encoded_input", False),
            ("accelerator", "encoded_output", True),
        )
    ),
    *(({"top": "accelerator", **options}, message) for options, message in ACCELERATORS_REFUSED),
    *(
        (
            {"top": "accelerator", "lanes": lanes},
            "lanes of an accelerator must be 0, for a vector unit without multipliers, or left "
            f"out, not {lanes!r}",
        )
        for lanes in (16, False, "0", None)
    ),
    (
        {"top": "engine", "pairs": 4},
        "pairs has no effect where machine is array: leave it out",
    ),
    (
        {"top": "engine", "pe": "8x8", "format": "3opt"},
        "format has no effect where pe is 8x8: leave it out",
    ),
    (
        {"row": 4},
        "unknown key 'row'; allowed are acc_bits, cols, command_depth, encoded_input, "
        "encoded_memory, encoded_output, format, group, lanes, machine, memory_bits, multipoint, "
        "pairs, pe, pipeline, result_tiles, rounding, rows, scratchpad, stream_bits, style, top, "
        "vsparq, weight_bits, weight_depth",
    ),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_refused_value(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        Configuration(**options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rows": 1, "cols": 1},
        {"rows": 256, "cols": 256},
        {"weight_bits": 2, "acc_bits": 11},
        {"weight_bits": 8, "acc_bits": 17},
        {"acc_bits": 64},
        {"group": 1},
        {"group": 16},
        {"pipeline": 0},
        {"pipeline": 2},
        {"pipeline": 3, "style": "behavioral"},
        {"top": "tensor_core", "pairs": 16},
        {"format": "4:0,1,3,4"},
        *({"top": top, "pairs": 1, "acc_bits": 17} for top in TENSOR_CORES),
        {"top": "tensor_core", "pairs": 16, "acc_bits": 21},
        {"top": "tensor_core", "pairs": 4, "weight_bits": 2, "acc_bits": 13},
        {"top": "sparse_tensor_core", "pairs": 1, "pe": "2x8x8"},
        {"style": "behavioral"},
        {"top": "engine", "machine": "tensor_core", "pairs": 16, "lanes": 8},
        {"encoded_input": True},
        {"top": "tensor_core", "group": 16, "encoded_input": True},
        {"top": "engine", "lanes": 2, "encoded_input": True, "encoded_output": True},
        {"top": "engine", "machine": "sparse_tensor_core", "encoded_output": True},
        {"top": "engine", "group": 16, "encoded_output": True},
        {"top": "accelerator", "group": 2, "encoded_memory": True},
        {"top": "accelerator", "machine": "tensor_core", "group": 8, "encoded_memory": True},
        *(
            {"top": "engine", name: value}
            for name, values in {
                "weight_depth": (0, 1, 4096),
                "lanes": (1, 16),
                "result_tiles": (0, 2, 64),
                "command_depth": (2, 16),
                "stream_bits": (8, 32, 1024),
                "acc_bits": (17, 32),
                "rows": (1, 256),
            }.items()
            for value in values
        ),
    ],
)
def test_limits_are_allowed(options: dict[str, Any]) -> None:
    canonical = Configuration(**options).canonical
    assert {name: canonical[name] for name in options} == options
    assert "style" in canonical or options.get("style", "structural") == "structural"
    assert ("stream_bits" in canonical) == ("stream_bits" in options)


def test_presets() -> None:
    sizes = {name: Configuration(**load_preset(name)) for name in PRESETS}
    got = {name: (configuration.rows, configuration.cols) for name, configuration in sizes.items()}
    squares = {f"{side}x{side}": (side, side) for side in (8, 16, 32, 64, 128, 256)}
    assert got == {"tiny": (2, 3), **squares, **dict.fromkeys(TENSOR_CORES, (4, 4))}
    tops = {name: configuration.top for name, configuration in sizes.items()}
    assert tops == {name: name if name in TENSOR_CORES else "array" for name in PRESETS}
    assert all(sizes[name].mac.pairs == 4 for name in TENSOR_CORES)
    with pytest.raises(ConfigurationError) as error:
        load_preset("huge")
    assert str(error.value) == f"preset must be one of {', '.join(PRESETS)}, not 'huge'"


def test_toml(tmp_path: Path) -> None:
    path = tmp_path / "array.toml"
    path.write_text('rows = 4\npe = "8x8"\nrounding = false\n')
    assert load_toml(path) == {"rows": 4, "pe": "8x8", "rounding": False}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"cannot read {path}: No such file or directory"),
        (b"rows 4", r"{path} is not a TOML file: "),
        (b"rows = 4\nrows = 5", r"{path} is not a TOML file: "),
        (b"\xff\xfe", r"{path}: a TOML file must be a text file in UTF-8"),
        (b"lines = 4", "unknown key 'lines'; allowed are acc_bits, cols"),
        (b"[rows]\nrows = 4", "rows must be an integer from 1 to 256, not {{'rows': 4}}"),
        (b'rows = "many"', "rows must be an integer from 1 to 256, not 'many'"),
        (b"rounding = 1", "rounding must be true or false, not 1"),
        (b"group = 2.0", f"{GROUP} 2.0"),
        (b"format = 5", f"format must be one of {FORMATS}, not 5"),
    ],
)
def test_refused_toml(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "array.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as error:
        Configuration(**load_toml(path))
    assert str(error.value).startswith(message.format(path=path))


WIDTHS: list[dict[str, Any]] = [
    {"weight_bits": weight_bits, "acc_bits": acc_bits, "pipeline": pipeline}
    for weight_bits, acc_bits, pipeline in (
        *((8, 32, 0), (4, 32, 0), (8, 24, 0), (8, 32, 1), (8, 32, 2)),
    )
]
WIDTHS += [{**widths, "style": "behavioral"} for widths in WIDTHS[:2]]
FORMAT_OPTIONS: list[dict[str, Any]] = [
    {"pe": "sparq", "format": fmt, "rounding": rounding, "vsparq": vsparq, "group": group}
    for fmt, rounding, vsparq, group in itertools.product(
        (*NAMED_FORMATS, "4:0,1,3,4", "5:0,3"), (True, False), (True, False), (1, 4, 16)
    )
]
EXACT_OPTIONS: list[dict[str, Any]] = [{"pe": pe} for pe in PROCESSING_ELEMENTS if pe != "sparq"]
ENGINE_OPTIONS: list[dict[str, Any]] = [
    dict(zip(ENGINE_SIZES, sizes, strict=True))
    for sizes in itertools.product((0, 256, 300), (1, 2, 4), (0, 2, 5), (2, 4), (0, 32))
]
ACCELERATOR_OPTIONS: list[dict[str, Any]] = [
    dict(zip(("weight_depth", *ACCELERATOR_SIZES), sizes, strict=True))
    for sizes in itertools.product((256, 2048), (64, 256), (32, 128))
]
SWEEP: list[dict[str, Any]] = [
    {"top": top, **size, **element, **widths}
    for top, sizes, all_widths in (
        (
            "array",
            [{"rows": rows, "cols": cols} for rows, cols in ((1, 11), (11, 1), (16, 16))],
            WIDTHS,
        ),
        ("pe", [{}], WIDTHS),
        ("encoder", [{}], [{}]),
    )
    for size in sizes
    for widths in all_widths
    for element in (*FORMAT_OPTIONS, *([] if top == "encoder" else EXACT_OPTIONS))
] + [
    {"top": "engine", "machine": machine, "rows": 4, "cols": 4, **sizes}
    for machine in ("array", *TENSOR_CORES)
    for sizes in ENGINE_OPTIONS
]
SWEEP += [
    {"top": "accelerator", "machine": machine, "rows": 4, "cols": 8, **sizes}
    for machine in ("array", "tensor_core")
    for sizes in ACCELERATOR_OPTIONS
]


def test_names_and_hashes_tell_hardware_apart() -> None:
    """Name, hash and canonical fields are equal together or different together."""
    configurations = [Configuration(**options) for options in SWEEP]
    keys = {
        (c.name, c.hash, tuple(sorted(c.canonical.items(), key=lambda item: item[0])))
        for c in configurations
    }
    assert len(keys) == len({key[0] for key in keys})
    assert len(keys) == len({key[1] for key in keys})
    assert len(keys) == len({key[2] for key in keys})
    machines_and_parts = 3 * 7 * (7 * 12 + 3) + 7 * (7 * 12 + 3) + 7 * 12
    assert len(keys) == len(SWEEP) == machines_and_parts + 3 * 108 + 2 * 8


@pytest.mark.parametrize(
    ("options", "absent"),
    [
        ({"top": "pe"}, ["rows", "cols", "pairs"]),
        ({}, ["pairs"]),
        ({"top": "tensor_core", "pe": "8x8"}, ["format", "rounding", "vsparq", "group"]),
        ({"top": "engine"}, ["pairs"]),
        ({"top": "engine", "machine": "tensor_core"}, []),
        ({"top": "accelerator"}, ["pairs"]),
        (
            {"top": "encoder"},
            ["rows", "cols", "pairs", "weight_bits", "acc_bits", "pipeline"],
        ),
    ],
)
def test_what_does_not_matter(options: dict[str, Any], absent: list[str]) -> None:
    """What has no effect is absent, as structural style and streams of any width are, and the rest
    makes the same.
    """
    configuration = Configuration(**options)
    canonical = configuration.canonical
    names = set(OPTIONS) - {"style", "stream_bits", "multipoint", *ENCODED}
    names -= {
        "engine": {*ACCELERATOR_SIZES},
        "accelerator": {*GIVEN_SIZES, "lanes"},
    }.get(configuration.top, {"machine", *ENGINE_SIZES, *ACCELERATOR_SIZES})
    assert set(canonical) == names
    assert len(canonical) == len(names)
    assert [name for name, value in canonical.items() if value is None] == absent
    given = {name: value for name, value in canonical.items() if value is not None}
    assert Configuration(**given) == configuration


def test_bytes_are_the_default() -> None:
    bytes_ = Configuration(top="engine", encoded_input=False, encoded_output=False)
    default = Configuration(top="engine")
    assert default == bytes_
    assert (default.hash, default.name) == (bytes_.hash, bytes_.name)


def test_one_format_by_two_names() -> None:
    assert Configuration(format="4:4,3,2,1,0") == Configuration()
    assert Configuration(format="4:4,3,2,1,0").hash == Configuration().hash


@pytest.mark.parametrize(
    "change",
    [
        {"rows": 8},
        {"cols": 8},
        {"pe": "8x8"},
        {"format": "3opt"},
        {"rounding": False},
        {"vsparq": False},
        {"group": 2},
        {"weight_bits": 7},
        {"acc_bits": 31},
        {"pipeline": 1},
        {"pipeline": 2},
        {"format": "4:0,1,3,4"},
        {"encoded_input": True},
        {"top": "pe"},
        {"top": "encoder"},
        {"top": "tensor_core"},
        {"top": "sparse_tensor_core"},
    ],
)
def test_what_matters(change: dict[str, Any]) -> None:
    assert Configuration(**change).hash != Configuration().hash
    assert Configuration(**change).name != Configuration().name


@pytest.mark.parametrize("top", TENSOR_CORES)
@pytest.mark.parametrize(
    "change",
    [
        {"rows": 8},
        {"cols": 8},
        {"pairs": 2},
        {"pe": "8x8"},
        {"format": "3opt"},
        {"group": 2},
        {"acc_bits": 31},
        {"pipeline": 1},
        {"top": "array"},
    ],
)
def test_what_matters_to_a_tensor_core(top: str, change: dict[str, Any]) -> None:
    core, changed = Configuration(top=top), Configuration(**{"top": top} | change)
    assert core.hash != changed.hash
    assert core.name != changed.name


@pytest.mark.parametrize(
    "change",
    [
        {"machine": "tensor_core"},
        {"machine": "sparse_tensor_core"},
        {"rows": 8},
        {"cols": 8},
        {"pe": "8x8"},
        {"format": "3opt"},
        {"weight_depth": 0},
        {"weight_depth": 255},
        {"lanes": 8},
        {"result_tiles": 2},
        {"command_depth": 5},
        {"stream_bits": 8},
        {"stream_bits": 256},
        {"encoded_input": True},
        {"encoded_output": True},
        {"acc_bits": 24},
        {"acc_bits": 24, "multipoint": True},
        {"pipeline": 1},
        {"top": "array"},
    ],
)
def test_what_matters_to_an_engine(change: dict[str, Any]) -> None:
    engine, changed = Configuration(top="engine"), Configuration(**{"top": "engine"} | change)
    assert engine.hash != changed.hash
    assert engine.name != changed.name


@pytest.mark.parametrize(
    "change",
    [
        {"machine": "tensor_core"},
        {"rows": 8},
        {"cols": 8},
        {"pe": "8x8"},
        {"format": "s5opt"},
        {"weight_depth": 256},
        {"result_tiles": 2},
        {"command_depth": 5},
        {"scratchpad": 64},
        {"memory_bits": 64},
        {"lanes": 0},
        {"pipeline": 1},
        {"style": "behavioral"},
        {"top": "engine"},
    ],
)
def test_what_matters_to_an_accelerator(change: dict[str, Any]) -> None:
    default = Configuration(top="accelerator")
    changed = Configuration(**{"top": "accelerator"} | change)
    assert default.hash != changed.hash
    assert default.name != changed.name


def test_defaults_of_an_accelerator() -> None:
    """A buffer of weights as large as layers of networks need, unless it is given."""
    default = Configuration(top="accelerator")
    sizes = {"weight_depth": 2048, "scratchpad": 256, "memory_bits": 128}
    assert ACCELERATOR_DEFAULTS == {"weight_depth": 2048}
    assert default == Configuration(top="accelerator", **sizes)
    assert {name: default.canonical[name] for name in sizes} == sizes
    assert default.accelerator is not None
    assert default.engine is None
    assert default.accelerator.engine.lanes == default.cols


@pytest.mark.parametrize(
    ("sizes", "bits"),
    [
        ({"rows": 2, "cols": 1, "pe": "8x8"}, 32),
        ({"rows": 2, "cols": 2}, 64),
        ({"rows": 4, "cols": 4}, 128),
        ({"rows": 8, "cols": 8}, 128),
    ],
)
def test_the_memory_port_fits_a_line_by_default(sizes: dict[str, Any], bits: int) -> None:
    default = Configuration(top="accelerator", **sizes)
    assert default.accelerator is not None
    assert default.accelerator.data_bits == bits
    assert default == Configuration(top="accelerator", memory_bits=bits, **sizes)


@pytest.mark.parametrize("top", [top for top in TOPS.split(", ") if top != "accelerator"])
def test_what_programs_are_not_for(top: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        accelerator_shape(Configuration(top=top))
    assert str(error.value) == f"top must be accelerator to compile a network, not {top!r}"


def test_what_an_accelerator_is_not_for() -> None:
    """Benches of tiles."""
    configuration = Configuration(top="accelerator")
    with pytest.raises(ConfigurationError) as error:
        make_testbench(configuration, {}, 1)
    assert str(error.value) == (
        "testbench has no effect where top is accelerator: leave it out; sparq run takes networks "
        "through one"
    )
    with pytest.raises(ConfigurationError) as error:
        run_simulation(configuration, 1, 1, Progress(disable=True))
    assert str(error.value) == (
        "top must be one of array, tensor_core, sparse_tensor_core, engine to simulate, not "
        "'accelerator', through which sparq run takes networks"
    )


def test_all_lanes_are_the_default() -> None:
    default, all_lanes = Configuration(top="engine"), Configuration(top="engine", lanes=16)
    assert default == all_lanes
    assert (default.hash, default.name) == (all_lanes.hash, all_lanes.name)


KEPT: list[tuple[dict[str, Any], str, str]] = [
    ({}, "array_16x16_sparq_5opt_w8_acc32", "2d17facf1e40dea6"),
    ({"rows": 8, "cols": 8, "pe": "8x8"}, "array_8x8_mac_8x8_w8_acc32", "39ae37f113f4f46f"),
    (
        {
            **{"rows": 4, "cols": 3, "format": "3opt", "rounding": False, "group": 4},
            **{"weight_bits": 5, "acc_bits": 24, "pipeline": 1},
        },
        "array_4x3_sparq_3opt_trim_group4_w5_acc24_p1",
        "6565981964d88e47",
    ),
    (
        {"top": "tensor_core", "rows": 4, "cols": 4},
        "tensor_core_4x4_4pairs_sparq_5opt_w8_acc32",
        "72aa873cbbb99f3b",
    ),
    (
        {"top": "sparse_tensor_core", "rows": 2, "cols": 2, "pairs": 2, "pe": "2x8x8"},
        "sparse_tensor_core_2x2_2pairs_mac_2x8x8_w8_acc32",
        "97c634452c2304fc",
    ),
    ({"top": "pe", "pe": "2x4x8"}, "pe_mac_2x4x8_w8_acc32", "f848cbe0fef1b081"),
    (
        {"top": "pe", "format": "4:0,1,4", "vsparq": False},
        "pe_sparq_4b_0_1_4_novsparq_w8_acc32",
        "7def97b1c3dd544f",
    ),
    ({"top": "encoder", "format": "2opt"}, "encoder_sparq_2opt", "b9b02c72619df39a"),
    ({"top": "engine"}, "engine_array_16x16_sparq_5opt_w8_acc32", "fc311f23c8aaf41c"),
    (
        {"top": "engine", "rows": 3, "cols": 2, "weight_depth": 0, "lanes": 1},
        "engine_array_3x2_sparq_5opt_w8_acc32_weight_depth0_lanes1",
        "870044e0390357ad",
    ),
]


@pytest.mark.parametrize(("options", "name", "digits"), KEPT)
def test_names_and_hashes_stay(options: dict[str, Any], name: str, digits: str) -> None:
    """Software knows hardware by its hash: what was emitted before there were other options keeps
    it.
    """
    configuration = Configuration(**options)
    assert (configuration.name, configuration.hash) == (name, digits)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"top": "engine"}, "engine_array_16x16_sparq_5opt_w8_acc32"),
        (
            {"top": "engine", "machine": "tensor_core", "rows": 2, "lanes": 4, "weight_depth": 0},
            "engine_tensor_core_2x16_4pairs_sparq_5opt_w8_acc32_weight_depth0_lanes4",
        ),
        (
            {"top": "engine", "pe": "8x8", "result_tiles": 3, "command_depth": 2, "pipeline": 1},
            "engine_array_16x16_mac_8x8_w8_acc32_p1_result_tiles3_command_depth2",
        ),
        (
            {"top": "engine", "rows": 8, "cols": 8, "command_depth": 2, "stream_bits": 128},
            "engine_array_8x8_sparq_5opt_w8_acc32_command_depth2_stream_bits128",
        ),
        (
            {"top": "engine", "encoded_input": True, "encoded_output": True},
            "engine_array_16x16_sparq_5opt_encoded_input_encoded_output_w8_acc32",
        ),
        (
            {"top": "engine", "weight_bits": 4, "acc_bits": 24, "multipoint": True},
            "engine_array_16x16_sparq_5opt_multipoint_w4_acc24",
        ),
        ({"top": "accelerator"}, "accelerator_array_16x16_sparq_5opt_w8_acc32"),
        (
            {"top": "accelerator", "encoded_memory": True},
            "accelerator_array_16x16_sparq_5opt_encoded_memory_w8_acc32",
        ),
        (
            {
                **{"top": "accelerator", "rows": 8, "cols": 8, "pe": "8x8", "weight_depth": 256},
                **{"command_depth": 2, "scratchpad": 64, "memory_bits": 32},
            },
            "accelerator_array_8x8_mac_8x8_w8_acc32_weight_depth256_command_depth2_scratchpad64"
            "_memory_bits32",
        ),
        ({"rows": 2}, "array_2x16_sparq_5opt_w8_acc32"),
        ({"encoded_input": True}, "array_16x16_sparq_5opt_encoded_input_w8_acc32"),
        ({"group": 4}, "array_16x16_sparq_5opt_group4_w8_acc32"),
        ({"top": "pe", "vsparq": False, "group": 2}, "pe_sparq_5opt_novsparq_group2_w8_acc32"),
        ({"top": "encoder", "rounding": False, "group": 16}, "encoder_sparq_5opt_trim_group16"),
        ({"top": "pe", "pe": "2x8x8"}, "pe_mac_2x8x8_w8_acc32"),
        ({"rows": 2, "format": "4:4,0,1"}, "array_2x16_sparq_4b_0_1_4_w8_acc32"),
        ({"pe": "8x8", "pipeline": 1}, "array_16x16_mac_8x8_w8_acc32_p1"),
        ({"top": "pe", "pipeline": 2}, "pe_sparq_5opt_w8_acc32_p2"),
        ({"top": "encoder"}, "encoder_sparq_5opt"),
        (PRESETS["tensor_core"], "tensor_core_4x4_4pairs_sparq_5opt_w8_acc32"),
        (
            {"top": "sparse_tensor_core", "rows": 2, "pairs": 2, "pe": "2x8x8", "pipeline": 1},
            "sparse_tensor_core_2x16_2pairs_mac_2x8x8_w8_acc32_p1",
        ),
    ],
)
def test_name(options: dict[str, Any], name: str) -> None:
    configuration = Configuration(**options)
    assert configuration.name == name
    assert configuration.canonical["group"] == (
        options.get("group", 1) if configuration.format else None
    )


@pytest.mark.parametrize(("weight_bits", "acc_bits"), [(8, 32), (8, 17), (2, 11), (4, 20), (8, 64)])
def test_max_reduction(weight_bits: int, acc_bits: int) -> None:
    """One step more than the longest reduction could leave the accumulator."""
    longest = Configuration(weight_bits=weight_bits, acc_bits=acc_bits).max_reduction
    largest = 255 << (weight_bits - 1)
    limit = 1 << (acc_bits - 1)
    assert longest * largest < limit <= (longest + 1) * largest


@pytest.mark.parametrize(("name", "largest"), [("5opt", 255), ("s5opt", 255), ("s4opt", 127)])
def test_max_reduction_of_a_format(name: str, largest: int) -> None:
    longest = Configuration(format=name, acc_bits=24).max_reduction
    assert longest * largest * 128 < 2**23 <= (longest + 1) * largest * 128


def test_max_reduction_is_reached() -> None:
    longest = Configuration(acc_bits=24).max_reduction
    x = np.full((1, longest), 255, np.uint8)
    w = np.full((longest, 1), -128, np.int8)
    assert -(1 << 23) <= int(exact_matmul(x, w)[0, 0]) < -(1 << 23) + 255 * 128
