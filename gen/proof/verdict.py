"""What a proof attempt ends with."""

from dataclasses import dataclass
from pathlib import Path

from support.errors import RunError


class ProofError(RunError):
    """A proof could not be carried out: one line that says why. The property is not proved."""


@dataclass(frozen=True)
class Verdict:
    """Whether a property is proved; if not, why, and a waveform that shows a counterexample."""

    proved: bool
    reason: str = ""
    waveform: Path | None = None
