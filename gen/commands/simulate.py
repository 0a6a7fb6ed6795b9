"""``sparq simulate``: random tiles through an emitted machine."""

from pathlib import Path
from typing import Any

import click

from gen.commands.configuration_options import configuration_options, load_configuration
from gen.commands.options import IntegerRange, json_option, write_json
from gen.commands.terminal import progress_bar
from gen.simulation.simulate import MAX_TILES, run_simulation
from gen.simulation.simulate_engine import run_engine_simulation


@click.command()
@configuration_options
@click.option(
    "--tiles",
    type=IntegerRange(1, MAX_TILES),
    default=100,
    show_default=True,
    metavar="N",
    help="Tiles to multiply; of an engine, at least.",
)
@click.option(
    "--seed",
    type=IntegerRange(0),
    default=1,
    show_default=True,
    metavar="N",
    help="Of the random data.",
)
@json_option
def simulate(
    preset: str | None,
    config: Path | None,
    tiles: int,
    seed: int,
    json_file: Path | None,
    **options: Any,
) -> None:
    """Run random tiles through the emitted array or engine, and compare with golden."""
    configuration = load_configuration(preset, config, options)
    run = run_engine_simulation if configuration.engine else run_simulation
    result = run(configuration, tiles, seed, progress_bar())
    what = "results" if configuration.engine else "sums"
    click.echo(
        f"{result['top']}: {result['sums_compared']} {what} of {result['tiles']} tiles equal "
        f"golden ({result['cycles']} cycles, seed {result['seed']})"
    )
    write_json(json_file, result)
