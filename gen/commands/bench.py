"""Timings: the golden products, integer networks, and the emission of large arrays."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

import golden
from networks import MNIST_MODEL
from networks.evaluation.data import ArrayImages
from networks.evaluation.floating_point import logits
from networks.evaluation.model import MAX_BATCH, channels_last, load_model
from networks.evaluation.preparation import calibrated_network
from networks.evaluation.preprocessing import Preprocessing
from networks.evaluation.tasks import BATCH_ELEMENTS
from networks.quantization.arithmetic import exact, windowed

SIDE = 1024
ROUNDS = 21
NETWORK_ROUNDS = 7
ARRAYS = (*((side, side) for side in (8, 16, 32, 64, 128, 256)), (97, 193))

EMIT = """
import json, os, resource, sys, time
start = time.perf_counter()
from gen import Configuration, generate
text = generate(Configuration(rows=int(sys.argv[1]), cols=int(sys.argv[2]))).verilog
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if os.path.exists("/proc/self/status"):
    # Not that of the process that started this one, which getrusage counts on Linux.
    peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
print(json.dumps({
    "bytes": len(text),
    "modules": text.count("endmodule"),
    "peak_mib": peak / 1024,
}))
"""


INFER = """
import json, sys
from pathlib import Path
from gen.commands.bench import network_speed
print(json.dumps(network_speed(Path(sys.argv[1]))))
"""


def run_bench(models: Sequence[Path], progress: Progress) -> dict[str, Any]:
    """Median times, each taken in turn with its reference so that both meet the same machine.

    Products beside NumPy's float32; images per second of the network for MNIST and of ``models``
    (ONNX files) on one core, as an evaluation runs them on each, beside onnxruntime's float32; and
    the emission of arrays.
    """
    for model in models:
        load_model(model)
    with progress:
        return {
            "products": _products(progress),
            "networks": _networks([MNIST_MODEL, *models], progress),
            "emission": _emission(progress),
        }


def network_speed(path: Path) -> dict[str, Any]:
    """Images per second of the ONNX model at ``path``, on random images, in this process."""
    model = load_model(path)
    count = min(MAX_BATCH, max(1, BATCH_ELEMENTS // prod(model.input_shape)))
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
    }
    times = _in_turn(runs, NETWORK_ROUNDS, lambda: None)
    return {
        "model": model.name,
        **{f"{name}_images_per_second": count / seconds for name, seconds in times.items()},
    }


def _in_turn(
    calls: Mapping[str, Callable[[], Any]], rounds: int, on_round: Callable[[], None]
) -> dict[str, float]:
    """Median seconds of each call, the first round left out."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
        on_round()
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def _networks(models: Sequence[Path], progress: Progress) -> list[dict[str, Any]]:
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


def _products(progress: Progress) -> list[dict[str, Any]]:
    generator = np.random.default_rng(0)
    x = generator.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    w = generator.integers(-128, 128, (SIDE, SIDE), dtype=np.int8)
    groups = w.reshape(SIDE // 4, 4, SIDE)
    kept = generator.random(groups.shape).argsort(axis=1) < 2
    sparse = np.where(kept, groups, 0).astype(np.int8).reshape(SIDE, SIDE)
    float_x, float_w = x.astype(np.float32), w.astype(np.float32)
    fmt = golden.named_format("5opt")
    products: dict[str, Callable[[], Any]] = {
        "NumPy float32": lambda: float_x @ float_w,
        "exact_matmul": lambda: golden.exact_matmul(x, w),
        "sparq_matmul 5opt": lambda: golden.sparq_matmul(x, w, fmt),
        "sparq_matmul_2_4 5opt": lambda: golden.sparq_matmul_2_4(x, sparse, fmt),
    }
    task = progress.add_task("products", total=ROUNDS)
    medians = _in_turn(products, ROUNDS, lambda: progress.advance(task))
    reference = medians["NumPy float32"]
    return [
        {"name": name, "ms": 1e3 * median, "relative_speed": reference / median}
        for name, median in medians.items()
    ]


def _emission(progress: Progress) -> list[dict[str, Any]]:
    rows = []
    for height, width in progress.track(ARRAYS, description="emission"):
        start = time.perf_counter()
        result = subprocess.run(
            [sys.executable, "-c", EMIT, str(height), str(width)],
            capture_output=True,
            text=True,
            check=True,
        )
        seconds = time.perf_counter() - start
        measured = json.loads(result.stdout)
        rows.append({"rows": height, "cols": width, "seconds": seconds, **measured})
    return rows
