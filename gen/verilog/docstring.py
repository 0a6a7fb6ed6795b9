"""What the docstrings of components say, as plain text."""

import inspect
import re
from typing import Any


def plain(thing: Any) -> str:
    """The first paragraph of the docstring of a class or function, as one line."""
    return _plain((inspect.getdoc(thing) or "").partition("\n\n")[0])


def ports(component: type) -> dict[str, str]:
    """Of each port that ``Members`` sections describe, what is said of it, as one line.

    An entry of the component's own docstring counts before those of what it is derived from::

        in_a : In(16)
            Two bytes.
    """
    found: dict[str, str] = {}
    for each in reversed(component.__mro__):
        section = re.search(r"^Members\n-+\n(.*?)(?=\n\n\w|\Z)", _text(each), re.M | re.S)
        entries = re.findall(r"^(\w+) : .*\n((?:    .*\n?)+)", section[1] if section else "", re.M)
        found |= {name: _plain(text) for name, text in entries}
    return found


def _text(component: type) -> str:
    return inspect.cleandoc(component.__dict__.get("__doc__") or "")


def _plain(text: str) -> str:
    """One line without markup: references and literals are what they name."""
    return " ".join(re.sub(r"(?::\w+:)?`+([^`]*)`+", r"\1", text).split())
