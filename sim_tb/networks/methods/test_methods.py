"""Clips of least error and of least loss, and the integer networks that they make."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import golden
from networks.evaluation.errors import DataError
from networks.evaluation.formats import activations_of
from networks.evaluation.images import Images
from networks.evaluation.model import Model, batches_of, channels_last
from networks.evaluation.preparation import (
    CALIBRATION_ELEMENTS,
    Options,
    calibrated,
    reference_of,
    run_of,
)
from networks.evaluation.settings import DENSE, EXACT_8_BIT, Setting
from networks.methods.comparison import compare, method_text
from networks.methods.coordinates import all_weights, coordinates_of
from networks.methods.corrected_biases import (
    LayerMeans,
    correcting,
    layer_means,
    spread,
    with_corrected_biases,
    with_sum_corrections,
    with_weight_corrections,
)
from networks.methods.extra_columns import ExtraColumns
from networks.methods.lapq import POWELL, Lapq
from networks.methods.least_squares import least_squares
from networks.methods.loss import cross_entropy, divergence
from networks.methods.lp_clips import WEIGHT_PARTS, weight_clips
from networks.methods.min_max import min_max
from networks.methods.objective import CROSS_ENTROPY, DIVERGENCE
from networks.methods.observation import observe
from networks.methods.powers import power
from networks.methods.problem import Method, Outcome, Problem
from networks.methods.problem_of_model import problem_of
from networks.methods.quadratic import least_of_parabola
from networks.methods.quantized_file import KEYS, QuantizedFile
from networks.methods.second_points import SecondPoints
from networks.methods.shared_forward import SharedForward
from networks.methods.shared_order import with_shared_orders
from networks.quantization.arithmetic import exact, windowed
from networks.quantization.calibration import calibrate
from networks.quantization.clips import Clips, Given
from networks.quantization.operations import Bytes, Int32Array, IntegerMatrixLayer
from networks.quantization.quantize import quantize
from sim_tb.networks.families import images_of, model_of, quiet

COUNT = 24
SWITCHES = dict.fromkeys(
    ("first_layer_windowed", "last_layer_windowed", "attention_windowed"), False
)


# --- parts


def test_power() -> None:
    x = np.abs(np.random.default_rng(1).normal(size=300)) * 10.0 ** np.arange(-6, 0).repeat(50)
    for exponent in (0.125, 1.0, 2.0, 2.625, 4.0):
        expected = [math.pow(each, exponent) for each in x]
        np.testing.assert_allclose(power(x, exponent), expected, rtol=1e-13)
    assert power(np.zeros(1), 2.5) == 0
    for exponent in (2.1, 0.0, -1.0):
        with pytest.raises(ValueError, match=r"^exponent must") as caught:
            power(x, exponent)
        assert str(caught.value) == (f"exponent must be a positive multiple of 1/8, not {exponent}")


def test_parabola() -> None:
    """The lowest point where it is convex and within; none elsewhere."""
    xs = (2.0, 2.5, 3.0, 3.5, 4.0)
    assert least_of_parabola([(x, 3 * (x - 2.75) ** 2 + 1) for x in xs]) == 2.75
    assert least_of_parabola([(x, -((x - 2.75) ** 2)) for x in xs]) is None
    assert least_of_parabola([(x, (x - 5) ** 2) for x in xs]) is None
    assert least_of_parabola([(x, 2 * x) for x in xs]) is None
    assert least_of_parabola([(2.0, 1.0), (3.0, 0.0), (3.0, 0.5)]) is None
    ys = np.random.default_rng(2).normal(size=5) + 4 * (np.array(xs) - 3) ** 2
    second, first, _ = np.polyfit(xs, ys, 2)
    assert least_of_parabola(list(zip(xs, ys, strict=True))) == pytest.approx(-first / second / 2)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_clips_of_weights(bits: int) -> None:
    """No other clip of the grid has a smaller sum of powers, weight by weight."""
    weights = np.random.default_rng(bits).standard_t(3, size=(2, 7, 3))
    weights[1, :, 2] = 0
    exponents = (2.0, 3.5)
    levels = 2 ** (bits - 1) - 1
    for exponent, found in zip(exponents, weight_clips(weights, levels, exponents), strict=True):
        columns = [weights[group, :, n] for group in range(2) for n in range(3)]
        assert found.shape == (6,)
        for column, clip in zip(columns, found, strict=True):
            largest = max(map(abs, column))
            if not largest:
                assert clip == 0
                continue

            def loss(clip: float, column: Any = column, exponent: float = exponent) -> float:
                step = clip / levels
                total = 0.0
                for weight in column:
                    code = min(max(round(weight / step), -levels), levels)
                    total += abs(code * step - weight) ** exponent
                return total

            grid = [largest * part / WEIGHT_PARTS for part in range(4, WEIGHT_PARTS + 1)]
            assert min(abs(clip - each) for each in grid) < 1e-12
            assert loss(clip) <= min(map(loss, grid)) * (1 + 1e-12)


def test_losses() -> None:
    rng = np.random.default_rng(4)
    logits, reference = rng.normal(size=(2, 9, 5)) * 6
    labels = rng.integers(5, size=9)

    def probabilities(row: Any) -> list[float]:
        total = math.fsum(map(math.exp, row))
        return [math.exp(each) / total for each in row]

    for found, row, label in zip(cross_entropy(logits, labels), logits, labels, strict=True):
        assert found == pytest.approx(-math.log(probabilities(row)[label]))
    for found, row, other in zip(divergence(logits, reference), logits, reference, strict=True):
        pairs = zip(probabilities(other), probabilities(row), strict=True)
        assert found == pytest.approx(math.fsum(p * math.log(p / q) for p, q in pairs))
    assert not divergence(logits, logits).any()


def test_networks_in_common(tmp_path: Path) -> None:
    """Outputs are those of each network; layers that are the same are multiplied once."""
    model = model_of("resnet", tmp_path)
    images = channels_last(images_of(model, 6).batch())
    clips = all_weights(model.graph, Clips(calibrate(model.graph, [images])))
    multiplied: list[str] = []

    def counting(layer: IntegerMatrixLayer, x: Bytes) -> Int32Array:
        multiplied.append(layer.name)
        return exact(layer, x)

    def made(clips: Clips) -> Any:
        return quantize(model.graph, clips.ranges, 4, weight_clips=clips.weights)

    network = made(clips)
    x = network.quantize_images(images)
    coordinates = coordinates_of(model.graph, network)
    forward = SharedForward(x, counting)
    assert (forward(network) == network.forward(x, exact)).all()
    names = [layer.name for layer in network.layers]
    assert multiplied == names
    last = [each for each in coordinates if each.layer == names[-1]]
    for coordinate in (*coordinates[2:5], *last):
        changed = made(coordinate.scaled(clips, 0.5))
        multiplied.clear()
        assert (forward(changed) == changed.forward(x, exact)).all()
        assert len(multiplied) < len(names)
    assert multiplied == names[-1:]


def test_clipped_weights(tmp_path: Path) -> None:
    """Weights saturate at clips; clips that keep all change nothing."""
    model = model_of("lenet", tmp_path)
    images = channels_last(images_of(model, 4).batch())
    clips = all_weights(model.graph, Clips(calibrate(model.graph, [images])))
    plain = quantize(model.graph, clips.ranges, 3)
    same = quantize(model.graph, clips.ranges, 3, weight_clips=clips.weights)
    x = plain.quantize_images(images)
    assert (plain.forward(x, exact) == same.forward(x, exact)).all()
    node = model.graph.matrix_nodes[1]
    half = {node.name: clips.weights[node.name] / 2}
    layer = quantize(model.graph, clips.ranges, 3, weight_clips=half).layers[1]
    weights: Any = node.operation.weights  # type: ignore[union-attr]
    steps = half[node.name] / 3
    expected = [
        [
            [min(max(round(w / step), -3), 3) for w, step in zip(row, steps, strict=True)]
            for row in group
        ]
        for group in weights
    ]
    assert layer.weights.tolist() == expected
    assert (np.abs(layer.weights) == 3).sum() > (np.abs(plain.layers[1].weights) == 3).sum()


# --- methods


def posed(
    model: Model,
    images: Images,
    fmt: str = "5opt",
    bits: int = 4,
    kind: str = CROSS_ENTROPY,
    group: int = 1,
    **options: Any,
) -> Problem:
    activations: Any = EXACT_8_BIT if fmt == "8bit" else activations_of(fmt, group=group)
    setting = Setting(activations, bits, DENSE)
    chosen = Options(weight_bits=bits, **options)
    seen = observe(model, images, chosen.method, chosen.percentile, 1, quiet())
    return problem_of(model, seen, chosen, setting, kind)


def file_of(outcome: Outcome, problem: Problem) -> QuantizedFile:
    options = problem.objective.integers.options
    decided = {
        "weight_bits": options.weight_bits,
        "first_layer_windowed": options.first_layer_windowed,
        "last_layer_windowed": options.last_layer_windowed,
        "attention_windowed": options.attention_windowed,
    }
    return QuantizedFile(
        *("x.onnx", "0" * 64, None, None, {}, decided, "lapq", "5opt"),
        outcome.decided,
        outcome.loss,
        outcome.clips,
    )


def deployed_loss(problem: Problem, outcome: Outcome, model: Model, images: Images) -> float:
    """Of the network that an evaluation makes of the written clips."""
    integers = problem.objective.integers
    written = json.loads(file_of(outcome, problem).text)
    ranges = {name: tuple(each) for name, each in written["ranges"].items()}
    weights = {name: np.array(each) for name, each in written["weights"].items()}
    shifts, orders, biases = (
        {name: np.array(each) for name, each in written.get(key, {}).items()}
        for key in ("shifts", "channel_orders", "biases")
    )
    source = Given(Clips(ranges, weights, shifts, orders, biases))
    options, setting = integers.options, integers.setting
    base = calibrated(model, images, options, False, lambda count: None, source=source)
    network, arithmetic = run_of(base, setting, options, reference_of(base, setting, options))
    # All at once, without the kernel.
    x = network.quantize_images(channels_last(images.batch()))
    values = network.forward(x, arithmetic, compiled=False)
    step, zero_point = network.quantizations[network.output]
    logits = (values.astype(np.float64) - zero_point) * step
    if problem.objective.kind == CROSS_ENTROPY:
        losses = cross_entropy(logits, images.labels)
    else:
        batch = channels_last(images.batch())
        losses = divergence(logits, model.graph.forward(batch).reshape(logits.shape))
    return math.fsum(losses) / len(images)


@pytest.mark.parametrize("kind", [CROSS_ENTROPY, DIVERGENCE])
def test_lapq(kind: str, tmp_path: Path) -> None:
    """The loss falls, never rises, and is that of the network that runs; again, the same file."""
    model = model_of("lenet", tmp_path)
    images = images_of(model, COUNT)
    outcomes = []
    for _ in range(2):
        problem = posed(model, images, kind=kind, bits=3)
        outcomes.append(Lapq(1)(problem, quiet()))
    outcome = outcomes[0]
    starts = {row["start"]: row["loss"] for row in outcome.starts}
    assert {"min-max", "p = 2", "p = 4"} <= {*starts}
    assert outcome.trace[0] == min(starts.values()) == starts[outcome.decided["start"]]
    assert all(now <= before for before, now in zip(outcome.trace, outcome.trace[1:], strict=False))
    assert outcome.loss == outcome.trace[-1] < outcome.trace[0] < starts["min-max"]
    assert len(outcome.trace) == 1 + len(outcome.decided["coordinates"])
    assert outcome.loss == deployed_loss(problem, outcome, model, images)
    assert file_of(outcome, problem).text == file_of(outcomes[1], problem).text


def test_min_max(tmp_path: Path) -> None:
    """Ranges are those of calibration to the bit; batches of the loss do not matter."""
    model = model_of("lenet", tmp_path)
    images = images_of(model, COUNT)
    problem = posed(model, images)
    parts = batches_of(images, CALIBRATION_ELEMENTS)
    ranges = calibrate(model.graph, [channels_last(part.batch()) for part in parts])
    assert problem.observation.ranges == ranges
    outcome = min_max(problem, quiet())
    assert outcome.clips.ranges == ranges
    assert not outcome.clips.weights
    assert outcome.loss == deployed_loss(problem, outcome, model, images)
    (whole,), (labels,) = problem.objective.batches, problem.objective.targets
    cut = replace(
        problem.objective, batches=np.split(whole, [5, 6]), targets=np.split(labels, [5, 6])
    )
    assert cut([outcome.clips]) == [outcome.loss]


@pytest.mark.every(3)
@pytest.mark.parametrize(
    ("name", "fmt", "bits", "options"),
    [
        ("lenet", "8bit", 2, {}),
        ("mobilenet", "3opt", 4, {"group": 2}),
        ("squeezenet", "2opt", 5, {"kind": DIVERGENCE}),
        ("keras", "5opt+s4opt", 4, {"first_layer_windowed": True}),
        ("keras", "s5opt", 6, {}),
        ("keras", "s4opt", 3, {"last_layer_windowed": True}),
        ("densenet", "7opt", 8, {}),
        ("transformer", "s4opt", 4, {"attention_windowed": True}),
        ("googlenet", "6opt", 7, {"method": "max"}),
    ],
)
def test_formats(name: str, fmt: str, bits: int, options: dict[str, Any], tmp_path: Path) -> None:
    """Every format, signed and not: least squares and LAPQ's start, deployed to the bit."""
    model = model_of(name, tmp_path)
    images = images_of(model, 8)
    problem = posed(model, images, fmt, bits, **options)
    methods: list[Callable[..., Outcome]] = [least_squares, Lapq(0)]
    for method in methods:
        outcome = method(problem, quiet())
        assert outcome.loss in [row["loss"] for row in outcome.starts]
        assert outcome.loss == deployed_loss(problem, outcome, model, images)
    assert outcome.loss == min(row["loss"] for row in outcome.starts)


