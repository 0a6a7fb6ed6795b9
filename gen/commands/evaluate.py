"""``sparq evaluate``: the options, and the tables that it prints."""

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from gen.commands.data_options import (
    data_options,
    load_given,
    percentile_without_effect,
    range_options,
    require_percentile,
    warn,
    window_modes,
)
from gen.commands.options import (
    FilePath,
    Formats,
    IntegerRange,
    Listed,
    Number,
    json_option,
    keep_option,
    keep_result,
    layer_options,
    refuse_without_effect,
    scheduler_option,
    write_json,
)
from gen.commands.quantized_option import (
    data_of,
    decided_by,
    load_quantized,
    quantized_option,
    with_clips,
)
from gen.commands.terminal import print_tables, progress_bar, table
from golden import BLOCK_FORMATS, NAMED_FORMATS, BlockFormat
from golden.format import GROUPS
from networks.evaluation.description import decisions
from networks.evaluation.evaluate import evaluate_model
from networks.evaluation.formats import (
    ACTIVATION_HELP,
    AUTO,
    EIGHT_BITS,
    WEIGHT_HELP,
    canonical_name,
    weights_name,
    weights_of,
)
from networks.evaluation.inputs import choose_images
from networks.evaluation.preparation import AUTO_SQNR, CHANNEL_ORDERS, Options, require_named
from networks.evaluation.report import report_files
from networks.evaluation.scoring import CTC, SIGNAL
from networks.evaluation.settings import SPARSE_2_4, SPARSITIES, settings_of
from networks.kernel.library import missing
from support.files import make_folder, write_if_changed

SHOWN_NOISES = 8
SHOWN_DECISIONS = 3

EPILOG = """
Without --calibration, a tenth of the data (at most 500 images) is set aside to calibrate with.

Data is an .npz file with arrays `images` (uint8 NHWC, or float32 NCHW as the model takes them) and
`labels`, or a folder or .zip of images whose classes are their subfolders or stand in --class-map.
Images to calibrate with need no labels.
Preprocessing, x = (pixel - mean) / scale with pixels from 0 to 255, may also stand in a TOML file
beside the model, MODEL.toml, with the keys resize, crop, interpolation,
exif_orientation, color_order, mean and scale.

Of a model that takes tokens, data is an .npz file with an array of integers (N, length) for each
input, called as that is, and `labels`. `length` (N,), the lengths of the sequences, may stand for
a mask. --input-shape 1,LENGTH sets a length that the model leaves open; by default it is that of
the longest sequence.

\b
ResNet-20 on CIFAR-10:
  sparq evaluate resnet20_cifar10_bn.onnx --data cifar10_test.npz \\
    --calibration cifar10_calibration.npz \\
    --mean 123.675,116.28,103.53 --scale 58.395,57.12,57.375
\b
SqueezeNet on ImageNet:
  sparq evaluate squeezenet_dc_imagenet.onnx --data evaluation.zip \\
    --calibration calibration.zip --class-map classes.txt \\
    --color-order BGR --mean 104,117,123
\b
A BERT that ends in classes, on tokens:
  sparq evaluate bert.onnx --data tokens.npz --input-shape 1,128 \\
    --formats s4opt,s5opt --calibration-method max
"""


