"""Verilog for simulations is emitted once by the same programs."""

from pathlib import Path

import pytest

from gen.design.configuration import Configuration
from gen.simulation import emitted_verilog as module
from gen.simulation.emitted_verilog import emitted_verilog
from gen.verilog.generate import generate

ENCODER = Configuration(top="encoder", format="2opt")


def test_what_was_emitted_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    expected = generate(ENCODER).verilog
    for _ in range(3):
        assert emitted_verilog(ENCODER, tmp_path, steps.append) == expected
    assert steps == ["emitting Verilog"]
    # By other programs, and of another configuration, it is emitted again.
    monkeypatch.setattr(module, "programs_digest", lambda rooms, distributions: "others")
    assert emitted_verilog(ENCODER, tmp_path, steps.append) == expected
    other = Configuration(top="encoder", format="3opt")
    assert emitted_verilog(other, tmp_path, steps.append) == generate(other).verilog != expected
    assert len(steps) == 3


def test_what_was_interrupted_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path, text: str) -> bool:
        raise KeyboardInterrupt

    steps: list[str] = []
    emitted_verilog(ENCODER, tmp_path)
    monkeypatch.setattr(module, "programs_digest", lambda rooms, distributions: "others")
    with monkeypatch.context() as context:
        context.setattr(module, "write_if_changed", fails)
        with pytest.raises(KeyboardInterrupt):
            emitted_verilog(ENCODER, tmp_path)
    emitted_verilog(ENCODER, tmp_path, steps.append)
    assert steps == ["emitting Verilog"]
