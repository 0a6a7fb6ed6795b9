"""``sparq fpga``: what designs take of an FPGA, and how fast they are there."""

from pathlib import Path
from typing import Any

import click

from gen.commands.options import (
    IntegerRange,
    Listed,
    json_option,
    keep_option,
    keep_result,
    write_json,
)
from gen.commands.terminal import print_tables, progress_bar, table
from gen.documentation.results import NotKeptError, load
from gen.fpga.designs import DESIGNS
from gen.fpga.measure import SEEDS, beside_others, measure


@click.command()
@click.option(
    "--designs",
    "names",
    type=Listed.of(*DESIGNS),
    default=",".join(DESIGNS),
    metavar="NAME,...",
    help=f"Designs to measure, all by default: {', '.join(DESIGNS)}.",
)
@click.option(
    "--seeds",
    type=IntegerRange(1, 99),
    default=len(SEEDS),
    show_default=True,
    metavar="N",
    help="Placements of each design, of which the medians count.",
)
@json_option
@keep_option
def fpga(names: tuple[str, ...], seeds: int, json_file: Path | None, keep: bool) -> None:
    """Place and route elements, arrays, engines, accelerators on an ECP5 (LFE5U-85F-6).

    Each design stands between registers, so that pins do not limit it; what these take does not
    count. NAME_luts has no multipliers of the FPGA, NAME_structural is made of single adders.
    Engines and accelerators are placed with the first seed alone. All of them take hours on two
    cores: a run that is stopped goes on where it was, and what is kept of other designs stays while
    it is true.

    \b
    LUTs:      TRELLIS_COMB, those of carry chains included
    DSP:       multipliers, MULT18X18D
    block RAM: DP16KD
    LUT RAM:   TRELLIS_RAMW, of 16 words of 4 bits
    MHz:       the highest frequency, median of the seeds
    """
    chosen = [DESIGNS[name] for name in dict.fromkeys(names)]
    result = measure(chosen, progress_bar(), range(1, seeds + 1))
    headings = ("LUTs", "flip-flops", "DSP", "block RAM", "LUT RAM", "MHz")
    shown = table("ECP5, LFE5U-85F-6", "design", "element", *headings)
    for row in result["rows"]:
        keys = ("luts", "flip_flops", "multipliers", "block_rams", "distributed_rams")
        counts = [str(row[key]) for key in keys]
        shown.add_row(row["name"], row["element"], *counts, f"{row['mhz']:.0f}")
    print_tables(shown)
    write_json(json_file, result)
    if keep:
        keep_result(keep, "fpga", "fpga", _beside_kept(result))


def _beside_kept(result: dict[str, Any]) -> dict[str, Any]:
    try:
        kept = load("fpga").result["rows"]
    except NotKeptError:
        return result
    joined = beside_others(result, kept, DESIGNS)
    names = {row["name"] for row in joined["rows"]}
    if changed := [row["name"] for row in kept if row["name"] not in names]:
        click.echo(f"no longer kept, as they have changed: {', '.join(changed)}")
    return joined