@click.command(epilog=EPILOG)
@click.argument("model", type=FilePath(), metavar="MODEL.onnx")
@data_options
@quantized_option
@click.option(
    "--images", type=IntegerRange(1), metavar="N", help="Evaluate so many, chosen by the seed."
)
@click.option(
    "--formats",
    type=Formats(canonical_name),
    default=",".join(NAMED_FORMATS),
    show_default=True,
    metavar="NAME,...",
    help=f"Formats of activations: {ACTIVATION_HELP}.",
)
@window_modes
@click.option(
    "--group",
    "groups",
    type=Listed.of(*map(str, GROUPS)),
    default="1",
    show_default=True,
    metavar="N,...",
    help=f"Activations that share a window: some of {', '.join(map(str, GROUPS))}.",
)
@click.option("--all-variants", is_flag=True, help="With and without rounding, and vSPARQ.")
@click.option("--weight-bits", type=IntegerRange(4, 8), default=8, show_default=True, metavar="N")
@click.option(
    "--weight-formats",
    type=Formats(weights_name),
    default=EIGHT_BITS,
    show_default=True,
    metavar="NAME,...",
    help=f"Rows with weights that are: {WEIGHT_HELP}.",
)
@click.option(
    "--weight-group",
    type=click.Choice([str(group) for group in GROUPS]),
    default="1",
    show_default=True,
    help="Weights along K that share a shift, of window formats.",
)
@click.option(
    "--sparsity",
    type=Listed.of(*SPARSITIES),
    default="dense",
    show_default=True,
    metavar="NAME,...",
    help="dense; 2:4 prunes the weights of windowed layers by magnitude.",
)
@range_options
@layer_options()
@click.option(
    "--exact-layers",
    type=Listed(str, "names of layers", distinct=True),
    default=(),
    metavar="NAME,...",
    help=f"Layers that stay at 8 bits in all formats; {AUTO}: those that auto-sqnr says, of each.",
)
@click.option(
    "--recalibrate-batch-norm", is_flag=True, help="Restate it for the quantized network."
)
@click.option(
    "--channel-order",
    type=click.Choice(CHANNEL_ORDERS),
    default="natural",
    show_default=True,
    help="Which channels are paired: neighbours, or chosen on the calibration images.",
)
@click.option(
    "--equalize", is_flag=True, help="Equalize ranges of channels, across layers, before."
)
@click.option(
    "--correct-bias", is_flag=True, help="Take the mean error of a layer's products off its biases."
)
@click.option(
    "--auto-sqnr",
    type=Number(),
    default=AUTO_SQNR,
    show_default=True,
    metavar="DB",
    help=f"{AUTO}, the format or among exact-layers, keeps layers at 8 bits whose windows leave "
    "less signal to noise.",
)
@scheduler_option
@click.option(
    "--output",
    type=FilePath(),
    default=Path("build/evaluate"),
    show_default=True,
    metavar="DIR",
    help="Folder for the CSV file and the plots.",
)
@json_option
@keep_option
def evaluate(
    model: Path,
    quantized: Path | None,
    images: int | None,
    formats: Sequence[str],
    rounding: bool,
    vsparq: bool,
    groups: Sequence[str],
    all_variants: bool,
    weight_bits: int,
    weight_formats: Sequence[str],
    weight_group: str,
    sparsity: Sequence[str],
    calibration_method: str,
    percentile: float,
    first_layer_windowed: bool,
    last_layer_windowed: bool,
    attention_windowed: bool,
    exact_layers: tuple[str, ...],
    recalibrate_batch_norm: bool,
    channel_order: str,
    equalize: bool,
    correct_bias: bool,
    auto_sqnr: float,
    scheduler: str | None,
    output: Path,
    json_file: Path | None,
    keep: bool,
    **inputs: Any,
) -> None:
    """Measure a trained network's accuracy in the integer arithmetic of the hardware."""
    require_percentile(percentile)
    if not isfinite(auto_sqnr):
        raise click.UsageError(f"auto-sqnr must be a number of decibels, not {auto_sqnr:g}")
    _refuse_without_effect(
        formats,
        weight_formats,
        calibration_method,
        all_variants,
        exact_layers,
        inputs["calibration"] is not None and images is None,
    )
    if quantized is not None and SPARSE_2_4 in sparsity:
        raise click.UsageError("sparsity must be dense beside quantized, not 2:4")
    options = Options(
        weight_bits,
        calibration_method,
        percentile,
        first_layer_windowed,
        last_layer_windowed,
        recalibrate_batch_norm,
        channel_order,
        equalize,
        correct_bias,
        auto_sqnr,
        attention_windowed,
        exact_layers,
    )
    file = None
    if quantized is not None:
        file = load_quantized(quantized, model, "weight_bits")
        if file.clips.orders:
            refuse_without_effect({"channel_order": decided_by(quantized)})
        if file.clips.biases and recalibrate_batch_norm:
            raise click.UsageError(
                f"recalibrate-batch-norm must be left out beside {quantized}, whose biases it "
                "replaces"
            )
        options = file.options_with(options)
        inputs |= data_of(file)
    weights = [weights_of(name, int(weight_group)) for name in weight_formats]
    if SPARSE_2_4 in sparsity and any(isinstance(weight, BlockFormat) for weight in weights):
        raise click.UsageError("weights in block formats must be dense, not 2:4")
    choices = (True, False)
    settings = settings_of(
        formats,
        choices if all_variants else (rounding,),
        choices if all_variants else (vsparq,),
        [int(group) for group in groups],
        options.weight_bits,
        sparsity,
        weights,
    )
    loaded = load_given(model, **inputs)
    require_named(loaded.model, options)
    if file is not None and quantized is not None:
        loaded = with_clips(loaded, quantized, file)
    chosen = loaded.images
    if images is not None:
        chosen = choose_images(chosen, images, inputs["seed"])
    make_folder(output)
    if slower := missing():
        warn(slower)
    result = evaluate_model(
        loaded.model,
        chosen,
        loaded.calibration,
        settings,
        options,
        progress_bar(),
        scheduler,
        warn,
        loaded.scoring,
        loaded.source,
    )
    if file is not None and quantized is not None:
        result["quantized"] = {
            "file": quantized.name,
            "method": file.method,
            "channels": loaded.model.graph.channels,
            "second_points": file.second_points,
            "biases": bool(file.clips.biases),
        }
    print_tables(_accuracy_table(result), _layer_table(result))
    click.echo(_summary(result))
    click.echo("\n".join(decisions(result)))
    for path, text in report_files(result, output).items():
        write_if_changed(path, text)
        click.echo(f"wrote {path}")
    write_json(json_file, result)
    variant = channel_order if tuple(groups) == ("1",) else f"{channel_order}_groups"
    if equalize or correct_bias:
        variant += "_corrected"
    if options.attention_windowed:
        variant += "_attention"
    if exact_layers:
        variant += "_exact"
    if file is not None:
        variant += f"_{file.method}"
    keep_result(keep, "evaluate", f"evaluate_{model.stem}_{variant}", result)


