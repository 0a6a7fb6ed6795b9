"""What accuracy a trained network has in each arithmetic of the hardware."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from rich.progress import Progress

from networks.evaluation.data import DataError, Images
from networks.evaluation.model import Model
from networks.evaluation.preparation import Options, calibrated, network_of
from networks.evaluation.results import accuracy_rows, layer_rows, totals
from networks.evaluation.settings import SPARSE_2_4, Setting
from networks.evaluation.tasks import all_noises, all_ranks
from support.tasks import connected


def evaluate_model(
    model: Model,
    images: Images,
    calibration: Images,
    settings: Sequence[Setting],
    options: Options,
    progress: Progress,
    scheduler: str | None = None,
) -> dict[str, Any]:
    """Run ``model`` on ``images`` in each of ``settings``, quantized as ``calibration`` says.

    Returns ``rows``, one per setting, and ``layers``, one per layer with weights, as
    ``docs/evaluation.md`` describes them; percentages, and decibels. The result does not depend on
    how many processes or machines there are. Raises ``DataError`` for labels that are not classes
    of the model, and what the parts raise.
    """
    for part in (images, calibration):
        if part.labels.max() >= model.classes:
            raise DataError(
                f"labels must be below the model's {model.classes} classes, "
                f"not {int(part.labels.max())}"
            )
    if scheduler is not None:
        connected(scheduler).close()
    with progress:
        bases = {}
        for sparsity in dict.fromkeys(setting.sparsity for setting in settings):
            if sparsity is not None:
                task = progress.add_task(f"calibrating ({sparsity})", total=len(calibration))
                bases[sparsity] = calibrated(
                    *(model, calibration, options, sparsity == SPARSE_2_4),
                    partial(progress.advance, task),
                )
        runs = {}
        for setting in progress.track(settings, description="quantizing"):
            if setting.sparsity is not None:
                base = bases[setting.sparsity]
                runs[setting] = (network_of(base, setting, options), setting.arithmetic)
        ranks = all_ranks(model, images, settings, runs, scheduler, progress)
        noises = all_noises(model.graph, calibration, runs, scheduler, progress)
    layers = layer_rows(next(iter(bases.values())), settings, noises)
    return {
        "model": model.name,
        "images": len(images),
        "calibration_images": len(calibration),
        "rows": accuracy_rows(settings, ranks, model.classes),
        "layers": layers,
        **totals(next(iter(bases.values())), layers),
    }
