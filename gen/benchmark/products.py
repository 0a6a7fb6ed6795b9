"""The golden matrix products beside NumPy's float32."""

from collections.abc import Callable
from typing import Any

import numpy as np
from rich.progress import Progress

import golden
from gen.benchmark.in_turn import seconds_in_turn

SIDE = 1024
ROUNDS = 21


def time_products(progress: Progress) -> list[dict[str, Any]]:
    """Median milliseconds of products of matrices of 1024 x 1024, and speeds to float32's."""
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
    medians = seconds_in_turn(products, ROUNDS, lambda: progress.advance(task))
    reference = medians["NumPy float32"]
    return [
        {"name": name, "ms": 1e3 * median, "relative_speed": reference / median}
        for name, median in medians.items()
    ]
