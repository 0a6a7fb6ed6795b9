"""Counterexamples as waveforms."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from vcd import VCDWriter


def write_waveform(path: Path, signals: Mapping[str, tuple[int, Sequence[int]]]) -> None:
    """Write a VCD file of ``signals``: by name the width in bits, and the value in each cycle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as stream, VCDWriter(stream, timescale="1 ns") as writer:
        variables = {
            name: writer.register_var("counterexample", name, "wire", size=width)
            for name, (width, _) in signals.items()
        }
        cycles = max(len(values) for _, values in signals.values())
        for cycle in range(cycles):
            for name, (width, values) in signals.items():
                if cycle < len(values):
                    value = values[cycle] & ((1 << width) - 1)
                    writer.change(variables[name], 10 * cycle, value)
        writer.close(10 * cycles)
