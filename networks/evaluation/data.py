"""Labelled images to evaluate a network with: an ``.npz`` file, a folder or a ``.zip``."""

import io
import os
import re
import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from networks.evaluation.errors import DataError
from networks.evaluation.layout import in_usual_layout
from networks.evaluation.preprocessing import MODES, Preprocessing

__all__ = ["DataError", "Images", "load_data", "split"]

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
FORMATS = ("BMP", "JPEG", "PNG", "WEBP")
MAX_LABEL = 2**31 - 1
MAP_LINE = re.compile(r"(?P<name>.+?)(?:\s*,\s*|\s+)(?P<label>[0-9]{1,10})(?:\s+#.*)?")

Labels = npt.NDArray[np.int64]
Indices = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Images(ABC):
    """Images with their classes, ``labels`` int64 (N,); what is pickled is only this part.

    ``input_shape`` is the shape of one image in the model, (C, H, W) or (F,).
    """

    labels: Labels
    input_shape: tuple[int, ...]
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def select(self, indices: Indices) -> Self:
        """The images at these integer positions, in this order, and nothing of the others.

        Raises ``IndexError`` for positions that do not exist.
        """

    @abstractmethod
    def batch(self) -> npt.NDArray[np.float32]:
        """All images, preprocessed for the model: float32 (N, *input_shape).

        Raises :class:`DataError` for an image file that cannot be decoded, or whose size is not the
        model's.
        """


@dataclass(frozen=True, eq=False)
class ArrayImages(Images):
    """Images in memory: uint8 (N, H, W, C) or (N, H, W), or float32 as the model takes them."""

    images: npt.NDArray[Any]

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


@dataclass(frozen=True, eq=False)
class ImageFiles(Images):
    """Image files of these ``names`` in ``path``, a folder or a ``.zip``, read by each batch."""

    path: Path
    names: tuple[str, ...]

    def select(self, indices: Indices) -> Self:
        """The images at these positions."""
        names = tuple(self.names[index] for index in indices)
        return replace(self, labels=self.labels[indices], names=names)

    def batch(self) -> npt.NDArray[np.float32]:
        """All images, decoded now."""
        channels, height, width = self.input_shape
        pixels = np.empty((len(self), height, width, channels), np.uint8)
        with _reader(self.path) as read:
            for pixel, name in zip(pixels, self.names, strict=True):
                pixel[:] = self._decode(name, read)
        return self.preprocessing.apply(pixels)

    def _decode(self, name: str, read: Callable[[str], bytes]) -> npt.NDArray[np.uint8]:
        channels, height, width = self.input_shape
        where = f"{self.path}/{name}"
        try:
            file = io.BytesIO(read(name))
        except Exception:  # zipfile raises all sorts of errors on damaged files
            raise DataError(f"{where}: cannot be read") from None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", Image.DecompressionBombWarning)
                image = Image.open(file, formats=FORMATS)
            image.load()
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise DataError(
                f"{where}: too many pixels to decode (at most {Image.MAX_IMAGE_PIXELS})"
            ) from None
        except Exception:  # decoders raise all sorts of errors on damaged files
            raise DataError(f"{where}: cannot be decoded as an image") from None
        try:
            size = self.preprocessing.output_size(*image.size)
        except ValueError as error:
            raise DataError(f"{where}: {error}") from None
        if size != (width, height):
            after = f", {size[0]}x{size[1]} after preprocessing," if size != image.size else ""
            raise DataError(
                f"{where}: {image.width}x{image.height} pixels{after} do not fit the model's "
                f"{width}x{height}; resize and crop change the size"
            )
        return self.preprocessing.image(image, channels)


