"""``sparq quantize``: the integers of a network, by a method, into a file."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from gen.commands.data_options import (
    CLASS_MAP,
    MODEL,
    PREPROCESSING,
    add_options,
    load_calibration_given,
    percentile_without_effect,
    range_options,
    require_percentile,
    window_modes,
)
from gen.commands.options import (
    FilePath,
    IntegerRange,
    json_option,
    layer_options,
    plot_option,
    refuse_without_effect,
    scheduler_option,
    writable,
    write_json,
)
from gen.commands.terminal import print_tables, progress_bar, table
from golden import BLOCK_FORMATS
from golden.format import GROUPS
from golden.named import ANY_FORMAT_HELP
from networks.evaluation.formats import AUTO, EIGHT_BITS, Activations, activations_of
from networks.evaluation.images import Images
from networks.evaluation.inputs import choose_images
from networks.evaluation.model import Model
from networks.evaluation.preparation import NATURAL, SHARED, Options, require_named
from networks.evaluation.settings import DENSE, EXACT_8_BIT, Setting
from networks.methods.corrected_biases import correcting, layer_means, with_corrected_biases
from networks.methods.extra_columns import ALLOWED, ExtraColumns
from networks.methods.lapq import GRID, SEARCHES, Lapq
from networks.methods.least_squares import least_squares
from networks.methods.min_max import min_max
from networks.methods.objective import CROSS_ENTROPY, OBJECTIVES
from networks.methods.observation import observe
from networks.methods.problem import Method, Outcome
from networks.methods.problem_of_model import problem_of, require_model
from networks.methods.quantized_file import QuantizedFile, digest_of
from networks.methods.report import method_plot, method_report
from networks.methods.second_points import MAX_WEIGHT_BITS, SecondPoints
from networks.methods.shared_order import with_shared_orders
from support.files import write_if_changed
from support.tasks import require_scheduler

MIN_MAX, LEAST_SQUARES, LAPQ = "minmax", "least-squares", "lapq"
METHODS: Mapping[str, Callable[[int, str], Method]] = {
    LAPQ: Lapq,
    LEAST_SQUARES: lambda passes, search: least_squares,
    MIN_MAX: lambda passes, search: min_max,
}
"""By name, of a number of passes and one of ``SEARCHES``."""
NO_WINDOWS = f"where format is {EIGHT_BITS}"


class _Activations(click.ParamType[str]):
    """The name of a window format, of one for each of two kinds of layers, or of exact bytes."""

    name = "format"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Its one name; an error that says what is allowed."""
        if value == EIGHT_BITS:
            return EIGHT_BITS
        try:
            name = activations_of(value).name
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        if name == AUTO or name in BLOCK_FORMATS:
            raise click.UsageError(
                f"format must be {EIGHT_BITS} or one of windows that is the same for all "
                f"layers, not {name}: that is chosen after the clips"
            )
        return name


