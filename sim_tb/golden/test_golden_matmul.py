"""Exact matrix products: dense, SPARQ and SPARQ with 2:4 sparse weights."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import methodcaller
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import golden
from golden import SparqFormat
from sim_tb.oracle import reference
from sim_tb.oracle.reference import CUSTOM, NAMED, Rule, assert_same, every_mode

SEED = 20211206
Array = npt.NDArray[Any]

RULES = every_mode(NAMED.values()) + [Rule(*fmt) for fmt in CUSTOM]
RULES += [
    rule for group in (2, 4, 16) for rule in every_mode([NAMED["5opt"], NAMED["7opt"]], group)
]
every_rule = pytest.mark.parametrize("rule", RULES, ids=str)
FMT = golden.named_format("5opt")
RULE = Rule(*NAMED["5opt"])

SIZES = [
    # M, K, N; the exact products go by blocks of 1024 along K, 1024 rows and 64 rows
    (1, 1, 1), (3, 2, 4), (4, 3, 1), (2, 7, 5), (0, 3, 2), (1, 1024, 1), (1, 1025, 2), (2, 3077, 1),
]  # fmt: skip
MORE_ROWS = [(63, 3, 2), (65, 2, 2), (130, 1, 1), (1024, 1, 1), (1025, 3, 1), (2100, 5, 2)]


def operands(m: int, k: int, n: int, weight_bits: int = 8) -> tuple[Array, Array]:
    """Random x, two fifths of it zero, and w, with the extreme values of both among them."""
    rng = np.random.default_rng([SEED, m, k, n])
    half = 2 ** (weight_bits - 1)
    x = rng.integers(0, 256, (m, k)) * (rng.random((m, k)) < 0.6)
    w = rng.integers(-half, half, (k, n))
    x[rng.random((m, k)) < 0.1] = 255
    w[rng.random((k, n)) < 0.1] = -half
    return x.astype(np.uint8), w.astype(np.int8)


def make_2_4(w: Array) -> Array:
    """``w`` with at most two non-zero weights in each block of four along K, sometimes fewer."""
    rng = np.random.default_rng([SEED, *w.shape])
    sparse = w.copy()
    for start in range(0, len(w), 4):
        rank = rng.random(w[start : start + 4].shape).argsort(axis=0).argsort(axis=0)
        sparse[start : start + 4][rank >= rng.choice([0, 1, 2, 2, 2], w.shape[1])] = 0
    return sparse


def check(context: str, expected: list[list[int]], got: Array) -> None:
    """Compare row by row; operands follow from their shape and the seed."""
    assert got.dtype == np.int32, f"{context}: {got.dtype}"
    rows = [f"row {row}" for row in range(len(expected))]
    shaped = np.array(expected, np.int64).reshape(got.shape)
    assert_same(f"{context}, seed {SEED}", rows, shaped, got)


# Against the plain statements


@pytest.mark.parametrize("size", [*SIZES, *MORE_ROWS], ids=str)
def test_exact_matmul(size: tuple[int, int, int]) -> None:
    x, w = operands(*size)
    check(f"exact {size}", reference.matmul(x.tolist(), w.tolist()), golden.exact_matmul(x, w))


@every_rule
def test_sparq_matmul(rule: Rule) -> None:
    for size in SIZES:
        x, w = operands(*size)
        expected = reference.sparq_matmul(x.tolist(), w.tolist(), rule)
        check(f"{size}", expected, golden.sparq_matmul(x, w, SparqFormat(*rule)))


@pytest.mark.parametrize("size", MORE_ROWS, ids=str)
def test_sparq_matmul_of_many_rows(size: tuple[int, int, int]) -> None:
    x, w = operands(*size)
    check(
        f"{size}", reference.sparq_matmul(x.tolist(), w.tolist(), RULE),
        golden.sparq_matmul(x, w, FMT),
    )  # fmt: skip


@pytest.mark.every(6)
@every_rule
def test_sparq_matmul_2_4(rule: Rule) -> None:
    for m, k, n in [*SIZES, (2, 4, 3), (5, 8, 9), (3, 13, 6), (1, 2050, 3)]:
        x, w = operands(m, k, n)
        w = make_2_4(w)
        expected = reference.sparq_matmul_2_4(x.tolist(), w.tolist(), rule)
        check(f"2:4 {(m, k, n)}", expected, golden.sparq_matmul_2_4(x, w, SparqFormat(*rule)))


def test_2_4_every_choice_of_two_weights_and_zero_activations() -> None:
    """A column for each choice of up to two of four weights, a row for each set of zeros."""
    columns = [
        [5 * (k in (i, j)) - 11 * (k == j) for k in range(4)] for i in range(4) for j in range(4)
    ]
    columns.append([0, 0, 0, 0])
    w = np.array(columns).T
    x = [[(173, 27, 91, 255)[k] * (zeros >> k & 1) for k in range(4)] for zeros in range(16)]
    for rule in RULES:
        expected = reference.sparq_matmul_2_4(x, w.tolist(), rule)
        check(f"2:4 {rule}", expected, golden.sparq_matmul_2_4(x, w, SparqFormat(*rule)))


@pytest.mark.parametrize(
    ("x", "w", "dense", "sparse"),
    [
        # 5opt: 27 rounds to 28 next to 26, and is exact when alone
        ([27, 26, 0, 0], [1, 0, 0, 0], 28, 27),
        ([27, 26, 0, 0], [1, 1, 0, 0], 54, 54),
        ([27, 26, 0, 0], [1, 0, 1, 0], 28, 27),
        ([27, 0, 26, 0], [1, 0, 1, 0], 53, 54),
        ([27, 0, 0, 26], [2, 0, 0, -3], -24, -22),
        ([27, 0, 0, 26], [2, 0, -3, 0], 54, 54),
        ([27, 26, 27, 26], [0, 0, 0, 0], 0, 0),
        ([1, 2, 3, 4, 27], [0, 0, 0, 0, -128], -3456, -3456),
    ],
)
def test_dense_and_2_4_pairs_by_hand(x: list[int], w: list[int], dense: int, sparse: int) -> None:
    """Dense pairs are neighbours; with 2:4 weights a pair is what the weights select."""
    column = [[weight] for weight in w]
    assert golden.sparq_matmul(x, column, FMT).tolist() == [dense]
    assert golden.sparq_matmul_2_4(x, column, FMT).tolist() == [sparse]


@pytest.mark.parametrize("k", [1, 2, 3, 1023, 1024, 1025, 2048, 2049, 4097])
@pytest.mark.parametrize("weight", [-128, -1, 0, 1, 127])
@pytest.mark.parametrize("activation", [0, 1, 128, 255])
def test_uniform_operands(k: int, weight: int, activation: int) -> None:
    """Every product alike, so that all partial sums are as large as they can be."""
    x, w = np.full((2, k), activation, np.uint8), np.full((k, 3), weight, np.int8)
    expected = [[k * activation * weight] * 3] * 2
    check(f"K = {k}, {activation} x {weight}", expected, golden.exact_matmul(x, w))
    value = sum(reference.effective_row([activation] * k, RULE))
    expected = [[value * weight] * 3] * 2
    check(f"K = {k}, {activation} x {weight}", expected, golden.sparq_matmul(x, w, FMT))


@pytest.mark.parametrize("k", [1023, 1024, 1025, 2048, 4099])
@pytest.mark.parametrize("low", [0, 253])
@pytest.mark.parametrize("weight", [-128, 125])
def test_large_sums_that_need_every_bit(k: int, low: int, weight: int) -> None:
    """Operands near their extremes, but not alike: odd sums as large as they can be."""
    rng = np.random.default_rng([SEED, k, low])
    x, w = rng.integers(low, low + 3, (4, k)), rng.integers(weight, weight + 3, (k, 4))
    expected = reference.matmul(x.tolist(), w.tolist())
    check(f"K = {k}, x from {low}, w from {weight}", expected, golden.exact_matmul(x, w))
    fmt = SparqFormat(8, (0,))  # a window of 8 bits changes nothing
    check(f"K = {k}, x from {low}, w from {weight}", expected, golden.sparq_matmul(x, w, fmt))


# Shapes and memory

PRODUCTS: dict[str, Callable[[Any, Any], Array]] = {
    "exact": golden.exact_matmul,
    "sparq": lambda x, w: golden.sparq_matmul(x, w, FMT),
    "bsparq": lambda x, w: golden.sparq_matmul(x, w, SparqFormat(4, (0, 4), vsparq=False)),
    "2:4": lambda x, w: golden.sparq_matmul_2_4(x, w, FMT),
    "2:4 bsparq": lambda x, w: golden.sparq_matmul_2_4(x, w, SparqFormat(4, (0, 4), vsparq=False)),
}
every_product = pytest.mark.parametrize("matmul", PRODUCTS.values(), ids=PRODUCTS)


@every_product
@pytest.mark.parametrize("leading", [(), (1,), (2, 3), (2, 1, 2), (0,), (2, 0, 3)], ids=str)
@pytest.mark.parametrize("columns", [0, 1, 4])
def test_leading_axes(
    matmul: Callable[[Any, Any], Array], leading: tuple[int, ...], columns: int
) -> None:
    """Any leading axes, none included, no rows and no columns."""
    k = 6
    x, w = operands(int(np.prod(leading)), k, columns)
    w = make_2_4(w) if columns else w
    got = matmul(x.reshape(*leading, k), w)
    assert got.dtype == np.int32
    assert got.shape == (*leading, columns)
    assert got.reshape(-1, columns).tolist() == matmul(x, w).tolist() if columns else got.size == 0


def strided(array: Array) -> Array:
    spread = np.full([2 * size for size in array.shape], 77, array.dtype)
    spread[1::2, ::2] = array
    return spread[1::2, ::2]


def reversed_twice(array: Array) -> Array:
    return array[::-1, ::-1].copy()[::-1, ::-1]


def read_only(array: Array) -> Array:
    array = array.copy()
    array.flags.writeable = False
    return array


def unaligned(array: Array) -> Array:
    return np.frombuffer(b"\0" + array.tobytes(), array.dtype, offset=1).reshape(array.shape)


LAYOUTS: dict[str, Callable[[Array], Any]] = {
    "list": lambda array: array.tolist(),
    "Fortran order": np.asfortranarray,
    "strided": strided,
    "reversed": reversed_twice,
    "read-only": read_only,
    "unaligned": unaligned,
    "masked array without a mask": np.ma.asarray,
    **{f"dtype {name}": methodcaller("astype", name) for name in ("i2", "i4", "i8", ">i2")},
}


@every_product
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_any_layout_and_integer_dtype(
    matmul: Callable[[Any, Any], Array], layout: Callable[[Array], Any]
) -> None:
    x, w = operands(5, 11, 3)
    w = make_2_4(w)
    expected = matmul(x, w).tolist()
    for given_x, given_w in [(layout(x), w), (x, layout(w)), (layout(x), layout(w))]:
        before = np.array(given_x), np.array(given_w)
        check("layout", expected, matmul(given_x, given_w))
        assert np.array_equal(before[0], given_x), "x was changed"
        assert np.array_equal(before[1], given_w), "w was changed"


@pytest.mark.parametrize("dtype", ["u2", "u4", "u8", ">u4", "i8"])
def test_unsigned_activation_dtypes(dtype: str) -> None:
    x, w = operands(3, 9, 2)
    got = golden.sparq_matmul(x.astype(dtype), w, FMT)
    check(dtype, golden.sparq_matmul(x, w, FMT).tolist(), got)


def test_broadcast_operands() -> None:
    x, w = np.broadcast_to(np.uint8(27), (3, 5)), np.broadcast_to(np.int8(-3), (5, 2))
    expected = reference.sparq_matmul(x.tolist(), w.tolist(), RULE)
    check("broadcast", expected, golden.sparq_matmul(x, w, FMT))


def test_results_are_independent_of_each_other() -> None:
    """A later call must not write into an earlier result."""
    x, w = operands(4, 9, 3)
    first = golden.sparq_matmul(x, w, FMT)
    kept = first.copy()
    golden.sparq_matmul(255 - x, w, FMT)
    assert np.array_equal(first, kept)


def test_concurrent_calls() -> None:
    sizes = [(3, 5, 2), (70, 9, 3), (1, 2050, 4), (1100, 2, 1), (40, 1025, 8)]
    jobs = [(size, operands(*size), SparqFormat(*rule)) for size in sizes for rule in RULES[:8]]
    expected = [golden.sparq_matmul(*xw, fmt) for _, xw, fmt in jobs]
    with ThreadPoolExecutor(8) as pool:
        futures = [
            [pool.submit(golden.sparq_matmul, *xw, fmt) for _, xw, fmt in jobs] for _ in range(3)
        ]
    for results in futures:
        for (size, _, fmt), want, future in zip(jobs, expected, results, strict=True):
            check(f"{size}, {fmt}", want.tolist(), future.result())


# Weight widths


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("name", ["exact", "sparq", "2:4"])
def test_weight_bits(name: str, bits: int) -> None:
    """The whole range of a width is taken, and nothing beyond it."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    call: dict[str, Callable[[Any, Any], Array]] = {
        "exact": lambda x, w: golden.exact_matmul(x, w, weight_bits=bits),
        "sparq": lambda x, w: golden.sparq_matmul(x, w, FMT, weight_bits=bits),
        "2:4": lambda x, w: golden.sparq_matmul_2_4(x, w, FMT, weight_bits=bits),
    }
    assert call[name]([15, 15], [[low, high], [high, low]]).tolist() == [-15, -15]
    for weight in (low - 1, high + 1):
        with pytest.raises(ValueError, match="w must be") as info:
            call[name]([15, 15], [[low, high], [high, weight]])
        expected = f"w must be integers from {low} to {high}, not {weight} (at index [1, 1])"
        assert str(info.value) == expected


