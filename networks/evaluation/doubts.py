"""What about an evaluation looks like a mistake: one line each."""

from math import sqrt

from networks.evaluation.images import Images

SIGMAS = 3
"""Standard deviations of guessing that an accuracy must be above chance."""
LEAST_IMAGES = 10
"""Fewer say nothing of an accuracy."""


def doubts_of_inputs(images: Images, of_model: int | None) -> list[str]:
    """What can be told before anything is computed; ``of_model`` classes, if labels are such."""
    found = []
    preprocessing = images.preprocessing
    if images.are_bytes and _counts_to_1(preprocessing.mean, preprocessing.scale):
        options = " ".join(
            f"--{name} {','.join(f'{255 * value:g}' for value in values)}"
            for name, values in (("mean", preprocessing.mean), ("scale", preprocessing.scale))
        )
        found.append(
            "mean and scale look like those of pixels from 0 to 1, but pixels count from 0 to 255: "
            f"perhaps {options} is meant"
        )
    classes = images.source.classes
    if of_model is None:
        return found
    if classes is not None and len(classes) != of_model:
        what = images.source.labels if images.source.files else "names of classes"
        found.append(
            f"there are {len(classes)} classes in {images.source.name} ({what}), which are 0 to "
            f"{len(classes) - 1} in the order of their names, but {of_model} of the model"
        )
    elif images.source.lowest_label == 1:
        found.append("no image has the label 0, the lowest is 1: labels count from 0")
    return found


def doubts_of_accuracy(correct: float, images: int, classes: int) -> list[str]:
    """``correct`` is the share of ``images`` that the network is right on in single precision.

    Nothing where there are so few that guesses may be right on most of what they are wrong on.
    """
    chance = 1 / classes
    margin = SIGMAS * sqrt(chance * (1 - chance) / images)
    is_told = images >= LEAST_IMAGES and margin <= (1 - chance) / 2
    if not is_told or correct > chance + margin:
        return []
    return [
        f"FP32 accuracy is near chance: {100 * correct:.2f} % of {images} images, where guessing "
        f"among {classes} classes gives {100 * chance:.2g} %; do labels and preprocessing fit the "
        "model?"
    ]


def _counts_to_1(mean: tuple[float, ...], scale: tuple[float, ...]) -> bool:
    """Whether these do next to nothing to pixels from 0 to 255, or enlarge them."""
    largest = max(map(abs, scale))
    return largest < 1 or (largest == 1 and 0 < max(map(abs, mean)) <= 1)
