"""Sums over the neighbours of the nodes of a graph."""

from typing import Any

import numpy as np
import numpy.typing as npt

from golden import checks


def aggregate(
    messages: npt.ArrayLike, starts: npt.ArrayLike, neighbours: npt.ArrayLike
) -> npt.NDArray[np.int32]:
    """Row i of the result is the sum of the rows of ``messages`` that node i receives.

    ``messages`` (N, C), signed integers of 8 bits. Those of ``neighbours`` from ``starts[i]`` to
    before ``starts[i + 1]`` are node i's: ``starts`` (N + 1,) ascends from 0. Exact, int32 (N, C):
    D neighbours need ``8 + log2(D)`` bits. It is the product of the adjacency matrix, of zeros and
    ones, with the messages.
    """
    values = checks.integers("messages", messages, -128, 127).astype(np.int32)
    if values.ndim != 2:
        raise ValueError(f"messages must have the shape (N, C), not {values.shape}")
    ends = checks.integers("starts", starts, 0, np.iinfo(np.int64).max).astype(np.int64)
    members = checks.integers("neighbours", neighbours, 0, len(values) - 1).astype(np.int64)
    wrong = ends.shape != (len(values) + 1,) or ends[0] or ends[-1] != len(members)
    if wrong or (np.diff(ends) < 0).any():
        raise ValueError(
            f"starts must ascend from 0 to {len(members)}, the number of neighbours, "
            f"in {len(values) + 1} steps"
        )
    return segment_sums(values[members], ends)


def segment_sums(values: npt.NDArray[Any], starts: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """The sums of ``values`` (E, C) from each of ``starts`` (N + 1,) to before the next one."""
    result = np.zeros((len(starts) - 1, values.shape[1]), values.dtype)
    filled = np.diff(starts) > 0
    if filled.any():
        result[filled] = np.add.reduceat(values, starts[:-1][filled], axis=0)
    return result
