"""Ports of parts, connected by their names."""

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Member

from hdl.placement import Component


def ports(part: Component, prefix: str) -> dict[str, Member]:
    """The members of ``part`` that begin so."""
    members = part.signature.members
    return {name: members[name] for name in members if name.startswith(prefix)}


def join(
    m: Module, part: Component, prefix: str, other: Component, other_prefix: str | None = None
) -> None:
    """Connect the ports of ``part`` that begin with ``prefix`` with those of ``other``, a part
    beside it or the component around it, that begin with ``other_prefix``, or likewise, and go on
    alike.
    """
    for name, member in ports(part, prefix).items():
        own = getattr(part, name)
        far = getattr(other, (other_prefix or prefix) + name.removeprefix(prefix))
        m.d.comb += own.eq(far) if member.flow == In else far.eq(own)
