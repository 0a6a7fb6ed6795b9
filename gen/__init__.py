"""From a configuration to plain Verilog, its simulation, and the command line."""

# Nothing is imported here: the command line, which is a part of this package, shall answer --help
# and Ctrl-C at once.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from gen.design.configuration import PRESETS, Configuration
    from gen.verilog.generate import generate, write_verilog

__all__ = ["PRESETS", "Configuration", "generate", "write_verilog"]

HOMES = {
    "gen.design.configuration": ("PRESETS", "Configuration"),
    "gen.verilog.generate": ("generate", "write_verilog"),
}
"""Where the names of this package are; they are imported when asked for, Amaranth with them."""


def __getattr__(name: str) -> object:
    from importlib import import_module

    for module, names in HOMES.items():
        if name in names:
            found: object = getattr(import_module(module), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
