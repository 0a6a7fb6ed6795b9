"""The error that everything a user hands over for an evaluation can raise."""


class DataError(Exception):
    """One line that names the file or value that cannot be used, and what is allowed."""
