"""Image arrays whose channels come first or last."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from networks.evaluation.data import load_data
from networks.evaluation.errors import DataError
from networks.evaluation.layout import in_usual_layout
from networks.evaluation.preprocessing import Preprocessing

SHAPE = (3, 5, 4)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("last", [False, True])
def test_channels_first_and_last(dtype: type, last: bool, tmp_path: Path) -> None:
    """The same images, and the same batch."""
    images: Any = np.random.default_rng(1).integers(0, 256, (6, *SHAPE)).astype(dtype)
    stored = images.transpose(0, 2, 3, 1) if last else images
    path = tmp_path / "data.npz"
    np.savez(path, images=stored, labels=np.arange(6))
    batch = load_data(path, SHAPE, Preprocessing()).batch()
    np.testing.assert_array_equal(batch, images.astype(np.float32))


def test_what_may_be_either_stays() -> None:
    cases = (((2, 3, 3, 3), (3, 3, 3)), ((2, 3, 5, 3), (3, 5, 3)), ((2, 7), (7,)))
    for shape, input_shape in cases:
        for dtype in (np.uint8, np.float32):
            images = np.zeros(shape, dtype)
            assert in_usual_layout(images, input_shape) is images


def test_what_fits_neither(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, images=np.zeros((6, 4, 5, 3), np.float32), labels=np.arange(6))
    with pytest.raises(DataError, match="do not fit the model's input"):
        load_data(path, SHAPE, Preprocessing())
