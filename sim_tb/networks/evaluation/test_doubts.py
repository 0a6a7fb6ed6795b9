"""What looks like a mistake, and everything that decides a result, in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from networks.evaluation.data import load_data, split
from networks.evaluation.description import decisions, describe, skipped_lines
from networks.evaluation.doubts import doubts_of_accuracy, doubts_of_inputs
from networks.evaluation.inputs import choose_images
from networks.evaluation.model import Model
from networks.evaluation.preparation import Options
from networks.evaluation.preprocessing import Preprocessing
from sim_tb.networks.evaluation.images import (
    PLAIN,
    pixels,
    write_images,
    write_npz,
    write_text,
)
from sim_tb.networks.families import model_of

MEAN, SCALE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Of images (3, 16, 16), and 10 classes."""
    return model_of("resnet", tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        (
            {"mean": MEAN, "scale": SCALE},
            "--mean 123.675,116.28,103.53 --scale 58.395,57.12,57.375",
        ),
        ({"mean": (0.5,), "scale": (0.5,)}, "--mean 127.5 --scale 127.5"),
        ({"mean": MEAN}, "--mean 123.675,116.28,103.53 --scale 255"),
        ({"scale": (1 / 255,)}, "--mean 0 --scale 1"),
        ({}, None),
        ({"mean": (103.9, 116.8, 123.7)}, None),
        ({"scale": (255.0,)}, None),
        ({"mean": (127.5,), "scale": (127.5,)}, None),
        ({"mean": (1.5,), "scale": (1.0,)}, None),
    ],
)
def test_mean_and_scale_of_another_range(
    options: dict[str, Any], meant: str | None, model: Model, tmp_path: Path
) -> None:
    path = write_npz(tmp_path, pixels(2, 16, 16, 3))
    images = load_data(path, model.input_shape, Preprocessing(**options))
    expected = (
        []
        if meant is None
        else [
            "mean and scale look like those of pixels from 0 to 1, but pixels count from 0 to 255: "
            f"perhaps {meant} is meant"
        ]
    )
    assert doubts_of_inputs(images, model.classes) == expected


def test_class_folders_and_outputs_differ(model: Model, tmp_path: Path) -> None:
    folder = write_images(tmp_path / "photos", ["a/0.png", "b/0.png", "c/0.png"], (16, 16, 3))
    assert doubts_of_inputs(load_data(folder, model.input_shape, PLAIN), model.classes) == [
        "there are 3 classes in photos (class folders), which are 0 to 2 in the order of their "
        "names, but 10 of the model"
    ]
    named = write_text(tmp_path / "named.txt", "a x\nb y\nc x")
    assert doubts_of_inputs(load_data(folder, model.input_shape, PLAIN, named), model.classes) == [
        "there are 2 classes in photos (class map), which are 0 to 1 in the order of their "
        "names, but 10 of the model"
    ]
    numbered = write_text(tmp_path / "numbered.txt", "a 3\nb 0\nc 9")
    assert (
        doubts_of_inputs(load_data(folder, model.input_shape, PLAIN, numbered), model.classes) == []
    )


@pytest.mark.parametrize(("labels", "count"), [((1, 2, 9), 1), ((0, 1, 2), 0), ((2, 3, 5), 0)])
def test_labels_from_1(labels: tuple[int, ...], count: int, model: Model, tmp_path: Path) -> None:
    path = write_npz(tmp_path, pixels(3, 16, 16, 3), labels)
    expected = ["no image has the label 0, the lowest is 1: labels count from 0"] * count
    loaded = load_data(path, model.input_shape, PLAIN)
    assert doubts_of_inputs(loaded, model.classes) == expected
    # Of all that are there, not of those that were chosen.
    assert doubts_of_inputs(loaded.select(np.array([1])), model.classes) == expected


def test_accuracy_near_chance() -> None:
    # 10 % and three standard deviations of 100 guesses, which are 9 %.
    assert doubts_of_accuracy(0.20, 100, 10) == []
    assert doubts_of_accuracy(0.18, 100, 10) == [
        "FP32 accuracy is near chance: 18.00 % of 100 images, where guessing among 10 classes "
        "gives 10 %; do labels and preprocessing fit the model?"
    ]
    assert len(doubts_of_accuracy(0.0, 60, 1000)) == 1
    assert doubts_of_accuracy(0.6, 10000, 2) == []


