"""What an accumulator's netlist does in one cycle, for any contents: read off its adders."""

from collections.abc import Mapping
from dataclasses import dataclass

from gen.proof.gates import FLIP_FLOP, Gates, Net, linear
from gen.proof.verdict import ProofError


@dataclass(frozen=True, eq=False)
class AccumulatorNets:
    """The nets of an accumulator.

    Its value is ``low + 2**len(low) * (high + carry)``, modulo two to all its bits. The carry has
    one bit; or, in behavioral style, it is all that one cycle added, a signed number, and there is
    no lower half.
    """

    low: list[Net]
    high: list[Net]
    carry: list[Net]
    clear: Net
    #: What the upper half shows next, unless it is cleared: high + carry.
    counted: list[Net]
    #: The nets that are added, and the weight of each.
    addends: Mapping[Net, int]

    @property
    def total(self) -> list[Net]:
        """The nets that show the value."""
        return self.low + self.counted

    @property
    def registers(self) -> list[Net]:
        """All that it holds, and what clears it."""
        return [*self.low, *self.high, *self.carry, self.clear]

    def sum_nets(self, gates: Gates) -> list[Net]:
        """The lower half and its carry as they will be next."""
        return [gates.next_value(net) for net in self.low + self.carry]


def read_accumulator(gates: Gates) -> AccumulatorNets:
    """Prove how an accumulator adds, whatever it holds; its nets.

    With ``value`` as :class:`AccumulatorNets` says and the sum of ``addends``, each times its
    weight, from 0 to below ``2**len(low)``, or what a signed carry holds::

        value in the next cycle = (0 if clear else value) + sum of addends

    Raises :class:`ProofError` where the netlist does not show that.
    """
    gates.check_adders()
    low, high = accumulator_registers(gates)
    counted, clear = _upper_half(gates, high)
    carry = _carry(gates, high, counted)
    bits = len(low) + len(carry)
    # The lower half: low' + 2**len(low) * carry' = kept + addends, modulo 2**bits.
    nets = AccumulatorNets(low, high, carry, clear or "", counted, {})
    sums = nets.sum_nets(gates)
    if len(set(sums)) < len(sums):
        raise ProofError("two bits of the sum are one net")
    weights = linear(gates, {net: 1 << exponent for exponent, net in enumerate(sums)}, 1 << bits)
    addends: dict[Net, int] = {}
    kept: set[int] = set()
    for net, weight in weights.items():
        _, leaves = gates.cone([net], stop=lambda cell: cell.is_adder or cell.kind == FLIP_FLOP)
        own = [exponent for exponent, register in enumerate(low) if register in leaves]
        if not own:
            addends[net] = weight
            continue
        exponent = own[0]
        others = [leaf for leaf in leaves if leaf != low[exponent] and leaf not in ("0", "1")]
        clear = clear or (others[0] if others else None)
        if clear is None or others != [clear]:
            raise ProofError(f"{gates.name(net)} is not low[{exponent}] unless cleared")
        if gates.truth(net, [low[exponent], clear]) != [0, 0, 1, 0] or weight != 1 << exponent:
            raise ProofError(f"{gates.name(net)} does not keep low[{exponent}] in its place")
        if exponent in kept:
            raise ProofError(f"low[{exponent}] is added twice")
        kept.add(exponent)
    if clear is None or kept != set(range(len(low))):
        raise ProofError("not all bits of the accumulator are kept")
    return AccumulatorNets(low, high, carry, clear, counted, addends)


def accumulator_registers(gates: Gates) -> tuple[list[Net], list[Net]]:
    """The lower half and the upper one, by the names of their signals."""
    if value := gates.signals.get("accumulator_value"):
        return [], value
    return gates.signal("accumulator_low"), gates.signals.get("accumulator_high", [])


def _upper_half(gates: Gates, high: list[Net]) -> tuple[list[Net], Net | None]:
    """What the upper half takes unless it is cleared, and what clears it."""
    counted: list[Net] = []
    clear: Net | None = None
    for register in high:
        _, leaves = gates.cone(
            [gates.next_value(register)],
            stop=lambda cell: cell.is_adder or cell.kind == FLIP_FLOP,
        )
        sums = [leaf for leaf in leaves if leaf in gates.drivers and gates.drivers[leaf].is_adder]
        flags = [leaf for leaf in leaves if leaf not in sums and leaf not in ("0", "1")]
        if len(sums) != 1 or len(flags) != 1 or clear not in (None, flags[0]):
            raise ProofError(f"{gates.name(register)} is not a count that one bit clears")
        clear = flags[0]
        if gates.truth(gates.next_value(register), [sums[0], clear]) != [0, 0, 1, 0]:
            raise ProofError(f"{gates.name(register)} is not cleared as it must be")
        counted.append(sums[0])
    return counted, clear


def _carry(gates: Gates, high: list[Net], counted: list[Net]) -> list[Net]:
    """The bits that the upper half adds to itself: one, or a signed number."""
    if not high:
        return []
    powers = {net: 1 << exponent for exponent, net in enumerate(counted)}
    weights = linear(gates, powers, 1 << len(high))
    for exponent, net in enumerate(high):
        if weights.pop(net, 0) != 1 << exponent:
            raise ProofError(f"the upper half does not count {gates.name(net)} in its place")
    modulus = 1 << len(high)
    carry = sorted((net for net, weight in weights.items() if weight), key=weights.__getitem__)
    powers_of_two = [1 << exponent for exponent in range(len(carry))]
    signed = [*powers_of_two[:-1], *(-power % modulus for power in powers_of_two[-1:])]
    if not carry or [weights[net] for net in carry] not in ([1], signed):
        raise ProofError("the upper half does not add one carry")
    for net in carry:
        gates.next_value(net)  # a register
    return carry


def check_feed_forward(
    gates: Gates, accumulator: AccumulatorNets, operands: set[Net], latency: int
) -> None:
    """Prove that addends depend on ``operands`` alone, as they were ``latency`` cycles before.

    Raises :class:`ProofError` where they do not.
    """
    found = gates.latencies(accumulator.addends, accumulator.registers)
    for net, depths in found.items():
        if net not in operands:
            raise ProofError(f"what is added depends on {gates.name(net)}")
        if depths != {latency}:
            raise ProofError(
                f"{gates.name(net)} reaches the sum {sorted(depths)} cycles late, not {latency}"
            )
