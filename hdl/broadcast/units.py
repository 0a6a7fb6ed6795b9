"""Dot-product units by name, as tensor cores use them."""

from collections.abc import Callable

from golden.format import SparqFormat
from hdl.broadcast.decoded_booth import DecodedBooth
from hdl.broadcast.decoded_distributed_arithmetic import DecodedDistributedArithmetic
from hdl.broadcast.decoded_radix_4 import DecodedRadix4
from hdl.broadcast.decoded_shared_window import DecodedSharedWindow
from hdl.broadcast.decoded_window_lanes import DecodedWindowLanes
from hdl.broadcast.multiplier_bank import MultiplierBank
from hdl.broadcast.signed_distributed_arithmetic import SignedDistributedArithmetic
from hdl.broadcast.signed_shared_window import SignedSharedWindow
from hdl.broadcast.signed_window_lanes import SignedWindowLanes
from hdl.broadcast.structured_selection import StructuredSelection
from hdl.element.dot_product_unit import DotProductUnit
from hdl.element.pe_2x4x8 import LANE_BITS
from hdl.element.processing_elements import (
    PROCESSING_ELEMENTS,
    chosen_multiplier,
    element_multiplier,
)
from hdl.multiplier.exact import AndArray
from hdl.multiplier.multiplier import Multiplier

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


def dot_product_unit(
    name: str,
    pairs: int,
    fmt: SparqFormat | None = None,
    weight_bits: int = 8,
    acc_bits: int = 32,
    pipeline: int = 0,
    sparse: bool = False,
    multiplier: str | None = None,
) -> DotProductUnit:
    """The unit of a :class:`TensorCore`, or with ``sparse`` of a :class:`SparseTensorCore`.

    Other arguments and errors as in :func:`dot_product`.
    """
    product = dot_product(name, pairs, fmt, weight_bits, sparse, multiplier)
    return DotProductUnit(product, acc_bits, pipeline)


def dot_product(
    name: str,
    pairs: int,
    fmt: SparqFormat | None = None,
    weight_bits: int = 8,
    sparse: bool = False,
    multiplier: str | None = None,
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
        One of :func:`dot_product_multipliers`; the first one by default.

    Raises
    ------
    ValueError
        For another name or multiplier, and for pairs that cannot share windows as the format says.
    """
    if name not in DOT_PRODUCTS:
        one = element_multiplier(name, fmt, weight_bits, multiplier)
        lanes: Multiplier = MultiplierBank(one, pairs)
    elif name == "sparq":
        if fmt is None:
            raise ValueError("pe 'sparq' needs a SparqFormat, not None")
        lanes = _windows(fmt, pairs, weight_bits, sparse)
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


def _windows(fmt: SparqFormat, pairs: int, weight_bits: int, sparse: bool) -> Multiplier:
    """``pairs`` SPARQ pairs; those that share a window are added before one shift."""
    if not fmt.shared_shift:
        lanes = SignedWindowLanes if sparse else DecodedWindowLanes
        return MultiplierBank(lanes(fmt, weight_bits), pairs)
    together = min(pairs, fmt.group // 2)
    if pairs % together or fmt.group // 2 % together:
        raise ValueError(
            f"{2 * pairs} activations per slice must be a divisor or a multiple of the "
            f"{fmt.group} that share a window"
        )
    shared = SignedSharedWindow if sparse else DecodedSharedWindow
    return MultiplierBank(shared(fmt, weight_bits, together), pairs // together)


def _exact(
    kind: str, lanes: int, weight_bits: int, sparse: bool, lane_bits: int | None = None
) -> Multiplier:
    """``lanes`` exact multipliers, of ``lane_bits`` bits if these are not all."""
    bits = {} if lane_bits is None else {"lane_bits": lane_bits}
    if kind == "distributed":
        if lanes % 2:
            raise ValueError(f"distributed arithmetic needs an even number of lanes, not {lanes}")
        pair = SignedDistributedArithmetic if sparse else DecodedDistributedArithmetic
        return MultiplierBank(pair(weight_bits, **bits), lanes // 2)
    kinds: dict[str, Callable[..., Multiplier]] = {
        "radix4": DecodedRadix4,
        "booth": DecodedBooth,
        "and": AndArray,
    }
    return kinds[kind](weight_bits, lanes, **bits)
