"""Networks of all families, and random images for them."""

from pathlib import Path

import numpy as np
from rich.progress import Progress

from networks.evaluation.array_images import ArrayImages
from networks.evaluation.floating_point import logits
from networks.evaluation.images import Images
from networks.evaluation.model import Model, load_model
from networks.evaluation.preprocessing import Preprocessing
from sim_tb.networks.onnx_models import FAMILIES

SEED = 5


def quiet() -> Progress:
    return Progress(disable=True)


def model_of(name: str, folder: Path) -> Model:
    path = folder / f"{name}.onnx"
    path.write_bytes(FAMILIES[name]().SerializeToString())
    return load_model(path)


def images_of(model: Model, count: int, seed: int = SEED) -> Images:
    """Random images that the network labels itself, so that FP32 is right on all of them."""
    shape = (count, *model.input_shape)
    images = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    labels = logits(model.content, model.name, images).argmax(axis=1)
    return ArrayImages(labels.astype(np.int64), model.input_shape, Preprocessing(), images)
