"""The emitted requantizer lane in a simulator: all kinds of cases, with stalls."""

from collections.abc import Callable
from typing import Any

import pytest

from hdl.engine.requantizer_lane import RequantizerLane
from sim_tb.oracle.requantization import KINDS
from sim_tb.rtl.runner import emitted, run_bench

SEED = 17


def parameters() -> dict[str, Any]:
    """What the bench has to know."""
    return {"latency": RequantizerLane.latency, "kinds": list(KINDS)}


@pytest.mark.full
def test_requantizer_lane(checks: Callable[[int], None]) -> None:
    checks(
        run_bench(
            [emitted("requantizer_lane", RequantizerLane())],
            "requantizer",
            seed=SEED,
            name="requantizer",
            parameters=parameters(),
        )
    )
