"""``sparq demo``: real images through the Verilog of both arrays."""

from pathlib import Path
from typing import Any

import click

from gen.commands.data_options import data_options, load_given
from gen.commands.options import (
    FilePath,
    Format,
    IntegerRange,
    given_options,
    json_option,
    keep_option,
    keep_result,
    layer_options,
    refuse_without_effect,
    write_json,
)
from gen.commands.quantized_option import (
    data_of,
    load_quantized,
    quantized_option,
    require_machine,
    with_clips,
)
from gen.commands.terminal import print_tables, progress_bar, table
from gen.simulation.accelerator_demo import run_accelerator_demo
from gen.simulation.demo import SIDE, run_demo
from gen.simulation.engine_demo import run_engine_demo
from golden import NamedFormat
from golden.named import ANY_FORMAT_HELP
from networks.evaluation.preparation import Options


@click.command()
@click.argument("model", type=FilePath(), metavar="[MODEL.onnx]", required=False)
@data_options
@quantized_option
@click.option(
    "--images",
    type=IntegerRange(1),
    metavar="N",
    help="How many of the images. [default: 10 of MNIST, 1 of the data for a model]",
)
@click.option(
    "--format",
    "format_name",
    type=Format(),
    default="5opt",
    show_default=True,
    metavar="NAME",
    help=f"Window format: {ANY_FORMAT_HELP}.",
)
@click.option(
    "--top",
    type=click.Choice(["array", "engine", "accelerator"]),
    default="array",
    show_default=True,
    help="Compare products by arrays, or run the whole network on engines, layer by layer, or on "
    "accelerators, by itself.",
)
@click.option(
    "--layers", metavar="NAME,...", help="These layers alone. [default: all windowed layers]"
)
@layer_options()
@json_option
@keep_option
def demo(
    model: Path | None,
    quantized: Path | None,
    images: int | None,
    format_name: str,
    top: str,
    layers: str | None,
    first_layer_windowed: bool,
    last_layer_windowed: bool,
    attention_windowed: bool,
    json_file: Path | None,
    keep: bool,
    **inputs: Any,
) -> None:
    """Take real images through the Verilog of the 8x8 and the SPARQ array, bit for bit.

    The network is the one for MNIST that comes with this project, or MODEL with --data, quantized
    as `sparq evaluate` does, which explains the options.
    """
    if model is None:
        for name, option in given_options().items():
            if name in inputs or name == "quantized":
                raise click.UsageError(f"{option} must come with a model: MODEL.onnx --data FILE")
    options = Options(
        first_layer_windowed=first_layer_windowed,
        last_layer_windowed=last_layer_windowed,
        attention_windowed=attention_windowed,
    )
    if inputs["calibration"] is not None:
        refuse_without_effect({"seed": "where calibration is given"})
    if model is None and options != Options():
        raise click.UsageError(
            "first-layer, last-layer and attention must come with a model: MODEL.onnx --data FILE"
        )
    file = None
    if model is not None and quantized is not None:
        file = load_quantized(quantized, model)
        require_machine(quantized, file, NamedFormat(format_name), Options.weight_bits)
        options = file.options_with(options)
        inputs |= data_of(file)
    without_effect = {"layers": layers is not None, "attention": options.attention_windowed}
    for name, is_given in without_effect.items():
        if is_given and top != "array":
            raise click.UsageError(f"{name} has no effect where top is {top}: leave it out")
    given = None if model is None else load_given(model, **inputs)
    if given is not None and file is not None and quantized is not None:
        given = with_clips(given, quantized, file)
    if images is None:
        images = 10 if given is None else 1
    network = "mnist" if given is None else Path(given.model.name).stem
    if top == "engine":
        result = run_engine_demo(images, format_name, progress_bar(), given, options=options)
        _print_engines(result, format_name)
        write_json(json_file, result)
        keep_result(keep, "demo", f"demo_engine_{network}", result)
        return
    if top == "accelerator":
        result = run_accelerator_demo(images, format_name, progress_bar(), given, options=options)
        _print_accelerators(result, format_name)
        write_json(json_file, result)
        keep_result(keep, "demo", f"demo_accelerator_{network}", result)
        return
    names = [] if layers is None else layers.split(",")
    result = run_demo(images, format_name, progress_bar(), given, names, options)
    rows = table(
        f"{result['images']} images, {SIDE} x {SIDE} arrays, {format_name}",
        *("layer", "M x K x N", "tiles", "cycles 8x8", "cycles SPARQ", "ratio", "bit-exact"),
    )
    for layer in result["layers"]:
        rows.add_row(
            layer["name"],
            f"{layer['m']} x {layer['k']} x {layer['n']}",
            str(layer["tiles"]),
            str(layer["cycles_8x8"]),
            str(layer["cycles_sparq"]),
            f"{layer['ratio']:.3f}",
            "yes" if layer["bit_exact"] else "no",
        )
    print_tables(rows)
    if "accuracy" in result:
        accuracy = result["accuracy"]
        click.echo(
            f"accuracy on the whole test split: FP32 {accuracy['fp32']} %, "
            f"8-bit {accuracy['a8w8']} %, SPARQ {format_name} {accuracy['sparq']} %"
        )
    write_json(json_file, result)
    keep_result(keep, "demo", f"demo_{network}", result)


def _print_engines(result: dict[str, Any], format_name: str) -> None:
    rows = table(
        f"{result['images']} images, {SIDE} x {SIDE} engines, {format_name}",
        *(
            "layer",
            "M x K x N",
            "predicted",
            "cycles",
            "busy",
            "cycles 8x8",
            "speedup",
            "why not 2",
        ),
    )
    for layer in result["layers"]:
        rows.add_row(
            layer["name"],
            f"{layer['m']} x {layer['k']} x {layer['n']}",
            str(layer["predicted"]),
            str(layer["cycles"]),
            f"{100 * layer['utilization']:.1f} %",
            str(layer["cycles_8x8"]),
            f"{layer['speedup']:.2f}",
            layer["reason"],
        )
    print_tables(rows)
    click.echo(
        f"the network: {result['cycles']} cycles, on the 8x8 engine {result['cycles_8x8']}, "
        f"speedup {result['speedup']:.2f}; every result equals the integer network's"
    )


def _print_accelerators(result: dict[str, Any], format_name: str) -> None:
    rows = table(
        f"{result['images']} images, {SIDE} x {SIDE} accelerators, {format_name}: as predicted",
        *("layer", "cycles", "utilization", "bound by", "cycles 8x8", "speedup"),
    )
    for layer in result["layers"]:
        rows.add_row(
            layer["layer"],
            str(layer["cycles"]),
            f"{100 * layer['utilization']:.1f} %",
            layer["bound"],
            str(layer["cycles_8x8"]),
            f"{layer['speedup']:.2f}",
        )
    print_tables(rows)
    click.echo(
        f"the network: {result['cycles']:.0f} cycles an image ({result['predicted']} predicted), "
        f"on the 8x8 accelerator {result['cycles_8x8']:.0f}, speedup {result['speedup']:.2f}; "
        "all logits equal the integer network's"
    )
