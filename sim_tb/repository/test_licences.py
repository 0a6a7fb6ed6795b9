"""The licences of this project and of what it depends on."""

import hashlib
import re
from importlib.metadata import Distribution, distribution, packages_distributions

import pytest

from sim_tb.repository.sources import ROOT, imports
from sim_tb.repository.test_dependencies import PROJECT, declared, normal

PERMISSIVE = (
    *("MIT", "MIT-CMU", "MIT License", "0BSD", "ISC", "Zlib", "CC0-1.0", "PSF-2.0", "Apache-2.0"),
    "Apache-2.0 WITH LLVM-exception",
    *("BSD-2-Clause", "BSD-3-Clause", "BSD-2-clause", "BSD 3-Clause", "BSD License"),
    *("Apache Software License", "Python Software Foundation License"),
)
"""What a direct dependency may be licensed under: SPDX names, and what older metadata says."""

TOOLS = {
    "peakrdl-cheader": "GNU Lesser General Public License v3 (LGPLv3)",
    "peakrdl-html": "GNU Lesser General Public License v3 (LGPLv3)",
}
"""Exceptions: they are run to write files about registers, and are not distributed with this
project. Nothing of them is in the Verilog or the C header; the page of peakrdl-html comes with its
own scripts and fonts, under their licences."""

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
        allowed = (TOOLS[name],) if name in TOOLS else PERMISSIVE
        assert licence in allowed, f"{name} is licensed under {licence}"


def test_tools_are_run_in_one_room() -> None:
    """What is not permissive stays where files about registers are written."""
    distributions = packages_distributions()
    used = {
        (normal(name), file.rpartition("/")[0])
        for file, _, module in imports()
        for name in distributions.get(module.partition(".")[0], [])
        if normal(name) in TOOLS
    }
    assert used == {(name, "gen/registers") for name in TOOLS}


def test_own_licence() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]
    text = (ROOT / "LICENSE").read_bytes()
    assert hashlib.sha256(text).hexdigest() == APACHE_2_0, "LICENSE is not the standard text"
