"""What a result that is kept depends on beside its inputs: our own programs, and the tools."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""Where the packages of this project are."""


def programs_digest(rooms: tuple[str, ...], distributions: tuple[str, ...]) -> str:
    """Identifies all files of ``rooms``, and the installed versions of ``distributions``.

    A room is a folder or a file below :data:`ROOT`, with everything in it: sources in any language,
    and the data that is shipped with them. Files are read once in a process.
    """
    return _digest(ROOT, rooms, distributions)


@cache
def _digest(root: Path, rooms: tuple[str, ...], distributions: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for room in rooms:
        place = root / room
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        if not files:
            raise FileNotFoundError(place)
        for path in files:
            if path.is_file() and "__pycache__" not in path.parts:
                data = path.read_bytes()
                digest.update(f"{path.relative_to(root)} {len(data)}\0".encode())
                digest.update(data)
    for name in distributions:
        digest.update(f"{name} {version(name)}\0".encode())
    return digest.hexdigest()[:24]
