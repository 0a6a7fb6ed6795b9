"""Labelled images for an evaluation: how they are read and split, what is refused."""

import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from networks.evaluation.data import DataError, Images, load_data, split
from networks.evaluation.image_files import SUFFIXES
from networks.evaluation.images import UNKNOWN
from networks.evaluation.preprocessing import Preprocessing
from networks.evaluation.source import Skipped
from sim_tb.networks.evaluation.images import (
    COLOUR,
    GREY,
    PLAIN,
    encoded,
    pixels,
    refused,
    write_images,
    write_npz,
    write_text,
    zipped,
)

# Arrays


@pytest.mark.parametrize(
    ("shape", "input_shape"),
    [((2, 4, 5, 3), (3, 4, 5)), ((2, 4, 5, 1), (1, 4, 5)), ((2, 4, 5), (1, 4, 5))],
)
def test_npz_of_pixels(tmp_path: Path, shape: Any, input_shape: Any) -> None:
    images = pixels(*shape)
    preprocessing = Preprocessing(color_order="BGR", mean=(3.0,), scale=(7.0,))
    labels = np.array([7, 2], np.uint8)
    data = load_data(write_npz(tmp_path, images, labels), input_shape, preprocessing)
    assert len(data) == 2
    assert data.labels.dtype == np.int64
    assert data.labels.tolist() == [7, 2]
    assert data.batch().shape == (2, *input_shape)
    np.testing.assert_array_equal(data.batch(), preprocessing.apply(images))


