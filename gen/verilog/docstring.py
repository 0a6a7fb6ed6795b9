"""What the docstrings of components say, as plain text."""

import inspect
import re
from collections.abc import Mapping
from typing import Any


def plain(thing: Any, values: Mapping[str, object] | None = None) -> str:
    """The first paragraph of the docstring of a class or function, as one line.

    What is named alone, as a literal or an attribute, and has one of the ``values``, stands as it.
    """
    return _plain((inspect.getdoc(thing) or "").partition("\n\n")[0], values)


def latency(thing: Any, values: Mapping[str, object] | None = None) -> str:
    """What the docstring of a class says of its latency, from "Latency:" on, likewise."""
    found = re.search(r"\bLatency: .*?(?=\n\n|\Z)", inspect.getdoc(thing) or "", re.DOTALL)
    return _plain(found[0], values) if found else ""


def ports(component: type) -> dict[str, str]:
    """Of each port that ``Members`` sections describe, what is said of it, as one line.

    An entry of the component's own docstring counts before those of what it is derived from::

        in_a : In(16)
            Two bytes.
        last, drain : In(1), of the row
    """
    found: dict[str, str] = {}
    for each in reversed(component.__mro__):
        section = re.search(r"^Members\n-+\n(.*?)(?=\n\n\w|\Z)", _text(each), re.M | re.S)
        entries = re.findall(
            r"^(\w.* : .*)\n?((?:    .*\n?)*)", section[1] if section else "", re.M
        )
        for head, body in entries:
            said = _TYPE.sub("", head.rpartition(" : ")[2])
            end = ". " if said and body.strip()[:1].isupper() else " "
            if text := _plain(f"{said}{end}{body}"):
                names = re.findall(r"(?:^|, )(\w+(?:, \w+)*) : ", head)
                found |= dict.fromkeys(", ".join(names).split(", "), text)
    return found


def meanings(component: Any) -> dict[str, str]:
    """What is said of each port of a component: :func:`ports`, and its own ``port_meanings``.

    These are of ports that no docstring can name, since a table or a prefix does.
    """
    return {**ports(type(component)), **getattr(component, "port_meanings", {})}


_TYPE = re.compile(r"^(?:In|Out)\b(?:\((?:[^()]|\([^()]*\))*\))?(?:, )?")


def _text(component: type) -> str:
    return inspect.cleandoc(component.__dict__.get("__doc__") or "")


def _plain(text: str, values: Mapping[str, object] | None = None) -> str:
    """One line without markup: references and literals are what they name."""

    def named(match: re.Match[str]) -> str:
        return str((values or {}).get(match[1], match[1]))

    line = " ".join(re.sub(r"(?::\w+:)?`+([^`]*)`+", named, text).split())
    return re.sub(r"(?<![-+] )\b1 (cycle|lane|row|slice)s\b", r"1 \1", line)
