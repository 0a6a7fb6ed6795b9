"""What accuracy a trained network has in each arithmetic of the hardware."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from rich.progress import Progress

from networks.evaluation.data import DataError, Images
from networks.evaluation.description import describe
from networks.evaluation.doubts import doubts_of_accuracy, doubts_of_inputs
from networks.evaluation.model import Model
from networks.evaluation.orders import channel_orders
from networks.evaluation.preparation import (
    CALIBRATED,
    ORDER_IMAGES,
    Options,
    Quantized,
    Reference,
    calibrated,
    equalized,
    reference_of,
    require_named,
    run_of,
)
from networks.evaluation.results import accuracy_rows, layer_rows, row_shares, totals
from networks.evaluation.scoring import Scoring, classification
from networks.evaluation.settings import DENSE, FP32, SPARSE_2_4, Setting
from networks.evaluation.tasks import all_noises, all_outcomes
from networks.quantization.clips import ClipSource
from networks.quantization.shared_order import Orders
from support.tasks import require_scheduler


def evaluate_model(
    model: Model,
    images: Images,
    calibration: Images,
    settings: Sequence[Setting],
    options: Options,
    progress: Progress,
    scheduler: str | None = None,
    on_doubt: Callable[[str], None] = lambda text: None,
    scoring: Scoring | None = None,
    source: ClipSource | None = None,
) -> dict[str, Any]:
    """Run ``model`` on ``images`` in each of ``settings``, quantized as ``calibration`` says.

    Returns ``rows``, one per setting, ``layers``, one per layer with weights and per product of two
    values, and all that decides the result, as ``docs/evaluation.md`` describes them; percentages,
    and decibels. The result does not depend on how many processes or machines there are.
    ``on_doubt`` is called with what looks like a mistake, as soon as it is known. ``scoring`` says
    what is counted; by default right classes. ``source`` finds the clips in place of calibration,
    of a dense network. Raises ``DataError`` for labels that are not classes of the model and for
    images of a wrong size, ``ModelError`` as :func:`require_named`, before anything
    is computed, and what the parts raise.
    """
    scoring = scoring or classification(model)
    highest = int(images.labels.max())
    if scoring.classes is not None and highest >= scoring.classes:
        from_1 = "; they start at 1, and must at 0" if images.source.lowest_label == 1 else ""
        raise DataError(
            f"labels must be below the model's {scoring.classes} classes, not {highest}{from_1}"
        )
    require_named(model, options)
    for part in (images, calibration):
        part.check()
    require_scheduler(scheduler)
    doubts = []

    def doubt(texts: list[str]) -> None:
        for text in texts:
            doubts.append(text)
            on_doubt(text)

    doubt(doubts_of_inputs(images, scoring.classes))
    with progress:
        if options.equalize:
            task = progress.add_task("equalizing", total=None)
            model = equalized(model, calibration)
            progress.update(task, total=1, completed=1)
        bases = {}
        for sparsity, signed in dict.fromkeys(s.base for s in settings if s.sparsity is not None):
            task = progress.add_task(f"calibrating ({sparsity})", total=len(calibration))
            bases[sparsity, signed] = calibrated(
                *(model, calibration, options, sparsity == SPARSE_2_4),
                *(partial(progress.advance, task), signed, source),
            )
        integer = [setting for setting in settings if setting.sparsity is not None]
        references = {
            setting: reference_of(bases[setting.base], setting, options)
            for setting in progress.track(integer, description="quantizing")
        }
        orders: Mapping[Setting, Orders] = {}
        if options.channel_order == CALIBRATED:
            orders = _orders(bases, references, scheduler, progress)
        runs = {
            setting: run_of(bases[setting.base], setting, options, reference, orders.get(setting))
            for setting, reference in references.items()
        }
        outcomes = all_outcomes(model, images, scoring, settings, runs, scheduler, progress)
        noises = all_noises(model.graph, calibration, runs, scheduler, progress)
    rows = accuracy_rows(settings, outcomes, scoring, images, noises)
    for row in rows:
        if row["format"] == FP32 and scoring.classes is not None:
            doubt(doubts_of_accuracy(row["top1"] / 100, len(images), scoring.classes))
    base = next(iter(bases.values()))
    layers = layer_rows(base, settings, noises, runs, options.attention_windowed)
    for row, setting in zip(rows, settings, strict=True):
        row |= row_shares(setting, layers)
    return {
        "model": model.name,
        "task": scoring.task,
        "images": len(images),
        "calibration_images": len(calibration),
        **describe(model, images, calibration, options),
        "warnings": doubts,
        "rows": rows,
        "layers": layers,
        **totals(base, layers),
    }


def _orders(
    bases: Mapping[tuple[str, bool], Quantized],
    references: Mapping[Setting, Reference],
    scheduler: str | None,
    progress: Progress,
) -> Mapping[Setting, Orders]:
    """Of what has windows, but for 2:4 weights: their order would have to keep their blocks."""
    networks = {
        setting: reference.network
        for setting, reference in references.items()
        if setting.windows and setting.sparsity == DENSE
    }
    if not networks:
        return {}
    images = bases[next(iter(networks)).base].images[:ORDER_IMAGES]
    return channel_orders(networks, images, scheduler, progress)
