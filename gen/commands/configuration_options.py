"""The options that say which hardware a command is about."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from gen.commands.options import Integer
from gen.design.configuration import PRESETS, Configuration, load_preset, load_toml


def configuration_options(command: Any) -> Any:
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


def load_configuration(
    preset: str | None, config: Path | None, options: dict[str, Any]
) -> Configuration:
    """The configuration of a preset, a TOML file and single options, each of which may be missing.

    Raises ``ConfigurationError``.
    """
    merged = dict(load_preset(preset)) if preset is not None else {}
    if config is not None:
        merged |= load_toml(config)
    merged |= {name: value for name, value in options.items() if value is not None}
    return Configuration.from_options(**merged)