def load_data(
    path: Path,
    input_shape: tuple[int, ...],
    preprocessing: Preprocessing,
    class_map: Path | None = None,
) -> Images:
    """The labelled images in ``path``, for a model that takes (N, *input_shape).

    - An ``.npz`` holds ``images``, uint8 (N, H, W, C) or (N, H, W), or float32 (N,
      *input_shape) that need no preprocessing, and ``labels``, integers (N,). Channels may come
      first or last where only one of them fits.
    - A folder or ``.zip`` holds image files, taken in the order of their names; they are decoded
      when a batch is asked for. The subfolders they lie in, sorted, are the classes 0, 1, ...;
      or else ``class_map`` is a text file with a line ``name,label`` or ``name label`` for each
      image (its base name or its path in the folder) or for each subfolder.

    Raises :class:`DataError` for anything that cannot be used.
    """
    if not path.exists():
        raise DataError(f"cannot read {path}: No such file or directory")
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".zip":
        return _load_files(path, input_shape, preprocessing, class_map)
    if suffix != ".npz":
        raise DataError(f"{path}: data must be an .npz file, a .zip file or a folder of images")
    if class_map is not None:
        raise DataError(f"{path} holds its own labels; a class map is for a folder or a .zip file")
    return _load_arrays(path, input_shape, preprocessing)


def split(images: Images, count: int, seed: int) -> tuple[Images, Images]:
    """``count`` images for calibration, and the rest; chosen by ``seed``, both in their old order.

    Raises :class:`DataError` unless both parts get an image.
    """
    if not 0 < count < len(images):
        raise DataError(
            f"cannot set {count} of {len(images)} images aside for calibration; "
            "at least one must be, and at least one must be left"
        )
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(images))
    return images.select(np.sort(order[:count])), images.select(np.sort(order[count:]))


def _load_arrays(
    path: Path, input_shape: tuple[int, ...], preprocessing: Preprocessing
) -> ArrayImages:
    images, labels = _read_npz(path)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise DataError(f"{path}: labels must be integers (N,), not {labels.dtype} {labels.shape}")
    if images.ndim == 0 or len(images) != len(labels):
        raise DataError(
            f"{path}: images {images.shape} and labels {labels.shape} must agree in their number"
        )
    if not images.size:
        raise DataError(f"{path}: no images found")
    outside = labels[(labels < 0) | (labels > MAX_LABEL)]
    if outside.size:
        raise DataError(f"{path}: labels must be from 0 to {MAX_LABEL}, not {outside[0]}")

    images = in_usual_layout(images, input_shape)
    if images.dtype == np.float32:
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
    return ArrayImages(labels.astype(np.int64), input_shape, preprocessing, images)


def _read_npz(path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    name = ""
    found: dict[str, Any] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
        with np.load(path, allow_pickle=False) as arrays:
            for name in ("images", "labels"):
                if f"{name}.npy" in members:
                    found[name] = arrays[name]
    except Exception as error:  # NumPy and zipfile raise all sorts of errors on damaged files
        what = f"cannot read array {name!r}" if name else "not an .npz file"
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"{path}: {what} ({reason})") from None
    for name in ("images", "labels"):
        # NumPy hands out the bytes of what does not begin like an array.
        if not isinstance(found.get(name), np.ndarray):
            raise DataError(f"{path}: no array {name!r}; images and labels are needed")
    return found["images"], found["labels"]


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


def _load_files(
    path: Path,
    input_shape: tuple[int, ...],
    preprocessing: Preprocessing,
    class_map: Path | None,
) -> ImageFiles:
    if len(input_shape) != 3 or input_shape[0] not in MODES:
        raise DataError(
            f"{path}: image files need a model whose input is (1, H, W) or (3, H, W), "
            f"not {input_shape}"
        )
    try:
        preprocessing.check_channels(input_shape[0])
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    files, folders = _members(path)
    names = [name for name in files if PurePosixPath(name).suffix.lower() in SUFFIXES]
    if not names:
        raise DataError(f"{path}: no images found ({', '.join(SUFFIXES)})")
    if class_map is None:
        labels = _folder_labels(path, names, folders)
    else:
        labels = _mapped_labels(path, names, class_map)
    # Absolute, as workers may run in other folders.
    return ImageFiles(
        np.array(labels, np.int64), input_shape, preprocessing, path.absolute(), tuple(names)
    )


