"""The requantizer lane against golden, in Amaranth's own simulator."""

from typing import Any

import numpy as np
import pytest

from hdl.engine.requantizer_lane import RequantizerLane
from sim_tb.hdl.pysim import SEED, Word, clock, signed
from sim_tb.oracle.reference import assert_same
from sim_tb.oracle.requantization import KINDS, Case, expected, random_cases

LATENCY = RequantizerLane.latency
FLUSH: list[Word] = [{"enable": 1}] * LATENCY
AT_LEAST = {
    "random": 4000,
    "extremes": 3000,
    "next to ties": 950,
    "out of range": 1400,
    "limits": 3000,
    "ties": 18_000,
}
"""Cases of each kind; where a product has no operands there is none."""


def word(case: Case) -> Word:
    return {"enable": 1, **case._asdict()}


def compare(what: str, cases: list[Case], outputs: list[Word]) -> None:
    """``outputs`` of the cycles in which those of ``cases`` leave."""
    biased, activations = expected(cases)
    assert_same(what, cases, biased, [signed(own["biased"], 32) for own in outputs])
    assert_same(what, cases, activations, [own["activation"] for own in outputs])


@pytest.mark.every(4)
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_lane(kind: str, checks: Any) -> None:
    """One sum per cycle, each with parameters of its own; resets change nothing."""
    rng = np.random.default_rng(SEED)
    cases = list(KINDS[kind](rng))
    assert len(cases) >= AT_LEAST[kind]
    inputs = [{**word(case), "rst": int(rng.random() < 0.1)} for case in cases]
    outputs = clock(RequantizerLane(), [*inputs, *FLUSH])
    compare(f"{kind}, seed {SEED}", cases, outputs[LATENCY:])
    checks(2 * len(cases))


def test_stalls(checks: Any) -> None:
    """Where the lane is not enabled it reads nothing, and holds its outputs."""
    rng = np.random.default_rng(SEED)
    cases = list(random_cases(rng, 1000))
    garbage = random_cases(rng, 100_000)
    inputs: list[Word] = []
    for value in [*map(word, cases), *FLUSH, {"enable": 0}]:
        inputs += [{**word(next(garbage)), "enable": 0} for _ in range(rng.integers(0, 4))]
        inputs.append(value)
    outputs = clock(RequantizerLane(), inputs)
    enabled = [cycle for cycle, values in enumerate(inputs) if values["enable"]]
    # What an enabled cycle leads to stands behind it, until after the next one.
    behind = [outputs[cycle + 1] for cycle in enabled]
    compare(f"stalls, seed {SEED}", cases, behind[LATENCY - 1 : -1])
    for before, after, values in zip(outputs, outputs[1:], inputs, strict=False):
        if not values["enable"]:
            assert after == before, f"seed {SEED}"
    checks(2 * len(cases) + len(outputs) - len(enabled))


def test_random_results_between_the_limits(checks: Any) -> None:
    """So that it is the arithmetic that is compared."""
    seed = SEED + 1
    cases = list(random_cases(np.random.default_rng(seed), 500))
    _, activations = expected(cases)
    between = [case.low < own < case.high for case, own in zip(cases, activations, strict=True)]
    assert sum(between) > 100, f"seed {seed}"
    outputs = clock(RequantizerLane(), [*map(word, cases), *FLUSH])
    compare(f"seed {seed}", cases, outputs[LATENCY:])
    checks(2 * len(cases))