# The limits of int32


def sum_to(target: int, value: int) -> tuple[list[int], list[int]]:
    """x and w whose product is ``target``: ``value`` repeated, then a few values below 16."""
    weight = 127 if target > 0 else -128
    count, rest = divmod(abs(target), value * abs(weight))
    x, w = [value] * count, [weight] * count
    sign = 1 if target > 0 else -1
    while rest:
        size = min(rest, abs(weight))
        factor = min(rest // size, 15)
        x.append(factor)
        w.append(sign * size)
        rest -= factor * size
    return x, w


LIMIT = 2**31


@pytest.mark.parametrize("target", [LIMIT - 1, LIMIT - 2, -LIMIT, -LIMIT + 1])
def test_the_largest_sums(target: int) -> None:
    for value, call in (
        (255, golden.exact_matmul),
        (240, lambda x, w: golden.sparq_matmul(x, w, FMT)),
    ):
        x, w = sum_to(target, value)
        check(f"K = {len(x)}", [[target]], call([x], np.array(w)[:, np.newaxis]))


@pytest.mark.parametrize("target", [LIMIT, LIMIT + 1, -LIMIT - 1, -LIMIT - 2, 3 * LIMIT])
@pytest.mark.parametrize("name", ["exact", "sparq"])
def test_sums_beyond_int32(target: int, name: str) -> None:
    x, w = sum_to(target, 255 if name == "exact" else 240)
    zeros = np.zeros_like(x)
    with pytest.raises(OverflowError) as info:
        PRODUCTS[name]([zeros, x], np.stack([zeros, zeros, w], axis=1))
    assert str(info.value) == (
        f"a sum must fit int32, not {target} (row 1, column 2, K = {len(x)})"
    )


def test_overflow_names_a_sum_that_does_not_fit() -> None:
    """Of the two ends of int32, which fit, and 2**31, which does not, the last is reported."""
    parts = [sum_to(target, 255) for target in (-LIMIT, LIMIT - 1, LIMIT)]
    k = sum(len(x) for x, _ in parts)
    rows, column = np.zeros((len(parts), k), np.uint8), np.zeros((k, 1), np.int8)
    start = 0
    for row, (x, w) in enumerate(parts):
        rows[row, start : start + len(x)] = x
        column[start : start + len(x), 0] = w
        start += len(x)
    assert golden.exact_matmul(rows[:2], column).tolist() == [[-LIMIT], [LIMIT - 1]]
    with pytest.raises(OverflowError) as info:
        golden.exact_matmul(rows, column)
    assert str(info.value) == f"a sum must fit int32, not {LIMIT} (row 2, column 0, K = {k})"


@pytest.mark.parametrize("target", [LIMIT - 1, -LIMIT])
@pytest.mark.parametrize("beyond", [False, True])
def test_2_4_sums_at_the_limit(target: int, beyond: bool) -> None:
    """The same sums with two weights in each block of four; K is the caller's."""
    target += (1 if target > 0 else -1) * beyond
    x, w = sum_to(target, 240)
    spread_x, spread_w = (np.array(v + [0] * (len(v) % 2)).reshape(-1, 2) for v in (x, w))
    x_2_4 = np.pad(spread_x, ((0, 0), (0, 2)), constant_values=99).reshape(1, -1)
    w_2_4 = np.pad(spread_w, ((0, 0), (0, 2))).reshape(-1, 1)
    if not beyond:
        check(f"{target}", [[target]], golden.sparq_matmul_2_4(x_2_4, w_2_4, FMT))
        return
    with pytest.raises(OverflowError) as info:
        golden.sparq_matmul_2_4(x_2_4, w_2_4, FMT)
    assert str(info.value) == (
        f"a sum must fit int32, not {target} (row 0, column 0, K = {x_2_4.shape[1]})"
    )


# Weights that are not 2:4 sparse


@pytest.mark.parametrize(
    ("k", "bad", "message"),
    [
        # (row, column) of weights set to 1
        (4, [(0, 0), (1, 0), (2, 0)], "3 in rows 0 to 3 of column 0"),
        (4, [(0, 2), (1, 2), (2, 2), (3, 2)], "4 in rows 0 to 3 of column 2"),
        (12, [(8, 0), (9, 0), (11, 0), (4, 2), (6, 2), (7, 2)], "3 in rows 4 to 7 of column 2"),
        (8, [(5, 2), (6, 2), (7, 2), (5, 1), (6, 1), (7, 1)], "3 in rows 4 to 7 of column 1"),
        (3, [(0, 1), (1, 1), (2, 1)], "3 in rows 0 to 2 of column 1"),
        (7, [(4, 0), (5, 0), (6, 0)], "3 in rows 4 to 6 of column 0"),
    ],
)
@pytest.mark.parametrize("vsparq", [True, False])
def test_2_4_refuses_other_weights(
    k: int, bad: list[tuple[int, int]], message: str, vsparq: bool
) -> None:
    w = np.zeros((k, 3), np.int8)
    for row, column in bad:
        w[row, column] = 1
    with pytest.raises(ValueError, match="w must") as info:
        golden.sparq_matmul_2_4(np.ones((2, k), np.uint8), w, SparqFormat(4, (0, 4), vsparq=vsparq))
    assert str(info.value) == (
        f"w must have at most 2 non-zero weights in each block of 4 along K, not {message}"
    )


@pytest.mark.parametrize("k", [4, 7, 12])
def test_packing_refuses_other_weights(k: int) -> None:
    """As the product does; of several matrices, the one is named."""
    w = np.zeros((2, 3, k, 2), np.int8)
    w[1, 2, k - 3 :, 1] = 5
    text = "w must have at most 2 non-zero weights in each block of 4 along K, not 3 in rows "
    text += f"{(k - 1) // 4 * 4} to {k - 1} of column 1"
    for weights, message in ((w, f"{text} of w[1, 2]"), (w[1, 2], text)):
        with pytest.raises(ValueError, match="w must") as info:
            golden.pack_2_4(weights)
        assert str(info.value) == message


def test_2_4_blocks_are_aligned() -> None:
    """Three non-zero weights in a row are fine across two blocks."""
    w = [[0], [0], [3], [-5], [7], [0], [0], [0]]
    x = [[1, 2, 4, 8, 15, 1, 2, 4]]
    assert golden.sparq_matmul_2_4(x, w, FMT).tolist() == [[3 * 4 - 5 * 8 + 7 * 15]]
