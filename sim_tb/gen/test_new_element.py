"""A processing element that is added as the documents say is taken by every command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner

from gen.cli import cli
from gen.design.configuration import Configuration
from gen.proof.element import ProductJob
from hdl import PROCESSING_ELEMENTS, MacUnit, ProcessingElement
from hdl.multiplier.exact import AndArray
from hdl.multiplier.multiplier import Multiplier

NAME = "1x3x8"


class Pe1x3x8(ProcessingElement):
    """One activation of three bits."""

    MULTIPLIERS: ClassVar[dict[str, Callable[[int], Multiplier]]] = {
        "and": lambda weight_bits: AndArray(weight_bits, 1, 3)
    }
    ACTIVATION_BITS: ClassVar[int] = 3


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(PROCESSING_ELEMENTS, NAME, Pe1x3x8)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, arguments, standalone_mode=False)


def test_verilog() -> None:
    assert run("verilog", "--pe", NAME, "--top", "pe").exception is None
    assert Path(f"build/verilog/pe_mac_{NAME}_w8_acc32.v").is_file()


def test_a_sparse_core_refuses_it() -> None:
    result = run("verilog", "--pe", NAME, "--top", "sparse_tensor_core")
    assert "has a bias that depends on the activations" in str(result.exception)
    assert "\n" not in str(result.exception)


def test_prove(tmp_path: Path) -> None:
    unit = MacUnit(NAME, weight_bits=4)
    assert Configuration(top="pe", pe=NAME, weight_bits=4).unit == unit
    verdict = ProductJob(unit).prove(ProductJob(unit).rtl(), 120, tmp_path / "trace.vcd")
    assert verdict.proved, verdict.reason
