"""``sparq area``: area, delay and energy of every unit, side by side."""

from pathlib import Path
from typing import Any

import click

from gen.commands.library_options import keep_measured, library_options, loadable
from gen.commands.options import Format, Integer, IntegerRange, json_option, keep_option, write_json
from gen.commands.terminal import print_grids, progress_bar
from gen.design.configuration import check_integer
from gen.library.load import GENERIC
from gen.synthesis.area import FOLDER, run_area
from gen.synthesis.area_report import PATH, area_files, area_grids
from gen.synthesis.selection import select
from gen.synthesis.units import DESIGNS, UNITS
from golden.format import GROUPS
from golden.named import ANY_FORMAT_HELP
from hdl.multiplier.style import Style
from support.files import write_if_changed


@click.command()
@click.option(
    "--unit",
    type=click.Choice(UNITS),
    multiple=True,
    metavar="NAME",
    help=f"Only these: {', '.join(UNITS)}. May be repeated.",
)
@click.option(
    "--design",
    type=click.Choice(DESIGNS),
    metavar="NAME",
    help=f"Only these: {', '.join(DESIGNS)}.",
)
@click.option("--multiplier", metavar="NAME", help="Only these, of exact designs.")
@click.option("--format", type=Format(), metavar="NAME", help=f"Only these: {ANY_FORMAT_HELP}.")
@click.option("--rounding/--no-rounding", default=None, help="Only these, of SPARQ designs.")
@click.option("--vsparq/--no-vsparq", default=None, help="Only these, of SPARQ designs.")
@click.option(
    "--group",
    type=click.Choice(GROUPS),
    metavar="N",
    help=f"Only these, of SPARQ designs: {', '.join(map(str, GROUPS))}.",
)
@click.option(
    "--pairs", type=IntegerRange(1), metavar="N", help="Only these, of dot-product units."
)
@click.option(
    "--pipeline",
    type=IntegerRange(0, Style.STRUCTURAL.max_pipeline),
    metavar="N",
    help="Only these: 0 to 2. [default: 0 with other choices]",
)
@click.option("--weight-bits", type=IntegerRange(2, 8), default=8, show_default=True, metavar="N")
@click.option("--acc-bits", type=Integer(), default=32, show_default=True, metavar="N")
@library_options
@click.option("--keep-netlists", is_flag=True, help="Write the mapped Verilog of all rows.")
@json_option
@keep_option
def area(
    libraries: tuple[str, ...],
    liberties: tuple[Path, ...],
    target_ps: int | None,
    weight_bits: int,
    acc_bits: int,
    keep_netlists: bool,
    json_file: Path | None,
    keep: bool,
    **filters: Any,
) -> None:
    """Map every unit onto a standard-cell library; report area, delay and energy.

    Each netlist is simulated against golden before its area is printed. Tables, CSV, JSON and plots
    go to build/area; what was measured before is not measured again. A full run chooses processing
    elements at two faster clocks as well, and the best of their pipelines at each.

    The three machines beside each other: --unit array --unit tensor_core --unit sparse_tensor_core.
    """
    chosen = {
        name: value if name == "unit" else (value,)
        for name, value in filters.items()
        if value not in (None, ())
    }
    check_integer("acc-bits", acc_bits, weight_bits + 9, 63)
    units = select(weight_bits, acc_bits, chosen)
    sources = loadable(libraries, liberties)
    results = []
    with progress_bar() as progress:
        for source in sources:
            netlists = FOLDER / "netlists" if keep_netlists else None
            result = run_area(
                source, units, target_ps, progress, faster=not chosen, netlists=netlists
            )
            results.append(result)
            for path, text in area_files(result, FOLDER).items():
                write_if_changed(path, text)
    for result in results:
        print_grids(area_grids(result), folded=PATH)
    click.echo(
        "Energy: switching, without leakage, on the demo network's operands, uniform ones, and "
        "signed ones."
    )
    if GENERIC in sources:
        click.echo(
            f"{GENERIC} has no energy inside cells: compare energies within one recipe (CSV) alone."
        )
    write_json(json_file, results[0] if len(results) == 1 else results)
    keep_measured(keep, "area", sources, results)
