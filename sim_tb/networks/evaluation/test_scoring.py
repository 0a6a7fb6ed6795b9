"""What outputs are worth: lines of text, embeddings, signal and noise."""

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from networks.evaluation.array_images import ArrayImages
from networks.evaluation.characters import characters_of
from networks.evaluation.class_map import ClassMap
from networks.evaluation.data import DataError
from networks.evaluation.evaluate import evaluate_model
from networks.evaluation.floating_point import logits
from networks.evaluation.inputs import load_inputs
from networks.evaluation.model import load_model
from networks.evaluation.preparation import Options
from networks.evaluation.preprocessing import Preprocessing
from networks.evaluation.results import accuracy_rows
from networks.evaluation.scoring import Recognition, Signal, edit_distance
from networks.evaluation.settings import EXACT_8_BIT, FP32, Setting, settings_of
from sim_tb.networks.families import quiet
from sim_tb.networks.importer.test_import_tokens import LENGTH, ROWS, WIDTH, TokenBuilder
from sim_tb.networks.onnx_models import Builder

SEED = 3
CHARACTERS = "ab1 "


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("ab", "ba", 2)],
)
def test_edit_distance(first: str, second: str, distance: int) -> None:
    assert edit_distance(first, second) == distance


def test_edit_distances_are_those_of_the_recursion() -> None:
    def least(first: str, second: str) -> int:
        if not first or not second:
            return len(first) + len(second)
        return min(
            least(first[1:], second) + 1,
            least(first, second[1:]) + 1,
            least(first[1:], second[1:]) + (first[0] != second[0]),
        )

    rng = np.random.default_rng(SEED)
    for _ in range(30):
        first, second = ("".join(rng.choice(list("ab"), rng.integers(0, 6))) for _ in range(2))
        assert edit_distance(first, second) == least(first, second)


def lines(labels: Any) -> ArrayImages:
    numbers = np.array(labels, np.int64)
    return ArrayImages(numbers, (1,), Preprocessing(), np.zeros((len(numbers), 1), np.float32))


def test_reading_of_lines() -> None:
    """Repetitions count once, unless a blank is between them; spaces never."""
    recognition = Recognition(tuple(CHARACTERS), ("a b", "aab1", "", "1"))
    best = [
        [1, 1, 0, 2, 2, 2],  # ab
        [1, 0, 1, 2, 4, 3],  # aab 1
        [0, 0, 0, 0, 0, 0],
        [3, 0, 3, 3, 0, 2],  # 11b
    ]
    values = np.eye(5)[best].reshape(4, -1)
    images = lines([0, 1, 2, 3])
    assert recognition(values, images, False).tolist() == [0, 0, 0, 2]
    assert recognition(values, lines([1, 0, 3, 2]), True).tolist() == [2, 2, 1, 3]
    assert recognition.lengths(images).tolist() == [2, 4, 0, 1]


def test_rows_of_lines_and_of_signals() -> None:
    """Against the differences of lists."""
    settings = [Setting(FP32), Setting(EXACT_8_BIT, 8, "dense")]
    recognition = Recognition(tuple(CHARACTERS), ("ab", "1"))
    outcomes = {settings[0]: np.array([0, 1, 0, 3]), settings[1]: np.array([0, 0, 1, 1])}
    images = lines([0, 0, 1, 0])  # of 2, 2, 1, 2 characters
    first, second = accuracy_rows(settings, outcomes, recognition, images, {})
    assert (first["top1"], second["top1"], first["top5"]) == (50, 50, None)
    assert first["difference"] == 0
    assert first["difference_error"] == pytest.approx(100 * np.std([0, -1, 1, 0]) / 2)
    assert first["character_error"] == pytest.approx(100 * 4 / 7)
    assert first["character_difference"] == pytest.approx(100 * 2 / 7)
    change = np.array([0, 1, -1, 2]) * 100 / 1.75
    assert first["character_difference_error"] == pytest.approx(change.std() / 2)
    assert second["character_difference"] is second["difference"] is None
    more = Setting("a4w8", 8, "dense", "same")
    ratios = {
        settings[0]: np.zeros(3), settings[1]: np.array([20.0, 30, 40]), more: np.full(3, 20.0)
    }  # fmt: skip
    rows = accuracy_rows([*settings, more], ratios, Signal(b"", ""), images, {})
    assert [row["output_sqnr_db"] for row in rows] == [None, 30, 20]
    assert [row["difference"] for row in rows] == [None, None, -10]
    assert all(row["top1"] is None for row in rows)


