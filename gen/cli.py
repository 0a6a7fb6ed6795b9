"""The command line: ``sparq COMMAND``, and how every command ends."""

import json
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from gen.commands.bench import run_bench
from gen.commands.data_options import data_options, load_inputs
from gen.commands.demo import SIDE, run_demo
from gen.commands.evaluate import evaluate
from gen.commands.terminal import (
    Integer,
    json_option,
    print_tables,
    progress_bar,
    table,
    write_json,
)
from gen.design.configuration import (
    PRESETS,
    Configuration,
    load_preset,
    load_toml,
)
from gen.simulation.simulate import run_simulation
from gen.verilog.generate import write_verilog
from golden import NAMED_FORMATS
from support.errors import InputError, RunError

BAD_ARGUMENT = 2
FAILED = 1


def _configuration_options(command: Any) -> Any:
    """Add one option for each field of :class:`Configuration`, and preset and TOML file."""
    for item in reversed(fields(Configuration)):
        name = item.name.replace("_", "-")
        text = f"{item.metadata['help']} [default: {item.default}]"
        if item.type is bool:
            command = click.option(f"--{name}/--no-{name}", default=None, help=text)(command)
        else:
            kind = Integer() if item.type is int else str
            metavar = "N" if item.type is int else "NAME"
            command = click.option(f"--{name}", type=kind, metavar=metavar, help=text)(command)
    command = click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE.toml",
        help="Options from a TOML file, by the names below with _ for -; the command line wins.",
    )(command)
    return click.option(
        "--preset",
        metavar="NAME",
        help=f"Start from a preset: {', '.join(PRESETS)}; file and command line win.",
    )(command)


def _configuration(
    preset: str | None, config: Path | None, options: dict[str, Any]
) -> Configuration:
    merged = dict(load_preset(preset)) if preset is not None else {}
    if config is not None:
        merged |= load_toml(config)
    merged |= {name: value for name, value in options.items() if value is not None}
    return Configuration.from_options(**merged)


class Commands(click.Group):
    """Commands, of which some are imported when they are asked for.

    Reading libraries and drawing plots takes longer to import than other commands take to run;
    the proofs import what only they need.
    """

    IMPORTED_LATE = ("area", "prove", "tradeoff")

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, in order."""
        return sorted([*super().list_commands(ctx), *self.IMPORTED_LATE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name: the one that ``gen.NAME`` calls ``NAME``, if it is late."""
        if cmd_name not in self.IMPORTED_LATE:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(f"gen.commands.{cmd_name}"), cmd_name)
        return command


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
def cli() -> None:
    """SPARQ: sparsity-aware accelerator hardware, from a configuration to verified Verilog."""


@cli.command()
@_configuration_options
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build/verilog"),
    show_default=True,
    metavar="DIR",
    help="Folder for NAME.v and NAME.json.",
)
@json_option
def verilog(
    preset: str | None,
    config: Path | None,
    output: Path,
    json_file: Path | None,
    **options: Any,
) -> None:
    """Emit plain Verilog of an array, a tensor core or a part of one, and its JSON sidecar."""
    configuration = _configuration(preset, config, options)
    paths = write_verilog(configuration, output)
    for path in paths:
        click.echo(f"wrote {path}")
    write_json(json_file, json.loads(paths[1].read_text(encoding="utf-8")))


@cli.command()
@_configuration_options
@click.option("--tiles", type=Integer(), default=100, show_default=True, help="Tiles to multiply.")
@click.option("--seed", type=Integer(), default=1, show_default=True, help="Of the random data.")
@json_option
def simulate(
    preset: str | None,
    config: Path | None,
    tiles: object,
    seed: Any,
    json_file: Path | None,
    **options: Any,
) -> None:
    """Run random tiles through the emitted array under Verilator, and compare with golden."""
    configuration = _configuration(preset, config, options)
    result = run_simulation(configuration, tiles, seed, progress_bar())
    click.echo(
        f"{result['top']}: {result['sums_compared']} sums of {result['tiles']} tiles equal golden "
        f"({result['cycles']} cycles, seed {result['seed']})"
    )
    write_json(json_file, result)


@cli.command()
@click.argument("model", type=click.Path(path_type=Path), metavar="[MODEL.onnx]", required=False)
@data_options
@click.option(
    "--images",
    type=Integer(),
    metavar="N",
    help="How many of the images. [default: 10 of MNIST, 1 of the data for a model]",
)
@click.option(
    "--format",
    "format_name",
    default="5opt",
    show_default=True,
    metavar="NAME",
    help=f"Window format: {', '.join(NAMED_FORMATS)}.",
)
@click.option(
    "--layers", metavar="NAME,...", help="These layers alone. [default: all windowed layers]"
)
@json_option
def demo(
    model: Path | None,
    images: object,
    format_name: str,
    layers: str | None,
    json_file: Path | None,
    **inputs: Any,
) -> None:
    """Take real images through the Verilog of the 8x8 and the SPARQ array, bit for bit.

    The network is the one for MNIST that comes with this project, or MODEL with --data, quantized
    as `sparq evaluate` does, which explains the options.
    """
    given = None if model is None else load_inputs(model, **inputs)
    if model is None and inputs["data"] is not None:
        raise click.UsageError("data must come with a model: MODEL.onnx --data FILE")
    if images is None:
        images = 10 if given is None else 1
    names = [] if layers is None else layers.split(",")
    result = run_demo(images, format_name, progress_bar(), given, names)
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


@cli.command()
@click.option(
    "--model",
    "models",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="MODEL.onnx",
    help="Also time this network; may be given several times.",
)
@json_option
def bench(models: tuple[Path, ...], json_file: Path | None) -> None:
    """Time golden products, integer networks beside onnxruntime, and the emission of arrays."""
    result = run_bench(models, progress_bar())
    products = table("1024 x 1024 x 1024 products, median", "product", "ms", "speed / float32")
    for row in result["products"]:
        products.add_row(row["name"], f"{row['ms']:.2f}", f"{row['relative_speed']:.2f}")
    networks = table(
        "Images per second on one core, median",
        *("network", "onnxruntime float32", "8-bit", "ratio", "SPARQ 5opt", "ratio"),
    )
    for row in result["networks"]:
        reference = row["fp32_images_per_second"]
        speeds = [row["a8w8_images_per_second"], row["5opt_images_per_second"]]
        cells = [[f"{speed:.0f}", f"{speed / reference:.2f}"] for speed in speeds]
        networks.add_row(row["model"], f"{reference:.0f}", *cells[0], *cells[1])
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


cli.add_command(evaluate)


def main() -> None:
    """Run the command line: exit 0 on success, 2 on a bad argument, 1 on a failed run."""
    try:
        cli.main(prog_name="sparq", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(BAD_ARGUMENT)
    except click.ClickException as error:
        _fail(error.format_message(), BAD_ARGUMENT)
    except InputError as error:
        _fail(str(error), BAD_ARGUMENT)
    except RunError as error:
        _fail(str(error), FAILED)
    except click.Abort:
        _fail("interrupted", FAILED)


def _fail(message: str, status: int) -> None:
    click.echo(f"sparq: {' '.join(message.split())}", err=True)
    sys.exit(status)