def test_powell(tmp_path: Path) -> None:
    """The other search: never worse than its start either, and deployed to the bit."""
    model = model_of("lenet", tmp_path)
    images = images_of(model, 8)
    problem = posed(model, images, bits=2)
    outcome = Lapq(1, POWELL)(problem, quiet())
    assert outcome.trace[0] == min(row["loss"] for row in outcome.starts)
    assert all(now <= before for before, now in zip(outcome.trace, outcome.trace[1:], strict=False))
    assert outcome.loss == outcome.trace[-1] < outcome.trace[0]
    assert outcome.loss == deployed_loss(problem, outcome, model, images)


def test_labels_that_are_no_classes(tmp_path: Path) -> None:
    model = model_of("lenet", tmp_path)
    images = images_of(model, 4)
    images.labels[2] = 10
    with pytest.raises(DataError, match=r"^labels must be below the model's 10 classes, not 10$"):
        posed(model, images)
    posed(model, images, kind=DIVERGENCE)


# --- second points


@pytest.mark.parametrize(
    ("text", "shown"), [("idle", "idle"), ("7", "7"), ("25%", "25%"), ("100%", "100%")]
)
def test_extra_columns(text: str, shown: str) -> None:
    assert str(ExtraColumns.parse(text)) == shown


@pytest.mark.parametrize("text", ["", "0", "0%", "101%", "-3", "2.5", "all"])
def test_no_extra_columns(text: str) -> None:
    with pytest.raises(ValueError, match=r"^extra-columns must be") as caught:
        ExtraColumns.parse(text)
    assert str(caught.value) == (
        "extra-columns must be idle, a number of columns, or a part of all channels such as 25%, "
        f"not {text!r}"
    )


