"""What to generate: one validated, frozen description."""

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from golden import NAMED_FORMATS, named_format
from golden.format import (
    ACTIVATION_BITS,
    ACTIVATION_MAX,
    GROUPS,
    SparqFormat,
)
from hdl.broadcast.units import dot_product
from hdl.element.processing_element import MAX_PIPELINE
from hdl.element.processing_elements import PROCESSING_ELEMENTS
from support.errors import InputError

TENSOR_CORES = ("tensor_core", "sparse_tensor_core")
MACHINES = ("array", *TENSOR_CORES)
"""Tops that multiply tiles of matrices."""
TOPS = (*MACHINES, "pe", "encoder")
MAX_SIDE = 256
WEIGHT_BITS = range(2, 9)
MAX_ACC_BITS = 64
MAX_PAIRS = 16


class ConfigurationError(InputError):
    """One line that names the offending value and what is allowed."""


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A configuration of the generator; every field has a default, and its help in ``metadata``.

    Raises :class:`ConfigurationError` for any value that is not allowed.
    """

    top: str = _option("array", f"What to emit: {', '.join(TOPS)}.")
    rows: int = _option(16, f"Rows of the array or tensor core, 1 to {MAX_SIDE}.")
    cols: int = _option(16, f"Columns of the array or tensor core, 1 to {MAX_SIDE}.")
    pairs: int = _option(
        4, f"Pairs of activations per cycle of a tensor core's unit, 1 to {MAX_PAIRS}."
    )
    pe: str = _option("sparq", f"Processing element: {', '.join(PROCESSING_ELEMENTS)}.")
    format: str = _option("5opt", f"Window format of sparq: {', '.join(NAMED_FORMATS)}.")
    rounding: bool = _option(True, "Round activations half to even, or trim them.")
    vsparq: bool = _option(True, "Let a zero lend its lane to its partner, or not.")
    group: int = _option(1, f"Activations that share a window: {', '.join(map(str, GROUPS))}.")
    weight_bits: int = _option(8, "Width of the signed weights, 2 to 8.")
    acc_bits: int = _option(
        32,
        f"Width of the accumulators, to {MAX_ACC_BITS}, from weight bits + 9, or of tensor cores + "
        "8 + log2(2 * pairs).",
    )
    pipeline: int = _option(
        0, f"Registers between operands and accumulator of a PE or unit, 0 to {MAX_PIPELINE}."
    )

    def __post_init__(self) -> None:
        check_choice("top", self.top, TOPS)
        check_integer("rows", self.rows, 1, MAX_SIDE)
        check_integer("cols", self.cols, 1, MAX_SIDE)
        check_choice("pe", self.pe, PROCESSING_ELEMENTS)
        check_choice("format", self.format, NAMED_FORMATS)
        _check_flag("rounding", self.rounding)
        _check_flag("vsparq", self.vsparq)
        if type(self.group) is not int or self.group not in GROUPS:
            allowed = ", ".join(map(str, GROUPS))
            raise ConfigurationError(f"group must be one of {allowed}, not {self.group!r}")
        check_integer("weight_bits", self.weight_bits, WEIGHT_BITS[0], WEIGHT_BITS[-1])
        check_integer("pairs", self.pairs, 1, MAX_PAIRS)
        # One slice of full-scale products must fit: of a pair, or of all pairs of a unit.
        products = 2 * (self.pairs if self.top in TENSOR_CORES else 1)
        product_bits = self.weight_bits + ACTIVATION_BITS
        least = product_bits + (products - 1).bit_length()
        check_integer("acc_bits", self.acc_bits, least, MAX_ACC_BITS)
        check_integer("pipeline", self.pipeline, 0, MAX_PIPELINE)
        if self.top == "encoder" and self.pe != "sparq":
            raise ConfigurationError(f"pe must be sparq where top is encoder, not {self.pe!r}")
        if self.top in TENSOR_CORES:
            try:
                dot_product(
                    self.pe, self.pairs, self.sparq_format, self.weight_bits, self.is_sparse
                )
            except ValueError as error:
                raise ConfigurationError(str(error)) from None

    @classmethod
    def from_options(cls, **options: Any) -> "Configuration":
        """The configuration with these fields, the defaults for the rest.

        Raises :class:`ConfigurationError` for names that are not fields.
        """
        allowed = [item.name for item in fields(cls)]
        for name in options:
            if name not in allowed:
                raise ConfigurationError(
                    f"unknown key {name!r}; allowed are {', '.join(sorted(allowed))}"
                )
        return cls(**options)

    @property
    def sparq_format(self) -> SparqFormat:
        """The window format that ``format``, ``rounding``, ``vsparq`` and ``group`` name."""
        return named_format(self.format, self.rounding, self.vsparq, self.group)

    @property
    def is_sparse(self) -> bool:
        """Whether weights must be 2:4 sparse along the reduction."""
        return self.top == "sparse_tensor_core"

    @property
    def name(self) -> str:
        """Name of the top module and of the files, different for different hardware."""
        parts = [self.top]
        parts.extend([f"{self.rows}x{self.cols}"] if self.top in MACHINES else [])
        parts.extend([f"{self.pairs}pairs"] if self.top in TENSOR_CORES else [])
        if self.pe == "sparq":
            parts.append(f"sparq_{self.format}")
            parts.extend([] if self.rounding else ["trim"])
            parts.extend([] if self.vsparq else ["novsparq"])
            parts.extend([] if self.group == 1 else [f"group{self.group}"])
        else:
            parts.append(f"mac_{self.pe}")
        if self.top != "encoder":
            parts.append(f"w{self.weight_bits}_acc{self.acc_bits}")
            parts.extend([f"p{self.pipeline}"] if self.pipeline else [])
        return "_".join(parts)

    @property
    def canonical(self) -> dict[str, Any]:
        """The fields as plain data, ``None`` for those that do not matter to the hardware."""
        ignored: list[str] = []
        if self.top not in MACHINES:
            ignored += ["rows", "cols"]
        if self.top not in TENSOR_CORES:
            ignored.append("pairs")
        if self.top == "encoder":
            ignored += ["weight_bits", "acc_bits", "pipeline"]
        if self.pe != "sparq":
            ignored += ["format", "rounding", "vsparq", "group"]
        return asdict(self) | dict.fromkeys(ignored)

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that identify the hardware."""
        text = json.dumps(self.canonical, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def max_reduction(self) -> int:
        """The longest reduction K that cannot overflow the accumulator, whatever the data."""
        largest_product = ACTIVATION_MAX << (self.weight_bits - 1)
        return int(((1 << (self.acc_bits - 1)) - 1) // largest_product)


PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {"rows": 2, "cols": 3},
    **{f"{side}x{side}": {"rows": side, "cols": side} for side in (8, 16, 32, 64, 128, 256)},
    **{top: {"top": top, "rows": 4, "cols": 4, "pairs": 4} for top in TENSOR_CORES},
}
"""Named starting points: what they set, the rest being the defaults."""


def load_preset(name: str) -> dict[str, Any]:
    """The options of the preset of that name."""
    check_choice("preset", name, PRESETS)
    return PRESETS[name]


def load_toml(path: Path) -> dict[str, Any]:
    """The options in a TOML file, whose keys are the fields of :class:`Configuration`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not a TOML file: {error}") from None


def check_integer(name: str, value: object, low: int, high: int | None = None) -> int:
    """``value``, checked to be an integer from ``low`` to ``high``, or of at least ``low``."""
    allowed = f"of at least {low}" if high is None else f"from {low} to {high}"
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or value < low
        or (high is not None and value > high)
    ):
        raise ConfigurationError(f"{name} must be an integer {allowed}, not {value!r}")
    return value


def check_choice(name: str, value: object, allowed: Any) -> None:
    """Raise :class:`ConfigurationError` unless ``value`` is one of the names ``allowed``."""
    if not isinstance(value, str) or value not in allowed:
        raise ConfigurationError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be true or false, not {value!r}")
