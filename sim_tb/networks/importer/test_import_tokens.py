"""Models of tokens and masks against onnxruntime: embeddings, masked softmax and mean."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from networks.graph.attention import MaskedMean, Softmax
from networks.graph.embedding import Embedding
from networks.graph.graph import Graph
from networks.importer import ModelError, import_onnx, reference_model
from networks.quantization.arithmetic import exact
from networks.quantization.calibration import calibrate
from networks.quantization.quantize import quantize
from sim_tb.networks.onnx_models import Builder, kinds, number

ROWS, WIDTH, LENGTH = 11, 8, 6
Ints = npt.NDArray[np.int64]


class TokenBuilder(Builder):
    """A model of ids ``ids``, and of a mask ``mask``, (N, length)."""

    def token_model(self, output: str, *names: str) -> onnx.ModelProto:
        model = self.model(output)
        del model.graph.input[:]
        model.graph.input.extend(
            helper.make_tensor_value_info(name, TensorProto.INT64, ("N", "length"))
            for name in names
        )
        return model

    def embedded(self) -> str:
        """Rows for tokens, and for positions."""
        positions = np.arange(LENGTH)[np.newaxis]
        rows = self.op("Gather", self.random(ROWS, WIDTH), "ids")
        return self.op("Add", rows, self.op("Gather", self.random(16, WIDTH), positions))

    def unsqueezed(self, *axes: int) -> str:
        """The mask with more axes."""
        x = "mask"
        for axis in axes:
            x = self.op("Unsqueeze", x, self.constant([axis]))
        return x

    def scores(self, x: str) -> str:
        turned = self.op("Transpose", x, perm=[0, 2, 1])
        return self.op("Div", self.op("MatMul", x, turned), number(2))

    def attention(self, x: str, penalty: float) -> str:
        mask = self.op("Cast", self.unsqueezed(1), to=TensorProto.FLOAT)
        below = self.op("Mul", self.op("Sub", number(1), mask), number(penalty))
        weights = self.op("Softmax", self.op("Add", self.scores(x), below), axis=-1)
        return self.op("MatMul", weights, x)

    def filled(self, spelling: str) -> str:
        """Scores that a condition takes away, as exporters spell it."""
        x, least = self.embedded(), number(-3.4028235e38)
        scores, mask = self.scores(x), self.unsqueezed(1)
        as_float = {"to": TensorProto.FLOAT}
        if spelling == "added":
            outside = self.op("Sub", number(1), self.op("Cast", mask, **as_float))
            chosen = self.op("Cast", outside, to=TensorProto.BOOL)
            scores = self.op("Add", scores, self.op("Where", chosen, least, outside))
        elif spelling == "equal":
            chosen = self.op("Equal", mask, self.constant(0))
            chosen = self.op("Expand", chosen, self.constant([1, LENGTH, LENGTH]))
            scores = self.op("Where", chosen, number(-np.inf), scores)
        elif spelling == "kept":
            scores = self.op("Where", self.op("Cast", mask, to=TensorProto.BOOL), scores, least)
        else:
            chosen = self.op("Not", self.op("Cast", mask, to=TensorProto.BOOL))
            below = self.op("Where", chosen, number(-1e4), number(0))
            scores = self.op("Add", below, scores)
        return self.op("MatMul", self.op("Softmax", scores, axis=-1), x)

    def mean(self, x: str) -> str:
        """As sentence-transformers spells it."""
        shape = self.constant([1, LENGTH, WIDTH])
        mask = self.op("Expand", self.unsqueezed(2), shape)
        mask = self.op("Cast", mask, to=TensorProto.FLOAT)
        axes = self.constant([1])
        total = self.op("ReduceSum", self.op("Mul", x, mask), axes, keepdims=0)
        count = self.op("ReduceSum", mask, axes, keepdims=0)
        return self.op("Div", total, self.op("Clip", count, number(1e-9), ""))


def inputs(count: int = 5) -> tuple[Ints, Ints]:
    rng = np.random.default_rng(5)
    lengths = np.array([LENGTH, 1, *rng.integers(1, LENGTH + 1, count - 2)])
    mask = (np.arange(LENGTH) < lengths[:, np.newaxis]).astype(np.int64)
    return rng.integers(0, ROWS, (count, LENGTH)), mask


def compared(model: onnx.ModelProto, folder: Path, *values: Ints) -> Graph:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    graph = import_onnx(path, None, (1, LENGTH))
    names = [value.name for value in model.graph.input]
    assert graph.tokens == tuple(names)
    assert graph.input_shape == (len(names), LENGTH)
    session = onnxruntime.InferenceSession(
        reference_model(path, None, (1, LENGTH)), providers=["CPUExecutionProvider"]
    )
    assert [value.name for value in session.get_inputs()] == names
    [expected] = session.run(None, dict(zip(names, values, strict=True)))
    measured = graph.forward(np.stack(values, axis=1).astype(np.float64))
    np.testing.assert_allclose(measured, expected, rtol=0, atol=1e-3 * np.abs(expected).max())
    return graph


@pytest.mark.parametrize("penalty", [-3.4028235e38, -10000.0])
def test_masks_count_nothing(penalty: float, tmp_path: Path) -> None:
    """In floating point and in integers, whatever tokens stand behind a mask of 0."""
    b = TokenBuilder(LENGTH)
    check_masks(b, b.mean(b.attention(b.embedded(), penalty)), tmp_path)


@pytest.mark.parametrize("spelling", ["added", "equal", "kept", "numbers"])
def test_conditions_on_masks(spelling: str, tmp_path: Path) -> None:
    """Where, Equal and Not, in the places that exporters put them in."""
    b = TokenBuilder(LENGTH)
    check_masks(b, b.mean(b.filled(spelling)), tmp_path)


def check_masks(b: TokenBuilder, output: str, tmp_path: Path) -> None:
    ids, mask = inputs()
    graph = compared(b.token_model(output, "ids", "mask"), tmp_path, ids, mask)
    made = kinds(graph)
    assert made.count(Softmax) == made.count(MaskedMean) == made.count(Embedding) == 1
    [softmax] = [node for node in graph.nodes if isinstance(node.operation, Softmax)]
    assert len(softmax.inputs) == 2
    x = np.stack([ids, mask], axis=1)
    other = np.stack([np.where(mask == 1, ids, ROWS - 1), mask], axis=1)
    assert (x != other).any()
    network = quantize(graph, calibrate(graph, [x.astype(np.float64)], "max"))
    first, second = (network.forward(network.quantize_images(each), exact) for each in (x, other))
    np.testing.assert_array_equal(first, second)
    step, zero_point = network.quantizations[network.output]
    real = graph.forward(x.astype(np.float64))
    assert np.abs((first.astype(float) - zero_point) * step - real).max() < 0.05


def test_a_small_penalty_is_no_mask(tmp_path: Path) -> None:
    b = TokenBuilder(LENGTH)
    model = b.token_model(b.attention(b.embedded(), -2.0), "ids", "mask")
    graph = compared(model, tmp_path, *inputs())
    [softmax] = [node for node in graph.nodes if isinstance(node.operation, Softmax)]
    assert len(softmax.inputs) == 1


def test_a_mean_over_another_mask_is_none(tmp_path: Path) -> None:
    """Over all positions."""
    b = TokenBuilder(LENGTH)
    x = b.embedded()
    mask = b.op("Cast", b.unsqueezed(2), to=TensorProto.FLOAT)
    axes = b.constant([1])
    total = b.op("ReduceSum", b.op("Mul", x, mask), axes, keepdims=0)
    graph = compared(
        b.token_model(b.op("Div", total, number(LENGTH)), "ids", "mask"), tmp_path, *inputs()
    )
    assert MaskedMean not in kinds(graph)


def condition(b: TokenBuilder) -> str:
    return b.op("Cast", b.unsqueezed(1), to=TensorProto.BOOL)


@pytest.mark.parametrize(
    ("output", "names", "message"),
    [
        (lambda b: b.op("Gather", b.random(4, 3, 2), "ids"), ("ids",),
         "node '/Gather_0' (Gather): rows must be taken from a matrix, not from the shape "
         "(4, 3, 2)"),
        (lambda b: b.op("Gather", b.random(4, 3), b.op("Cast", "ids", to=TensorProto.FLOAT)),
         ("ids",),
         "node '/Gather_1' (Gather): input 1 must be of integers, as an input of the model has "
         "them"),
        (lambda b: b.op("Where", condition(b), b.scores(b.embedded()), number(-9.0)),
         ("ids", "mask"),
         "node '/Where_9' (Where): a condition must choose between two numbers, or a value and a "
         "number of at most -1000"),
        (lambda b: b.op("Where", condition(b), "mask", "mask"), ("mask",),
         "node '/Where_3' (Where): a condition must choose between two numbers, or a value and a "
         "number of at most -1000"),
        (lambda b: b.op("Where", condition(b), number(0), b.random(LENGTH)), ("mask",),
         "node '/Where_3' (Where): input 2 must be one number, not 6"),
        (lambda b: b.op("Equal", "mask", b.random(LENGTH)), ("mask",),
         "node '/Equal_0' (Equal): input 1 must be one number, not 6"),
        (lambda b: b.op("Equal", b.op("Cast", "mask", to=TensorProto.FLOAT), number(0)), ("mask",),
         "node '/Equal_1' (Equal): an input of integers must be compared with a constant, and "
         "nothing else"),
        (lambda b: b.op("Softmax", b.op("Where", b.op("Equal", "ids", b.constant(0)), number(-1e4),
                                        b.op("ReduceMean", b.embedded(), axes=[2], keepdims=0))),
         ("ids",),
         "/Where_6/penalty: a mask must be an input of 0 and 1, not be made of tokens"),
    ],
)  # fmt: skip
def test_errors(output: Any, names: tuple[str, ...], message: str, tmp_path: Path) -> None:
    b = TokenBuilder(LENGTH)
    path = tmp_path / "model.onnx"
    path.write_bytes(b.token_model(output(b), *names).SerializeToString())
    with pytest.raises(ModelError) as caught:
        import_onnx(path, None, (1, LENGTH))
    assert str(caught.value) == f"model.onnx: {message}"


def test_inputs_of_several_shapes(tmp_path: Path) -> None:
    b = TokenBuilder(LENGTH)
    model = b.token_model(b.mean(b.embedded()), "ids", "mask")
    sizes = model.graph.input[1].type.tensor_type.shape.dim
    path = tmp_path / "model.onnx"
    sizes.add().dim_value = 3
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError) as caught:
        import_onnx(path)
    assert str(caught.value) == (
        "model.onnx: input 'ids' has the shape (N, length): all dimensions but the first must be "
        "known, or given by --input-shape"
    )
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = LENGTH
    sizes[1].dim_value = LENGTH
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError) as caught:
        import_onnx(path)
    assert str(caught.value) == (
        "model.onnx: input 'mask' of integers must have the shape (N, length), not (N, 6, 3)"
    )
    del sizes[2]
    sizes[1].dim_value = LENGTH + 1
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError) as caught:
        import_onnx(path)
    assert str(caught.value) == "model.onnx: the inputs 'ids', 'mask' must have one shape"
