"""From a configuration to plain Verilog, its simulation, and the command line."""

from gen.design.configuration import PRESETS, Configuration
from gen.verilog.generate import generate, write_verilog

__all__ = ["PRESETS", "Configuration", "generate", "write_verilog"]
