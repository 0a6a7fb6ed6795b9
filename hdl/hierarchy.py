"""Placing components so that each distinct one can be emitted once."""

from typing import Any

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
