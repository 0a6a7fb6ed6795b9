"""Top-1 accuracy."""

from typing import Any

import numpy as np
import numpy.typing as npt


def accuracy(logits: npt.NDArray[Any], labels: npt.NDArray[np.integer[Any]]) -> float:
    """Fraction of rows of ``logits`` (N, classes) whose largest value is at ``labels`` (N,).

    Of equal logits the first counts. Raises ``ValueError`` if the numbers of rows differ or are 0.
    """
    if len(logits) != len(labels) or len(labels) == 0:
        raise ValueError(
            f"logits and labels must have one length of at least 1, "
            f"not {len(logits)} and {len(labels)}"
        )
    return float(np.mean(logits.argmax(axis=-1) == labels))
