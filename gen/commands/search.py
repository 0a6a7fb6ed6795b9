"""``sparq search``: what to build for a network, and what to tell it layer by layer."""

import math
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from gen.commands.data_options import (
    load_unseen,
    percentile_without_effect,
    range_options,
    require_percentile,
    unseen_options,
    window_modes,
)
from gen.commands.library_options import library_options, loadable
from gen.commands.options import (
    FilePath,
    Formats,
    IntegerRange,
    Listed,
    Number,
    integer,
    json_option,
    keep_option,
    keep_result,
    number,
    plot_option,
    refuse_without_effect,
    scheduler_option,
    widths_option,
    write_json,
)
from gen.commands.quantize import LAPQ, LEAST_SQUARES, METHODS, MIN_MAX, file_of
from gen.commands.terminal import print_tables, progress_bar, table
from gen.search.arguments import (
    compile_arguments,
    evaluate_arguments,
    evaluate_row,
    make_variables,
)
from gen.search.costs import AREA_CYCLES, COSTS, LIMITED, Costs
from gen.search.element import EXACT, element_name, element_of
from gen.search.machine import Machine
from gen.search.numbers import Numbers, Task, all_numbers
from gen.search.report import search_plot, search_report
from gen.search.search import search as find
from golden.accelerator.shape import SUM_BITS
from golden.format import GROUPS
from golden.named import ANY_FORMAT_HELP
from networks.evaluation.inputs import choose_images
from networks.evaluation.preparation import NATURAL, SHARED
from networks.methods.corrected_biases import layer_means
from networks.methods.lapq import GRID
from networks.methods.objective import CROSS_ENTROPY, OBJECTIVES
from networks.methods.observation import observe
from networks.methods.problem_of_model import require_model
from networks.methods.quantized_file import digest_of
from support.files import make_folder, write_if_changed
from support.tasks import require_scheduler

SWITCHES = {
    "first_layer_windowed": True,
    "last_layer_windowed": True,
    "attention_windowed": False,
}
"""Of files of clips: windows wherever other commands are not told."""


def _sides(item: str) -> tuple[int, int]:
    rows, cols = item.split("x")
    return integer(rows), integer(cols)


def _limit(item: str) -> tuple[str, float]:
    name, value = item.split("=")
    most = number(value)
    if name not in LIMITED or not (math.isfinite(most) and most > 0):
        raise ValueError(item)
    return name, most


