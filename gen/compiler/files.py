"""A compiled network as a folder of files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from gen.compiler.compile import CompiledNetwork
from gen.compiler.image import MemoryImage
from gen.compiler.stored_network import load_network, store_network
from golden.descriptor import DESCRIPTOR_BYTES
from networks.quantization.network import QuantizedNetwork
from support.errors import InputError
from support.files import OutputError, require_replaceable, write_folder

MAP, MEMORY, HEADER = "map.json", "memory.bin", "sparq_network.h"
NETWORK, MODEL, DIGESTS = "network.npz", "model.onnx", "SHA256SUMS"
CONTENT = (MAP, MEMORY, HEADER, NETWORK, MODEL)
FILES = (*CONTENT, DIGESTS)


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
    values = {**about, "hash": configuration_hash, **memory_map_of(compiled)}
    content = {
        MAP: (json.dumps(values, indent=2) + "\n").encode(),
        MEMORY: compiled.image.constants.tobytes(),
        HEADER: header(compiled.image, configuration_hash).encode(),
        NETWORK: store_network(network),
        MODEL: model,
    }

    def write(path: Path) -> None:
        for name, data in content.items():
            (path / name).write_bytes(data)
        (path / DIGESTS).write_text(digests(content), encoding="utf-8")

    return write_folder(folder, write)


def digests(content: Mapping[str, bytes]) -> str:
    """Of each file's name and bytes a line, as ``sha256sum`` writes and checks it."""
    return "".join(f"{sha256(data).hexdigest()}  {name}\n" for name, data in content.items())


def require_own(folder: Path) -> None:
    """Raise ``OutputError`` unless ``folder`` can be made, or be replaced since all that it holds
    are files of a compiled network.
    """
    require_replaceable(folder)
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
    """The files in ``folder``; ``InputError`` if they are not those of one compiled network."""
    try:
        content = {name: (folder / name).read_bytes() for name in CONTENT}
        said = (folder / DIGESTS).read_bytes().decode(errors="replace").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from None
    for name, line in zip(content, digests(content).splitlines(), strict=True):
        if line not in said:
            raise InputError(
                f"{folder / name} does not belong to the other files, by the digests in {DIGESTS}: "
                "compile the network again"
            )
    try:
        values = json.loads(content[MAP])
        image = MemoryImage.of_map(values, np.frombuffer(content[MEMORY], np.uint8))
        configuration, data = dict(values["configuration"]), dict(values["data"])
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"{folder / MAP} is not a map of this version of sparq compile: compile the network "
            "again"
        ) from None
    network = load_network(content[NETWORK], str(folder / NETWORK))
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
