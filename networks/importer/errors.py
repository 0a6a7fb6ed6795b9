"""The error that a model file can cause."""


class ModelError(Exception):
    """A model that cannot be imported; the message is one line: file, node and operator."""
