"""Integer networks beside onnxruntime's float32, on one core."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

import golden
from gen.benchmark.in_turn import seconds_in_turn
from networks.evaluation.array_images import ArrayImages
from networks.evaluation.floating_point import logits
from networks.evaluation.model import MAX_BATCH, channels_last, load_model
from networks.evaluation.preparation import calibrated_network
from networks.evaluation.preprocessing import Preprocessing
from networks.quantization.arithmetic import exact, windowed
from networks.samples.random_networks import RANDOM_NETWORKS

ROUNDS = 7
ELEMENTS = 1 << 20
"""Input elements of the images in one run."""

INFER = """
import json, sys
from pathlib import Path
from gen.benchmark.networks import network_speed
print(json.dumps(network_speed(Path(sys.argv[1]))))
"""


def time_networks(models: Sequence[Path], progress: Progress) -> list[dict[str, Any]]:
    """Images per second of ``models`` (ONNX files), each in a process of its own.

    And before them those of ``RANDOM_NETWORKS``.
    """
    with tempfile.TemporaryDirectory() as folder:
        shaped = [Path(folder) / f"random_{name}.onnx" for name in RANDOM_NETWORKS]
        for path, make in zip(shaped, RANDOM_NETWORKS.values(), strict=True):
            path.write_bytes(make())
        return _rows([*shaped, *models], progress)


def _rows(models: Sequence[Path], progress: Progress) -> list[dict[str, Any]]:
    rows = []
    for model in progress.track(models, description="networks"):
        result = subprocess.run(
            [sys.executable, "-c", INFER, str(model)],
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        rows.append(json.loads(result.stdout))
    return rows


def network_speed(path: Path) -> dict[str, Any]:
    """Images per second of the ONNX model at ``path``, on random images, in this process.

    Seconds are those of the processor, which others may use meanwhile: all runs have one thread.
    """
    model = load_model(path)
    count = min(MAX_BATCH, max(1, ELEMENTS // prod(model.input_shape)))
    shape = (count, *model.input_shape)
    images = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    labels = np.zeros(count, np.int64)
    calibration = ArrayImages(labels, model.input_shape, Preprocessing(), images)
    network = calibrated_network(model, calibration.select(np.arange(min(count, 8))))
    x = network.quantize_images(channels_last(images))
    sparq = windowed(golden.named_format("5opt"))
    runs: dict[str, Callable[[], Any]] = {
        "fp32": lambda: logits(model.content, model.name, images),
        "a8w8": lambda: network.forward(x, exact),
        "5opt": lambda: network.forward(x, sparq),
        "a8w8_numpy": lambda: network.forward(x, exact, compiled=False),
        "5opt_numpy": lambda: network.forward(x, sparq, compiled=False),
    }
    times = seconds_in_turn(runs, ROUNDS, lambda: None, time.process_time)
    return {
        "model": model.name,
        **{f"{name}_images_per_second": count / seconds for name, seconds in times.items()},
    }
