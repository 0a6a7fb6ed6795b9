"""The comments above modules: what their components' docstrings say."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.lib import wiring

from gen.verilog.docstring import latency, meanings, plain
from hdl.placement import Component

WIDTH = 100


def comments(order: Sequence[str], components: Mapping[str, wiring.Component]) -> dict[str, str]:
    """The comment of each module that is a component's, in the order in which they are read.

    The first one of a kind says what it is, its latency, and what its ports carry. The others name
    it, without the prefix that all have: their own names say how they differ.
    """
    first: dict[tuple[type, ...], str] = {}
    found = {}
    for name in order:
        if name in components:
            own = components[name]
            like = first.setdefault(_kind(own), name)
            short = like.removeprefix(f"{order[0]}_")
            lines = _description(own) if like == name else [f"As {short}."]
            found[name] = "".join(f"{line}\n" for text in lines for line in _wrapped(text))
    return found


def _arguments(component: wiring.Component) -> dict[str, Any]:
    return dict(component.identity.arguments) if isinstance(component, Component) else {}


def _kind(component: wiring.Component) -> tuple[type, ...]:
    """The class, and the classes that it is of, such as a grid's."""
    of = [value for value in _arguments(component).values() if isinstance(value, type)]
    return (type(component), *of)


def _numbers(component: wiring.Component) -> dict[str, Any]:
    """The arguments that are numbers or texts."""
    arguments = _arguments(component).items()
    return {name: value for name, value in arguments if isinstance(value, bool | int | str)}


def _description(component: wiring.Component) -> list[str]:
    kind, *of = _kind(component)
    numbers = _numbers(component)
    cycles = getattr(component, "latency", None)
    values = {**numbers, "latency": cycles} if isinstance(cycles, int) else numbers
    summary = plain(kind, values)
    name = " of ".join(each.__name__ for each in (kind, *of))
    given = ", ".join(f"{argument}={value}" for argument, value in numbers.items())
    lines = [f"{name}({given}): {summary}" if given else f"{name}: {summary}"]
    if "Latency: " not in summary:
        lines.append(latency(kind, values))
    described = meanings(component)
    members = component.signature.members
    lines += [f"  {port}: {described[port]}" for port in members if port in described]
    return lines


def _wrapped(text: str) -> list[str]:
    """A comment's lines; a leading space or two are kept."""
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(
        text.strip(), WIDTH, initial_indent=f"// {indent}", subsequent_indent=f"// {indent}  "
    )
