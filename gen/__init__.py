"""From a configuration to plain Verilog, its simulation, and the command line."""

from gen.configuration import PRESETS, Configuration
from gen.verilog import generate, write_verilog

__all__ = ["PRESETS", "Configuration", "generate", "write_verilog"]
