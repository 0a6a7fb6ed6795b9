"""What is evaluated: a model with its images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from networks.evaluation.data import Images, load_data, split
from networks.evaluation.errors import DataError
from networks.evaluation.model import Model, load_model
from networks.evaluation.preprocessing import Preprocessing, load_preprocessing

DEFAULT_CALIBRATION = 500
"""Images set aside for calibration, but no more than a tenth of the data."""


@dataclass(frozen=True)
class Inputs:
    """A model with the images to evaluate it on and those to calibrate it with."""

    model: Model
    images: Images
    calibration: Images


def load_inputs(
    model_path: Path,
    data: Path,
    calibration: Path | None = None,
    class_map: Path | None = None,
    calibration_images: int | None = None,
    seed: int = 1,
    output_name: str | None = None,
    input_shape: Sequence[int] | None = None,
    **preprocessing_options: Any,
) -> Inputs:
    """The ONNX model at ``model_path`` and its images.

    Without ``calibration``, ``calibration_images`` of ``data`` are set aside to calibrate with, as
    ``seed`` chooses them; those of ``calibration`` need no labels. ``output_name`` and
    ``input_shape`` are those of :func:`networks.importer.import_onnx`, ``preprocessing_options``
    those of :class:`Preprocessing`, before those of a TOML file beside the model. Raises
    ``DataError``, and ``ModelError`` for the model, before anything is computed.
    """
    model = load_model(model_path, output_name, input_shape)
    preprocessing = _preprocessing(model_path, preprocessing_options)
    evaluated = load_data(data, model.input_shape, preprocessing, class_map)
    if calibration is None:
        aside = calibration_images
        if aside is None:
            aside = min(DEFAULT_CALIBRATION, max(1, len(evaluated) // 10))
        most = max(1, len(evaluated) - 1)
        _check_images("calibration_images", aside, most)
        calibrating, evaluated = split(evaluated, aside, seed)
    else:
        calibrating = load_data(calibration, model.input_shape, preprocessing, labelled=False)
        if calibration_images is not None:
            most = len(calibrating)
            _check_images("calibration_images", calibration_images, most)
            calibrating = calibrating.select(np.arange(calibration_images))
    return Inputs(model, evaluated, calibrating)


def choose_images(images: Images, count: int, seed: int) -> Images:
    """``count`` of ``images``, as ``seed`` chooses them, in their order; raises ``DataError``."""
    _check_images("images", count, len(images))
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(images))
    return images.chosen(np.sort(order[:count]), seed)


def _check_images(name: str, count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise DataError(f"{name} must be an integer from 1 to {most}, not {count}")


def _preprocessing(model_path: Path, options: dict[str, Any]) -> Preprocessing:
    beside = model_path.with_suffix(".toml")
    merged = load_preprocessing(beside) if beside.is_file() else {}
    merged |= {name: value for name, value in options.items() if value is not None}
    try:
        return Preprocessing(**merged)
    except (TypeError, ValueError) as error:
        raise DataError(str(error)) from None