def test_second_points(tmp_path: Path) -> None:
    """Channels without a second point are what they were; those with one are those of the largest
    errors, stated once more; the loss is that of the deployed network, and of a file read back.
    """
    model = model_of("lenet", tmp_path)
    images = images_of(model, COUNT)
    problem = posed(model, images, bits=2)
    alone = least_squares(problem, quiet())
    before = problem.objective.integers.network(alone.clips)
    outcome = SecondPoints(ExtraColumns(count=5), 16)(problem, alone, quiet())
    shifts = outcome.clips.shifts
    after = problem.objective.integers.network(outcome.clips)
    assert sum((own > 0).sum() for own in shifts.values()) == 5
    for old, new in zip(before.layers, after.layers, strict=True):
        own = shifts.get(old.name, np.zeros(old.width, int))
        assert set(own.tolist()) <= {0, 2}
        same = own.reshape(old.groups, 1, -1) == 0
        assert (np.where(same, old.weights, 0) == np.where(same, new.weights, 0)).all()
        assert (old.steps == new.steps)[own == 0].all()
        assert np.abs(old.weights).max() == 1
        for channel in np.flatnonzero(own):
            column = new.weights.reshape(-1, new.width)[:, channel]
            assert np.abs(column).max() > 1
            golden.points(column, 2, 2)
    assert outcome.decided["second_points"]["columns"] == 5
    assert outcome.loss != alone.loss == outcome.decided["second_points"]["one_point_loss"]
    assert outcome.loss == deployed_loss(problem, outcome, model, images)
    again = SecondPoints(ExtraColumns(count=5), 16)(problem, alone, quiet())
    file = file_of(outcome, problem)
    assert file.text == file_of(again, problem).text
    path = tmp_path / "q.json"
    path.write_text(file.text)
    read = QuantizedFile.load(path)
    assert read.text == file.text
    assert {name: own.tolist() for name, own in read.clips.shifts.items()} == {
        name: own.tolist() for name, own in shifts.items()
    }
    assert read.whole_weight_bits == 4
    drawn = SecondPoints(ExtraColumns(count=5), 16, seed=1)(problem, alone, quiet())
    assert drawn.decided["second_points"]["random"]
    assert file_of(drawn, problem).text != file.text
    # By the definition, of a layer whose input is the images: mean squares of float64 outputs.
    first = before.layers[0]
    (x,) = problem.objective.batches
    arithmetic = problem.objective.integers.arithmetic
    everything = SecondPoints(ExtraColumns(percent=100), 16)(problem, alone, quiet())
    fine = problem.objective.integers.network(everything.clips).layers[0]
    wholes = [
        layer.biased(arithmetic(layer, x)).reshape(-1, layer.width) * layer.steps
        for layer in (first, fine)
    ]
    errors = ((wholes[1] - wholes[0]) ** 2).mean(axis=0)
    one = SecondPoints(ExtraColumns(idle=True), first.width + 1)(problem, alone, quiet())
    assert np.flatnonzero(one.clips.shifts[first.name]).tolist() == [int(errors.argmax())]


