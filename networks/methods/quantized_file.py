"""``quantized.json``: the clips of a network, and all that decides them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from networks.evaluation.errors import DataError
from networks.evaluation.model import Model
from networks.evaluation.preparation import SHARED, Options, quantized
from networks.evaluation.preprocessing import Preprocessing
from networks.methods.coordinates import all_weights
from networks.quantization.clips import Clips
from networks.quantization.quantize import levels_of
from networks.quantization.reordering import in_stored_order

SCHEMA = 1
KEYS = (
    *("schema", "model", "digest", "output_name", "input_shape", "preprocessing", "options"),
    *("method", "format", "decided", "loss", "ranges", "weights"),
)
SHIFTS, ORDERS, BIASES = "shifts", "channel_orders", "biases"
OPTIONAL = (SHIFTS, ORDERS, BIASES)
"""Keys of files with second points, with channels in another order, with corrected biases."""
KINDS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("model", "digest", "method"), (str,)),
    **dict.fromkeys(("output_name", "format"), (str, type(None))),
    **dict.fromkeys(("preprocessing", "options", "decided"), (dict,)),
    **dict.fromkeys(("ranges", "weights", *OPTIONAL), (dict,)),
    "input_shape": (list, type(None)),
    "loss": (int, float),
}
"""What each key must be."""
JSON_KINDS: Mapping[type, str] = {
    **{dict: "an object", list: "a list", str: "a string", type(None): "null"},
    **{int: "a number", float: "a number", bool: "true or false"},
}
LARGEST = float(np.finfo(np.float32).max)
"""The largest clip."""
OPTIONS = ("weight_bits", "first_layer_windowed", "last_layer_windowed", "attention_windowed")
"""What of :class:`Options` decides the network that clips are found for."""


@dataclass(frozen=True, eq=False)
class QuantizedFile:
    """What one file says.

    ``model`` is the name of an ONNX file and ``digest`` its SHA-256; ``output_name`` and
    ``input_shape`` are what was asked for, ``preprocessing`` the fields of its class. ``options``
    are those of :data:`OPTIONS`. ``format`` is the label of the format that the search was for;
    None where the clips do not depend on it. ``decided`` is what else led to the clips, for people.
    """

    model: str
    digest: str
    output_name: str | None
    input_shape: tuple[int, ...] | None
    preprocessing: Mapping[str, Any]
    options: Mapping[str, Any]
    method: str
    format: str | None
    decided: Mapping[str, Any]
    loss: float
    clips: Clips

    @property
    def preprocessing_made(self) -> Preprocessing:
        """The preprocessing; raises ``TypeError`` or ``ValueError`` for fields that are none."""
        lists: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.preprocessing.items()
        }
        return Preprocessing(**lists)

    @property
    def text(self) -> str:
        """The file: floats as the shortest text that reads back to the same bits."""
        own = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "clips"}
        own["input_shape"] = None if self.input_shape is None else list(self.input_shape)
        ranges = {name: list(each) for name, each in self.clips.ranges.items()}
        weights = {name: each.tolist() for name, each in self.clips.weights.items()}
        whole = {"schema": SCHEMA, **own, "ranges": ranges, "weights": weights}
        ordered = {key: whole[key] for key in KEYS}
        more = (self.clips.shifts, self.clips.orders, self.clips.biases)
        for key, by_layer in zip(OPTIONAL, more, strict=True):
            if by_layer:
                ordered[key] = {name: each.tolist() for name, each in by_layer.items()}
        return json.dumps(ordered, indent=1, allow_nan=False) + "\n"

    @classmethod
    def load(cls, path: Path) -> Self:
        """The file at ``path``; :class:`DataError` for one that cannot be used."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise DataError(f"{path} is not a JSON file") from None
        if not isinstance(found, dict) or "schema" not in found:
            raise DataError(f"{path} is not a file of sparq quantize: it has no key 'schema'")
        if type(found["schema"]) is not int or found["schema"] != SCHEMA:
            raise DataError(f"{path}: schema must be {SCHEMA}, not {found['schema']!r}")
        missing = [key for key in KEYS if key not in found]
        unknown = [key for key in found if key not in (*KEYS, *OPTIONAL)]
        if missing or unknown:
            what = f"no key {missing[0]!r}" if missing else f"unknown key {unknown[0]!r}"
            raise DataError(
                f"{path}: {what}; keys are {', '.join(KEYS)}, and {', '.join(OPTIONAL)}"
            )
        try:
            for key, kinds in KINDS.items():
                _check_kind(key, found.get(key, {}), kinds)
            ranges = {name: _range(name, each) for name, each in found.pop("ranges").items()}
            weights = {name: _magnitudes(name, each) for name, each in found.pop("weights").items()}
            shape = found["input_shape"]
            if shape is not None:
                if not all(type(size) is int and size >= 1 for size in shape):
                    raise ValueError(f"input_shape must be integers of at least 1, not {shape}")
                found["input_shape"] = tuple(shape)
            options = found["options"]
            if set(options) != set(OPTIONS):
                raise ValueError(f"options must be {', '.join(OPTIONS)}")
            for name, value in options.items():
                _check_option(name, value)
            given = found.pop(SHIFTS, {}).items()
            shifts = {name: _shifts(name, each, options["weight_bits"]) for name, each in given}
            orders = {name: _order(name, each) for name, each in found.pop(ORDERS, {}).items()}
            biases = {name: _biases(name, each) for name, each in found.pop(BIASES, {}).items()}
            if orders and found["format"] is None:
                raise ValueError(f"format must be that which {ORDERS} are for, not null")
            del found["schema"]
            made = cls(**found, clips=Clips(ranges, weights, shifts, orders, biases))
            made.preprocessing_made  # noqa: B018
            return made
        except (TypeError, ValueError) as error:
            raise DataError(f"{path}: {error}") from None

    def require_model(self, path: Path, model_path: Path) -> None:
        """Raise :class:`DataError` unless this, read from ``path``, is of the model."""
        if digest_of(model_path) != self.digest:
            raise DataError(
                f"{path} is of another {self.model} than {model_path}: SHA-256 must be "
                f"{self.digest}, not {digest_of(model_path)}"
            )

    def require_graph(self, path: Path, model: Model) -> None:
        """Raise :class:`DataError` unless this, read from ``path``, has all clips of ``model``.

        Those of weights are above 0, but of channels that have no others.
        """
        graph = model.graph
        largest = all_weights(graph, Clips({})).weights
        for name in graph.shapes:
            if name not in self.clips.ranges:
                raise DataError(f"{path}: no range for the value {name!r} of {model.name}")
        for name in self.clips.ranges:
            if name not in graph.shapes:
                raise DataError(f"{path}: a range for {name!r}, which is no value of {model.name}")
        for what, by_layer in (
            ("clips of weights", self.clips.weights),
            (SHIFTS, self.clips.shifts),
            (BIASES, self.clips.biases),
        ):
            for name, own in by_layer.items():
                if name not in largest:
                    raise DataError(f"{path}: {what} of {name!r}, no layer of {model.name}")
                width = len(largest[name])
                if len(own) != width:
                    raise DataError(
                        f"{path}: {len(own)} {what} of {name!r}, which has "
                        f"{width} output channels in {model.name}"
                    )
        for name, own in self.clips.weights.items():
            for channel in np.flatnonzero((own == 0) & (largest[name] > 0)):
                raise DataError(
                    f"{path}: the clip of channel {channel} of {name!r} must be above 0, as "
                    f"{model.name} has weights up to {largest[name][channel]:.3g} there"
                )
        self._require_orders(path, model)

    def _require_orders(self, path: Path, model: Model) -> None:
        """Orders are of layers' inputs, and such that values can be made in them."""
        graph = model.graph
        nodes = {node.name: node for node in graph.matrix_nodes}
        for name, order in self.clips.orders.items():
            if name not in nodes:
                raise DataError(f"{path}: a channel order of {name!r}, no layer of {model.name}")
            channels = graph.shapes[nodes[name].inputs[0]][-1]
            if len(nodes[name].operation.weights) > 1:  # type: ignore[union-attr]
                raise DataError(
                    f"{path}: a channel order of {name!r}, which takes channels in groups"
                )
            if len(order) != channels:
                raise DataError(
                    f"{path}: an order of {len(order)} channels of {name!r}, which takes {channels}"
                )
        if self.clips.orders:
            try:
                in_stored_order(quantized(graph, self.clips, self.options_with(Options())))
            except ValueError as error:
                raise DataError(f"{path}: {error}") from None

    @property
    def second_points(self) -> int:
        """Channels whose weights have a second point."""
        return sum(int(np.count_nonzero(own)) for own in self.clips.shifts.values())

    @property
    def whole_weight_bits(self) -> int:
        """Bits of the weights where nothing combines columns: of those of two points, as wholes."""
        shifts = np.concatenate([[0], *self.clips.shifts.values()]).astype(np.int64)
        return int(levels_of(self.options["weight_bits"], shifts).max()).bit_length() + 1

    def options_with(self, given: Options) -> Options:
        """``given`` with what the file decides."""
        orders: dict[str, Any] = {"channel_order": SHARED} if self.clips.orders else {}
        return replace(given, **self.options, **orders, method=self.method)


