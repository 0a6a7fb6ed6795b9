"""A table of registers as SystemRDL 2.0."""

from hdl.bus.axi4_lite import WORD_BITS
from hdl.bus.register_map import Access, Field, Register, RegisterMap

PROPERTIES = {
    Access.CONSTANT: "sw = r; hw = na;",
    Access.READ: "sw = r; hw = w;",
    Access.READ_WRITE: "sw = rw; hw = r;",
    Access.WRITE_ONE_TO_CLEAR: "sw = rw; onwrite = woclr; hw = rw; precedence = hw;",
    Access.PULSE: "sw = w; hw = r; singlepulse;",
}
"""How each kind of access is said."""


def systemrdl(registers: RegisterMap) -> str:
    """The table in SystemRDL: one address map, whose names are those of the table.

    SystemRDL cannot say that writing one bit of a wide ``write_one_to_clear`` field clears all of
    it: there it reads as if each bit were cleared by itself, which writing all ones does.
    """
    lines = [
        f"addrmap {_escaped(registers.name)} {{",
        f"  desc = {_quoted(registers.description)};",
        f"  default regwidth = {WORD_BITS};",
        f"  default accesswidth = {WORD_BITS};",
        "  littleendian;",
    ]
    for register in registers.registers:
        lines += [f"  {line}" for line in _register(register)]
    return "\n".join([*lines, "};", ""])


def _register(register: Register) -> list[str]:
    lines = ["reg {", f"  desc = {_quoted(register.description)};"]
    for field in register.fields:
        lines += [f"  {line}" for line in _field(field)]
    return [*lines, f"}} {_escaped(register.name)} @ {register.offset:#04x};"]


def _field(field: Field) -> list[str]:
    place = f"[{field.low_bit + field.bits - 1}:{field.low_bit}]"
    # What hardware gives has no value of its own.
    reset = "" if field.access is Access.READ else f" = {field.value:#x}"
    return [
        "field {",
        f"  desc = {_quoted(field.description)};",
        f"  {PROPERTIES[field.access]}",
        f"}} {_escaped(field.name)}{place}{reset};",
    ]


def _escaped(name: str) -> str:
    """A name that is never taken for a word of the language."""
    return f"\\{name}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
