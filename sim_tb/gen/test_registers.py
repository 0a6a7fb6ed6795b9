"""Files about registers say what their table says, and are the same every time."""

import os
import re
import subprocess
import time
from pathlib import Path
from unittest.mock import patch

import pytest
from pyslang.driver import Driver
from systemrdl.node import AddrmapNode, FieldNode, Node
from systemrdl.rdltypes import AccessType, OnWriteType, PrecedenceType

from gen.driver import DRIVER
from gen.registers.exports import compiled, register_files, write_register_page
from gen.registers.systemrdl import systemrdl
from gen.tools.verilator import environment
from gen.verilog.emission import Emission
from hdl.bus.register_file import RegisterFile
from hdl.bus.register_map import Access, Field, Register, RegisterMap
from hdl.engine.engine_registers import engine_registers
from sim_tb.hdl.register_maps import ENGINE, TABLES, every_access
from support.cpp import cpp_compiler
from support.files import write_files

tables = pytest.mark.parametrize("table", [make() for make in TABLES.values()], ids=[*TABLES])


def access_of(field: FieldNode) -> Access:
    """The kind of a field, from its properties alone."""
    software, hardware = field.get_property("sw"), field.get_property("hw")
    if field.get_property("singlepulse"):
        return Access.PULSE
    if field.get_property("onwrite") is OnWriteType.woclr:
        assert field.get_property("precedence") is PrecedenceType.hw
        return Access.WRITE_ONE_TO_CLEAR
    if software is AccessType.rw:
        return Access.READ_WRITE
    assert software is AccessType.r
    return Access.CONSTANT if hardware is AccessType.na else Access.READ


def description(node: Node) -> str:
    return str(node.get_property("desc"))


def reset_of(field: FieldNode) -> int:
    """The value of a field after reset; 0 where hardware gives it."""
    value = field.get_property("reset")
    assert value is None or isinstance(value, int)
    return value or 0


def table_of(node: AddrmapNode) -> RegisterMap:
    """The table that an address map stands for, but for the strobes of its registers."""
    registers = []
    for register in node.registers():
        assert register.get_property("regwidth") == register.get_property("accesswidth") == 32
        fields = [
            Field(
                field.inst_name,
                field.low,
                field.width,
                access_of(field),
                description(field),
                reset_of(field),
            )
            for field in register.fields()
        ]
        registers.append(
            Register(
                register.inst_name, register.address_offset, description(register), tuple(fields)
            )
        )
    return RegisterMap(node.inst_name, description(node), tuple(registers))


def without_strobes(table: RegisterMap) -> RegisterMap:
    """With fields in the order of their bits."""
    registers = [
        Register(
            own.name,
            own.offset,
            own.description,
            tuple(sorted(own.fields, key=lambda field: field.low_bit)),
        )
        for own in table.registers
    ]
    return RegisterMap(table.name, table.description, tuple(registers))


@tables
def test_systemrdl_reads_back(table: RegisterMap, tmp_path: Path) -> None:
    path = tmp_path / "table.rdl"
    path.write_text(systemrdl(table))
    assert table_of(compiled(path)) == without_strobes(table)


def test_systemrdl_takes_every_name_and_text(tmp_path: Path) -> None:
    """Words of the language as names; quotes and backslashes in descriptions."""
    field = Field("field", 0, 1, Access.READ_WRITE, 'A "field" of \\ no use.')
    table = RegisterMap("addrmap", "A table.", (Register("reg", 0, "A register.", (field,)),))
    path = tmp_path / "table.rdl"
    path.write_text(systemrdl(table))
    assert table_of(compiled(path)) == table


@pytest.mark.slow
@tables
def test_c_header(table: RegisterMap, tmp_path: Path) -> None:
    """A C and a C++ compiler find every offset, mask and reset value that the table has."""
    _, header = write_files(tmp_path, register_files(table, "own"))
    assert header.name == "own_registers.h"
    top = table.name.upper()
    checks = []
    for register in table.registers:
        checks.append(f"offsetof({table.name}_t, {register.name}) == {register.offset}")
        for field in register.fields:
            name = f"{top}__{register.name.upper()}__{field.name.upper()}"
            checks += [f"{name}_bm == {field.mask:#x}", f"{name}_bp == {field.low_bit}"]
            checks.append(f"{name}_bw == {field.bits}")
            if field.access is Access.CONSTANT:
                own = f"OWN__{register.name}__{field.name}".upper()
                checks.append(f"{own}_reset == {field.value:#x}")
            elif field.access is not Access.READ:
                checks.append(f"{name}_reset == {field.value:#x}")
    lines = [f"  if (!({check})) return {place};" for place, check in enumerate(checks, 1)]
    text = f'#include <stddef.h>\n#include "{header.name}"\nint main(void) {{\n'
    source = tmp_path / "check.c"
    source.write_text("\n".join([text, *lines, "  return 0;", "}", ""]))
    for language in (["c", "-std=c99"], ["c++", "-std=c++11"]):
        program = tmp_path / language[0].replace("+", "p")
        command = [*cpp_compiler(), "-x", *language, "-Wall", "-Wextra", "-Werror", "-O0"]
        subprocess.run([*command, source, "-o", program], check=True)
        result = subprocess.run([program]).returncode
        assert result == 0, checks[result - 1]
    defined = re.findall(r"^#define \w+_bm ", header.read_text(), re.MULTILINE)
    assert len(defined) == sum(len(register.fields) for register in table.registers)


