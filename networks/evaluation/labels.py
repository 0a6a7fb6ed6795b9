"""Labels as people store them: numbers, columns of numbers, one-hot rows, names."""

from typing import Any

import numpy as np
import numpy.typing as npt

MAX_LABEL = 2**31 - 1

Labels = npt.NDArray[np.int64]
Classes = tuple[str, ...]


def array_labels(labels: npt.NDArray[Any]) -> tuple[Labels, Classes | None]:
    """``labels`` as integers (N,), and the names of their classes if they are names.

    They are integers (N,) or (N, 1); names (N,), whose order is that of the classes; or one-hot
    (N, classes) of any numbers. Raises ``ValueError`` for others.
    """
    column = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if column.ndim == 1 and column.dtype.kind == "U":
        names, numbers = np.unique(column, return_inverse=True)
        return numbers.astype(np.int64), tuple(map(str, names))
    if _is_one_hot(column):
        return column.argmax(axis=1).astype(np.int64), None
    if column.ndim != 1 or column.dtype.kind not in "iu":
        raise ValueError(
            "labels must be integers or names, (N,) or (N, 1), or one-hot (N, classes), "
            f"not {labels.dtype} {labels.shape}"
        )
    outside = column[(column < 0) | (column > MAX_LABEL)]
    if outside.size:
        raise ValueError(f"labels must be from 0 to {MAX_LABEL}, not {outside[0]}")
    return column.astype(np.int64), None


def numbered(labels: list[str]) -> tuple[list[int], Classes]:
    """The number of each label among all that there are, in their order, and these."""
    classes = tuple(sorted(set(labels)))
    numbers = {name: number for number, name in enumerate(classes)}
    return [numbers[label] for label in labels], classes


def _is_one_hot(labels: npt.NDArray[Any]) -> bool:
    return (
        labels.ndim == 2
        and labels.dtype.kind in "biuf"
        and bool((((labels == 0) | (labels == 1)).all()) and (labels == 1).sum(axis=1).all())
        and labels.sum() == len(labels)
    )
