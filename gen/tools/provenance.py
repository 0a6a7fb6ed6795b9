"""What a result that is kept depends on beside its inputs: our own programs, and the tools."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""Where the packages of this project are."""


def programs_digest(
    rooms: tuple[str, ...], distributions: tuple[str, ...], without: tuple[str, ...] = ()
) -> str:
    """Identifies all files of ``rooms``, and the installed versions of ``distributions``.

    A room is a folder or a file below :data:`ROOT`, with everything in it but for the rooms
    ``without``: sources in any language, and the data that is shipped with them. Files are read
    once in a process. Raises ``FileNotFoundError`` for a room that is not there.
    """
    return _digest(ROOT, rooms, distributions, without)


@cache
def _digest(
    root: Path,
    rooms: tuple[str, ...],
    distributions: tuple[str, ...],
    without: tuple[str, ...],
) -> str:
    digest = hashlib.sha256()
    left_out = {path for room in without for path in _files(root / room)}
    for room in rooms:
        for path in _files(root / room):
            if path not in left_out:
                data = path.read_bytes()
                digest.update(f"{path.relative_to(root)} {len(data)}\0".encode())
                digest.update(data)
    for name in distributions:
        digest.update(f"{name} {version(name)}\0".encode())
    return digest.hexdigest()[:24]


def _files(room: Path) -> list[Path]:
    if room.is_file():
        return [room]
    found = [path for path in sorted(room.rglob("*")) if path.is_file()]
    if not found:
        raise FileNotFoundError(room)
    return [path for path in found if "__pycache__" not in path.parts]
