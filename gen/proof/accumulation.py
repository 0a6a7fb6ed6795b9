"""Accumulation, for ever: by induction over the netlists of an element and of its biases."""

import random
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

from gen.proof.accumulator_nets import (
    accumulator_registers,
    check_feed_forward,
    read_accumulator,
)
from gen.proof.element import element_rtl
from gen.proof.gates import FLIP_FLOP, Gates, Net, lane_values, unpack
from gen.proof.job import ElementJob, Rtl
from gen.proof.verdict import ProofError, Verdict
from gen.proof.waveform import write_waveform

OPERANDS = {
    "pe": ("activation_in", "weight_in"),
    "row_bias": ("activation",),
    "column_correction": ("weight",),
}
RESULTS = {"pe": ("result_in", "result_out"), "row_bias": ("bias_in", "bias_out")}
CONTROL = {"last_in": "last_out", "drain_in": "drain_out"}
"""Of an element, its inputs and the registers that show them; what is at the edges has none."""

LANES = 256
ROUNDS = 20


class AccumulationJob(ElementJob):
    """Every register of a sum takes what it must, in every cycle, whatever it holds.

    Read off the netlist of the element and of each accumulator of biases::

        value'  = (0 if last else value) + what the operands add    (a bubble adds what zeros add)
        result' = value if last else (result from above if drain else result)

    where last and drain are the inputs, those of an element of the cycle before. So from the first
    last on, by induction, what is handed over with a last is the sum of all steps since the one
    before.
    """

    property_name = "accumulation"
    says = "clear, bubble, last and drain: what leaves is the sum of all steps between two lasts"
    method = "induction on the netlist"
    depth = "unbounded"

    def rtl(self) -> Rtl:
        """The element and what accumulates its biases."""
        return {name: text for name, text in element_rtl(self.element).items() if name in OPERANDS}

    @property
    def statement(self) -> str:
        """For the hash."""
        return f"{self.property_name}: {self.says}; {self.element}"

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Each netlist by itself; where one fails, look for a step that shows it."""
        waveform.unlink(missing_ok=True)
        for part, verilog in rtl.items():
            gates = Gates.of(verilog, part, timeout)
            try:
                check_accumulation(gates, part, self.element.pipeline)
            except ProofError as error:
                shown = find_wrong_step(gates, part)
                if shown is None:
                    raise ProofError(f"{part}: {error}; no counterexample found") from None
                write_waveform(waveform, shown)
                return Verdict(False, f"{part}: {error}: {waveform}", waveform)
        return Verdict(True)


def check_accumulation(gates: Gates, part: str, pipeline: int) -> None:
    """Prove the equations of :class:`AccumulationJob`; raises :class:`ProofError`."""
    accumulator = read_accumulator(gates)
    operands = {net for port in OPERANDS[part] for net in gates.inputs[port]}
    check_feed_forward(gates, accumulator, operands, pipeline)
    if part != "pe" and sum(accumulator.addends.values()) >= 1 << len(accumulator.low):
        # That of an element is bounded by the enumeration of its steps.
        raise ProofError("the biases of one cycle do not fit the lower half")
    if accumulator.clear != _control(gates, "last"):
        raise ProofError(f"{gates.name(accumulator.clear)} clears the accumulator, not last")
    if part == "pe":
        for source, register in CONTROL.items():
            _require_register(gates, gates.signal(register)[0], gates.inputs[source][0])
    if part not in RESULTS:
        return
    drain = _control(gates, "drain")
    above, results = (gates.ports[port] for port in RESULTS[part])
    if len(results) != len(accumulator.total):
        raise ProofError(f"the sum has {len(accumulator.total)} bits, the result {len(results)}")
    for total, neighbour, result in zip(accumulator.total, above, results, strict=True):
        variables = [accumulator.clear, drain, total, neighbour, result]
        expected = [t if c else n if s else r for c, s, t, n, r in product((0, 1), repeat=5)]
        if gates.truth(gates.next_value(result), variables) != expected:
            raise ProofError(f"{gates.name(result)} does not take what it must")


def _require_register(gates: Gates, register: Net, source: Net) -> None:
    """``register`` takes ``source``, and is 0 after reset."""
    reset = gates.inputs["rst"][0]
    if gates.truth(gates.next_value(register), [reset, source]) != [0, 1, 0, 0]:
        raise ProofError(f"{gates.name(register)} is not {gates.name(source)} one cycle later")


def _control(gates: Gates, name: str) -> Net:
    """What acts as last or drain: an input, or a register of one."""
    own = gates.inputs.get(name)
    return own[0] if own else gates.signal(f"{name}_out")[0]


def find_wrong_step(gates: Gates, part: str) -> dict[str, tuple[int, list[int]]] | None:
    """A cycle in which the registers do not take what they must, from random states; or none.

    Signals by name: their width, and their values before and after.
    """
    randomness = random.Random(1)
    registers = [cell for cell in gates.cells if cell.kind == FLIP_FLOP]
    for _ in range(ROUNDS):
        values: dict[Net, int] = {
            cell.pins["Q"]: randomness.getrandbits(LANES) for cell in registers
        }
        values |= {
            net: randomness.getrandbits(LANES) for nets in gates.inputs.values() for net in nets
        }
        values[gates.inputs["rst"][0]] = 0
        step = _Step(gates, part, values)
        for lane, wrong in enumerate(step.wrong()):
            if wrong:
                return step.shown(lane)
    return None


class _Step:
    """One cycle in many lanes: values of signals before and after, and as they must be."""

    def __init__(self, gates: Gates, part: str, values: Mapping[Net, int]):
        self._gates = gates
        self._part = part
        self._values = values
        self._low, self._high = accumulator_registers(gates)
        self._carry = self._carry_nets()
        self._clear = _control(gates, "last")

    def wrong(self) -> Iterator[bool]:
        """Of each lane, whether a register is wrong after the cycle."""
        after, must_be = self._after(), self._must_be()
        for lane in range(LANES):
            yield any(after[name][lane] != values[lane] for name, values in must_be.items())

    def shown(self, lane: int) -> dict[str, tuple[int, list[int]]]:
        """All that is public, before and after, and what it must be after."""
        gates, values = self._gates, self._values
        signals = {**gates.inputs, **self._registers()}
        after, must_be = self._after(), self._must_be()
        shown = {}
        for name, nets in signals.items():
            before = lane_values([values[net] for net in nets], LANES)[lane]
            later = [after[name][lane]] if name in after else []
            shown[name] = (len(nets), [before, *later])
        for name, expected in must_be.items():
            shown[f"{name}_expected"] = (len(signals[name]), [0, expected[lane]])
        return shown

    def _registers(self) -> dict[str, list[Net]]:
        registers = {"low": self._low, "high": self._high}
        if self._part == "pe":
            registers |= {name: self._gates.signal(name) for name in CONTROL.values()}
        registers["carry"] = self._carry
        if self._part in RESULTS:
            registers["result"] = self._gates.ports[RESULTS[self._part][1]]
        return {name: nets for name, nets in registers.items() if nets}

    def _carry_nets(self) -> list[Net]:
        if not self._high:
            return []
        for name in ("accumulator_carry", "accumulator_pending"):
            if name in self._gates.signals:
                return self._gates.signals[name]
        for cell in self._gates.cells:
            if cell.is_adder and self._high[0] in cell.inputs:
                return [next(net for net in cell.inputs if net != self._high[0])]
        return []

    def _next(self, nets: list[Net], values: Mapping[Net, int]) -> list[int]:
        roots = [self._gates.next_value(net) for net in nets]
        known = self._gates.evaluate(roots, values, LANES)
        return lane_values([known[root] for root in roots], LANES)

    def _now(self, nets: list[Net]) -> list[int]:
        return lane_values([self._values[net] for net in nets], LANES)

    def _after(self) -> dict[str, list[int]]:
        return {name: self._next(nets, self._values) for name, nets in self._registers().items()}

    def _must_be(self) -> dict[str, list[int]]:
        gates, values = self._gates, self._values
        clear = unpack(values[self._clear], LANES)
        low, high = self._now(self._low), self._now(self._high)
        carry = self._now(self._carry)
        if len(self._carry) > 1:  # it is signed
            top = 1 << (len(self._carry) - 1)
            carry = [(value ^ top) - top for value in carry]
        sum_nets = self._low + self._carry
        cleared = {**values, self._clear: (1 << LANES) - 1}
        added = self._next(sum_nets, cleared)
        high_modulus = 1 << len(self._high)
        total = [
            value + ((upper + bit) % high_modulus << len(self._low))
            for value, upper, bit in zip(low, high, carry, strict=True)
        ]
        sums = [
            ((0 if c else value) + add) % (1 << len(sum_nets))
            for c, value, add in zip(clear, low, added, strict=True)
        ]
        must_be: dict[str, list[int]] = {}
        if self._low:
            must_be["low"] = [value % (1 << len(self._low)) for value in sums]
        if self._carry:
            must_be["carry"] = [value >> len(self._low) for value in sums]
        if self._high:
            must_be["high"] = [
                0 if c else (upper + bit) % high_modulus
                for c, upper, bit in zip(clear, high, carry, strict=True)
            ]
        if self._part == "pe":
            for source, register in CONTROL.items():
                must_be[register] = unpack(values[gates.inputs[source][0]], LANES)
        if self._part in RESULTS:
            above, result = (self._now(gates.ports[port]) for port in RESULTS[self._part])
            drains = unpack(values[_control(gates, "drain")], LANES)
            must_be["result"] = [
                t if c else a if s else r
                for c, t, a, s, r in zip(clear, total, above, drains, result, strict=True)
            ]
        return must_be