@pytest.mark.parametrize("bits", [8, 2])
def test_comparison_with_biases(bits: int, tmp_path: Path) -> None:
    """A row without and one with them for each method, what the latter gains, and its name."""
    model = model_of("squeezenet", tmp_path)
    images = images_of(model, 12)
    seen = observe(model, images, "mean", 99.9, 1, quiet())
    settings = [Setting(activations_of("5opt"), width, DENSE) for width in dict.fromkeys((8, bits))]
    methods = {"minmax": min_max, "least-squares": least_squares}
    given = (model, seen, images, settings, methods, CROSS_ENTROPY, quiet())
    plain = compare(*given)["rows"]
    rows = compare(*given, correct_bias=True)["rows"]
    assert [row for row in rows if "biases" not in row] == plain
    corrected = [row for row in rows if "biases" in row]
    assert len(corrected) == len(plain)
    for own, other in zip(corrected, plain, strict=True):
        assert own["gain"] == own["top1"] - other["top1"]
        assert own["loss"] <= other["loss"]
        named = "biases" if own["biases"] else "biases (none kept)"
        assert method_text(own) == f"{other['method']}, {named}"
        assert method_text(other) == other["method"]


FAMILIES_OF_LAYERS = ["squeezenet", "resnet", "mobilenet", "mlp"]


