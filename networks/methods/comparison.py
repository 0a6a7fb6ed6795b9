"""What methods are worth on images that they have not seen."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.progress import Progress

from networks.evaluation.images import Images
from networks.evaluation.model import Model, batches_of
from networks.evaluation.preparation import Options
from networks.evaluation.scoring import classification
from networks.evaluation.settings import Setting
from networks.methods.corrected_biases import correcting, layer_means, with_corrected_biases
from networks.methods.observation import Observation
from networks.methods.problem import Method, Outcome
from networks.methods.problem_of_model import problem_of
from networks.methods.rights import BATCH_ELEMENTS, Right, change, error, rights_of
from networks.methods.second_points import MAX_WEIGHT_BITS, SecondPoints
from support.tasks import run_tasks


def compare(
    model: Model,
    seen: Observation,
    images: Images,
    settings: Sequence[Setting],
    methods: Mapping[str, Method],
    kind: str,
    progress: Progress,
    scheduler: str | None = None,
    points: Sequence[SecondPoints] = (),
    correct_bias: bool = False,
) -> dict[str, Any]:
    """Top-1 on ``images``, in per cent, of the networks that ``methods`` make for ``settings``.

    Methods look at ``seen`` alone; the first of them is what the others are compared with. A row
    has the method's ``loss`` on what it saw, and paired differences with their standard errors:
    ``difference`` from the first method in the same setting, and ``lost`` from that in the same
    format at the most bits of ``settings``, which come first.

    After each method come ``points``, where weights are narrow enough for them: rows whose
    ``gain`` is the paired difference from the same method without, with what they cost. With
    ``correct_bias`` comes the method with corrected biases; ``biases`` says so, and ``gain``.
    """
    rows: list[dict[str, Any]] = []
    rights: dict[tuple[str, int, str], Right] = {}
    scoring = classification(model)
    parts = batches_of(images, BATCH_ELEMENTS)
    first = next(iter(methods))
    means = layer_means(model.graph, seen, scheduler, progress) if correct_bias else None
    most = max(setting.weight_bits or 0 for setting in settings)
    for setting in settings:
        bits = setting.weight_bits or most
        options = Options(weight_bits=bits)
        problem = problem_of(model, seen, options, setting, kind, scheduler)
        label = problem.objective.integers.label
        for name, method in methods.items():
            alone = method(problem, progress)
            outcomes = [alone]
            if bits <= MAX_WEIGHT_BITS:
                outcomes += [each(problem, alone, progress) for each in points]
            if means is not None:
                found = method(correcting(problem, means), progress)
                outcomes.append(with_corrected_biases(problem, found, means))
            for outcome in outcomes:
                task = progress.add_task(f"evaluating {name}, {label} W{bits}", total=len(parts))
                integers = problem.objective.integers
                own = (integers.network(outcome.clips), integers.arithmetic, scoring)
                done = run_tasks(
                    *(rights_of, [(*own, part) for part in parts], scheduler),
                    lambda task=task: progress.advance(task),  # type: ignore[misc]
                )
                right = np.concatenate(done)
                if outcome is alone:
                    rights[label, bits, name] = right
                rows.append(
                    {
                        "method": name,
                        "format": label,
                        "weight_bits": bits,
                        "loss": outcome.loss,
                        "start": outcome.decided.get("start"),
                        "top1": float(right.mean()),
                        "standard_error": error(right),
                        **change("difference", right, rights[label, bits, first]),
                        **change("lost", right, rights[label, most, first]),
                        **_of_step(outcome, right, rights[label, bits, name]),
                    }
                )
    return {
        "model": model.name,
        "images": len(images),
        "calibration_images": len(seen.labels),
        "objective": kind,
        "rows": rows,
    }


def method_text(row: Mapping[str, Any]) -> str:
    """The method of a row, and whether it is the one with corrected biases."""
    texts = {None: "", True: ", biases", False: ", biases (none kept)"}
    return f"{row['method']}{texts[row.get('biases')]}"


def _of_step(outcome: Outcome, right: Right, alone: Right) -> dict[str, Any]:
    """What second points cost and gain, or what corrected biases gain, where there are any."""
    points = outcome.decided.get("second_points")
    if points is not None:
        return {**points, **change("gain", right, alone)}
    if "corrected_biases" in outcome.decided:
        return {"biases": bool(outcome.clips.biases), **change("gain", right, alone)}
    return {}