@click.command()
@click.argument("model", type=FilePath(), metavar="MODEL.onnx")
@unseen_options
@click.option("--images", type=IntegerRange(1), metavar="N", help="Test so many, by the seed.")
@click.option("--seed", type=IntegerRange(0), default=1, show_default=True, metavar="N")
@click.option(
    "--elements",
    type=Formats(element_name),
    default="5opt,3opt,2opt,8x8,2x8x8",
    show_default=True,
    metavar="NAME,...",
    help=f"What the array can be built of: {', '.join(EXACT)}, {ANY_FORMAT_HELP}.",
)
@click.option(
    "--group",
    "groups",
    type=Listed.of(*map(str, GROUPS)),
    default="1",
    show_default=True,
    metavar="N,...",
    help=f"Activations that share a window: some of {', '.join(map(str, GROUPS))}.",
)
@window_modes
@widths_option("8,6,5,4", "Widths of the weights.")
@click.option(
    "--sizes",
    type=Listed(_sides, "rows x columns such as 16x16", distinct=True),
    default="16x16",
    show_default=True,
    metavar="RxC,...",
    help="Sides of the array.",
)
@click.option("--scratchpad", type=IntegerRange(1), metavar="N", help="KiB of it. [default: 256]")
@click.option(
    "--memory-bits", type=IntegerRange(1), metavar="N", help="Of its memory port. [default: 128]"
)
@click.option(
    "--methods",
    type=Listed.of(*METHODS),
    default=f"{MIN_MAX},{LEAST_SQUARES}",
    show_default=True,
    metavar="NAME,...",
    help=f"Of choosing clips, as of `sparq quantize`: some of {', '.join(METHODS)}.",
)
@click.option(
    "--channel-order",
    type=click.Choice((NATURAL, SHARED)),
    default=SHARED,
    show_default=True,
    help="shared: with one order for all layers that take the same channels, and without.",
)
@click.option(
    "--passes",
    type=IntegerRange(0, 8),
    default=1,
    show_default=True,
    metavar="N",
    help=f"Of {LAPQ}.",
)
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    default=CROSS_ENTROPY,
    show_default=True,
    help="The loss, on the calibration images: cross-entropy of labels; divergence from FP32.",
)
@click.option(
    "--correct-bias/--no-correct-bias",
    default=True,
    help="Take off each bias what weights are wrong by on the mean. [default: correct-bias]",
)
@range_options
@click.option(
    "--cost",
    type=click.Choice(COSTS),
    default=AREA_CYCLES,
    show_default=True,
    help="What is paid: the array's area times the cycles of an image, either, or energy.",
)
@click.option("--budget", type=Number(), metavar="X", help="The largest cost. [default: none]")
@click.option(
    "--limit",
    "limits",
    type=Listed(_limit, f"some of {', '.join(f'{name}=NUMBER' for name in LIMITED)}"),
    default=(),
    metavar="NAME=X,...",
    help=f"The largest of other costs: {' and '.join(LIMITED)}.",
)
@library_options
@scheduler_option
@click.option(
    "--output",
    type=FilePath(),
    default=Path("build/search"),
    show_default=True,
    metavar="DIR",
    help="Folder for the files of clips that the choices name.",
)
@plot_option("--plot", "Draw the front.")
@json_option
@keep_option
def search(
    model: Path,
    data: Path | None,
    calibration: Path | None,
    class_map: Path | None,
    images: int | None,
    seed: int,
    elements: Sequence[str],
    groups: Sequence[str],
    rounding: bool,
    vsparq: bool,
    widths: Sequence[int],
    sizes: Sequence[tuple[int, int]],
    scratchpad: int | None,
    memory_bits: int | None,
    methods: Sequence[str],
    channel_order: str,
    passes: int,
    objective: str,
    correct_bias: bool,
    calibration_method: str,
    percentile: float,
    cost: str,
    budget: float | None,
    limits: Sequence[tuple[str, float]],
    libraries: tuple[str, ...],
    liberties: tuple[Path, ...],
    target_ps: int | None,
    scheduler: str | None,
    output: Path,
    plot: Path | None,
    json_file: Path | None,
    keep: bool,
    **named: Any,
) -> None:
    """Search what to build for a network, and which of its layers to compute in windows.

    Chosen once, as one array is built: its elements, their width of weights and of accumulators,
    and its sides. Chosen at run time: which layers are windowed, the clips, and the order of the
    channels. The loss is that of the network in integers on the --calibration images; choices that
    no other one beats in loss and cost are tested on --data. docs/methods.md explains costs and
    search.
    """
    require_percentile(percentile)
    _require_numbers(budget, [*libraries, *liberties])
    _refuse_without_effect(elements, methods, calibration_method, cost, limits)
    more = {"scratchpad": scratchpad, "memory_bits": memory_bits}
    given = tuple((name, value) for name, value in more.items() if value is not None)
    kinds = dict.fromkeys(
        element_of(name, rounding, vsparq, int(group)) for name in elements for group in groups
    )
    machines = [
        Machine(element, bits, rows, cols, given)
        for element, bits, (rows, cols) in product(kinds, widths, sizes)
    ]
    for machine in machines:
        _ = machine.shape  # refuses what cannot be
    [library] = loadable(libraries, liberties)
    digest = digest_of(model)
    make_folder(output)
    require_scheduler(scheduler)
    loaded, tested, seen_images = load_unseen(
        *(model, data, calibration, objective == CROSS_ENTROPY, require_model),
        class_map=class_map,
        **named,
    )
    if images is not None:
        tested = choose_images(tested, images, seed)
    with progress_bar() as progress:
        observed = (loaded, seen_images, calibration_method, percentile, seed, progress)
        seen = observe(*observed, scheduler)
        means = layer_means(loaded.graph, seen, scheduler, progress) if correct_bias else None
        task = Task(loaded, seen, objective, scheduler, means)
        made = {name: METHODS[name](passes, GRID) for name in methods}
        numbers = all_numbers(task, machines, made, (LAPQ,), channel_order == SHARED, progress)
        costs = Costs(loaded.graph, library, target_ps, progress, scheduler)
        found = find(machines, numbers, costs, cost, budget, dict(limits), progress)
        result = search_report(loaded, found, numbers, costs, cost, tested, progress, scheduler)
    result |= {
        "cost_unit": costs.meaning(cost),
        "library": str(library),
        "budget": budget,
        "limits": dict(limits),
        "objective": objective,
        "correct_bias": correct_bias,
        "calibration_images": len(seen_images),
        "machines": len(machines),
    }
    evaluated = ["--data", str(data), "--calibration", str(calibration)]
    if class_map is not None:
        evaluated += ["--class-map", str(class_map)]
    if images is not None:
        evaluated += ["--images", str(images), "--seed", str(seed)]
    files = {}
    for point, row in zip(found.front, result["front"], strict=True):
        choice = point.choice
        path = output / f"{model.stem}_{_clips_name(choice.numbers)}.json"
        files[path] = choice.numbers
        exact = task.exact_layers(choice.machine.element, choice.windowed)
        row |= {
            "exact_layers": list(exact),
            "verilog": make_variables(choice),
            "compile": compile_arguments(choice, str(model), str(path), exact),
            "evaluate": evaluate_arguments(choice, str(model), str(path), evaluated, exact),
            "evaluate_row": evaluate_row(choice),
        }
    print_tables(_front_table(result), _accumulator_table(result))
    click.echo(
        f"{result['choices']} choices, {len(result['uniform'])} of them uniform; "
        f"{result['evaluations']} losses computed"
    )
    decided = {
        "seed": seed,
        "objective": objective,
        "correct_bias": correct_bias,
        "calibration_method": calibration_method,
        "percentile": percentile,
    }
    for path, each in files.items():
        switches = {"weight_bits": each.weight_bits, **SWITCHES}
        label = each.objective.integers.label
        file = file_of(
            *(loaded, digest, seen_images, named, switches, each.method, label, decided),
            each.outcome,
        )
        write_if_changed(path, file.text)
        click.echo(f"wrote {path}")
    if plot is not None:
        write_if_changed(plot, search_plot(result))
        click.echo(f"wrote {plot}")
    write_json(json_file, result)
    keep_result(keep, "search", f"search_{model.stem}", result)