WINDOW_OPTIONS = (
    "rounding", "vsparq", "groups", "all_variants", "channel_order", "attention_windowed"
)  # fmt: skip


def _refuse_without_effect(
    formats: Sequence[str],
    weight_formats: Sequence[str],
    calibration_method: str,
    all_variants: bool,
    exact_layers: tuple[str, ...],
    all_given: bool,
) -> None:
    """Refuse options on the command line that nothing they are of is there for."""
    reasons: dict[str, str] = {}
    if all_variants:
        reasons |= dict.fromkeys(("rounding", "vsparq"), "beside all-variants")
    if all(name in BLOCK_FORMATS for name in formats):
        reasons |= dict.fromkeys(WINDOW_OPTIONS, "where all formats are block formats")
        if AUTO in exact_layers:
            reasons["exact_layers"] = f"as {AUTO} where all formats are block formats"
    if AUTO not in (*formats, *exact_layers):
        reasons["auto_sqnr"] = f"without {AUTO} among the formats or the exact-layers"
    if all(name == EIGHT_BITS or name in BLOCK_FORMATS for name in weight_formats):
        reasons["weight_group"] = "without a window format among the weight-formats"
    if all_given:
        reasons["seed"] = "where calibration is given and images is not"
    reasons |= percentile_without_effect(calibration_method)
    refuse_without_effect(reasons)


