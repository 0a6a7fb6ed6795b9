"""What the outputs of a network are worth: one number for each image, by task."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from networks.evaluation.floating_point import logits
from networks.evaluation.images import Images
from networks.evaluation.model import Model
from networks.fixed_point import Float64Array
from networks.graph.lowering import Array
from networks.quantization.operations import Int64Array

CLASSIFICATION, CTC, EMBEDDING, SIGNAL = "classification", "ctc", "embedding", "signal"
TASKS = (CLASSIFICATION, CTC, EMBEDDING, SIGNAL)
BLANK = 0
"""The class that stands for no character."""


class Scoring(Protocol):
    """What is counted of the outputs of a network.

    ``task`` is one of ``TASKS``, ``classes`` the number of classes, if labels are such.
    """

    @property
    def task(self) -> str:
        """One of ``TASKS``."""

    @property
    def classes(self) -> int | None:
        """How many classes labels number; None if they do not."""

    def __call__(self, values: Array, images: Images, single_precision: bool) -> Array:
        """One number for each image, int64 or float64 (N,), of outputs (N, values).

        Mistakes, of which 0 are none; of the task ``signal`` the ratio of signal to noise, in dB.
        ``single_precision`` says that they are those of the ONNX file.
        """


@dataclass(frozen=True)
class Classification:
    """How many logits come before that of the label.

    A single logit tells two classes apart by ``thresholds``, of the ONNX file and of the graph.
    """

    classes: int
    thresholds: tuple[float, float]
    task: str = CLASSIFICATION

    def __call__(self, values: Array, images: Images, single_precision: bool) -> Int64Array:
        """The rank of each label."""
        threshold = self.thresholds[0 if single_precision else 1]
        return ranks_of(two_logits(values, threshold), images.labels)


def classification(model: Model) -> Classification:
    """That of the outputs of ``model``."""
    return Classification(model.classes, model.thresholds)


@dataclass(frozen=True, eq=False)
class Embedding:
    """How many logits of a linear head on the outputs come before that of the label.

    The head is in floating point: ``(values - mean) / deviation @ weight + bias``, with ``weight``
    (values, classes).
    """

    weight: Float64Array
    bias: Float64Array
    mean: Float64Array
    deviation: Float64Array
    task: str = EMBEDDING

    @property
    def classes(self) -> int:
        """Number of the head's outputs."""
        return int(self.weight.shape[1])

    def __call__(self, values: Array, images: Images, single_precision: bool) -> Int64Array:
        """The rank of each label."""
        del single_precision
        features = (values.astype(np.float64) - self.mean) / self.deviation
        return ranks_of(features @ self.weight + self.bias, images.labels)


@dataclass(frozen=True, eq=False)
class Recognition:
    """In how many characters a line of text that is read differs from its label.

    Outputs are (steps, classes): at each step the largest counts, repetitions once, and
    ``BLANK`` and spaces nothing. ``characters`` are those of the classes from 1 on, ``texts`` those
    that labels number.
    """

    characters: tuple[str, ...]
    texts: tuple[str, ...]
    task: str = CTC
    classes: None = None

    def __call__(self, values: Array, images: Images, single_precision: bool) -> Int64Array:
        """The edit distances: characters inserted, left out, or replaced."""
        del single_precision
        steps = values.reshape(len(values), -1, len(self.characters) + 1)
        found = [
            edit_distance(self.decode(best), self.stripped[label])
            for best, label in zip(steps.argmax(axis=2), images.labels, strict=True)
        ]
        return np.array(found, np.int64)

    @cached_property
    def stripped(self) -> tuple[str, ...]:
        """``texts`` without spaces."""
        return tuple("".join(text.split()) for text in self.texts)

    def lengths(self, images: Images) -> Int64Array:
        """How many characters each label has."""
        return np.array([len(self.stripped[label]) for label in images.labels], np.int64)

    def decode(self, classes: npt.NDArray[np.integer[Any]]) -> str:
        """The text of the best class at each step."""
        changes = np.diff(classes, prepend=BLANK) != 0
        text = "".join(self.characters[c - 1] for c in classes[changes & (classes != BLANK)])
        return "".join(text.split())


@dataclass(frozen=True, eq=False)
class Signal:
    """The ratio of the outputs of an ONNX file to what others differ by from them, in dB."""

    content: bytes
    name: str
    task: str = SIGNAL
    classes: None = None

    def __call__(self, values: Array, images: Images, single_precision: bool) -> Float64Array:
        """The ratio for each image; 0 for single precision itself, of which there is none."""
        if single_precision:
            return np.zeros(len(values))
        signal = logits(self.content, self.name, images.batch()).astype(np.float64)
        noise = ((values.reshape(signal.shape) - signal) ** 2).sum(axis=1)
        least = np.finfo(np.float64).tiny
        energy = np.maximum((signal**2).sum(axis=1), least)
        result: Float64Array = 10 * np.log10(energy / np.maximum(noise, least))
        return result


def ranks_of(logits: Array, labels: npt.NDArray[np.int64]) -> Int64Array:
    """How many logits come before that of the label; of equal ones the first counts, NaN last."""
    if logits.dtype.kind == "f":
        logits = np.nan_to_num(logits, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    own = np.take_along_axis(logits, labels[:, np.newaxis], axis=1)
    before = np.arange(logits.shape[1]) < labels[:, np.newaxis]
    ranks: Int64Array = ((logits > own) | ((logits == own) & before)).sum(axis=1)
    return ranks


def two_logits(values: Array, threshold: float) -> Array:
    """A logit that is the only one, (N, 1), as those of two classes; others as they are."""
    if values.shape[1] != 1:
        return values
    return np.concatenate([np.full_like(values, threshold), values], axis=1)


def edit_distance(first: str, second: str) -> int:
    """The least number of characters to insert, leave out or replace to make one the other."""
    row = list(range(len(second) + 1))
    for i, one in enumerate(first, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(second, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (one != other))
    return row[-1]
