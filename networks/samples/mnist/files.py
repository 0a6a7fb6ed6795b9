"""The MNIST network and its images as files: ``python -m networks.samples.mnist.files FOLDER``."""

import argparse
import io
from pathlib import Path

import numpy as np

from networks.samples.mnist import MNIST_MODEL, LabelledImages, load_mnist
from networks.samples.mnist.data import PIXEL_SCALE


def write_files(folder: Path) -> None:
    """Write what an evaluation takes into ``folder``, the same bytes on every machine.

    ``mnist.onnx``, the preprocessing of its images in ``mnist.toml``, and the images and labels of
    ``test.npz`` and ``calibration.npz``. A file that has its content already keeps its time stamp.
    """
    mnist = load_mnist()
    contents = {
        "mnist.onnx": MNIST_MODEL.read_bytes(),
        "mnist.toml": f"scale = {PIXEL_SCALE}\n".encode(),
        "test.npz": _npz(mnist.test),
        "calibration.npz": _npz(mnist.calibration),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)


def _npz(data: LabelledImages) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, images=data.images, labels=data.labels)
    return buffer.getvalue()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m networks.samples.mnist.files", description=__doc__
    )
    parser.add_argument("folder", type=Path, help="folder to write into")
    write_files(parser.parse_args().folder)