def _percent(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _accuracy_table(result: dict[str, Any]) -> Table:
    clips = f"calibrated on {result['calibration_images']}"
    if given := result.get("quantized"):
        clips = f"clips by {given['method']} from {given['file']}"
    rows = table(
        f"{result['model']}: {result['images']} images, {clips}",
        *("format", "weights", "bits/activation", *_measures(result["task"])),
    )
    signal, lines = result["task"] == SIGNAL, result["task"] == CTC
    for row in result["rows"]:
        rows.add_row(
            row["label"],
            "" if row["weight_bits"] is None else str(row["weight_bits"]),
            f"{row['bits_per_activation']:g}",
            *([] if signal else [_percent(row["top1"])]),
            *([_percent(row["output_sqnr_db"])] if signal else []),
            _percent(row["standard_error"]),
            *([] if signal or lines else [_percent(row["top5"])]),
            _signed(row["difference"]),
            _percent(row["difference_error"]),
            "≈" if row["within_error"] else "",
            *([_percent(row["character_error"])] if lines else []),
            *([_signed(row["character_difference"])] if lines else []),
            *([_percent(row["character_difference_error"])] if lines else []),
            *([] if signal else [_percent(row["output_sqnr_db"], 1)]),
        )
    return rows


def _measures(task: str) -> tuple[str, ...]:
    """What is counted, as headings."""
    paired = ("- 8-bit", "± paired", "")
    if task == SIGNAL:
        return ("SQNR dB", "±", *paired)
    if task == CTC:
        return ("exact lines %", "±", *paired, "characters wrong %", "- 8-bit", "± paired", "SQNR")
    return ("top-1 %", "±", "top-5 %", *paired, "SQNR")


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"


def _layer_table(result: dict[str, Any]) -> Table:
    # As many as a terminal shows; the JSON file has all.
    shown = list(result["layers"][0]["sqnr_db"])[:SHOWN_NOISES] if result["layers"] else []
    decided = _decisions(result)
    rows = table(
        "Layers (SQNR: signal to quantization noise of the output, dB)",
        *("layer", "M x K x N", "unsigned formats", *decided, "zeros %", "zero pairs %"),
        *shown,
    )
    for layer in result["layers"]:
        groups = f" x {layer['groups']}" if layer["groups"] > 1 else ""
        rows.add_row(
            layer["name"],
            f"{layer['m']} x {layer['k']} x {layer['n'] // layer['groups']}{groups}",
            "windowed" if layer["windowed"] else f"8 bits: {layer['reason']}",
            *(layer["formats"][label] for label in decided),
            _percent(layer["zeros"], 1),
            _percent(layer["zero_pairs"], 1),
            *(_percent(layer["sqnr_db"][label], 1) for label in shown),
        )
    return rows


def _decisions(result: dict[str, Any]) -> list[str]:
    """Rows whose layers run in other formats than the column of unsigned formats says."""
    layers = result["layers"]
    found: dict[tuple[str, ...], str] = {}
    for label in layers[0]["formats"] if layers else ():
        texts = tuple(layer["formats"][label] for layer in layers)
        named = any(
            text.startswith("8 bits") == layer["windowed"]
            for text, layer in zip(texts, layers, strict=True)
        )
        if named or len({text for text in texts if not text.startswith("8 bits")}) > 1:
            found.setdefault(texts, label)
    return list(found.values())[:SHOWN_DECISIONS]


def _summary(result: dict[str, Any]) -> str:
    lines = ["≈: the difference from 8 bits is below the standard error of the paired comparison"]
    formats: dict[str, dict[str, None]] = {}
    for row in result["rows"]:
        if row["windowed_share"] is not None:
            formats.setdefault(f"{row['windowed_share']:.1f} %", {})[row["format"]] = None
    if formats:
        shares = "; ".join(f"{share} in {', '.join(names)}" for share, names in formats.items())
        lines.append(f"multiplications that are not at 8 bits: {shares}")
    if result["zeros"] is not None:
        lines.append(
            "of the activations of layers that unsigned formats window "
            f"{result['zeros']:.1f} % are zero, of their pairs "
            f"{result['zero_pairs']:.1f} % hold a zero"
        )
    return "\n".join(lines)
