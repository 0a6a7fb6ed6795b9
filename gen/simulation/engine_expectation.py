"""What an engine must compute."""

from typing import Any

import numpy as np
import numpy.typing as npt

import golden
from gen.design.configuration import Configuration
from gen.design.expectation import expected_product
from gen.driver.product import ColumnParameters


def expected_results(
    configuration: Configuration,
    x: npt.NDArray[Any],
    w: npt.NDArray[np.int8],
    parameters: ColumnParameters,
    exact: bool,
    sums: bool,
    encoded: bool = False,
    zero_point: int = 0,
) -> npt.NDArray[Any]:
    """What an engine must make of ``x`` (M, K) less ``zero_point`` times ``w`` (K, N): int32 sums
    with their biases, which wrap, or bytes, or their stored pairs, uint32 (M, ceil(N/2)). Sums of
    columns are combined before.
    """
    fmt = configuration.mac.sparq_format
    if exact:
        signed = fmt is not None and fmt.signed
        whole = x.astype(np.int16) - zero_point if signed else x
        products = golden.exact_matmul(whole, w, configuration.mac.weight_bits, signed)
    else:
        products = expected_product(configuration, x, w, zero_point)
    products = golden.combine(products, parameters.combine)
    biased = (products + parameters.bias).astype(np.int32)
    if sums:
        return biased
    given = (parameters.multiplier, parameters.shift, parameters.zero_point)
    columns = zip(biased.T, *given, parameters.low, parameters.high, strict=True)
    results = np.stack([golden.requantize(*column) for column in columns], axis=1)
    if not encoded or fmt is None:
        return results
    return golden.store_pairs(golden.encode_pairs(results, fmt), fmt)
