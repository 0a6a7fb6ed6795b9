"""The page that leads from an ONNX model to Verilog does."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sim_tb.networks.onnx_models import Builder
from sim_tb.repository.sources import ROOT


def write_network(folder: Path) -> None:
    """A small network of signed layers, and its data, by the names that the page gives them."""
    b = Builder(3, 8, 8, seed=3)
    x = b.op("HardSwish", b.conv("x", 3, 8, 3, pad=1))
    x = b.op("HardSwish", b.conv(x, 8, 16, 1))
    x = b.relu(b.conv(x, 16, 16, 3, groups=16))
    x = b.flatten(b.conv(x, 16, 4, 1))
    (folder / "model.onnx").write_bytes(b.model(b.gemm(x, 4 * 36, 10)).SerializeToString())
    rng = np.random.default_rng(3)
    for name, count in (("images", 24), ("calibration", 8)):
        images = rng.normal(size=(count, 3, 8, 8)).astype(np.float32)
        np.savez(folder / f"{name}.npz", images=images, labels=rng.integers(0, 10, count))


@pytest.mark.full
def test_the_way_from_onnx_to_verilog(tmp_path: Path) -> None:
    """Every command of the page, and its program."""
    write_network(tmp_path)
    text = (ROOT / "docs/onnx.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    sparq (.*)$", text.replace("\\\n", ""), re.MULTILINE)
    assert [command.split()[0] for command in commands] == [
        *("evaluate", "evaluate", "demo", "verilog", "simulate")
    ]
    windowed = ["--first-layer", "windowed", "--last-layer", "windowed"]
    signed_bytes = commands[2].replace("s5opt", "s4opt").split()
    for words in (*map(shlex.split, commands), [*signed_bytes, *windowed]):
        command = [str(Path(sys.executable).with_name("sparq")), *words]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    assert (tmp_path / "build/engine/sparq_engine.h").is_file()
    [program] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert (result.returncode, result.stdout) == (0, "True\n"), result.stderr
    assert all((tmp_path / f"{name}.bin").stat().st_size for name in ("weights", "parameters"))
