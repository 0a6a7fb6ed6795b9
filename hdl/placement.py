"""Placing components so that each distinct one can be emitted once, and grids built of halves."""

from typing import Any, NamedTuple

from amaranth.hdl import Module
from amaranth.lib import wiring


def place(m: Module, platform: Any, name: str, component: wiring.Component) -> None:
    """Make ``component`` the submodule ``name`` of ``m``.

    Amaranth lowers every submodule separately, however many are alike. A ``platform`` with a method
    ``instance_of(component, name)`` may therefore answer with an ``Instance`` of a module lowered
    once; ``component.module_name`` must then be the same for like components, and for those alone.
    Under any other platform the component itself is elaborated in place.
    """
    instance_of = getattr(platform, "instance_of", None)
    m.submodules[name] = component if instance_of is None else instance_of(component, name)


class Halves(NamedTuple):
    """A grid cut across its longer side: the axis, where, and (rows, columns) of both parts."""

    axis: str
    middle: int
    near: tuple[int, int]
    far: tuple[int, int]


def halves(rows: int, cols: int) -> Halves:
    """Cut ``rows`` x ``cols`` parts in two; the near half is the larger one."""
    middle = (max(rows, cols) + 1) // 2
    if cols >= rows:
        return Halves("col", middle, (rows, middle), (rows, cols - middle))
    return Halves("row", middle, (middle, cols), (rows - middle, cols))
