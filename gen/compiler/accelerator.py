"""The accelerator of a configuration, as its programs see it."""

from gen.compiler.lowering.activations import require_bytes
from gen.design.configuration import Configuration, ConfigurationError
from golden.accelerator.shape import AcceleratorShape
from hdl.accelerator.accelerator_unit import AcceleratorUnit
from hdl.engine.engine_unit import EngineUnit


def accelerator_shape(configuration: Configuration) -> AcceleratorShape:
    """:func:`shape_of` an accelerator's configuration.

    Raises ``ConfigurationError``, one line, for what is no accelerator, and ``CompileError`` for
    one that runs no network.
    """
    unit = configuration.accelerator
    if unit is None:
        raise ConfigurationError(
            f"top must be accelerator to compile a network, not {configuration.top!r}"
        )
    shape = shape_of(unit)
    require_bytes(shape)
    return shape


def shape_of(unit: AcceleratorUnit) -> AcceleratorShape:
    """What of an accelerator decides what its programs mean."""
    mac = unit.engine.unit
    return AcceleratorShape(
        rows=unit.engine.rows,
        cols=unit.engine.cols,
        k_per_cycle=unit.k_per_cycle,
        lines=unit.scratchpad.lines,
        beat_bytes=unit.bus.beat_bytes,
        weight_depth=unit.engine.weight_depth,
        weight_bits=mac.weight_bits,
        acc_bits=mac.acc_bits,
        activation_bits=mac.activation_bits,
        format=mac.sparq_format,
        multiplies=unit.multiplies,
        encodes=unit.encoded_memory,
        more_latency=_more_latency(unit.engine),
    )


def _more_latency(engine: EngineUnit) -> int:
    """Of registers in multipliers, of slices that wait for their group, and less the skew that a
    tensor core has not.
    """
    mac = engine.unit.mac
    group = mac.multiplier.slices_per_group
    skew = 0 if engine.machine == "array" else engine.rows + engine.cols - 2
    return mac.pipeline + (group if group > 1 else 0) - skew
