"""What to generate: one validated, frozen description, put together of its parts."""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from golden import NamedFormat, SparqFormat
from golden.format import ACTIVATION_BITS, ACTIVATION_MAX, GROUPS
from golden.named import ANY_FORMAT_HELP, format_fields
from hdl.accelerator.accelerator_unit import SCRATCHPAD_KIB, AcceleratorUnit, memory_widths
from hdl.bus.axi4 import DATA_BITS
from hdl.catalogue import MacUnit, width_fields
from hdl.element.processing_elements import PROCESSING_ELEMENTS
from hdl.engine import engine_unit
from hdl.engine.engine_unit import (
    MAX_COMMANDS,
    MAX_RESULT_TILES,
    MAX_WEIGHT_DEPTH,
    STREAM_BITS,
    EngineUnit,
)
from hdl.multiplier.style import Style
from support.errors import InputError

TENSOR_CORES = ("tensor_core", "sparse_tensor_core")
MACHINES = tuple(engine_unit.MACHINES)
"""Tops that multiply tiles of matrices, by themselves or in what is :data:`AROUND` one."""
AROUND = ("engine", "accelerator")
"""Tops that have a machine in them."""
TOPS = (*MACHINES, *AROUND, "pe", "encoder")
MAX_SIDE = 256
WEIGHT_BITS = range(2, 9)
MAX_ACC_BITS = 64
MAX_PAIRS = 16
ENGINE_SIZES = ("weight_depth", "lanes", "result_tiles", "command_depth", "stream_bits")
"""Of what is around an engine's machine."""
GIVEN_SIZES = ("stream_bits",)
"""Those of them that an accelerator decides."""
ACCELERATOR_SIZES = ("scratchpad", "memory_bits")
"""Of what is around an engine's machine in an accelerator."""
ACCELERATOR_DEFAULTS = {"weight_depth": 2048}
"""Defaults of an accelerator that are not those of an engine."""
ENCODED = ("encoded_input", "encoded_output", "encoded_memory")
"""Whether activations come, results leave, and tensors lie in memory, as stored pairs."""
OF_ENGINES = ("encoded_output", "multipoint")
"""Flags of what is around an engine's machine."""


class ConfigurationError(InputError):
    """One line that names the offending value and what is allowed."""


class Option(NamedTuple):
    """An option of a configuration: its default, and its help."""

    default: Any
    help: str


OPTIONS: dict[str, Option] = {
    "top": Option("array", f"What to emit: {', '.join(TOPS)}."),
    "machine": Option(
        "array", f"What an engine or an accelerator multiplies with: {', '.join(MACHINES)}."
    ),
    "rows": Option(16, f"Rows of the array or tensor core, 1 to {MAX_SIDE}."),
    "cols": Option(16, f"Columns of the array or tensor core, 1 to {MAX_SIDE}."),
    "pairs": Option(
        4, f"Pairs of activations per cycle of a tensor core's unit, 1 to {MAX_PAIRS}."
    ),
    "pe": Option("sparq", f"Processing element: {', '.join(PROCESSING_ELEMENTS)}."),
    "format": Option(
        "5opt",
        f"Window format of sparq: {ANY_FORMAT_HELP}.",
    ),
    "rounding": Option(True, "Round activations half to even, or trim them."),
    "vsparq": Option(True, "Let a zero lend its lane to its partner, or not."),
    "group": Option(1, f"Activations that share a window: {', '.join(map(str, GROUPS))}."),
    "encoded_input": Option(
        False,
        "Activations of sparq enter an array, a tensor core or an engine as stored pairs, or as "
        "bytes.",
    ),
    "encoded_output": Option(
        False, "Results of an engine of sparq can leave as stored pairs, or not."
    ),
    "multipoint": Option(
        False,
        "Columns of an engine can combine, two by two, to one of wider weights, or not.",
    ),
    "encoded_memory": Option(
        False,
        "Tensors of an accelerator of sparq can lie in memory as stored pairs, or not.",
    ),
    "weight_bits": Option(8, "Width of the signed weights, 2 to 8."),
    "acc_bits": Option(
        32,
        f"Width of the accumulators, to {MAX_ACC_BITS}, from weight bits + 9, or of tensor cores + "
        "8 + log2(2 * pairs).",
    ),
    "pipeline": Option(
        0,
        "Registers between operands and accumulator of a PE or unit, 0 to "
        f"{Style.STRUCTURAL.max_pipeline}, in behavioral style to {Style.BEHAVIORAL.max_pipeline}.",
    ),
    "weight_depth": Option(
        256,
        "Slices of weights that each of an engine's two banks holds, to "
        f"{MAX_WEIGHT_DEPTH}; 0: weights stream in with the activations. Of an accelerator "
        f"{ACCELERATOR_DEFAULTS['weight_depth']} unless it is given.",
    ),
    "lanes": Option(
        0,
        "Columns that an engine requantizes per cycle, a divisor of all columns; 0: all. Where 0 "
        "is given for an accelerator, its vector unit has no multipliers.",
    ),
    "result_tiles": Option(
        0,
        f"Tiles whose results can wait in an engine or an accelerator, 2 to {MAX_RESULT_TILES}; 0: "
        "as many as keep the machine busy.",
    ),
    "command_depth": Option(
        4, f"Commands that can wait in an engine or an accelerator, 2 to {MAX_COMMANDS}."
    ),
    "stream_bits": Option(
        0,
        "Bits of a word of an engine's streams but that of parameters, a power of two from "
        f"{STREAM_BITS[0]} to {STREAM_BITS[-1]}; 0: each as many as a slice or its results have.",
    ),
    "scratchpad": Option(
        256,
        f"KiB of an accelerator's scratchpad, a power of two from 1 to {SCRATCHPAD_KIB[-1]}.",
    ),
    "memory_bits": Option(
        128,
        f"Bits of a word of an accelerator's memory port: {', '.join(map(str, DATA_BITS))}; at "
        "most a line of its scratchpad, which is the default where that is less.",
    ),
    "style": Option(
        Style.STRUCTURAL.value,
        f"What multiplies and adds: {', '.join(Style)}; gates and adders of single bits for "
        "standard cells, or the operators * and + for FPGAs and simulation.",
    ),
}
"""The options by name: those that a configuration is made of, wherever they are given."""


