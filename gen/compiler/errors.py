"""The error of a network that an accelerator cannot run."""

from support.errors import InputError


class CompileError(InputError):
    """One line that names the layer and the reason."""
