"""From pixels to what a model takes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from networks.evaluation.data import DataError
from networks.evaluation.preprocessing import Preprocessing, load_preprocessing
from sim_tb.networks.evaluation.images import PLAIN, pixels, write_text

REFUSED_PREPROCESSING: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"resize": 0}, ValueError, "resize must be at least 1 pixel, not 0"),
    ({"crop": -3}, ValueError, "crop must be at least 1 pixel, not -3"),
    ({"resize": 1.5}, TypeError, "resize must be a number of pixels, not 1.5"),
    ({"crop": True}, TypeError, "crop must be a number of pixels, not True"),
    ({"resize": 8, "crop": 9}, ValueError, "crop must be at most resize (8), not 9"),
    ({"resize": (8, 0)}, ValueError, "resize must be at least 1 pixel, not 0"),
    (
        {"resize": (8, 9, 10)},
        ValueError,
        "resize must be the shorter side, or height and width, not (8, 9, 10)",
    ),
    ({"resize": (20, 8), "crop": 9}, ValueError, "crop must be at most resize (8), not 9"),
    (
        {"interpolation": "cubic"},
        ValueError,
        "interpolation must be bilinear or bicubic, not 'cubic'",
    ),
    (
        {"crop": 8, "interpolation": "bicubic"},
        ValueError,
        "interpolation has no effect without resize: leave it out",
    ),
    ({"exif_orientation": 1}, TypeError, "exif_orientation must be true or false, not 1"),
    ({"color_order": "GBR"}, ValueError, "color_order must be RGB or BGR, not 'GBR'"),
    ({"mean": 3.0}, TypeError, "mean must be a tuple of numbers, not 3.0"),
    ({"mean": ()}, ValueError, "mean must hold at least one number, not none"),
    ({"mean": ("1",)}, TypeError, "mean must hold numbers, not '1'"),
    ({"mean": (float("nan"),)}, ValueError, "mean must hold finite float32 numbers, not nan"),
    ({"scale": (1e39,)}, ValueError, "scale must hold finite float32 numbers, not 1e+39"),
    ({"scale": (1.0, 0.0)}, ValueError, "scale must not be zero, as in (1.0, 0.0)"),
    ({"scale": (1e-60,)}, ValueError, "scale must not be zero, as in (1e-60,)"),
]


@pytest.mark.parametrize(("options", "error", "text"), REFUSED_PREPROCESSING)
def test_preprocessing_refuses(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        Preprocessing(**options)
    assert str(caught.value) == text


def test_normalises_in_the_order_of_the_model() -> None:
    images = pixels(2, 4, 5, 3)
    preprocessing = Preprocessing(color_order="BGR", mean=(1.0, 2.0, 3.0), scale=(2.0, 4.0, 8.0))
    result = preprocessing.apply(images)
    assert result.dtype == np.float32
    assert result.shape == (2, 3, 4, 5)
    assert result.flags.c_contiguous
    for channel, (source, mean, scale) in enumerate([(2, 1, 2), (1, 2, 4), (0, 3, 8)]):
        expected = (images[..., source].astype(np.float32) - mean) / scale
        np.testing.assert_array_equal(result[:, channel], expected)


def test_rgb_is_not_reordered_and_nothing_is_scaled_unless_asked() -> None:
    images = pixels(2, 4, 5, 3)
    np.testing.assert_array_equal(PLAIN.apply(images), images.transpose(0, 3, 1, 2))


def test_grey_images_get_one_channel() -> None:
    images = pixels(2, 4, 5)
    result = Preprocessing(mean=(10,), scale=(0.5,)).apply(images)
    np.testing.assert_array_equal(result, (images[:, np.newaxis].astype(np.float32) - 10) * 2)


@pytest.mark.parametrize(
    ("images", "options", "text"),
    [
        (np.zeros((1, 2, 2)), {}, "images must be uint8, not float64"),
        (
            pixels(2, 2),
            {},
            "images must have the shape (N, H, W, C) or (N, H, W), not (2, 2)",
        ),
        (
            pixels(1, 2, 2, 3),
            {"mean": (1.0, 2.0)},
            "mean must hold one number, or one for each of 3 channels, not 2",
        ),
    ],
)
def test_apply_refuses(images: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        Preprocessing(**options).apply(images)
    assert str(caught.value) == text


def test_resize_and_crop_match_pillow() -> None:
    image = Image.fromarray(pixels(31, 47, 3))
    # The shorter side becomes 16; 16 * 47 / 31 = 24.3. The crop leaves 5 pixels left and right.
    expected = image.resize((24, 16), Image.Resampling.BILINEAR).crop((5, 1, 19, 15))
    result = Preprocessing(resize=16, crop=14).image(image)
    np.testing.assert_array_equal(result, np.asarray(expected))
    upright = Preprocessing(resize=16).image(image.transpose(Image.Transpose.ROTATE_90))
    assert upright.shape == (24, 16, 3)


def test_resize_to_height_and_width() -> None:
    image = Image.fromarray(pixels(31, 47, 3))
    expected = image.resize((20, 16), Image.Resampling.BICUBIC).crop((3, 1, 17, 15))
    result = Preprocessing(resize=(16, 20), crop=14, interpolation="bicubic").image(image)
    np.testing.assert_array_equal(result, np.asarray(expected))


@pytest.mark.parametrize(("side", "start"), [(5, 0), (7, 2), (6, 1)])
def test_crop_rounds_half_to_even_as_torchvision(side: int, start: int) -> None:
    image = pixels(side, side, 3)
    # (5 - 4) / 2 = 0.5 rounds to 0, (7 - 4) / 2 = 1.5 to 2.
    result = Preprocessing(crop=4).image(Image.fromarray(image))
    np.testing.assert_array_equal(result, image[start : start + 4, start : start + 4])


def test_images_are_converted_to_the_channels_of_the_model() -> None:
    colour = Image.fromarray(pixels(3, 4, 3))
    np.testing.assert_array_equal(PLAIN.image(colour, 1)[..., 0], np.asarray(colour.convert("L")))
    palette = colour.convert("P")
    np.testing.assert_array_equal(PLAIN.image(palette), np.asarray(palette.convert("RGB")))
    deep = np.array([[0, 256, 32768, 65535]], np.uint16)
    np.testing.assert_array_equal(
        PLAIN.image(Image.fromarray(deep), 1)[..., 0], np.array([[0, 1, 128, 255]])
    )
    with pytest.raises(ValueError, match="channels must be 1 or 3, not 4"):
        PLAIN.image(colour, 4)


def test_images_smaller_than_the_crop_or_very_elongated_are_refused() -> None:
    with pytest.raises(ValueError, match="crop must fit into 7x9 pixels, not be 8"):
        Preprocessing(crop=8).image(Image.new("RGB", (7, 9)))
    with pytest.raises(ValueError, match=r"13440000x224 pixels are too many \(at most 89478485\)"):
        Preprocessing(resize=224).image(Image.new("RGB", (60000, 1)))


def test_toml_sets_the_fields(tmp_path: Path) -> None:
    text = 'resize = 256\ncrop = 224\ncolor_order = "BGR"\nmean = [1, 2.5, 3]\nscale = 58'
    options = load_preprocessing(write_text(tmp_path / "model.toml", text))
    assert options == {
        "resize": 256,
        "crop": 224,
        "color_order": "BGR",
        "mean": (1, 2.5, 3),
        "scale": (58,),
    }
    assert Preprocessing(**options).crop == 224
    assert load_preprocessing(write_text(tmp_path / "empty.toml", "")) == {}
    both = 'resize = [24, 32]\ninterpolation = "bicubic"\nexif_orientation = true'
    options = load_preprocessing(write_text(tmp_path / "both.toml", both))
    assert Preprocessing(**options).given == ["resize", "interpolation", "exif_orientation"]
    assert Preprocessing(**options).output_size(9, 9) == (32, 24)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "std = 3",
            ": unknown key 'std'; allowed are resize, crop, color_order, mean, scale, "
            "interpolation, exif_orientation",
        ),
        ("scale = [1, 0]", ": scale must not be zero, as in (1, 0)"),
        ("mean = 'grey'", ": mean must hold numbers, not 'grey'"),
        ("mean = [[1]]", ": mean must hold numbers, not [1]"),
        ("resize = '8'", ": resize must be a number of pixels, not '8'"),
        ("color_order = ['RGB']", ": color_order must be RGB or BGR, not ['RGB']"),
        ("mean = 1" + "0" * 400, ": mean must hold finite float32 numbers, not 1" + "0" * 400),
        ("crop =", " is not a TOML file: Invalid value (at end of document)"),
    ],
)
def test_toml_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write_text(tmp_path / "model.toml", text)
    with pytest.raises(DataError) as caught:
        load_preprocessing(path)
    assert str(caught.value) == f"{path}{message}"


def test_toml_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "model.toml"
    path.write_bytes("# größer".encode("latin-1"))
    with pytest.raises(DataError) as caught:
        load_preprocessing(path)
    assert str(caught.value) == f"{path}: a TOML file must be a text file in UTF-8"


def test_toml_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_preprocessing(tmp_path / "none.toml")
    assert str(caught.value) == f"cannot read {tmp_path}/none.toml: No such file or directory"