@dataclass(frozen=True, init=False)
class Configuration:
    """A configuration of the generator, made of the options in :data:`OPTIONS`.

    ``Configuration(top="pe", format="3opt")``: what is not given has its default. Raises
    :class:`ConfigurationError` for a name that is no option, for a value that is not allowed, and
    for an option that has no effect on what is emitted.

    Attributes
    ----------
    top : str
        What is emitted: one of :data:`TOPS`.
    rows, cols : int
        Of a machine; 1 of anything else.
    unit : MacUnit or None
        Its processing element or dot-product unit; ``None`` for an encoder.
    format : NamedFormat or None
        Of the activations; ``None`` for exact elements.
    engine : EngineUnit or None
        What an engine is; ``None`` for anything else.
    accelerator : AcceleratorUnit or None
        What an accelerator is; ``None`` for anything else.
    """

    top: str
    rows: int
    cols: int
    unit: MacUnit | None
    format: NamedFormat | None
    engine: EngineUnit | None
    accelerator: AcceleratorUnit | None

    def __init__(self, **options: Any) -> None:
        check_keys(options, OPTIONS)
        value = {name: option.default for name, option in OPTIONS.items()}
        if options.get("top") == "accelerator":
            value |= ACCELERATOR_DEFAULTS
        value |= options
        top, pe = value["top"], value["pe"]
        check_choice("top", top, TOPS)
        check_choice("machine", value["machine"], MACHINES)
        machine = value["machine"] if top in AROUND else top
        sparse = machine == "sparse_tensor_core"
        check_choice("pe", pe, PROCESSING_ELEMENTS)
        if top == "encoder" and pe != "sparq":
            raise ConfigurationError(f"pe must be sparq where top is encoder, not {pe!r}")
        for name, reason in _without_effect(top, machine, pe).items():
            if name in options:
                raise ConfigurationError(f"{name} has no effect where {reason}: leave it out")
        check_integer("rows", value["rows"], 1, MAX_SIDE)
        check_integer("cols", value["cols"], 1, MAX_SIDE)
        if top == "accelerator" and not (type(value["lanes"]) is int and value["lanes"] == 0):
            raise ConfigurationError(
                "lanes of an accelerator must be 0, for a vector unit without multipliers, or left "
                f"out, not {value['lanes']!r}"
            )
        for name in ("rounding", "vsparq", "multipoint", *ENCODED):
            _check_flag(name, value[name])
        check_integer("weight_bits", value["weight_bits"], WEIGHT_BITS[0], WEIGHT_BITS[-1])
        check_integer("pairs", value["pairs"], 1, MAX_PAIRS)
        pairs = value["pairs"] if machine in TENSOR_CORES else None
        least = least_acc_bits(value["weight_bits"], pairs)
        check_integer("acc_bits", value["acc_bits"], least, MAX_ACC_BITS)
        check_choice("style", value["style"], tuple(Style))
        style = Style(value["style"])
        check_integer("pipeline", value["pipeline"], 0, style.max_pipeline)
        widths = value["weight_bits"], value["acc_bits"], value["pipeline"]
        try:
            options_of_format = value["format"], value["rounding"], value["vsparq"], value["group"]
            fmt = NamedFormat(*options_of_format) if pe == "sparq" else None
            described = (pe, None, fmt, *widths, pairs, sparse, value["encoded_input"])
            unit = None if top == "encoder" else MacUnit(*described, style=style)
            engine = accelerator = None
            if top in AROUND and unit is not None:
                sizes = {name: value[name] for name in ENGINE_SIZES}
                # Those of an accelerator are the vector unit's.
                sizes |= {"lanes": 0} if top == "accelerator" else {}
                sizes |= {name: value[name] for name in OF_ENGINES}
                engine = EngineUnit(machine, value["rows"], value["cols"], unit, **sizes)
            if top == "accelerator" and engine is not None:
                bits = value["memory_bits"]
                if "memory_bits" not in options:
                    bits = min([bits, *memory_widths(engine)[-1:]])
                multiplies = "lanes" not in options
                sizes_of = engine, value["scratchpad"], bits, multiplies
                accelerator = AcceleratorUnit(*sizes_of, value["encoded_memory"])
                engine = None
        except (TypeError, ValueError) as error:
            raise ConfigurationError(_refusal(error, top, machine)) from None
        is_machine = machine in MACHINES
        object.__setattr__(self, "top", top)
        object.__setattr__(self, "engine", engine)
        object.__setattr__(self, "accelerator", accelerator)
        object.__setattr__(self, "rows", value["rows"] if is_machine else 1)
        object.__setattr__(self, "cols", value["cols"] if is_machine else 1)
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "format", fmt)

    @property
    def mac(self) -> MacUnit:
        """Its processing element or dot-product unit; not of an encoder."""
        if self.unit is None:
            raise ConfigurationError(f"top {self.top} has no processing element")
        return self.unit

    @property
    def pe(self) -> str:
        """The kind of its element; an encoder is that of ``sparq``."""
        return "sparq" if self.unit is None else self.unit.kind

    @property
    def sparq_format(self) -> SparqFormat:
        """The window format; not of exact elements."""
        if self.format is None:
            raise ConfigurationError(f"pe {self.pe} has no format")
        return self.format.sparq_format

    @property
    def is_sparse(self) -> bool:
        """Whether weights must be 2:4 sparse along the reduction."""
        return self.unit is not None and self.unit.sparse

    @property
    def name(self) -> str:
        """Name of the top module and of the files, different for different hardware."""
        own = self._own_engine
        parts = [self.top] if own is None else [self.top, own.machine]
        parts.extend([f"{self.rows}x{self.cols}"] if self.has_rows else [])
        if self.unit is not None and self.unit.pairs is not None:
            parts.append(f"{self.unit.pairs}pairs")
        parts.append(f"mac_{self.pe}" if self.format is None else f"sparq_{self.format.slug}")
        if self.unit is not None:
            parts.extend(name for name, is_so in self._flags.items() if is_so)
            parts.append(f"w{self.unit.weight_bits}_acc{self.unit.acc_bits}")
            parts.extend([f"p{self.unit.pipeline}"] if self.unit.pipeline else [])
            parts.extend([self.unit.style] if self.unit.is_behavioral else [])
        defaults = {name: option.default for name, option in OPTIONS.items()}
        defaults |= {"lanes": self.cols} | (ACCELERATOR_DEFAULTS if self.accelerator else {})
        for name, size in self._sizes.items():
            parts.extend([f"{name}{size}"] if size != defaults[name] else [])
        return "_".join(parts)

    @property
    def _own_engine(self) -> EngineUnit | None:
        """Of an engine or an accelerator, what its machine is in."""
        return self.accelerator.engine if self.accelerator else self.engine

    @property
    def _sizes(self) -> dict[str, int]:
        """The options that say how large is what is around a machine."""
        own = self._own_engine
        if own is None:
            return {}
        sizes = {name: getattr(own, name) for name in ENGINE_SIZES}
        if self.accelerator is None:
            return sizes
        for name in (*GIVEN_SIZES, "lanes"):
            del sizes[name]
        own_sizes = self.accelerator.scratchpad_kib, self.accelerator.data_bits
        sizes |= dict(zip(ACCELERATOR_SIZES, own_sizes, strict=True))
        # What has all of them keeps its hash.
        return sizes if self.accelerator.multiplies else sizes | {"lanes": 0}

    @property
    def _flags(self) -> dict[str, bool]:
        """Of each of :data:`ENCODED`, and whether columns combine, whether it is so."""
        return {
            "encoded_input": self.unit is not None and self.unit.encoded_input,
            "encoded_output": self.engine is not None and self.engine.encoded_output,
            "encoded_memory": self.accelerator is not None and self.accelerator.encoded_memory,
            "multipoint": self.engine is not None and self.engine.multipoint,
        }

    @property
    def has_rows(self) -> bool:
        """Whether it has rows and columns: it is a machine, or has one in it."""
        return self.top in MACHINES or self._own_engine is not None

    @property
    def canonical(self) -> dict[str, Any]:
        """The options as plain data, ``None`` for those that do not matter to the hardware."""
        around: dict[str, Any] = {}
        own = self._own_engine
        if own is not None:  # what is none has no key, and the hash that it always had
            sizes = self._sizes
            if not own.stream_bits:  # as it was before there was a choice
                sizes.pop("stream_bits", None)
            around = {"machine": own.machine, **sizes}
        return {
            "top": self.top,
            **around,
            "rows": self.rows if self.has_rows else None,
            "cols": self.cols if self.has_rows else None,
            "pairs": self.unit and self.unit.pairs,
            "pe": self.pe,
            **format_fields(self.format),
            **width_fields(self.unit),
            # What has always been structural, and taken and given bytes, keeps its hash.
            **{name: True for name, is_so in self._flags.items() if is_so},
            **({"style": self.unit.style.value} if self.unit and self.unit.is_behavioral else {}),
        }

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that identify the hardware."""
        text = json.dumps(self.canonical, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def max_reduction(self) -> int:
        """The longest reduction K that cannot overflow the accumulator, whatever the data."""
        largest = self.sparq_format.magnitude_max if self.format else ACTIVATION_MAX
        return max_reduction(self.mac.weight_bits, self.mac.acc_bits, largest)


def check_keys(given: Iterable[str], allowed: Iterable[str]) -> None:
    """Raise ``ConfigurationError`` for the first key that is none of the allowed ones."""
    names = sorted(allowed)
    for name in given:
        if name not in names:
            raise ConfigurationError(f"unknown key {name!r}; allowed are {', '.join(names)}")


def _without_effect(top: str, machine: str, pe: str) -> dict[str, str]:
    """The options that do not change what is emitted, and why."""
    where = f"top is {top}"
    found: dict[str, str] = {}
    if top not in AROUND:
        found |= dict.fromkeys(("machine", *ENGINE_SIZES, *OF_ENGINES), where)
    if top == "accelerator":
        found |= dict.fromkeys((*GIVEN_SIZES, "encoded_input", *OF_ENGINES), where)
    else:
        found |= dict.fromkeys((*ACCELERATOR_SIZES, "encoded_memory"), where)
    if machine not in MACHINES:
        found |= {"rows": where, "cols": where, "encoded_input": where}
    if machine not in TENSOR_CORES:
        found |= {"pairs": where if top == machine else f"machine is {machine}"}
    if top == "encoder":
        found |= dict.fromkeys(("weight_bits", "acc_bits", "pipeline", "style"), where)
    if pe != "sparq":
        of_sparq = ("format", "rounding", "vsparq", "group", *ENCODED)
        found |= dict.fromkeys(of_sparq, f"pe is {pe}")
    return found


def _refusal(error: Exception, top: str, machine: str) -> str:
    """What a unit or an engine says of its arguments, said of the options.

    A flag that must not be given has no value there, as make, files and commands each spell it;
    ``sparse`` is no option, and the sizes of an accelerator have the names of theirs.
    """
    text = re.sub(r" must be False (.*), not True$", r" must be left out \1", str(error))
    place = "top" if top == machine else "machine"
    text = text.replace(" where sparse,", f" where {place} is {machine},")
    return text.replace("scratchpad_kib", "scratchpad").replace("data_bits", "memory_bits")


def least_acc_bits(weight_bits: int, pairs: int | None) -> int:
    """Bits for one slice of full-scale products: of a pair, or of all pairs of a unit."""
    return weight_bits + ACTIVATION_BITS + (2 * (pairs or 1) - 1).bit_length()


def max_reduction(weight_bits: int, acc_bits: int, largest: int = ACTIVATION_MAX) -> int:
    """The longest reduction K that cannot overflow such an accumulator, whatever the data.

    No activation is above ``largest`` in magnitude.
    """
    largest_product = largest << (weight_bits - 1)
    return int(((1 << (acc_bits - 1)) - 1) // largest_product)


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
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: a TOML file must be a text file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
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
