"""The error that everything a user hands over for an evaluation can raise."""

from support.errors import InputError


class DataError(InputError):
    """One line that names the file or value that cannot be used, and what is allowed."""