def recognizer(folder: Path, metadata: str | None = CHARACTERS.strip()) -> Path:
    """Lines of 6 steps, of 5 classes: blank, a, b, 1 and the space."""
    b = Builder(6, 8, opset=17)
    hidden = b.relu(b.op("MatMul", "x", b.random(8, 16)))
    output = b.op("Softmax", b.op("MatMul", hidden, b.random(16, 5, gain=3.0)), axis=2)
    model: onnx.ModelProto = b.model(output)
    if metadata is not None:
        model.metadata_props.add(key="character", value="\n".join(metadata))
    path = folder / "lines.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_recognition_end_to_end(tmp_path: Path) -> None:
    """Labels are what single precision reads; 8 bits differ in few."""
    path = recognizer(tmp_path)
    x = np.random.default_rng(SEED).normal(size=(80, 6, 8)).astype(np.float32)
    model = load_model(path)
    characters = characters_of(model, None)
    assert characters == tuple(CHARACTERS)
    read = Recognition(characters, ())
    best = logits(model.content, model.name, x).reshape(80, 6, 5).argmax(axis=2)
    data = tmp_path / "lines.npz"
    np.savez(data, images=x, labels=np.array([read.decode(each) for each in best]))
    inputs = load_inputs(path, data, calibration_images=20, task="ctc")
    settings = settings_of(["s5opt"], [True], [True], [1], 8, ["dense"])
    result = evaluate_model(
        *(inputs.model, inputs.images, inputs.calibration, settings, Options(method="max")),
        quiet(),
        scoring=inputs.scoring,
    )
    assert result["task"] == "ctc"
    assert result["warnings"] == []
    rows = {row["label"]: row for row in result["rows"]}
    assert (rows["fp32"]["top1"], rows["fp32"]["character_error"]) == (100, 0)
    assert rows["a8w8"]["top1"] > 70
    assert 0 < rows["a8w8"]["character_error"] < 10


def test_signal_end_to_end(tmp_path: Path) -> None:
    """Against single precision, the softmax at the end among it; without labels."""
    path = recognizer(tmp_path)
    x = np.random.default_rng(SEED).normal(size=(40, 6, 8)).astype(np.float32)
    data = tmp_path / "lines.npz"
    np.savez(data, images=x)
    inputs = load_inputs(path, data, calibration_images=10, task="signal")
    assert not inputs.model.graph.ranking
    settings = settings_of([], [], [], [], 8, ["dense"])
    result = evaluate_model(
        *(
            inputs.model,
            inputs.images,
            inputs.calibration,
            settings,
            Options(method="max", last_layer_windowed=True),
        ),
        quiet(),
        scoring=inputs.scoring,
    )
    rows = {row["label"]: row for row in result["rows"]}
    assert rows["fp32"]["output_sqnr_db"] is None
    assert 20 < rows["a8w8"]["output_sqnr_db"] < 60
    assert rows["a4w8 same"]["difference"] < -3


@pytest.mark.parametrize(
    ("metadata", "text", "message"),
    [
        (None, None, "lines.onnx has no characters in its metadata (character); give --characters"),
        ("ab", None, "lines.onnx, metadata character: there must be 4 lines, a character each, for "
                     "5 classes, or one less without the space, not 2"),
        ("ab1", "a\nb\n1\n2\n3\n", "{}: there must be 4 lines, a character each, for 5 classes, "
                                   "or one less without the space, not 5"),
        ("ab1", "", "{}: there must be 4 lines, a character each, for 5 classes, or one less "
                    "without the space, not 0"),
    ],
)  # fmt: skip
def test_characters_that_do_not_fit(
    metadata: str | None, text: str | None, message: str, tmp_path: Path
) -> None:
    model = load_model(recognizer(tmp_path, metadata))
    path = None
    if text is not None:
        path = tmp_path / "characters.txt"
        path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        characters_of(model, path)
    assert str(caught.value) == message.format(path)


def test_characters_in_a_file(tmp_path: Path) -> None:
    """A line may be anything that is no end of a line, such as a line separator of Unicode."""
    model = load_model(recognizer(tmp_path, None))
    path = tmp_path / "characters.txt"
    path.write_bytes("a\r\n\u2028\r\n \n1\n".encode())
    assert characters_of(model, path) == ("a", "\u2028", " ", "1")


