"""README and documents: short, with links that lead somewhere and targets that exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from golden import NAMED_FORMATS, named_format
from sim_tb.repository.sources import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_readme_is_short() -> None:
    assert len(DOCUMENTS[0].read_text(encoding="utf-8").splitlines()) <= 200


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).is_file(), f"{path.name} links to {target}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_named_files_and_folders_exist(path: Path) -> None:
    pattern = r"(?<![\w/])(?:support|golden|hdl|networks|gen|sim_tb)/[a-z0-9_/]+(?:\.[a-z]+)?"
    for name in re.findall(pattern, path.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), f"{path.name} names {name}, which does not exist"


def test_bits_of_pairs() -> None:
    """In the table of formats: in the array and stored, with vSPARQ and without."""
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    found = {name: texts for name, *texts in rows if name in NAMED_FORMATS}
    for name in NAMED_FORMATS:
        formats = [named_format(name, vsparq=vsparq) for vsparq in (True, False)]
        bits = [f"{fmt.pair_bits}, stored {fmt.stored_pair_bits}" for fmt in formats]
        assert found[name] == bits


def test_every_target_is_documented() -> None:
    readme = DOCUMENTS[0].read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):.*?## ", MAKEFILE, re.MULTILINE)
    named = set(re.findall(r"make ([a-z-]+)", readme))
    assert sorted(set(targets) - named) == ["setup"]
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for target in re.findall(r"(?:^    |`)make ([a-z-]+)", text, re.MULTILINE):
            assert target in targets, f"{path.name} names make {target}"


def test_every_target_is_phony() -> None:
    """And none of those that make takes is missing."""
    assert ".PHONY: $(TARGETS)\n" in MAKEFILE
    [phony] = re.findall(r"^TARGETS := ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert sorted(phony.replace("\\", "").split()) == sorted(
        re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
    )


@pytest.mark.slow
def test_the_examples_run() -> None:
    """What the page says that it prints; the rest of the output is an encoded pair; and Verilog."""
    text = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    program, emission = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [expected] = re.findall(r"^simulator\.run\(\)  # (.*)$", program, re.MULTILINE)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0] == expected
    assert "0b" in result.stdout.splitlines()[1]
    result = subprocess.run([sys.executable, "-c", emission], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    modules = re.findall(r"^module (\w+)\(", result.stdout, re.MULTILINE)
    assert modules[0] == "two_encoders"
    assert sum("pair_encoder" in module for module in modules) == 2
