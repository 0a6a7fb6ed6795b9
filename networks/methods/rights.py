"""Which images a network in integers is right on, and differences of that."""

import numpy as np
import numpy.typing as npt

from networks.evaluation.images import Images
from networks.evaluation.model import channels_last
from networks.evaluation.scoring import Scoring
from networks.quantization.arithmetic import Arithmetic
from networks.quantization.network import QuantizedNetwork

BATCH_ELEMENTS = 1 << 22
"""Input elements of the images in one task."""
Right = npt.NDArray[np.float64]
"""100 for each image whose class is right, else 0."""


def rights_of(
    network: QuantizedNetwork, arithmetic: Arithmetic, scoring: Scoring, images: Images
) -> Right:
    """Those of ``network`` on ``images``."""
    values = network.forward(network.quantize_images(channels_last(images.batch())), arithmetic)
    step, zero_point = network.quantizations[network.output]
    logits = (values.astype(np.float64) - zero_point) * step
    result: Right = 100.0 * (scoring(logits, images, False) == 0)
    return result


def change(name: str, own: Right, other: Right) -> dict[str, float]:
    """The paired difference, and its standard error."""
    difference = own - other
    return {name: float(difference.mean()), f"{name}_error": error(difference)}


def error(values: Right) -> float:
    """The standard error of the mean."""
    return float(values.std() / np.sqrt(len(values)))
