"""AXI4 master ports of one ID, with names that tools group into one interface."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from amaranth.hdl import Value
from amaranth.lib.wiring import Flow, In, Member, Out

from hdl.bus.axi4_lite import BYTE_BITS

DATA_BITS = (32, 64, 128, 256)
MIN_ADDRESS_BITS, MAX_ADDRESS_BITS = 13, 64
PAGE_BYTES = 4096
"""No burst goes on beyond a multiple of it."""
MAX_BURST = 256
ID_BITS = 1
LENGTH_BITS = 8
RESPONSE_BITS = 2
INCREMENTING = 0b01
BUFFERABLE_MODIFIABLE = 0b0011
"""Of memory: what stands between may hold a write back, and cut or join bursts."""


@dataclass(frozen=True)
class Axi4Bus:
    """What an AXI4 master port is: the one description that all parts behind it have.

    Attributes
    ----------
    data_bits : int, one of :data:`DATA_BITS`
        Of a beat.
    address_bits : int, from 13 to 64
    max_burst : int
        Beats of the longest burst: a power of two, at most 256, and no more than 4 KiB.

    Raises
    ------
    ValueError
        One line that names the offending value and what is allowed.
    """

    data_bits: int = 128
    address_bits: int = 64
    max_burst: int = 16

    def __post_init__(self) -> None:
        if type(self.data_bits) is not int or self.data_bits not in DATA_BITS:
            allowed = ", ".join(map(str, DATA_BITS))
            raise ValueError(f"data_bits must be one of {allowed}, not {self.data_bits!r}")
        bits = self.address_bits
        if type(bits) is not int or not MIN_ADDRESS_BITS <= bits <= MAX_ADDRESS_BITS:
            raise ValueError(
                f"address_bits must be an integer from {MIN_ADDRESS_BITS} to {MAX_ADDRESS_BITS}, "
                f"not {bits!r}"
            )
        longest = min(MAX_BURST, PAGE_BYTES // self.beat_bytes)
        beats = self.max_burst
        if type(beats) is not int or not 1 <= beats <= longest or beats & (beats - 1):
            raise ValueError(
                f"max_burst must be a power of two from 1 to {longest} with beats of "
                f"{self.data_bits} bits, not {beats!r}"
            )

    @property
    def beat_bytes(self) -> int:
        """Bytes of a beat."""
        return self.data_bits // BYTE_BITS

    @property
    def size(self) -> int:
        """The bytes of a beat as AXI4 has them: the logarithm."""
        return self.beat_bytes.bit_length() - 1


class _Signal(NamedTuple):
    name: str
    flow: Flow
    bits: int
    meaning: str
    value: int = 0
    """Of one that never changes."""


def _address(bus: Axi4Bus, channel: str, what: str) -> Iterator[_Signal]:
    for name, bits, meaning, value in (
        ("id", ID_BITS, f"ID of a burst of {what}: 0.", 0),
        ("addr", bus.address_bits, "Address of its first byte: a multiple of a beat's bytes.", 0),
        ("len", LENGTH_BITS, "Its beats but one.", 0),
        ("size", 3, f"Bytes of a beat, as a power of two: {bus.size}.", bus.size),
        ("burst", 2, "Its addresses increase: 1.", INCREMENTING),
        ("cache", 4, "Its memory is bufferable and modifiable: 3.", BUFFERABLE_MODIFIABLE),
        ("prot", 3, "Its protection: unprivileged, secure, data: 0.", 0),
        ("valid", 1, f"A burst of {what} is offered, until it is taken.", 0),
    ):
        yield _Signal(f"{channel}{name}", Out, bits, meaning, value)
    yield _Signal(f"{channel}ready", In, 1, f"A burst of {what} that is offered is taken.")


def _read_signals(bus: Axi4Bus) -> Iterator[_Signal]:
    yield from _address(bus, "ar", "reads")
    yield _Signal("rid", In, ID_BITS, "ID of the burst that a beat is of; not read.")
    yield _Signal("rdata", In, bus.data_bits, "A beat that was read.")
    yield _Signal("rresp", In, RESPONSE_BITS, "How that went: 0 or 1 done, 2 or 3 an error.")
    yield _Signal("rlast", In, 1, "The beat is the last one of its burst.")
    yield _Signal("rvalid", In, 1, "A beat is offered.")
    yield _Signal("rready", Out, 1, "A beat that is offered is taken.")


def _write_signals(bus: Axi4Bus) -> Iterator[_Signal]:
    strobes = bus.beat_bytes
    yield from _address(bus, "aw", "writes")
    yield _Signal("wdata", Out, bus.data_bits, "A beat to write.")
    yield _Signal("wstrb", Out, strobes, "Which bytes of it are written: all.", (1 << strobes) - 1)
    yield _Signal("wlast", Out, 1, "The beat is the last one of its burst.")
    yield _Signal("wvalid", Out, 1, "A beat is offered, until it is taken.")
    yield _Signal("wready", In, 1, "A beat that is offered is taken.")
    yield _Signal("bid", In, ID_BITS, "ID of the burst that a response is of; not read.")
    yield _Signal("bresp", In, RESPONSE_BITS, "How it went: 0 or 1 done, 2 or 3 an error.")
    yield _Signal("bvalid", In, 1, "The response of a burst of writes is offered.")
    yield _Signal("bready", Out, 1, "A response that is offered is taken.")


def _members(prefix: str, signals: Iterator[_Signal]) -> dict[str, Member]:
    return {
        f"{prefix}_{own.name}": Member(own.flow, own.bits, init=own.value or None)
        for own in signals
    }


def axi4_read_members(bus: Axi4Bus, prefix: str) -> dict[str, Member]:
    """The members of a component that reads as a master.

    They are plain ones, not of an interface: ``PREFIX_araddr`` is what tools such as Vivado
    recognize. What never changes need not be driven.
    """
    return _members(prefix, _read_signals(bus))


def axi4_write_members(bus: Axi4Bus, prefix: str) -> dict[str, Member]:
    """The members of a component that writes as a master, likewise."""
    return _members(prefix, _write_signals(bus))


def axi4_meanings(bus: Axi4Bus, prefix: str) -> dict[str, str]:
    """What each of all these members is, for ``port_meanings`` of a component."""
    signals = (*_read_signals(bus), *_write_signals(bus))
    return {f"{prefix}_{own.name}": own.meaning for own in signals}


def has_failed(response: Value) -> Value:
    """Whether a response tells of an error, of the slave or of the address."""
    return response[1]
