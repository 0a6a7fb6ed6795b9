"""Image files in a folder or a ``.zip``."""

import io
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from networks.evaluation.class_map import ClassMap
from networks.evaluation.errors import DataError
from networks.evaluation.images import UNKNOWN, Images, Indices
from networks.evaluation.labels import Classes
from networks.evaluation.preprocessing import MODES, Preprocessing, has_16_bits
from networks.evaluation.source import Skipped, Source

FORMATS: dict[str, tuple[str, ...]] = {
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jpeg", ".jpg"),
    "PNG": (".png",),
    "PPM": (".pbm", ".pgm", ".pnm", ".ppm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
"""What is decoded, by Pillow's names, and what the names of such files end in."""
SUFFIXES = sorted(suffix for suffixes in FORMATS.values() for suffix in suffixes)

Open = Callable[[str], IO[bytes]]


@dataclass(frozen=True, eq=False)
class ImageFiles(Images):
    """Image files of these ``names`` in ``path``, a folder or a ``.zip``, read by each batch."""

    path: Path
    names: tuple[str, ...]

    def select(self, indices: Indices) -> Self:
        """The images at these positions."""
        names = tuple(self.names[index] for index in indices)
        return replace(self, labels=self.labels[indices], names=names)

    @property
    def are_bytes(self) -> bool:
        """Always."""
        return True

    def check(self) -> None:
        """Read the beginning of each file, which tells its size."""
        with _opener(self.path) as open_file:
            for name in self.names:
                with _errors(f"{self.path}/{name}"), open_file(name) as file:
                    self._open(file)

    def batch(self) -> npt.NDArray[np.float32]:
        """All images, decoded now."""
        channels, height, width = self.input_shape
        pixels = np.empty((len(self), height, width, channels), np.uint8)
        with _opener(self.path) as open_file:
            for pixel, name in zip(pixels, self.names, strict=True):
                with _errors(f"{self.path}/{name}"), open_file(name) as file:
                    image = self._open(io.BytesIO(_content(file)))
                    image.load()
                    pixel[:] = self.preprocessing.image(image, channels)
        return self.preprocessing.apply(pixels)

    def _open(self, file: IO[bytes]) -> Image.Image:
        """The image in ``file``, not decoded yet; an error if its size is wrong."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(file, formats=tuple(FORMATS))
        _, height, width = self.input_shape
        before = self.preprocessing.size_of(image)
        try:
            has_16_bits(image)
            size = self.preprocessing.output_size(*before)
        except ValueError as error:
            raise DataError(str(error)) from None
        if size != (width, height):
            after = f", {size[0]}x{size[1]} after preprocessing," if size != before else ""
            raise DataError(
                f"{before[0]}x{before[1]} pixels{after} do not fit the model's "
                f"{width}x{height}; resize and crop change the size"
            )
        return image


def _content(file: IO[bytes]) -> bytes:
    try:
        return file.read()
    except Exception:  # zipfile raises all sorts of errors on damaged files
        raise DataError("cannot be read") from None


@contextmanager
def _errors(where: str) -> Iterator[None]:
    """Whatever reading an image raises, as one line that says ``where`` it is."""
    try:
        yield
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise DataError(
            f"{where}: too many pixels to decode (at most {Image.MAX_IMAGE_PIXELS})"
        ) from None
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    except Exception:  # decoders raise all sorts of errors on damaged files
        raise DataError(f"{where}: cannot be decoded as an image") from None


def load_files(
    path: Path,
    input_shape: tuple[int, ...],
    preprocessing: Preprocessing,
    class_map: Path | None,
    labelled: bool,
    texts: bool = False,
) -> ImageFiles:
    """The image files in a folder or ``.zip``, as :func:`networks.evaluation.data.load_data`
    explains.
    """
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
    visible = [name for name in files if _is_visible(PurePosixPath(name))]
    names = [name for name in visible if PurePosixPath(name).suffix.lower() in SUFFIXES]
    if not names:
        raise DataError(f"{path}: no images found ({', '.join(SUFFIXES)})")
    classes: Classes | None = None
    if not labelled:
        labels, origin = [UNKNOWN] * len(names), None
    elif class_map is None:
        labels, classes = _folder_labels(path, names, folders)
        origin = "class folders"
    else:
        read = ClassMap(class_map, texts)
        labels, classes, origin = read.labels_of(names, path), read.classes, "class map"
    skipped = [
        *_skipped("hidden", files, visible),
        *_skipped("not called as images are", visible, names),
    ]
    numbers = np.array(labels, np.int64)
    source = Source(path.name, len(names), True, skipped=tuple(skipped))
    if origin is not None:
        source = source.with_labels(origin, numbers, classes)
    # Absolute, as workers may run in other folders.
    return ImageFiles(
        *(numbers, input_shape, preprocessing, path.absolute(), tuple(names)), source=source
    )


def _skipped(reason: str, found: list[str], taken: list[str]) -> list[Skipped]:
    """What of the names ``found`` was not taken."""
    left = sorted(set(found) - set(taken))
    return [Skipped(len(left), reason, left[0])] if left else []


def _members(path: Path) -> tuple[list[str], set[PurePosixPath]]:
    """Sorted names of the files in a folder or ``.zip``, and the folders that are not hidden."""
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
    return sorted(files), {folder for folder in folders if _is_visible(folder)}


def _unreadable(error: OSError) -> NoReturn:
    raise DataError(f"cannot read {error.filename}: {error.strerror}")


def _is_visible(path: PurePosixPath) -> bool:
    """Whether neither a file nor its folders are hidden, or the resource forks of macOS."""
    return not any(
        part == "__MACOSX" or (part.startswith(".") and part != "..") for part in path.parts
    )


def _folder_labels(
    path: Path, names: list[str], folders: set[PurePosixPath]
) -> tuple[list[int], Classes]:
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
    return [numbers[holder] for holder in holders], tuple(folder.name for folder in classes)


@contextmanager
def _opener(path: Path) -> Iterator[Open]:
    """Opens files of a folder or ``.zip`` by name; nothing stays open, nothing is extracted."""
    if path.is_dir():
        yield lambda name: _opened(lambda: (path / name).open("rb"))
        return
    try:
        archive = zipfile.ZipFile(path)
    except Exception:  # zipfile raises all sorts of errors on damaged files
        raise DataError(f"{path}: cannot be read any more") from None
    with archive:
        yield lambda name: _opened(lambda: archive.open(name))


def _opened(open_file: Callable[[], IO[bytes]]) -> IO[bytes]:
    try:
        return open_file()
    except Exception:  # zipfile raises all sorts of errors on damaged files
        raise DataError("cannot be read") from None