def digest_of(model: Path) -> str:
    """The SHA-256 of a file; raises :class:`DataError`."""
    try:
        return hashlib.sha256(model.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"cannot read {model}: {error.strerror}") from None


def _check_option(name: str, value: Any) -> None:
    """``weight_bits``, or a switch."""
    if name != "weight_bits":
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false, not {value!r}")
    elif isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= 8:
        raise ValueError(f"weight_bits must be an integer from 2 to 8, not {value!r}")


def _check_kind(key: str, found: Any, kinds: tuple[type, ...]) -> None:
    """``key`` is of one of ``kinds``; ``ValueError`` otherwise."""
    if type(found) not in kinds:
        allowed = " or ".join(dict.fromkeys(JSON_KINDS[kind] for kind in kinds))
        raise ValueError(f"{key} must be {allowed}, not {JSON_KINDS[type(found)]}")


def _range(name: str, found: Any) -> tuple[float, float]:
    what = f"the range of {name!r}"
    _check_kind(what, found, (list,))
    if len(found) != 2:
        raise ValueError(f"{what} must be two numbers, not {len(found)}")
    low, high = (_number(what, each) for each in found)
    if low > high:
        raise ValueError(f"{what} must not be empty, as {low} to {high} is")
    return low, high


def _magnitudes(name: str, found: Any) -> Any:
    what = f"clips of weights of {name!r}"
    values = _numbers(what, found)
    if min(values, default=0.0) < 0:
        raise ValueError(f"{what} must not be negative, not {min(values)}")
    return np.array(values, np.float64)


