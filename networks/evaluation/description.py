"""Everything besides the arithmetic that decides the result of an evaluation."""

from dataclasses import asdict
from typing import Any

from networks.evaluation.formats import AUTO
from networks.evaluation.images import Images
from networks.evaluation.model import Model
from networks.evaluation.preparation import Options
from networks.evaluation.scoring import CTC


def describe(model: Model, images: Images, calibration: Images, options: Options) -> dict[str, Any]:
    """What ``model`` was run on and how, as plain data, for files."""
    return {
        "data": images.source.fields,
        "calibration": calibration.source.fields | {"set_aside": bool(calibration.source.labels)},
        "preprocessing": _preprocessing(images),
        "calibration_preprocessing": _preprocessing(calibration),
        "output": {
            "name": model.output_name,
            "size": model.logits,
            "others": list(model.other_outputs),
        },
        "options": asdict(options) | {"exact_layers": list(options.exact_layers)},
    }


def _preprocessing(images: Images) -> dict[str, Any] | None:
    return images.preprocessing.fields if images.are_bytes else None


def decisions(result: dict[str, Any]) -> list[str]:
    """The same in lines to print, of the result of an evaluation.

    Clips that were found before are its ``quantized``: by which method they are in which file, and
    how many of its channels have second points.
    """
    data, calibration, options = result["data"], result["calibration"], result["options"]
    others = result["output"]["others"]
    rest = f" (not {', '.join(others)})" if others else ""
    method = options["method"]
    if method == "percentile":
        method += f" {options['percentile']:g}"
    clips = result.get("quantized")
    use = f"method {method}" if clips is None else "for all but clips"
    automatic = AUTO in (*options["exact_layers"], *(row["format"] for row in result["rows"]))
    switches = [
        f"weights of {options['weight_bits']} bits",
        f"first layer {'windowed' if options['first_layer_windowed'] else '8 bits'}",
        f"last layer {'windowed' if options['last_layer_windowed'] else '8 bits'}",
        *(["attention windowed"] if options["attention_windowed"] else []),
        *(
            [f"exact layers {', '.join(options['exact_layers'])}"]
            if options["exact_layers"]
            else []
        ),
        f"channel order {options['channel_order']}",
        *(["equalized channels"] if options["equalize"] else []),
        *(["corrected biases"] if options["correct_bias"] else []),
        *(["recalibrated batch normalization"] if options["recalibrate_batch_norm"] else []),
        *([f"{AUTO} from {options['auto_sqnr']:g} dB"] if automatic else []),
    ]
    lines = [
        f"output: {result['output']['name']}, {result['output']['size']} values{rest}",
        f"data: {_taken(data, result['images'])}; {_labels(data, result['task'])}",
        f"calibration: {_taken(calibration, result['calibration_images'])}"
        f"{', set aside of the data' if calibration['set_aside'] else ''}; {use}",
        *([] if clips is None else [f"clips: {_given(clips)}"]),
        f"preprocessing: {_pixels(result['preprocessing'], data['files'])}",
        f"options: {', '.join(switches)}",
    ]
    if result["calibration_preprocessing"] != result["preprocessing"]:
        own = _pixels(result["calibration_preprocessing"], calibration["files"])
        lines.insert(-1, f"preprocessing of the calibration images: {own}")
    return lines


def skipped_lines(images: Images) -> list[str]:
    """One line for each reason that files in a folder were skipped for."""
    return [
        f"{images.source.name}: skipped {each.count} file{'s' * (each.count > 1)}: "
        f"{each.reason}, the first {each.first}"
        for each in images.source.skipped
    ]


def _given(clips: dict[str, Any]) -> str:
    """Where clips are from, and what comes with them."""
    parts = [f"by {clips['method']}, from {clips['file']}"]
    if clips["second_points"]:
        parts.append(f"{clips['second_points']} of {clips['channels']} channels have second points")
    if clips["biases"]:
        parts.append("biases are corrected")
    return "; ".join(parts)


def _labels(source: dict[str, Any], task: str) -> str:
    """Which labels ``source`` has, and where they are from."""
    if not source["labels"]:
        return "no labels"
    names = source["classes"]
    if task == CTC:
        return f"{len(names)} different texts from {source['labels']}"
    named = f", {len(names)} classes ({_first_and_last(names)})" if names else ""
    numbers = f"{source['lowest_label']} to {source['highest_label']}"
    return f"labels {numbers} from {source['labels']}{named}"


def _taken(source: dict[str, Any], count: int) -> str:
    """Which images of ``source`` these ``count`` are."""
    name, found, seed = source["source"], source["found"], source["seed"]
    if count == found:
        return f"{name}, all {count} images"
    return f"{name}, {count} of {found} images, {'the first' if seed is None else f'seed {seed}'}"


def _pixels(preprocessing: dict[str, Any] | None, files: bool) -> str:
    if preprocessing is None:
        return "none, the data are as the model takes them"
    resize, crop = preprocessing["resize"], preprocessing["crop"]
    parts = []
    if resize is not None:
        size = "x".join(map(str, resize)) if isinstance(resize, list) else str(resize)
        parts.append(f"resize {size} ({preprocessing['interpolation']})")
    if crop is not None:
        parts.append(f"crop {crop}")
    if files:
        applied = "applied" if preprocessing["exif_orientation"] else "ignored"
        parts.append(f"EXIF orientation {applied}")
    numbers = {name: ",".join(f"{x:g}" for x in preprocessing[name]) for name in ("mean", "scale")}
    parts += [preprocessing["color_order"], *(f"{name} {of}" for name, of in numbers.items())]
    return ", ".join(parts)


def _first_and_last(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} is 0, {names[-1]} is {len(names) - 1}"
