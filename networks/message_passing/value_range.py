"""How far values reach that are to be quantized."""

from typing import Any

import numpy as np
import numpy.typing as npt


def value_range(values: npt.NDArray[Any], beyond: float = 0.0) -> float:
    """The magnitude that a share of at most ``beyond`` of all ``values`` exceeds; 1 if that is 0.

    The largest magnitude where ``beyond`` is 0. Raises ``ValueError`` unless ``0 <= beyond < 1``.
    """
    if not 0 <= beyond < 1:
        raise ValueError(f"beyond must be from 0 to below 1, not {beyond}")
    magnitudes = np.abs(values).ravel()
    if not beyond or not len(magnitudes):
        return float(magnitudes.max(initial=0)) or 1.0
    place = len(magnitudes) - 1 - int(beyond * len(magnitudes))
    return float(np.partition(magnitudes, place)[place]) or 1.0
