"""Writing files whole or not at all."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.errors import InputError


class OutputError(InputError):
    """An output could not be written: one line that says which and why."""


def make_folder(folder: Path) -> None:
    """Make ``folder`` exist and check that files can be made in it; raises :class:`OutputError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = str(error.strerror)
        if isinstance(error, FileExistsError | NotADirectoryError):
            own = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
            reason = f"{'it' if own == folder else own} is no folder"
        raise OutputError(f"cannot write into {folder}: {reason}") from None


def write_if_changed(path: Path, text: str) -> bool:
    """Make ``path`` contain ``text``; returns whether it had to be written.

    A file that already has this content keeps its time stamp. Raises :class:`OutputError`.
    """
    try:
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
            # mkstemp makes files that only their owner can read.
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None
    return True


def write_files(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """:func:`write_if_changed` of each name and text, in ``folder``; returns the paths."""
    paths = {folder / name: text for name, text in texts.items()}
    for path, text in paths.items():
        write_if_changed(path, text)
    return list(paths)


def write_folder(path: Path, write: Callable[[Path], None]) -> Path:
    """Make the folder ``path`` what ``write`` makes of an empty one; returns it.

    What was there before is gone, or all of it still there. Raises :class:`OutputError`.
    """
    make_folder(path.parent)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as temporary:
        new, old = Path(temporary) / "new", Path(temporary) / "old"
        new.mkdir()
        try:
            write(new)
            if path.exists():
                path.rename(old)
            new.rename(path)
        except BaseException as error:
            if old.exists():
                old.rename(path)
            if isinstance(error, OSError):
                raise OutputError(f"cannot write {path}: {error.strerror}") from None
            raise
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``: one holder at a time, also of several processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
