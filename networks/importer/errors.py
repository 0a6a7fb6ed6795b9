"""The error that a model file can cause."""

from support.errors import InputError


class ModelError(InputError):
    """A model that cannot be imported; the message is one line: file, node and operator."""