def means_of(model: Model, problem: Problem) -> LayerMeans:
    return layer_means(model.graph, problem.observation, None, quiet())


@pytest.mark.parametrize("family", FAMILIES_OF_LAYERS)
def test_means_of_layers(family: str, tmp_path: Path) -> None:
    """Of what a layer takes, lowered, and makes: the products of the first are the second."""
    model = model_of(family, tmp_path)
    images = images_of(model, 6)
    means = means_of(model, posed(model, images))
    values = {}
    model.graph.forward(
        channels_last(images.batch()), lambda name, each: values.update({name: each})
    )
    for node in model.graph.matrix_nodes:
        layer: Any = node.operation
        rows = layer.lowering.lower(values[node.inputs[0]], 0.0)
        assert means.inputs[node.name].shape == layer.weights.shape[:2]
        np.testing.assert_allclose(
            means.inputs[node.name],
            rows.reshape(-1, *layer.weights.shape[:2]).mean(axis=0),
            rtol=1e-3,
            atol=1e-4,
        )
        products = np.einsum("gk,gkn->gn", means.inputs[node.name], layer.weights).reshape(-1)
        np.testing.assert_allclose(means.sums[node.name], products + layer.bias, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES_OF_LAYERS)
@pytest.mark.parametrize("group", [1, 2])
def test_biases_by_weights(family: str, group: int, tmp_path: Path) -> None:
    """With them the weights that a network has make the mean products of those of the graph."""
    model = model_of(family, tmp_path)
    images = images_of(model, 8)
    problem = posed(model, images, "3opt", 3, group=group)
    means = means_of(model, problem)
    corrected = correcting(problem, means)
    outcome = least_squares(corrected, quiet())
    found = with_weight_corrections(problem, outcome, means)
    assert found.loss == outcome.loss == deployed_loss(problem, found, model, images)
    network = problem.objective.integers.network(found.clips)
    plain = problem.objective.integers.network(outcome.clips)
    steps = {node.name: network.quantizations[node.inputs[0]].step for node in network.nodes}
    for node, layer, before in zip(
        model.graph.matrix_nodes, network.layers, plain.layers, strict=True
    ):
        real: Any = node.operation
        scales = (layer.steps / steps[layer.name]).reshape(len(layer.weights), 1, -1)
        products = [
            np.einsum("gk,gkn->gn", means.inputs[node.name], weights).reshape(-1)
            for weights in (real.weights, layer.weights * scales)
        ]
        wanted, made = products[0] + real.bias, products[1] + layer.offset
        np.testing.assert_allclose(made, wanted, rtol=1e-9, atol=1e-9)
        assert (layer.weights == before.weights).all()
        change = found.clips.biases[layer.name]
        np.testing.assert_allclose(change, layer.offset - before.offset, atol=1e-12)


@pytest.mark.parametrize("family", FAMILIES_OF_LAYERS)
def test_biases_by_sums(family: str, tmp_path: Path) -> None:
    """With them the sums of every layer, in the format, are those of floating point on the mean."""
    model = model_of(family, tmp_path)
    images = images_of(model, 8)
    problem = posed(model, images, "2opt", 3)
    means = means_of(model, problem)
    start = min_max(problem, quiet())
    found = with_sum_corrections(problem, start, means)
    assert found.loss == deployed_loss(problem, found, model, images)
    integers = problem.objective.integers
    errors: list[dict[str, float]] = []
    for clips in (start.clips, found.clips):
        network = integers.network(clips)
        own: dict[str, float] = {}

        def see(layer: IntegerMatrixLayer, x: Bytes, own: dict[str, float] = own) -> None:
            sums = layer.biased(integers.arithmetic(layer, x)).reshape(-1, layer.width)
            wrong = sums.mean(axis=0) * layer.steps - means.sums[layer.name]
            own[layer.name] = float(np.abs(wrong / layer.steps).max())

        network.forward(np.concatenate(problem.objective.batches), integers.arithmetic, before=see)
        errors.append(own)
    # A bias is an integer: half a unit of a sum is left.
    assert all(error <= 0.51 for error in errors[1].values())
    assert max(errors[0].values()) > 10


