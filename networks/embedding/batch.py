"""What a recommender takes."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Batch(NamedTuple):
    """Samples: numbers, a category of each kind, a bag of categories, and what is to be said.

    ``dense`` float64 (M, D) from 0 to 1; ``ids`` int64 (M, kinds); ``bags`` int64 (M, L), -1 where
    a bag has fewer than L; ``labels`` bool (M,).
    """

    dense: npt.NDArray[np.float64]
    ids: npt.NDArray[np.int64]
    bags: npt.NDArray[np.int64]
    labels: npt.NDArray[np.bool_]

    def select(self, chosen: slice | npt.NDArray[np.int64]) -> "Batch":
        """Some of the samples."""
        dense, ids, bags, labels = self
        return Batch(dense[chosen], ids[chosen], bags[chosen], labels[chosen])
