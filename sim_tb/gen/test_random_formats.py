"""Formats that nobody named, through the tools: proved, simulated as emitted, mapped."""

from pathlib import Path

import pytest
from rich.progress import Progress

from gen.design.configuration import Configuration
from gen.proof.element import ProductJob
from gen.proof.encoder import EncoderJob
from gen.simulation.simulate import run_simulation
from gen.synthesis.mapping import RECIPES
from gen.synthesis.measure import Workshop
from gen.synthesis.units import Unit
from golden import NamedFormat
from hdl import MacUnit
from sim_tb.oracle.random_formats import SEED, random_formats

TIMEOUT = 300
TILES = 20


def name(fmt: NamedFormat) -> str:
    return f"{fmt.slug}-SEED={SEED}"


MIXED = (*random_formats(3), *random_formats(2, signed=True))
ENCODERS = (*random_formats(4, (1, 2, 4)), *random_formats(3, (1, 2), signed=True))


@pytest.mark.parametrize("fmt", ENCODERS, ids=name)
def test_its_encoder_is_proved(fmt: NamedFormat, tmp_path: Path) -> None:
    job = EncoderJob(fmt)
    verdict = job.prove(job.rtl(), TIMEOUT, tmp_path / "trace.vcd")
    assert verdict.proved, verdict.reason


@pytest.mark.slow
@pytest.mark.parametrize("fmt", random_formats(2, (1, 2)), ids=name)
def test_its_products_are_proved(fmt: NamedFormat, tmp_path: Path) -> None:
    job = ProductJob(MacUnit("sparq", format=fmt, weight_bits=4))
    verdict = job.prove(job.rtl(), TIMEOUT, tmp_path / "trace.vcd")
    assert verdict.proved, verdict.reason


@pytest.mark.slow
@pytest.mark.every(12)
@pytest.mark.parametrize("fmt", MIXED, ids=name)
def test_its_array_computes_what_golden_does(fmt: NamedFormat) -> None:
    """The emitted Verilog, compiled."""
    options = {"rounding": fmt.rounding, "vsparq": fmt.vsparq, "group": fmt.group}
    configuration = Configuration(format=fmt.name, rows=2, cols=2, weight_bits=5, **options)
    result = run_simulation(configuration, TILES, 1, Progress(disable=True))
    assert result["sums_compared"] == TILES * 2 * 2


@pytest.mark.slow
@pytest.mark.every(4)
@pytest.mark.parametrize("fmt", random_formats(2), ids=name)
def test_its_element_is_mapped(fmt: NamedFormat, tmp_path: Path) -> None:
    """By two recipes, for speed: simulated against golden, and proved equal to its Verilog."""
    workshop = Workshop("generic", tmp_path, RECIPES[:2])
    unit = Unit("pe", MacUnit("sparq", format=fmt, weight_bits=4))
    assert workshop.check(unit, workshop.best(unit, 1e6), []).proved_equal
