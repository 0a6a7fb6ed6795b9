"""Models that cannot be imported, and the one line that says why."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from networks.importer import ModelError, import_onnx
from networks.importer.operators import OPERATORS
from sim_tb.networks.onnx_models import NEWEST_OPSET, Builder, lenet

IMAGE = (4, 9, 7)


def error(data: bytes | onnx.ModelProto, folder: Path) -> str:
    """The message for a file of these bytes, without its name."""
    path = folder / "model.onnx"
    path.write_bytes(data if isinstance(data, bytes) else data.SerializeToString())
    with pytest.raises(ModelError) as caught:
        import_onnx(path)
    text = str(caught.value)
    assert text.startswith("model.onnx: ")
    assert "\n" not in text
    return text.removeprefix("model.onnx: ")


def test_no_file(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path / "none.onnx", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(ModelError) as caught:
            import_onnx(path)
        assert str(caught.value) == f"cannot read {path}: {reason}"


DAMAGED = "not an ONNX model, or a damaged one"
NO_GRAPH = "not an ONNX model: there is no graph in it"


def test_no_model(tmp_path: Path) -> None:
    assert error(b"", tmp_path) == NO_GRAPH
    assert error(b"garbage", tmp_path) == DAMAGED
    assert error(b"\x08\x08", tmp_path) == NO_GRAPH
    assert error(bytes(1000), tmp_path) == DAMAGED


def test_truncated(tmp_path: Path) -> None:
    data = lenet().SerializeToString()
    for length in (1, len(data) // 2, len(data) - 1):
        assert error(data[:length], tmp_path) == DAMAGED


def test_unsupported_operator(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    supported = f"this operator is not supported; supported are {', '.join(sorted(OPERATORS))}"
    assert error(b.model(b.op("Gru", "x")), tmp_path) == f"node '/Gru_0' (Gru): {supported}"
    b.nodes[0].domain = "ai.onnx.ml"
    assert error(b.model("/Gru_0_output_0"), tmp_path) == (
        f"node '/Gru_0' (ai.onnx.ml.Gru): {supported}"
    )
    b.nodes[0].name = ""
    assert error(b.model("/Gru_0_output_0"), tmp_path) == (
        f"node '/Gru_0_output_0' (ai.onnx.ml.Gru): {supported}"
    )


def test_every_operator_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs/evaluation.md").read_text(encoding="utf-8")
    words = set(re.findall(r"\w+", text))
    assert not set(OPERATORS) - words


def test_subgraphs(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    branch = helper.make_graph([], "branch", [], [])
    condition = b.op("If", b.constant(True, np.bool_), then_branch=branch, else_branch=branch)
    assert error(b.model(condition), tmp_path).startswith(
        "node '/If_1' (If): this operator is not supported; supported are Abs, Add, AveragePool, "
    )


@pytest.mark.parametrize("opset", [6, NEWEST_OPSET + 1])
def test_operator_sets(opset: int, tmp_path: Path) -> None:
    b = Builder(*IMAGE, opset=opset)
    assert error(b.model(b.relu("x")), tmp_path) == (
        f"operator set {opset} is not supported: export with 7 to {NEWEST_OPSET}"
    )
    model = b.model(b.relu("x"))
    del model.opset_import[:]
    assert error(model, tmp_path) == "it does not say which operator set it uses"


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((3, "H", "W"), "N, 3, H, W"), ((3, None, 8), "N, 3, ?, 8"), ((0, 8, 8), "N, 0, 8, 8"),
     ((3, -1, 8), "N, 3, -1, 8")],
)  # fmt: skip
def test_unknown_shape(shape: tuple[int | str | None, ...], shown: str, tmp_path: Path) -> None:
    b = Builder(*shape)
    assert error(b.model(b.relu("x")), tmp_path) == (
        f"input 'x' has the shape ({shown}): all dimensions but the first must be known, "
        "or given by --input-shape"
    )


def test_inputs(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    b.input.type.tensor_type.ClearField("shape")
    assert error(b.model(b.relu("x")), tmp_path) == "input 'x' must have a shape, the batch first"
    b.input.type.tensor_type.elem_type = TensorProto.STRING
    assert error(b.model(b.relu("x")), tmp_path) == (
        "input 'x' is not a tensor of floats, or of integers"
    )
    model = b.model(b.relu("x"))
    del model.graph.input[:]
    assert error(model, tmp_path) == "it has no input"
    b = Builder(2**20, 2**20)
    assert error(b.model(b.relu("x")), tmp_path) == (
        "input 'x' has 1099511627776 elements: too many"
    )
    b = Builder(*IMAGE)
    assert error(b.model(b.op("Add", "x", "y")), tmp_path) == (
        "node '/Add_0' (Add): its input 'y' is made by no node before it"
    )


def test_outputs(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    assert error(b.model(b.relu("x"), kind=TensorProto.INT64), tmp_path) == (
        "no output is a tensor of floats"
    )
    model = b.model("y")
    scores = helper.make_map_type_proto(TensorProto.INT64, model.graph.output[0].type)
    model.graph.output[0].type.CopyFrom(helper.make_sequence_type_proto(scores))
    assert error(model, tmp_path) == "no output is a tensor of floats"
    assert error(b.model("y"), tmp_path) == "the output 'y' does not depend on the input"
    assert error(b.model(b.constant([1.0], np.float32)), tmp_path) == (
        "the output '/Constant_1_output_0' does not depend on the input"
    )


def test_values_made_twice(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    b.relu(b.relu("x"))
    b.nodes[1].output[0] = "x"
    assert error(b.model("x"), tmp_path) == "node '/Relu_1' (Relu): the value 'x' is made twice"


def test_a_batch_that_is_not_first(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    assert error(b.model(b.op("Transpose", "x", perm=[1, 0, 2, 3])), tmp_path) == (
        "the batch must be the first axis of the output"
    )


def test_names(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    x = b.op("ReduceMean", b.relu("x"), axes=[2, 3], keepdims=0)
    b.nodes[0].name = b.nodes[1].name + "/pool"
    assert error(b.model(x), tmp_path) == "nodes, or values, have the same name"
    data = b.model(x).SerializeToString().replace(b"/Relu_0_output", b"/Relu_0_outp\xff\xff")
    assert error(data, tmp_path) == (
        "node '/ReduceMean_1/pool' (Relu): the name b'/Relu_0_outp\\xff\\xff_0' is not text"
    )


def test_oversized_tensors(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    convolution = b.conv("x", 4, 6, 3)
    where = "node '/Conv_0' (Conv): "
    b.weights[0].dims[0] = 7
    assert error(b.model(convolution), tmp_path).startswith(f"{where}tensor 'w0' is damaged: ")
    b.weights[0].dims[0] = 2**40
    assert error(b.model(convolution), tmp_path) == (
        f"{where}tensor 'w0' has the shape (1099511627776, 4, 3, 3): too large"
    )
    b.weights[0].dims[0] = -6
    assert error(b.model(convolution), tmp_path) == (
        f"{where}tensor 'w0' has the shape (-6, 4, 3, 3): too large"
    )


def test_external_data(tmp_path: Path) -> None:
    b = Builder(*IMAGE)
    model = b.model(b.conv("x", 4, 6, 3))
    onnx.save(model, tmp_path / "saved.onnx", save_as_external_data=True, location="data",
              size_threshold=0)  # fmt: skip
    saved = (tmp_path / "saved.onnx").read_bytes()
    where = "node '/Conv_0' (Conv): tensor 'w0' is damaged: "
    (tmp_path / "data").write_bytes(b"short")
    assert error(saved, tmp_path).startswith(where)
    (tmp_path / "data").unlink()
    assert error(saved, tmp_path) == (
        "node '/Conv_0' (Conv): the file 'data' with the data of tensor 'w0' is missing; "
        "it must lie beside the model"
    )
    outside = saved.replace(b"data", b"/dev")
    assert error(outside, tmp_path).startswith(where)


def operator_errors() -> dict[str, tuple[Callable[[Builder], str], str]]:
    """For each case, the operator that fails and the text."""
    return {
        "weights that are not finite": (
            lambda b: b.op("Conv", "x", np.full((6, 4, 3, 3), np.nan, np.float32)),
            "input 1 has elements that are not finite",
        ),
        "weights that are no floats": (
            lambda b: b.op("Conv", "x", np.ones((6, 4, 3, 3), np.int32)),
            "input 1 must be of floats, not int32",
        ),
        "weights that are not constant": (
            lambda b: b.op("Conv", "x", "x"),
            "input 1 must be a constant",
        ),
        "no image": (
            lambda b: b.op("Conv", b.random(1, 4, 9, 7), b.random(6, 4, 3, 3)),
            "input 0 must depend on the image",
        ),
        "channels": (
            lambda b: b.conv("x", 5, 6, 3),
            "weights of the shape (6, 5, 3, 3), groups 1, do not fit 4 channels",
        ),
        "groups": (
            lambda b: b.op("Conv", "x", b.random(5, 2, 3, 3), group=2),
            "weights of the shape (5, 2, 3, 3), groups 2, do not fit 4 channels",
        ),
        "kernel larger than the image": (
            lambda b: b.conv("x", 4, 6, 8),
            "a padded image side of 7 must be at least the kernel's extent, 8",
        ),
        "strides of 0": (
            lambda b: b.conv("x", 4, 6, 3, stride=0),
            "attribute strides must be 2 integers of at least 1, not [0, 0]",
        ),
        "attribute of another type": (
            lambda b: b.op("Conv", "x", b.random(6, 4, 3, 3), group=1.0),
            "attribute group must be of type int",
        ),
        "padding of terabytes": (
            lambda b: b.conv("x", 4, 6, 3, pad=2**30, stride=2**30),
            "padding of (1073741824, 1073741824, 1073741824, 1073741824) is too large",
        ),
        "value of terabytes": (
            lambda b: b.op("Pad", "x", b.constant([0, 0, 0, 0, 0, 2**40, 0, 0])),
            "a value of the shape (9, 7, 1099511627780) is too large, or empty",
        ),
        "constant of terabytes": (
            lambda b: b.op("ConstantOfShape", b.constant([2**20, 2**20])),
            "a constant of up to 1099511627776 elements is too large",
        ),
        "range of terabytes": (
            lambda b: b.op("Range", *map(b.constant, (0, 2**40, 1))),
            "a constant of up to 1099511627776 elements is too large",
        ),
        "batch in a reshape": (
            lambda b: b.op("Reshape", "x", b.constant([-1, 9, 7])),
            "must keep the batch axis",
        ),
        "batch in a transpose": (
            lambda b: b.relu(b.op("Transpose", "x", perm=[1, 0, 2, 3])),
            "must keep the batch axis",
        ),
        "batch in a slice": (
            lambda b: b.op("Slice", "x", *map(b.constant, ([0], [1], [0]))),
            "must keep the batch axis",
        ),
        "batch in a concatenation": (
            lambda b: b.op("Concat", "x", "x", axis=0),
            "must keep the batch axis",
        ),
        "batch in a flatten": (
            lambda b: b.op("Flatten", "x", axis=2),
            "must keep the batch axis",
        ),
        "reshape": (
            lambda b: b.op("Reshape", "x", b.constant([1, 5, -1])),
            "the shape (1, 4, 9, 7) cannot become (1, 5, -1)",
        ),
        "axis": (
            lambda b: b.op("Concat", "x", "x", axis=4),
            "there is no axis 4 in a value of rank 4",
        ),
        "empty slice": (
            lambda b: b.op("Slice", "x", *map(b.constant, ([3], [3], [2]))),
            "a value of the shape (0, 7, 4) is too large, or empty",
        ),
        "limits out of order": (
            lambda b: b.op("Clip", "x", b.constant(1, np.float32), b.constant(0.5, np.float32)),
            "the limits must be in order, not be 1.0 and 0.5",
        ),
        "limits that are no numbers": (
            lambda b: b.op("Clip", "x", b.constant(np.nan, np.float32)),
            "the limits must be in order, not be nan and inf",
        ),
        "constant of other images": (
            lambda b: b.op("Add", "x", b.random(9, 6)),
            "a constant of the shape (9, 6) does not fit images of (4, 9, 7)",
        ),
        "slopes per pixel": (
            lambda b: b.op("PRelu", "x", b.random(9, 7)),
            "a constant of the shape (9, 7) is not one per channel, of 4",
        ),
        "addition without broadcasting": (
            lambda b: b.op("Add", "x", b.pool("MaxPool", "x", 2, 2)),
            "values to add must have shapes that broadcast, not (9, 7, 4), (4, 3, 4)",
        ),
        "product of two ranks": (
            lambda b: b.op("Mul", "x", b.flatten("x")),
            "values must have one rank, not the shapes (4, 9, 7), (252,)",
        ),
        "division by 0": (
            lambda b: b.op("Div", "x", np.zeros(1, np.float32)),
            "a constant divisor must not be 0",
        ),
        "exponent of each": (
            lambda b: b.op("Pow", "x", b.random(4, 1, 1)),
            "the exponent must be a constant of one element",
        ),
        "several numbers compared with two values": (
            lambda b: b.op("Max", "x", "x", b.random(1)),
            "constants must be compared with one value",
        ),
        "approximation": (
            lambda b: b.op("Gelu", "x", approximate="best"),
            "the approximation 'best' is not supported",
        ),
        "quantized already": (
            lambda b: b.op("QuantizeLinear", "x", np.array(0.1, np.float32)),
            "the model is already quantized: give the float model",
        ),
        "split": (
            lambda b: b.op("Split", "x", b.constant([1, 2]), outputs=2, axis=1),
            "4 positions cannot be split into 2, of [1, 2]",
        ),
        "gathered beyond": (
            lambda b: b.op("Gather", "x", b.constant([4]), axis=1),
            "indices must be from -4 to 3",
        ),
        "expanded batch": (
            lambda b: b.op("Expand", "x", b.constant([2, 4, 9, 7])),
            "must keep the batch axis",
        ),
        "cubic": (
            lambda b: b.op("Resize", "x", "", b.constant([1, 1, 2, 2], np.float32), mode="cubic"),
            "the mode must be nearest or linear, not 'cubic'",
        ),
        "resized channels": (
            lambda b: b.op("Resize", "x", "", b.constant([1, 2, 2, 2], np.float32)),
            "images and channels must stay as many as they are",
        ),
        "resized by a box": (
            lambda b: b.op(
                *("Resize", "x", "", b.constant([1, 1, 2, 2], np.float32)),
                coordinate_transformation_mode="tf_crop_and_resize",
            ),
            "the coordinate transformation 'tf_crop_and_resize' is not supported",
        ),
        "blocks of channels": (
            lambda b: b.op("DepthToSpace", "x", blocksize=3),
            "blocks of 3 by 3 do not fit 4 channels",
        ),
        "blocks of pixels": (
            lambda b: b.op("SpaceToDepth", "x", blocksize=2),
            "blocks of 2 by 2 do not fit an image of 9 by 7",
        ),
        "channels of a transposed convolution": (
            lambda b: b.op("ConvTranspose", "x", b.random(5, 2, 3, 3)),
            "weights of the shape (5, 2, 3, 3), groups 1, do not fit 4 channels",
        ),
        "product of two values": (
            lambda b: b.op("MatMul", "x", "x"),
            "matrices of the shapes (4, 9, 7) and (4, 9, 7) do not fit each other",
        ),
        "concatenation": (
            lambda b: b.op("Concat", "x", b.op("GlobalAveragePool", "x"), axis=1),
            "values to join must agree but for one axis, not have shapes (9, 7, 4), (1, 1, 4)",
        ),
        "normalization of images": (
            lambda b: b.op("LayerNormalization", "x", b.random(7, 9), axis=2),
            "input 1 must have the shape (9, 7), not (7, 9)",
        ),
        "constant between values": (
            lambda b: b.op("Concat", "x", b.random(1, 4, 9, 7), "x", axis=1),
            "constants must come before or after all values",
        ),
        "constant of another shape": (
            lambda b: b.op("Concat", "x", b.random(1, 4, 9, 6), axis=1),
            "a constant of the shape (1, 4, 9, 6) cannot be joined to images of (4, 9, 7)",
        ),
        "neighbours of too many channels": (
            lambda b: b.op("LRN", "x", size=5),
            "the size must be from 1 to 4, not 5",
        ),
        "negative epsilon": (
            lambda b: b.op("LayerNormalization", "x", b.random(7), epsilon=-1.0),
            "epsilon must be at least 0, not -1.0",
        ),
        "cast": (
            lambda b: b.op("Cast", "x", to=TensorProto.INT64),
            "a cast to INT64 is not supported",
        ),
        "rank": (
            lambda b: b.gemm("x", 7, 5),
            "input 0 must have rank 2, not 4",
        ),
        "depth": (
            lambda b: b.gemm(b.flatten("x"), 251, 5),
            "weights of depth 251 do not fit an input of shape (252,)",
        ),
        "transA": (
            lambda b: b.op("Gemm", b.flatten("x"), b.random(252, 5), transA=1),
            "transA must be 0",
        ),
        "mean over images": (
            lambda b: b.op("ReduceMean", "x", axes=[0, 1]),
            "must keep the batch axis",
        ),
        "padding without numbers": (
            lambda b: b.op("Pad", "x", b.constant([0] * 8), b.constant(-np.inf, np.float32)),
            "padding must be finite, not -inf",
        ),
        "negative padding": (
            lambda b: b.op("Pad", "x", b.constant([0] * 7 + [-1])),
            "pads must be two sizes of at least 0 for each axis, not [0, 0, 0, 0, 0, 0, 0, -1]",
        ),
        "long reflection": (
            lambda b: b.op("Pad", "x", b.constant([0] * 7 + [7]), mode="reflect"),
            "7 positions are too few to reflect in [0, 0, 0, 0, 0, 0, 0, 7]",
        ),
        "padding mode": (
            lambda b: b.op("Pad", "x", b.constant([0] * 7 + [7]), mode="wrap"),
            "the mode 'wrap' is not supported",
        ),
        "pool of padding": (
            lambda b: b.pool("MaxPool", "x", 2, 1, 2),
            "a patch lies in the padding alone",
        ),
        "training": (
            lambda b: b.op("Dropout", "x", "", b.constant(True, np.bool_)),
            "the model must be exported for inference, not for training",
        ),
        "variances": (
            lambda b: b.op("BatchNormalization", "x", *[-np.ones(4, np.float32)] * 4),
            "variances must be positive",
        ),
    }


@pytest.mark.parametrize("case", operator_errors())
def test_operator_errors(case: str, tmp_path: Path) -> None:
    make, text = operator_errors()[case]
    b = Builder(*IMAGE)
    model = b.model(make(b))
    node = b.nodes[-1]
    assert error(model, tmp_path) == f"node {node.name!r} ({node.op_type}): {text}"


def test_anything_unexpected_is_a_model_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = Builder(*IMAGE)

    def exhausted(node: Any) -> Any:
        raise MemoryError("two\n lines")

    monkeypatch.setitem(OPERATORS, "Relu", exhausted)
    assert error(b.model(b.relu("x")), tmp_path) == (
        "node '/Relu_0' (Relu): MemoryError: two lines"
    )
