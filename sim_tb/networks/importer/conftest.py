"""What tests of the importer share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from networks.graph.graph import Graph
from sim_tb.networks.onnx_models import Builder, compare


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., Graph]:
    def run(b: Builder, output: str) -> Graph:
        return compare(b.model(output), tmp_path)

    return run
