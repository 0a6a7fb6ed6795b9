"""Functions of real numbers that have the same bits on every machine.

Mathematical libraries differ in the last bits of the exponential and its kin. These functions are
made of additions, multiplications, divisions, square roots and powers of two alone, each a NumPy
operation of its own, which IEEE 754 lets round in one way only. All take and return float64 arrays.
"""

import math

import numpy as np

from networks.fixed_point import Float64Array

_LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
"""The logarithm of 2 in 32 bits, so that its small multiples are exact."""
_LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_PER_LN2 = float.fromhex("0x1.71547652b82fep+0")
_LEAST, _MOST = -750.0, 710.0
"""Beyond these an exponential is 0, or infinite."""
_EXP_TERMS = 14
_LOG_TERMS = 12
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_ERF_SLOPE = 0.3275911
_ERF_MOST = 32.0
"""From far below it on the function is 1."""
_MOST_MULTIPLICATIONS = 64


def exp(x: Float64Array) -> Float64Array:
    """The exponential, within some units of the last place."""
    x = np.clip(x, _LEAST, _MOST)
    power = np.nan_to_num(np.rint(x * _PER_LN2))
    rest = (x - power * _LN2_HIGH) - power * _LN2_LOW
    result = np.ones_like(rest)
    for term in range(_EXP_TERMS, 0, -1):
        result = 1 + result * rest / term
    with np.errstate(over="ignore", under="ignore"):
        exponential: Float64Array = np.ldexp(result, power.astype(np.int32))
    return exponential


def log(x: Float64Array) -> Float64Array:
    """The natural logarithm; of 0 minus infinity, of negative numbers not a number."""
    mantissa, exponent = np.frexp(np.where((x > 0) & (x < np.inf), x, 1.0))
    small = mantissa < math.sqrt(0.5)
    mantissa = np.where(small, 2 * mantissa, mantissa)
    exponent = exponent - small
    z = (mantissa - 1) / (mantissa + 1)
    series = np.zeros_like(z)
    for term in range(_LOG_TERMS, -1, -1):
        series = series * (z * z) + 1 / (2 * term + 1)
    result = exponent * _LN2_HIGH + (2 * z * series + exponent * _LN2_LOW)
    result = np.where(x > 0, result, np.where(x == 0, -np.inf, np.nan))
    limited: Float64Array = np.where(x == np.inf, np.inf, result)
    return limited


def sigmoid(x: Float64Array) -> Float64Array:
    """``1 / (1 + exp(-x))``."""
    small = exp(-np.abs(x))
    result: Float64Array = np.where(x < 0, small, 1.0) / (1 + small)
    return result


def tanh(x: Float64Array) -> Float64Array:
    """The hyperbolic tangent, within some units of the last place of 1."""
    small = exp(-2 * np.abs(x))
    result: Float64Array = np.copysign((1 - small) / (1 + small), x)
    return result


def softplus(x: Float64Array) -> Float64Array:
    """``log(1 + exp(x))``."""
    result: Float64Array = np.maximum(x, 0.0) + log(1 + exp(-np.abs(x)))
    return result


def erf(x: Float64Array) -> Float64Array:
    """The error function, within 1.5e-7 (Abramowitz and Stegun, 7.1.26)."""
    magnitude = np.minimum(np.abs(x), _ERF_MOST)
    t = 1 / (1 + _ERF_SLOPE * magnitude)
    series = np.zeros_like(t)
    for coefficient in reversed(_ERF):
        series = (series + coefficient) * t
    result: Float64Array = np.copysign(1 - series * exp(-magnitude * magnitude), x)
    return result


def power(x: Float64Array, exponent: Float64Array) -> Float64Array:
    """``x`` to a power, one for all elements; not a number where that is none of the real ones."""
    number = float(exponent)
    if number.is_integer() and abs(number) <= _MOST_MULTIPLICATIONS:
        result = np.ones_like(x)
        for _ in range(int(abs(number))):
            result = result * x
    elif abs(number) == 1 / 2:
        result = np.sqrt(x)
    else:
        result = exp(abs(number) * log(x))
    inverse: Float64Array = result if number >= 0 else 1 / result
    return inverse
