"""Writing files whole or not at all."""

import errno
import fcntl
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
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


def require_writable(path: Path) -> None:
    """Check that :func:`write_if_changed` can write ``path``; raises :class:`OutputError`.

    The folder that it will be in is made.
    """
    try:
        if path.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder")
        place = _place(path)
        if isinstance(place, Path) and not os.access(place, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        folder = _linked(path).parent
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None
    if place is None:
        make_folder(folder)


def write_if_changed(path: Path, text: str) -> bool:
    """Make ``path`` contain ``text``; returns whether it had to be written.

    A file that already has this content keeps its time stamp. What is no regular file, such as a
    device or a pipe, is written to and stays what it is; so does a link. Raises
    :class:`OutputError`.
    """
    try:
        place = _place(path)
        if place is not None:
            _write_in_place(place, text)
            return True
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return False
        target = _linked(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
            # mkstemp makes files that only their owner can read.
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None
    return True


def _place(path: Path) -> int | Path | None:
    """What is written to as it is: a descriptor of this process, or what is no regular file.

    ``None`` of a file that is replaced, or not there yet.
    """
    if not path.exists():
        return None
    found = path.stat()
    for descriptor in (1, 2):
        with suppress(OSError):  # of a descriptor that is closed
            # Replaced, or written from its beginning, it would lose what is printed.
            if os.path.samestat(found, os.fstat(descriptor)):
                return descriptor
    return None if stat.S_ISREG(found.st_mode) else path


def _write_in_place(place: int | Path, text: str) -> None:
    sys.stdout.flush()
    with open(place, "w", encoding="utf-8", closefd=isinstance(place, Path)) as stream:
        stream.write(text)


def _linked(path: Path) -> Path:
    """The file that ``path`` is, or that it leads to as a link; raises ``OSError``."""
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


def write_files(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """:func:`write_if_changed` of each name and text, in ``folder``; returns the paths.

    Nothing is written if one of them cannot be: then :class:`OutputError` is raised.
    """
    paths = {folder / name: text for name, text in texts.items()}
    for path in paths:
        require_writable(path)
    for path, text in paths.items():
        write_if_changed(path, text)
    return list(paths)


def require_replaceable(path: Path) -> None:
    """Check that :func:`write_folder` can make the folder ``path``; raises :class:`OutputError`.

    The folder that it will be in is made.
    """
    try:
        if path.exists() and not path.is_dir():
            raise OutputError(f"cannot write {path}: it is no folder")
        parent = _linked(path).parent
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None
    make_folder(parent)


def write_folder(path: Path, write: Callable[[Path], None]) -> Path:
    """Make the folder ``path`` what ``write`` makes of an empty one; returns it.

    What was there before is gone, or all of it still there; a link stays one. Raises
    :class:`OutputError`.
    """
    require_replaceable(path)
    target = _linked(path)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
        new, old = Path(temporary) / "new", Path(temporary) / "old"
        new.mkdir()
        try:
            write(new)
            if target.exists():
                target.rename(old)
            new.rename(target)
        except BaseException as error:
            # An interrupt can come when the new one is there already.
            if old.exists() and not target.exists():
                old.rename(target)
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
