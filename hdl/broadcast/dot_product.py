"""What dot-product units multiply with, by name, as tensor cores use them."""

from golden.format import ACTIVATION_BITS, SparqFormat
from hdl.broadcast.decoded_shared_window import DecodedSharedWindow
from hdl.broadcast.decoded_window_lanes import DecodedWindowLanes
from hdl.broadcast.multiplier_bank import MultiplierBank
from hdl.broadcast.structured_selection import StructuredSelection
from hdl.element.pe_2x4x8 import LANE_BITS
from hdl.element.processing_element import chosen_multiplier
from hdl.element.processing_elements import PROCESSING_ELEMENTS, element_multiplier
from hdl.multiplier.booth import Booth
from hdl.multiplier.exact import AndArray, DistributedArithmetic, Radix4
from hdl.multiplier.multiplier import Multiplier
from hdl.multiplier.number_form import NumberForm
from hdl.multiplier.products import Products
from hdl.multiplier.shared_window_products import SharedWindowProducts
from hdl.multiplier.style import Style
from hdl.multiplier.window_products import WindowProducts

EXACT_LANES = {"8x8": 1, "2x8x8": 2}
"""Exact multipliers that stand beside one pair."""

DOT_PRODUCTS: dict[str, tuple[str, ...]] = {
    "sparq": (),
    "8x8": ("radix4", "booth", "distributed", "and"),
    "2x8x8": ("radix4", "booth", "distributed", "and"),
    "2x4x8": ("distributed", "and"),
}
"""Kinds of processing elements whose dot products decode at the edge: multipliers to choose from.

Those of any other kind are its multipliers side by side.
"""

SPARSE_MULTIPLIERS = ("booth", "distributed")
"""Exact multipliers whose sums have no bias that depends on the activations."""


def dot_product(
    name: str,
    pairs: int,
    fmt: SparqFormat | None = None,
    weight_bits: int = 8,
    sparse: bool = False,
    multiplier: str | None = None,
    style: Style = Style.STRUCTURAL,
) -> Multiplier:
    """What a dot-product unit multiplies with.

    Parameters
    ----------
    name : str
        A key of :data:`PROCESSING_ELEMENTS`: ``pairs`` SPARQ pairs; ``pairs`` exact multipliers
        (``8x8``) or twice as many (``2x8x8``); ``pairs`` pairs of 4-bit lanes without a window
        (``2x4x8``); ``pairs`` multipliers of any other kind.
    pairs : int, from 1
    fmt : SparqFormat
        Used by ``"sparq"`` alone.
    sparse : bool
        Behind 2:4 selection.
    multiplier : str
        In structural style, one of :func:`dot_product_multipliers`; the first one by default.
    style : Style

    Raises
    ------
    ValueError
        For another name or multiplier, and for pairs that cannot share windows as the format says.
    """
    if name not in DOT_PRODUCTS:
        one = element_multiplier(name, fmt, weight_bits, multiplier, style)
        lanes: Multiplier = MultiplierBank(one, pairs)
    elif name == "sparq":
        if fmt is None:
            raise ValueError("pe 'sparq' needs a SparqFormat, not None")
        lanes = _windows(fmt, pairs, weight_bits, sparse, style)
    elif style is Style.BEHAVIORAL:
        element = PROCESSING_ELEMENTS[name]
        one = element.behavioral_multiplier(weight_bits)
        lanes = Products(weight_bits, pairs * one.k_per_cycle, element.ACTIVATION_BITS)
    else:
        kind = chosen_multiplier(dot_product_multipliers(name, sparse), multiplier)
        if name == "2x4x8":
            lanes = _exact(kind, 2 * pairs, weight_bits, sparse, LANE_BITS)
        else:
            lanes = _exact(kind, EXACT_LANES[name] * pairs, weight_bits, sparse)
    return StructuredSelection(lanes) if sparse else lanes


def dot_product_multipliers(name: str, sparse: bool) -> tuple[str, ...]:
    """The multipliers that a dot product of that name can have."""
    if name not in DOT_PRODUCTS:
        return tuple(PROCESSING_ELEMENTS[name].MULTIPLIERS)
    return tuple(kind for kind in DOT_PRODUCTS[name] if not sparse or kind in SPARSE_MULTIPLIERS)


def _windows(
    fmt: SparqFormat, pairs: int, weight_bits: int, sparse: bool, style: Style
) -> Multiplier:
    """``pairs`` SPARQ pairs; those that share a window are added before one shift."""
    behavioral, form = style is Style.BEHAVIORAL, _form(sparse)
    if not fmt.shared_shift:
        one: Multiplier = (
            WindowProducts(fmt, weight_bits)
            if behavioral
            else DecodedWindowLanes(fmt, weight_bits, form)
        )
        return MultiplierBank(one, pairs)
    together = min(pairs, fmt.group // 2)
    if pairs % together or fmt.group // 2 % together:
        raise ValueError(
            f"{2 * pairs} activations per slice must be a divisor or a multiple of the "
            f"{fmt.group} that share a window"
        )
    shared: Multiplier = (
        SharedWindowProducts(fmt, weight_bits, together)
        if behavioral
        else DecodedSharedWindow(fmt, weight_bits, together, form)
    )
    return MultiplierBank(shared, pairs // together)


def _exact(
    kind: str, lanes: int, weight_bits: int, sparse: bool, lane_bits: int = ACTIVATION_BITS
) -> Multiplier:
    """``lanes`` exact multipliers of so many bits of an activation."""
    match kind:
        case "distributed":
            if lanes % 2:
                raise ValueError(
                    f"distributed arithmetic needs an even number of lanes, not {lanes}"
                )
            # Behind 2:4 selection there is no edge that could decode activations.
            pair = DistributedArithmetic(weight_bits, lane_bits, not sparse, _form(sparse))
            return MultiplierBank(pair, lanes // 2)
        case "and":
            return AndArray(weight_bits, lanes, lane_bits)
        case "booth":
            return Booth(weight_bits, lanes, decoded=True)
        case _:
            return Radix4(weight_bits, lanes, decoded=True)


def _form(sparse: bool) -> NumberForm:
    """The form of weights: behind 2:4 selection no edge knows the activations that sums depend on.

    Sums of numbers in two's complement have no bias that depends on the activations.
    """
    return NumberForm.TWOS_COMPLEMENT if sparse else NumberForm.OFFSET_BINARY
