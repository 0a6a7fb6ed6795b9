"""What is evaluated: a model with its images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from networks.evaluation.characters import characters_of
from networks.evaluation.data import Images, load_data, split
from networks.evaluation.embedding_head import load_head
from networks.evaluation.errors import DataError
from networks.evaluation.model import Model, load_model
from networks.evaluation.preprocessing import Preprocessing, load_preprocessing
from networks.evaluation.scoring import (
    CLASSIFICATION,
    CTC,
    SIGNAL,
    Recognition,
    Scoring,
    Signal,
    classification,
)
from networks.evaluation.token_arrays import load_tokens, open_length
from networks.quantization.clips import ClipSource

Requirement = Callable[[Model], None]
"""Raises an error for a model that cannot be used."""
DEFAULT_CALIBRATION = 500
"""Images set aside for calibration, but no more than a tenth of the data."""


@dataclass(frozen=True)
class Inputs:
    """A model with the images to evaluate it on and those to calibrate it with.

    ``source`` finds the clips in place of calibration.
    """

    model: Model
    images: Images
    calibration: Images
    scoring: Scoring | None = None
    source: ClipSource | None = None


def load_inputs(
    model_path: Path,
    data: Path,
    calibration: Path | None = None,
    class_map: Path | None = None,
    calibration_images: int | None = None,
    seed: int = 1,
    output_name: str | None = None,
    input_shape: Sequence[int] | None = None,
    task: str = CLASSIFICATION,
    characters: Path | None = None,
    **preprocessing_options: Any,
) -> Inputs:
    """The ONNX model at ``model_path`` and its images.

    Without ``calibration``, ``calibration_images`` of ``data`` are set aside to calibrate with, as
    ``seed`` chooses them; those of ``calibration`` need no labels. ``output_name`` and
    ``input_shape`` are those of :func:`networks.importer.import_onnx`, ``preprocessing_options``
    those of :class:`Preprocessing`, before those of a TOML file beside the model. What is counted
    says ``task``, one of ``TASKS``; with ``ctc`` labels are texts, and ``characters`` is a file of
    :func:`characters_of`. Sequences of tokens are as long as the longest needs to be, where model
    and ``input_shape`` leave that open. Raises
    ``DataError``, and ``ModelError`` for the model, before anything is computed.
    """
    paths = [data] if calibration is None else [data, calibration]
    model, load = _loader(
        model_path, paths, class_map, output_name, input_shape, task, preprocessing_options
    )
    evaluated = load(data, task != SIGNAL)
    if calibration is None:
        aside = calibration_images
        if aside is None:
            aside = min(DEFAULT_CALIBRATION, max(1, len(evaluated) // 10))
        most = max(1, len(evaluated) - 1)
        _check_images("calibration_images", aside, most)
        calibrating, evaluated = split(evaluated, aside, seed)
    else:
        calibrating = _first(load(calibration, False), calibration_images)
    return Inputs(model, evaluated, calibrating, _scoring(model, task, evaluated, data, characters))


def load_calibration(
    model_path: Path,
    calibration: Path,
    calibration_images: int | None = None,
    output_name: str | None = None,
    input_shape: Sequence[int] | None = None,
    task: str = CLASSIFICATION,
    class_map: Path | None = None,
    labelled: bool = False,
    require: Requirement | None = None,
    **preprocessing_options: Any,
) -> tuple[Model, Images]:
    """The ONNX model at ``model_path`` and the images to calibrate it with, ``labelled`` or not;
    all else as of :func:`load_inputs`. Images are loaded if the model is what they ``require``.
    """
    model, load = _loader(
        model_path, [calibration], class_map, output_name, input_shape, task, preprocessing_options
    )
    if require is not None:
        require(model)
    return model, _first(load(calibration, labelled), calibration_images)


def load_seen_and_unseen(
    model_path: Path,
    data: Path,
    calibration: Path,
    labelled: bool,
    require: Requirement,
    calibration_images: int | None = None,
    class_map: Path | None = None,
    output_name: str | None = None,
    input_shape: Sequence[int] | None = None,
    **preprocessing_options: Any,
) -> tuple[Model, Images, Images]:
    """The ONNX model at ``model_path``, whose classes are counted, the images of ``data``, and
    those of ``calibration``, ``labelled`` or not; all else as of :func:`load_calibration`.
    """
    paths = [data, calibration]
    model, load = _loader(
        *(model_path, paths, class_map, output_name, input_shape, CLASSIFICATION),
        preprocessing_options,
    )
    require(model)
    return model, load(data, True), _first(load(calibration, labelled), calibration_images)


def load_evaluation(
    model_path: Path,
    data: Path,
    class_map: Path | None = None,
    output_name: str | None = None,
    input_shape: Sequence[int] | None = None,
    task: str = CLASSIFICATION,
    characters: Path | None = None,
    **preprocessing_options: Any,
) -> tuple[Images, Scoring]:
    """The images of ``data`` to evaluate a model on, and what is counted; all as of
    :func:`load_inputs`, which sets some aside.
    """
    model, load = _loader(
        model_path, [data], class_map, output_name, input_shape, task, preprocessing_options
    )
    images = load(data, task != SIGNAL)
    return images, _scoring(model, task, images, data, characters)


def _loader(
    model_path: Path,
    paths: Sequence[Path],
    class_map: Path | None,
    output_name: str | None,
    input_shape: Sequence[int] | None,
    task: str,
    preprocessing_options: dict[str, Any],
) -> tuple[Model, Callable[[Path, bool], Images]]:
    """The model, and what loads the images in one of ``paths``, which may be labelled."""
    if input_shape is None:
        input_shape = open_length(model_path, output_name, paths)
    model = load_model(model_path, output_name, input_shape, whole=task == SIGNAL)
    if model.graph.tokens:
        for name, value in {"class_map": class_map, **preprocessing_options}.items():
            if value is not None:
                raise DataError(f"{name} has no effect on tokens: leave it out")
        beside = _preprocessing_file(model_path)
        if beside.is_file():
            raise DataError(f"{beside}: preprocessing has no effect on tokens: remove the file")
    if class_map is not None and task == SIGNAL:
        raise DataError("class_map has no effect on the task signal: leave it out")
    preprocessing = _preprocessing(model_path, preprocessing_options)

    def load(path: Path, labelled: bool) -> Images:
        if model.graph.tokens:
            return load_tokens(path, model.graph, labelled)
        labels_in = class_map if labelled else None
        texts = task == CTC
        return load_data(path, model.input_shape, preprocessing, labels_in, labelled, texts)

    return model, load


def _scoring(
    model: Model, task: str, images: Images, data: Path, characters: Path | None
) -> Scoring:
    if characters is not None and task != CTC:
        raise DataError(f"{characters}: characters are for the task ctc, not {task}")
    match task:
        case "ctc":
            if images.source.classes is None:
                raise DataError(f"{data}: labels of the task ctc must be texts")
            return Recognition(characters_of(model, characters), images.source.classes)
        case "embedding":
            return load_head(data, model.logits)
        case "signal":
            return Signal(model.content, model.name)
    shape = model.output_shape
    if sum(side > 1 for side in shape) > 1:
        other = CTC if len(shape) == 2 else SIGNAL
        raise DataError(
            f"{model.name}: outputs of task classification must be (classes,), not {shape}; "
            f"perhaps --task {other} is meant"
        )
    return classification(model)


def choose_images(images: Images, count: int, seed: int) -> Images:
    """``count`` of ``images``, as ``seed`` chooses them, in their order; raises ``DataError``."""
    _check_images("images", count, len(images))
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(images))
    return images.chosen(np.sort(order[:count]), seed)


def _first(images: Images, count: int | None) -> Images:
    """So many of the images to calibrate with, or all."""
    if count is None:
        return images
    _check_images("calibration_images", count, len(images))
    return images.select(np.arange(count))


def _check_images(name: str, count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise DataError(f"{name} must be an integer from 1 to {most}, not {count}")


def _preprocessing_file(model_path: Path) -> Path:
    return model_path.with_suffix(".toml")


def _preprocessing(model_path: Path, options: dict[str, Any]) -> Preprocessing:
    beside = _preprocessing_file(model_path)
    merged = load_preprocessing(beside) if beside.is_file() else {}
    merged |= {name: value for name, value in options.items() if value is not None}
    try:
        return Preprocessing(**merged)
    except (TypeError, ValueError) as error:
        raise DataError(str(error)) from None
