"""What an accelerator must multiply to run a network: bytes."""

from gen.compiler.errors import CompileError
from golden.accelerator.shape import AcceleratorShape
from golden.format import ACTIVATION_BITS


def require_bytes(shape: AcceleratorShape) -> None:
    """Raise ``CompileError`` for an accelerator whose machine does not multiply every byte."""
    bits = shape.activation_bits
    if bits < ACTIVATION_BITS:
        raise CompileError(
            f"the elements of the accelerator multiply {bits} bits of an activation, and a network "
            f"needs all {ACTIVATION_BITS}: take another pe"
        )
    fmt = shape.format
    if fmt is not None and fmt.magnitude_bits < ACTIVATION_BITS:
        raise CompileError(
            "the format of the accelerator is one of signed bytes, of "
            f"{fmt.magnitude_bits} bits of magnitude, and a network needs {ACTIVATION_BITS}: take "
            "one such as 5opt or s5opt"
        )
