"""``sparq verilog``: a configuration as plain Verilog."""

from pathlib import Path
from typing import Any

import click

from gen.commands.configuration_options import configuration_options, load_configuration
from gen.commands.options import json_option, write_json
from gen.simulation.testbench import make_testbench
from gen.verilog.generate import design_files, generate
from support.files import make_folder, write_files


@click.command()
@configuration_options
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build/verilog"),
    show_default=True,
    metavar="DIR",
    help="Folder for NAME.v, NAME.json and NAME.vt.",
)
@click.option(
    "--name",
    metavar="TOP",
    help="Name of the top module and of the files. [default: made from the configuration]",
)
@click.option(
    "--testbench", is_flag=True, help="Also write NAME_tb.v, which checks the design by itself."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    help="Of the test bench's random data. [default: 1]",
)
@json_option
def verilog(
    preset: str | None,
    config: Path | None,
    output: Path,
    name: str | None,
    testbench: bool,
    seed: int | None,
    json_file: Path | None,
    **options: Any,
) -> None:
    """Emit plain Verilog of an array, a tensor core or a part of one, and what goes with it.

    That is its JSON sidecar, which says what to know of it (docs/sidecar.md), and a template that
    places it. Of each activation the element 2x4x8 uses the low four bits alone.
    """
    configuration = load_configuration(preset, config, options)
    if not testbench and seed is not None:
        raise click.UsageError("seed must come with --testbench (make: TESTBENCH=1)")
    generated = generate(configuration, name)
    files = design_files(generated)
    if testbench:
        bench = make_testbench(configuration, generated.sidecar, 1 if seed is None else seed)
        files[f"{generated.name}_tb.v"] = bench
    make_folder(output)
    for path in write_files(output, files):
        click.echo(f"wrote {path}")
    write_json(json_file, generated.sidecar)
