"""The repository's Python files, and what each of them imports."""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGES = ("support", "golden", "hdl", "networks", "gen", "sim_tb")


class Import(NamedTuple):
    """One imported module, by its dotted name, and where."""

    file: str
    line: int
    module: str


def python_files(root: Path = ROOT) -> list[Path]:
    """All Python files of the packages, relative to ``root``."""
    return sorted(
        path.relative_to(root) for package in PACKAGES for path in (root / package).rglob("*.py")
    )


@cache
def imports(root: Path = ROOT) -> Sequence[Import]:
    """All imports of all files, late ones too.

    ``from a import b`` imports ``a.b`` where that is a module of the repository, else ``a``.
    """
    return tuple(_imports(root))


def _imports(root: Path) -> Iterator[Import]:
    for path in python_files(root):
        tree = ast.parse((root / path).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
                source = str(node.module)
                inner = [f"{source}.{alias.name}" for alias in node.names]
                modules = [name if _is_module(root, name) else source for name in inner]
            else:
                continue
            for module in dict.fromkeys(modules):
                yield Import(str(path), node.lineno, module)


def _is_module(root: Path, name: str) -> bool:
    path = root.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()
