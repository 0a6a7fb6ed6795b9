"""A batch of a recommender with embedding tables through the array."""

from typing import Any

import numpy as np
from rich.progress import Progress

from gen.design.expectation import require_equal
from gen.workloads.array_products import ArrayProducts
from networks.embedding.integer_recommender import quantize_recommender
from networks.embedding.recommender import Recommender
from networks.samples.flights.data import Flights
from networks.samples.flights.measurement import CodedTables, Coding, calibration_of, windowed


def run_batch(
    model: Recommender,
    flights: Flights,
    coding: Coding,
    samples: int,
    format_name: str,
    progress: Progress,
) -> dict[str, Any]:
    """Take ``samples`` evenly spread test flights through the array, bit for bit.

    Every product is the array's, and must be golden's; so must the logits. A product of codes that
    were looked up must even be that of exact bytes, where codes have four bits.
    """
    coded = CodedTables.of(model, coding)
    calibration = calibration_of(flights.train)
    integers = quantize_recommender(model, coded.tables, coded.bag, calibration)
    count = len(flights.test.labels)
    batch = flights.test.select(np.arange(samples) * count // samples)
    products = ArrayProducts(format_name, progress)
    logits = integers.forward(batch, products)
    expected = integers.forward(batch, windowed(format_name))
    require_equal("logits", logits[:, np.newaxis], expected[:, np.newaxis])
    return {
        "width": model.width,
        "samples": samples,
        "format": format_name,
        "method": coding.method,
        "bits": coding.bits,
        "products": products.runs,
        "cycles": sum(run["cycles"] for run in products.runs),
    }
