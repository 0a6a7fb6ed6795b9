"""Files of small images, and what reading them must refuse."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from networks.evaluation.data import DataError, load_data
from networks.evaluation.preprocessing import Preprocessing

PLAIN = Preprocessing()
COLOUR = (3, 4, 4)
GREY = (1, 4, 4)


def pixels(*shape: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def encoded(image: npt.NDArray[Any], kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def write_npz(folder: Path, images: Any, labels: Any = (0, 1), name: str = "c10.npz") -> Path:
    path = folder / name
    np.savez(path, images=images, labels=np.array(labels))
    return path


def write_images(folder: Path, names: list[str], shape: tuple[int, ...] = (4, 4, 3)) -> Path:
    """A folder of these files; pixels differ from file to file."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(pixels(*shape, seed=seed)))
    return folder


def zipped(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    return path


def write_text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def refused(text: str, *arguments: Any) -> None:
    """The data are refused with exactly this text, on loading or on reading a batch."""
    with pytest.raises(DataError) as caught:
        load_data(*arguments).batch()
    assert str(caught.value) == text
    assert "\n" not in text
