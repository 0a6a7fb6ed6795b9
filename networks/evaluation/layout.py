"""Which of an image array's axes holds the channels."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def in_usual_layout(images: Array, input_shape: tuple[int, ...]) -> Array:
    """``images`` as they are expected: bytes (N, H, W, C), others (N, C, H, W).

    ``input_shape`` is what the model takes, (C, H, W). Images whose channels can only be where they
    are not expected have them moved; all others stay as they are.
    """
    if images.ndim != 4 or len(input_shape) != 3:
        return images
    channels = input_shape[0]
    first, last = images.shape[1] == channels, images.shape[3] == channels
    if images.dtype == np.uint8:
        return np.moveaxis(images, 1, 3) if first and not last else images
    turned = (images.shape[3], *images.shape[1:3])
    if images.shape[1:] != input_shape and turned == input_shape:
        return np.ascontiguousarray(np.moveaxis(images, 3, 1))
    return images