@pytest.mark.parametrize("input_shape", [(3, 4, 5), (6,)])
def test_npz_of_floats_is_taken_as_it_is(tmp_path: Path, input_shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(1).normal(size=(2, *input_shape)).astype(np.float32)
    data = load_data(write_npz(tmp_path, np.asfortranarray(images)), input_shape, PLAIN)
    assert not data.are_bytes
    assert data.batch().dtype == np.float32
    np.testing.assert_array_equal(data.batch(), images)


@pytest.mark.parametrize("shape", [(2, 12, 9, 3), (2, 12, 9, 1), (2, 12, 9)])
def test_npz_is_resized_and_cropped(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = pixels(*shape)
    channels = 3 if shape[3:] == (3,) else 1
    preprocessing = Preprocessing(resize=6, crop=4, color_order="BGR")
    result = load_data(write_npz(tmp_path, images), (channels, 4, 4), preprocessing).batch()
    for image, expected in zip(result, images.reshape(2, 12, 9, channels), strict=True):
        by_hand = Image.fromarray(expected.squeeze()).resize((6, 8), Image.Resampling.BILINEAR)
        cropped = np.asarray(by_hand.crop((1, 2, 5, 6))).reshape(4, 4, channels)
        np.testing.assert_array_equal(image, cropped[..., ::-1].transpose(2, 0, 1))


def test_npz_of_floats_needs_no_preprocessing(tmp_path: Path) -> None:
    path = write_npz(tmp_path, np.zeros((2, *COLOUR), np.float32))
    preprocessing = Preprocessing(resize=9, mean=(3.0,))
    text = (
        "float32 images are taken as they are; leave out resize and mean, in options and in the "
        "model's TOML file"
    )
    refused(f"{path}: {text}", path, COLOUR, preprocessing)


@pytest.mark.parametrize(
    ("labels", "numbers", "classes"),
    [
        (np.array([[3], [1]], np.uint8), [3, 1], None),
        (np.array([[0, 0, 1], [1, 0, 0]]), [2, 0], None),
        (np.array([[0, 1], [0, 1]], np.float32), [1, 1], None),
        (np.array([[False, True], [True, False]]), [1, 0], None),
        (np.array(["dog", "ant"]), [1, 0], ("ant", "dog")),
        (np.array([["dog"], ["dog"]]), [0, 0], ("dog",)),
    ],
)
def test_labels_as_people_store_them(
    tmp_path: Path, labels: Any, numbers: list[int], classes: Any
) -> None:
    data = load_data(write_npz(tmp_path, pixels(2, 4, 4, 3), labels), COLOUR, PLAIN)
    assert data.labels.dtype == np.int64
    assert data.labels.tolist() == numbers
    assert data.source.classes == classes


@pytest.mark.parametrize("extra", [{}, {"labels": np.array(["any", "thing"])}])
def test_npz_to_calibrate_with_needs_no_labels(tmp_path: Path, extra: Any) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, images=pixels(2, 4, 4, 3), **extra)
    data = load_data(path, COLOUR, PLAIN, labelled=False)
    assert data.labels.tolist() == [UNKNOWN] * 2
    assert data.source.labels == ""
    np.savez(path, labels=[1, 2])
    with pytest.raises(DataError, match=re.escape("no array 'images'; images is needed")):
        load_data(path, COLOUR, PLAIN, labelled=False)


NPZ_LABELS = "labels must be integers or names, (N,) or (N, 1), or one-hot (N, classes), not"
NPZ_IMAGES = "images must be uint8 (N, H, W, C) or (N, H, W), or float32 (N, 3, 4, 4), not"
REFUSED_NPZ: list[tuple[Any, Any, Preprocessing, str]] = [
    (
        pixels(2, 5, 5, 1),
        (0, 1),
        PLAIN,
        "images of shape (N, 5, 5, 1) do not fit the model's input (3, 4, 4)",
    ),
    (
        pixels(2, 5, 5),
        (0, 1),
        PLAIN,
        "images of shape (N, 5, 5) do not fit the model's input (3, 4, 4)",
    ),
    (
        pixels(2, 12, 8, 3),
        (0, 1),
        Preprocessing(resize=4),
        "images of shape (N, 12, 8, 3), (N, 6, 4, 3) after preprocessing, "
        "do not fit the model's input (3, 4, 4)",
    ),
    (
        np.zeros((2, 4, 5, 3), np.float32),
        (0, 1),
        PLAIN,
        "images of shape (N, 4, 5, 3) do not fit the model's input (3, 4, 4)",
    ),
    (
        np.full((2, *COLOUR), np.inf, np.float32),
        (0, 1),
        PLAIN,
        "images must be finite, without NaN and infinity",
    ),
    (np.zeros((2, *COLOUR)), (0, 1), PLAIN, f"{NPZ_IMAGES} float64 (N, 3, 4, 4)"),
    (pixels(2, 5), (0, 1), PLAIN, f"{NPZ_IMAGES} uint8 (N, 5)"),
    (pixels(2, 4, 4, 3), (0.0, 1.0), PLAIN, f"{NPZ_LABELS} float64 (2,)"),
    (pixels(2, 4, 4, 3), (True, False), PLAIN, f"{NPZ_LABELS} bool (2,)"),
    (pixels(2, 4, 4, 3), ((0, 1), (1, 1)), PLAIN, f"{NPZ_LABELS} int64 (2, 2)"),
    (pixels(2, 4, 4, 3), ((0, 0), (1, 0)), PLAIN, f"{NPZ_LABELS} int64 (2, 2)"),
    (pixels(2, 4, 4, 3), ((0.1, 0.9), (0, 1)), PLAIN, f"{NPZ_LABELS} float64 (2, 2)"),
    (pixels(2, 4, 4, 3), (0, -1), PLAIN, "labels must be from 0 to 2147483647, not -1"),
    (
        pixels(2, 4, 4, 3),
        (0, 2**31),
        PLAIN,
        "labels must be from 0 to 2147483647, not 2147483648",
    ),
    (
        pixels(2, 4, 4, 3),
        (0, 1, 2),
        PLAIN,
        "images (2, 4, 4, 3) and labels (3,) must agree in their number",
    ),
    (np.uint8(3), (0, 1), PLAIN, "images () and labels (2,) must agree in their number"),
    (pixels(0, 4, 4, 3), np.zeros(0, np.int64), PLAIN, "no images found"),
    (pixels(2, 0, 4, 3), (0, 1), PLAIN, "no images found"),
    (
        pixels(2, 4, 4, 3),
        (0, 1),
        Preprocessing(scale=(1.0, 2.0)),
        "scale must hold one number, or one for each of 3 channels, not 2",
    ),
    (
        pixels(2, 4, 4, 3),
        (0, 1),
        Preprocessing(crop=5),
        "crop must fit into 4x4 pixels, not be 5",
    ),
    (
        pixels(2, 4, 4, 2),
        (0, 1),
        Preprocessing(crop=4),
        "resize and crop take images of 1 or 3 channels, not 2",
    ),
    (
        np.array([object(), None]),
        (0, 1),
        PLAIN,
        "cannot read array 'images' (Object arrays cannot be loaded when allow_pickle=False)",
    ),
]


@pytest.mark.parametrize(("images", "labels", "preprocessing", "text"), REFUSED_NPZ)
def test_npz_refused(
    tmp_path: Path, images: Any, labels: Any, preprocessing: Preprocessing, text: str
) -> None:
    path = write_npz(tmp_path, images, labels)
    refused(f"{path}: {text}", path, COLOUR, preprocessing)


def test_npz_without_its_arrays_or_none_at_all(tmp_path: Path) -> None:
    needed = "images and labels are needed"
    path = tmp_path / "x.npz"
    np.savez(path, images=pixels(2, 4, 4, 3))
    refused(f"{path}: no array 'labels'; {needed}", path, COLOUR, PLAIN)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", "pixels")
        archive.writestr("labels.npy", "classes")
    refused(f"{path}: no array 'images'; {needed}", path, COLOUR, PLAIN)
    path.write_bytes(b"")
    refused(f"{path}: not an .npz file (File is not a zip file)", path, COLOUR, PLAIN)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_npz_is_refused_or_read(tmp_path: Path, save: Any) -> None:
    path = tmp_path / "x.npz"
    save(path, images=pixels(2, 4, 4, 3), labels=np.arange(2))
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError):
            load_data(path, COLOUR, PLAIN)
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        read_or_refuse(path, COLOUR)


