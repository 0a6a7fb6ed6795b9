"""Where images come from, and what of it they are."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from networks.evaluation.labels import Classes, Labels


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
    says where these are from, ``lowest_label`` and ``highest_label`` which of all that are in it
    there are, and ``classes`` their names, by number, if they have names.
    """

    name: str = ""
    found: int = 0
    files: bool = False
    labels: str = ""
    lowest_label: int | None = None
    highest_label: int | None = None
    classes: Classes | None = None
    skipped: tuple[Skipped, ...] = ()
    seed: int | None = None

    def with_labels(self, origin: str, labels: Labels, classes: Classes | None) -> Self:
        """The same with these ``labels`` of all images in it, which are from ``origin``."""
        lowest, highest = int(labels.min()), int(labels.max())
        return replace(
            self, labels=origin, lowest_label=lowest, highest_label=highest, classes=classes
        )

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