def test_texts_of_a_class_map(tmp_path: Path) -> None:
    """Digits, quotes and commas as they are written."""
    texts = ["007", "1,5", 'a "b" c', "x # y", "-3"]
    path = tmp_path / "labels.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([f"{i}.png", text] for i, text in enumerate(texts))
    read = ClassMap(path, texts=True)
    assert read.classes is not None
    labels = read.labels_of([f"{i}.png" for i in range(5)], tmp_path)
    assert [read.classes[label] for label in labels] == texts
    path.write_text("alone\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=f"^{re.escape(str(path))}, line 1: must be name,text, not 'alone'$"
    ):
        ClassMap(path, texts=True)


# --- tokens, and the head on their embeddings


def token_model(folder: Path) -> Path:
    b = TokenBuilder(LENGTH)
    hidden = b.op("MatMul", b.attention(b.embedded(), -10000.0), b.random(WIDTH, WIDTH))
    path = folder / "tokens.onnx"
    path.write_bytes(b.token_model(b.mean(hidden), "ids", "mask").SerializeToString())
    return path


def token_arrays(count: int = 60) -> dict[str, Any]:
    rng = np.random.default_rng(SEED)
    lengths = np.array([LENGTH, *rng.integers(1, LENGTH + 1, count - 1)])
    ids = rng.integers(0, ROWS, (count, LENGTH))
    return {"ids": ids, "length": lengths}


def test_embeddings_end_to_end(tmp_path: Path) -> None:
    """Labels are those of the head on single precision; a mask may stand for the lengths."""
    path, data = token_model(tmp_path), tmp_path / "tokens.npz"
    arrays = token_arrays()
    rng = np.random.default_rng(SEED)
    mask = (np.arange(LENGTH) < arrays["length"][:, np.newaxis]).astype(np.int64)
    model = load_model(path, None, (1, LENGTH))
    values = logits(model.content, model.name, np.stack([arrays["ids"], mask], axis=1))
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    head = {"head_weight": rng.normal(size=(WIDTH, 3)), "head_bias": rng.normal(size=3)}
    scores = (values - mean) / deviation @ head["head_weight"] + head["head_bias"]
    labels = scores.argmax(axis=1)
    more = {"head_mean": mean, "head_deviation": deviation, "labels": labels, **head}
    results = []
    for given in (arrays, {"ids": arrays["ids"], "mask": mask}):
        np.savez(data, **given, **more)
        inputs = load_inputs(
            path, data, calibration_images=20, task="embedding", input_shape=(1, LENGTH)
        )
        assert inputs.scoring is not None
        assert (inputs.scoring.task, inputs.scoring.classes) == ("embedding", 3)
        result = evaluate_model(
            *(inputs.model, inputs.images, inputs.calibration),
            *(settings_of([], [], [], [], 8, ["dense"]), Options(method="max"), quiet()),
            scoring=inputs.scoring,
        )
        results.append(result["rows"])
    assert results[0] == results[1]
    rows = {row["label"]: row for row in results[0]}
    assert rows["fp32"]["top1"] == 100
    assert rows["a8w8"]["top1"] > 85


