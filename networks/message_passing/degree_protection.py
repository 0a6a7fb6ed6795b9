"""Which nodes Degree-Quant protects from quantization while it trains (Tailor et al., 2021)."""

import numpy as np
import numpy.typing as npt


def degree_protection(
    degrees: npt.NDArray[np.int64], low: float, high: float
) -> npt.NDArray[np.float64]:
    """The probability that a node is protected: ``low`` plus its share of ``high - low``.

    The share is that of nodes whose degree is not above its own, so that nodes of the largest
    degree have ``high``. Raises ``ValueError`` unless ``0 <= low <= high <= 1``.
    """
    if not 0 <= low <= high <= 1:
        raise ValueError(f"low and high must ascend from 0 to 1, not {low} and {high}")
    ordered = np.sort(degrees)
    share = np.searchsorted(ordered, degrees, side="right") / len(degrees)
    result: npt.NDArray[np.float64] = low + (high - low) * share
    return result
