"""Compiled C++, kept by content."""

from pathlib import Path

import pytest

from support.cpp import shared_library
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
    with pytest.raises(ToolError, match=r"^building it failed: status 1 of false$"):
        shared_library("it", source, tmp_path, ())
