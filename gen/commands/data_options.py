"""The options that say which model and which images a command takes."""

from pathlib import Path
from typing import Any

import click

from gen.commands.options import Listed
from networks.evaluation.description import skipped_lines
from networks.evaluation.inputs import Inputs, load_inputs
from networks.evaluation.preprocessing import COLOR_ORDERS, INTERPOLATIONS
from networks.evaluation.scoring import CLASSIFICATION, TASKS

SIDES = Listed(int, "a number of pixels, or height,width")
NUMBERS = Listed(float, "numbers separated by commas")
SIZES = Listed(int, "integers separated by commas")


def data_options(command: Any) -> Any:
    """Add the options that :func:`load_given` takes."""
    path = click.Path(path_type=Path)
    options = [
        click.option("--data", type=path, metavar="FILE", help="Labelled images, or tokens."),
        click.option(
            "--calibration",
            type=path,
            metavar="FILE",
            help="Images to calibrate with, which need no labels.",
        ),
        click.option(
            "--class-map",
            type=path,
            metavar="FILE",
            help="Lines `name,label` for image files or folders.",
        ),
        click.option(
            "--resize", type=SIDES, metavar="N|H,W", help="Shorter side, or both, in pixels."
        ),
        click.option("--crop", type=int, metavar="N", help="Side of the centre square."),
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
        click.option(
            "--task",
            type=click.Choice(TASKS),
            default=CLASSIFICATION,
            show_default=True,
            help="What is counted: right classes; lines of text read right; right classes of a "
            "head on embeddings; noise against FP32.",
        ),
        click.option(
            "--characters",
            type=path,
            metavar="FILE",
            help="Of the classes of the task ctc, one a line. [default: the model's metadata]",
        ),
        click.option("--output-name", metavar="NAME", help="Of several outputs. [default: first]"),
        click.option(
            "--input-shape",
            type=SIZES,
            metavar="N,C,H,W",
            help="Of the input, where the model leaves sizes open.",
        ),
        click.option("--calibration-images", type=int, metavar="N", help="Calibrate with so many."),
        click.option(
            "--seed",
            type=click.IntRange(0),
            metavar="N",
            default=1,
            show_default=True,
            help="Of the choice of images for calibration, where they are not given.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def load_given(
    model: Path, data: Path | None, resize: tuple[int, ...] | None, **options: Any
) -> Inputs:
    """The model and its images; an error of one line before anything is computed.

    What of the images was skipped is said on standard error.
    """
    if data is None:
        raise click.UsageError("data must be given: --data FILE")
    side = resize[0] if resize and len(resize) == 1 else resize
    inputs = load_inputs(model, data, resize=side, **options)
    # Parts of one source skip the same.
    parts = (inputs.images, inputs.calibration)
    for line in dict.fromkeys(line for part in parts for line in skipped_lines(part)):
        warn(line)
    return inputs


def warn(text: str) -> None:
    """Say on standard error what looks like a mistake."""
    click.echo(f"sparq: warning: {text}", err=True)
