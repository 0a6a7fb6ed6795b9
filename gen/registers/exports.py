"""Files about registers, written by the PeakRDL tools from a table's SystemRDL."""

from pathlib import Path
from tempfile import TemporaryDirectory

from peakrdl_cheader.c_standards import CStandard
from peakrdl_cheader.exporter import CHeaderExporter
from peakrdl_html import HTMLExporter
from systemrdl.compiler import RDLCompiler
from systemrdl.node import AddrmapNode

from gen.registers.systemrdl import systemrdl
from hdl.bus.register_map import RegisterMap
from support.files import write_folder


def compiled(path: Path) -> AddrmapNode:
    """The address map that a SystemRDL file describes."""
    compiler = RDLCompiler()
    compiler.compile_file(str(path))
    return compiler.elaborate().top


def register_files(registers: RegisterMap, name: str) -> dict[str, str]:
    """The names and texts of the files about ``registers``; the same bytes every time.

    ``NAME_registers.rdl`` is SystemRDL, ``NAME_registers.h`` a C header whose types and constants
    begin with the name of the table.
    """
    rdl, header = f"{name}_registers.rdl", f"{name}_registers.h"
    text = systemrdl(registers)
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / rdl, Path(folder) / header
        source.write_text(text, encoding="utf-8")
        CHeaderExporter().export(compiled(source), str(target), std=CStandard.gnu99)
        return {rdl: text, header: target.read_text(encoding="utf-8")}


def write_register_page(registers: RegisterMap, folder: Path, name: str) -> Path:
    """Write ``NAME_registers/index.html``, in whose folder all is that the page needs, 8 MB.

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

    return write_folder(folder / f"{name}_registers", write) / "index.html"
