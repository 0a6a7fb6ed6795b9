"""Text files that say which class each image, or folder of images, belongs to."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from networks.evaluation.errors import DataError
from networks.evaluation.labels import MAX_LABEL, Classes, numbered

LINE = "name,label or name label"
NUMBER_LINE = re.compile(r"(?P<name>.+?)(?:\s*,\s*|\s+)(?P<label>[0-9]{1,10})(?:\s+#.*)?")
COMMA_LINE = re.compile(r"(?P<name>.*[^\s,])\s*,\s*(?P<label>[^,]*[^\s,])")
SPACE_LINE = re.compile(r"(?P<name>.*\S)\s+(?P<label>\S+)")
COMMENT = re.compile(r"\s+#.*")
NUMERIC = re.compile(r"[-+]?[0-9][-+0-9.eE_]*")
HEADINGS = ("file", "file_name", "filename", "id", "image", "image_id", "name", "path")
"""What the first column is called, where a file begins with the names of its columns."""


class ClassMap:
    """The classes that the file at ``path`` tells of.

    A line is ``name,label`` or ``name label``, either in quotes as CSV has them; the name is that
    of an image (its base name or its path) or of a folder. Labels are integers, or all of them
    names, in whose order the classes are numbered: ``classes``, None for integers. Empty lines, a
    heading and comments behind ``#`` do not count. Labels that are ``texts`` are names whatever
    they look like, all that stands behind the first comma. Raises :class:`DataError`.
    """

    def __init__(self, path: Path, texts: bool = False) -> None:
        self._path = path
        labels = _read(path, texts)
        self.classes: Classes | None = None
        self._numbers: Mapping[str, int]
        if not texts and all(label.isdecimal() for label in labels.values()):
            self._numbers = {name: int(label) for name, label in labels.items()}
        else:
            numbers, self.classes = numbered(list(labels.values()))
            self._numbers = dict(zip(labels, numbers, strict=True))

    def labels_of(self, names: list[str], source: Path) -> list[int]:
        """The class of each image in ``source``: of its path, base name, or innermost folder."""
        labels = []
        owners: dict[str, str] = {}
        for name in names:
            image = PurePosixPath(name)
            folders = [key for folder in image.parents for key in (str(folder), folder.name)]
            keys = [key for key in (str(image), image.name, *folders) if key in self._numbers]
            if not keys:
                raise DataError(f"{self._path}: no label for {name} of {source}")
            if keys[0] == image.name and owners.setdefault(image.name, name) != name:
                raise DataError(
                    f"{self._path}: {image.name} is both {owners[image.name]} and {name} of "
                    f"{source}; give their paths"
                )
            labels.append(self._numbers[keys[0]])
        return labels


def _read(path: Path, texts: bool) -> dict[str, str]:
    """Name and label of each line, the label as it is written."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: a class map must be a text file in UTF-8") from None
    found: dict[str, str] = {}
    kinds: dict[bool, str] = {}
    first = True
    for position, line in enumerate(map(str.strip, lines), start=1):
        if not line or line.startswith("#"):
            continue
        where = f"{path}, line {position}"
        entry = _text_entry(line) if texts else _entry(line)
        is_first, first = first, False
        if is_first and entry and entry[0].lower() in HEADINGS and not entry[1].isdecimal():
            continue
        if entry is None:
            if texts:
                raise DataError(f"{where}: must be name,text, not {line!r}")
            raise DataError(
                f"{where}: must be {LINE}, label an integer from 0 to {MAX_LABEL} or the name of "
                f"a class, not {line!r}"
            )
        name, label = str(PurePosixPath(entry[0])), entry[1]
        kinds.setdefault(label.isdecimal(), label)
        if len(kinds) > 1 and not texts:
            raise DataError(
                f"{where}: labels must all be integers or all be names, "
                f"not {kinds[True]!r} and {kinds[False]!r}"
            )
        if found.setdefault(name, label) != label:
            raise DataError(f"{where}: {name} has the label {found[name]} already")
    return found


def _entry(line: str) -> tuple[str, str] | None:
    """Name and label in ``line``, the label an integer in its usual form, or a name."""
    entry = _quoted(line)
    if entry is None:
        bare = COMMENT.sub("", line)
        names = COMMA_LINE if "," in bare else SPACE_LINE
        match = NUMBER_LINE.fullmatch(line) or names.fullmatch(bare)
        if match is None:
            return None
        entry = match["name"], match["label"]
    name, label = entry
    if not NUMERIC.fullmatch(label):
        return entry
    # Not another number, which would be taken for a name.
    return (name, str(int(label))) if label.isdecimal() and int(label) <= MAX_LABEL else None


def _text_entry(line: str) -> tuple[str, str] | None:
    """Name and text in ``line``."""
    name, comma, text = line.partition(",")
    return _quoted(line) or ((name.strip(), text.strip()) if comma and name.strip() else None)


def _quoted(line: str) -> tuple[str, str] | None:
    """The two columns of a line of CSV that has quotes."""
    if '"' not in line:
        return None
    try:
        (row,) = csv.reader([line], skipinitialspace=True, strict=True)
    except csv.Error:
        return None
    columns = [column.strip() for column in row]
    if len(columns) != 2 or not all(columns):
        return None
    return columns[0], columns[1]
