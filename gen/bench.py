"""Timings: the golden products, and the emission of large arrays."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.progress import Progress

import golden

SIDE = 1024
ROUNDS = 21
ARRAYS = (*((side, side) for side in (8, 16, 32, 64, 128, 256)), (97, 193))

EMIT = """
import json, resource, sys, time
start = time.perf_counter()
from gen import Configuration, generate
text = generate(Configuration(rows=int(sys.argv[1]), cols=int(sys.argv[2]))).verilog
print(json.dumps({
    "bytes": len(text),
    "modules": text.count("endmodule"),
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def run_bench(progress: Progress) -> dict[str, Any]:
    """Median times of the products, taken in turn so that all meet the same machine; emission."""
    with progress:
        return {"products": _products(progress), "emission": _emission(progress)}


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
    times: dict[str, list[float]] = {name: [] for name in products}
    for _ in progress.track(range(ROUNDS), description="products"):
        for name, product in products.items():
            start = time.perf_counter()
            product()
            times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
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
