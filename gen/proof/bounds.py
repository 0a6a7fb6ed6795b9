"""Reductions up to the stated length fit the accumulator: plain arithmetic over all values."""

from collections.abc import Iterator
from pathlib import Path

from gen.design.configuration import MAX_ACC_BITS, WEIGHT_BITS, max_reduction
from gen.proof.element import values
from gen.proof.job import Job, Rtl
from gen.proof.verdict import Verdict
from gen.proof.waveform import write_waveform
from golden.format import ACTIVATION_MAX, SparqFormat
from hdl import MacUnit


class OverflowJob(Job):
    """No sum of up to ``max_reduction`` products leaves the accumulator's range.

    For every weight width and every accumulator of an array. A step of two products with the values
    of a pair adds at most ``(v1 + v2) * 2**(weight_bits - 1)``; the largest is found over all pairs
    of bytes, or of magnitudes, whose signs make it as much in both directions. What goes on inside
    may wrap: it is exact modulo two to the accumulator's bits.
    """

    property_name = "overflow"
    says = "no sum of up to max_reduction products leaves the accumulator"
    method = "enumeration"

    def __init__(self, element: MacUnit):
        self.element = element
        self.configuration = element.kind if element.format is None else element.slug
        self.depth = "all pairs of bytes, all widths"

    def rtl(self) -> Rtl:
        """Nothing: ``accumulation`` is about the hardware."""
        return {}

    @property
    def statement(self) -> str:
        """The lengths that are stated."""
        lengths = [self.length(*widths) for widths in self.widths()]
        return f"{self.property_name}: {self.says}; {self.element}: {lengths}"

    def widths(self) -> Iterator[tuple[int, int]]:
        """Weight and accumulator bits of all configurations."""
        for weight_bits in WEIGHT_BITS:
            for acc_bits in range(weight_bits + 9, MAX_ACC_BITS + 1):
                yield weight_bits, acc_bits

    def length(self, weight_bits: int, acc_bits: int) -> int:
        """The stated length."""
        return max_reduction(weight_bits, acc_bits, self._largest)

    @property
    def _signed_format(self) -> SparqFormat | None:
        fmt = self.element.sparq_format
        return fmt if fmt is not None and fmt.signed else None

    @property
    def _largest(self) -> int:
        """The largest activation."""
        return self._signed_format.magnitude_max if self._signed_format else ACTIVATION_MAX

    def prove(self, rtl: Rtl, timeout: float, waveform: Path) -> Verdict:
        """Whole pairs, and an odd last activation, whose partner is zero."""
        waveform.unlink(missing_ok=True)
        element = self.element
        activations = range(self._largest + 1)
        pair = max(sum(values(element, a, b)) for a in activations for b in activations)
        single = max(sum(values(element, a, 0)) for a in activations)
        for weight_bits, acc_bits in self.widths():
            length = self.length(weight_bits, acc_bits)
            largest = 1 << (weight_bits - 1)
            least = -largest * (length // 2 * pair + length % 2 * single)
            most = -least if self._signed_format else -least // largest * (largest - 1)
            if least < -1 << (acc_bits - 1) or most >= 1 << (acc_bits - 1):
                half = length // 2
                steps = [0, -largest * half * pair, least]
                write_waveform(waveform, {"sum": (128, steps), "accumulator": (acc_bits, steps)})
                reason = f"{length} products of {weight_bits}-bit weights pass {acc_bits} bits"
                return Verdict(False, f"{reason}: {waveform}", waveform)
        return Verdict(True)
