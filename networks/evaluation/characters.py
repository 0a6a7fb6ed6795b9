"""The characters that the classes of a text recognizer stand for."""

from pathlib import Path

from networks.evaluation.errors import DataError
from networks.evaluation.model import Model

METADATA = "character"


def characters_of(model: Model, path: Path | None) -> tuple[str, ...]:
    """Those of the classes of ``model`` from 1 on, one a line of the file ``path``.

    Or of the model's metadata, under ``character``. Class 0 is the blank of connectionist temporal
    classification; a space is the last class where it is not among them. Raises ``DataError`` for
    a number of characters that is not that of the classes.
    """
    if path is None:
        text = model.metadata.get(METADATA)
        if text is None:
            raise DataError(
                f"{model.name} has no characters in its metadata ({METADATA}); give --characters"
            )
        where = f"{model.name}, metadata {METADATA}"
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise DataError(f"{path}: characters must be a text file in UTF-8") from None
        where = str(path)
    # Not all that str.splitlines takes for the end of a line is one.
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n") if text]
    shape = model.graph.shapes[model.graph.output]
    if len(shape) != 2:
        raise DataError(f"outputs of task ctc must be (steps, classes), not {shape}")
    missing = shape[1] - 1 - len(lines)
    if not text or missing not in (0, 1):
        raise DataError(
            f"{where}: there must be {shape[1] - 1} lines, a character each, for {shape[1]} "
            f"classes, or one less without the space, not {len(lines)}"
        )
    return (*lines, *[" "] * missing)
