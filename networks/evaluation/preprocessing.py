"""From images to what a network was trained on: size, channel order and normalisation."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps

from networks.evaluation.errors import DataError

COLOR_ORDERS = ("RGB", "BGR")
INTERPOLATIONS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
MODES = {1: "L", 3: "RGB"}
"""Pillow's mode for images of so many channels."""
TURNED = (5, 6, 7, 8)
"""Orientations of EXIF that exchange width and height."""
FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the input of a model: resized, cropped, reordered, normalised.

    ``resize`` is the length of the shorter side in pixels, or height and width, reached by
    ``interpolation``; ``crop`` is the side of the square cut from the centre; ``None`` leaves the
    size alone. Both match torchvision's transforms on Pillow images. As there, the orientation that
    a file's EXIF data tell of is ignored, unless ``exif_orientation`` is true. Then
    x = (pixel - mean) / scale with pixels from 0 to 255; ``mean`` and ``scale`` hold one number, or
    one per channel in the model's ``color_order``.

    Raises ``TypeError`` or ``ValueError`` for any value that is not allowed.
    """

    resize: int | tuple[int, int] | None = None
    crop: int | None = None
    color_order: str = "RGB"
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    interpolation: str = "bilinear"
    exif_orientation: bool = False

    def __post_init__(self) -> None:
        sides = self.resize if isinstance(self.resize, tuple) else (self.resize,)
        if len(sides) not in (1, 2):
            raise ValueError(f"resize must be the shorter side, or height and width, not {sides}")
        if self.resize is not None:
            for side in sides:
                _check_side("resize", side)
        if self.crop is not None:
            _check_side("crop", self.crop)
            least = min((side for side in sides if side is not None), default=self.crop)
            if self.crop > least:
                raise ValueError(f"crop must be at most resize ({least}), not {self.crop}")
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"interpolation must be {' or '.join(INTERPOLATIONS)}, not {self.interpolation!r}"
            )
        if self.resize is None and self.interpolation != Preprocessing.interpolation:
            raise ValueError("interpolation has no effect without resize: leave it out")
        if not isinstance(self.exif_orientation, bool):
            raise TypeError(
                f"exif_orientation must be true or false, not {self.exif_orientation!r}"
            )
        if self.color_order not in COLOR_ORDERS:
            raise ValueError(
                f"color_order must be {' or '.join(COLOR_ORDERS)}, not {self.color_order!r}"
            )
        _check_numbers("mean", self.mean)
        _check_numbers("scale", self.scale)
        if not np.array(self.scale, np.float32).all():
            raise ValueError(f"scale must not be zero, as in {self.scale}")

    @property
    def changes_size(self) -> bool:
        """Whether images are resized or cropped at all."""
        return self.resize is not None or self.crop is not None

    @property
    def fields(self) -> dict[str, Any]:
        """All of it as plain data, for files."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}

    @property
    def given(self) -> list[str]:
        """The names of what is not as it is by default."""
        return [item.name for item in fields(self) if getattr(self, item.name) != item.default]

    def check_channels(self, channels: int) -> None:
        """Raise ``ValueError`` if images of that many channels cannot be preprocessed."""
        for name, values in (("mean", self.mean), ("scale", self.scale)):
            if len(values) not in (1, channels):
                raise ValueError(
                    f"{name} must hold one number, or one for each of {channels} channels, "
                    f"not {len(values)}"
                )
        if self.changes_size and channels not in MODES:
            raise ValueError(f"resize and crop take images of 1 or 3 channels, not {channels}")

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height, in pixels, that an image of this size has after resize and crop.

        Raises ``ValueError`` if it is smaller than ``crop``, or if it is so elongated that resizing
        it would exceed the number of pixels that Pillow considers safe.
        """
        width, height = self._resized(width, height)
        if Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS:
            raise ValueError(
                f"{width}x{height} pixels are too many (at most {Image.MAX_IMAGE_PIXELS})"
            )
        if self.crop is None:
            return width, height
        if self.crop > min(width, height):
            raise ValueError(f"crop must fit into {width}x{height} pixels, not be {self.crop}")
        return self.crop, self.crop

    def size_of(self, image: Image.Image) -> tuple[int, int]:
        """Width and height of ``image`` before resize and crop."""
        if self.exif_orientation and image.getexif().get(ExifTags.Base.Orientation) in TURNED:
            return image.height, image.width
        return image.size

    def image(self, image: Image.Image, channels: int = 3) -> npt.NDArray[np.uint8]:
        """The image as RGB or grey uint8 (H, W, C), C = ``channels`` (3 or 1), resized and cropped.

        Raises ``ValueError`` as :meth:`output_size` does, for other numbers of channels, and for
        pixels of more than 16 bits.
        """
        if channels not in MODES:
            raise ValueError(f"channels must be 1 or 3, not {channels}")
        deep = has_16_bits(image)
        if self.exif_orientation:
            image = ImageOps.exif_transpose(image)
        self.output_size(*image.size)
        if deep:
            # Pillow would saturate 16-bit grey levels, not scale them.
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        image = image.convert(MODES[channels])
        width, height = self._resized(*image.size)
        if (width, height) != image.size:
            image = image.resize((width, height), INTERPOLATIONS[self.interpolation])
        if self.crop is not None:
            left, top = round((width - self.crop) / 2), round((height - self.crop) / 2)
            image = image.crop((left, top, left + self.crop, top + self.crop))
        return np.asarray(image, dtype=np.uint8).reshape(image.height, image.width, channels)

    def apply(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Images uint8 (N, H, W, C), or grey (N, H, W), normalised to float32 (N, C, H, W).

        Three channels are taken as RGB. Raises ``TypeError`` for another dtype and ``ValueError``
        for another shape, or a number of channels that ``mean`` or ``scale`` do not fit.
        """
        if images.dtype != np.uint8:
            raise TypeError(f"images must be uint8, not {images.dtype}")
        if images.ndim == 3:
            images = images[..., np.newaxis]
        if images.ndim != 4:
            raise ValueError(
                f"images must have the shape (N, H, W, C) or (N, H, W), not {images.shape}"
            )
        channels = images.shape[-1]
        self.check_channels(channels)
        if channels == 3 and self.color_order == "BGR":
            images = images[..., ::-1]
        # Channels first before the arithmetic, so that the result is contiguous.
        planes = images.transpose(0, 3, 1, 2).astype(np.float32, order="C")
        planes -= np.array(self.mean, np.float32).reshape(-1, 1, 1)
        planes /= np.array(self.scale, np.float32).reshape(-1, 1, 1)
        return planes

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        if self.resize is None:
            return width, height
        if isinstance(self.resize, tuple):
            return self.resize[1], self.resize[0]
        shorter = min(width, height)
        return self.resize * width // shorter, self.resize * height // shorter


