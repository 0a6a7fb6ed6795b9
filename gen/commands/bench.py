"""``sparq bench``: the speed of golden products, integer networks and emission."""

from pathlib import Path

import click

from gen.benchmark.benchmark import run_bench
from gen.commands.options import FilePath, json_option, keep_option, keep_result, write_json
from gen.commands.terminal import print_tables, progress_bar, table


@click.command()
@click.option(
    "--model",
    "models",
    type=FilePath(),
    multiple=True,
    metavar="MODEL.onnx",
    help="Also time this network; may be given several times.",
)
@json_option
@keep_option
def bench(models: tuple[Path, ...], json_file: Path | None, keep: bool) -> None:
    """Time golden products, integer networks and the emission of arrays."""
    result = run_bench(models, progress_bar())
    products = table("1024 x 1024 x 1024 products, median", "product", "ms", "speed / float32")
    for row in result["products"]:
        products.add_row(row["name"], f"{row['ms']:.2f}", f"{row['relative_speed']:.2f}")
    networks = table(
        "Images per second of one core, median, and how many times onnxruntime's",
        *("network", "onnxruntime float32"),
        *("8-bit", "ratio", "in NumPy", "5opt", "ratio", "in NumPy"),
    )
    for row in result["networks"]:
        reference = row["fp32_images_per_second"]
        cells = []
        for name in ("a8w8", "5opt"):
            compiled, plain = (row[f"{name}{end}_images_per_second"] for end in ("", "_numpy"))
            cells += [f"{compiled:.1f}", f"{compiled / reference:.2f}", f"{plain / reference:.2f}"]
        networks.add_row(row["model"], f"{reference:.1f}", *cells)
    emission = table(
        "Emission of sparq arrays, each in a process of its own",
        *("array", "seconds", "bytes", "modules", "peak MiB"),
    )
    for row in result["emission"]:
        emission.add_row(
            f"{row['rows']} x {row['cols']}",
            f"{row['seconds']:.2f}",
            str(row["bytes"]),
            str(row["modules"]),
            f"{row['peak_mib']:.0f}",
        )
    print_tables(products, networks, emission)
    write_json(json_file, result)
    keep_result(keep, "bench", "bench", result)
