"""The options that several commands share, and the types of their values."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from gen.design.unsigned_format import unsigned_format
from gen.documentation.results import FOLDER, keep, program
from golden import NAMED_FORMATS, NamedFormat
from golden.named import FORMAT_HELP, split_formats
from support.files import require_writable, write_if_changed


def integer(text: str) -> int:
    """The integer that ``text`` spells; raises ``ValueError``."""
    return int(_plain(text))


def number(text: str) -> float:
    """The number that ``text`` spells; raises ``ValueError``."""
    return float(_plain(text))


def _plain(text: str) -> str:
    """``text``; ``ValueError`` for what Python takes besides: spaces, ``_``, other digits."""
    if not text.isascii() or "_" in text or text.strip() != text:
        raise ValueError(text)
    return text


class Integer(click.ParamType[Any]):
    """An integer; anything else is passed on, for the command to refuse by name."""

    name = "integer"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The integer or decimal fraction that ``value`` spells, or ``value`` itself."""
        if not isinstance(value, str) or "e" in value.lower():
            return value
        for spelled in (integer, number):
            with suppress(ValueError):
                return spelled(value)
        return value


class IntegerRange(click.IntRange):
    """An integer from ``min`` to ``max``, or of at least ``min``."""

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """The integer; an error that names the value and what is allowed."""
        found = Integer().convert(value, param, ctx)
        allowed = (
            f"of at least {self.min}" if self.max is None else f"from {self.min} to {self.max}"
        )
        if (
            not isinstance(found, int)
            or (self.min is not None and found < self.min)
            or (self.max is not None and found > self.max)
        ):
            raise click.UsageError(f"{_called(param)} must be an integer {allowed}, not {found!r}")
        return found


class Number(click.ParamType[float]):
    """A number, also one that is not finite."""

    name = "number"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """The number; an error that names the value."""
        if not isinstance(value, str):
            return float(value)
        try:
            return number(value)
        except ValueError:
            raise click.UsageError(f"{_called(param)} must be a number, not {value!r}") from None


class FilePath(click.Path):
    """The path of a file or folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The path; an error if it is empty, which would be the current folder."""
        if value == "":
            raise click.UsageError(f"{_called(param)} must be a path, not ''")
        return super().convert(value, param, ctx)


def given_options() -> dict[str, str]:
    """The options on the command line: what each is called, by the name of its parameter."""
    context = click.get_current_context()
    return {
        param.name: _called(param)
        for param in context.command.params
        if param.name is not None
        and context.get_parameter_source(param.name) is ParameterSource.COMMANDLINE
    }


def refuse_without_effect(reasons: Mapping[str, str]) -> None:
    """Refuse the first option on the command line that has no effect: its parameter -> why."""
    for name, option in given_options().items():
        if name in reasons:
            raise click.UsageError(f"{option} has no effect {reasons[name]}: leave it out")


def _called(param: click.Parameter) -> str:
    return param.opts[0].removeprefix("--")


def _distinct(param: click.Parameter, values: Iterable[Any]) -> tuple[Any, ...]:
    """``values``; an error that names the first one that is repeated."""
    found: list[Any] = []
    for value in values:
        if value in found:
            raise click.UsageError(f"{_called(param)} must be different ones, not {value} twice")
        found.append(value)
    return tuple(found)


