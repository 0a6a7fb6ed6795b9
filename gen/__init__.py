"""From a configuration to plain Verilog, its simulation, and the command line."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gen.design.configuration import PRESETS, Configuration
    from gen.verilog.generate import generate, write_verilog

__all__ = ["PRESETS", "Configuration", "generate", "write_verilog"]

HOMES = {
    "gen.design.configuration": ("PRESETS", "Configuration"),
    "gen.verilog.generate": ("generate", "write_verilog"),
}
"""Where the names of this package are; they are imported when asked for, Amaranth with them.

The command line is a part of this package, and shall answer ``--help`` at once.
"""


def __getattr__(name: str) -> Any:
    for module, names in HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