def test_corrected_biases(tmp_path: Path) -> None:
    """Whichever loses less; with second points and channel orders before; images from all over."""
    model = model_of("squeezenet", tmp_path)
    images = images_of(model, 16)
    problem = posed(model, images, "2opt", 3)
    windows = problem.objective.integers.setting.windows
    assert windows is not None
    means = means_of(model, problem)
    corrected = correcting(problem, means)
    outcome = with_shared_orders(corrected, min_max(corrected, quiet()), windows, quiet())
    outcome = SecondPoints(ExtraColumns(count=5), 4)(corrected, outcome, quiet())
    found = with_corrected_biases(problem, outcome, means)
    told = found.decided["corrected_biases"]
    assert told["weights"] == outcome.loss
    assert found.loss == told["loss"] == min(told["none"], told["weights"], told["sums"])
    assert found.clips.orders
    assert found.clips.shifts
    assert found.loss == deployed_loss(problem, found, model, images)
    assert found.loss < min_max(problem, quiet()).loss
    numbers = np.arange(100).reshape(100, 1)
    assert (spread(numbers) == numbers).all()
    large = np.broadcast_to(numbers, (100, 1 << 20))
    assert spread(large)[:, 0].tolist() == [0, 12, 25, 37, 50, 62, 75, 87]


@pytest.mark.parametrize("family", ["squeezenet", "resnet"])
def test_shared_orders(family: str, tmp_path: Path) -> None:
    """Losses are those of the networks that run, with second points on top, too."""
    model = model_of(family, tmp_path)
    images = images_of(model, 16)
    problem = posed(model, images, "2opt", 3)
    windows = problem.objective.integers.setting.windows
    assert windows is not None
    natural = least_squares(problem, quiet())
    found = with_shared_orders(problem, natural, windows, quiet())
    assert found.decided["shared_order"] == {
        "layers": len(found.clips.orders),
        "natural_loss": natural.loss,
        "loss": found.loss,
    }
    assert len(found.clips.orders) >= 2
    assert found.loss != natural.loss
    assert found.loss == deployed_loss(problem, found, model, images)
    points = SecondPoints(ExtraColumns(count=3), 4)(problem, found, quiet())
    assert points.clips.orders is found.clips.orders
    assert points.loss == deployed_loss(problem, points, model, images)


def test_idle_columns_cost_nothing(tmp_path: Path) -> None:
    """Of a network with grouped convolutions too: no tile more, and no idle column is left unless
    all channels of its product have two.
    """
    for name in ("lenet", "mobilenet"):
        model = model_of(name, tmp_path)
        problem = posed(model, images_of(model, 4), bits=3)
        alone = min_max(problem, quiet())
        outcome = SecondPoints(ExtraColumns(idle=True), 8)(problem, alone, quiet())
        costs = outcome.decided["second_points"]
        assert costs["tiles"] == costs["tiles_before"]
        assert costs["slices"] == costs["slices_before"]
        for layer in problem.objective.integers.network(outcome.clips).layers:
            shifts = outcome.clips.shifts.get(layer.name, np.zeros(layer.width, int))
            for own in shifts.reshape(layer.groups, -1):
                points = int((own > 0).sum())
                assert points == min(len(own), -len(own) % 8)
        assert costs["columns"] > 0


def test_points_beyond_a_byte(tmp_path: Path) -> None:
    model = model_of("lenet", tmp_path)
    images = channels_last(images_of(model, 2).batch())
    ranges = calibrate(model.graph, [images])
    node = model.graph.matrix_nodes[0]
    shifts = {node.name: np.full(node.operation.width, 5)}  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=r"^two points") as caught:
        quantize(model.graph, ranges, 5, shifts=shifts)
    assert str(caught.value) == (
        "two points must combine to weights of at most 127, not 495 as those of 5 bits shifted by 5"
    )


# --- files


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    clips = Clips({"x": (-0.1, 1 / 3), "y": (0.0, 5e-324)}, {"layer": np.array([0.1, 2 / 3])})
    outcome = Outcome(clips, 0.1, [], [], {})
    options = {
        "weight_bits": 4,
        "first_layer_windowed": False,
        "last_layer_windowed": False,
        "attention_windowed": False,
    }
    file = QuantizedFile(
        *("m.onnx", "0" * 64, None, (1, 3), {"mean": [1.5]}, options, "lapq", "5opt"),
        *({}, outcome.loss, clips),
    )
    path = tmp_path / "quantized.json"
    path.write_text(file.text)
    return path, json.loads(file.text)


