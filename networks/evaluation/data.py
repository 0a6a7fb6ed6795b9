"""Labelled images to evaluate a network with: an ``.npz`` file, a folder or a ``.zip``."""

from pathlib import Path

import numpy as np

from networks.evaluation.array_images import load_arrays
from networks.evaluation.errors import DataError
from networks.evaluation.image_files import load_files
from networks.evaluation.images import Images
from networks.evaluation.preprocessing import Preprocessing

__all__ = ["DataError", "Images", "load_data", "split"]


def load_data(
    path: Path,
    input_shape: tuple[int, ...],
    preprocessing: Preprocessing,
    class_map: Path | None = None,
    labelled: bool = True,
    texts: bool = False,
) -> Images:
    """The images in ``path``, for a model that takes (N, *input_shape), with their labels.

    - An ``.npz`` holds ``images``, uint8 (N, H, W, C) or (N, H, W), or float32 (N,
      *input_shape) that must need no preprocessing, and ``labels``, as :func:`array_labels` takes
      them. Channels may come first or last where only one of them fits.
    - A folder or ``.zip`` holds image files, taken in the order of their names; they are decoded
      when a batch is asked for, of several pictures in one file the first. The subfolders they lie
      in, sorted, are the classes 0, 1, ...; or else ``class_map`` is a file of a
      :class:`ClassMap`.

    Labels that are ``texts`` in a class map are taken as they are, digits too. If they need not be
    ``labelled``, labels are not looked for, and all :data:`UNKNOWN`. Raises :class:`DataError` for
    anything that cannot be used.
    """
    if not path.exists():
        raise DataError(f"cannot read {path}: No such file or directory")
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".zip":
        return load_files(path, input_shape, preprocessing, class_map, labelled, texts)
    if suffix != ".npz":
        raise DataError(f"{path}: data must be an .npz file, a .zip file or a folder of images")
    if class_map is not None and labelled:
        raise DataError(f"{path} holds its own labels; a class map is for a folder or a .zip file")
    return load_arrays(path, input_shape, preprocessing, labelled)


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
    aside, rest = np.sort(order[:count]), np.sort(order[count:])
    return images.chosen(aside, seed), images.chosen(rest, seed)
