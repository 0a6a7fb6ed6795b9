"""Emitted encoders in a simulator: every pair in every format, and random larger groups."""

from collections.abc import Callable
from itertools import product

import pytest

from gen.design.configuration import Configuration
from golden import NAMED_FORMATS
from sim_tb.rtl.runner import Module, module_of, run_bench

SEED = 7
Mode = tuple[str, bool, bool, int]
FLAGS = (True, False)
PAIRS: list[Mode] = list(product(NAMED_FORMATS, FLAGS, FLAGS, (1, 2)))
SIGNED: dict[str, list[Mode]] = {
    "signed": list(product(("s4opt", "s4:0,1,3"), FLAGS, FLAGS, (1, 2))),
    "affine": list(product(("s5opt", "s3:0,1,2,3,4,5"), FLAGS, FLAGS, (1, 2))),
}
GROUPS: list[Mode] = [
    *product(NAMED_FORMATS, FLAGS, FLAGS, (4,)),
    *product(("5opt", "7opt"), (True,), FLAGS, (8, 16)),
]


def encoder(name: str, rounding: bool, vsparq: bool, group: int) -> Module:
    return module_of(
        Configuration(top="encoder", format=name, rounding=rounding, vsparq=vsparq, group=group)
    )


@pytest.mark.slow
def test_encoder(checks: Callable[[int], None]) -> None:
    checks(
        run_bench(
            [encoder(*mode) for mode in PAIRS],
            "encoder",
            seed=SEED,
            name="encoders",
            parameters={"formats": PAIRS},
            testcase="every_pair",
        )
    )


@pytest.mark.every(4)
@pytest.mark.slow
@pytest.mark.parametrize("kind", SIGNED)
def test_signed_encoder(kind: str, checks: Callable[[int], None]) -> None:
    checks(
        run_bench(
            [encoder(*mode) for mode in SIGNED[kind]],
            "encoder",
            seed=SEED,
            name=f"{kind}_encoders",
            parameters={"formats": SIGNED[kind]},
            testcase="signed_pairs",
        )
    )


@pytest.mark.full
def test_encoder_of_groups(checks: Callable[[int], None]) -> None:
    checks(
        run_bench(
            [encoder(*mode) for mode in GROUPS],
            "encoder",
            seed=SEED,
            name="group_encoders",
            own=["shared"],
            parameters={"formats": GROUPS},
            testcase="random_groups",
        )
    )