def has_16_bits(image: Image.Image) -> bool:
    """Whether the pixels of a file's ``image`` are grey levels of 16 bits.

    Raises ``ValueError`` for more, whose range could be any.
    """
    if image.mode.startswith("I;16") or (image.mode, image.format) == ("I", "PPM"):
        return True
    if image.mode in ("I", "F"):
        raise ValueError("pixels must have 8 or 16 bits, not 32")
    return False


def load_preprocessing(path: Path) -> dict[str, Any]:
    """The fields of :class:`Preprocessing` that a TOML file sets, fit to be passed to it.

    ``mean``, ``scale`` and ``resize`` are a number or a list. Raises :class:`DataError` if the file
    cannot be read, has an unknown key, or a value that is not allowed.
    """
    try:
        options = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: a TOML file must be a text file in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path} is not a TOML file: {error}") from None
    allowed = [item.name for item in fields(Preprocessing)]
    for name in options:
        if name not in allowed:
            raise DataError(f"{path}: unknown key {name!r}; allowed are {', '.join(allowed)}")
    for name in {"mean", "scale"} & options.keys():
        value = options[name]
        options[name] = tuple(value) if isinstance(value, list) else (value,)
    if isinstance(options.get("resize"), list):
        options["resize"] = tuple(options["resize"])
    try:
        Preprocessing(**options)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: {error}") from None
    return options


def _check_side(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a number of pixels, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1 pixel, not {value}")


def _check_numbers(name: str, values: object) -> None:
    if not isinstance(values, tuple):
        raise TypeError(f"{name} must be a tuple of numbers, not {values!r}")
    if not values:
        raise ValueError(f"{name} must hold at least one number, not none")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{name} must hold numbers, not {value!r}")
        if not abs(value) <= FLOAT32_MAX:  # NaN included
            raise ValueError(f"{name} must hold finite float32 numbers, not {value}")
