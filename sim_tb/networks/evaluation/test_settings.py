"""Settings of an evaluation, what they compute, and how it is counted."""

from pathlib import Path

import numpy as np
import pytest

import golden
from golden import NamedFormat
from networks.evaluation.scoring import ranks_of, two_logits
from networks.evaluation.settings import Setting, settings_of
from networks.quantization.arithmetic import exact
from networks.quantization.calibration import calibrate
from networks.quantization.operations import UniformCodes
from networks.quantization.quantize import quantize
from networks.quantization.statistics import PairStatistics
from sim_tb.networks.families import SEED, images_of, model_of
from sim_tb.oracle import reference
from sim_tb.oracle.random_formats import random_formats

ALL = [True, False]


def test_all_settings() -> None:
    settings = settings_of(["5opt", "2opt"], ALL, ALL, [1, 2], 6, ["dense", "2:4"])
    assert len(settings) == len(set(settings)) == 1 + 2 * (1 + 2 + 2 * 2 * 4)
    assert len({setting.label for setting in settings}) == len(settings)
    assert settings[0] == Setting("fp32")
    assert {setting.weight_bits for setting in settings[1:]} == {6}
    for setting in settings:
        fmt, fields = setting.format, setting.fields
        columns = ("format", "rounding", "vsparq", "group")
        expected = (
            (setting.activations, None, None, None)
            if fmt is None
            else (fmt.name, fmt.rounding, fmt.vsparq, fmt.group)
        )
        assert tuple(fields[column] for column in columns) == expected
        assert fields["weight_bits"] == setting.weight_bits
        assert setting.sparq_format == (fmt and fmt.sparq_format)


def test_labels_of_settings() -> None:
    fmt = NamedFormat("5opt", rounding=False, vsparq=False, group=2)
    assert Setting("fp32").label == "fp32"
    assert Setting("a4w8", 8, "2:4", "best").label == "a4w8 best 2:4"
    assert Setting(fmt, 8, "dense").label == "5opt trim no vSPARQ group 2"
    assert Setting(fmt, 8, "2:4").label == "5opt trim no vSPARQ group 2 2:4"


@pytest.mark.parametrize("clipping", ["same", "best"])
def test_uniform_4_bits(clipping: str, tmp_path: Path) -> None:
    """Each windowed layer computes with 16 codes, evenly spaced from zero."""
    model = model_of("vgg", tmp_path)
    batch = images_of(model, 4).batch().transpose(0, 2, 3, 1)
    ranges = calibrate(model.graph, [batch])
    name = next(layer.name for layer in quantize(model.graph, ranges).layers if layer.windowed)
    step = 17.0 if clipping == "same" else 9.5
    network = quantize(model.graph, ranges, activation_codes={name: UniformCodes(step)})
    layer = next(layer for layer in network.layers if layer.name == name)
    assert layer.codes is not None
    assert layer.codes.tolist() == [
        min(15, round(value / step)) for value in range(256)
    ]  # round() is half to even
    assert layer.steps == pytest.approx(
        step * next(n for n in quantize(model.graph, ranges).layers if n.name == name).steps
    )
    x = np.arange(256, dtype=np.uint8)
    assert (layer.operand(x) == layer.codes).all()


def test_best_clipping_has_the_least_error() -> None:
    rng = np.random.default_rng(SEED)
    x = np.minimum(rng.exponential(20, 4000), 255).astype(np.uint8)
    pairs = np.zeros((256, 256), np.int64)
    np.add.at(pairs, (x[1::2], x[::2]), 1)
    step, zero = PairStatistics(pairs).best_4_bit_codes()
    assert zero == 0

    def error(step: float) -> float:
        return float(((np.clip(np.rint(x / step), 0, 15) * step - x) ** 2).mean())

    assert all(error(step) <= error(limit / 15) for limit in range(15, 256))
    assert error(step) < error(17)


def test_best_clipping_of_signed_activations() -> None:
    """Of all codes for zero; more of them are for the side that has more values."""
    rng = np.random.default_rng(SEED)
    x = np.clip(np.rint(rng.gamma(2, 20, 4000) + 80), 0, 255).astype(np.uint8)
    pairs = np.zeros((256, 256), np.int64)
    np.add.at(pairs, (x[1::2], x[::2]), 1)
    step, zero = PairStatistics(pairs).best_4_bit_codes(100)
    value = x - 100.0

    def error(step: float, zero: int) -> float:
        codes = np.clip(np.rint(value / step), -zero, 15 - zero)
        return float(((codes * step - value) ** 2).mean())

    others = [(limit / 15, code) for limit in range(15, 256) for code in range(16)]
    assert all(error(step, zero) <= error(*other) for other in others)
    assert 0 < zero < 5


