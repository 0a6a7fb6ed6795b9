"""Proofs that were made before, by what they are about."""

import json
from pathlib import Path
from typing import Any

from gen.proof import solver
from gen.proof.job import Job, Rtl
from gen.tools.provenance import programs_digest
from support.cpp import compiler_version
from support.digest import digest
from support.files import write_if_changed

ROOMS = (
    *("golden", "hdl", "support"),
    *("gen/design", "gen/proof", "gen/tools", "gen/verilog"),
)
"""All that makes a property, or the text that is proved."""


def programs(compiled: bool = False) -> str:
    """Identifies the programs that prove: their text, and the versions of their tools.

    The C++ compiler is one of them for proofs that are ``compiled``.
    """
    compiler = compiler_version() if compiled else ""
    return digest(programs_digest(ROOMS, ("amaranth", "numpy")), solver.version(), compiler)


def key(job: Job, rtl: Rtl) -> str:
    """Identifies what is proved: the emitted Verilog and the property."""
    return digest(job.name, job.statement, *(text for item in sorted(rtl.items()) for text in item))


def read(path: Path) -> dict[str, Any]:
    """What is in a file of the cache: nothing, if it is not there or not readable."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(path: Path, entry: dict[str, Any]) -> None:
    """Keep ``entry``."""
    write_if_changed(path, json.dumps(entry, indent=2) + "\n")