def _require_numbers(budget: float | None, libraries: Sequence[str | Path]) -> None:
    """Refuse a budget that cannot be, and more libraries than one."""
    if budget is not None and not (math.isfinite(budget) and budget > 0):
        raise click.UsageError(f"budget must be a number above 0, not {budget:g}")
    if len(libraries) > 1:
        raise click.UsageError(f"library must be one, not {len(libraries)}")


def _refuse_without_effect(
    elements: Sequence[str],
    methods: Sequence[str],
    calibration_method: str,
    cost: str,
    limits: Sequence[tuple[str, float]],
) -> None:
    """Refuse options on the command line that nothing they are of is there for."""
    reasons = percentile_without_effect(calibration_method)
    if all(name in EXACT for name in elements):
        windows = ("groups", "rounding", "vsparq", "channel_order")
        reasons |= dict.fromkeys(windows, "where no element has windows")
    if LAPQ not in methods:
        reasons["passes"] = f"without {LAPQ} among methods"
    refuse_without_effect(reasons)
    named = [name for name, _ in limits]
    for name in named:
        if name == cost:
            raise click.UsageError(f"limit must be of another cost than {cost}: give a budget")
        if named.count(name) > 1:
            raise click.UsageError(f"limit must be different ones, not {name} twice")


def _clips_name(numbers: Numbers) -> str:
    """Of the file of clips of these numbers, which those of other elements may share."""
    fmt = numbers.element.format
    is_shared = numbers.channel_order == SHARED
    depends = numbers.method == LAPQ or is_shared
    own = [fmt.slug if fmt else numbers.element.pe] if depends else []
    order = [SHARED] if is_shared else []
    return "_".join([numbers.method, *order, *own, f"w{numbers.weight_bits}"])


def _front_table(result: Mapping[str, Any]) -> Table:
    shown = table(
        f"{result['model']}: {result['objective']} of {result['calibration_images']} images; "
        f"top-1 of {result['images']}; {result['cost']} {result['cost_unit']}",
        *("element", "weights", "sums", "array", "clips", "channels", "windowed", "cycles"),
        *(f"area {result['unit']}", result["cost"], "loss", "uniform", "top-1 %", "- 8 bits"),
        *("± paired", "- uniform", "± paired"),
    )
    for row in result["front"]:
        missed = "" if row["meets_target"] else "*"
        shown.add_row(
            *(row["element"], str(row["weight_bits"]), str(row["acc_bits"])),
            *(f"{row['rows']}x{row['cols']}", row["method"]),
            *(row["channel_order"], f"{row['windowed']}/{row['free']}"),
            *(str(row["cycles"]), f"{row['area']:.0f}{missed}", f"{row['cost']:.6g}"),
            *(f"{row['loss']:.5f}", f"{row['uniform_choice']['loss']:.5f}"),
            *(f"{row['top1']:.2f}", f"{row['difference']:+.2f}", f"{row['difference_error']:.2f}"),
            *(f"{row['gain']:+.2f}", f"{row['gain_error']:.2f}"),
        )
    return shown


def _accumulator_table(result: Mapping[str, Any]) -> Table:
    shown = table(
        f"Accumulators that no sum overflows, beside those of {SUM_BITS} bits",
        *("element", "weights", "array", "bits", f"area {result['unit']}"),
        *(f"of {SUM_BITS} bits", "saved %"),
    )
    for row in result["accumulators"]:
        wide = row[f"area_{SUM_BITS}"]
        shown.add_row(
            *(row["element"], str(row["weight_bits"]), f"{row['rows']}x{row['cols']}"),
            *(str(row["acc_bits"]), f"{row['area']:.0f}", f"{wide:.0f}"),
            f"{100 * (1 - row['area'] / wide):.1f}",
        )
    return shown