def test_the_length_is_that_of_the_longest(tmp_path: Path) -> None:
    """Rounded up to a multiple of four."""
    b = TokenBuilder(LENGTH)
    rows = b.op("Gather", b.random(ROWS, WIDTH), "ids")
    path, data = tmp_path / "tokens.onnx", tmp_path / "tokens.npz"
    mask = b.op("Cast", b.unsqueezed(2), to=TensorProto.FLOAT)
    output = b.op("MatMul", b.op("Mul", rows, mask), b.random(WIDTH, 2))
    path.write_bytes(
        b.token_model(b.op("ReduceSum", output, b.constant([1]), keepdims=0), "ids", "mask")
        .SerializeToString()
    )  # fmt: skip
    arrays = token_arrays()
    np.savez(data, **arrays, labels=arrays["ids"][:, 0] % 2)
    inputs = load_inputs(path, data)
    assert inputs.model.input_shape == (2, 8)
    batch = inputs.images.batch()
    assert batch.shape[1:] == (2, 8)
    assert not batch[:, 0, LENGTH:].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": np.full((60, LENGTH), ROWS)}, "ids must be from 0 to 10, not 11"),
        ({"ids": np.zeros((60, LENGTH))}, "ids must be integers (N, length), not float64 (60, 6)"),
        ({"ids": None},
         "no array 'ids'; needed are ids, mask, a mask of which 'length' may stand for"),
        ({"length": None},
         "no array 'mask'; needed are ids, mask, a mask of which 'length' may stand for"),
        ({"ids": np.zeros((60, LENGTH + 2), int), "length": np.full(60, LENGTH + 1)},
         "sequences must have at most 6 elements, not 7"),
        ({"length": np.arange(60)}, "length must be from 1 to 6, not 59"),
        ({"length": np.zeros(60, int)}, "length must be from 1 to 6, not 0"),
        ({"length": np.ones(59, int)}, "length must have the shape (60,), not (59,)"),
        ({"mask": np.full((60, LENGTH), 2)}, "mask must be from 0 to 1, not 2"),
        (
            {"mask": np.repeat([[1], [0], [1]], (7, 1, 52), axis=0).repeat(LENGTH, axis=1)},
            "mask must have a 1 in every sequence, not 0 alone (at index 7)",
        ),
        ({"mask": np.ones((60, 2), int)}, "mask must have the shape (60, 6), not (60, 2)"),
        ({"labels": None}, "no array 'labels'"),
        ({"labels": np.zeros(3, int)}, "there must be 60 labels, not 3"),
        ({"head_weight": None},
         "the task embedding needs the arrays head_weight and head_bias"),
        ({"head_weight": np.ones((3, 2))},
         "head_weight must have the shape (8, classes), not (3, 2)"),
        ({"head_bias": np.ones(3)}, "head_bias must have the shape (2,), not (3,)"),
        ({"head_deviation": np.zeros(WIDTH)},
         "a head must be finite, and no deviation of it 0"),
    ],
)  # fmt: skip
def test_refused_tokens(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path, data = token_model(tmp_path), tmp_path / "tokens.npz"
    arrays: dict[str, Any] = {
        **token_arrays(), "labels": np.zeros(60, int),
        "head_weight": np.ones((WIDTH, 2)), "head_bias": np.zeros(2), **change,
    }  # fmt: skip
    np.savez(data, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(DataError) as caught:
        load_inputs(path, data, task="embedding", input_shape=(1, LENGTH))
    assert str(caught.value) == f"{data}: {message}"


def test_labels_that_are_no_texts(tmp_path: Path) -> None:
    path, data = recognizer(tmp_path), tmp_path / "lines.npz"
    np.savez(data, images=np.zeros((4, 6, 8), np.float32), labels=np.zeros(4, int))
    with pytest.raises(DataError) as caught:
        load_inputs(path, data, task="ctc")
    assert str(caught.value) == f"{data}: labels of the task ctc must be texts"
    characters = tmp_path / "characters.txt"
    for task in ("classification", "signal"):
        with pytest.raises(DataError) as caught:
            load_inputs(path, data, characters=characters, task=task)
        assert str(caught.value) == f"{characters}: characters are for the task ctc, not {task}"


@pytest.mark.parametrize(("sides", "task"), [((6, 8), "ctc"), ((4, 6, 8), "signal")])
def test_outputs_that_are_no_classes(sides: tuple[int, ...], task: str, tmp_path: Path) -> None:
    """Of a recognizer, and of a detector, which has one axis more."""
    b = Builder(*sides)
    path, data = tmp_path / "more.onnx", tmp_path / "data.npz"
    path.write_bytes(b.model(b.relu("x")).SerializeToString())
    np.savez(data, images=np.zeros((4, *sides), np.float32), labels=np.zeros(4, int))
    with pytest.raises(DataError) as caught:
        load_inputs(path, data)
    assert str(caught.value) == (
        f"more.onnx: outputs of task classification must be (classes,), not {sides}; "
        f"perhaps --task {task} is meant"
    )


def test_axes_of_one_are_none(tmp_path: Path) -> None:
    """Such as those of global pooling at the end."""
    b = Builder(3, 4, 4)
    path, data = tmp_path / "pooled.onnx", tmp_path / "data.npz"
    path.write_bytes(b.model(b.op("GlobalAveragePool", b.relu("x"))).SerializeToString())
    np.savez(data, images=np.zeros((4, 3, 4, 4), np.float32), labels=np.zeros(4, int))
    scoring = load_inputs(path, data).scoring
    assert scoring is not None
    assert scoring.classes == 3


@pytest.mark.parametrize(
    "option",
    [{"resize": 28}, {"mean": (0.5,)}, {"exif_orientation": False}, {"class_map": Path("m")}],
)
def test_options_of_images_are_not_for_tokens(option: dict[str, Any], tmp_path: Path) -> None:
    path, data = token_model(tmp_path), tmp_path / "tokens.npz"
    np.savez(data, **token_arrays(), labels=np.zeros(60, int))
    with pytest.raises(DataError) as caught:
        load_inputs(path, data, input_shape=(1, LENGTH), **option)
    assert str(caught.value) == f"{next(iter(option))} has no effect on tokens: leave it out"


@pytest.mark.parametrize("windowed", [False, True])
def test_products_of_two_values_have_rows(windowed: bool, tmp_path: Path) -> None:
    """Q K and P V stand between the layers, in a format where they are windowed."""
    path, data = token_model(tmp_path), tmp_path / "tokens.npz"
    np.savez(data, **token_arrays(30))
    inputs = load_inputs(path, data, calibration_images=20, task="signal", input_shape=(1, LENGTH))
    settings = settings_of(
        ["5opt", "s4opt", "5opt+s4opt", "mxfp4"], [True], [True], [1], 8, ["dense"]
    )
    options = Options(
        method="max",
        first_layer_windowed=True,
        last_layer_windowed=True,
        attention_windowed=windowed,
    )
    result = evaluate_model(
        *(inputs.model, inputs.images, inputs.calibration),
        *(settings, options, quiet()),
        scoring=inputs.scoring,
    )
    layers = result["layers"]
    scores, mixed, dense = layers
    sizes = [tuple(layer[key] for key in ("m", "k", "n", "groups")) for layer in layers]
    assert sizes == [
        (LENGTH, WIDTH, LENGTH, 1),
        (LENGTH, LENGTH, WIDTH, 1),
        (LENGTH, WIDTH, WIDTH, 1),
    ]
    assert [layer["name"] for layer in layers] == [
        node.name for node in inputs.model.graph.product_nodes
    ]
    whole = "product of two values"
    assert [layer["reason"] for layer in layers[:2]] == (
        ["signed input", ""] if windowed else [whole, whole]
    )
    assert (dense["zeros"], scores["zeros"], mixed["zeros"]) == (None, None, None)
    made = [layer["formats"] for layer in layers]
    found = {label: [each[label] for each in made] for label in made[0]}
    of_values = {
        "5opt": ["8 bits: signed input", "5opt"],
        "s4opt": ["s4opt", "s4opt"],
        "5opt+s4opt": ["s4opt", "5opt"],
    }
    for label, texts in found.items():
        own = of_values.get(label) if windowed else None
        assert texts[:2] == (own or [f"8 bits: {whole}"] * 2), label
    noises = [layer["sqnr_db"] for layer in layers]
    for each in noises:
        assert list(each) == [setting.label for setting in settings if setting.activations != FP32]
        assert each["a8w8"] > 20
    # The mean of a softmax's rows is in other bits alone where they are windowed.
    assert (noises[1]["5opt"] != noises[1]["a8w8"]) == windowed
    work = [m * k * n for m, k, n, _ in sizes]
    shares = {row["label"]: row["windowed_share"] for row in result["rows"]}
    taken = work if windowed else [0, 0, work[2]]
    assert shares["s4opt"] == pytest.approx(100 * sum(taken) / sum(work))
    assert result["windowed_share"] == pytest.approx(100 * (work[1] if windowed else 0) / sum(work))


def test_a_file_of_preprocessing_is_not_for_tokens(tmp_path: Path) -> None:
    path, data = token_model(tmp_path), tmp_path / "tokens.npz"
    np.savez(data, **token_arrays(), labels=np.zeros(60, int))
    beside = path.with_suffix(".toml")
    beside.write_text("crop = 4\n")
    with pytest.raises(DataError) as caught:
        load_inputs(path, data, input_shape=(1, LENGTH))
    message = f"{beside}: preprocessing has no effect on tokens: remove the file"
    assert str(caught.value) == message


def test_a_class_map_is_not_for_signals(tmp_path: Path) -> None:
    """No labels are looked for."""
    b = Builder(3, 4, 4)
    path, data = tmp_path / "relu.onnx", tmp_path / "data.npz"
    path.write_bytes(b.model(b.relu("x")).SerializeToString())
    np.savez(data, images=np.zeros((4, 3, 4, 4), np.float32))
    with pytest.raises(DataError) as caught:
        load_inputs(path, data, class_map=tmp_path / "map.csv", task="signal")
    message = "class_map has no effect on the task signal: leave it out"
    assert str(caught.value) == message