def extra_columns_of(text: str) -> ExtraColumns:
    """As it is given; an error that says what is allowed."""
    try:
        return ExtraColumns.parse(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def require_points(weight_bits: int) -> None:
    """Refuse weights of which two make no weight of 8 bits."""
    if weight_bits > MAX_WEIGHT_BITS:
        raise click.UsageError(
            f"weight-bits must be from 2 to {MAX_WEIGHT_BITS} with extra-columns, as two points "
            f"combine to a weight of 8 bits, not {weight_bits}"
        )


def require_channels(columns: ExtraColumns, model: Model) -> None:
    """Refuse more columns than the model has channels."""
    most = model.graph.channels
    if columns.count > most:
        raise click.UsageError(
            f"extra-columns must be at most {most}, which are all channels of {model.name}, not "
            f"{columns.count}"
        )


correct_bias_option = click.option(
    "--correct-bias",
    is_flag=True,
    help="Take the mean error of each channel's sums against floating point off its bias.",
)
cols_option = click.option(
    "--cols",
    type=IntegerRange(2),
    default=16,
    show_default=True,
    metavar="N",
    help="Columns of the array that extra columns are counted on.",
)


def exact_or_windows(
    name: str, rounding: bool = True, vsparq: bool = True, group: int = 1
) -> str | Activations:
    """The activations of a setting, by the name of their format."""
    if name == EIGHT_BITS:
        return EXACT_8_BIT
    return activations_of(name, rounding, vsparq, group)


def _data_options(command: Any) -> Any:
    data = click.option(
        "--data", type=FilePath(), metavar="FILE", help="Images, or tokens, to find clips on."
    )
    return add_options(command, [data, CLASS_MAP, *PREPROCESSING, *MODEL])


@click.command()
@click.argument("model", type=FilePath(), metavar="MODEL.onnx")
@_data_options
@click.option("--images", type=IntegerRange(1), metavar="N", help="So many, chosen by the seed.")
@click.option(
    "--seed",
    type=IntegerRange(0),
    default=1,
    show_default=True,
    metavar="N",
    help="Of the choice of images, and of the values that clips are chosen by.",
)
@click.option("--method", type=click.Choice([*METHODS]), default=LAPQ, show_default=True)
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    default=CROSS_ENTROPY,
    show_default=True,
    help="The loss: cross-entropy of labels; divergence from FP32, which needs no labels.",
)
@click.option(
    "--passes",
    type=IntegerRange(0, 8),
    default=2,
    show_default=True,
    metavar="N",
    help="Of the joint search of lapq; 0 for none.",
)
@click.option(
    "--search",
    type=click.Choice(SEARCHES),
    default=GRID,
    show_default=True,
    help="One clip after the other, or Powell's directions, with many times the evaluations.",
)
@click.option(
    "--format",
    "format_name",
    type=_Activations(),
    default="5opt",
    show_default=True,
    metavar="NAME",
    help=f"Of activations: {EIGHT_BITS}, {ANY_FORMAT_HELP}, or two such as 5opt+s4opt.",
)
@window_modes
@click.option(
    "--group",
    type=click.Choice([str(group) for group in GROUPS]),
    default="1",
    show_default=True,
    help="Activations that share a window.",
)
@click.option("--weight-bits", type=IntegerRange(2, 8), default=8, show_default=True, metavar="N")
@click.option(
    "--channel-order",
    type=click.Choice((NATURAL, SHARED)),
    default=NATURAL,
    show_default=True,
    help="Which channels are neighbours; shared: one order for all layers that take the same ones.",
)
@click.option(
    "--extra-columns",
    metavar="N",
    help=f"Second points for the channels that need them most: {ALLOWED}.",
)
@cols_option
@correct_bias_option
@range_options
@layer_options()
@scheduler_option
@click.option(
    "--output",
    type=FilePath(),
    default=Path("build/quantized.json"),
    show_default=True,
    metavar="FILE",
    callback=writable,
    help="The file that evaluate, compile and demo take as --quantized.",
)
@plot_option("--plot", "Draw the search.")
@json_option
def quantize(
    model: Path,
    data: Path | None,
    class_map: Path | None,
    images: int | None,
    seed: int,
    method: str,
    objective: str,
    passes: int,
    search: str,
    format_name: str,
    rounding: bool,
    vsparq: bool,
    group: str,
    weight_bits: int,
    channel_order: str,
    extra_columns: str | None,
    cols: int,
    correct_bias: bool,
    calibration_method: str,
    percentile: float,
    first_layer_windowed: bool,
    last_layer_windowed: bool,
    attention_windowed: bool,
    scheduler: str | None,
    output: Path,
    plot: Path | None,
    json_file: Path | None,
    **named: Any,
) -> None:
    """Choose what a network's integers stand for, and write it to a file.

    minmax calibrates as `sparq evaluate` does. least-squares clips each tensor where its squared
    error is least. lapq searches all clips together for the least loss of the network in integers,
    as the hardware computes them in the format (docs/methods.md). Afterwards, whatever the method,
    a shared --channel-order is kept if it lowers the loss, and with --extra-columns channels get
    second points. With --correct-bias every loss is that of a network whose biases make up for the
    mean error.
    """
    require_percentile(percentile)
    reasons = percentile_without_effect(calibration_method)
    if method != LAPQ:
        reasons |= dict.fromkeys(("passes", "search"), f"where method is {method}")
    if format_name == EIGHT_BITS:
        windowed = ("rounding", "vsparq", "group", "attention_windowed", "channel_order")
        reasons |= dict.fromkeys(windowed, NO_WINDOWS)
    elif not vsparq and group == "1":
        reasons["channel_order"] = "without vsparq where group is 1"
    if objective != CROSS_ENTROPY:
        reasons["class_map"] = f"where objective is {objective}"
    points = None
    if extra_columns is None:
        reasons["cols"] = "without extra-columns"
    else:
        require_points(weight_bits)
        points = SecondPoints(extra_columns_of(extra_columns), cols)
    refuse_without_effect(reasons)
    digest = digest_of(model)
    if data is None:
        raise click.UsageError("data must be given: --data FILE")
    options = Options(
        weight_bits=weight_bits,
        method=calibration_method,
        percentile=percentile,
        first_layer_windowed=first_layer_windowed,
        last_layer_windowed=last_layer_windowed,
        attention_windowed=attention_windowed,
    )

    def require(loaded: Model) -> None:
        require_model(loaded)
        require_named(loaded, options)
        if points is not None:
            require_channels(points.columns, loaded)

    require_scheduler(scheduler)
    labelled = objective == CROSS_ENTROPY
    loaded, taken = load_calibration_given(
        model, data, class_map=class_map, labelled=labelled, require=require, **named
    )
    if images is not None:
        taken = choose_images(taken, images, seed)
    activations = exact_or_windows(format_name, rounding, vsparq, int(group))
    setting = Setting(activations, weight_bits, DENSE)
    with progress_bar() as progress:
        seen = observe(*(loaded, taken, calibration_method, percentile, seed, progress), scheduler)
        problem = problem_of(loaded, seen, options, setting, objective, scheduler)
        means = layer_means(loaded.graph, seen, scheduler, progress) if correct_bias else None
        posed = problem if means is None else correcting(problem, means)
        outcome = METHODS[method](passes, search)(posed, progress)
        if channel_order == SHARED and setting.windows is not None:
            outcome = _better(
                outcome, with_shared_orders(posed, outcome, setting.windows, progress)
            )
        if points is not None:
            outcome = points(posed, outcome, progress)
        if means is not None:
            outcome = with_corrected_biases(problem, outcome, means)
            (calibrated,) = problem.objective([problem.calibrated])
    label = problem.objective.integers.label
    result = method_report(loaded.name, method, problem, outcome)
    switches = {
        "weight_bits": weight_bits,
        "first_layer_windowed": first_layer_windowed,
        "last_layer_windowed": last_layer_windowed,
        "attention_windowed": attention_windowed,
    }
    decided = {
        "seed": seed,
        "objective": objective,
        "calibration_method": calibration_method,
        "percentile": percentile,
    }
    file = file_of(loaded, digest, taken, named, switches, method, label, decided, outcome)
    click.echo(
        f"{result['model']}: {objective} of {result['images']} images, {label}, "
        f"weights of {weight_bits} bits"
    )
    print_tables(*_tables(result))
    if means is not None:
        click.echo(f"calibration without corrected biases: {calibrated:.6f}")
    write_if_changed(output, file.text)
    click.echo(f"wrote {output}")
    if plot is not None:
        write_if_changed(plot, method_plot(result))
        click.echo(f"wrote {plot}")
    write_json(json_file, result)


