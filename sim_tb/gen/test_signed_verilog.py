"""What is emitted of components of signed formats is clean Verilog."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gen.verilog.emission import Emission
from golden import named_format
from hdl import (
    PairEncoder,
    SignedPairEncoder,
    StoredPairDecoder,
    StoredPairEncoder,
    SystolicArray,
    sparq_mac,
)
from hdl.multiplier.style import Style
from hdl.placement import Component
from sim_tb.gen.test_verilog import lint_with_slang, lint_with_verilator

ARRAYS = [
    (name, vsparq, group, style)
    for name, vsparq, group in (
        ("s5opt", True, 1),
        ("s4opt", True, 1),
        ("s5opt", False, 2),
        ("s4opt", False, 8),
        ("s3:0,4", True, 1),
    )
    for style in Style
]
ENCODERS = (SignedPairEncoder, PairEncoder, StoredPairEncoder, StoredPairDecoder)


def check(component: Component, folder: Path) -> None:
    (folder / "top.v").write_text(Emission("top").verilog(component))
    lint_with_verilator("top", "top.v", folder)
    lint_with_slang(folder / "top.v")


@pytest.mark.every(10)
@pytest.mark.parametrize(("name", "vsparq", "group", "style"), ARRAYS)
def test_arrays(name: str, vsparq: bool, group: int, style: Style, tmp_path: Path) -> None:
    check(SystolicArray(2, 2, sparq_mac(name, True, vsparq, group, style=style).mac), tmp_path)


@pytest.mark.every(8)
@pytest.mark.parametrize("name", ["s4opt", "s5opt", "s4:0,1,3", "s3:0,1,2,3,4"])
@pytest.mark.parametrize("kind", ENCODERS)
def test_encoders(kind: Callable[..., Component], name: str, tmp_path: Path) -> None:
    check(kind(named_format(name)), tmp_path)
