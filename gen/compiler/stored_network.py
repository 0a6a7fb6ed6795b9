"""Networks in integers as files, for those that run their programs to compare with."""

import io
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any
from zipfile import BadZipFile

import numpy as np

from networks.graph.lowering import Flat, Patch
from networks.graph.movement import Concat, Pad, Rearrange, Slice
from networks.graph.operations import AveragePool, MaxPool
from networks.quantization.network import IntegerNode, QuantizedNetwork
from networks.quantization.operations import (
    Alignment,
    Combine,
    IntegerAveragePool,
    IntegerMatrixLayer,
    LookUp,
    Multiply,
    Quantization,
    Requantization,
)
from support.errors import InputError

CLASSES: dict[str, Any] = {
    each.__name__: each
    for each in (
        *(Alignment, AveragePool, Combine, Concat, Flat, IntegerAveragePool, IntegerMatrixLayer),
        *(IntegerNode, LookUp, MaxPool, Multiply, Pad, Patch, Quantization, QuantizedNetwork),
        *(Rearrange, Requantization, Slice),
    )
}
"""What a network that runs on an accelerator is made of."""
STRUCTURE = "structure"


def store_network(network: QuantizedNetwork) -> bytes:
    """``network`` as an ``.npz`` file: the same bytes everywhere."""
    arrays: dict[str, Any] = {}
    text = json.dumps(_plain(network, arrays))
    arrays[STRUCTURE] = np.frombuffer(text.encode(), np.uint8)
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def load_network(data: bytes, name: str) -> QuantizedNetwork:
    """The network that :func:`store_network` made ``data`` of; ``InputError`` if it is not one."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            result = _made(json.loads(arrays[STRUCTURE].tobytes()), arrays)
    except (ValueError, KeyError, TypeError, OSError, EOFError, BadZipFile):
        result = None
    if not isinstance(result, QuantizedNetwork):
        raise InputError(f"{name} is not a network of sparq compile")
    return result


def _plain(value: Any, arrays: dict[str, Any]) -> Any:
    """``value`` as plain data; arrays go into ``arrays``."""
    if isinstance(value, np.ndarray | np.generic):
        name = f"array{len(arrays)}"
        arrays[name] = np.asarray(value)
        return {"array": name}
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    if is_dataclass(value):
        given = {each.name: getattr(value, each.name) for each in fields(value) if each.init}
    elif hasattr(value, "_asdict"):
        given = value._asdict()
    elif isinstance(value, tuple):
        return {"tuple": [_plain(each, arrays) for each in value]}
    elif isinstance(value, Mapping):
        return {"mapping": [[name, _plain(each, arrays)] for name, each in value.items()]}
    else:
        return value
    plain = {name: _plain(each, arrays) for name, each in given.items()}
    return {"class": type(value).__name__, "fields": plain}


def _made(plain: Any, arrays: Mapping[str, Any]) -> Any:
    """What :func:`_plain` made ``plain`` of."""
    if not isinstance(plain, dict):
        return plain
    if "array" in plain:
        return arrays[plain["array"]]
    if "slice" in plain:
        return slice(*plain["slice"])
    if "tuple" in plain:
        return tuple(_made(each, arrays) for each in plain["tuple"])
    if "mapping" in plain:
        return {name: _made(each, arrays) for name, each in plain["mapping"]}
    given = {name: _made(each, arrays) for name, each in plain["fields"].items()}
    return CLASSES[plain["class"]](**given)
