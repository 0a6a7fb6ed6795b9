"""What the activations and the weights of an evaluation's rows can be, by name."""

from dataclasses import dataclass
from typing import Any

from golden import BLOCK_FORMATS, BlockFormat, NamedFormat
from golden.named import FORMAT_HELP, SIGNED_HELP, format_fields
from networks.quantization.quantize import AFFINE, SIGNED_BYTES, SYMMETRIC

AUTO = "auto"
AUTO_UNSIGNED, AUTO_SIGNED = "5opt", "s5opt"
EIGHT_BITS = "8bit"

ACTIVATION_HELP = (
    f"{FORMAT_HELP}; of signed activations {SIGNED_HELP}; one for layers whose input cannot be "
    f"negative and one for the others such as 5opt+s4opt; {AUTO}; {', '.join(BLOCK_FORMATS)}"
)
WEIGHT_HELP = f"{EIGHT_BITS}, {SIGNED_HELP}, {', '.join(BLOCK_FORMATS)}"


@dataclass(frozen=True)
class MixedFormat:
    """A window format for layers whose input cannot be negative, and one for the others.

    ``automatic`` ones are not for layers that they make too much noise in.
    """

    unsigned: NamedFormat
    signed: NamedFormat
    automatic: bool = False

    @property
    def name(self) -> str:
        """Such as ``5opt+s4opt``."""
        return AUTO if self.automatic else f"{self.unsigned.name}+{self.signed.name}"

    @property
    def label(self) -> str:
        """The name and the options, which both have."""
        return self.name + self.unsigned.label.removeprefix(self.unsigned.name)

    @property
    def fields(self) -> dict[str, Any]:
        """As plain data."""
        return format_fields(self.unsigned) | {"format": self.name}


Activations = NamedFormat | MixedFormat | BlockFormat
Weights = NamedFormat | BlockFormat


def canonical_name(name: str) -> str:
    """The one name of a format; ``ValueError`` with what is allowed."""
    return activations_of(name).name


def activations_of(
    name: str, rounding: bool = True, vsparq: bool = True, group: int = 1
) -> Activations:
    """The format of activations that is called ``name``; ``ValueError`` with what is allowed.

    The options are those of a window format, and mean nothing for a block format.
    """
    options = rounding, vsparq, group
    if name in BLOCK_FORMATS:
        return BLOCK_FORMATS[name]
    if name == AUTO:
        return MixedFormat(
            NamedFormat(AUTO_UNSIGNED, *options), NamedFormat(AUTO_SIGNED, *options), True
        )
    parts = [_windows(part, name, *options) for part in name.split("+")]
    if len(parts) == 1:
        return parts[0]
    if len(parts) != 2 or [part.sparq_format.signed for part in parts] != [False, True]:
        raise ValueError(
            f"format must be of unsigned and of signed activations, as in 5opt+s4opt, not {name!r}"
        )
    return MixedFormat(parts[0], parts[1])


def _windows(part: str, name: str, *options: Any) -> NamedFormat:
    try:
        return NamedFormat(part, *options)
    except ValueError as error:
        if str(error).startswith(f"format {part}: "):
            raise
        raise ValueError(f"format must be one of {ACTIVATION_HELP}, not {name!r}") from None


def weights_of(name: str, group: int = 1) -> Weights | None:
    """The format of weights that is called ``name``; None for integers.

    A window format is one of sign and magnitude of 7 bits, each ``group`` of weights along K with
    one shift. Raises ``ValueError`` with what is allowed.
    """
    if name == EIGHT_BITS:
        return None
    if name in BLOCK_FORMATS:
        return BLOCK_FORMATS[name]
    try:
        fmt = NamedFormat(name, vsparq=False, group=group)
    except ValueError as error:
        if str(error).startswith(f"format {name}: "):
            raise
        fmt = None
    if fmt is None or not fmt.sparq_format.signed:
        raise ValueError(f"weight-formats must be some of {WEIGHT_HELP}, not {name!r}")
    return fmt


def weights_name(name: str) -> str:
    """The one name of a format of weights; ``ValueError`` with what is allowed."""
    fmt = weights_of(name)
    return EIGHT_BITS if fmt is None else fmt.name


def weights_label(weights: Weights) -> str:
    """Such as ``s4opt group 4``: no weights lend lanes."""
    if isinstance(weights, BlockFormat):
        return weights.name
    return NamedFormat(weights.name, group=weights.group).label


def signed_layers(activations: Activations | None) -> str | None:
    """How layers are quantized whose input can be negative: ``signed`` of :func:`quantize`.

    Without a format for activations they are not.
    """
    if activations is None:
        return None
    if isinstance(activations, BlockFormat):
        return AFFINE
    mixed = isinstance(activations, MixedFormat)
    fmt = activations.signed if isinstance(activations, MixedFormat) else activations
    if not fmt.sparq_format.signed:
        return None
    if fmt.sparq_format.takes_zero_point:
        return AFFINE
    return SYMMETRIC if mixed else SIGNED_BYTES
