"""The licences of this project and of what it depends on."""

import hashlib
import re
from importlib.metadata import Distribution, distribution

import pytest

from sim_tb.repository.sources import ROOT
from sim_tb.repository.test_dependencies import PROJECT, declared

PERMISSIVE = (
    *("MIT", "MIT-CMU", "MIT License", "0BSD", "ISC", "Zlib", "CC0-1.0", "PSF-2.0", "Apache-2.0"),
    "Apache-2.0 WITH LLVM-exception",
    *("BSD-2-Clause", "BSD-3-Clause", "BSD-2-clause", "BSD 3-Clause", "BSD License"),
    *("Apache Software License", "Python Software Foundation License"),
)
"""What a direct dependency may be licensed under: SPDX names, and what older metadata says."""


APACHE_2_0 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""SHA-256 of https://www.apache.org/licenses/LICENSE-2.0.txt."""


def licences(found: Distribution) -> list[str]:
    """The licences that the metadata of a distribution names, the newest field first."""
    metadata = found.metadata
    if expression := metadata.get("License-Expression"):
        return [name for name in re.split(r"\s+AND\s+|[()]", expression) if name]
    classifiers = metadata.get_all("Classifier") or []
    named = [text.rpartition(" :: ")[2] for text in classifiers if text.startswith("License ::")]
    return named or [metadata.get("License") or "no licence at all"]


@pytest.mark.parametrize("name", declared())
def test_licence_is_permissive(name: str) -> None:
    for licence in licences(distribution(name)):
        assert licence in PERMISSIVE, f"{name} is licensed under {licence}"


def test_own_licence() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]
    text = (ROOT / "LICENSE").read_bytes()
    assert hashlib.sha256(text).hexdigest() == APACHE_2_0, "LICENSE is not the standard text"
