"""What works element by element, against onnxruntime: functions, constants, and two values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from networks.graph.elementwise import (
    Affine,
    Function,
    Largest,
    Product,
    Quotient,
    Smallest,
    Sum,
)
from networks.graph.movement import Concat
from networks.graph.operations import AveragePool, MatrixLayer, MaxPool
from sim_tb.networks.onnx_models import NEWEST_OPSET, Builder, kinds, number

IMAGE = (4, 5, 3)
SHAPES = [IMAGE, (6,), (3, 5)]


FUNCTIONS: list[tuple[str, dict[str, Any]]] = [
    ("Abs", {}),
    ("Celu", {"alpha": 0.7}),
    ("Elu", {}),
    ("Elu", {"alpha": 0.3}),
    ("Erf", {}),
    ("Exp", {}),
    ("Floor", {}),
    ("Gelu", {}),
    ("Gelu", {"approximate": "tanh"}),
    ("HardSwish", {}),
    ("LeakyRelu", {}),
    ("LeakyRelu", {"alpha": 0.3}),
    ("Mish", {}),
    ("Round", {}),
    ("Selu", {}),
    ("Sigmoid", {}),
    ("Sign", {}),
    ("Softplus", {}),
    ("Softsign", {}),
    ("Tanh", {}),
    ("ThresholdedRelu", {"alpha": 0.4}),
]


@pytest.mark.parametrize(("operator", "attributes"), FUNCTIONS, ids=str)
def test_functions(operator: str, attributes: dict[str, Any], check: Any) -> None:
    """One function each, of the image and behind a layer."""
    b = Builder(*IMAGE, opset=22)
    graph = check(b, b.pool("MaxPool", b.op(operator, "x", **attributes), 2, 1))
    assert kinds(graph) == [Function, MaxPool]
    b = Builder(*IMAGE, opset=22)
    x = b.op(operator, b.conv("x", 4, 6, 3), **attributes)
    graph = check(b, b.gemm(b.flatten(x), 18, 5))
    assert kinds(graph)[:2] == [MatrixLayer, Function]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("operator", ["Sqrt", "Log", "Reciprocal"])
def test_functions_of_positive_numbers(operator: str, shape: Any, check: Any) -> None:
    b = Builder(*shape)
    x = b.op("Add", b.op("Abs", "x"), number(0.1))
    assert kinds(check(b, b.op(operator, x))) == [Function]


def test_a_hard_sigmoid_is_part_of_its_layer(check: Any) -> None:
    cases: list[dict[str, Any]] = [{}, {"alpha": 1 / 6, "beta": 0.4}]
    for attributes in cases:
        b = Builder(*IMAGE)
        assert kinds(check(b, b.op("HardSigmoid", "x", **attributes))) == [Affine]
        b = Builder(*IMAGE)
        [node] = check(b, b.op("HardSigmoid", b.conv("x", 4, 6, 3), **attributes)).nodes
        assert isinstance(node.operation, MatrixLayer)
        assert node.clip == (0, 1)


def test_limits_of_a_scale_and_an_offset(check: Any) -> None:
    """Constants per channel and a ReLU, as a normalization before a layer is spelled out."""
    b = Builder(*IMAGE)
    x = b.op("Concat", "x", "x", axis=1)
    x = b.op("Add", b.op("Mul", x, b.random(8, 1, 1)), b.random(8, 1, 1))
    graph = check(b, b.conv(b.relu(x), 8, 3, 1))
    assert kinds(graph) == [Concat, Affine, MatrixLayer]
    assert graph.nodes[1].clip == (0, np.inf)
    b = Builder(*IMAGE)
    x = b.op("Min", b.op("Max", b.op("Abs", "x"), number(0.5)), number(0.2))
    assert kinds(check(b, x)) == [Function]


def test_a_sigmoid_at_the_end_is_left_out(check: Any) -> None:
    b = Builder(5)
    graph = check(b, b.op("Sigmoid", b.gemm("x", 5, 3)))
    assert kinds(graph) == [MatrixLayer]
    assert graph.ranking
    b = Builder(5)
    graph = check(b, b.op("Mul", b.op("Sigmoid", b.gemm("x", 5, 3)), number(2)))
    assert kinds(graph) == [MatrixLayer, Function]
    assert not graph.ranking


@pytest.mark.parametrize("slope", [(4, 1, 1), (1,), (1, 4, 1, 1)], ids=str)
def test_parametric_relu(slope: Any, check: Any) -> None:
    b = Builder(*IMAGE)
    slopes = b.rng.normal(size=slope).astype(np.float32)
    assert kinds(check(b, b.op("PRelu", "x", slopes))) == [Function]


@pytest.mark.parametrize("exponent", [2, 3, 0.5, -1, 1.7])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_powers(exponent: float, dtype: type, check: Any) -> None:
    b = Builder(*IMAGE)
    x = b.op("Add", b.op("Abs", "x"), number(0.1))
    if dtype is np.float32 or exponent == int(exponent):
        assert kinds(check(b, b.op("Pow", x, np.array(exponent, dtype)))) == [Function]


# --- chains: one function each, recognized as what they compute


def silu(b: Builder, x: str) -> str:
    return b.op("Mul", x, b.op("Sigmoid", x))


def hard_swish(b: Builder, x: str) -> str:
    gate = b.op("Clip", b.op("Add", x, number(3)), number(0), number(6))
    return b.op("Div", b.op("Mul", x, gate), number(6))


def hard_swish_of_a_sigmoid(b: Builder, x: str) -> str:
    return b.op("Mul", x, b.op("HardSigmoid", x, alpha=1 / 6, beta=0.5))


def gelu(b: Builder, x: str) -> str:
    half = b.op("Mul", x, b.op("Add", b.op("Erf", b.op("Div", x, number(2**0.5))), number(1)))
    return b.op("Mul", half, number(0.5))


def gelu_of_tanh(b: Builder, x: str) -> str:
    cube = b.op("Mul", number(0.044715), b.op("Pow", x, number(3)))
    inner = b.op("Mul", b.op("Add", x, cube), number((2 / np.pi) ** 0.5))
    step = b.op("Add", number(1), b.op("Tanh", inner))
    return b.op("Mul", b.op("Mul", x, number(0.5)), step)


def mish(b: Builder, x: str) -> str:
    return b.op("Mul", x, b.op("Tanh", b.op("Softplus", x)))


def arithmetic(b: Builder, x: str) -> str:
    y = b.op("Sub", number(2), b.op("Max", b.op("Neg", x), number(-0.5)))
    y = b.op("Min", b.op("Pow", y, number(2)), b.op("Add", b.op("Abs", x), number(3)))
    return b.op("Div", y, b.op("Add", b.op("Mul", x, x), number(1)))


CHAINS = [silu, hard_swish, hard_swish_of_a_sigmoid, gelu, gelu_of_tanh, mish, arithmetic]


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_chains(chain: Callable[[Builder, str], str], shape: Any, check: Any) -> None:
    b = Builder(*shape)
    assert kinds(check(b, chain(b, "x"))) == [Function]
    b = Builder(*shape)
    assert kinds(check(b, chain(b, chain(b, "x")))) == [Function]


def test_a_chain_whose_values_are_needed_elsewhere(check: Any) -> None:
    """A value that a layer takes, and a function of it: each is one function of the first."""
    b = Builder(*IMAGE)
    x = silu(b, b.conv("x", 4, 4, 1))
    graph = check(b, b.op("Add", b.conv(x, 4, 4, 1), gelu(b, x)))
    assert kinds(graph) == [MatrixLayer, Function, MatrixLayer, Function, Sum]
    functions = [node for node in graph.nodes if isinstance(node.operation, Function)]
    assert {node.inputs for node in functions} == {(graph.nodes[0].output,)}


def test_functions_with_constants_per_channel(check: Any) -> None:
    b = Builder(*IMAGE)
    x = b.op("Mul", b.op("Sigmoid", "x"), b.random(4, 1, 1))
    graph = check(b, b.op("Add", b.op("Mul", x, x), b.random(1, 4, 1, 1)))
    assert kinds(graph) == [Function]
    assert isinstance(graph.nodes[0].operation, Function)
    assert graph.nodes[0].operation.expression.channels == 4


# --- constants


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
@pytest.mark.parametrize("constant_first", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (4, 1, 1), (1, 4, 1, 1)], ids=str)
def test_constants(operator: str, constant_first: bool, shape: Any, check: Any) -> None:
    b = Builder(*IMAGE)
    constant = b.rng.uniform(0.2, 2, size=shape).astype(np.float32)
    x = b.op("Add", b.op("Abs", "x"), number(0.1))
    check(b, b.op(operator, *((constant, x) if constant_first else (x, constant))))
    b = Builder(*IMAGE)
    x = b.conv("x", 4, 4, 1)
    x = b.op("Add", b.op("Abs", x), number(1)) if operator == "Div" and constant_first else x
    graph = check(b, b.op(operator, *((constant, x) if constant_first else (x, constant))))
    if (operator == "Div" and constant_first) or (operator in ("Max", "Min") and constant.size > 1):
        assert kinds(graph) == [MatrixLayer, Function]
    else:
        assert kinds(graph) == [MatrixLayer]


@pytest.mark.parametrize("operator", ["Add", "Mul"])
@pytest.mark.parametrize(
    ("image", "shape"),
    [(IMAGE, (5, 3)), (IMAGE, (4, 5, 1)), (IMAGE, (3,)), (IMAGE, (1, 4, 5, 3)), ((3, 5), (3, 1)),
     ((3, 5), (1, 3, 5)), ((3, 5), (5,))],
    ids=str,
)  # fmt: skip
def test_constants_of_other_shapes(operator: str, image: Any, shape: Any, check: Any) -> None:
    b = Builder(*image)
    graph = check(b, b.op(operator, "x", b.rng.normal(size=shape).astype(np.float32)))
    assert kinds(graph) == [Affine]


def test_constants_around_a_layer(check: Any) -> None:
    """A normalization before it is a node of its own; what comes after it is part of it."""
    b = Builder(*IMAGE)
    x = b.op("Div", b.op("Sub", "x", b.random(4, 1, 1)), np.full((4, 1, 1), 2, np.float32))
    x = b.op("Sub", b.op("Mul", b.conv(x, 4, 6, 3), b.random(6, 1, 1)), number(0.5))
    assert kinds(check(b, b.relu(x))) == [Affine, MatrixLayer]
    b = Builder(*IMAGE)
    x = b.op("Clip", b.op("Add", b.conv("x", 4, 4, 1), number(3)), number(0), number(6))
    [node] = check(b, b.op("Div", x, number(6))).nodes
    assert node.clip == pytest.approx((0, 1))
    b = Builder(5)
    assert kinds(check(b, b.op("Div", b.gemm("x", 5, 3), number(0.7)))) == [MatrixLayer]


@pytest.mark.parametrize("limits", [(0.5, 1.0), (-1.0, -0.25)])
def test_limits_without_0(limits: tuple[float, float], check: Any) -> None:
    b = Builder(*IMAGE)
    check(b, b.op("Clip", b.conv("x", 4, 5, 1), *map(number, limits)))


# --- two and more values


OPERATORS = {
    "Add": Sum,
    "Sub": Sum,
    "Mul": Product,
    "Div": Quotient,
    "Max": Largest,
    "Min": Smallest,
}


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_two_values(operator: str, shape: Any, check: Any) -> None:
    b = Builder(*shape, opset=13)
    other = b.op("Add", b.op("Abs", b.op("Concat", "x", axis=1)), number(0.5))
    other = b.op("Slice", other, *map(b.constant, ([-1], [-100], [1], [-1])))
    graph = check(b, b.op(operator, "x", other))
    assert kinds(graph)[-1] == OPERATORS[operator]


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("gate_first", [False, True])
def test_broadcasting(operator: str, gate_first: bool, check: Any) -> None:
    """A gate for each channel, as in squeeze-and-excite blocks, and one for each pixel."""
    b = Builder(*IMAGE)
    x = b.op("Add", b.op("Abs", "x"), number(0.5))
    gate = b.op("Sigmoid", b.conv(b.op("GlobalAveragePool", x), 4, 4, 1))
    graph = check(b, b.op(operator, *((gate, x) if gate_first else (x, gate))))
    assert kinds(graph) == [Function, AveragePool, MatrixLayer, Function, OPERATORS[operator]]
    b = Builder(*IMAGE)
    x = b.op("Add", b.op("Abs", "x"), number(0.5))
    gate = b.op("Sigmoid", b.conv("x", 4, 1, 1))
    graph = check(b, b.op(operator, *((gate, x) if gate_first else (x, gate))))
    assert kinds(graph) == [Function, MatrixLayer, Function, OPERATORS[operator]]


@pytest.mark.parametrize("operator", ["Sum", "Mean", "Max", "Min"])
def test_many_values(operator: str, check: Any) -> None:
    b = Builder(*IMAGE)
    values = [b.conv("x", 4, 4, 1) for _ in range(3)]
    assert kinds(check(b, b.op(operator, *values)))[-1] in (Sum, Largest, Smallest)
    b = Builder(*IMAGE)
    check(b, b.op(operator, "x"))


@pytest.mark.parametrize("opset", [11, NEWEST_OPSET])
def test_a_squeeze_and_excite_block(opset: int, check: Any) -> None:
    b = Builder(8, 6, 6, opset=opset)
    x = hard_swish(b, b.norm(b.conv("x", 8, 8, 3, pad=1, groups=8), 8))
    y = b.relu(b.conv(b.op("GlobalAveragePool", x), 8, 4, 1))
    y = b.op("Mul", x, b.op("HardSigmoid", b.conv(y, 4, 8, 1)))
    graph = check(b, b.op("Add", b.conv(y, 8, 8, 1), "x"))
    assert kinds(graph) == [
        *(MatrixLayer, Function, AveragePool, MatrixLayer),
        *(MatrixLayer, Product, MatrixLayer, Sum),
    ]
