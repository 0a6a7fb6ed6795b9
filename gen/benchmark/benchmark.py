"""Timings: the golden products, integer networks, and the emission of large arrays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.progress import Progress

from gen.benchmark.emission import time_emission
from gen.benchmark.networks import time_networks
from gen.benchmark.products import time_products
from networks import MNIST_MODEL
from networks.evaluation.model import load_model


def run_bench(models: Sequence[Path], progress: Progress) -> dict[str, Any]:
    """Median times, each taken in turn with its reference so that both meet the same machine.

    Products beside NumPy's float32; images per second of networks with random weights, of that
    for MNIST, and of ``models`` (ONNX files) on one core, as an evaluation runs them on each, in
    the compiled kernel and in NumPy alone, beside onnxruntime's float32; and the emission of
    arrays.
    """
    for model in models:
        load_model(model)
    with progress:
        return {
            "products": time_products(progress),
            "networks": time_networks([MNIST_MODEL, *models], progress),
            "emission": time_emission(progress),
        }