def _biases(name: str, found: Any) -> Any:
    return np.array(_numbers(f"biases of {name!r}", found), np.float64)


def _numbers(what: str, found: Any) -> list[float]:
    _check_kind(what, found, (list,))
    return [_number(what, each) for each in found]


def _shifts(name: str, found: Any, weight_bits: int) -> Any:
    _check_kind(f"shifts of {name!r}", found, (list,))
    for each in found:
        if type(each) is not int or each not in (0, weight_bits):
            raise ValueError(f"shifts must be 0 or {weight_bits}, as weight_bits is, not {each!r}")
    shifts = np.array(found, np.int64)
    levels_of(weight_bits, shifts)
    return shifts


def _order(name: str, found: Any) -> Any:
    what = f"the channel order of {name!r}"
    _check_kind(what, found, (list,))
    if not found or any(type(each) is not int for each in found):
        raise ValueError(f"{what} must be integers, one for each channel")
    if sorted(found) != [*range(len(found))]:
        raise ValueError(f"{what} must have each of the channels 0 to {len(found) - 1} once")
    return np.array(found, np.int64)


def _number(what: str, found: Any) -> float:
    if type(found) not in (int, float) or not abs(found) <= LARGEST:
        raise ValueError(f"{what} must be numbers of at most {LARGEST:.3g}, not {found!r}")
    return float(found)
