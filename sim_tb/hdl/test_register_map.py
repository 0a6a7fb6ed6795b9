"""Tables of registers: what they refuse, and that of the engine."""

from collections.abc import Callable
from typing import Any

import pytest

from golden.named import NamedFormat
from hdl.bus.register_map import Access, Field, Register, RegisterMap
from hdl.engine.engine_registers import COUNTERS, ErrorCode, engine_registers
from sim_tb.hdl.register_maps import ENGINE, engine, signed_engine

READ_WRITE, CONSTANT = Access.READ_WRITE, Access.CONSTANT


def field(
    name: Any = "f", low_bit: Any = 0, bits: Any = 1, access: Any = READ_WRITE, value: Any = 0
) -> Field:
    return Field(name, low_bit, bits, access, "A field.", value)


BIT = field()


def register(name: Any = "R", offset: Any = 0, fields: Any = (BIT,), **more: bool) -> Register:
    return Register(name, offset, "A register.", fields, **more)


def table(*registers: Register, name: Any = "map") -> RegisterMap:
    return RegisterMap(name, "A table.", registers)


NAMES = "must be letters and digits, joined by single underscores and led by a letter, not"

REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: field(name="1st"), f"the name of a field {NAMES} '1st'"),
    (lambda: field(name="a__b"), f"the name of a field {NAMES} 'a__b'"),
    (lambda: field(low_bit=32), "low_bit of f must be an integer from 0 to 31, not 32"),
    (lambda: field(low_bit=True), "low_bit of f must be an integer from 0 to 31, not True"),
    (lambda: field(low_bit=30, bits=3), "bits of f must be an integer from 1 to 2, not 3"),
    (lambda: field(bits=0), "bits of f must be an integer from 1 to 32, not 0"),
    (lambda: field(access="rw"), "access of f must be an Access, not 'rw'"),
    (
        lambda: field(bits=2, access=Access.PULSE),
        "bits of f, a pulse, must be an integer from 1 to 1, not 2",
    ),
    (
        lambda: field(bits=4, access=CONSTANT, value=16),
        "value of f must be an integer from 0 to 15, not 16",
    ),
    (lambda: field(value=-1), "value of f must be an integer from 0 to 1, not -1"),
    (
        lambda: field(access=Access.READ, value=1),
        "value of f must be an integer from 0 to 0, not 1",
    ),
    (lambda: register(name="_R"), f"the name of a register {NAMES} '_R'"),
    (lambda: register(offset=-4), "offset of R must be an integer from 0 to 4294967292, not -4"),
    (lambda: register(offset=6), "offset of R must be a multiple of 4, not 0x6"),
    (lambda: register(fields=()), "R must have at least one field, not none"),
    (
        lambda: register(fields=(field("a", 0, 4), field("b", 8, 2), field("c", 3, 2))),
        "fields of R must not overlap, as a and c do",
    ),
    (
        lambda: register(fields=(field("a", 0), field("A", 1))),
        "fields of R must have different names, not A twice",
    ),
    (
        lambda: register(fields=(field(access=CONSTANT),), strobe=True),
        "R must have a field that can be written, to have a strobe",
    ),
    (
        lambda: register(fields=(field(access=CONSTANT),), locks=True),
        "R must have a field that can be written, to be locked",
    ),
    (lambda: table(register(), name=""), f"the name of a register map {NAMES} ''"),
    (lambda: table(), "map must have at least one register, not none"),
    (
        lambda: table(register("A", 4), register("B", 4)),
        "registers of map must have ascending offsets, not 0x4 of A before 0x4 of B",
    ),
    (
        lambda: table(register("A", 0), register("a", 4)),
        "registers of map must have different names, not a twice",
    ),
    (
        lambda: table(register("A", 0, (field("b_c"),)), register("A_B", 4, (field("c"),))),
        "A.b_c and A_B.c must have different ports, not both a_b_c",
    ),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[text for _, text in REFUSED])
def test_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  # the whole text is compared
        make()
    assert str(error.value) == message


def test_address_bits() -> None:
    assert table(register(offset=0)).address_bits == 3
    assert table(register(offset=4)).address_bits == 3
    assert table(register(offset=8)).address_bits == 4
    assert engine_registers(**ENGINE).address_bits == 8


def word(registers: RegisterMap, name: str) -> int:
    """What a register of constants reads as."""
    fields = registers[name].fields
    assert all(own.access is CONSTANT for own in fields)
    return sum(own.value << own.low_bit for own in fields)


