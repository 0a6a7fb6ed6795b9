"""Files and folders are written whole or not at all."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from support.files import (
    OutputError,
    require_writable,
    write_files,
    write_folder,
    write_if_changed,
)


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    page = tmp_path / "out" / "page"
    for text in ("first", "second"):

        def write(folder: Path, text: str = text) -> None:
            (folder / text).write_text(text)

        assert write_folder(page, write) == page
        assert contents(tmp_path) == {f"out/page/{text}": text}


@pytest.mark.parametrize("before", [{}, {"old": "old"}])
@pytest.mark.parametrize(
    "failure", [ValueError("no"), OSError(28, "no space"), KeyboardInterrupt()]
)
def test_nothing_is_left_of_a_folder_that_fails(
    before: dict[str, str], failure: BaseException, tmp_path: Path
) -> None:
    page = tmp_path / "page"
    if before:
        page.mkdir()
        (page / "old").write_text("old")

    def write(folder: Path) -> None:
        (folder / "half").touch()
        raise failure

    expected = OutputError if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected) as error:
        write_folder(page, write)
    if expected is OutputError:
        assert str(error.value) == f"cannot write {page}: no space"
    assert [path.name for path in tmp_path.iterdir()] == (["page"] if before else [])
    assert contents(tmp_path) == {f"page/{name}": text for name, text in before.items()}


@pytest.mark.parametrize("renamed", [0, 1, 2])
def test_an_interrupt_between_leaves_one_whole_folder(
    renamed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two renamings: before them, between them, behind them."""
    page = tmp_path / "page"
    page.mkdir()
    (page / "old").write_text("old")
    rename, calls = Path.rename, iter(range(4))

    def interrupted(path: Path, target: Path) -> Path:
        call = next(calls)
        if call == renamed:
            raise KeyboardInterrupt
        moved = rename(path, target)
        if call == 1 and renamed == 2:
            raise KeyboardInterrupt
        return moved

    def write(folder: Path) -> None:
        (folder / "new").write_text("new")

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_folder(page, write)
    name = "new" if renamed == 2 else "old"
    assert contents(tmp_path) == {f"page/{name}": name}


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_text("mine")
    with pytest.raises(OutputError) as error:
        write_folder(page, lambda folder: None)
    assert str(error.value) == f"cannot write {page}: it is no folder"
    assert contents(tmp_path) == {"page": "mine"}


def test_links_stay_links(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    file, folder = tmp_path / "link", tmp_path / "page"
    file.symlink_to("there/file")
    folder.symlink_to("there/folder")
    for text in ("first", "second"):
        assert write_if_changed(file, text)

        def write(new: Path, text: str = text) -> None:
            (new / text).touch()

        write_folder(folder, write)
        assert contents(tmp_path / "there") == {"file": text, f"folder/{text}": ""}
    assert not write_if_changed(file, text)
    assert file.is_symlink()
    assert folder.is_symlink()


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("link")
    with pytest.raises(OutputError) as error:
        require_writable(link)
    assert str(error.value) == f"cannot write {link}: {os.strerror(errno.ELOOP)}"
    with pytest.raises(OutputError) as error:
        write_if_changed(link, "text")
    assert str(error.value) == f"cannot write {link}: {os.strerror(errno.ELOOP)}"
    assert link.is_symlink()


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    require_writable(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        assert write_if_changed(pipe, "text")
        assert reader.communicate()[0] == "text"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full")
    monkeypatch.delattr(os, "replace")  # no fault of this program may take a device away
    if not full.is_char_device():
        pytest.skip("no /dev/full")
    require_writable(full)
    with pytest.raises(OutputError) as error:
        write_if_changed(full, "text")
    assert str(error.value) == "cannot write /dev/full: No space left on device"
    assert write_if_changed(Path("/dev/null"), "text")


PRINTS = """
from pathlib import Path
from support.files import write_if_changed
print("before")
write_if_changed(Path({path!r}), "text\\n")
print("after")
"""


@pytest.mark.parametrize("path", ["/dev/stdout", "printed"])
def test_what_this_program_prints_to(path: str, tmp_path: Path) -> None:
    """By whatever name, it gets the text in its place."""
    printed = tmp_path / "printed"
    with printed.open("w") as stream:
        program = PRINTS.format(path=path)
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, stdout=stream, check=True)
    assert contents(tmp_path) == {"printed": "before\ntext\nafter\n"}


def test_all_files_or_none(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(OutputError) as error:
        write_files(tmp_path, {"a": "1", "b": "2"})
    assert str(error.value) == f"cannot write {tmp_path / 'b'}: it is a folder"
    assert contents(tmp_path) == {}
    assert write_files(tmp_path, {"a": "1", "b/c": "2"}) == [tmp_path / "a", tmp_path / "b" / "c"]
    assert contents(tmp_path) == {"a": "1", "b/c": "2"}


def test_an_interrupt_after_a_file_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def interrupted(source: str, target: Path) -> None:
        replace(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_if_changed(tmp_path / "file", "text")
    assert contents(tmp_path) == {"file": "text"}