def read_or_refuse(path: Path, input_shape: tuple[int, ...]) -> None:
    try:
        data = load_data(path, input_shape, PLAIN)
        batch = data.batch()
    except DataError:
        return
    assert batch.shape == (len(data), *input_shape)


# Image files


@pytest.mark.parametrize("pack", [Path, zipped])
def test_subfolders_are_the_classes(tmp_path: Path, pack: Any) -> None:
    names = ["cat/2.png", "cat/10.png", "ant/1.PNG", "bee/0.jpeg", "bee/note.txt", "cat/.x.png"]
    folder = write_images(tmp_path / "photos", names)
    write_images(folder / "__MACOSX", ["cat/2.png"])
    write_images(folder / ".cache", ["2.png"])
    data = load_data(pack(folder), COLOUR, Preprocessing(mean=(9.0,)))
    assert data.labels.dtype == np.int64
    assert data.labels.tolist() == [0, 1, 2, 2]
    assert data.source.classes == ("ant", "bee", "cat")
    assert data.source.skipped == (
        Skipped(3, "hidden", ".cache/2.png"),
        Skipped(1, "not called as images are", "bee/note.txt"),
    )
    batch = data.batch()
    assert batch.dtype == np.float32
    # In the order of names: ant/1, bee/0, cat/10, cat/2, whatever order they were written in.
    for image, seed in zip(batch, [2, 3, 1, 0], strict=True):
        np.testing.assert_array_equal(image, pixels(4, 4, 3, seed=seed).transpose(2, 0, 1) - 9.0)


