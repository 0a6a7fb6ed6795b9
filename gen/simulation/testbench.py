"""Test benches in Verilog alone, for whoever has a simulator but no Python."""

from typing import Any

import numpy as np

from gen.design.configuration import MACHINES, Configuration, ConfigurationError
from gen.simulation.engine_bench import engine_bench
from gen.simulation.tile_bench import tile_bench
from gen.simulation.vector_bench import vector_bench
from gen.simulation.vectors import encoder_vectors, pe_vectors


def require_testbench(configuration: Configuration) -> None:
    """Raise ``ConfigurationError`` for a configuration that has no test bench: an accelerator."""
    if configuration.accelerator is not None:
        raise ConfigurationError(
            "testbench has no effect where top is accelerator: leave it out; sparq run takes "
            "networks through one"
        )


def make_testbench(configuration: Configuration, sidecar: dict[str, Any], seed: int) -> str:
    """Verilog-2005 of a module ``NAME_tb`` that checks the design of ``sidecar`` against golden.

    It prints a line that starts with ``PASS`` and ends with ``$finish``, or lines that say what was
    wrong, a line that starts with ``FAIL``, and ends with ``$stop``. The same ``seed``, the same
    bytes. Raises as :func:`require_testbench`.
    """
    require_testbench(configuration)
    generator = np.random.default_rng(seed)
    if configuration.engine is not None:
        text = engine_bench(configuration, sidecar, generator)
    elif configuration.top in MACHINES:
        text = tile_bench(configuration, sidecar, generator)
    elif configuration.top == "pe":
        text = vector_bench(sidecar, pe_vectors(configuration, sidecar, generator))
    else:
        text = vector_bench(sidecar, encoder_vectors(configuration.sparq_format, generator))
    name = sidecar["top"]
    header = (
        f"// Test bench of {name}, seed {seed}; expected values are those of the NumPy model.\n"
        f"//   $ iverilog -g2005 -o {name}_tb.vvp {name}_tb.v {name}.v && vvp -N {name}_tb.vvp\n"
        f"//   $ verilator --binary --top-module {name}_tb {name}_tb.v {name}.v && "
        f"obj_dir/V{name}_tb\n"
        "// Both print PASS or FAIL, and their exit status is not 0 after FAIL.\n\n"
    )
    return header + text
