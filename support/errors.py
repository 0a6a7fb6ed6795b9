"""The two kinds of error that the command line turns into an exit status."""


class InputError(Exception):
    """Something that was given cannot be used: one line that names it and says what is allowed.

    Exit status 2, before any work has started.
    """


class ToolError(InputError):
    """A tool is missing or failed: one line that says which, and what to do."""


class RunError(Exception):
    """A run failed: one line that says where. Exit status 1."""