def test_few_images_do_not_tell_chance() -> None:
    """Of two classes three standard deviations of 36 guesses are half of the way to all right."""
    for correct in (0.0, 0.5, 1.0):
        assert doubts_of_accuracy(correct, 8, 2) == []
        assert doubts_of_accuracy(correct, 35, 2) == []
    assert len(doubts_of_accuracy(0.75, 36, 2)) == 1
    assert doubts_of_accuracy(0.76, 36, 2) == []
    assert doubts_of_accuracy(0.0, 9, 1000) == []
    assert len(doubts_of_accuracy(0.0, 10, 1000)) == 1


def result_of(model: Model, images: Any, calibration: Any, options: Options) -> dict[str, Any]:
    return {
        "task": "classification",
        "rows": [{"format": "fp32"}, {"format": "5opt"}],
        "images": len(images),
        "calibration_images": len(calibration),
        **describe(model, images, calibration, options),
    }


def test_what_decides_is_told(model: Model, tmp_path: Path) -> None:
    names = [f"{folder}/{index}.png" for folder in ("ant", "bee") for index in range(5)]
    folder = write_images(tmp_path / "photos", [*names, "bee/.x", "bee/.y", "bee/0.txt"])
    preprocessing = Preprocessing(resize=18, crop=16, mean=MEAN, scale=SCALE)
    loaded = load_data(folder, model.input_shape, preprocessing)
    assert skipped_lines(loaded) == [
        "photos: skipped 2 files: hidden, the first bee/.x",
        "photos: skipped 1 file: not called as images are, the first bee/0.txt",
    ]
    calibration, images = split(loaded, 2, 7)
    result = result_of(model, choose_images(images, 4, 7), calibration, Options())
    assert decisions(result) == [
        f"output: {model.output_name}, 10 values",
        "data: photos, 4 of 10 images, seed 7; labels 0 to 1 from class folders, "
        "2 classes (ant is 0, bee is 1)",
        "calibration: photos, 2 of 10 images, seed 7, set aside of the data; method mean",
        "preprocessing: resize 18 (bilinear), crop 16, EXIF orientation ignored, RGB, "
        "mean 0.485,0.456,0.406, scale 0.229,0.224,0.225",
        "options: weights of 8 bits, first layer 8 bits, last layer 8 bits, channel order natural",
    ]
    given = {
        "file": "q.json",
        "method": "lapq",
        "channels": 90,
        "second_points": 0,
        "biases": False,
    }
    texts = decisions({**result, "quantized": given})
    assert texts[2:4] == [
        "calibration: photos, 2 of 10 images, seed 7, set aside of the data; for all but clips",
        "clips: by lapq, from q.json",
    ]
    given["second_points"] = 30
    texts = decisions({**result, "quantized": given})
    assert texts[3] == "clips: by lapq, from q.json; 30 of 90 channels have second points"
    result |= {"task": "ctc", "rows": [{"format": "auto"}]}
    texts = decisions(result)
    assert texts[1] == "data: photos, 4 of 10 images, seed 7; 2 different texts from class folders"
    assert texts[-1].endswith(", channel order natural, auto from 20 dB")
    assert result["data"]["skipped"][0] == {"count": 2, "reason": "hidden", "first": "bee/.x"}
    assert result["preprocessing"]["mean"] == list(MEAN)


def test_what_decides_is_told_of_floats(model: Model, tmp_path: Path) -> None:
    floats = np.zeros((2, *model.input_shape), np.float32)
    images = load_data(write_npz(tmp_path, floats), model.input_shape, PLAIN)
    path = write_npz(tmp_path, pixels(3, 16, 16, 3), (0, 1, 2), "own.npz")
    calibration = load_data(path, model.input_shape, PLAIN, labelled=False)
    other = model._replace(other_outputs=("features",))
    options = Options(6, "percentile", 99.5, True, True, True, "calibrated", True)
    result = result_of(other, images, calibration.select(np.arange(2)), options)
    assert decisions(result) == [
        f"output: {model.output_name}, 10 values (not features)",
        "data: c10.npz, all 2 images; labels 0 to 1 from labels",
        "calibration: own.npz, 2 of 3 images, the first; method percentile 99.5",
        "preprocessing: none, the data are as the model takes them",
        "preprocessing of the calibration images: RGB, mean 0, scale 1",
        "options: weights of 6 bits, first layer windowed, last layer windowed, "
        "channel order calibrated, equalized channels, recalibrated batch normalization",
    ]
