"""``sparq verilog``: a configuration as plain Verilog."""

from pathlib import Path
from typing import Any

import click

from gen.commands.configuration_options import configuration_options, load_configuration
from gen.commands.options import FilePath, IntegerRange, json_option, write_json
from gen.design.configuration import AROUND
from gen.simulation.testbench import make_testbench, require_testbench
from gen.verilog.generate import design_files, generate
from support.files import make_folder, require_replaceable, write_files


@click.command()
@configuration_options
@click.option(
    "--output",
    type=FilePath(),
    default=Path("build/verilog"),
    show_default=True,
    metavar="DIR",
    help="Folder of the files.",
)
@click.option(
    "--name",
    metavar="TOP",
    help="Name of the top module and of the files; of designs side by side, none that begins with "
    "another one's and _. [default: made from the configuration]",
)
@click.option(
    "--testbench", is_flag=True, help="Also write NAME_tb.v, which checks the design by itself."
)
@click.option(
    "--seed",
    type=IntegerRange(0),
    metavar="N",
    help="Of the test bench's random data. [default: 1]",
)
@click.option(
    "--register-page",
    is_flag=True,
    help="Also write NAME_registers/index.html, a page about the registers of an engine or an "
    "accelerator (8 MB).",
)
@json_option
def verilog(
    preset: str | None,
    config: Path | None,
    output: Path,
    name: str | None,
    testbench: bool,
    seed: int | None,
    register_page: bool,
    json_file: Path | None,
    **options: Any,
) -> None:
    """Emit plain Verilog of a machine, of what is around one, or of a part, and what goes with it.

    That is its JSON sidecar, which says what to know of it (docs/sidecar.md), a template that
    places it, and a list of its Verilog files; of an engine or an accelerator its registers as
    SystemRDL and as a C header, and the C driver (docs/integration.md). Of each activation the
    element 2x4x8 uses the low four bits alone.
    """
    configuration = load_configuration(preset, config, options)
    if not testbench and seed is not None:
        raise click.UsageError("seed must come with --testbench (make: TESTBENCH=1)")
    if register_page and configuration.top not in AROUND:
        tops = " or ".join(AROUND)
        raise click.UsageError(f"register-page must come with --top {tops} (make: TOP={tops})")
    if testbench:
        require_testbench(configuration)
    generated = generate(configuration, name)
    files = design_files(generated)
    if testbench:
        bench = make_testbench(configuration, generated.sidecar, 1 if seed is None else seed)
        files[f"{generated.name}_tb.v"] = bench
    page = output / f"{generated.name}_registers"
    written = {(output / file).resolve() for file in files if file != f"{generated.name}.json"}
    if register_page:
        written.add(page.resolve())
    if json_file is not None and not written.isdisjoint(
        (json_file.resolve(), *json_file.resolve().parents)
    ):
        raise click.UsageError(f"json must be none of the files that are emitted, not {json_file}")
    make_folder(output)
    if register_page:
        require_replaceable(page)
    for path in write_files(output, files):
        click.echo(f"wrote {path}")
    if register_page and generated.registers is not None:
        from gen.registers.exports import write_register_page

        click.echo(f"wrote {write_register_page(generated.registers, page)}")
    write_json(json_file, generated.sidecar)