@pytest.mark.parametrize("pack", [Path, zipped])
def test_class_folders_may_lie_deeper(tmp_path: Path, pack: Any) -> None:
    folder = write_images(tmp_path / "photos", ["val/b/0.png", "val/a/1.png"])
    data = load_data(pack(folder), COLOUR, PLAIN)
    assert data.labels.tolist() == [0, 1]
    np.testing.assert_array_equal(data.batch()[1], pixels(4, 4, 3).transpose(2, 0, 1))


@pytest.mark.parametrize("kind", [suffix.removeprefix(".") for suffix in SUFFIXES])
def test_formats_are_decoded_resized_and_cropped(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "photos"
    (folder / "a").mkdir(parents=True)
    file = folder / "a" / f"0.{kind}"
    Image.fromarray(pixels(10, 16, 3)).save(file)
    with Image.open(file) as image:
        scaled = image.convert("RGB").resize((8, 5), Image.Resampling.BILINEAR)
    expected = np.asarray(scaled.crop((2, 0, 6, 4)))[..., ::-1]
    preprocessing = Preprocessing(resize=5, crop=4, color_order="BGR")
    batch = load_data(folder, COLOUR, preprocessing).batch()
    np.testing.assert_array_equal(batch[0], expected.transpose(2, 0, 1))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bits_become_8(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").mkdir()
    deep = np.arange(16, dtype=np.uint16).reshape(4, 4) * 4096 + 255
    suffix = {"TIFF": "tif", "PPM": "pgm", "PNG": "png"}[kind]
    (tmp_path / "a" / f"0.{suffix}").write_bytes(encoded(deep, kind))
    for oriented in (False, True):
        batch = load_data(tmp_path, GREY, Preprocessing(exif_orientation=oriented)).batch()
        np.testing.assert_array_equal(batch[0, 0], deep >> 8)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_32_bits_are_refused(tmp_path: Path, dtype: Any) -> None:
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / "0.tiff"
    file.write_bytes(encoded(np.zeros((4, 4), dtype), "TIFF"))
    refused(f"{file}: pixels must have 8 or 16 bits, not 32", tmp_path, GREY, PLAIN)


@pytest.mark.parametrize("pack", [Path, zipped])
def test_exif_orientation_is_applied_if_asked_for(tmp_path: Path, pack: Any) -> None:
    folder = tmp_path / "photos"
    (folder / "a").mkdir(parents=True)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned to the right
    stored = pixels(4, 6, 3)
    Image.fromarray(stored).save(folder / "a" / "0.png", exif=exif)
    path = pack(folder)
    plain = load_data(path, (3, 4, 6), PLAIN)
    upright = load_data(path, (3, 6, 4), Preprocessing(exif_orientation=True))
    for data in (plain, upright):
        data.check()
    np.testing.assert_array_equal(plain.batch()[0], stored.transpose(2, 0, 1))
    np.testing.assert_array_equal(upright.batch()[0], np.rot90(stored, -1).transpose(2, 0, 1))


@pytest.mark.parametrize("pack", [Path, zipped])
def test_images_to_calibrate_with_need_no_labels(tmp_path: Path, pack: Any) -> None:
    folder = write_images(tmp_path / "photos", ["0.png", "a/b/1.png", "c/2.png"])
    data = load_data(pack(folder), COLOUR, PLAIN, labelled=False)
    assert data.labels.tolist() == [UNKNOWN] * 3
    assert data.batch().shape == (3, *COLOUR)


def test_images_become_grey_for_a_model_of_one_channel(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "photos", ["a/0.png"])
    batch = load_data(folder, GREY, PLAIN).batch()
    expected = Image.fromarray(pixels(4, 4, 3)).convert("L")
    np.testing.assert_array_equal(batch, np.asarray(expected)[np.newaxis, np.newaxis])


@pytest.mark.parametrize("pack", [Path, zipped])
def test_class_map_of_images_and_folders(tmp_path: Path, pack: Any) -> None:
    names = ["0.png", "my cat, 2.png", "x/1.png", "x/2.png", "x/y/3.png", "z#/4.png"]
    folder = write_images(tmp_path / "photos", names)
    text = (
        "\ufeff# name, label\n\n  0.png,5\nmy cat, 2.png 6\n./x/1.png , 7\nx/ 8 # a folder\n"
        "3.png\t9\nz# 2147483647\nmissing.png 3\n0.png 5\n"
    )
    data = load_data(pack(folder), COLOUR, PLAIN, write_text(tmp_path / "map.txt", text))
    assert data.labels.tolist() == [5, 6, 7, 8, 9, 2**31 - 1]
    assert data.batch().shape == (6, *COLOUR)


@pytest.mark.parametrize(
    ("text", "labels", "classes"),
    [
        (
            'name,label\n"my cat, 2.png",cat\n0.png,"great, ape"\n',
            [1, 0],
            ("cat", "great, ape"),
        ),
        ("0.png,great ape # by day\n'my cat, 2.png',cat\nphotos,elk\n", None, None),
        ("# a comment\n0.png n02 # another\nx n00\nmissing.png n01", [2, 0], ("n00", "n01", "n02")),
    ],
)
def test_class_map_of_names(tmp_path: Path, text: str, labels: Any, classes: Any) -> None:
    """In the order of all names in the map; with quotes as in CSV, and a heading."""
    folder = write_images(tmp_path / "photos", ["0.png", "x/my cat, 2.png"])
    path = write_text(tmp_path / "map.txt", text)
    if labels is None:  # other quotes are part of a name
        with pytest.raises(DataError, match="no label for x/my cat, "):
            load_data(folder, COLOUR, PLAIN, path)
        return
    data = load_data(folder, COLOUR, PLAIN, path)
    assert (data.labels.tolist(), data.source.classes) == (labels, classes)


LINE = (
    "must be name,label or name label, label an integer from 0 to 2147483647 or the name of a "
    "class, not"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.png 1\n1.png\n", f", line 2: {LINE} '1.png'"),
        ("0.png -1", f", line 1: {LINE} '0.png -1'"),
        ("0.png 2147483648", f", line 1: {LINE} '0.png 2147483648'"),
        ("0.png 1.0", f", line 1: {LINE} '0.png 1.0'"),
        (",1", f", line 1: {LINE} ',1'"),
        ("0.png 1\n\n./0.png 2", ", line 3: 0.png has the label 1 already"),
        ("0.png 1", ": no label for x/1.png of {folder}"),
        (
            "0.png a\n1.png 1",
            ", line 2: labels must all be integers or all be names, not '1' and 'a'",
        ),
        (
            "0.png 1\n1.png 2",
            ": 1.png is both x/1.png and y/1.png of {folder}; give their paths",
        ),
    ],
)
def test_class_map_refused(tmp_path: Path, text: str, message: str) -> None:
    folder = write_images(tmp_path / "photos", ["0.png", "x/1.png", "y/1.png"])
    path = write_text(tmp_path / "map.txt", text)
    refused(f"{path}{message.format(folder=folder)}", folder, COLOUR, PLAIN, path)


def test_class_map_unreadable_or_useless(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "photos", ["0.png"])
    path = tmp_path / "map.txt"
    refused(f"cannot read {path}: No such file or directory", folder, COLOUR, PLAIN, path)
    path.write_bytes(b"\xff\xfe0")
    refused(f"{path}: a class map must be a text file in UTF-8", folder, COLOUR, PLAIN, path)
    arrays = write_npz(tmp_path, pixels(2, 4, 4, 3))
    refused(
        f"{arrays} holds its own labels; a class map is for a folder or a .zip file",
        *(arrays, COLOUR, PLAIN, path),
    )


@pytest.mark.parametrize("pack", [Path, zipped])
@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a/0.txt"], f"no images found ({', '.join(SUFFIXES)})"),
        (
            ["a/0.png", "top.png"],
            "top.png is not in a class folder; without a class map, "
            "images must be in subfolders side by side, one per class",
        ),
        (
            ["a/0.png", "b/c/1.png"],
            "b/c/1.png is not in a class folder; without a class map, "
            "images must be in subfolders side by side, one per class",
        ),
        (["a/0.png", "b/0.txt"], "no images in b; every subfolder must be a class"),
    ],
)
def test_folders_refused(tmp_path: Path, pack: Any, names: list[str], text: str) -> None:
    path = pack(write_images(tmp_path / "photos", names))
    refused(f"{path}: {text}", path, COLOUR, PLAIN)


