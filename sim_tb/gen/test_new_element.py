"""A processing element that is added as the documents say is taken by every command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner

from gen.cli import cli
from gen.design.configuration import Configuration
from gen.proof.element import ProductJob
from gen.synthesis.mapping import RECIPES
from gen.synthesis.measure import Workshop
from gen.synthesis.selection import select
from gen.synthesis.tradeoff import elements, exact_designs, left_out
from gen.synthesis.units import exact_unit
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


@pytest.mark.full
@pytest.mark.parametrize("top", ["array", "tensor_core"])
def test_simulate(top: str) -> None:
    result = run(
        "simulate", "--pe", NAME, "--top", top, "--rows", "2", "--cols", "1", "--tiles", "3"
    )
    assert result.exception is None
    assert "6 sums of 3 tiles equal golden" in result.output


def test_area_and_tradeoff_list_it_or_say_why_not() -> None:
    assert [unit.element.kind for unit in select(8, 32, {"multiplier": ("and",)})].count(NAME) == 1
    assert NAME not in {unit.element.kind for unit in elements(["5opt"], [1], [8])}
    assert left_out() == [
        f"{NAME} is left out: it multiplies 3 bits of an activation, and accuracy is measured for "
        "8 and 4"
    ]


def test_tradeoff_lists_one_whose_accuracy_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pe1x3x8, "ACTIVATION_BITS", 4)
    assert left_out() == []
    assert NAME in exact_designs()
    assert NAME in {unit.element.kind for unit in elements(["5opt"], [1], [8])}


@pytest.mark.slow
def test_area(tmp_path: Path) -> None:
    """Measured, verified and proved equal to its Verilog; by one recipe, for speed."""
    unit = exact_unit("pe", NAME, "and")
    workshop = Workshop("generic", tmp_path, RECIPES[1:2])
    assert workshop.check(unit, workshop.best(unit, 1e6), []).proved_equal


@pytest.mark.slow
def test_prove(tmp_path: Path) -> None:
    unit = MacUnit(NAME, weight_bits=4)
    assert Configuration(top="pe", pe=NAME, weight_bits=4).unit == unit
    verdict = ProductJob(unit).prove(ProductJob(unit).rtl(), 120, tmp_path / "trace.vcd")
    assert verdict.proved, verdict.reason
