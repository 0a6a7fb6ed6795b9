"""Results that are kept: a change of anything that they depend on makes them anew."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gen.documentation.results import COMMANDS
from gen.library.errors import LibraryError
from gen.proof import cache
from gen.synthesis.energy import Operands
from gen.synthesis.mapped import MAPPED_BY, Candidate
from gen.synthesis.measure import SIMULATED_BY, Workshop
from gen.synthesis.units import sparq_unit
from gen.tools import provenance
from gen.tools.provenance import ROOT, programs_digest
from sim_tb.repository.sources import PACKAGES, imports


def edited(folder: Path, file: str, monkeypatch: Any) -> None:
    """Let the programs be a copy of ours in which one file has one line more."""
    root = folder / file.replace("/", "_")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package)
    with (root / file).open("a") as stream:
        stream.write("\n# changed\n")
    monkeypatch.setattr(provenance, "ROOT", root)


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("golden/format.py", ["checked", "proofs"]),
        ("networks/quantization/arithmetic.py", []),
        ("golden/accelerator/program.py", ["proofs"]),
        ("gen/library/cells.py", ["mapped", "checked"]),
        ("gen/netlist/timing.py", ["mapped", "checked"]),
        ("gen/netlist/event_simulation.py", ["checked"]),
        ("gen/synthesis/units.py", ["checked"]),
        ("gen/proof/enumeration.cpp", ["proofs"]),
        ("sim_tb/conftest.py", []),
    ],
)
def test_a_changed_source(
    file: str, changed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop = Workshop("generic", tmp_path)

    def keys() -> dict[str, str]:
        by_kind = {"mapped": MAPPED_BY, "checked": SIMULATED_BY}
        found = {kind: str(workshop.cache_path(by, "", "")) for kind, by in by_kind.items()}
        return found | {"proofs": cache.programs()}

    before = keys()
    assert keys() == before
    edited(tmp_path, file, monkeypatch)
    assert [kind for kind, key in keys().items() if key != before[kind]] == changed


def test_a_changed_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = programs_digest(("golden",), ("numpy",))
    assert programs_digest(("golden",), ()) != before
    provenance._digest.cache_clear()
    monkeypatch.setattr(provenance, "version", lambda name: "0")
    assert programs_digest(("golden",), ("numpy",)) != before
    provenance._digest.cache_clear()


def test_a_room_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        programs_digest(("gen/nothing",), ())
    with pytest.raises(FileNotFoundError):
        programs_digest(("golden",), (), ("golden/nothing",))
    assert programs_digest(("golden",), (), ("golden/format.py",)) != programs_digest(
        ("golden",), ()
    )
    for room in (*MAPPED_BY, *SIMULATED_BY):
        assert programs_digest((room,), ())
    assert all(room.startswith(tuple(SIMULATED_BY)) for room in MAPPED_BY)


def test_all_that_maps_is_known() -> None:
    """What is mapped is kept by the programs that it is made with: all that these import.

    But for those that make the key, and the ground floor.
    """
    made_by, left = set(), ["gen/synthesis/mapped.py"]
    used: dict[str, list[str]] = {}
    for each in imports():
        used.setdefault(each.file, []).append(f"{each.module.replace('.', '/')}.py")
    while left:
        file = left.pop()
        if file not in made_by and (ROOT / file).is_file():
            made_by.add(file)
            left += used.get(file, ())
    others = {file for file in made_by if not file.startswith(MAPPED_BY)}
    assert others == {
        *("gen/tools/provenance.py", "support/errors.py", "support/files.py"),
    }


CATALOGUES = (
    *("hdl/__init__.py", "gen/design/configuration.py"),
    *("gen/verilog/generate.py", "gen/verilog/sidecar.py"),
)
"""Import every kind of design, whichever is measured."""

OUTSIDE = (
    *("support", "gen/commands", "gen/documentation", "gen/tools/provenance.py"),
    *("gen/design/unsigned_format.py", "networks/__init__.py"),
)
"""Shows and keeps what was measured, and checks what was asked for."""

BESIDE_VERILOG = ("gen/driver", "gen/registers")
"""What is written beside a design's Verilog, which synthesis does not read."""


@pytest.mark.parametrize("command", COMMANDS)
def test_kept_results_depend_on_all_that_makes_them(command: str) -> None:
    measured = COMMANDS[command]
    used: dict[str, list[str]] = {}
    for each in imports():
        path = each.module.replace(".", "/")
        used.setdefault(each.file, []).extend([f"{path}.py", f"{path}/__init__.py"])

    def within(file: str, rooms: Sequence[str]) -> bool:
        return any(file == room or file.startswith(f"{room}/") for room in rooms)

    made_by, left = set(), [f"gen/commands/{command}.py"]
    while left:
        file = left.pop()
        if file not in made_by and (ROOT / file).is_file():
            made_by.add(file)
            left += [
                other
                for other in used.get(file, ())
                if not (file in CATALOGUES and within(other, (*measured.without, *BESIDE_VERILOG)))
            ]
    listed = {file for file in made_by if within(file, measured.rooms)}
    assert not {file for file in listed if within(file, measured.without)}
    assert not {file for file in made_by - listed if not within(file, OUTSIDE)}


@pytest.mark.slow
def test_changed_operands(tmp_path: Path) -> None:
    """What was checked on other operands is not what is asked for."""
    x, w = np.zeros((4, 2), np.uint8), np.ones((4, 2), np.int8)
    operands = Operands("some", [(x, w)])
    assert Operands("some", [(x.copy(), w)]).digest == operands.digest
    others = [
        Operands("some", [(x, w + np.int8(1))]),
        Operands("some", [(x, w), (x, w)]),
        Operands("some", [(x.reshape(2, 4), w.reshape(2, 4))]),
        replace(operands, name="others"),
    ]
    digests = {operands.digest, *(other.digest for other in others)}
    assert len(digests) == 1 + len(others)

    workshop = Workshop("generic", tmp_path)
    unit = sparq_unit("pe", "5opt")
    text = "module unit(a); input a; part p(.a(a)); endmodule\n"
    candidate = Candidate("plain", 1, 1, "", 1, 1, "", {"unit": text})
    kept = '{"verified_vectors": 7, "proved_equal": true, "energy_per_mac": {}}'
    path = workshop.cache_path(
        SIMULATED_BY, "checked", *candidate.netlists.values(), repr(unit), operands.digest
    )
    path.parent.mkdir(parents=True)
    path.write_text(kept)
    assert workshop.check(unit, candidate, [operands]).verified_vectors == 7
    with pytest.raises(LibraryError, match=r"^Yosys cannot link"):
        workshop.check(unit, candidate, others[:1])