def test_files_read_back(written: tuple[Path, dict[str, Any]]) -> None:
    path, values = written
    assert list(values) == [*KEYS]
    file = QuantizedFile.load(path)
    assert file.text == path.read_text()
    assert file.clips.ranges == {"x": (-0.1, 1 / 3), "y": (0.0, 5e-324)}
    assert file.clips.weights["layer"].tolist() == [0.1, 2 / 3]
    assert file.preprocessing_made.mean == (1.5,)
    assert file.options_with(Options(equalize=True)) == Options(
        weight_bits=4, method="lapq", equalize=True
    )


NUMBERS = "must be numbers of at most 3.4e+38"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema", 2, "schema must be 1, not 2"),
        ("ranges", {"x": [1, 0]}, "the range of 'x' must not be empty, as 1.0 to 0.0 is"),
        ("ranges", {"x": [0, math.inf]}, f"the range of 'x' {NUMBERS}, not inf"),
        ("ranges", {"x": [0, 1e308]}, f"the range of 'x' {NUMBERS}, not 1e+308"),
        ("ranges", {"x": [0, True]}, f"the range of 'x' {NUMBERS}, not True"),
        ("ranges", {"x": [0]}, "the range of 'x' must be two numbers, not 1"),
        ("ranges", {"x": 1}, "the range of 'x' must be a list, not a number"),
        ("ranges", [], "ranges must be an object, not a list"),
        ("weights", {"l": [-1.0]}, "clips of weights of 'l' must not be negative, not -1.0"),
        ("weights", {"l": 1.0}, "clips of weights of 'l' must be a list, not a number"),
        ("weights", {"l": ["1"]}, f"clips of weights of 'l' {NUMBERS}, not '1'"),
        ("shifts", {"l": {}}, "shifts of 'l' must be a list, not an object"),
        ("schema", True, "schema must be 1, not True"),
        ("input_shape", "x", "input_shape must be a list or null, not a string"),
        ("input_shape", [0], "input_shape must be integers of at least 1, not [0]"),
        ("format", {}, "format must be a string or null, not an object"),
        ("digest", None, "digest must be a string, not null"),
        ("loss", False, "loss must be a number, not true or false"),
        (
            "options",
            {"weight_bits": 4},
            "options must be weight_bits, first_layer_windowed, last_layer_windowed, "
            "attention_windowed",
        ),
        (
            *("options", SWITCHES | {"weight_bits": 9}),
            "weight_bits must be an integer from 2 to 8, not 9",
        ),
        (
            *("options", SWITCHES | {"weight_bits": 4, "last_layer_windowed": 1}),
            "last_layer_windowed must be true or false, not 1",
        ),
        ("shifts", {"l": [0, 3]}, "shifts must be 0 or 4, as weight_bits is, not 3"),
        ("shifts", {"l": [True]}, "shifts must be 0 or 4, as weight_bits is, not True"),
        ("channel_orders", {"l": 3}, "the channel order of 'l' must be a list, not a number"),
        (
            *("channel_orders", {"l": [0, 1.0]}),
            "the channel order of 'l' must be integers, one for each channel",
        ),
        (
            *("channel_orders", {"l": [2, 0, 2]}),
            "the channel order of 'l' must have each of the channels 0 to 2 once",
        ),
        ("biases", {"l": [None]}, f"biases of 'l' {NUMBERS}, not None"),
        ("biases", {"l": 0.5}, "biases of 'l' must be a list, not a number"),
        ("preprocessing", {"crop": 0}, "crop must be at least 1 pixel, not 0"),
        ("loss", None, None),
        (
            "more",
            1,
            f"unknown key 'more'; keys are {', '.join(KEYS)}, and shifts, channel_orders, biases",
        ),
    ],
)
def test_damaged_files(
    key: str, value: Any, message: str | None, written: tuple[Path, dict[str, Any]]
) -> None:
    path, values = written
    if message is None:
        del values[key]
        message = f"no key {key!r}; keys are {', '.join(KEYS)}, and shifts, channel_orders, biases"
    else:
        values[key] = value
    path.write_text(json.dumps(values))
    with pytest.raises(DataError) as caught:
        QuantizedFile.load(path)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize("method", [min_max, least_squares, Lapq(1)])
