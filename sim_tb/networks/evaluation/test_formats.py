"""Formats of activations and weights by name, and rows of evaluations in them."""

import json
from pathlib import Path
from typing import Any

import pytest

from golden import BLOCK_FORMATS, NamedFormat
from networks.evaluation.description import decisions
from networks.evaluation.evaluate import evaluate_model
from networks.evaluation.formats import (
    MixedFormat,
    activations_of,
    canonical_name,
    signed_layers,
    weights_name,
    weights_of,
)
from networks.evaluation.model import load_model
from networks.evaluation.preparation import DEPTHWISE, Options
from networks.evaluation.results import row_shares
from networks.evaluation.settings import Setting, settings_of
from sim_tb.networks.families import SEED, images_of, quiet
from sim_tb.networks.onnx_models import Builder


@pytest.mark.parametrize(
    ("given", "name", "signed"),
    [
        ("4:4,3,2,1,0", "5opt", None),
        ("s4:3,2,1,0", "s4opt", "signed bytes"),
        ("s5opt", "s5opt", "affine"),
        ("5opt+s4:0,1,2,3", "5opt+s4opt", "symmetric"),
        ("4:0,2,4+s5opt", "3opt+s5opt", "affine"),
        ("auto", "auto", "affine"),
        ("mxfp4", "mxfp4", "affine"),
    ],
)
def test_names(given: str, name: str, signed: str | None) -> None:
    assert canonical_name(given) == name
    assert activations_of(name) == activations_of(given)
    assert signed_layers(activations_of(given)) == signed


def test_options_of_formats() -> None:
    mixed = activations_of("3opt+s4opt", rounding=False, vsparq=False, group=4)
    assert mixed == MixedFormat(
        NamedFormat("3opt", False, False, 4), NamedFormat("s4opt", False, False, 4)
    )
    assert isinstance(mixed, MixedFormat)
    assert mixed.label == "3opt+s4opt trim no vSPARQ group 4"
    assert mixed.fields == {
        **{"format": "3opt+s4opt", "rounding": False, "vsparq": False, "group": 4}
    }
    auto = activations_of("auto", group=2)
    assert isinstance(auto, MixedFormat)
    assert auto.label == "auto group 2"
    assert (auto.unsigned.name, auto.signed.name) == ("5opt", "s5opt")
    assert activations_of("nvfp4", False, False, 8) is BLOCK_FORMATS["nvfp4"]
    assert weights_of("8bit") is None
    assert weights_of("s4:0,1,2,3", 4) == NamedFormat("s4opt", vsparq=False, group=4)
    assert weights_name("s4:0,1,2,3") == "s4opt"
    assert weights_name("8bit") == "8bit"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("9opt", "format must be one of 5opt, 3opt, 2opt"),
        ("s4opt+5opt", "format must be of unsigned and of signed activations, as in 5opt+s4opt"),
        ("5opt+3opt", "format must be of unsigned and of signed activations, as in 5opt+s4opt"),
        ("5opt+s4opt+s5opt", "format must be of unsigned and of signed activations"),
        ("5opt+mxfp4", "format must be one of 5opt"),
        ("s4:0,1", "format s4:0,1: shifts of a signed 4-bit window must reach 3 or more"),
    ],
)
def test_wrong_names(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("+", r"\+")) as caught:
        activations_of(name)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", ["5opt", "auto", "8", "5opt+s4opt"])
def test_wrong_weights(name: str) -> None:
    with pytest.raises(ValueError, match=r"^weight-formats must be some of 8bit, s4opt, s5opt"):
        weights_of(name)


def signed_network(folder: Path) -> Any:
    """Behind a ReLU, behind a function that can be negative, depthwise, and the first and last."""
    b = Builder(3, 6, 6, seed=SEED)
    x = b.relu(b.conv("x", 3, 8, 3, pad=1))
    x = b.op("HardSwish", b.conv(x, 8, 16, 1))
    x = b.op("HardSwish", b.conv(x, 16, 16, 3, groups=16))
    x = b.flatten(b.relu(b.conv(x, 16, 6, 1)))
    model = b.model(b.gemm(x, 6 * 16, 10))
    path = folder / "signed.onnx"
    path.write_bytes(model.SerializeToString())
    return load_model(path)


FORMATS = ["5opt", "s4opt", "s5opt", "5opt+s4opt", "auto", "mxfp4", "mxint8"]