def _better(before: Outcome, after: Outcome) -> Outcome:
    """The one of less loss; what ``after`` says is said either way."""
    return after if after.loss < before.loss else replace(before, decided=after.decided)


def file_of(
    model: Model,
    digest: str,
    images: Images,
    named: Mapping[str, Any],
    switches: Mapping[str, Any],
    method: str,
    label: str,
    decided: Mapping[str, Any],
    outcome: Outcome,
) -> QuantizedFile:
    """The file of an ``outcome`` on ``images``, for the format of the ``label``.

    ``named`` are the options of which model that is, ``switches`` the options of the file,
    ``decided`` what led to the clips beside images and method.
    """
    # Biases by weights alone are the same in every format.
    depends = method == LAPQ or outcome.clips.orders or "corrected_biases" in outcome.decided
    return QuantizedFile(
        model.name,
        digest,
        named["output_name"],
        named["input_shape"],
        {} if model.graph.tokens else images.preprocessing.fields,
        switches,
        method,
        label if depends else None,
        {"images": len(images), **images.source.fields, **decided, **outcome.decided},
        outcome.loss,
        outcome.clips,
    )


def _tables(result: dict[str, Any]) -> list[Table]:
    losses = table("Losses", "clips", "loss")
    for row in result["starts"]:
        losses.add_row(row["start"], f"{row['loss']:.6f}")
    if result["trace"]:
        losses.add_row("after the search", f"{result['trace'][-1]:.6f}")
    if order := result["decided"].get("shared_order"):
        dropped = "" if order["loss"] < order["natural_loss"] else " (not kept)"
        layers = f"with channel orders in {order['layers']} layers{dropped}"
        losses.add_row(
            layers if order["layers"] else "no channels can be reordered", f"{order['loss']:.6f}"
        )
    if points := result["decided"].get("second_points"):
        losses.add_row(f"with {points['columns']} extra columns", f"{points['loss']:.6f}")
    if biases := result["decided"].get("corrected_biases"):
        for name in ("none", "weights", "sums"):
            dropped = "" if biases[name] == biases["loss"] else " (not kept)"
            losses.add_row(f"then biases corrected by {name}{dropped}", f"{biases[name]:.6f}")
    changed = [row for row in result["clips"] if (row["least"], row["most"]) != (1.0, 1.0)]
    if not changed:
        return [losses]
    clips = table(
        "Clips that changed: % of the calibrated range, or of the largest weight of each channel",
        *("of", "least", "mean", "largest"),
    )
    for row in changed:
        clips.add_row(row["of"], *(f"{100 * row[name]:.1f}" for name in ("least", "mean", "most")))
    return [losses, clips]