@pytest.mark.parametrize("pack", [Path, zipped])
def test_images_of_another_size_are_refused(tmp_path: Path, pack: Any) -> None:
    path = pack(write_images(tmp_path / "photos", ["a/0.png"], (5, 9, 3)))
    hint = "do not fit the model's 4x4; resize and crop change the size"
    refused(f"{path}/a/0.png: 9x5 pixels {hint}", path, COLOUR, PLAIN)
    refused(
        f"{path}/a/0.png: 9x5 pixels, 7x4 after preprocessing, {hint}",
        *(path, COLOUR, Preprocessing(resize=4)),
    )
    refused(
        f"{path}/a/0.png: crop must fit into 9x5 pixels, not be 6",
        *(path, COLOUR, Preprocessing(crop=6)),
    )


@pytest.mark.parametrize("pack", [Path, zipped])
def test_a_wrong_size_is_seen_without_decoding(tmp_path: Path, pack: Any) -> None:
    folder = write_images(tmp_path / "photos", ["a/0.png", "a/1.png"])
    (folder / "a" / "1.png").write_bytes(encoded(pixels(5, 9, 3))[:60])
    with pytest.raises(DataError, match=r"/a/1\.png: 9x5 pixels do not fit the model's 4x4; "):
        load_data(pack(folder), COLOUR, PLAIN).check()


