"""Lines of text as images: rendered from the fonts that matplotlib carries, or read from a file."""

import csv
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

HEIGHT = 48
MOST_WIDTH = 320
FONTS = [
    *(f"DejaVuSans{style}.ttf" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}.ttf" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"DejaVuSansMono{style}.ttf" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"STIXGeneral{style}.ttf" for style in ("", "Bol", "Italic", "BolIta")),
]
ONSETS = ["b", "br", "c", "ch", "d", "f", "g", "gr", "h", "k", "l", "m", "n", "p", "pl", "r"]
ONSETS += ["s", "sh", "st", "t", "tr", "v", "w", ""]
NUCLEI = ["a", "e", "i", "o", "u", "ai", "ea", "oo"]
CODAS = ["", "", "n", "r", "s", "t", "l", "ck", "ng"]
CODE = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Line(NamedTuple):
    """An image, uint8 (48, width, 3), its text, and whether it is to be shown upside down."""

    pixels: npt.NDArray[np.uint8]
    text: str
    turned: bool


def rendered(count: int, seed: int) -> list[Line]:
    """So many lines of words that are none, numbers and codes; the same for the same ``seed``."""
    rng = np.random.Generator(np.random.PCG64(seed))
    return [_rendered(rng) for _ in range(count)]


def _rendered(rng: np.random.Generator) -> Line:
    fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
    while True:
        text = _text(rng)
        font = ImageFont.truetype(str(fonts / str(rng.choice(FONTS))), int(rng.integers(24, 37)))
        left, top, right, bottom = font.getbbox(text)
        width = int(right - left) + 12
        if width <= MOST_WIDTH:
            break
    paper, ink = rng.uniform(170, 255), rng.uniform(0, 90)
    if rng.random() < 0.2:
        paper, ink = ink, paper
    image = Image.new("L", (width, HEIGHT), 0)
    place = (6 - left, (HEIGHT - (bottom - top)) / 2 - top + rng.uniform(-2, 2))
    ImageDraw.Draw(image).text(place, text, font=font, fill=255)
    angle = float(rng.uniform(-1.5, 1.5))
    share = np.asarray(image.rotate(angle, Image.Resampling.BILINEAR), np.float64) / 255
    pixels = paper + (ink - paper) * share + rng.normal(0, rng.uniform(0, 12), share.shape)
    grey = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return Line(np.repeat(grey[..., np.newaxis], 3, axis=2), text, bool(rng.random() < 0.5))


def _text(rng: np.random.Generator) -> str:
    kind = rng.integers(4)
    if kind == 0:
        return str(rng.integers(0, 10 ** int(rng.integers(2, 8))))
    if kind == 1:
        return "".join(rng.choice(list(CODE), int(rng.integers(3, 9))))
    words = []
    for _ in range(int(rng.integers(1, 3))):
        parts = [
            str(rng.choice(part))
            for _ in range(int(rng.integers(1, 4)))
            for part in (ONSETS, NUCLEI, CODAS)
        ]
        words.append("".join(parts))
    text = " ".join(words)
    return text.upper() if kind == 2 and rng.random() < 0.5 else text


def read(path: Path, folder: str) -> list[Line]:
    """The lines in a ``folder`` of a ``.zip`` with a ``labels.csv``: file, label, rot180."""
    lines = []
    with zipfile.ZipFile(path) as archive:
        table = archive.read("labels.csv").decode("utf-8")
        for row in csv.DictReader(io.StringIO(table, newline="")):
            if row["file"].startswith(f"{folder}/"):
                image = Image.open(io.BytesIO(archive.read(row["file"]))).convert("RGB")
                lines.append(Line(np.asarray(image), row["label"], row["rot180"] == "1"))
    return lines


def as_input(lines: list[Line], width: int, turned: bool) -> npt.NDArray[np.float32]:
    """The images of ``lines`` as the models take them, float32 (N, 3, 48, width).

    From -1 to 1, padded with 0 on the right, or made narrower; ``turned`` ones upside down.
    """
    result = np.zeros((len(lines), 3, HEIGHT, width), np.float32)
    for own, line in zip(result, lines, strict=True):
        pixels = line.pixels[::-1, ::-1] if turned and line.turned else line.pixels
        if pixels.shape[1] > width:
            image = Image.fromarray(np.ascontiguousarray(pixels))
            pixels = np.asarray(image.resize((width, HEIGHT), Image.Resampling.BILINEAR))
        scaled = (pixels.astype(np.float32) / 255 - 0.5) / 0.5
        own[:, :, : pixels.shape[1]] = scaled.transpose(2, 0, 1)
    return result
