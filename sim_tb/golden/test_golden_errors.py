"""Every refusal of the golden model, with the text it gives."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import golden
from golden import EncodedPairs, FixedPointScale, SparqFormat, requantize

FMT = golden.named_format("5opt")
NO_VSPARQ = golden.named_format("2opt", vsparq=False)
SHARED = golden.named_format("3opt", vsparq=False, group=2)
NAN, INF = float("nan"), float("inf")

X = np.ones((2, 3), np.uint8)
W = np.ones((3, 2), np.int8)

Call = Callable[[], object]


def short(value: object) -> str:
    """A test id."""
    return " ".join(repr(value).split())[:40]


def expect(call: Call, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as info:
        call()
    assert type(info.value) is error
    assert str(info.value) == message


# Formats

WINDOW_BITS = "window_bits must be an integer from 1 to 8"
SHIFTS = "shifts must be distinct integers from 0 to 7"


@pytest.mark.parametrize(
    ("window_bits", "shifts", "error", "message"),
    [
        ("4", (0, 4), TypeError, f"{WINDOW_BITS}, not '4'"),
        (4.0, (0, 4), TypeError, f"{WINDOW_BITS}, not 4.0"),
        (NAN, (0, 4), TypeError, f"{WINDOW_BITS}, not nan"),
        (None, (0, 4), TypeError, f"{WINDOW_BITS}, not None"),
        (True, (0, 7), TypeError, f"{WINDOW_BITS}, not True"),
        (0, (0, 4), ValueError, f"{WINDOW_BITS}, not 0"),
        (-1, (0, 4), ValueError, f"{WINDOW_BITS}, not -1"),
        (9, (0, 4), ValueError, f"{WINDOW_BITS}, not 9"),
        (2**70, (0, 4), ValueError, f"{WINDOW_BITS}, not {2**70}"),
        (np.int64(9), (0, 4), ValueError, f"{WINDOW_BITS}, not 9"),
        (4, None, TypeError, f"{SHIFTS}, not None"),
        (4, 4, TypeError, f"{SHIFTS}, not 4"),
        (4, "04", TypeError, f"{SHIFTS}, not '04'"),
        (4, b"\x00\x04", TypeError, f"{SHIFTS}, not b'\\x00\\x04'"),
        (4, np.array(4), TypeError, f"{SHIFTS}, not array(4)"),
        (4, (0, "4"), TypeError, f"{SHIFTS}, not '4'"),
        (4, (0, 4.0), TypeError, f"{SHIFTS}, not 4.0"),
        (4, (0, NAN), TypeError, f"{SHIFTS}, not nan"),
        (4, (0, None), TypeError, f"{SHIFTS}, not None"),
        (7, (0, True), TypeError, f"{SHIFTS}, not True"),
        (4, [[0], [4]], TypeError, f"{SHIFTS}, not [0]"),
        (4, (0, 4, 4), ValueError, f"{SHIFTS}, not (0, 4, 4)"),
        (4, (4, 0, 8), ValueError, f"{SHIFTS}, not (0, 4, 8)"),
        (4, (0, -1, 4), ValueError, f"{SHIFTS}, not (-1, 0, 4)"),
        (4, (0, 2**70), ValueError, f"{SHIFTS}, not (0, {2**70})"),
        (4, (), ValueError, "shifts must contain 0, not ()"),
        (4, (4,), ValueError, "shifts must contain 0, not (4,)"),
        (
            4, (0, 3), ValueError,
            "shifts of a 4-bit window must reach 4 or more to cover every 8-bit value, not (0, 3)",
        ),
        (
            1, (0, 6), ValueError,
            "shifts of a 1-bit window must reach 7 or more to cover every 8-bit value, not (0, 6)",
        ),
    ],
)  # fmt: skip
def test_format(window_bits: Any, shifts: Any, error: type[Exception], message: str) -> None:
    expect(lambda: SparqFormat(window_bits, shifts), error, message)


@pytest.mark.parametrize("flag", ["rounding", "vsparq"])
@pytest.mark.parametrize("value", [0, 1, None, "yes", np.True_], ids=short)
def test_format_flags(flag: str, value: Any) -> None:
    message = f"{flag} must be True or False, not {value!r}"
    expect(lambda: SparqFormat(4, (0, 4), **{flag: value}), TypeError, message)
    expect(lambda: golden.named_format("5opt", **{flag: value}), TypeError, message)


@pytest.mark.parametrize("name", ["4opt", "5OPT", "", None, 5, ["5opt"]])
def test_named_format(name: Any) -> None:
    message = (
        "format must be one of 5opt, 3opt, 2opt, 6opt, 7opt, or window bits and shifts such as "
        f"4:0,1,4; of signed activations s4opt, s5opt, or such as s4:0,1,3, not {name!r}"
    )
    expect(lambda: golden.named_format(name), ValueError, message)


TAKES_FORMAT: dict[str, Callable[[Any], object]] = {
    "trim": lambda fmt: golden.trim(X, fmt),
    "sparq": lambda fmt: golden.sparq(X, fmt),
    "sparq_matmul": lambda fmt: golden.sparq_matmul(X, W, fmt),
    "sparq_matmul_2_4": lambda fmt: golden.sparq_matmul_2_4(X, W, fmt),
    "encode_pairs": lambda fmt: golden.encode_pairs(X, fmt),
    "decode_pairs": lambda fmt: golden.decode_pairs(golden.encode_pairs(X, FMT), fmt),
    "pack_pairs": lambda fmt: golden.pack_pairs(golden.encode_pairs(X, FMT), fmt),
    "unpack_pairs": lambda fmt: golden.unpack_pairs([0], fmt),
}


@pytest.mark.parametrize("call", TAKES_FORMAT.values(), ids=TAKES_FORMAT)
@pytest.mark.parametrize("fmt", ["5opt", None, (4, (0, 4)), SparqFormat], ids=short)
def test_not_a_format(call: Callable[[Any], object], fmt: Any) -> None:
    expect(lambda: call(fmt), TypeError, f"fmt must be a SparqFormat, not {fmt!r}")


# Values of the operands

BAD_VALUES: list[tuple[Any, type[Exception], str]] = [
    (1.0, TypeError, "float64 (first value 1.0)"),
    ([0, NAN], TypeError, "float64 (first value 0.0)"),
    ([INF], TypeError, "float64 (first value inf)"),
    (np.float32(0.5), TypeError, "float32 (first value 0.5)"),
    (True, TypeError, "bool (first value True)"),
    ([[False, True]], TypeError, "bool (first value False)"),
    ("abc", TypeError, "<U3 (first value abc)"),
    (["1"], TypeError, "<U1 (first value 1)"),
    (None, TypeError, "object (first value None)"),
    ([None, 1], TypeError, "object (first value None)"),
    (np.array([1], object), TypeError, "object (first value 1)"),
    ([2**64], TypeError, f"object (first value {2**64})"),
    (1j, TypeError, "complex128 (first value 1j)"),
    (np.array(["2021-12-06"], "M8[D]"), TypeError, "datetime64[D] (first value 2021-12-06)"),
    ([1, 300], ValueError, "300 (at index [1])"),
    ([[1, 2], [3, -129]], ValueError, "-129 (at index [1, 1])"),
    (np.full((2, 1, 2), 999, np.uint16), ValueError, "999 (at index [0, 0, 0])"),
    (np.array([0, 2**64 - 1], np.uint64), ValueError, f"{2**64 - 1} (at index [1])"),
    (np.array([-(2**63)]), ValueError, f"{-(2**63)} (at index [0])"),
    (np.array([[1], [256]], ">i2"), ValueError, "256 (at index [1, 0])"),
    (np.asfortranarray([[1, 2, 3], [4, 256, 300]]), ValueError, "256 (at index [1, 1])"),
]

X_RULE = "x must be integers from 0 to 255"
W_RULE = "w must be integers from -128 to 127"
TAKES_VALUES: dict[str, tuple[str, Callable[[Any], object]]] = {
    "trim": (X_RULE, lambda v: golden.trim(v, FMT)),
    "sparq": (X_RULE, lambda v: golden.sparq(v, FMT)),
    "encode_pairs": (X_RULE, lambda v: golden.encode_pairs(v, FMT)),
    "exact_matmul x": (X_RULE, lambda v: golden.exact_matmul(v, W)),
    "sparq_matmul x": (X_RULE, lambda v: golden.sparq_matmul(v, W, FMT)),
    "sparq_matmul_2_4 x": (X_RULE, lambda v: golden.sparq_matmul_2_4(v, W, FMT)),
    "exact_matmul w": (W_RULE, lambda v: golden.exact_matmul(X, v)),
    "sparq_matmul w": (W_RULE, lambda v: golden.sparq_matmul(X, v, FMT)),
    "sparq_matmul_2_4 w": (W_RULE, lambda v: golden.sparq_matmul_2_4(X, v, FMT)),
    "pack_2_4 w": (W_RULE, lambda v: golden.pack_2_4(v)),
}


@pytest.mark.parametrize(("rule", "call"), TAKES_VALUES.values(), ids=TAKES_VALUES)
@pytest.mark.parametrize(("values", "error", "message"), BAD_VALUES, ids=short)
def test_values(
    rule: str, call: Callable[[Any], object], values: Any, error: type[Exception], message: str
) -> None:
    expect(lambda: call(values), error, f"{rule}, not {message}")


@pytest.mark.parametrize("value", [-1, 256])
def test_activation_just_outside(value: int) -> None:
    message = f"x must be integers from 0 to 255, not {value} (at index [1])"
    expect(lambda: golden.trim([0, value], FMT), ValueError, message)


# Shapes, axes and weight widths


def empty(*shape: int) -> Any:
    return np.zeros(shape, np.int8)


SHAPES: list[tuple[Any, Any, str]] = [
    (5, W, "x must have the shape (..., K), not ()"),
    (X, 1, "w must have the shape (K, N), not ()"),
    (X, [1, 1, 1], "w must have the shape (K, N), not (3,)"),
    (X, [[[1]]], "w must have the shape (K, N), not (1, 1, 1)"),
    (X, W[:2], "x (..., K) and w (K, N) must agree in K, not (2, 3) and (2, 2)"),
    (X[0, :2], W, "x (..., K) and w (K, N) must agree in K, not (2,) and (3, 2)"),
    ([], W, "x (..., K) and w (K, N) must agree in K, not (0,) and (3, 2)"),
    (empty(4, 0), empty(0, 2), "K must be at least 1, not 0 (x is (4, 0), w is (0, 2))"),
    (empty(0), empty(0, 0), "K must be at least 1, not 0 (x is (0,), w is (0, 0))"),
]

MATMULS: dict[str, Callable[..., object]] = {
    "exact_matmul": golden.exact_matmul,
    "sparq_matmul": lambda x, w, **more: golden.sparq_matmul(x, w, FMT, **more),
    "sparq_matmul_2_4": lambda x, w, **more: golden.sparq_matmul_2_4(x, w, FMT, **more),
}
every_matmul = pytest.mark.parametrize("matmul", MATMULS.values(), ids=MATMULS)


@every_matmul
@pytest.mark.parametrize(("x", "w", "message"), SHAPES, ids=short)
def test_shapes(matmul: Callable[..., object], x: Any, w: Any, message: str) -> None:
    expect(lambda: matmul(x, w), ValueError, message)


@every_matmul
@pytest.mark.parametrize(
    ("weight_bits", "error"),
    [
        (1, ValueError), (9, ValueError), (0, ValueError), (-8, ValueError), (2**70, ValueError),
        (np.int8(9), ValueError), (True, TypeError), (8.0, TypeError), (NAN, TypeError),
        ("8", TypeError), (None, TypeError), ([8], TypeError),
    ],
)  # fmt: skip
def test_weight_bits(
    matmul: Callable[..., object], weight_bits: Any, error: type[Exception]
) -> None:
    shown = int(weight_bits) if error is ValueError else repr(weight_bits)
    message = f"weight_bits must be an integer from 2 to 8, not {shown}"
    expect(lambda: matmul(X, W, weight_bits=weight_bits), error, message)


@pytest.mark.parametrize(
    ("x", "axis", "error", "message"),
    [
        (X, 2, ValueError, "axis 2 does not exist in an array of shape (2, 3)"),
        (X, -3, ValueError, "axis -3 does not exist in an array of shape (2, 3)"),
        (5, -1, ValueError, "axis -1 does not exist in an array of shape ()"),
        (5, 0, ValueError, "axis 0 does not exist in an array of shape ()"),
        ([], -1, ValueError, "K must be at least 1, not 0 (axis -1 of shape (0,))"),
        (empty(0, 3), 0, ValueError, "K must be at least 1, not 0 (axis 0 of shape (0, 3))"),
        (X, 0.0, TypeError, "axis must be an integer, not 0.0"),
        (X, NAN, TypeError, "axis must be an integer, not nan"),
        (X, None, TypeError, "axis must be an integer, not None"),
        (X, True, TypeError, "axis must be an integer, not True"),
        (X, "0", TypeError, "axis must be an integer, not '0'"),
        (X, (0,), TypeError, "axis must be an integer, not (0,)"),
    ],
    ids=short,
)
def test_axis(x: Any, axis: Any, error: type[Exception], message: str) -> None:
    expect(lambda: golden.sparq(x, FMT, axis=axis), error, message)


# Encoded pairs


@pytest.mark.parametrize("shape", [(), (0,), (3, 0)])
def test_nothing_to_encode(shape: tuple[int, ...]) -> None:
    message = f"x must have the shape (..., K) with K at least 1, not {shape}"
    expect(lambda: golden.encode_pairs(np.zeros(shape, np.uint8), FMT), ValueError, message)


OK = [[0, 0]]
APART = [[0, 1]]


def no_state(shift0: int, shift1: int, mux0: int, mux1: int, where: str = "[0]") -> str:
    given = f"ControlState(shift0={shift0}, shift1={shift1}, mux0={mux0}, mux1={mux1})"
    rule = "shift_ctrl and mux_ctrl must be one of fmt.control_states"
    return f"{rule}, not {given} (at index {where})"


LANE = "x must be integers from 0 to 15"
SHIFT_CTRL = "shift_ctrl must be integers from 0 to 4"
MUX_CTRL = "mux_ctrl must be integers from 0 to 1"
WORDS = "words must be integers from 0 to 8191"
ONE_SHAPE = "x, shift_ctrl and mux_ctrl must have one shape (..., P, 2)"
CONTROL = "the control code of words must be one of fmt.control_codes"


@pytest.mark.parametrize(
    ("fmt", "fields", "error", "message"),
    [
        (FMT, ([[0, 16]], OK, OK), ValueError, f"{LANE}, not 16 (at index [0, 1])"),
        (FMT, (OK, [[5, 0]], OK), ValueError, f"{SHIFT_CTRL}, not 5 (at index [0, 0])"),
        (FMT, (OK, OK, [[0, 2]]), ValueError, f"{MUX_CTRL}, not 2 (at index [0, 1])"),
        (FMT, (OK, OK, [[0, -1]]), ValueError, f"{MUX_CTRL}, not -1 (at index [0, 1])"),
        (FMT, ([[0.0, 0.0]], OK, OK), TypeError, f"{LANE}, not float64 (first value 0.0)"),
        (FMT, (OK, OK, [[False, True]]), TypeError, f"{MUX_CTRL}, not bool (first value False)"),
        (FMT, ([0, 0], [0, 0], [0, 0]), ValueError, f"{ONE_SHAPE}, not (2,), (2,) and (2,)"),
        (FMT, ([[0]], [[0]], [[0]]), ValueError, f"{ONE_SHAPE}, not (1, 1), (1, 1) and (1, 1)"),
        (FMT, (OK, OK * 2, OK), ValueError, f"{ONE_SHAPE}, not (1, 2), (2, 2) and (1, 2)"),
        (FMT, (OK, OK, 0), ValueError, f"{ONE_SHAPE}, not (1, 2), (1, 2) and ()"),
        (FMT, (OK, OK, OK), ValueError, no_state(0, 0, 0, 0)),
        (FMT, (OK, APART, [[1, 0]]), ValueError, no_state(0, 1, 1, 0)),
        (NO_VSPARQ, (OK, OK, OK), ValueError, no_state(0, 0, 0, 0)),
        (
            NO_VSPARQ, ([OK, OK], [OK, OK], [APART, [[1, 0]]]), ValueError,
            no_state(0, 0, 1, 0, "[1, 0]"),
        ),
        (SHARED, (OK, APART, APART), ValueError, no_state(0, 1, 0, 1)),
    ],
    ids=short,
)  # fmt: skip
@pytest.mark.parametrize("call", [golden.decode_pairs, golden.pack_pairs])
def test_encoded_fields(
    call: Callable[..., object], fmt: SparqFormat, fields: Any, error: type[Exception], message: str
) -> None:
    expect(lambda: call(EncodedPairs(*fields), fmt), error, message)


def test_fields_that_stand_for_more_than_a_byte() -> None:
    fields = EncodedPairs(*(np.array([[lane, lane]], np.uint8) for lane in (255, 0, 0)))
    message = "decoded activations must be integers from 0 to 255, not 510 (at index [0, 0])"
    expect(lambda: golden.decode_pairs(fields, SparqFormat(8, (0,))), ValueError, message)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ([0, 2**13], ValueError, f"{WORDS}, not {2**13} (at index [1])"),
        ([-1], ValueError, f"{WORDS}, not -1 (at index [0])"),
        ([0.0], TypeError, f"{WORDS}, not float64 (first value 0.0)"),
        (5 << 8, ValueError, "words must have the shape (..., P), not ()"),
        ([0, 28 << 8], ValueError, f"{CONTROL}, not 28 (word 7168 at index [1])"),
        ([[6143, 7936]], ValueError, f"{CONTROL}, not 23 (word 6143 at index [0, 0])"),
    ],
    ids=short,
)
def test_words(words: Any, error: type[Exception], message: str) -> None:
    expect(lambda: golden.unpack_pairs(words, FMT), error, message)


# Requantization

ACCUMULATORS = "accumulators must be integers from -2147483648 to 2147483647"
MULTIPLIER = "multiplier must be integers from 0 to 32767"
SHIFT = "shift must be integers from 0 to 46"
LIMITS = [f"{name} must be integers from 0 to 255" for name in ("low", "high")]
ORDER = "low must be at most high"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0, 2**31], 1, 0), ValueError, f"{ACCUMULATORS}, not {2**31} (at index [1])"),
        (([-(2**31) - 1], 1, 0), ValueError, f"{ACCUMULATORS}, not {-(2**31) - 1} (at index [0])"),
        (([1.0], 1, 0), TypeError, f"{ACCUMULATORS}, not float64 (first value 1.0)"),
        (([NAN], 1, 0), TypeError, f"{ACCUMULATORS}, not float64 (first value nan)"),
        (([True], 1, 0), TypeError, f"{ACCUMULATORS}, not bool (first value True)"),
        (([1], [2**15], 0), ValueError, f"{MULTIPLIER}, not 32768 (at index [0])"),
        (([1], [-1], 0), ValueError, f"{MULTIPLIER}, not -1 (at index [0])"),
        (([1], 0.5, 0), TypeError, f"{MULTIPLIER}, not float64 (first value 0.5)"),
        (([1], None, 0), TypeError, f"{MULTIPLIER}, not object (first value None)"),
        (([1], 1, [0, 47]), ValueError, f"{SHIFT}, not 47 (at index [1])"),
        (([1], 1, [-1]), ValueError, f"{SHIFT}, not -1 (at index [0])"),
        (([1], 1, 0.0), TypeError, f"{SHIFT}, not float64 (first value 0.0)"),
        (([1], 1, 0, 0, -1), ValueError, f"{LIMITS[0]}, not -1 (at index [])"),
        (([1], 1, 0, 0, 0, [256]), ValueError, f"{LIMITS[1]}, not 256 (at index [0])"),
        (([1], 1, 0, 0, 0.5), TypeError, f"{LIMITS[0]}, not float64 (first value 0.5)"),
        (([1], 1, 0, 0, 6, 5), ValueError, f"{ORDER}, not 6 where high is 5"),
        (([[1, 2]], 1, 0, 0, [[0], [9]], [9, 8]), ValueError, f"{ORDER}, not 9 where high is 8"),
    ],
    ids=short,
)
def test_requantize(arguments: Any, error: type[Exception], message: str) -> None:
    expect(lambda: requantize(*arguments), error, message)


@pytest.mark.parametrize(
    "scale", [-1, -5e-324, 2**15, 32768.0, 10**400, INF, -INF, NAN, np.float32(40000)], ids=short
)
def test_scale_out_of_range(scale: Any) -> None:
    message = f"scale must be from 0 to below 32768, not {scale}"
    expect(lambda: FixedPointScale.nearest(scale), ValueError, message)


@pytest.mark.parametrize("scale", ["1", None, True, 1j, [0.5]], ids=short)
def test_scale_is_not_a_number(scale: Any) -> None:
    message = f"scale must be a real number, not {scale!r}"
    expect(lambda: FixedPointScale.nearest(scale), TypeError, message)
