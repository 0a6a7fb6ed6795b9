"""What other commands are told for a choice."""

from typing import Any

from gen.search.choice import Choice
from networks.evaluation.settings import EXACT_8_BIT


def make_variables(choice: Choice) -> list[str]:
    """Those of ``make verilog``."""
    options = choice.machine.options(choice.acc_bits)
    return [
        f"{name.upper()}={int(value) if isinstance(value, bool) else value}"
        for name, value in options.items()
    ]


def compile_arguments(choice: Choice, model: str, file: str, exact: tuple[str, ...]) -> list[str]:
    """Those of ``sparq compile``, with the ``file`` of clips."""
    options = choice.machine.options(choice.acc_bits)
    del options["top"]
    return [model, "--quantized", file, *_spelled(options), *_exact(exact)]


def evaluate_arguments(
    choice: Choice, model: str, file: str, data: list[str], exact: tuple[str, ...]
) -> list[str]:
    """Those of ``sparq evaluate``, with options of ``data``."""
    options = dict(choice.machine.element.options)
    del options["pe"]
    if "format" in options:
        options["formats"] = options.pop("format")
    return [model, *data, "--quantized", file, *_spelled(options), *_exact(exact)]


def evaluate_row(choice: Choice) -> str:
    """The label of the row of that evaluation that is of the choice."""
    fmt = choice.machine.element.format
    return EXACT_8_BIT if fmt is None else fmt.label


def _spelled(options: dict[str, Any]) -> list[str]:
    found = []
    for name, value in options.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            found.append(f"--{option}" if value else f"--no-{option}")
        else:
            found += [f"--{option}", str(value)]
    return found


def _exact(names: tuple[str, ...]) -> list[str]:
    return ["--exact-layers", ",".join(names)] if names else []
