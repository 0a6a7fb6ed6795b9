"""Where images come from, and what of it they are."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Skipped:
    """So many files that are no images to evaluate: why, and the name of the first."""

    count: int
    reason: str
    first: str


@dataclass(frozen=True)
class Source:
    """The file or folder of this ``name``, and which of the images in it were taken.

    ``found`` images were in it, ``skipped`` says what else; where not all were taken, they were
    chosen by ``seed`` (None: in their order). ``files`` tells image files from arrays, ``labels``
    says where these are from, and ``classes`` are their names, by number, if they have names.
    """

    name: str = ""
    found: int = 0
    files: bool = False
    labels: str = ""
    classes: tuple[str, ...] | None = None
    skipped: tuple[Skipped, ...] = ()
    seed: int | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The same as plain data, for files."""
        values = asdict(self)
        return {
            "source": values.pop("name"),
            **values,
            "classes": None if self.classes is None else list(self.classes),
            "skipped": [asdict(each) for each in self.skipped],
        }
