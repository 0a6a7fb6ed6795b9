"""The error that every use of a library can raise."""

from support.errors import InputError


class LibraryError(InputError):
    """A library cannot be used: one line that says which and why."""
