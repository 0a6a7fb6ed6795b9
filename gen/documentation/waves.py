"""Timing diagrams, drawn of what signals were in each cycle."""

from collections.abc import Sequence
from typing import Any

import schemdraw
from schemdraw.logic import TimingDiagram


def svg(drawing: schemdraw.Drawing) -> str:
    """The text of a drawing, whose backend must be ``svg``."""
    return str(drawing.get_imagedata("svg").decode()).rstrip() + "\n"


def level(name: str, values: Sequence[int]) -> dict[str, Any]:
    """A WaveJSON signal of one bit: a dot where nothing changes."""
    wave = "".join(
        "." if number and value == values[number - 1] else str(value)
        for number, value in enumerate(values)
    )
    return {"name": name, "wave": wave}


def labelled(name: str, labels: Sequence[str | None]) -> dict[str, Any]:
    """A WaveJSON signal with a label wherever that is another one than before, or none."""
    wave, shown = "", []
    for number, label in enumerate(labels):
        if number and label == labels[number - 1]:
            wave += "."
        elif label is None:
            wave += "x"
        else:
            wave += "="
            shown.append(label)
    return {"name": name, "wave": wave, "data": shown}


def timing_svg(cycles: int, signals: Sequence[dict[str, Any]]) -> str:
    """The signals below a clock of so many cycles."""
    clock = {"name": "clk", "wave": "p" + "." * (cycles - 1)}
    drawing = schemdraw.Drawing(show=False)
    drawing.config(bgcolor="white", margin=0.2)
    diagram = {"signal": [clock, *signals], "config": {"hscale": 1.6}}
    drawing.add(TimingDiagram(diagram, namecolor="black"))
    return svg(drawing)