def test_constants_of_the_engine() -> None:
    registers = engine_registers(**ENGINE)
    assert word(registers, "IDENTIFICATION") == 0x53505251
    assert word(registers, "VERSION") == 0x010203
    assert word(registers, "HASH_HIGH") == 0x01234567
    assert word(registers, "HASH_LOW") == 0x89ABCDEF
    assert word(registers, "SIZE") == 24 << 16 | 12
    assert word(registers, "WIDTHS") == 3 << 24 | 28 << 16 | 5 << 8 | 2
    encoded = 10 << 24 | 1 << 7 | 0 << 6
    assert word(registers, "FORMAT") == encoded | 0b10101 << 16 | 4 << 8 | 0 << 5 | 1 << 4 | 4
    assert word(registers, "BUFFERS") == 4 << 16 | 512
    assert word(registers, "QUEUES") == 128 << 16 | 2 << 8 | 4
    exact = {**ENGINE, "format": None, "encoded_output": False}
    assert word(engine_registers(**exact), "FORMAT") == 0
    trimmed = NamedFormat("7opt", rounding=False)
    own = {"format": trimmed, "encoded_input": True, "encoded_output": False}
    registers = engine_registers(**{**ENGINE, **own})
    assert word(registers, "FORMAT") == 9 << 24 | 0b1111111 << 16 | 1 << 8 | 1 << 6 | 1 << 5 | 2


def test_offsets_of_the_engine() -> None:
    """They are a contract with software: nothing moves."""
    offsets = {own.name: own.offset for own in engine_registers(**ENGINE).registers}
    names = "IDENTIFICATION VERSION HASH_HIGH HASH_LOW SIZE WIDTHS FORMAT BUFFERS QUEUES CONTROL"
    names += " STATUS ERROR INTERRUPT INTERRUPT_ENABLE COMPLETED"
    expected = {name: 4 * index for index, name in enumerate(names.split())}
    for index, name in enumerate(["TILES_M", "TILES_N", "DEPTH", "MODE", "START"]):
        expected[name] = 0x40 + 4 * index
    expected["COUNTER_CONTROL"] = 0x60
    counters = "CYCLES BUSY WAIT_ACTIVATIONS WAIT_WEIGHTS WAIT_OUTPUT PAIRS PAIRS_WITH_ZERO"
    assert list(COUNTERS) == [*counters.split(), "ZERO_PAIRS"]
    for index, name in enumerate(COUNTERS):
        expected |= {f"{name}_LOW": 0x80 + 8 * index, f"{name}_HIGH": 0x84 + 8 * index}
    assert offsets == expected


def test_error_codes() -> None:
    assert [code.value for code in ErrorCode] == [1, 2, 3, 4, 5, 6]
    (code,) = signed_engine()["ERROR"].fields
    for error in ErrorCode:
        assert f"{error.value}: {error.description}" in code.description
    (unsigned,) = engine_registers(**ENGINE)["ERROR"].fields
    assert code.description == f"{unsigned.description} 6: {ErrorCode.ZERO_POINT.description}"


def test_registers_of_signed_activations() -> None:
    """One more, where a command has a zero point; and what the activations are."""
    names = [[own.name for own in table.registers] for table in (engine(), signed_engine())]
    names[0].insert(names[0].index("COUNTER_CONTROL"), "ZERO_POINT")
    assert names[0] == names[1]
    assert signed_engine()["ZERO_POINT"].offset == 0x54
    for name, encoded, bits in (("s4opt", False, 1), ("s5opt", False, 3), ("s5opt", True, 3)):
        own = {"format": NamedFormat(name), "encoded_input": encoded, "encoded_output": False}
        registers = engine_registers(**{**ENGINE, **own})
        assert word(registers, "FORMAT") >> 13 & 3 == bits
        assert ("ZERO_POINT" in [own.name for own in registers.registers]) is not encoded


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("rows", 65536, "value of rows must be an integer from 0 to 65535, not 65536"),
        ("command_depth", 256, "value of command_depth must be an integer from 0 to 255, not 256"),
        ("version", (1, 2), "version must be three integers, not (1, 2)"),
        (
            "configuration_hash",
            "0123",
            "configuration_hash must be 16 hexadecimal digits in lower case, not '0123'",
        ),
    ],
)
def test_what_an_engine_cannot_say(option: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  # the whole text is compared
        engine_registers(**{**ENGINE, option: value})
    assert str(error.value) == message
