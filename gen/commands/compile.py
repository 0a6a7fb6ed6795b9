"""``sparq compile``: a trained network as a program of an accelerator."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from gen.commands.configuration_options import accelerator_options, load_configuration
from gen.commands.data_options import (
    calibration_options,
    load_calibration_given,
    percentile_without_effect,
    range_options,
    require_percentile,
)
from gen.commands.options import (
    FilePath,
    Listed,
    json_option,
    layer_options,
    plot_option,
    refuse_without_effect,
    write_json,
)
from gen.commands.quantized_option import load_quantized, quantized_option, require_machine
from gen.commands.terminal import print_tables, progress_bar, table
from gen.compiler.accelerator import accelerator_shape
from gen.compiler.compile import compile_network, require_room
from gen.compiler.files import require_own, write_compiled
from gen.compiler.report import cycles_of_other_lanes, cycles_of_rivals, layer_report, totals
from gen.compiler.roofline import roofline as draw_roofline
from gen.compiler.windows import require_depths, unwindowed_layers
from gen.design.configuration import MAX_ACC_BITS, OPTIONS
from golden.accelerator.schedule import LATENCY
from golden.accelerator.shape import AcceleratorShape
from networks.evaluation.formats import signed_layers
from networks.evaluation.images import Images
from networks.evaluation.model import Model, load_model
from networks.evaluation.preparation import Options, calibrated_network
from networks.evaluation.scoring import SIGNAL
from networks.quantization.clips import ClipSource, Given
from support.files import write_if_changed

MOVED = (("loaded", "stored"), ("saved",))
"""Of loads and stores, bytes that are moved, and that are not."""


@click.command()
@click.argument("model", type=FilePath(), metavar="MODEL.onnx")
@calibration_options
@quantized_option
@range_options
@click.option(
    "--equalize", is_flag=True, help="Equalize ranges of channels, across layers, before."
)
@layer_options("--first-layer", "--last-layer")
@click.option(
    "--exact-layers",
    type=Listed(str, "names of layers", distinct=True),
    default=(),
    metavar="NAME,...",
    help="Layers that stay at 8 bits.",
)
@click.option(
    "--output",
    type=FilePath(),
    default=Path("build/compile"),
    show_default=True,
    metavar="DIR",
    help="Folder of the files; what is in it is replaced.",
)
@click.option("--report", is_flag=True, help="Also print what each layer takes of the accelerator.")
@plot_option("--roofline", "Draw how near each layer comes to what the machine and memory can do.")
@json_option
@accelerator_options
def compile(
    model: Path,
    quantized: Path | None,
    calibration_method: str,
    percentile: float,
    equalize: bool,
    first_layer_windowed: bool,
    last_layer_windowed: bool,
    exact_layers: tuple[str, ...],
    output: Path,
    report: bool,
    roofline: Path | None,
    json_file: Path | None,
    preset: str | None,
    config: Path | None,
    calibration: Path | None,
    calibration_images: int | None,
    task: str,
    output_name: str | None,
    input_shape: tuple[int, ...] | None,
    **options: Any,
) -> None:
    """Make a program and a memory image of a trained network.

    The network is quantized as `sparq evaluate` does, which explains those options; layers that
    the accelerator cannot compute in windows stay at 8 bits. docs/compiler.md describes the files.
    """
    refuse_without_effect(percentile_without_effect(calibration_method))
    require_percentile(percentile)
    _require_beside(output, {"json": json_file, "roofline": roofline})
    hardware = {name: options.pop(name) for name in OPTIONS}
    configuration = load_configuration(preset, config, hardware, "accelerator")
    shape = accelerator_shape(configuration)
    require_own(output)
    named: dict[str, Any] = {"task": task, "output_name": output_name, "input_shape": input_shape}
    chosen = Options(
        weight_bits=shape.weight_bits,
        method=calibration_method,
        percentile=percentile,
        first_layer_windowed=first_layer_windowed,
        last_layer_windowed=last_layer_windowed,
        equalize=equalize,
        exact_layers=exact_layers,
    )
    images: Images | None = None
    source: ClipSource | None = None
    if quantized is None:
        network, images = load_calibration_given(
            model, calibration, calibration_images=calibration_images, **named, **options
        )
        images.check()
        preprocessing = images.preprocessing
    else:
        file = load_quantized(quantized, model, "calibration", "calibration_images")
        require_machine(quantized, file, configuration.format, shape.weight_bits)
        named |= {"output_name": file.output_name, "input_shape": file.input_shape}
        network = load_model(model, file.output_name, file.input_shape, whole=task == SIGNAL)
        file.require_graph(quantized, network)
        chosen, source = file.options_with(chosen), Given(file.clips)
        preprocessing = file.preprocessing_made
    _require_layers(network, exact_layers)
    require_depths(shape, network.graph)
    kept = unwindowed_layers(shape, network.graph)
    signed = signed_layers(configuration.format)
    if images is not None:
        _require_room(shape, network, images, chosen, signed, kept)
    with progress_bar() as progress:
        task_id = progress.add_task("quantizing", total=2)
        integers = calibrated_network(network, images, chosen, signed, kept, source)
        progress.update(task_id, description="compiling", advance=1)
        compiled = compile_network(shape, integers)
        progress.advance(task_id)
    about = {
        "model": network.name,
        "configuration": configuration.canonical,
        "data": {**named, "preprocessing": preprocessing.fields},
        "layers": [
            {"name": layer.name, "windowed": layer.windowed, "reason": layer.reason}
            for layer in integers.layers
        ],
    }
    result: dict[str, Any] = {}
    if report or roofline is not None or json_file is not None:
        rows = layer_report(compiled)
        result = {"model": network.name, "layers": rows, "total": totals(rows)}
    if report or json_file is not None:
        result["rivals"] = cycles_of_rivals(compiled, integers)
        result["other_lanes"] = cycles_of_other_lanes(compiled, integers)
    write_compiled(output, compiled, integers, model.read_bytes(), configuration.hash, about)
    image = compiled.image
    windowed = sum(layer.windowed for layer in integers.layers)
    striped = sum(len(each.stripes) > 1 for each in compiled.allocation.striping)
    click.echo(
        f"{network.name}: {len(compiled.steps)} steps, {striped} of them in stripes; "
        f"{len(compiled.program)} descriptors; {windowed} of {len(integers.layers)} layers "
        f"windowed; {image.size} bytes of memory"
    )
    if shape.encodes:
        pairs, count = len(compiled.allocation.encoded), len(compiled.in_memory)
        some = f"{pairs} of {count} tensors in memory are stored pairs"
        click.echo(some if count else "all tensors stay in the scratchpad: none is stored pairs")
    if report:
        _print_report(result, shape)
    if roofline is not None:
        write_if_changed(roofline, draw_roofline(network.name, result["layers"], shape))
        click.echo(f"wrote {roofline}")
    write_json(json_file, result)
    click.echo(f"wrote {output}")


def _require_layers(model: Model, names: Collection[str]) -> None:
    """Refuse a name that is none of a layer of ``model``."""
    allowed = [node.name for node in model.graph.matrix_nodes]
    for name in names:
        if name not in allowed:
            raise click.UsageError(
                f"exact-layers must be some of {', '.join(allowed)}, not {name!r}"
            )


def _require_room(
    shape: AcceleratorShape,
    network: Model,
    images: Images,
    options: Options,
    signed: str | None,
    kept: Mapping[str, str],
) -> None:
    """Refuse before all images are looked at what the first one shows.

    Equalizing ranges changes weights by all of them: how large sums become is seen then.
    """
    first = images.select(np.arange(min(1, len(images))))
    if options.equalize:
        options, shape = replace(options, equalize=False), replace(shape, acc_bits=MAX_ACC_BITS)
    require_room(shape, calibrated_network(network, first, options, signed, kept))


def _require_beside(output: Path, files: dict[str, Path | None]) -> None:
    """Refuse files in the folder ``output``, which is replaced, and one file for two results."""
    seen: dict[Path, str] = {}
    for name, file in files.items():
        if file is None:
            continue
        path = file.resolve()
        if output.resolve() in (path, *path.parents):
            raise click.UsageError(
                f"{name} must be a file outside of {output}, the folder of output, not {file}"
            )
        if path in seen:
            raise click.UsageError(
                f"{name} must be another file than that of {seen[path]}, not {file}"
            )
        seen[path] = name


def _print_report(result: dict[str, Any], shape: AcceleratorShape) -> None:
    rows = table(
        f"{result['model']}, beside memory that answers after {LATENCY} cycles, then in each",
        *("layer", "descriptors", "cycles", "computing", "slices", "utilization"),
        *("loaded", "stored", "streamed", "bound by", "products a byte", "roof"),
    )
    for row in (*result["layers"], {"layer": "all", "bound": "", "roof": "", **result["total"]}):
        rows.add_row(
            row["layer"],
            *(str(row[name]) for name in ("descriptors", "cycles", "computing", "slices")),
            f"{100 * row['utilization']:.1f} %",
            *(str(row[name]) for name in ("loaded", "stored", "streamed")),
            row["bound"],
            f"{row['products_per_byte']:.1f}",
            row["roof"],
        )
    print_tables(rows)
    if shape.encodes:
        moved, saved = (sum(result["total"][name] for name in names) for names in MOVED)
        less = saved / (moved + saved) if saved else 0
        click.echo(
            f"loads and stores move {moved} bytes, {saved} fewer ({100 * less:.1f} %) than without "
            "stored pairs"
        )
    cycles = result["total"]["cycles"]
    others = [
        f"of {name} elements {count} ({count / cycles:.2f} times as many)"
        for name, count in result["rivals"].items()
    ]
    if others:
        click.echo(f"{cycles} cycles; with memories as large, {', '.join(others)}")
    other = result["other_lanes"]
    change = "without" if shape.multiplies else "with"
    what = (
        f"not possible: {other}"
        if isinstance(other, str)
        else f"{other} cycles in place of {cycles}"
    )
    click.echo(f"{change} multipliers in the vector unit: {what}")