class Listed(click.ParamType[Any]):
    """Values separated by commas, each converted by ``convert_item``; a tuple.

    Each once, if they shall be ``distinct``.
    """

    name = "list"

    def __init__(self, convert_item: Callable[[str], Any], expected: str, distinct: bool = False):
        self._convert_item = convert_item
        self._expected = expected
        self._distinct = distinct

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The values; an error that names the first one that is not ``expected``."""
        if isinstance(value, tuple):
            return value
        items = []
        for item in value.split(","):
            try:
                if not item.strip():
                    raise ValueError
                items.append(self._convert_item(item.strip()))
            except ValueError:
                raise click.UsageError(
                    f"{_called(param)} must be {self._expected}, not {item.strip()!r}"
                ) from None
        return _distinct(param, items) if self._distinct else tuple(items)

    @classmethod
    def of(cls, *allowed: str) -> "Listed":
        """A list of some of the names ``allowed``, each once."""

        def convert_item(item: str) -> str:
            if item not in allowed:
                raise ValueError
            return item

        return cls(convert_item, f"some of {', '.join(allowed)}", distinct=True)


def _width(item: str) -> int:
    width = integer(item)
    if not 2 <= width <= 8:
        raise ValueError(item)
    return width


def widths_option(default: str, help: str) -> Callable[[Any], Any]:
    """Add the option ``--weight-bits`` of several widths: ``widths``."""
    return click.option(
        "--weight-bits",
        "widths",
        type=Listed(_width, "integers from 2 to 8", distinct=True),
        default=default,
        show_default=True,
        metavar="N,...",
        help=help,
    )


def writable(ctx: Any, param: Any, path: Path | None) -> Path | None:
    """Refuse an output file that cannot be written, before any work starts."""
    if path is not None:
        require_writable(path)
    return path


def _drawable(ctx: Any, param: Any, path: Path | None) -> Path | None:
    """Refuse a drawing whose name does not say what it is, and what :func:`writable` refuses."""
    if path is not None and not path.name.lower().endswith(".svg"):
        raise click.UsageError(f"{_called(param)} must be a file that ends in .svg, not {path}")
    return writable(ctx, param, path)


def plot_option(name: str, help: str) -> Callable[[Any], Any]:
    """Add the option ``name``: the SVG file of a plot."""
    return click.option(name, type=FilePath(), metavar="FILE.svg", callback=_drawable, help=help)


json_option = click.option(
    "--json",
    "json_file",
    type=FilePath(),
    metavar="FILE",
    callback=writable,
    help="Also write the result as JSON.",
)


def _keepable(ctx: Any, param: Any, wanted: bool) -> bool:
    """Refuse to keep what cannot be kept, before any work starts."""
    if wanted:
        program(ctx.info_name)
    return wanted


keep_option = click.option(
    "--keep",
    is_flag=True,
    callback=_keepable,
    help=f"Also keep the result in {FOLDER}, of which `make tables` makes the documentation's.",
)


class Format(click.ParamType[str]):
    """The name of a window format, as ``NamedFormat`` has it.

    ``make`` gives the format of a name and raises ``ValueError`` for what is none.
    """

    name = "format"

    def __init__(self, make: Callable[[str], NamedFormat] = NamedFormat):
        self._make = make

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Its one name; an error that says what is allowed."""
        try:
            return self._make(value).name
        except ValueError as error:
            raise click.UsageError(str(error)) from None


class Formats(click.ParamType[tuple[str, ...]]):
    """Names of formats, separated by commas; those of its shifts belong to a window.

    ``one_name`` gives the one name of a format and raises ``ValueError`` for what is none.
    """

    name = "formats"

    def __init__(self, one_name: Callable[[str], str]):
        self._one_name = one_name

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        """The names; an error where two are of one format."""
        if isinstance(value, tuple):
            return value
        names = split_formats(value)
        try:
            return _distinct(param, map(self._one_name, names))
        except ValueError as error:
            raise click.UsageError(str(error)) from None


WINDOWED = "windowed"
LAYERS_HELP = {
    "--first-layer": None,
    "--last-layer": None,
    "--attention": "Products of two values, of which the first is windowed.",
}


def layer_options(*names: str) -> Callable[[Any], Any]:
    """Add the options of what else is windowed: ``first_layer_windowed`` and so on, bool.

    All of them, or those of the ``names`` in :data:`LAYERS_HELP`.
    """

    def add(command: Any) -> Any:
        for name in reversed(names or (*LAYERS_HELP,)):
            option = click.option(
                *(name, f"{name[2:].replace('-', '_')}_windowed"),
                type=click.Choice(["8bit", WINDOWED]),
                default="8bit",
                show_default=True,
                callback=lambda ctx, param, value: value == WINDOWED,
                help=LAYERS_HELP[name],
            )
            command = option(command)
        return command

    return add


formats_option = click.option(
    "--formats",
    type=Formats(lambda name: unsigned_format(name).name),
    default=",".join(NAMED_FORMATS),
    show_default=True,
    metavar="NAME,...",
    help=f"Window formats: {FORMAT_HELP}, as in 5opt,4:0,1,4,2opt.",
)


scheduler_option = click.option(
    "--scheduler", metavar="ADDRESS", help="A Dask scheduler [default: this machine]."
)


def write_json(path: Path | None, value: Any) -> None:
    """Write ``value`` to ``path``, if there is one, and say so."""
    if path is not None:
        write_if_changed(path, json.dumps(value, indent=2) + "\n")
        click.echo(f"wrote {path}")


def keep_result(wanted: bool, command: str, name: str, result: dict[str, Any]) -> None:
    """Keep what ``command`` measured under ``name`` if that is ``wanted``, and say so."""
    if wanted:
        click.echo(f"wrote {keep(command, name, result)}")