def test_files_of_channels_without_weights(method: Method, tmp_path: Path) -> None:
    """Their clips may be 0, but those of others must not."""
    model = model_of("lenet", tmp_path)
    node = model.graph.matrix_nodes[1]
    node.operation.weights[:, :, 3] = 0  # type: ignore[union-attr]
    problem = posed(model, images_of(model, 8))
    path = tmp_path / "q.json"
    path.write_text(file_of(method(problem, quiet()), problem).text)
    file = QuantizedFile.load(path)
    file.require_graph(path, model)
    assert method is min_max or file.clips.weights[node.name][3] == 0
    clips = np.zeros(node.operation.width)  # type: ignore[union-attr]
    clips[:2] = 1
    path.write_text(json.dumps(json.loads(path.read_text()) | {"weights": {node.name: [*clips]}}))
    with pytest.raises(DataError) as caught:
        QuantizedFile.load(path).require_graph(path, model)
    most = np.abs(node.operation.weights[0, :, 2]).max()  # type: ignore[union-attr]
    assert str(caught.value) == (
        f"{path}: the clip of channel 2 of {node.name!r} must be above 0, as lenet.onnx has "
        f"weights up to {most:.3g} there"
    )


def test_no_files(tmp_path: Path) -> None:
    path = tmp_path / "q.json"
    for text, message in (
        (None, f"cannot read {path}: No such file or directory"),
        ("{", f"{path} is not a JSON file"),
        ("[1]", f"{path} is not a file of sparq quantize: it has no key 'schema'"),
    ):
        if text is not None:
            path.write_text(text)
        with pytest.raises(DataError) as caught:
            QuantizedFile.load(path)
        assert str(caught.value) == message


def test_files_of_other_models(written: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    path, values = written
    model = model_of("lenet", tmp_path)
    onnx = tmp_path / "lenet.onnx"
    file = QuantizedFile.load(path)
    with pytest.raises(DataError, match=rf"^{path} is of another m.onnx than {onnx}: SHA-256 must"):
        file.require_model(path, onnx)
    with pytest.raises(DataError) as caught:
        file.require_graph(path, model)
    assert str(caught.value) == f"{path}: no range for the value 'conv' of lenet.onnx" or (
        "no range for the value" in str(caught.value)
    )
    values["ranges"] = {name: [0, 1] for name in model.graph.shapes}
    path.write_text(json.dumps(values))
    with pytest.raises(DataError) as caught:
        QuantizedFile.load(path).require_graph(path, model)
    assert str(caught.value) == (f"{path}: clips of weights of 'layer', no layer of lenet.onnx")
    ranges = values["ranges"]
    values |= {"weights": {}, "ranges": ranges | {"nope": [0, 1]}}
    path.write_text(json.dumps(values))
    with pytest.raises(DataError) as caught:
        QuantizedFile.load(path).require_graph(path, model)
    assert str(caught.value) == f"{path}: a range for 'nope', which is no value of lenet.onnx"
    values |= {"ranges": ranges, "shifts": {"layer": [0, 4, 0]}}
    path.write_text(json.dumps(values))
    with pytest.raises(DataError) as caught:
        QuantizedFile.load(path).require_graph(path, model)
    assert str(caught.value) == (f"{path}: shifts of 'layer', no layer of lenet.onnx")
    del values["shifts"]
    layer = model.graph.matrix_nodes[0].name
    channels = model.graph.shapes[model.graph.source][-1]
    values["format"] = "2opt"
    for name, order, message in (
        ("layer", [1, 0], "a channel order of 'layer', no layer of lenet.onnx"),
        (
            *(layer, [*range(channels + 1)]),
            f"an order of {channels + 1} channels of {layer!r}, which takes {channels}",
        ),
    ):
        values["channel_orders"] = {name: order}
        path.write_text(json.dumps(values))
        with pytest.raises(DataError) as caught:
            QuantizedFile.load(path).require_graph(path, model)
        assert str(caught.value) == f"{path}: {message}"
    values["format"] = None
    path.write_text(json.dumps(values))
    with pytest.raises(DataError) as caught:
        QuantizedFile.load(path)
    assert (
        str(caught.value) == f"{path}: format must be that which channel_orders are for, not null"
    )
    del values["channel_orders"]
    values["biases"] = {layer: [0.5]}
    path.write_text(json.dumps(values))
    width = model.graph.matrix_nodes[0].operation.width  # type: ignore[union-attr]
    with pytest.raises(DataError) as caught:
        QuantizedFile.load(path).require_graph(path, model)
    assert str(caught.value) == (
        f"{path}: 1 biases of {layer!r}, which has {width} output channels in lenet.onnx"
    )
    values["options"]["weight_bits"] = 5
    values["shifts"] = {"layer": [5]}
    path.write_text(json.dumps(values))
    with pytest.raises(DataError) as caught:
        QuantizedFile.load(path)
    assert str(caught.value) == (
        f"{path}: two points must combine to weights of at most 127, not 495 as those of 5 bits "
        "shifted by 5"
    )


def test_windows_are_golden() -> None:
    """The arithmetic of the objective is that of the hardware's windows."""
    setting = Setting(activations_of("3opt", group=2), 4, DENSE)
    assert setting.arithmetic() == windowed(golden.named_format("3opt", group=2))
