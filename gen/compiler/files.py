"""A compiled network as a folder of files."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gen.compiler.compile import CompiledNetwork
from gen.compiler.image import MemoryImage
from gen.compiler.stored_network import load_network, store_network
from golden.descriptor import DESCRIPTOR_BYTES
from networks.quantization.network import QuantizedNetwork
from support.errors import InputError
from support.files import OutputError, write_folder

PROGRAM, MEMORY, MAP, HEADER = "program.bin", "memory.bin", "map.json", "sparq_network.h"
NETWORK, MODEL = "network.npz", "model.onnx"
FILES = (PROGRAM, MEMORY, MAP, HEADER, NETWORK, MODEL)


@dataclass(frozen=True)
class CompiledFolder:
    """What a folder of :func:`write_compiled` holds, as far as a run needs it.

    ``configuration`` is that of the accelerator, as its options; ``data`` is what was said of the
    images.
    """

    image: MemoryImage
    network: QuantizedNetwork
    model: Path
    configuration: dict[str, Any]
    data: dict[str, Any]


def write_compiled(
    folder: Path,
    compiled: CompiledNetwork,
    network: QuantizedNetwork,
    model: bytes,
    configuration_hash: str,
    about: dict[str, Any],
) -> Path:
    """Write all files of ``compiled`` into ``folder``, which holds nothing else then.

    ``network`` is what it was compiled of, ``model`` the ONNX file of that; ``configuration_hash``
    says for which accelerator; ``about`` goes into the map. Raises ``OutputError``, as
    :func:`require_own`, and then nothing has changed.
    """
    require_own(folder)

    def write(path: Path) -> None:
        (path / PROGRAM).write_bytes(compiled.program_bytes.tobytes())
        (path / MEMORY).write_bytes(compiled.image.constants.tobytes())
        text = json.dumps(
            {**about, "hash": configuration_hash, **memory_map_of(compiled)}, indent=2
        )
        (path / MAP).write_text(text + "\n", encoding="utf-8")
        (path / HEADER).write_text(header(compiled.image, configuration_hash), encoding="utf-8")
        (path / NETWORK).write_bytes(store_network(network))
        (path / MODEL).write_bytes(model)

    return write_folder(folder, write)


def require_own(folder: Path) -> None:
    """Raise ``OutputError`` unless all that ``folder`` holds are files of a compiled network."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"cannot write {folder}: it is a file")
    other = sorted({path.name for path in folder.glob("*")} - {*FILES})
    if other:
        raise OutputError(
            f"cannot write {folder}: it holds {other[0]}, which is no file of a compiled network"
        )


def memory_map_of(compiled: CompiledNetwork) -> dict[str, Any]:
    """The map: what lies where in memory, and what of the network each step is."""
    steps = [
        {
            "layer": step.name,
            "operation": step.opcode.name,
            "stripes": len(striping.stripes),
            "stream_bytes": len(step.stream),
        }
        for step, striping in zip(compiled.steps, compiled.allocation.striping, strict=True)
    ]
    return {
        "program": {
            "descriptors": len(compiled.program),
            "bytes": len(compiled.program) * DESCRIPTOR_BYTES,
        },
        **compiled.image.as_map(),
        "tensors": {name: asdict(place) for name, place in compiled.tensors.items()},
        "steps": steps,
    }


def read_compiled(folder: Path) -> CompiledFolder:
    """The files in ``folder``; ``InputError`` if they are not those of a compiled network."""
    try:
        values = json.loads((folder / MAP).read_text(encoding="utf-8"))
        constants = np.frombuffer((folder / MEMORY).read_bytes(), np.uint8)
        stored = (folder / NETWORK).read_bytes()
        image = MemoryImage.of_map(values, constants)
        configuration, data = dict(values["configuration"]), dict(values["data"])
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / MAP} is not a map of sparq compile: {error!r}") from None
    if image.size < len(constants):
        raise InputError(f"{folder / MEMORY} must be at most the {image.size} bytes of {MAP}")
    network = load_network(stored, str(folder / NETWORK))
    return CompiledFolder(image, network, folder / MODEL, configuration, data)


def _array(kind: str, name: str, values: Sequence[int]) -> str:
    rows = [values[top : top + 12] for top in range(0, len(values), 12)]
    text = "".join(f"    {', '.join(map(str, row))},\n" for row in rows)
    return f"static const {kind} {name}[{len(values)}] = {{\n{text}}};"


def header(image: MemoryImage, configuration_hash: str) -> str:
    """A C header with what a program needs to know; the hash is that of the accelerator."""
    numbers = {
        "MEMORY_BYTES": (image.size, "Memory that the program takes, from a line's start on"),
        "CONSTANT_BYTES": (len(image.constants), f"What it starts with: {MEMORY}"),
        "PROGRAM_OFFSET": (0, "Of the first descriptor, from the start of memory"),
        "READ_OFFSET": (image.reads.start, "Of the window that is read"),
        "READ_BYTES": (image.reads.size, "Its size"),
        "WRITE_OFFSET": (image.writes.start, "Of the window that is written"),
        "WRITE_BYTES": (image.writes.size, "Its size"),
        "LINE_BYTES": (image.shape.line_bytes, "Of a line: a word of each bank"),
        "BANKS": (image.shape.banks, "Pixels of a line"),
        "WORD_CHANNELS": (image.shape.k_per_cycle, "Channels of a word"),
    }
    for name, place in (("INPUT", image.input), ("OUTPUT", image.output)):
        numbers |= {
            f"{name}_OFFSET": (place.address, f"Of the {name.lower()}, from the start of memory"),
            f"{name}_BYTES": (place.size(image.shape), "Its lines"),
            f"{name}_HEIGHT": (place.height, "Rows"),
            f"{name}_WIDTH": (place.width, "Columns"),
            f"{name}_CHANNELS": (place.channels, "Channels"),
            f"{name}_PITCH": (place.pitch, "Lines from a block of pixels to the next"),
            f"{name}_WORD": (place.word, "The first line of a block that is its own"),
        }
    numbers |= {
        "INPUT_ZERO_POINT": (image.input_zero_point, "The byte that stands for 0"),
        "OUTPUT_SUMS": (int(image.output.sums), "1: channels are int32; 0: they are bytes"),
    }
    width = max(map(len, numbers))
    lines = [
        f"#define SPARQ_NETWORK_{name:<{width}} {value}u /* {text} */"
        for name, (value, text) in numbers.items()
    ]
    scales = image.scales
    parts = "\n".join(
        (
            _array("uint16_t", "sparq_network_multiplier", scales.multiplier),
            _array("uint8_t", "sparq_network_shift", scales.shift),
        )
    )
    return f"""/*
 * A network as a program of the SPARQ accelerator: where it lies in memory. Made by sparq compile.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef SPARQ_NETWORK_H
#define SPARQ_NETWORK_H

#include <stdint.h>

/* Of the configuration of the accelerator, for sparq_accelerator_check. */
#define SPARQ_NETWORK_HASH UINT64_C(0x{configuration_hash})
{chr(10).join(lines)}

/* What a byte of the input is, in units of what the network takes. */
#define SPARQ_NETWORK_INPUT_STEP {image.input_step!r}
/* What a unit of the logits is. */
#define SPARQ_NETWORK_OUTPUT_STEP {scales.step!r}

/* Logits are the output's channels times multiplier over 2**shift, rounded half to even. */
{parts}
#endif
"""
