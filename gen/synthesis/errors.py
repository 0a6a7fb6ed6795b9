"""The error that every use of a library can raise."""


class LibraryError(ValueError):
    """A library cannot be used: one line that says which and why."""
