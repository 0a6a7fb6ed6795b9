"""What a product on an engine must be: everything else is refused before any work."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gen.driver.product import ColumnParameters, EngineProduct
from golden import named_format
from golden.engine import EngineShape

SHAPE = EngineShape(2, 2, 2, 8, 1, 2, 2, 16, 4)


def product(**changed: Any) -> EngineProduct:
    given: dict[str, Any] = {
        "x": np.zeros((5, 8), np.uint8),
        "w": np.zeros((8, 3), np.int8),
        "parameters": ColumnParameters.of(3),
    }
    return EngineProduct(SHAPE, 5, False, **{**given, **changed})


def signed(name: str, dtype: Any, **changed: Any) -> EngineProduct:
    """On an engine of that format."""
    shape = replace(SHAPE, format=named_format(name))
    return replace(product(), shape=shape, x=np.zeros((5, 8), dtype), **changed)


def of(**given: Any) -> Callable[[], object]:
    return lambda: ColumnParameters.of(3, **given)


REFUSED: list[tuple[Callable[[], object], str]] = [
    (
        of(multiplier=40000, shift=22),
        "multiplier must be integers from 0 to 32767, not 40000 (at index [])",
    ),
    (
        of(multiplier=1.5),
        "multiplier must be integers from 0 to 32767, not float64 (first value 1.5)",
    ),
    (of(shift=[1, 50, 2]), "shift must be integers from 0 to 46, not 50 (at index [1])"),
    (of(zero_point=256), "zero_point must be integers from 0 to 255, not 256 (at index [])"),
    (
        of(bias=1 << 31),
        "bias must be integers from -2147483648 to 2147483647, not 2147483648 (at index [])",
    ),
    (of(low=200, high=10), "low must be at most high, not 200 where high is 10 (of column 0)"),
    (
        of(bias=[1, 2]),
        "bias must be one number, or one for each of the 3 columns, not of shape (2,)",
    ),
    (
        lambda: replace(ColumnParameters.of(3), high=np.zeros(2, np.int64)),
        "high must be of the 3 columns that bias is of, not of shape (2,)",
    ),
    (
        lambda: product(x=np.zeros((5, 7), np.uint8)),
        "x (..., K) and w (K, N) must agree in K, not (5, 7) and (8, 3)",
    ),
    (
        lambda: product(w=np.full((8, 3), 16)),
        "w must be integers from -16 to 15, not 16 (at index [0, 0])",
    ),
    (
        lambda: product(parameters=ColumnParameters.of(2)),
        "parameters must be of the 3 columns of w, not of 2",
    ),
    (
        lambda: product(parameters=ColumnParameters.of(3, combine=[0, 2, 0])),
        "combine must be 0 on this engine, not 2 (of column 1)",
    ),
    (
        lambda: replace(
            product(),
            shape=replace(SHAPE, multipoint=True),
            parameters=ColumnParameters.of(3, combine=[0, 2, 3]),
        ),
        "combine must be 0 of even columns, not 3 (of column 2)",
    ),
    (
        lambda: ColumnParameters.of(2, combine=[0, 8]),
        "combine must be integers from 0 to 7, not 8 (at index [1])",
    ),
    (
        lambda: product(x=np.zeros(8, np.uint8)),
        "x and w must be matrices, not of shapes (8,) and (8, 3)",
    ),
    (
        lambda: product(x=np.zeros((5, 4), np.uint32)),
        "x must be uint8 for an engine without encoded input, not uint32",
    ),
    (
        lambda: product(zero_point=3),
        "zero_point must be 0 on an engine of unsigned activations, not 3",
    ),
    (
        lambda: product(x=np.zeros((5, 8), np.int8)),
        "x must be uint8 for an engine without encoded input, not int8",
    ),
    (
        lambda: signed("s5opt", np.int8),
        "x must be uint8 for an engine without encoded input, not int8",
    ),
    (
        lambda: signed("s4opt", np.int8, zero_point=128),
        "x must be uint8 where zero_point is 128, not int8",
    ),
    (
        lambda: signed("s4opt", np.uint8, zero_point=128),
        "x must be integers from 1 to 255, not 0 (at index [0, 0])",
    ),
    (
        lambda: signed("s4opt", np.uint8, zero_point=100),
        "zero_point must be 0 or 128 on an engine of signed bytes, not 100",
    ),
    (
        lambda: signed("s5opt", np.uint8, zero_point=256),
        "zero_point must be an integer from 0 to 255, not 256",
    ),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[text for _, text in REFUSED])
def test_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        make()
    assert str(caught.value) == message


def test_one_number_is_of_all_columns() -> None:
    parameters = ColumnParameters.of(3, bias=[1, 2, 3], shift=[4], high=7)
    assert parameters.bias.tolist() == [1, 2, 3]
    assert parameters.shift.tolist() == [4, 4, 4]
    assert parameters.high.tolist() == [7, 7, 7]
    assert product().result_words == 3 * 2 * 2


def test_where_shifts_stand() -> None:
    parameters = ColumnParameters.of(2, multiplier=0x7FFF, shift=46, combine=[0, 7])
    assert parameters.words(3)[:, 1].tolist() == [0x2E7FFF, 0x1EE7FFF, 0]
    assert parameters.of_part(1, 1).combine.tolist() == [7]


def test_what_stands_for_zero_fills_up() -> None:
    """The last step of an odd reduction, whose partner then is alone, and rows that are none."""
    x = np.full((1, 3), 7, np.uint8)
    parameters = ColumnParameters.of(3)
    shape = replace(SHAPE, format=named_format("s5opt"))
    affine = EngineProduct(shape, 8, False, x, np.ones((3, 3), np.int8), parameters, zero_point=9)
    assert affine.activations()[:2].tolist() == [[7, 7, 9, 9], [7, 9, 9, 9]]
    assert affine.commands[0].command.zero_point == 9
