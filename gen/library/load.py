"""Libraries by their names or as Liberty files, and the cells that every one must have."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from gen.library.cells import CellReader
from gen.library.errors import LibraryError, NotUnderstoodError
from gen.library.function import truth_table
from gen.library.generic_library import generic_liberty
from gen.library.liberty import parse_liberty
from gen.library.library import AdderCell, Cell, Library
from support.files import write_if_changed

GENERIC = "generic"

# Where Debian's packages qflow-tech-* put their libraries.
_INSTALLED = {
    name: Path("/usr/share/qflow/tech") / name / f"{name}_stdcells.lib"
    for name in ("osu018", "osu035")
}

NAMED_LIBRARIES = (GENERIC, *_INSTALLED)
"""Names that :func:`load_library` takes instead of a path."""


def load_library(library: str | Path, folder: Path) -> Library:
    """The library of that name (:data:`NAMED_LIBRARIES`), or in the Liberty file of that path.

    The text of the generic library is written to ``folder``. Raises :class:`LibraryError`, and
    :class:`support.files.OutputError` if it cannot be written.
    """
    if library == GENERIC:
        path = folder / f"{GENERIC}.lib"
        write_if_changed(path, generic_liberty())
        return read_library(path)
    if isinstance(library, str) and library in _INSTALLED:
        path = _INSTALLED[library]
        if not path.is_file():
            raise LibraryError(
                f"library {library} is not installed: apt install qflow-tech-{library}, "
                "or give a Liberty file"
            )
        return read_library(path)
    path = Path(library)
    if isinstance(library, str) and path.name == library and not (path.suffix or path.exists()):
        names = ", ".join(NAMED_LIBRARIES)
        raise LibraryError(
            f"library must be one of {names}, or a path of a Liberty file, not {library!r}"
        )
    return read_library(path)


def read_library(path: Path) -> Library:
    """The library in the Liberty file ``path``; raises :class:`LibraryError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LibraryError(f"cannot read {path}: {error.strerror}") from None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        # Comments in older files.
        text = data.decode("latin-1")
    try:
        top = parse_liberty(text)
        reader = CellReader(top)
    except NotUnderstoodError as error:
        raise LibraryError(f"{path} is not a Liberty file: {error}") from None

    cells: dict[str, Cell] = {}
    skipped = []
    for group in top.groups:
        if group.kind == "cell":
            try:
                cell = reader.cell(group)
            except NotUnderstoodError:
                skipped.append(", ".join(group.arguments))
            else:
                cells[cell.name] = cell

    if not any(cell.flip_flop for cell in cells.values()):
        raise LibraryError(f"{path} has no D flip-flop with a rising clock")
    if _smallest(cells, _INVERTER) is None:
        raise LibraryError(f"{path} has no inverter")
    nand2 = _smallest(cells, _NAND2)
    if nand2 is None:
        raise LibraryError(f"{path} has no two-input NAND")
    return Library(
        name=top.arguments[0] if top.arguments else path.stem,
        path=path,
        digest=hashlib.sha256(data).hexdigest()[:16],
        time_unit=reader.time,
        capacitance_unit=reader.capacitance,
        voltage=reader.voltage,
        cells=cells,
        skipped=tuple(skipped),
        nand2_area=nand2[0].area,
        full_adder=_adder(cells, _FULL_ADDER),
        half_adder=_adder(cells, _HALF_ADDER),
        um2_per_area=_um2_per_area(path.with_suffix(".lef"), cells),
    )


# Of cells that are looked for: the inputs' names, and the functions of the outputs.
_INVERTER = ("A", "!A")
_NAND2 = ("AB", "!(A B)")
_FULL_ADDER = ("ABC", "A^B^C", "A B | B C | A C")
_HALF_ADDER = ("AB", "A^B", "A B")


def _smallest(
    cells: Mapping[str, Cell], wanted: tuple[str, ...]
) -> tuple[Cell, tuple[str, ...]] | None:
    """The smallest cell with the functions ``wanted``, and its outputs in their order."""
    inputs, *functions = wanted
    tables = [truth_table(function, inputs) for function in functions]
    best = None
    for cell in cells.values():
        if len(cell.inputs) != len(inputs) or len(cell.outputs) != len(functions):
            continue
        outputs: list[str] = []
        for table in tables:
            for name in cell.outputs:
                function = cell.pins[name].function
                if function is not None and (truth_table(function, cell.inputs) == table).all():
                    outputs.append(name)
                    break
        if len(outputs) == len(functions) and (best is None or cell.area < best[0].area):
            best = cell, tuple(outputs)
    return best


def _adder(cells: Mapping[str, Cell], wanted: tuple[str, ...]) -> AdderCell | None:
    found = _smallest(cells, wanted)
    if found is None:
        return None
    cell, (sum_output, carry) = found
    return AdderCell(cell.name, cell.inputs, sum_output, carry)


_LEF = re.compile(r"^\s*(?:MACRO\s+(\S+)|SIZE\s+([\d.]+)\s+BY\s+([\d.]+))", re.MULTILINE)


def _um2_per_area(path: Path, cells: Mapping[str, Cell]) -> float | None:
    """The median, over all cells in the LEF file ``path``, of their true area over their area."""
    try:
        text = path.read_text(encoding="latin-1")
    except OSError:
        return None
    ratios = []
    name = ""
    for macro, width, height in _LEF.findall(text):
        if macro:
            name = macro
        elif name in cells:
            try:
                ratios.append(float(width) * float(height) / cells[name].area)
            except ValueError:
                return None
    return median(ratios) if ratios and median(ratios) > 0 else None
