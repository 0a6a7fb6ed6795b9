"""The option that takes the file of ``sparq quantize`` in place of calibrating."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from gen.commands.options import FilePath, refuse_without_effect
from networks.evaluation.errors import DataError
from networks.evaluation.formats import EIGHT_BITS, Activations
from networks.evaluation.inputs import Inputs
from networks.evaluation.settings import activations_label
from networks.methods.quantized_file import QuantizedFile
from networks.quantization.clips import Given

quantized_option = click.option(
    "--quantized",
    type=FilePath(),
    metavar="FILE",
    help="Take what `sparq quantize` has written in place of calibrating.",
)
DECIDED = (
    *("calibration_method", "percentile", "equalize"),
    *("first_layer_windowed", "last_layer_windowed", "attention_windowed"),
    *("resize", "crop", "interpolation", "exif_orientation", "color_order", "mean", "scale"),
    *("output_name", "input_shape"),
)
"""Options that the file decides for every command, by the names of their parameters."""


def load_quantized(path: Path, model: Path, *without_effect: str) -> QuantizedFile:
    """The file at ``path``, which must be of the ONNX file ``model``.

    Options that it decides, and those that are ``without_effect`` in this command, are refused.
    """
    refuse_without_effect(dict.fromkeys((*DECIDED, *without_effect), decided_by(path)))
    file = QuantizedFile.load(path)
    file.require_model(path, model)
    return file


def decided_by(path: Path) -> str:
    """Why an option has no effect beside the file at ``path``."""
    return f"beside quantized, as {path} decides it"


def data_of(file: QuantizedFile) -> dict[str, Any]:
    """The options that say how images become inputs of which model, as the file has them."""
    own = {name: tuple(v) if isinstance(v, list) else v for name, v in file.preprocessing.items()}
    if "resize" in own and isinstance(own["resize"], int):
        own["resize"] = (own["resize"],)
    return {**own, "output_name": file.output_name, "input_shape": file.input_shape}


def with_clips(inputs: Inputs, path: Path, file: QuantizedFile) -> Inputs:
    """``inputs`` with the clips of the file, which must be all of the model's."""
    file.require_graph(path, inputs.model)
    return replace(inputs, source=Given(file.clips))


def require_machine(
    path: Path, file: QuantizedFile, fmt: Activations | None, weight_bits: int
) -> None:
    """Refuse a machine of another format than was searched for, or of too narrow weights."""
    label = EIGHT_BITS if fmt is None else activations_label(fmt)
    if file.format == EIGHT_BITS != label:
        raise DataError(f"{path}: it is for exact bytes, as of pe 8x8, not for {label}")
    if file.format is not None and file.format != label:
        raise DataError(f"{path}: format must be {file.format}, which it is for, not {label}")
    bits = file.options["weight_bits"]
    if bits > weight_bits:
        raise DataError(
            f"{path}: weight-bits must be at least {bits}, which its weights have, "
            f"not {weight_bits}"
        )
    if file.whole_weight_bits > weight_bits:
        raise DataError(
            f"{path}: weight-bits must be at least {file.whole_weight_bits}, which its weights of "
            f"two points have here, where columns are not combined, not {weight_bits}"
        )
