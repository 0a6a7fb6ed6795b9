"""Pictures of boxes, wires and text."""

from itertools import pairwise
from typing import Literal

import schemdraw
from schemdraw import elements as elm

LABEL_OFFSET = 0.1
"""How far schemdraw puts a label right of and above its place."""

Align = Literal["left", "center"]
Point = tuple[float, float]


class BlockDiagram:
    """Boxes, wires and text at given places."""

    def __init__(self) -> None:
        self.drawing = schemdraw.Drawing(show=False)
        self.drawing.config(fontsize=11, lw=1.2, bgcolor="white", margin=0.2)

    def box(self, center: Point, width: float, height: float, text: str = "") -> None:
        """A box around ``center``, with text."""
        x, y = center
        corners = (x - width / 2, y - height / 2), (x + width / 2, y + height / 2)
        self.drawing.add(elm.Rect(corner1=corners[0], corner2=corners[1]).at((0, 0)).theta(0))
        if text:
            self.text(center, text)

    def text(self, center: Point, text: str, align: Align = "center") -> None:
        """Text around ``center``, or from there on."""
        style = elm.Label().at((center[0] - LABEL_OFFSET, center[1] - LABEL_OFFSET)).theta(0)
        self.drawing.add(style.label(text, loc="center", halign=align, valign="center"))

    def wire(self, *points: Point, arrow: bool = True) -> None:
        """A line through all ``points``, with an arrow at its end."""
        for number, (start, end) in enumerate(pairwise(points), 2):
            kind = elm.Arrow if arrow and number == len(points) else elm.Line
            self.drawing.add(kind().at(start).to(end))

    def dot(self, point: Point) -> None:
        """Where lines are joined."""
        self.drawing.add(elm.Dot(radius=0.07).at(point))

    def adder(self, center: Point) -> None:
        """A circle with a plus."""
        self.drawing.add(elm.Dot(radius=0.4, open=True, zorder=1).at(center))
        self.text(center, "+")
