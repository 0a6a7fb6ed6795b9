"""``sparq verilog``: a configuration as plain Verilog."""

import json
from pathlib import Path
from typing import Any

import click

from gen.commands.configuration_options import configuration_options, load_configuration
from gen.commands.options import json_option, write_json
from gen.verilog.generate import write_verilog


@click.command()
@configuration_options
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
    """Emit plain Verilog of an array, a tensor core or a part of one, and its sidecar."""
    configuration = load_configuration(preset, config, options)
    paths = write_verilog(configuration, output)
    for path in paths:
        click.echo(f"wrote {path}")
    write_json(json_file, json.loads(paths[1].read_text(encoding="utf-8")))
