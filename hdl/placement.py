"""Placing components so that each distinct one can be emitted once, and grids built of halves."""

from typing import Any, NamedTuple

from amaranth.hdl import Module, ResetInserter, Value
from amaranth.lib import wiring

from hdl.identity import Identified, snake_case


class Component(Identified, wiring.Component):
    """An Amaranth component that can be emitted once, however often it is placed.

    Its identity, the type and all arguments of its constructor, says which ones are alike.
    ``module_name`` is what it is called where nothing else has to tell it from its variants: the
    name of the class, in lower case, unless a class says otherwise. What is ``measured_alone`` is
    a part of a machine, whose area is that of its parts times their counts. What ``counts_rows`` is
    another component in a machine of other rows; all else in it stays as it is. A mapping
    ``port_meanings`` says what those ports are that no docstring can name.
    """

    measured_alone = False
    counts_rows = False

    @property
    def module_name(self) -> str:
        return snake_case(type(self).__name__)


def place(
    m: Module,
    platform: Any,
    name: str,
    component: wiring.Component,
    reset: Value | None = None,
) -> None:
    """Make ``component`` the submodule ``name`` of ``m``, which ``reset`` resets as well.

    Amaranth lowers every submodule separately, however many are alike. A ``platform`` with a method
    ``instance_of(component, name, reset)`` may therefore answer with an ``Instance`` of a module
    lowered once for all components of the same ``identity``. Under any other platform, and where it
    is no :class:`Component` and nothing says what it is like, it is elaborated in place.
    """
    instance_of = getattr(platform, "instance_of", None)
    if instance_of is not None and isinstance(component, Component):
        m.submodules[name] = instance_of(component, name, reset)
    else:
        resettable = component if reset is None else ResetInserter(reset)(component)
        m.submodules[name] = resettable


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
