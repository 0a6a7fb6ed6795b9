"""Which cases of a long list `make test` runs."""

from collections.abc import Sequence
from typing import Any

import pytest


def every(step: int, cases: Sequence[Any], *, tuples: bool = False) -> list[Any]:
    """``cases`` for a test's parameters: one in ``step`` in `make test`, all in `make test-full`.

    ``tuples``: each case is of several parameters.
    """
    return [
        pytest.param(*(case if tuples else (case,)), marks=[pytest.mark.full] * (place % step > 0))
        for place, case in enumerate(cases)
    ]
