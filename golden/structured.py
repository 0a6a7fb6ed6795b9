"""2:4 structured sparse weights: of every four along K at most two are non-zero."""

import numpy as np
import numpy.typing as npt

from golden import checks
from golden.checks import Array
from golden.format import SPARSE_BLOCK as BLOCK
from golden.format import SPARSE_KEPT as KEPT

NO_PLACES = (3, 0)
"""The places of a block without a weight: descending, as no other block's are."""

Int8Array = npt.NDArray[np.int8]


def pack_2_4(w: npt.ArrayLike) -> tuple[Int8Array, npt.NDArray[np.uint8]]:
    """The non-zero weights of each block of four along K, and their places in it.

    Parameters
    ----------
    w : integers from -128 to 127, shape (..., K, N)
        K is filled up with zeros to a multiple of 4.

    Returns
    -------
    values : int8 array of shape (..., K / 2, N)
        Two per block: in the order of their places; a weight that is alone, and 0; or 0 twice.
    places : uint8 array of the same shape
        From 0 to 3: two ascending ones; one twice; or, of a block without a weight, 3 and 0.

    Raises
    ------
    TypeError
        For a dtype that is not an integer one.
    ValueError
        For values out of range, fewer than two dimensions, and a block with over two non-zero
        weights, with its position.
    """
    weights = checks.weights(w, 8)
    if weights.ndim < 2:
        raise ValueError(f"w must have the shape (..., K, N), not {weights.shape}")
    in_blocks = blocks_of_four(weights)
    places = np.argsort(in_blocks == 0, axis=-2, kind="stable")[..., :KEPT, :]
    values = np.take_along_axis(in_blocks, places, axis=-2)
    used = values != 0
    alone = np.where(used[..., 1:, :], places, places[..., :1, :])
    none = np.array(NO_PLACES)[:, np.newaxis]
    indices = np.where(used[..., :1, :], alone, none).astype(np.uint8)
    *outer, depth, columns = weights.shape
    shape = (*outer, -(-depth // BLOCK) * KEPT, columns)
    return values.reshape(shape), indices.reshape(shape)


def select_2_4(x: npt.ArrayLike, w: npt.ArrayLike) -> tuple[npt.NDArray[np.uint8], Int8Array]:
    """What one column of 2:4 sparse weights makes of the reduction: half as long.

    Parameters
    ----------
    x : integers from 0 to 255, shape (..., M, K)
    w : integers from -128 to 127, shape (..., K)
        A column, or one for each of the matrices ``x``.

    Returns
    -------
    selected : uint8 array of shape (..., M, ceil(K / 4) * 2)
        The activations that meet a non-zero weight, and zeros where a block has fewer than two.
    values : int8 array of shape (..., ceil(K / 4) * 2)
        The weights that they meet, those of :func:`pack_2_4`.

    Raises
    ------
    TypeError, ValueError
        As :func:`pack_2_4` does.
    """
    return select(checks.activations(x), w)


def select(activations: Array, w: npt.ArrayLike) -> tuple[Array, Int8Array]:
    """As :func:`select_2_4`, of activations of any dtype."""
    packed, packed_places = pack_2_4(np.asarray(w)[..., np.newaxis])
    values, places = packed[..., 0], packed_places[..., 0]
    # Places beyond an incomplete last block have no weight; any activation will do.
    index = np.arange(places.shape[-1]) // KEPT * BLOCK + places
    index = np.minimum(index, activations.shape[-1] - 1)[..., np.newaxis, :]
    shape = (*activations.shape[:-1], index.shape[-1])
    selected = np.take_along_axis(activations, np.broadcast_to(index, shape), axis=-1)
    return np.where(values[..., np.newaxis, :] != 0, selected, selected.dtype.type(0)), values


def blocks_of_four(weights: Int8Array) -> Int8Array:
    """``weights`` (..., K, N) as (..., blocks, 4, N), the last block filled up with zeros.

    Raises ``ValueError`` for a block with over two non-zero weights, with its position.
    """
    *outer, depth, columns = weights.shape
    blocks = -(-depth // BLOCK)
    padded = np.zeros((*outer, blocks * BLOCK, columns), np.int8)
    padded[..., :depth, :] = weights
    in_blocks = padded.reshape(*outer, blocks, BLOCK, columns)
    counts = np.count_nonzero(in_blocks, axis=-2)
    crowded = counts > KEPT
    if crowded.any():
        *matrix, block, column = (int(index[0]) for index in np.nonzero(crowded))
        first, last = BLOCK * block, min(BLOCK * (block + 1), depth) - 1
        where = f" of w[{', '.join(map(str, matrix))}]" if matrix else ""
        raise ValueError(
            f"w must have at most {KEPT} non-zero weights in each block of {BLOCK} along K, not "
            f"{int(counts[(*matrix, block, column)])} in rows {first} to {last} of column "
            f"{column}{where}"
        )
    return in_blocks
