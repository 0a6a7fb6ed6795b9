"""What the networks of choices are worth on images that the search has not seen."""

from collections.abc import Sequence

import numpy as np
from rich.progress import Progress

from gen.search.choice import Choice
from networks.evaluation.images import Images
from networks.evaluation.model import Model, batches_of
from networks.evaluation.scoring import classification
from networks.methods.rights import BATCH_ELEMENTS, Right, rights_of
from support.tasks import run_tasks


def rights(
    model: Model,
    images: Images,
    choices: Sequence[Choice],
    progress: Progress,
    scheduler: str | None = None,
) -> list[Right]:
    """Of each of ``choices``: 100 for each of ``images`` whose class is right, else 0."""
    scoring = classification(model)
    parts = batches_of(images, BATCH_ELEMENTS)
    # Machines that differ in sides alone compute the same.
    networks = {(choice.numbers, choice.windowed): None for choice in choices}
    tasks = [
        (numbers.network(windowed), numbers.arithmetic, scoring, part)
        for numbers, windowed in networks
        for part in parts
    ]
    bar = progress.add_task("evaluating", total=len(tasks))
    done = run_tasks(rights_of, tasks, scheduler, lambda: progress.advance(bar))
    found = {
        key: np.concatenate(done[index * len(parts) : (index + 1) * len(parts)])
        for index, key in enumerate(networks)
    }
    return [found[choice.numbers, choice.windowed] for choice in choices]
