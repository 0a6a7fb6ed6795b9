"""What a scratchpad is."""

from dataclasses import dataclass

from hdl.bus.axi4_lite import BYTE_BITS

MAX_BANKS = 128
MAX_WORD_BYTES = 32
MAX_LINES = 1 << 16


@dataclass(frozen=True)
class ScratchpadShape:
    """Sizes of a scratchpad: the one description that all parts around it have.

    A line is a word of each bank, bank 0 low; it comes and goes in beats, the first one low.

    Attributes
    ----------
    banks : int, a power of two from 2 to 128
    word_bytes : int, a power of two from 1 to 32
        Of each bank's words.
    lines : int, a power of two from 2 to 65536
        Words of each bank.
    beat_bits : int, a power of two from 8
        Of what is loaded and stored at a time; at most a line.

    Raises
    ------
    ValueError
        One line that names the offending value and what is allowed.
    """

    banks: int
    word_bytes: int
    lines: int
    beat_bits: int

    def __post_init__(self) -> None:
        for name, low, high in (
            ("banks", 2, MAX_BANKS),
            ("word_bytes", 1, MAX_WORD_BYTES),
            ("lines", 2, MAX_LINES),
        ):
            self._check(name, low, high)
        self._check("beat_bits", BYTE_BITS, self.line_bits)

    def _check(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        if type(value) is not int or not low <= value <= high or value & (value - 1):
            raise ValueError(f"{name} must be a power of two from {low} to {high}, not {value!r}")

    @property
    def word_bits(self) -> int:
        """Bits of a word of a bank."""
        return BYTE_BITS * self.word_bytes

    @property
    def line_bits(self) -> int:
        """Bits of a line."""
        return self.banks * self.word_bits

    @property
    def beats_per_line(self) -> int:
        """Beats of a line."""
        return self.line_bits // self.beat_bits

    @property
    def rows(self) -> int:
        """The most pixels that are written at a time: half the banks."""
        return self.banks // 2