def test_models_that_do_not_take_images_are_refused(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "photos", ["a/0.png"])
    for shape in ((16,), (4, 4, 4)):
        refused(
            f"{folder}: image files need a model whose input is (1, H, W) or (3, H, W), "
            f"not {shape}",
            *(folder, shape, PLAIN),
        )
    refused(
        f"{folder}: mean must hold one number, or one for each of 1 channels, not 3",
        *(folder, GREY, Preprocessing(mean=(1.0, 2.0, 3.0))),
    )


def test_undecodable_images_are_refused(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "photos", ["a/0.png"])
    file = folder / "a" / "0.png"
    whole = file.read_bytes()
    for damaged in (b"", b"hello", whole[:20], whole[:60], b"%!PS-Adobe-3.0 EPSF-3.0\n"):
        file.write_bytes(damaged)
        refused(f"{file}: cannot be decoded as an image", folder, COLOUR, PLAIN)
    data = load_data(folder, COLOUR, PLAIN)
    file.unlink()
    with pytest.raises(DataError, match=re.escape(f"{file}: cannot be read")):
        data.batch()


@pytest.mark.parametrize("limit", [10, 5])  # Pillow warns of 16 pixels, or refuses them
def test_decompression_bombs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    folder = write_images(tmp_path / "photos", ["a/0.png"])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    refused(f"{folder}/a/0.png: too many pixels to decode (at most {limit})", folder, COLOUR, PLAIN)


def test_zip_members_are_never_extracted(tmp_path: Path) -> None:
    path = tmp_path / "inner" / "photos.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("../a/0.png", "../b/1.png"):
            archive.writestr(name, encoded(pixels(4, 4, 3)))
    data = load_data(path, COLOUR, PLAIN)
    assert data.labels.tolist() == [0, 1]
    assert data.batch().shape == (2, *COLOUR)
    assert [file.name for file in tmp_path.rglob("*")] == ["inner", "photos.zip"]


