"""``sparq graphs``: a network of message passing on Cora, in few bits."""

from pathlib import Path
from typing import Any

import click

from gen.commands.options import (
    FilePath,
    IntegerRange,
    json_option,
    keep_option,
    keep_result,
    scheduler_option,
    write_json,
)
from gen.commands.terminal import print_tables, progress_bar, table
from gen.workloads.graph_run import run_graph
from networks.message_passing.architecture import ARCHITECTURES
from networks.samples.cora.data import load_cora
from networks.samples.cora.measurement import FORMATS, PARTS, measure_cora, uniform


@click.command()
@click.argument("folder", type=FilePath(), metavar="FOLDER")
@click.option(
    "--architecture",
    "name",
    type=click.Choice([*ARCHITECTURES]),
    default="GCN",
    show_default=True,
    help="A graph convolution, or plain sums of neighbours.",
)
@click.option(
    "--seeds",
    type=IntegerRange(1, 1000),
    default=10,
    show_default=True,
    metavar="N",
    help="How many networks are trained by each recipe.",
)
@click.option(
    "--adjacency",
    is_flag=True,
    help="On the array, sum neighbours by products with the adjacency matrix, too: of almost "
    "nothing but zeros, they take four times the cycles of all others.",
)
@scheduler_option
@json_option
@keep_option
def graphs(
    folder: Path,
    name: str,
    seeds: int,
    adjacency: bool,
    scheduler: str | None,
    json_file: Path | None,
    keep: bool,
) -> None:
    """Measure two layers of message passing on the graph in FOLDER/cora.npz; run it on the RTL.

    Networks are trained in floating point, and for 8 and 4 bits: with ranges of the largest values
    or percentiles, with and without protecting nodes by their degree.
    """
    graph = load_cora(folder)
    progress = progress_bar()
    with progress:
        result, network = measure_cora(
            graph, ARCHITECTURES[name], range(seeds), progress, scheduler
        )
        precision = uniform(8, percentile=False)
        result["array"] = run_graph(network, graph, precision, FORMATS[0], adjacency, progress)
    _print_accuracies(result)
    _print_array(result["array"])
    write_json(json_file, result)
    keep_result(keep, "graphs", f"graphs_{name.lower()}", result)


def _print_accuracies(result: dict[str, Any]) -> None:
    shown = table(
        f"{result['architecture']} on Cora, {result['test']} test nodes, {result['seeds']} seeds",
        *("trained for", "runs as", *PARTS, "- FP32"),
    )
    for row in result["rows"]:
        summaries = [row[part] for part in PARTS]
        shown.add_row(
            *(row["trained"], row["runs"]),
            *(f"{each['mean']:.2f} ± {each['deviation']:.2f}" for each in summaries),
            f"{row['difference']['mean']:+.2f} ± {row['difference']['deviation']:.2f}",
        )
    print_tables(shown)


def _print_array(array: dict[str, Any]) -> None:
    shown = table(
        f"The graph on the 16 x 16 array, {array['format']}: {array['accuracy']:.1f} %",
        *("product", "M x K x N", "tiles", "cycles", "as exact bytes", "bit-exact"),
    )
    for run in array["products"]:
        shown.add_row(
            *(run["name"], f"{run['m']} x {run['k']} x {run['n']}", str(run["tiles"])),
            *(str(run["cycles"]), "yes" if run["exact"] else "no"),
            "yes" if run["bit_exact"] else "no",
        )
    print_tables(shown)
