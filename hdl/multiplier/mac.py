"""What a multiply-accumulate unit is."""

from dataclasses import dataclass

from golden.format import SparqFormat
from hdl.multiplier.multiplier import Multiplier


@dataclass(frozen=True)
class Mac:
    """A description, of a unit and of what the edges do for it; components are built from it.

    Attributes
    ----------
    multiplier : Multiplier
    acc_bits : int
        Width of the accumulator. A sum that does not fit wraps.
    pipeline : int, 0 to 2, in behavioral style to 3
        Registers between operands and accumulator. In structural style before the addition (1), and
        also within the multiplication (2); in behavioral style after the multiplication (1),
        before it (2), and a second time after it (3).
    takes_bytes : bool
        Machines take signed activations as bytes; otherwise taken apart, as signs and magnitudes.
    """

    multiplier: Multiplier
    acc_bits: int = 32
    pipeline: int = 0
    takes_bytes: bool = True

    @property
    def k_per_cycle(self) -> int:
        """Activations, and steps of the reduction, per cycle."""
        return self.multiplier.k_per_cycle

    @property
    def split_format(self) -> SparqFormat | None:
        """The signed format of the bytes that machines take apart; none where they need not."""
        return self.multiplier.signed_format if self.takes_bytes else None

    @property
    def latency(self) -> int:
        """Cycles from the operands of a sum's last slice to its result."""
        return self.pipeline + 2

    @property
    def row_bias_bits(self) -> int:
        """Width of a sum of row biases, in units of the largest power of two in ``row_scale``."""
        return self.multiplier.row_bias_bits(self.acc_bits)