def _members(path: Path) -> tuple[list[str], set[PurePosixPath]]:
    """Sorted names of the files in a folder or ``.zip``, and the folders, without hidden ones."""
    files: set[str] = set()
    folders: set[PurePosixPath] = set()
    if path.is_dir():
        for root, subfolders, names in os.walk(path, onerror=_unreadable, followlinks=True):
            base = PurePosixPath(Path(root).relative_to(path).as_posix())
            files.update(str(base / name) for name in names)
            folders.update(base / name for name in subfolders)
    else:
        try:
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    if member.is_dir():
                        folders.add(PurePosixPath(member.filename))
                    else:
                        files.add(member.filename)
        except Exception:  # zipfile raises all sorts of errors on damaged files
            raise DataError(f"{path}: not a .zip file, or a damaged one") from None
    return (
        sorted(name for name in files if _is_visible(PurePosixPath(name))),
        {folder for folder in folders if _is_visible(folder)},
    )


def _unreadable(error: OSError) -> NoReturn:
    raise DataError(f"cannot read {error.filename}: {error.strerror}")


def _is_visible(path: PurePosixPath) -> bool:
    """Whether neither a file nor its folders are hidden, or the resource forks of macOS."""
    return not any(
        part == "__MACOSX" or (part.startswith(".") and part != "..") for part in path.parts
    )


def _folder_labels(path: Path, names: list[str], folders: set[PurePosixPath]) -> list[int]:
    """The class of each image, by the folder it lies in; these folders must be siblings."""
    holders = [PurePosixPath(name).parent for name in names]
    parent = holders[0].parent
    for name, holder in zip(names, holders, strict=True):
        if not holder.name or holder.parent != parent:
            raise DataError(
                f"{path}: {name} is not in a class folder; without a class map, "
                "images must be in subfolders side by side, one per class"
            )
    classes = sorted(set(holders))
    # Skipping a class would shift the numbers of those that follow.
    for folder in sorted(folders - set(classes)):
        if folder.parent == parent and folder != parent:
            raise DataError(f"{path}: no images in {folder}; every subfolder must be a class")
    numbers = {folder: number for number, folder in enumerate(classes)}
    return [numbers[holder] for holder in holders]


def _mapped_labels(path: Path, names: list[str], class_map: Path) -> list[int]:
    """The class of each image: that of its path, its base name, or its innermost folder."""
    numbers = _read_class_map(class_map)
    labels = []
    owners: dict[str, str] = {}
    for name in names:
        image = PurePosixPath(name)
        folders = [key for folder in image.parents for key in (str(folder), folder.name)]
        keys = [key for key in (str(image), image.name, *folders) if key in numbers]
        if not keys:
            raise DataError(f"{class_map}: no label for {name} of {path}")
        if keys[0] == image.name and owners.setdefault(image.name, name) != name:
            raise DataError(
                f"{class_map}: {image.name} is both {owners[image.name]} and {name} of {path}; "
                "give their paths"
            )
        labels.append(numbers[keys[0]])
    return labels


def _read_class_map(path: Path) -> dict[str, int]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: a class map must be a text file in UTF-8") from None
    numbers: dict[str, int] = {}
    for position, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        match = MAP_LINE.fullmatch(line)
        if match is None or int(match["label"]) > MAX_LABEL:
            raise DataError(
                f"{path}, line {position}: must be name,label or name label, "
                f"label an integer from 0 to {MAX_LABEL}, not {line!r}"
            )
        name, number = str(PurePosixPath(match["name"])), int(match["label"])
        if numbers.setdefault(name, number) != number:
            raise DataError(
                f"{path}, line {position}: {name} has the label {numbers[name]} already"
            )
    return numbers


@contextmanager
def _reader(path: Path) -> Iterator[Callable[[str], bytes]]:
    """Reads files of a folder or ``.zip`` by name; nothing stays open, nothing is extracted."""
    if path.is_dir():
        yield lambda name: (path / name).read_bytes()
        return
    try:
        archive = zipfile.ZipFile(path)
    except Exception:  # zipfile raises all sorts of errors on damaged files
        raise DataError(f"{path}: cannot be read any more") from None
    with archive:
        yield archive.read
