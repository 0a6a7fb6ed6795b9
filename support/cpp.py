"""C++ of this project, compiled on the machine that runs it, and kept by content."""

import ctypes
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from support.digest import digest
from support.errors import ToolError
from support.files import locked


def cpp_compiler() -> tuple[str, ...]:
    """The words of the command that compiles C++: of CXX, as a shell splits it, or the machine's.

    Raises :class:`ToolError` if there is no such program.
    """
    given = os.environ.get("CXX")
    try:
        words = tuple(shlex.split(given or ""))
    except ValueError as error:
        raise ToolError(f"CXX must be a command, not {given!r}: {error}") from None
    words = words or tuple(filter(shutil.which, ("c++", "g++", "clang++")))[:1]
    if not words or shutil.which(words[0]) is None:
        raise ToolError(
            f"no C++ compiler ({shlex.join(words) or 'c++'}): install one (Debian: apt install "
            "g++; macOS: xcode-select --install), or set CXX"
        )
    return words


def compiler_version() -> str:
    """What the C++ compiler says that it is, and the words that it is called with.

    Raises :class:`ToolError` if there is none.
    """
    return _version(cpp_compiler())


@cache
def _version(words: tuple[str, ...]) -> str:
    command = [*words, "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ToolError(f"{shlex.join(command)} failed: {_first_line(result)}")
    return result.stdout + " ".join(words[1:])


def _first_line(result: subprocess.CompletedProcess[str]) -> str:
    """What a program that failed says first, or with which status it ended."""
    lines = result.stderr.strip().splitlines()
    return lines[0] if lines else f"status {result.returncode}"


def shared_library(
    what: str,
    source: Path,
    folder: Path,
    options: Sequence[str],
    headers: Mapping[str, str] | None = None,
) -> ctypes.CDLL:
    """``source`` with ``headers`` (text by name), compiled with ``options`` unless it is there.

    It is kept in ``folder`` by all that decides what it is: the texts, the options, the compiler,
    and what the processor can do, where ``options`` name the one of this machine. Raises
    :class:`ToolError` without a compiler or if it fails, ``what`` being what it was to build.
    """
    headers = headers or {}
    parts = (source.read_text(encoding="utf-8"), *headers, *headers.values(), *options)
    made_of = (*parts, _macros(cpp_compiler(), tuple(options)))
    target = folder / f"{source.stem}_{digest(*made_of)}.so"
    with locked(target.with_suffix(".lock")):
        if target.is_file():
            try:
                return ctypes.CDLL(str(target.resolve()))
            except OSError:  # broken, as by a full disk: made anew
                target.unlink()
        _compile(what, source, target, options, headers)
        return ctypes.CDLL(str(target.resolve()))


@cache
def _macros(compiler: tuple[str, ...], options: tuple[str, ...]) -> str:
    """What the compiler defines: its version, and the instructions that it uses."""
    command = [*compiler, *options, "-dM", "-E", "-x", "c++", os.devnull]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _compile(
    what: str, source: Path, target: Path, options: Sequence[str], headers: Mapping[str, str]
) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        for name, header in headers.items():
            (Path(folder) / name).write_text(header, encoding="utf-8")
        built = Path(folder) / target.name
        command = [*cpp_compiler(), *options, "-shared", "-fPIC", f"-I{folder}"]
        result = subprocess.run(
            [*command, str(source), "-o", str(built)], capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise ToolError(f"building {what} failed: {_first_line(result)}")
        built.replace(target)


if __name__ == "__main__":
    try:
        cpp_compiler()
    except ToolError as refusal:
        sys.exit(str(refusal))