@pytest.mark.parametrize("options", [{}, {"channel_order": "calibrated", "correct_bias": True}])
def test_rows_and_layers(options: Any, tmp_path: Path) -> None:
    """Every format beside every other, dense and 2:4, and what it is in each layer."""
    model = signed_network(tmp_path)
    images, calibration = images_of(model, 24), images_of(model, 12, SEED + 1)
    settings = settings_of(FORMATS, [True], [True], [1, 4], 8, ["dense", "2:4"])
    result = evaluate_model(
        model, images, calibration, settings, Options(method="max", **options), quiet()
    )
    assert json.loads(json.dumps(result)) == result
    assert [row["label"] for row in result["rows"]] == [setting.label for setting in settings]
    assert len({setting.label for setting in settings}) == len(settings)
    assert len(settings) == 1 + 2 * (4 + 2 * 5 + 2)
    rows = {row["label"]: row for row in result["rows"]}
    work = [layer["m"] * layer["k"] * layer["n"] for layer in result["layers"]]
    bits = {label: rows[label]["bits_per_activation"] for label in FORMATS}
    # Of two formats a mean: auto is in one of them in each layer, or at 8 bits.
    both = (work[1] * 6.5 + (work[2] + work[3]) * 7.5) / sum(work[1:4])
    assert 6.5 <= bits.pop("auto") <= both
    assert bits == {
        **{"5opt": 6.5, "s4opt": 7.5, "s5opt": 7.5, "5opt+s4opt": both},
        **{"mxfp4": 4.25, "mxint8": 8.25},
    }
    shares = {label: rows[label]["windowed_share"] for label in ("5opt", "s4opt", "mxfp4", "a8w8")}
    assert shares == {
        "5opt": 100 * work[1] / sum(work), "s4opt": 100 * sum(work[1:4]) / sum(work),
        "mxfp4": 100 * (work[1] + work[3]) / sum(work), "a8w8": None,
    }  # fmt: skip
    assert rows["mxfp4"]["format"] == "mxfp4"
    assert rows["mxfp4"]["rounding"] is None
    found = {label: [layer["formats"][label] for layer in result["layers"]] for label in FORMATS}
    first, last, signed = (
        f"8 bits: {why} {what}"
        for why, what in (
            ("first", "layer"),
            ("last", "layer"),
            ("signed", "input"),
        )
    )
    assert found["5opt"] == [first, "5opt", signed, signed, last]
    assert found["s4opt"] == [first, "s4opt", "s4opt", "s4opt", last]
    assert found["5opt+s4opt"] == [first, "5opt", "s4opt", "s4opt", last]
    formats = [layer["formats"] for layer in result["layers"]]
    assert [each["a4w8 signed best"] for each in formats] == [first, *["4 bits"] * 3, last]
    assert not any("a4w8 best" in each for each in formats)
    assert rows["a4w8 signed best"]["bits_per_activation"] == 4
    assert rows["a4w8 signed best"]["format"] == "a4w8 signed"
    assert found["mxfp4"] == [first, "mxfp4", f"8 bits: {DEPTHWISE}", "mxfp4", last]
    noise = {label: result["layers"][3]["sqnr_db"][label] for label in ["a8w8", *FORMATS]}
    assert noise["a8w8"] > noise["5opt"] > noise["s5opt"] > noise["mxfp4"]
    uniform = result["layers"][3]["sqnr_db"]
    assert noise["mxint8"] > uniform["a4w8 best"] > uniform["a4w8 signed best"] > 0
    assert noise["mxint8"] > noise["5opt+s4opt"] > noise["mxfp4"]
    assert rows["fp32"]["output_sqnr_db"] is None
    for label, decibels in result["layers"][-1]["sqnr_db"].items():
        assert rows[label]["output_sqnr_db"] == decibels


def test_bits_of_two_formats_are_a_mean() -> None:
    """Over the multiplications that are in them; 8 where there are none."""
    setting = Setting(activations_of("auto"), 8, "dense")

    def shares(*made: str) -> list[float]:
        layers = [
            {"formats": {"auto": text}, "m": 2, "k": index, "n": 3}
            for index, text in enumerate(made, 1)
        ]
        return list(row_shares(setting, layers).values())

    assert shares("8 bits: first layer", "5opt", "s5opt") == [100 * 5 / 6, (2 * 6.5 + 3 * 7.5) / 5]
    assert shares("5opt") == [100, 6.5]
    assert shares("8 bits: last layer") == [0, 8]


def test_auto_keeps_what_windows_spoil(tmp_path: Path) -> None:
    model = signed_network(tmp_path)
    images, calibration = images_of(model, 8), images_of(model, 12, SEED + 1)
    settings = settings_of(["5opt+s5opt", "auto"], [True], [True], [1], 8, ["dense"])

    def layers(sqnr: float) -> Any:
        options = Options(auto_sqnr=sqnr)
        return evaluate_model(model, images, calibration, settings, options, quiet())["layers"]

    all_windows, none = layers(-100.0), layers(100.0)
    for layer, kept in zip(all_windows, none, strict=True):
        assert layer["formats"]["auto"] == layer["formats"]["5opt+s5opt"]
        assert layer["sqnr_db"]["auto"] == layer["sqnr_db"]["5opt+s5opt"]
        assert kept["formats"]["auto"].startswith("8 bits: ")
        assert kept["sqnr_db"]["auto"] == kept["sqnr_db"]["a8w8"]
    assert none[1]["formats"]["auto"].startswith("8 bits: windows leave ")
    decibels = sorted(
        float(layer["formats"]["auto"].split()[4]) for layer in none if "leave" in str(layer)
    )
    some = layers((decibels[0] + decibels[-1]) / 2)
    kept_layers = [layer["formats"]["auto"].startswith("8 bits: windows") for layer in some]
    assert 0 < sum(kept_layers) < len(decibels)


