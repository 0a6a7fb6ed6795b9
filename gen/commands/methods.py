"""``sparq methods``: what methods of quantization win back, on images that they have not seen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from gen.commands.data_options import load_unseen, unseen_options
from gen.commands.options import (
    FilePath,
    IntegerRange,
    Listed,
    json_option,
    keep_option,
    keep_result,
    refuse_without_effect,
    scheduler_option,
    widths_option,
    write_json,
)
from gen.commands.quantize import (
    LAPQ,
    LEAST_SQUARES,
    METHODS,
    MIN_MAX,
    cols_option,
    correct_bias_option,
    exact_or_windows,
    extra_columns_of,
    require_channels,
    require_points,
)
from gen.commands.terminal import print_tables, progress_bar, table
from networks.evaluation.formats import EIGHT_BITS
from networks.evaluation.inputs import choose_images
from networks.evaluation.model import Model
from networks.evaluation.settings import DENSE, Setting
from networks.methods.comparison import compare, method_text
from networks.methods.extra_columns import ExtraColumns
from networks.methods.lapq import GRID
from networks.methods.objective import CROSS_ENTROPY, OBJECTIVES
from networks.methods.observation import observe
from networks.methods.problem_of_model import require_model
from networks.methods.second_points import SecondPoints
from networks.quantization.calibration import PERCENTILE
from support.tasks import require_scheduler

FORMATS = {
    "5opt": exact_or_windows("5opt"),
    "3opt": exact_or_windows("3opt"),
    "2opt": exact_or_windows("2opt"),
    "group2": exact_or_windows("5opt", group=2),
    EIGHT_BITS: exact_or_windows(EIGHT_BITS),
}
"""By name; ``group2`` is 5opt whose windows are shared by two."""


@click.command()
@click.argument("model", type=FilePath(), metavar="MODEL.onnx")
@unseen_options
@click.option("--images", type=IntegerRange(1), metavar="N", help="Test so many, by the seed.")
@click.option("--seed", type=IntegerRange(0), default=1, show_default=True, metavar="N")
@click.option(
    "--formats",
    type=Listed.of(*FORMATS),
    default=",".join(FORMATS),
    show_default=True,
    metavar="NAME,...",
)
@widths_option("8,4,3", "Widths of the weights, the widest first.")
@click.option(
    "--objective", type=click.Choice(OBJECTIVES), default=CROSS_ENTROPY, show_default=True
)
@click.option("--passes", type=IntegerRange(0, 8), default=2, show_default=True, metavar="N")
@click.option(
    "--extra-columns",
    type=Listed(extra_columns_of, "numbers of columns", distinct=True),
    metavar="N,...",
    help="Second points, after each method, for the channels that need them most, and for as many "
    "that the seed draws: idle, numbers of columns, or parts of all channels such as 25%.",
)
@cols_option
@correct_bias_option
@scheduler_option
@json_option
@keep_option
def methods(
    model: Path,
    calibration: Path | None,
    data: Path | None,
    images: int | None,
    seed: int,
    formats: Sequence[str],
    widths: Sequence[int],
    objective: str,
    passes: int,
    extra_columns: Sequence[ExtraColumns] | None,
    cols: int,
    correct_bias: bool,
    scheduler: str | None,
    json_file: Path | None,
    keep: bool,
    **named: Any,
) -> None:
    """Compare methods of `sparq quantize` on images that they have not seen.

    All of them look at --calibration, which must be labelled unless the objective is divergence.
    Differences are paired: from minmax in the same row's format and width, and from minmax at the
    widest weights. With --extra-columns rows of weights of 2 to 4 bits follow, of second points;
    with --correct-bias each method has a row with corrected biases, too.
    """
    if extra_columns is None:
        refuse_without_effect({"cols": "without extra-columns"})
    else:
        require_points(min(widths))
    if max(widths) > widths[0]:
        raise click.UsageError(
            f"weight-bits must be {max(widths)} first, the widest, not {widths[0]}"
        )

    def require(loaded: Model) -> None:
        require_model(loaded)
        for columns in extra_columns or ():
            require_channels(columns, loaded)

    require_scheduler(scheduler)
    loaded, tested, seen_images = load_unseen(
        *(model, data, calibration, objective == CROSS_ENTROPY, require),
        **named,
    )
    if images is not None:
        tested = choose_images(tested, images, seed)
    settings = [Setting(FORMATS[name], width, DENSE) for width in widths for name in formats]
    with progress_bar() as progress:
        observed = (loaded, seen_images, "mean", PERCENTILE, seed, progress, scheduler)
        result = compare(
            *(loaded, observe(*observed), tested, settings),
            {name: METHODS[name](passes, GRID) for name in (MIN_MAX, LEAST_SQUARES, LAPQ)},
            *(objective, progress, scheduler),
            [
                SecondPoints(columns, cols, drawn)
                for columns in extra_columns or ()
                for drawn in ((None,) if columns.idle else (None, seed))
            ],
            correct_bias,
        )
    rows = table(
        f"{result['model']}: {result['images']} images, clips by {result['calibration_images']}",
        *("format", "weights", "method", f"{objective}", "top-1 %", "- minmax", "± paired"),
        *(f"- minmax W{widths[0]}", "± paired"),
    )
    for row in result["rows"]:
        if "columns" in row:
            continue
        rows.add_row(
            *(row["format"], str(row["weight_bits"]), method_text(row), f"{row['loss']:.5f}"),
            *(f"{row['top1']:.2f}", f"{row['difference']:+.2f}", f"{row['difference_error']:.2f}"),
            *(f"{row['lost']:+.2f}", f"{row['lost_error']:.2f}"),
        )
    print_tables(rows)
    if extra_columns is not None:
        print_tables(_points(result))
    write_json(json_file, result)
    kind = "multipoint_" if extra_columns is not None else "biases_" if correct_bias else ""
    keep_result(keep, "methods", f"methods_{kind}{model.stem}", result)


def _points(result: dict[str, Any]) -> Table:
    rows = table(
        "Second points, and the same channels' number drawn",
        *("format", "weights", "method", "extra columns", "slices %", "loss", "top-1 %"),
        *("- method alone", "± paired"),
    )
    for row in result["rows"]:
        if "columns" in row:
            slices = 100 * (row["slices"] / row["slices_before"] - 1)
            drawn = ", drawn" if row["random"] else ""
            rows.add_row(
                *(row["format"], str(row["weight_bits"]), row["method"]),
                *(f"{row['extra_columns']}: {row['columns']}{drawn}", f"+{slices:.1f}"),
                *(f"{row['loss']:.5f}", f"{row['top1']:.2f}"),
                *(f"{row['gain']:+.2f}", f"{row['gain_error']:.2f}"),
            )
    return rows
