"""Imports point one way: between packages, and between the rooms of each."""

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from sim_tb.repository.sources import PACKAGES, ROOT, imports, python_files

KNOWN = {
    "sim_tb": ("gen", "hdl", "networks", "golden", "support"),
    "gen": ("hdl", "networks", "golden", "support"),
    "networks": ("golden", "support"),
    # Definitions of formats and descriptors, never the arithmetic.
    "hdl": ("golden/format", "golden/named", "golden/descriptor"),
    "golden": (),
    "support": (),
}
"""What each package may import: packages, or rooms of them."""

LAYERS = {
    "sim_tb": (
        ("sim_tb", "sim_tb/conftest", "sim_tb/mutation", "sim_tb/search"),
        ("sim_tb/gen", "sim_tb/networks", "sim_tb/golden", "sim_tb/support"),
        ("sim_tb/repository",),
        ("sim_tb/rtl",),
        ("sim_tb/hdl",),
        ("sim_tb/oracle", "sim_tb/processes"),
    ),
    "gen": (
        ("gen", "gen/cli"),
        ("gen/commands",),
        ("gen/search", "gen/workloads"),
        (
            "gen/benchmark",
            "gen/documentation",
            "gen/synthesis",
            "gen/fpga",
            "gen/proof",
            "gen/simulation",
        ),
        ("gen/compiler", "gen/netlist", "gen/verilog"),
        ("gen/library", "gen/design", "gen/tools", "gen/driver", "gen/registers"),
    ),
    "networks": (
        ("networks",),
        ("networks/methods",),
        ("networks/evaluation", "networks/samples"),
        (
            "networks/importer",
            "networks/quantization",
            "networks/embedding",
            "networks/message_passing",
        ),
        ("networks/graph",),
        ("networks/elementary", "networks/kernel"),
        ("networks/fixed_point",),
    ),
    "hdl": (
        ("hdl",),
        ("hdl/accelerator",),
        ("hdl/engine", "hdl/memory"),
        ("hdl/array", "hdl/tensor", "hdl/catalogue", "hdl/bus", "hdl/stream"),
        ("hdl/tile",),
        ("hdl/edge", "hdl/grid"),
        ("hdl/broadcast",),
        ("hdl/element",),
        ("hdl/multiplier",),
        ("hdl/encode",),
        ("hdl/arithmetic",),
        ("hdl/placement",),
        ("hdl/elements", "hdl/identity"),
    ),
    "golden": (
        ("golden/accelerator", "golden/embedding"),
        ("golden",),
        ("golden/named",),
        ("golden/descriptor",),
        ("golden/format",),
        ("golden/stored_layout",),
    ),
    "support": (("support",),),
}
"""The rooms of each package, the highest layer first.

A room is a folder or a file, without those in it that are rooms of their own; a package's own room
is its front door. A room imports rooms of lower layers, and none beside it.
"""

UNDIVIDED = ("golden", "support")
"""Packages whose files outside of folders are one room, but for those that are listed."""

ROOMS = [room for layers in LAYERS.values() for layer in layers for room in layer]
HEIGHT = {
    room: -place
    for layers in LAYERS.values()
    for place, layer in enumerate(layers)
    for room in layer
}

Arrows = dict[tuple[str, str], list[str]]
"""From a room to another one: the places of its imports."""


def room_of(path: str) -> str:
    """The room of a file or module, given as a path without suffix."""
    return max((room for room in ROOMS if f"{path}/".startswith(f"{room}/")), key=len)


def arrows(root: Path) -> Arrows:
    """All imports from one room to another."""
    found: Arrows = {}
    for file, line, module in imports(root):
        if module.partition(".")[0] in PACKAGES:
            start = room_of(file.removesuffix(".py").removesuffix("/__init__"))
            end = room_of(module.replace(".", "/"))
            if start != end:
                found.setdefault((start, end), []).append(f"{file}:{line}")
    return found


def wrong(start: str, end: str) -> bool:
    """Whether an import from room ``start`` to room ``end`` climbs."""
    package, other = start.partition("/")[0], end.partition("/")[0]
    if package == other:
        return HEIGHT[start] <= HEIGHT[end]
    return not any(f"{end}/".startswith(f"{known}/") for known in KNOWN[package])


def picture(found: Arrows) -> str:
    """All rooms, layer by layer, with the arrows that leave them; those that climb are marked."""
    lines = []
    for package, layers in LAYERS.items():
        lines += ["", package]
        for layer in layers:
            for room in layer:
                ends = [
                    f"{end} (CLIMBS: {', '.join(places)})" if wrong(room, end) else end
                    for (start, end), places in sorted(found.items())
                    if start == room
                ]
                lines.append(f"  {room} -> {', '.join(ends) or 'nothing'}")
            lines.append(f"  {'-' * 20}")
    return "\n".join(lines)


def test_imports_point_down() -> None:
    found = arrows(ROOT)
    assert found
    if any(wrong(*arrow) for arrow in found):
        pytest.fail(picture(found))


def test_every_room_has_a_layer() -> None:
    """A new folder or file must be placed; a room that is gone must be taken out."""
    listed = {*ROOMS}
    for path in python_files():
        in_folder = len(path.parts) > 2
        inner = path.parts[:2] if in_folder else path.with_suffix("").parts
        if inner[-1] != "__init__" and (in_folder or path.parts[0] not in UNDIVIDED):
            assert "/".join(inner) in listed, f"{path} has no place in LAYERS"
    for room in ROOMS:
        assert (ROOT / room).is_dir() or (ROOT / f"{room}.py").is_file(), f"{room} is gone"


def test_no_circle_of_modules() -> None:
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for file, _, module in imports():
        if module.partition(".")[0] in PACKAGES:
            name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            sorter.add(name, module)
    try:
        sorter.prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other in a circle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize(
    ("file", "text", "climbs"),
    [
        ("golden/x.py", "from gen import Configuration", True),
        ("hdl/edge/x.py", "from golden import sparq", True),
        ("hdl/edge/x.py", "from golden.format import SparqFormat", False),
        ("hdl/edge/x.py", "from support.files import locked", True),
        ("hdl/arithmetic/x.py", "from hdl import PairEncoder", True),
        ("hdl/arithmetic/x.py", "from hdl import placement", False),
        ("hdl/edge/x.py", "def f():\n    import hdl.tile.tile_control", True),
        ("hdl/multiplier/x.py", "import networks.graph.graph", True),
        ("gen/library/x.py", "from gen.netlist.netlist import Netlist", True),
        ("gen/proof/x.py", "from gen.synthesis import units", True),
        ("networks/graph/x.py", "from networks import load_mnist", True),
        ("support/x.py", "from golden import sparq", True),
        ("gen/commands/x.py", "from sim_tb.oracle import reference", True),
        ("sim_tb/gen/x.py", "from sim_tb.rtl import runner", False),
    ],
)
def test_what_climbs_is_seen(tmp_path: Path, file: str, text: str, climbs: bool) -> None:
    for room in ROOMS:
        folder = tmp_path / (room if (ROOT / room).is_dir() else str(Path(room).parent))
        folder.mkdir(parents=True, exist_ok=True)
        if not (ROOT / room).is_dir():
            (tmp_path / f"{room}.py").touch()
    (tmp_path / file).write_text(text)
    found = arrows(tmp_path)
    assert len(found) == 1
    assert any(wrong(*arrow) for arrow in found) == climbs
    assert ("CLIMBS" in picture(found)) == climbs