def test_exact_layers(tmp_path: Path) -> None:
    """They are in no format, nor are their weights; the others are as they were."""
    model = signed_network(tmp_path)
    images, calibration = images_of(model, 8), images_of(model, 12, SEED + 1)
    weights = [weights_of("8bit"), weights_of("s4opt"), weights_of("mxfp4")]
    settings = [
        *settings_of(["5opt", "s5opt", "mxfp4"], [True], [True], [1], 8, ["dense"], weights),
        *settings_of(["5opt", "s5opt"], [True], [True], [1], 8, ["2:4"])[1:],
    ]
    names = [node.name for node in model.graph.matrix_nodes]

    def result(*exact_layers: str) -> Any:
        options = Options(exact_layers=exact_layers)
        return evaluate_model(model, images, calibration, settings, options, quiet())

    without, some, every = result(), result(names[1]), result(*names)
    first, second, third = some["layers"][:3]
    assert (second["windowed"], second["reason"]) == (False, "exact layer")
    assert set(second["formats"].values()) == {"8 bits: exact layer"}
    assert len(set(second["sqnr_db"].values())) == 1
    assert without["layers"][1]["windowed"]
    assert len(set(without["layers"][1]["sqnr_db"].values())) > 9
    assert third["formats"] == without["layers"][2]["formats"]
    assert first == without["layers"][0]
    for layer in every["layers"][1:]:
        assert len(set(layer["sqnr_db"].values())) == 1
    assert json.loads(json.dumps(some)) == some
    assert f"exact layers {names[1]}, " in decisions(some)[-1]
    assert some["windowed_share"] == 0


def test_exact_layers_of_every_format(tmp_path: Path) -> None:
    """What the format auto keeps any window format can keep, by its own noise."""
    model = signed_network(tmp_path)
    images, calibration = images_of(model, 8), images_of(model, 12, SEED + 1)
    formats = ["5opt+s5opt", "auto", "s4opt", "mxfp4"]
    settings = settings_of(formats, [True], [True], [1], 8, ["dense"])

    def found(sqnr: float) -> Any:
        options = Options(auto_sqnr=sqnr, exact_layers=("auto",))
        result = evaluate_model(model, images, calibration, settings, options, quiet())
        assert f"auto from {sqnr:g} dB" in decisions(result)[-1]
        made = [layer["formats"] for layer in result["layers"]]
        return {label: [each[label] for each in made] for label in formats}

    none, every = found(-100.0), found(100.0)
    assert every["5opt+s5opt"] == every["auto"]
    # "8 bits: windows leave 33.0 dB"
    decibels = sorted(float(text.split()[4]) for text in every["s4opt"][1:4])
    some = found((decibels[0] + decibels[2]) / 2)
    assert none["s4opt"] == ["8 bits: first layer", *["s4opt"] * 3, "8 bits: last layer"]
    assert 0 < sum(text.startswith("8 bits: windows") for text in some["s4opt"]) < 3
    assert every["s4opt"] != every["auto"]
    assert every["mxfp4"] == none["mxfp4"]


def test_rows_of_weights(tmp_path: Path) -> None:
    """Each format of weights changes the layers behind the first, and leaves the rest as it was."""
    model = signed_network(tmp_path)
    images, calibration = images_of(model, 8), images_of(model, 12, SEED + 1)
    weights = [weights_of("8bit"), weights_of("s4opt", 4), weights_of("mxfp6_e2m3")]
    settings = settings_of(["5opt", "mxfp4"], [True], [True], [1], 8, ["dense"], weights)
    assert [setting.label for setting in settings[7:]] == [
        f"{own} weights {name}"
        for name in ("s4opt group 4", "mxfp6_e2m3")
        for own in ("a8w8", "a4w8 same", "a4w8 best", "a4w8 signed best", "5opt", "mxfp4")
    ]
    result = evaluate_model(model, images, calibration, settings, Options(), quiet())
    first, second = (layer["sqnr_db"] for layer in result["layers"][:2])
    for name in ("s4opt group 4", "mxfp6_e2m3"):
        assert first[f"a8w8 weights {name}"] == first["a8w8"]
        assert second[f"a8w8 weights {name}"] < second["a8w8"]
        assert second[f"5opt weights {name}"] < second["5opt"]
        assert second[f"mxfp4 weights {name}"] < second["mxfp4"] + 0.5
    names = {row["label"]: row["weight_format"] for row in result["rows"]}
    assert names["a8w8"] is None
    assert names["5opt weights mxfp6_e2m3"] == "mxfp6_e2m3"
