"""Proofs that were made before, by what they are about."""

import hashlib
import json
from pathlib import Path
from typing import Any

from gen.proof import solver
from gen.proof.job import Job, Rtl
from support.files import write_if_changed


def programs() -> str:
    """Identifies the programs that prove: their text, and the version of the solver."""
    folder = Path(__file__).parent
    files = [*sorted(folder.glob("*.[pc]*")), folder.parent / "tools" / "yosys.py"]
    texts = [path.read_text(encoding="utf-8") for path in files]
    return _digest(*texts, solver.version())


def key(job: Job, rtl: Rtl) -> str:
    """Identifies what is proved: the emitted Verilog and the property."""
    return _digest(
        job.name, job.statement, *(text for item in sorted(rtl.items()) for text in item)
    )


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


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
