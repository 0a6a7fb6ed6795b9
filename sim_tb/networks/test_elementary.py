"""Elementary functions against Python's, and their bits."""

import hashlib
import math
from collections.abc import Callable

import numpy as np
import pytest

from networks import elementary
from networks.fixed_point import Float64Array

X = np.concatenate([np.linspace(-30, 30, 4001), np.geomspace(1e-12, 700, 400)])


def of_each(function: Callable[[float], float], x: Float64Array) -> Float64Array:
    return np.array([function(value) for value in x.tolist()])


@pytest.mark.parametrize(
    ("name", "expected", "tolerance"),
    [
        ("exp", math.exp, 0),
        ("tanh", math.tanh, 1e-15),
        ("sigmoid", lambda x: 1 / (1 + math.exp(-x)), 0),
        ("softplus", lambda x: max(x, 0) + math.log1p(math.exp(-abs(x))), 1e-15),
        ("erf", math.erf, 1.6e-7),
    ],
)
def test_functions(name: str, expected: Callable[[float], float], tolerance: float) -> None:
    found = getattr(elementary, name)(X)
    np.testing.assert_allclose(found, of_each(expected, X), rtol=1e-14, atol=tolerance)


def test_logarithm_and_powers() -> None:
    x = np.geomspace(1e-300, 1e300, 3001)
    np.testing.assert_allclose(elementary.log(x), of_each(math.log, x), rtol=1e-14, atol=1e-15)
    assert elementary.log(np.array([0.0, np.inf, 1.0])).tolist() == [-np.inf, np.inf, 0]
    assert np.isnan(elementary.log(np.array([-1.0, np.nan]))).all()
    x = np.linspace(0.01, 9, 500)
    for exponent in (0, 1, 2, 3, -1, -2, 0.5, -0.5, 1.7, -0.3, 100):
        expected = np.array([value**exponent for value in x.tolist()])
        np.testing.assert_allclose(elementary.power(x, np.array(exponent)), expected, rtol=1e-12)
    assert elementary.power(np.array([-2.0]), np.array(3)).tolist() == [-8]


def test_extremes() -> None:
    x = np.array([-np.inf, -1e300, 0.0, 1e300, np.inf])
    assert elementary.exp(x).tolist() == [0, 0, 1, np.inf, np.inf]
    assert elementary.sigmoid(x).tolist() == [0, 0, 0.5, 1, 1]
    assert elementary.tanh(x).tolist() == [-1, -1, 0, 1, 1]
    assert elementary.erf(x).tolist()[0::4] == [-1, 1]
    assert np.isnan(elementary.exp(np.array([np.nan]))).all()


def test_the_same_bits_everywhere() -> None:
    """Of what IEEE arithmetic makes, on this machine as on that where this was written."""
    names = ("exp", "tanh", "sigmoid", "softplus", "erf")
    x = np.arange(-4096, 4097) / 128
    values = np.stack([getattr(elementary, name)(x) for name in names])
    assert hashlib.sha256(values.astype("<f8").tobytes()).hexdigest() == DIGEST


DIGEST = "556d03c58788305f1a94381afca1e4866a1f5de0d08a1ef1e8880d10cbfa8be0"
