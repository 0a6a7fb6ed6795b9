"""Yosys, in a process of its own."""

import subprocess
import sys
from collections.abc import Sequence

# Yosys and Python would both tear the design down at a regular exit.
_PROGRAM = """
import os, sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.stdin.read().splitlines():
    libyosys.run_pass(command, design)
libyosys.log_flush()
sys.stdout.flush()
os._exit(0)
"""


class YosysError(RuntimeError):
    """Yosys failed: its message."""


def run_yosys(commands: Sequence[str], seconds: float | None = None) -> str:
    """Run commands on a design that is empty at first; what Yosys logs.

    Raises ``YosysError``, and ``TimeoutError`` if it takes longer than ``seconds``.

    In a fresh process, because Yosys orders modules and cells by the numbers of names it has met,
    so that a second design would come out otherwise than the same design alone; and because it ends
    its process where it fails.
    """
    # -P: nothing is imported from the folder that happens to be the current one.
    program = [sys.executable, "-P", "-c", _PROGRAM]
    try:
        result = subprocess.run(
            program, input="\n".join(commands), capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    if result.returncode:
        _, found, message = result.stderr.rpartition("ERROR: ")
        raise YosysError(message.strip() if found else f"it ended with status {result.returncode}")
    return result.stdout
