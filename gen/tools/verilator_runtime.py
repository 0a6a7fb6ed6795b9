"""Verilator's own objects, which are the same in every simulation that is built alike."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from support.files import locked


class Runtime:
    """The objects of Verilator's library, kept in ``folder``: only the first build compiles them.

    All builds that share a folder have the same compiler, options and versions.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._lock = folder.parent / f"{folder.name}.lock"

    def lend(self, build: Path) -> Sequence[str]:
        """Copy what is kept into ``build``; values of Makefile variables that have it linked.

        The Makefile would compile the library's objects again, since it is newer itself. So it is
        told of none, and they are given to the linker by name.
        """
        with locked(self._lock):
            kept = sorted(self._folder.glob("*.o"))
            for path in kept:
                shutil.copy2(path, build / path.name)
        library = " ".join(path.name for path in kept)
        return ["VM_GLOBAL_FAST=", "VM_GLOBAL_SLOW=", f"LOADLIBES={library}"] if library else []

    def keep(self, build: Path) -> None:
        """Keep what ``build`` compiled, unless there is something already."""
        with locked(self._lock):
            if not self._folder.exists():
                # Whole or not at all, should this be interrupted.
                partial = self._folder.with_name(f"{self._folder.name}.partial")
                shutil.rmtree(partial, ignore_errors=True)
                partial.mkdir()
                for path in build.glob("verilated*.o"):
                    shutil.copy2(path, partial / path.name)
                partial.rename(self._folder)
