"""Compiled C++, kept by content."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gen.tools.verilator import environment
from sim_tb.repository.sources import ROOT
from support.cpp import compiler_version, cpp_compiler, shared_library
from support.errors import ToolError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "double.cpp"
    path.write_text('extern "C" int twice(int value) { return 2 * value; }\n')
    return path


def test_it_is_compiled_once(source: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert shared_library("it", source, tmp_path, ()).twice(21) == 42
    assert len(list(tmp_path.glob("*.so"))) == 1


def test_what_is_broken_is_compiled_again(source: Path, tmp_path: Path) -> None:
    """As a full disk leaves it: in another folder, as a process keeps what it has loaded."""
    shared_library("it", source, tmp_path, ())
    [made] = tmp_path.glob("*.so")
    broken = tmp_path / "other" / made.name
    broken.parent.mkdir()
    broken.write_bytes(b"junk")
    assert shared_library("it", source, broken.parent, ()).twice(4) == 8
    assert broken.read_bytes()[:4] == made.read_bytes()[:4]


def test_a_compiler_that_says_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "false")
    with pytest.raises(ToolError, match=r"^building it failed: status 1$"):
        shared_library("it", source, tmp_path, ())
    with pytest.raises(ToolError, match=r"^false --version failed: status 1$"):
        compiler_version()


def test_a_compiler_of_several_words(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``ccache g++`` is: the first is the program; in quotes it may have spaces."""
    found = shlex.join(cpp_compiler())
    tools = tmp_path / "my tools"
    tools.mkdir()
    wrapper = tools / "wrapper"
    wrapper.write_text(f'#!/bin/sh\necho "$1" >> "{tools}/calls"\nexec "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("CXX", f"'{wrapper}' {found} -DFACTOR=3")
    assert cpp_compiler() == (str(wrapper), *shlex.split(found), "-DFACTOR=3")
    source.write_text('extern "C" int times(int value) { return FACTOR * value; }\n')
    assert shared_library("it", source, tmp_path, ()).times(14) == 42
    version = compiler_version()
    assert version.endswith(f"{found} -DFACTOR=3")
    assert (tools / "calls").read_text().split() == [shlex.split(found)[0]] * 3
    monkeypatch.setenv("CXX", found)
    assert version.startswith(compiler_version())
    simulation = environment(tmp_path / "links")["MAKEFLAGS"]
    monkeypatch.setenv("CXX", "env c++")
    assert environment(tmp_path / "links")["MAKEFLAGS"] == simulation.replace(
        f"={found} ", "=env\\ c++ "
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("absent g++", "no C++ compiler (absent g++): install one (Debian: apt install g++; "),
        ("g++ 'x", 'CXX must be a command, not "g++ \'x": No closing quotation'),
    ],
)
def test_what_is_no_compiler(given: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", given)
    with pytest.raises(ToolError, match=f"^{re.escape(message)}"):
        cpp_compiler()
    found = subprocess.run(
        [sys.executable, "-m", "support.cpp"], cwd=ROOT, capture_output=True, text=True
    )
    assert (found.returncode, found.stderr.startswith(message)) == (1, True)
    assert len(found.stderr.splitlines()) == 1
