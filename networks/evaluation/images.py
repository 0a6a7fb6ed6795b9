"""What images of any kind are to an evaluation."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from networks.evaluation.labels import Labels
from networks.evaluation.preprocessing import Preprocessing
from networks.evaluation.source import Source

UNKNOWN = -1
"""The label of images that are only calibrated with."""

Indices = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Images(ABC):
    """Images with their classes, ``labels`` int64 (N,); what is pickled is only this part.

    ``input_shape`` is the shape of one image in the model, (C, H, W) or (F,). Labels that are not
    known are :data:`UNKNOWN`.
    """

    labels: Labels
    input_shape: tuple[int, ...]
    preprocessing: Preprocessing
    source: Source = field(default=Source(), kw_only=True)

    @property
    @abstractmethod
    def are_bytes(self) -> bool:
        """Whether these are pixels, which are preprocessed."""

    @abstractmethod
    def check(self) -> None:
        """Raise :class:`DataError` for what can be seen without decoding: a size that is wrong."""

    def chosen(self, indices: Indices, seed: int) -> Self:
        """:meth:`select`, of positions that ``seed`` has chosen."""
        return replace(self.select(indices), source=replace(self.source, seed=seed))

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def select(self, indices: Indices) -> Self:
        """The images at these integer positions, in this order, and nothing of the others.

        Raises ``IndexError`` for positions that do not exist.
        """

    @abstractmethod
    def batch(self) -> npt.NDArray[Any]:
        """All images, preprocessed for the model: float32 (N, *input_shape), int32 of tokens.

        Raises :class:`DataError` for an image file that cannot be decoded, or whose size is not the
        model's.
        """
