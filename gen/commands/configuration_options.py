"""The options that say which hardware a command is about."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click

from gen.commands.options import FilePath, Integer
from gen.design.configuration import (
    ACCELERATOR_DEFAULTS,
    GIVEN_SIZES,
    OF_ENGINES,
    OPTIONS,
    PRESETS,
    Configuration,
    ConfigurationError,
    load_preset,
    load_toml,
)


def configuration_options(command: Any) -> Any:
    """Add one option for each of :data:`OPTIONS`, and preset and TOML file."""
    return _with_options(command, {}, ())


def accelerator_options(command: Any) -> Any:
    """Add the options of :func:`configuration_options`; the help has those that an accelerator has,
    with its defaults.
    """
    defaults = {**ACCELERATOR_DEFAULTS, "lanes": "with multipliers"}
    hidden = ("top", *GIVEN_SIZES, "encoded_input", *OF_ENGINES)
    return _with_options(command, defaults, hidden)


def _with_options(command: Any, defaults: Mapping[str, Any], hidden: Collection[str]) -> Any:
    for name, (default, text) in reversed(OPTIONS.items()):
        option = f"--{name.replace('_', '-')}"
        text = f"{text} [default: {defaults.get(name, default)}]"
        given: dict[str, Any] = {"help": text, "hidden": name in hidden}
        if isinstance(default, bool):
            flags = f"{option}/--no-{option.removeprefix('--')}"
            command = click.option(flags, default=None, **given)(command)
        else:
            kind, metavar = (Integer(), "N") if isinstance(default, int) else (str, "NAME")
            command = click.option(option, type=kind, metavar=metavar, **given)(command)
    command = click.option(
        "--config",
        type=FilePath(),
        metavar="FILE.toml",
        help="Options from a TOML file, by the names below with _ for -; the command line wins.",
    )(command)
    return click.option(
        "--preset",
        metavar="NAME",
        help=f"Start from a preset: {', '.join(PRESETS)}; file and command line win.",
    )(command)


def load_configuration(
    preset: str | None, config: Path | None, options: dict[str, Any], top: str | None = None
) -> Configuration:
    """The configuration of a preset, a TOML file and single options, each of which may be missing.

    Where none of them says what the top is, it is ``top``. Raises ``ConfigurationError``.
    """
    given = load_toml(config) if config is not None else {}
    given |= {name: value for name, value in options.items() if value is not None}
    default = {} if top is None else {"top": top}
    if preset is None:
        return Configuration(**default | given)
    preset_options = default | load_preset(preset)
    try:
        return Configuration(**preset_options | given)
    except ConfigurationError as error:
        name = str(error).partition(" ")[0]
        if name not in preset_options or name in given:
            raise
        raise ConfigurationError(f"preset {preset} sets {name}, and {error}") from None
