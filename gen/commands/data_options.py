"""The options that say which model and which images a command takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from gen.commands.terminal import Integer, Listed
from gen.design.configuration import check_integer
from networks.evaluation.data import Images, load_data, split
from networks.evaluation.errors import DataError
from networks.evaluation.model import Model, load_model
from networks.evaluation.preprocessing import COLOR_ORDERS, Preprocessing, load_preprocessing

DEFAULT_CALIBRATION = 500
"""Images set aside for calibration, but no more than a tenth of the data."""
NUMBERS = Listed(float, "numbers separated by commas")


@dataclass(frozen=True)
class Inputs:
    """A model with the images to evaluate it on and those to calibrate it with."""

    model: Model
    images: Images
    calibration: Images


def data_options(command: Any) -> Any:
    """Add the options that :func:`load_inputs` takes."""
    path = click.Path(path_type=Path)
    options = [
        click.option("--data", type=path, metavar="FILE", help="Labelled images."),
        click.option(
            "--calibration", type=path, metavar="FILE", help="Images to calibrate with, likewise."
        ),
        click.option(
            "--class-map", type=path, metavar="FILE", help="Lines `name,label` for image files."
        ),
        click.option("--resize", type=Integer(), metavar="N", help="Shorter side, in pixels."),
        click.option("--crop", type=Integer(), metavar="N", help="Side of the centre square."),
        click.option("--color-order", metavar="NAME", help=f"{' or '.join(COLOR_ORDERS)}."),
        click.option("--mean", type=NUMBERS, metavar="X,...", help="One, or per channel."),
        click.option("--scale", type=NUMBERS, metavar="X,...", help="Likewise."),
        click.option(
            "--calibration-images", type=Integer(), metavar="N", help="Calibrate with so many."
        ),
        click.option(
            "--seed",
            type=Integer(),
            default=1,
            show_default=True,
            help="Of the choice of images for calibration, where they are not given.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def load_inputs(
    model_path: Path,
    data: Path | None,
    calibration: Path | None,
    class_map: Path | None,
    calibration_images: object,
    seed: object,
    **preprocessing_options: Any,
) -> Inputs:
    """The model and its images; an error of one line before anything is computed."""
    if data is None:
        raise click.UsageError("data must be given: --data FILE")
    seed = check_integer("seed", seed, 0)
    model = load_model(model_path)
    preprocessing = _preprocessing(model_path, preprocessing_options)
    evaluated = load_data(data, model.input_shape, preprocessing, class_map)
    if calibration is None:
        aside = calibration_images
        if aside is None:
            aside = min(DEFAULT_CALIBRATION, max(1, len(evaluated) // 10))
        most = max(1, len(evaluated) - 1)
        aside = check_integer("calibration_images", aside, 1, most)
        calibrating, evaluated = split(evaluated, aside, seed)
    else:
        calibrating = load_data(calibration, model.input_shape, preprocessing, class_map)
        if calibration_images is not None:
            most = len(calibrating)
            count = check_integer("calibration_images", calibration_images, 1, most)
            calibrating = calibrating.select(np.arange(count))
    return Inputs(model, evaluated, calibrating)


def _preprocessing(model_path: Path, options: dict[str, Any]) -> Preprocessing:
    beside = model_path.with_suffix(".toml")
    merged = load_preprocessing(beside) if beside.is_file() else {}
    merged |= {name: value for name, value in options.items() if value is not None}
    try:
        return Preprocessing(**merged)
    except (TypeError, ValueError) as error:
        raise DataError(str(error)) from None
