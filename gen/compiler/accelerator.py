"""The accelerator of a configuration, as its programs see it."""

from gen.design.configuration import Configuration, ConfigurationError, check_integer
from golden.accelerator import AcceleratorShape
from hdl.engine.engine_unit import EngineUnit

SCRATCHPAD_KIB = 256
MEMORY_BITS = 128
WEIGHT_DEPTH = 2048
"""Slices of weights that its machine holds, unless a configuration says otherwise."""
MAX_SCRATCHPAD_KIB = 1 << 16
MEMORY_WIDTHS = (32, 64, 128, 256)


def require_engine(configuration: Configuration) -> EngineUnit:
    """The engine of a configuration; ``ConfigurationError`` if it is of something else."""
    if configuration.engine is None:
        raise ConfigurationError("top must be engine, of whose machine an accelerator is made")
    return configuration.engine


def accelerator_shape(
    configuration: Configuration,
    scratchpad_kib: int = SCRATCHPAD_KIB,
    memory_bits: int = MEMORY_BITS,
) -> AcceleratorShape:
    """The accelerator around the machine of an engine.

    Its scratchpad has as many lines, a power of two, as ``scratchpad_kib`` hold; words of memory
    are of ``memory_bits``. Raises ``ConfigurationError``, one line, for what no accelerator is.
    """
    engine = require_engine(configuration)
    unit = configuration.mac
    if configuration.is_sparse:
        raise ConfigurationError("machine of an accelerator must not have sparse weights")
    if unit.encoded_input or engine.encoded_output:
        raise ConfigurationError("activations of an accelerator are bytes, not encoded")
    check_integer("weight_depth of an accelerator", engine.weight_depth, 1)
    check_integer("scratchpad", scratchpad_kib, 1, MAX_SCRATCHPAD_KIB)
    if memory_bits not in MEMORY_WIDTHS:
        allowed = ", ".join(map(str, MEMORY_WIDTHS))
        raise ConfigurationError(f"memory-bits must be one of {allowed}, not {memory_bits!r}")
    line_bytes = 2 * configuration.rows * unit.k_per_cycle
    lines = max(1, scratchpad_kib * 1024 // line_bytes)
    try:
        return AcceleratorShape(
            rows=configuration.rows,
            cols=configuration.cols,
            k_per_cycle=unit.k_per_cycle,
            lines=1 << (lines.bit_length() - 1),
            beat_bytes=memory_bits // 8,
            weight_depth=engine.weight_depth,
            weight_bits=unit.weight_bits,
            activation_bits=unit.activation_bits,
            format=unit.sparq_format,
        )
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