def test_damaged_zip_is_refused_or_read(tmp_path: Path) -> None:
    path = zipped(write_images(tmp_path / "photos", ["a/0.png", "b/1.png"]))
    whole = path.read_bytes()
    for length in range(0, len(whole), 5):
        path.write_bytes(whole[:length])
        refused(f"{path}: not a .zip file, or a damaged one", path, COLOUR, PLAIN)
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        read_or_refuse(path, COLOUR)
    path.write_bytes(whole)
    data = load_data(path, COLOUR, PLAIN)
    path.unlink()
    with pytest.raises(DataError, match=re.escape(f"{path}: cannot be read any more")):
        data.batch()


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    refused(f"cannot read {path}: No such file or directory", path, COLOUR, PLAIN)
    path.touch()
    refused(
        f"{path}: data must be an .npz file, a .zip file or a folder of images",
        *(path, COLOUR, PLAIN),
    )


# Subsets


@pytest.fixture(params=["npz", "folder", "zip"])
def fifty(request: pytest.FixtureRequest, tmp_path: Path) -> Images:
    """Fifty images, whose labels are their positions."""
    if request.param == "npz":
        path = write_npz(tmp_path, pixels(50, 4, 4, 3), np.arange(50))
    else:
        path = write_images(tmp_path / "photos", [f"{index:02}/x.png" for index in range(50)])
        path = zipped(path) if request.param == "zip" else path
    return load_data(path, COLOUR, PLAIN)


def test_select_takes_its_part_in_order(fifty: Images) -> None:
    part = fifty.select(np.array([7, 3, 3]))
    assert len(part) == 3
    assert part.labels.tolist() == [7, 3, 3]
    np.testing.assert_array_equal(part.batch(), fifty.batch()[[7, 3, 3]])
    assert part.select(np.array([1])).labels.tolist() == [3]
    empty = fifty.select(np.array([], np.int64))
    assert empty.batch().shape == (0, *COLOUR)
    with pytest.raises(IndexError):
        fifty.select(np.array([50]))


def test_a_part_is_small_to_pickle(fifty: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    part = fifty.select(np.array([4, 9]))
    pickled = pickle.dumps(part)
    assert len(pickled) < 1200
    assert len(pickled) < len(pickle.dumps(fifty)) - 500
    # Workers may run elsewhere.
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(pickle.loads(pickled).batch(), part.batch())


def test_relative_paths_outlive_a_change_of_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path / "photos", ["a/0.png"])
    monkeypatch.chdir(tmp_path)
    data = load_data(Path("photos"), COLOUR, PLAIN)
    monkeypatch.chdir("/")
    assert data.batch().shape == (1, *COLOUR)


def test_split_is_a_sorted_partition_that_the_seed_decides(fifty: Images) -> None:
    calibration, rest = split(fifty, 10, seed=3)
    assert (len(calibration), len(rest)) == (10, 40)
    chosen = calibration.labels.tolist()
    assert chosen == sorted(chosen)
    assert rest.labels.tolist() == sorted(set(range(50)) - set(chosen))
    assert split(fifty, 10, seed=3)[0].labels.tolist() == chosen
    assert split(fifty, 10, seed=4)[0].labels.tolist() != chosen
    order = np.random.Generator(np.random.PCG64(3)).permutation(50)
    assert chosen == sorted(order[:10].tolist())


@pytest.mark.parametrize("count", [-1, 0, 2, 3])
def test_split_leaves_no_part_empty(tmp_path: Path, count: int) -> None:
    data = load_data(write_npz(tmp_path, pixels(2, 4, 4, 3)), COLOUR, PLAIN)
    with pytest.raises(DataError) as caught:
        split(data, count, seed=0)
    assert str(caught.value) == (
        f"cannot set {count} of 2 images aside for calibration; "
        "at least one must be, and at least one must be left"
    )
