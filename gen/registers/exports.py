"""Files about registers, written by the PeakRDL tools from a table's SystemRDL."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from peakrdl_cheader.c_standards import CStandard
from peakrdl_cheader.exporter import CHeaderExporter
from peakrdl_html import HTMLExporter
from systemrdl.compiler import RDLCompiler
from systemrdl.node import AddrmapNode

from gen.registers.systemrdl import systemrdl
from hdl.bus.register_map import Access, Field, RegisterMap
from support.files import write_folder


def compiled(path: Path) -> AddrmapNode:
    """The address map that a SystemRDL file describes."""
    compiler = RDLCompiler()
    compiler.compile_file(str(path))
    return compiler.elaborate().top


def register_files(registers: RegisterMap, name: str) -> dict[str, str]:
    """The names and texts of the files about ``registers``; the same bytes every time.

    ``NAME_registers.rdl`` is SystemRDL. ``NAME_registers.h`` is a C header: types and constants
    that begin with the name of the table, and are equal in all tables of that name that differ in
    the values of constant fields alone; behind them these values, each as
    ``NAME__REGISTER__FIELD_reset``, so that one file can include the headers of several.
    """
    return {
        f"{name}_registers.rdl": systemrdl(registers),
        f"{name}_registers.h": f"{_common_header(registers)}\n{_constant_values(registers, name)}",
    }


def _common_header(registers: RegisterMap) -> str:
    """The C header without the values of constants; its guard has the name of the table."""
    own = [
        replace(register, fields=tuple(_without_value(field) for field in register.fields))
        for register in registers.registers
    ]
    with TemporaryDirectory() as folder:
        source = Path(folder) / "registers.rdl"
        target = Path(folder) / f"{registers.name}_registers.h"
        source.write_text(systemrdl(replace(registers, registers=tuple(own))), encoding="utf-8")
        CHeaderExporter().export(compiled(source), str(target), std=CStandard.gnu99)
        return target.read_text(encoding="utf-8")


def _without_value(field: Field) -> Field:
    """A constant as a field whose value is not known; any other field as it is."""
    return replace(field, access=Access.READ, value=0) if field.access is Access.CONSTANT else field


def _constant_values(registers: RegisterMap, name: str) -> str:
    """What the constant fields read as, in C."""
    lines = [f"// What is constant in {name}"]
    for register in registers.registers:
        for field in register.fields:
            if field.access is Access.CONSTANT:
                macro = f"{name}__{register.name}__{field.name}".upper()
                lines.append(f"#define {macro}_reset {field.value:#x}")
    return "\n".join([*lines, ""])


def write_register_page(registers: RegisterMap, folder: Path) -> Path:
    """Write ``index.html`` and all that the page needs, 8 MB, into ``folder``.

    The folder is replaced as a whole, and is the same every time. Returns the page's path; raises
    :class:`support.files.OutputError`.
    """

    def write(page: Path) -> None:
        with TemporaryDirectory() as temporary:
            source = Path(temporary) / "registers.rdl"
            source.write_text(systemrdl(registers), encoding="utf-8")
            # Links to the source would name folders, and the time would be that of now.
            exporter = HTMLExporter(generate_source_links=False, user_context={"build_ts": 0})
            exporter.export(compiled(source), str(page), title=registers.description)

    return write_folder(folder, write) / "index.html"
