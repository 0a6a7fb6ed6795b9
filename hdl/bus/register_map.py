"""Registers as a table: what is where in an address space, and how software meets it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import combinations

from hdl.bus.axi4_lite import WORD_BITS, WORD_BYTES

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*")
"""Words joined by single underscores: a name in Verilog, C and SystemRDL."""

LOCK_PORT = "locked"
"""The name of the port by which hardware locks registers; no field's port is called so."""


class Access(Enum):
    """How software and hardware meet in a field."""

    CONSTANT = "constant"
    """It always reads as the same value."""
    READ = "read"
    """It reads as what hardware gives in the cycle of the read."""
    READ_WRITE = "read_write"
    """It reads as what was last written; hardware sees it."""
    WRITE_ONE_TO_CLEAR = "write_one_to_clear"
    """Hardware sets it: while it is 0 it takes what hardware gives, and then stays. Writing a 1
    into any of its bits clears all of them. What hardware gives in the cycle in which it is cleared
    is taken: no event is lost."""
    PULSE = "pulse"
    """One bit: writing 1 gives hardware one cycle of 1; it reads as 0."""

    @property
    def is_writable(self) -> bool:
        """Whether a write can have an effect."""
        return self not in (Access.CONSTANT, Access.READ)


def _check_name(kind: str, name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"the name of a {kind} must be letters and digits, joined by single underscores and "
            f"led by a letter, not {name!r}"
        )


def _check_range(what: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{what} must be an integer from {low} to {high}, not {value!r}")


@dataclass(frozen=True)
class Field:
    """Some bits of a register.

    Attributes
    ----------
    name : str
        In lower case by convention.
    low_bit, bits : int
        Its place within the 32 bits of its register.
    access : Access
    description : str
        One sentence, or some.
    value : int
        What a constant reads as; what a ``read_write`` field is after reset. Any other field is 0
        after reset, and has none.

    Raises
    ------
    ValueError
        One line that names the offending value and what is allowed.
    """

    name: str
    low_bit: int
    bits: int
    access: Access
    description: str
    value: int = 0

    def __post_init__(self) -> None:
        _check_name("field", self.name)
        _check_range(f"low_bit of {self.name}", self.low_bit, 0, WORD_BITS - 1)
        _check_range(f"bits of {self.name}", self.bits, 1, WORD_BITS - self.low_bit)
        if not isinstance(self.access, Access):
            raise ValueError(f"access of {self.name} must be an Access, not {self.access!r}")
        if self.access is Access.PULSE:
            _check_range(f"bits of {self.name}, a pulse,", self.bits, 1, 1)
        has_value = self.access in (Access.CONSTANT, Access.READ_WRITE)
        _check_range(
            f"value of {self.name}", self.value, 0, (1 << self.bits) - 1 if has_value else 0
        )

    @property
    def mask(self) -> int:
        """Its bits in the word of its register."""
        return ((1 << self.bits) - 1) << self.low_bit


@dataclass(frozen=True)
class Register:
    """A 32-bit word in an address space.

    Attributes
    ----------
    name : str
        In upper case by convention.
    offset : int
        Its address in bytes, a multiple of 4.
    description : str
        One sentence, or some.
    fields : tuple of Field
        They do not overlap; bits that are in none read as 0.
    strobe : bool
        Whether hardware is told of each write.
    locks : bool
        Whether writes are refused while hardware says so.

    Raises
    ------
    ValueError
        One line that names the offending value and what is allowed.
    """

    name: str
    offset: int
    description: str
    fields: tuple[Field, ...]
    strobe: bool = False
    locks: bool = False

    def __post_init__(self) -> None:
        _check_name("register", self.name)
        _check_range(f"offset of {self.name}", self.offset, 0, (1 << WORD_BITS) - WORD_BYTES)
        if self.offset % WORD_BYTES:
            raise ValueError(
                f"offset of {self.name} must be a multiple of {WORD_BYTES}, not {self.offset:#x}"
            )
        if not self.fields:
            raise ValueError(f"{self.name} must have at least one field, not none")
        for one, other in combinations(self.fields, 2):
            if one.mask & other.mask:
                raise ValueError(
                    f"fields of {self.name} must not overlap, as {one.name} and {other.name} do"
                )
            if one.name.lower() == other.name.lower():
                raise ValueError(
                    f"fields of {self.name} must have different names, not {other.name} twice"
                )
        if self.strobe and not self.is_writable:
            raise ValueError(f"{self.name} must have a field that can be written, to have a strobe")
        if self.locks and not self.is_writable:
            raise ValueError(f"{self.name} must have a field that can be written, to be locked")

    @property
    def is_writable(self) -> bool:
        """Whether any of its fields is."""
        return any(field.access.is_writable for field in self.fields)

    def port(self, field: Field) -> str:
        """The name of a field's port in hardware."""
        return f"{self.name}_{field.name}".lower()

    def set_port(self, field: Field) -> str:
        """The name of the port by which hardware sets a ``write_one_to_clear`` field."""
        return f"set_{self.port(field)}"

    @property
    def strobe_port(self) -> str:
        """The name of the port that tells of writes, if it has one."""
        return f"written_{self.name}".lower()


@dataclass(frozen=True)
class RegisterMap:
    """All registers of a slave.

    Attributes
    ----------
    name : str
    description : str
    registers : tuple of Register
        In ascending order of offsets.

    Raises
    ------
    ValueError
        One line that names the offending value and what is allowed.
    """

    name: str
    description: str
    registers: tuple[Register, ...]

    def __post_init__(self) -> None:
        _check_name("register map", self.name)
        if not self.registers:
            raise ValueError(f"{self.name} must have at least one register, not none")
        names = set()
        for before, register in zip((None, *self.registers), self.registers, strict=False):
            if before and before.offset >= register.offset:
                raise ValueError(
                    f"registers of {self.name} must have ascending offsets, not {before.offset:#x} "
                    f"of {before.name} before {register.offset:#x} of {register.name}"
                )
            if register.name.lower() in names:
                raise ValueError(
                    f"registers of {self.name} must have different names, not {register.name} twice"
                )
            names.add(register.name.lower())
        ports: dict[str, str] = {}
        for port, what in self._ports():
            if port in ports:
                raise ValueError(
                    f"{ports[port]} and {what} must have different ports, not both {port}"
                )
            ports[port] = what

    def _ports(self) -> Iterator[tuple[str, str]]:
        for register in self.registers:
            for field in register.fields:
                if field.access is not Access.CONSTANT:
                    yield register.port(field), f"{register.name}.{field.name}"
                if field.access is Access.WRITE_ONE_TO_CLEAR:
                    yield register.set_port(field), f"the setting of {register.name}.{field.name}"
            if register.strobe:
                yield register.strobe_port, f"the strobe of {register.name}"

    @property
    def locks(self) -> bool:
        """Whether any of its registers does."""
        return any(register.locks for register in self.registers)

    @cached_property
    def address_bits(self) -> int:
        """Bits of an address in bytes that tell all registers apart."""
        return max(WORD_BYTES, self.registers[-1].offset + WORD_BYTES - 1).bit_length()

    def __getitem__(self, name: str) -> Register:
        """The register of that name."""
        return {register.name: register for register in self.registers}[name]