def test_rows_of_signed_formats() -> None:
    """Uniform 4 bits of signed layers too, where a format is; the paper's rows are as ever."""
    for name, signed in (("5opt", False), ("s4opt", True), ("5opt+s5opt", True), ("mxfp4", True)):
        rows = settings_of([name], [True], [True], [1], 8, ["dense"])
        paper = ["fp32", "a8w8", "a4w8 same", "a4w8 best"]
        more = ["a4w8 signed best"] if signed else []
        assert [row.label for row in rows] == [*paper, *more, name]
        assert all(row.signed == "affine" for row in rows if row.label in more)


def test_statistics_of_pairs() -> None:
    """Zeros and placements, counted one pair at a time."""
    rng = np.random.default_rng(SEED)
    x = rng.integers(0, 256, (3000, 2)) * (rng.random((3000, 2)) < 0.6)
    counts = np.zeros((256, 256), np.int64)
    np.add.at(counts, (x[:, 1], x[:, 0]), 1)
    statistics = PairStatistics(counts)
    assert statistics.zeros == (x == 0).mean()
    assert statistics.zero_pairs == pytest.approx(((x == 0).any(axis=1)).mean())
    for name, vsparq in (("5opt", True), ("3opt", False), ("7opt", True)):
        fmt = golden.named_format(name, vsparq=vsparq)
        expected: dict[str, int] = {}
        for pair in x.tolist():
            for own, other in (pair, pair[::-1]):
                if own:
                    wide = vsparq and other == 0
                    bits = fmt.window_bits * (2 if wide else 1)
                    shift = min(s for s in fmt.shifts if own < 2 ** (bits + s))
                    key = f"wide {shift}" if wide else str(shift)
                    expected[key] = expected.get(key, 0) + 1
        total = sum(expected.values())
        measured = {key: share for key, share in statistics.placements(fmt).items() if share}
        assert measured == pytest.approx({key: n / total for key, n in expected.items()})


def test_a_single_logit_decides_between_two_classes() -> None:
    values = np.array([[-0.1], [0.0], [0.1], [0.6]])
    assert ranks_of(two_logits(values, 0), np.array([0, 1, 1, 0])).tolist() == [0, 1, 0, 1]
    assert ranks_of(two_logits(values, 0.5), np.array([0, 0, 0, 1])).tolist() == [0, 0, 0, 0]
    assert two_logits(np.ones((2, 3)), 0).shape == (2, 3)


def test_ranks() -> None:
    values = np.array([[3, 1, 3], [0, 0, 0], [1, 2, 3]])
    assert ranks_of(values, np.array([2, 1, 0])).tolist() == [1, 1, 2]
    unknown = np.array([[np.nan, 1, np.inf], [np.nan, np.nan, -np.inf]])
    assert ranks_of(unknown, np.array([0, 2])).tolist() == [2, 2]


@pytest.mark.parametrize("fmt", random_formats(3), ids=lambda fmt: fmt.slug)
def test_networks_are_evaluated_in_any_format(fmt: NamedFormat, tmp_path: Path) -> None:
    """The sums of the last layer are those of what the rule makes of its operands."""
    model = model_of("vgg", tmp_path)
    batch = images_of(model, 4).batch().transpose(0, 2, 3, 1)
    network = quantize(model.graph, calibrate(model.graph, [batch]), 8, True, True)
    layer = network.layers[-1]
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (7, layer.depth), dtype=np.uint8)
    x[rng.random(x.shape) < 0.3] = 0
    rule = reference.Rule(
        fmt.sparq_format.window_bits, fmt.sparq_format.shifts, fmt.rounding, fmt.vsparq, fmt.group
    )
    got = Setting(fmt, 8, "dense").arithmetic()(layer, x)
    effective = [reference.effective_row(row, rule) for row in x.tolist()]
    assert got.tolist() == exact(layer, np.array(effective, np.uint8)).tolist()
