"""``sparq tradeoff``: accuracy beside area, what an architect decides from."""

from collections.abc import Sequence
from pathlib import Path

import click

from gen.commands.library_options import keep_measured, library_options, loadable
from gen.commands.options import (
    Listed,
    formats_option,
    json_option,
    keep_option,
    write_json,
)
from gen.commands.terminal import print_grids, progress_bar
from gen.synthesis.area import FOLDER, run_area
from gen.synthesis.tradeoff import elements, join, left_out, measure_qualities
from gen.synthesis.tradeoff_report import WEIGHT_BITS, tradeoff_files, tradeoff_grids
from networks.evaluation.inputs import Inputs, load_inputs
from networks.evaluation.settings import FP32
from networks.samples.mnist.files import write_files
from support.files import write_if_changed

NETWORK_FOLDER = Path("build/mnist")
GROUPS = (1, 2, 4, 8)


def load_demo_network() -> Inputs:
    """The network for MNIST, its whole test split, and the images it is calibrated with."""
    write_files(NETWORK_FOLDER)
    return load_inputs(
        NETWORK_FOLDER / "mnist.onnx",
        data=NETWORK_FOLDER / "test.npz",
        calibration=NETWORK_FOLDER / "calibration.npz",
    )


@click.command()
@library_options
@formats_option
@click.option(
    "--weight-bits",
    "widths",
    type=Listed.of(*map(str, WEIGHT_BITS)),
    default=",".join(map(str, WEIGHT_BITS)),
    show_default=True,
    metavar="N,...",
    help="Widths of the weights.",
)
@click.option(
    "--group",
    "groups",
    type=Listed.of(*map(str, GROUPS)),
    default=",".join(map(str, GROUPS)),
    show_default=True,
    metavar="N,...",
    help="Activations that share a window.",
)
@json_option
@keep_option
def tradeoff(
    libraries: tuple[str, ...],
    liberties: tuple[Path, ...],
    target_ps: int | None,
    formats: Sequence[str],
    widths: Sequence[str],
    groups: Sequence[str],
    json_file: Path | None,
    keep: bool,
) -> None:
    """Set the area of processing elements against accuracy and noise of the network for MNIST.

    Every format with and without rounding and vSPARQ, beside the exact elements. Each netlist is
    simulated against golden before its area counts. Table (CSV, Markdown), JSON and plot go to
    build/area; what was measured before is not measured again.

    \b
    bits/activation: stored bits of an encoded activation, its share of control included
    area/MAC:        in the library's unit; delays that miss the clock target say so
    to 8x8:          area per MAC relative to the smallest 8x8 element of 8-bit weights
    to same width:   likewise, of weights as wide as the row's
    to 2x8x8:        likewise, of two exact MACs with one accumulator
    top-1 %, ±:      accuracy on the whole test split, and its standard error
    SQNR dB, lowest: signal to quantization noise of the windowed layers' outputs: mean, lowest
    front:           meets the target, and no other row that does is as small and as accurate
                     (or as free of noise), and better in one of them
    """
    sources = loadable(libraries, liberties)
    chosen = list(dict.fromkeys(formats))
    sizes = sorted({int(group) for group in groups})
    widths_of_weights = sorted({int(width) for width in widths})
    inputs = load_demo_network()
    images = (inputs.model, inputs.images, inputs.calibration)
    qualities = {
        bits: measure_qualities(*images, chosen, sizes, bits, progress_bar())
        for bits in widths_of_weights
    }
    units = elements(chosen, sizes, widths_of_weights)
    results = []
    with progress_bar() as progress:
        for source in sources:
            measured = run_area(source, units, target_ps, progress, faster=False, energy=False)
            results.append(
                {
                    "library": measured["library"],
                    "target_ps": measured["target"],
                    "model": inputs.model.name,
                    "images": len(inputs.images),
                    "fp32_top1": qualities[widths_of_weights[0]][FP32]["top1"],
                    "rows": join(measured["rows"], qualities),
                    "failed_recipes": measured["failed_recipes"],
                }
            )
    for line in left_out():
        click.echo(line)
    for result in results:
        print_grids(tradeoff_grids(result))
        click.echo(
            f"{result['model']}: {result['images']} images, FP32 {result['fp32_top1']:.2f} %"
        )
        for path, text in tradeoff_files(result, FOLDER).items():
            write_if_changed(path, text)
            click.echo(f"wrote {path}")
    write_json(json_file, results[0] if len(results) == 1 else results)
    keep_measured(keep, "tradeoff", sources, results)
