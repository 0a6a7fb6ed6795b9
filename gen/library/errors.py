"""The errors that a library raises."""

from support.errors import InputError


class LibraryError(InputError):
    """A library cannot be used: one line that says which and why."""


class NotUnderstoodError(Exception):
    """A Liberty file, a cell or a part of it is beyond what is modelled: what is, in a few words.

    Never leaves the reading of a library: a file becomes a ``LibraryError``, a cell is skipped.
    """
