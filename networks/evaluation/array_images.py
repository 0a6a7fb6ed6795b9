"""Images in an array of an ``.npz`` file."""

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from networks.evaluation.errors import DataError
from networks.evaluation.images import UNKNOWN, Images, Indices
from networks.evaluation.labels import array_labels
from networks.evaluation.layout import in_usual_layout
from networks.evaluation.preprocessing import Preprocessing
from networks.evaluation.source import Source


@dataclass(frozen=True, eq=False)
class ArrayImages(Images):
    """Images in memory: uint8 (N, H, W, C) or (N, H, W), or float32 as the model takes them."""

    images: npt.NDArray[Any]

    @property
    def are_bytes(self) -> bool:
        """Whether the array is one of bytes."""
        return self.images.dtype == np.uint8

    def check(self) -> None:
        """Nothing: that the array is one of images for the model has been checked."""

    def select(self, indices: Indices) -> Self:
        """The images at these positions."""
        return replace(self, labels=self.labels[indices], images=self.images[indices])

    def batch(self) -> npt.NDArray[np.float32]:
        """All images; float32 ones are taken as they are, without preprocessing."""
        if self.images.dtype == np.float32:
            return np.ascontiguousarray(self.images)
        if not self.preprocessing.changes_size:
            return self.preprocessing.apply(self.images)
        channels, height, width = self.input_shape
        pixels = np.empty((len(self), height, width, channels), np.uint8)
        for pixel, image in zip(pixels, self.images, strict=True):
            grey = image[..., 0] if image.shape[2:] == (1,) else image
            pixel[:] = self.preprocessing.image(Image.fromarray(grey), channels)
        return self.preprocessing.apply(pixels)


def load_arrays(
    path: Path, input_shape: tuple[int, ...], preprocessing: Preprocessing, labelled: bool
) -> ArrayImages:
    """The images in an ``.npz`` file, as :func:`networks.evaluation.data.load_data` explains."""
    images, labels = _read_npz(path, labelled)
    if labels is None:
        labels = np.full(images.shape[:1], UNKNOWN)
        numbers, classes = labels, None
    else:
        try:
            numbers, classes = array_labels(labels)
        except ValueError as error:
            raise DataError(f"{path}: {error}") from None
    if images.ndim == 0 or len(images) != len(labels):
        raise DataError(
            f"{path}: images {images.shape} and labels {labels.shape} must agree in their number"
        )
    if not images.size:
        raise DataError(f"{path}: no images found")
    images = in_usual_layout(images, input_shape)
    if images.dtype == np.float32:
        if preprocessing.given:
            raise DataError(
                f"{path}: float32 images are taken as they are; leave out "
                f"{' and '.join(preprocessing.given)}, in options and in the model's TOML file"
            )
        if images.shape[1:] != input_shape:
            raise _misfit(path, images.shape[1:], input_shape)
        if not np.isfinite(images).all():
            raise DataError(f"{path}: images must be finite, without NaN and infinity")
    elif images.dtype == np.uint8 and images.ndim in (3, 4):
        _check_pixels(path, images.shape[1:], input_shape, preprocessing)
    else:
        raise DataError(
            f"{path}: images must be uint8 (N, H, W, C) or (N, H, W), or float32 "
            f"{_batch_shape(input_shape)}, not {images.dtype} {_batch_shape(images.shape[1:])}"
        )
    source = Source(path.name, len(images))
    if labelled:
        source = source.with_labels("labels", numbers, classes)
    return ArrayImages(numbers, input_shape, preprocessing, images, source=source)


def _read_npz(path: Path, labelled: bool) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    name = ""
    needed = ("images", "labels") if labelled else ("images",)
    found: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
        with np.load(path, allow_pickle=False) as arrays:
            for name in needed:
                if f"{name}.npy" in members:
                    found[name] = arrays[name]
    except Exception as error:  # NumPy and zipfile raise all sorts of errors on damaged files
        what = f"cannot read array {name!r}" if name else "not an .npz file"
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{path}: {what} ({reason})") from None
    for name in needed:
        # NumPy hands out the bytes of what does not begin like an array.
        if not isinstance(found.get(name), np.ndarray):
            is_or_are = "are" if labelled else "is"
            raise DataError(f"{path}: no array {name!r}; {' and '.join(needed)} {is_or_are} needed")
    return found["images"], found.get("labels")


def _check_pixels(
    path: Path, shape: tuple[int, ...], input_shape: tuple[int, ...], preprocessing: Preprocessing
) -> None:
    """Raise unless uint8 images of this shape, (H, W, C) or (H, W), become the model's input."""
    height, width, channels = (*shape, 1)[:3]
    try:
        preprocessing.check_channels(channels)
        new_width, new_height = preprocessing.output_size(width, height)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    if (channels, new_height, new_width) != input_shape:
        after = (new_height, new_width, *shape[2:])
        raise _misfit(path, shape, input_shape, after if after != shape else None)


def _misfit(
    path: Path,
    shape: tuple[int, ...],
    input_shape: tuple[int, ...],
    after: tuple[int, ...] | None = None,
) -> DataError:
    preprocessed = f", {_batch_shape(after)} after preprocessing," if after else ""
    return DataError(
        f"{path}: images of shape {_batch_shape(shape)}{preprocessed} do not fit the model's input "
        f"{input_shape}"
    )


def _batch_shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(['N', *map(str, shape)])})"
