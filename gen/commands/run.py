"""``sparq run``: images through a compiled network."""

from pathlib import Path
from typing import Any

import click
import numpy as np

from gen.commands.data_options import CHARACTERS, CLASS_MAP, add_options, warn_of_skipped
from gen.commands.options import FilePath, IntegerRange, json_option, write_json
from gen.commands.terminal import progress_bar
from gen.compiler.files import read_compiled
from gen.compiler.run import Logits, compare, run_on_golden
from gen.design.configuration import Configuration
from gen.simulation.accelerator_runs import AcceleratorRuns
from networks.evaluation.inputs import load_evaluation
from networks.evaluation.scoring import CLASSIFICATION, EMBEDDING, SIGNAL


@click.command()
@click.argument("folder", type=FilePath(), metavar="DIR")
@click.option("--data", type=FilePath(), metavar="FILE", help="Labelled images.")
@lambda command: add_options(command, [CLASS_MAP, CHARACTERS])
@click.option("--images", type=IntegerRange(1), metavar="N", help="So many, evenly spread.")
@click.option(
    "--on",
    type=click.Choice(["golden", "rtl"]),
    default="golden",
    show_default=True,
    help="What runs the program: its interpreter, or under Verilator the emitted Verilog in "
    "behavioral style.",
)
@click.option(
    "--latency",
    type=IntegerRange(0, 10_000),
    metavar="N",
    help="Cycles until memory answers, beside the Verilog. [default: 0]",
)
@json_option
def run(
    folder: Path,
    data: Path | None,
    class_map: Path | None,
    characters: Path | None,
    images: int | None,
    on: str,
    latency: int | None,
    json_file: Path | None,
) -> None:
    """Run the program that `sparq compile` has written into DIR, and compare.

    Logits must equal those of the network in integers, bit for bit.
    """
    if data is None:
        raise click.UsageError("data must be given: --data FILE")
    if latency is not None and on != "rtl":
        raise click.UsageError("latency has no effect but on rtl: leave it out")
    compiled = read_compiled(folder)
    given: dict[str, Any] = dict(compiled.data)
    preprocessing: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.pop("preprocessing").items()
    }
    loaded, scoring = load_evaluation(
        compiled.model, data, class_map, characters=characters, **given, **preprocessing
    )
    loaded.check()
    warn_of_skipped(loaded)
    available = len(loaded)
    count = available if images is None else images
    if count > available:
        raise click.UsageError(f"images must be an integer from 1 to {available}, not {count}")
    chosen = loaded.select(np.arange(count) * available // count)
    runs = None
    with progress_bar() as progress:
        if on == "rtl":
            hardware = {k: v for k, v in compiled.configuration.items() if v is not None}
            configuration = Configuration(**hardware | {"style": "behavioral"})
            runs = AcceleratorRuns.built(configuration, latency or 0, progress)
        task = progress.add_task(f"images on {on}", total=count)
        logits: Logits = compare(
            *(compiled.image, compiled.network, chosen, runs or run_on_golden),
            lambda: progress.advance(task),
        )
    scales = compiled.image.scales
    scores = scoring((logits.astype(np.float64) - scales.zero_point) * scales.step, chosen, False)
    result: dict[str, Any] = {"images": count, "on": on, "task": scoring.task, "equal": True}
    if scoring.task == SIGNAL:
        result["signal_to_noise"] = float(np.mean(scores))
        said = f"{result['signal_to_noise']:.2f} dB of signal to noise"
    else:
        result["right"] = int(np.count_nonzero(scores == 0))
        what = "classes" if scoring.task in (CLASSIFICATION, EMBEDDING) else "lines"
        said = f"{result['right']} of {count} {what} right ({100 * result['right'] / count:.2f} %)"
    if runs is not None:
        result["counters"] = runs.counters
        said += f"; {runs.cycles_per_image:.0f} cycles an image"
    click.echo(f"{count} images on {on}: logits equal the network's in integers; {said}")
    write_json(json_file, result)
