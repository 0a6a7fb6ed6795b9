"""The error of a network that an accelerator cannot run."""

from support.errors import InputError


class CompileError(InputError):
    """One line that names the layer and the reason."""


class RangeError(CompileError):
    """One that is so by the ranges of values: from other images there may be none."""
