"""Damaged ONNX files: one line, or a result."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from networks.evaluation.model import load_model
from networks.importer import ModelError
from networks.quantization.arithmetic import exact
from networks.quantization.calibration import calibrate
from networks.quantization.quantize import quantize
from sim_tb.networks.families import SEED
from sim_tb.networks.onnx_models import FAMILIES


@pytest.mark.every(1)
@pytest.mark.parametrize(
    "name", ["resnet", "densenet", "mobilenet", "mlp", "mobilenet_v3", "keras", "transformer"]
)
def test_damaged_models(name: str, tmp_path: Path) -> None:
    """300 variants of each: one line, or a result; never another exception."""
    content = FAMILIES[name]().SerializeToString()
    # Damage to weights is dull: half of the damage goes where the structure is.
    weights = sum(
        len(tensor.raw_data) for tensor in onnx.load_from_string(content).graph.initializer
    )
    assert 0 < weights < len(content)
    rng = np.random.default_rng(SEED)
    path = tmp_path / "damaged.onnx"
    messages, ran = [], 0
    for variant in range(300):
        damaged = bytearray(content)
        kind = variant % 4
        for _ in range(int(rng.integers(1, 4))):
            head = variant % 2 and len(damaged) > 4000
            where = int(rng.integers(0, 4000 if head else len(damaged)))
            if kind == 0:
                damaged[where] = int(rng.integers(0, 256))
            elif kind == 1:
                del damaged[where : where + int(rng.integers(1, 9))]
            elif kind == 2:
                damaged[where:where] = rng.bytes(int(rng.integers(1, 9)))
            else:
                damaged[where] ^= 1 << int(rng.integers(0, 8))
        if variant % 25 == 0:
            del damaged[int(rng.integers(0, len(damaged))) :]
        path.write_bytes(bytes(damaged))
        try:
            model = load_model(path)
            batch = np.zeros((2, *model.graph.input_shape))
            ranges = calibrate(model.graph, [batch + 0.5])
            network = quantize(model.graph, ranges)
            network.forward(network.quantize_images(batch), exact)
            ran += 1
        except ModelError as error:
            messages.append(str(error))
    assert all(text.startswith("damaged.onnx") and "\n" not in text for text in messages)
    assert len(messages) > 20
    assert ran > 20
