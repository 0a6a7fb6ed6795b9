"""The command line: ``sparq COMMAND``, and how every command ends."""

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from gen.configuration import (
    PRESETS,
    Configuration,
    ConfigurationError,
    load_preset,
    load_toml,
)
from gen.files import OutputError, write_if_changed
from gen.verilator import ToolError
from gen.verilog import write_verilog

BAD_ARGUMENT = 2
FAILED = 1


class Integer(click.ParamType[Any]):
    """An integer; anything else is passed on, for the configuration to refuse by name."""

    name = "integer"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The integer that ``value`` spells, or ``value`` itself."""
        try:
            return int(value)
        except ValueError:
            return value


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


_json_option = click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the result as JSON.",
)


def write_json(path: Path | None, value: Any) -> None:
    """Write ``value`` to ``path``, if there is one, and say so."""
    if path is not None:
        write_if_changed(path, json.dumps(value, indent=2) + "\n")
        click.echo(f"wrote {path}")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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
@_json_option
def verilog(
    preset: str | None,
    config: Path | None,
    output: Path,
    json_file: Path | None,
    **options: Any,
) -> None:
    """Emit plain Verilog of an array, a processing element or an encoder, and its JSON sidecar."""
    configuration = _configuration(preset, config, options)
    paths = write_verilog(configuration, output)
    for path in paths:
        click.echo(f"wrote {path}")
    write_json(json_file, json.loads(paths[1].read_text(encoding="utf-8")))


def main() -> None:
    """Run the command line: exit 0 on success, 2 on a bad argument, 1 on a failed run."""
    try:
        cli.main(prog_name="sparq", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(BAD_ARGUMENT)
    except click.ClickException as error:
        _fail(error.format_message(), BAD_ARGUMENT)
    except (ConfigurationError, OutputError, ToolError) as error:
        _fail(str(error), BAD_ARGUMENT)
    except click.Abort:
        _fail("interrupted", FAILED)


def _fail(message: str, status: int) -> None:
    click.echo(f"sparq: {' '.join(message.split())}", err=True)
    sys.exit(status)
