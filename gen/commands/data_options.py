"""The options that say which model and which images a command takes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gen.commands.options import FilePath, IntegerRange, Listed, Number, integer, number
from networks.evaluation.description import skipped_lines
from networks.evaluation.images import Images
from networks.evaluation.inputs import (
    Inputs,
    Requirement,
    load_calibration,
    load_inputs,
    load_seen_and_unseen,
)
from networks.evaluation.model import Model
from networks.evaluation.preprocessing import COLOR_ORDERS, INTERPOLATIONS
from networks.evaluation.scoring import CLASSIFICATION, TASKS
from networks.quantization.calibration import METHODS, PERCENTILE

SIDES = Listed(integer, "a number of pixels, or height,width")
NUMBERS = Listed(number, "numbers separated by commas")
SIZES = Listed(integer, "integers separated by commas")

PATH = FilePath()
CALIBRATION = click.option(
    "--calibration",
    type=PATH,
    metavar="FILE",
    help="Images to calibrate with, which need no labels.",
)
CALIBRATION_IMAGES = click.option(
    "--calibration-images", type=IntegerRange(1), metavar="N", help="Calibrate with so many."
)
CLASS_MAP = click.option(
    "--class-map",
    type=PATH,
    metavar="FILE",
    help="Lines `name,label` for image files or folders.",
)
CHARACTERS = click.option(
    "--characters",
    type=PATH,
    metavar="FILE",
    help="Of the classes of the task ctc, one a line. [default: the model's metadata]",
)
PREPROCESSING = [
    click.option("--resize", type=SIDES, metavar="N|H,W", help="Shorter side, or both, in pixels."),
    click.option("--crop", type=IntegerRange(1), metavar="N", help="Side of the centre square."),
    click.option(
        "--interpolation", metavar="NAME", help=f"Of resize: {' or '.join(INTERPOLATIONS)}."
    ),
    click.option(
        "--exif-orientation/--no-exif-orientation",
        default=None,
        help="Turn photos upright. [default: as they are stored, as torchvision does]",
    ),
    click.option("--color-order", metavar="NAME", help=f"{' or '.join(COLOR_ORDERS)}."),
    click.option("--mean", type=NUMBERS, metavar="X,...", help="One, or per channel."),
    click.option("--scale", type=NUMBERS, metavar="X,...", help="Likewise."),
]
TASK = click.option(
    "--task",
    type=click.Choice(TASKS),
    default=CLASSIFICATION,
    show_default=True,
    help="What is counted: right classes; lines of text read right; right classes of a "
    "head on embeddings; noise against FP32.",
)
MODEL = [
    click.option("--output-name", metavar="NAME", help="Of several outputs. [default: first]"),
    click.option(
        "--input-shape",
        type=SIZES,
        metavar="N,C,H,W",
        help="Of the input, where the model leaves sizes open.",
    ),
]


def add_options(command: Any, options: Sequence[Any]) -> Any:
    """``command`` with ``options``, in their order."""
    for option in reversed(options):
        command = option(command)
    return command


def data_options(command: Any) -> Any:
    """Add the options that :func:`load_given` takes."""
    options = [
        click.option("--data", type=PATH, metavar="FILE", help="Labelled images, or tokens."),
        *(CALIBRATION, CLASS_MAP, *PREPROCESSING, TASK, CHARACTERS, *MODEL, CALIBRATION_IMAGES),
        click.option(
            "--seed",
            type=IntegerRange(0),
            metavar="N",
            default=1,
            show_default=True,
            help="Of the choice of images for calibration, where they are not given.",
        ),
    ]
    return add_options(command, options)


def unseen_options(command: Any) -> Any:
    """Add the options that :func:`load_unseen` takes."""
    data = click.option("--data", type=PATH, metavar="FILE", help="Labelled images to test.")
    options = [data, CALIBRATION, CALIBRATION_IMAGES, CLASS_MAP, *PREPROCESSING, *MODEL]
    return add_options(command, options)


def range_options(command: Any) -> Any:
    """Add the options of how ranges are found: ``calibration_method`` and ``percentile``."""
    method = click.option(
        "--calibration-method",
        type=click.Choice(METHODS),
        default="mean",
        show_default=True,
        help="Range of a tensor: mean over images of each image's largest, the largest of all, or "
        "mean of each image's percentile.",
    )
    percentile = click.option(
        "--percentile", type=Number(), default=PERCENTILE, show_default=True, metavar="P"
    )
    return add_options(command, [method, percentile])


def require_percentile(percentile: float) -> None:
    """Refuse a percentile that no range is found by."""
    if not 50 < percentile <= 100:
        raise click.UsageError(f"percentile must be above 50 and at most 100, not {percentile:g}")


def percentile_without_effect(calibration_method: str) -> dict[str, str]:
    """Why, if so: for :func:`refuse_without_effect`."""
    if calibration_method == "percentile":
        return {}
    return {"percentile": f"where calibration-method is {calibration_method}"}


def calibration_options(command: Any) -> Any:
    """Add the options that :func:`load_calibration_given` takes."""
    options = [CALIBRATION, CALIBRATION_IMAGES, *PREPROCESSING, TASK, *MODEL]
    return add_options(command, options)


def load_given(
    model: Path, data: Path | None, resize: tuple[int, ...] | None, **options: Any
) -> Inputs:
    """The model and its images; an error of one line before anything is computed.

    What of the images was skipped is said on standard error.
    """
    if data is None:
        raise click.UsageError("data must be given: --data FILE")
    inputs = load_inputs(model, data, resize=_side(resize), **options)
    # Parts of one source skip the same.
    warn_of_skipped(inputs.images, inputs.calibration)
    return inputs


def load_calibration_given(
    model: Path, calibration: Path | None, resize: tuple[int, ...] | None, **options: Any
) -> tuple[Model, Images]:
    """The model and its images to calibrate with, as :func:`load_given`."""
    if calibration is None:
        raise click.UsageError("calibration must be given: --calibration FILE")
    loaded, images = load_calibration(model, calibration, resize=_side(resize), **options)
    warn_of_skipped(images)
    return loaded, images


def load_unseen(
    model: Path,
    data: Path | None,
    calibration: Path | None,
    labelled: bool,
    require: Requirement,
    resize: tuple[int, ...] | None,
    **options: Any,
) -> tuple[Model, Images, Images]:
    """The model, which is what a method may ``require``, images to test, and those that it looks
    at, ``labelled`` or not.
    """
    if calibration is None:
        raise click.UsageError("calibration must be given: --calibration FILE")
    if data is None:
        raise click.UsageError("data must be given: --data FILE")
    loaded, tested, seen = load_seen_and_unseen(
        model, data, calibration, labelled, require, resize=_side(resize), **options
    )
    warn_of_skipped(tested, seen)
    return loaded, tested, seen


def warn_of_skipped(*parts: Images) -> None:
    """Say what was skipped of images, each once."""
    for line in dict.fromkeys(line for part in parts for line in skipped_lines(part)):
        warn(line)


def _side(resize: tuple[int, ...] | None) -> Any:
    """The shorter side, or both."""
    return resize[0] if resize and len(resize) == 1 else resize


def warn(text: str) -> None:
    """Say on standard error what looks like a mistake."""
    click.echo(f"sparq: warning: {text}", err=True)


def window_modes(command: Any) -> Any:
    """How windows cut: the options ``rounding`` and ``vsparq``."""
    return add_options(
        command,
        [
            click.option(
                "--rounding/--no-rounding", default=True, help="Round or trim. [default: round]"
            ),
            click.option("--vsparq/--no-vsparq", default=True, help="Pair zeros. [default: on]"),
        ],
    )