@pytest.mark.parametrize("language", ["c", "c++"])
def test_c_headers_of_several_engines_go_together(language: str, tmp_path: Path) -> None:
    """In any order, also twice, beside the driver; each with constants of its own."""
    hashes = {"first": "0123456789abcdef", "second": "fedcba9876543210"}
    for number, (name, own) in enumerate(hashes.items()):
        table = engine_registers(**{**ENGINE, "rows": 3 + number, "configuration_hash": own})
        write_files(tmp_path, register_files(table, name))
    lines = [f'#include "{name}_registers.h"' for name in ("first", "second", "first")]
    lines += [f'#include "{DRIVER}"', "int main(void) {"]
    for place, (name, own) in enumerate(hashes.items()):
        macro = f"{name.upper()}__"
        lines.append(f"  if ({macro}SIZE__ROWS_reset != {3 + place}) return 1;")
        lines.append(f"  if ({macro}HASH_HIGH__VALUE_reset != 0x{own[:8]}) return 2;")
        lines.append(f"  if ({macro}HASH_LOW__VALUE_reset != 0x{own[8:]}) return 3;")
    lines += ["  return SPARQ_ENGINE__SIZE__ROWS_bp + (sizeof(sparq_engine_t) < 4);", "}", ""]
    (tmp_path / "both").write_text("\n".join(lines))
    command = [*cpp_compiler(), "-x", language, "-Wall", "-Wextra", "-Werror", "both", "-o", "run"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "run"]).returncode == 0


@tables
def test_systemrdl_file(table: RegisterMap) -> None:
    assert register_files(table, "own")["own_registers.rdl"] == systemrdl(table)


@pytest.mark.slow
@tables
def test_page(table: RegisterMap, tmp_path: Path) -> None:
    page = write_register_page(table, tmp_path / "own_registers")
    assert page == tmp_path / "own_registers" / "index.html"
    assert table.description in page.read_text()
    contents = [path.read_text() for path in (page.parent / "content").glob("*.html")]
    for own in table.registers:
        assert any(own.name in text for text in contents)


@pytest.mark.slow
def test_the_same_bytes_whenever_and_wherever(tmp_path: Path) -> None:
    written = []
    for name, now in (("here", 1e9), ("elsewhere", 2e9)):
        folder = tmp_path / name
        folder.mkdir()
        with patch.object(time, "time", return_value=now):
            write_files(folder, register_files(every_access(), "own"))
            write_register_page(every_access(), folder / "own_registers")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        written.append({path.relative_to(folder): path.read_bytes() for path in files})
    assert written[0] == written[1]
    assert len(written[0]) > 20
    # Nothing of this folder, and nothing that was there before.
    assert not any(str(tmp_path).encode() in text for text in written[0].values())


@tables
def test_emitted_verilog_is_clean(table: RegisterMap, tmp_path: Path) -> None:
    """Verilator without an option and a strict front end find nothing in a register file."""
    path = tmp_path / "registers.v"
    path.write_text(Emission("registers").verilog(RegisterFile(table)))
    variables = {**os.environ, **environment(tmp_path / "tools")}
    command = ["verilator", "--lint-only", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, env=variables)
    assert result.returncode == 0
    assert "%" not in result.stdout + result.stderr
    reader = Driver()
    reader.addStandardArgs()
    assert reader.parseCommandLine(f"slang --std 1364-2005 -Weverything {path}")
    assert reader.processOptions()
    assert reader.parseAllSources()
    problems = reader.createCompilation().getAllDiagnostics()
    assert [str(problem.code) for problem in problems] == []


def test_every_port_says_what_it_is(tmp_path: Path) -> None:
    """Also those that the table names: nothing in its docstring could."""
    component = RegisterFile(every_access(), prefix="s_axi")
    text = Emission("registers").verilog(component)
    for name in component.signature.members:
        assert re.search(rf"^//   {name}: [A-Z]", text, re.MULTILINE), name
    assert "s_axi_awaddr: Address of a write" in text
    assert "mixed_code: The field code." in text
    assert "set_mixed_code: What mixed_code takes where it is 0 or being cleared." in text
    assert "written_word: One cycle of 1 for each write to WORD." in text
