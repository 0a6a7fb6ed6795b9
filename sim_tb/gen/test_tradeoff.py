"""Accuracy beside area: rows, ratios, fronts and files; and the elements that they need."""

import csv
import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from rich.progress import Progress

import golden
from gen.cli import cli
from gen.commands.tradeoff import load_demo_network
from gen.design.configuration import ConfigurationError
from gen.library.errors import LibraryError
from gen.library.load import load_library
from gen.netlist.netlist import parse_netlist
from gen.synthesis.energy import LANES, Operands, _codes, energy_per_mac
from gen.synthesis.mapping import RECIPES, map_verilog
from gen.synthesis.measure import Workshop
from gen.synthesis.tradeoff import FRONTS, elements, join, pareto
from gen.synthesis.tradeoff_report import COLUMNS, tradeoff_files
from gen.synthesis.units import sparq_unit
from gen.synthesis.verification import VECTORS
from golden import NamedFormat
from hdl import Pe2x4x8, Pe2x8x8, Pe8x8
from networks.evaluation.evaluate import evaluate_model
from networks.evaluation.preparation import Options
from networks.evaluation.settings import Setting


def test_pareto_by_brute_force() -> None:
    """Many equal coordinates, so that ties of one or both of them are met."""
    rng = np.random.default_rng(3)
    points = [(int(x), int(y)) for x, y in rng.integers(0, 12, (80, 2))]
    for point, marked in zip(points, pareto(points), strict=True):
        smaller_or_better = {
            (x, y)
            for x, y in points
            if (x < point[0] and y >= point[1]) or (x <= point[0] and y > point[1])
        }
        assert marked == (not smaller_or_better)
    assert pareto([(1, 5), (2, 5), (1, 4), (2, 6), (1, 5)]) == [True, False, False, True, True]
    assert pareto([]) == []


def area(design: str, bits: int, per_mac: float, **fields: Any) -> dict[str, Any]:
    """One row of ``run_area``, as far as it matters."""
    nothing = dict.fromkeys(("multiplier", "format", "vsparq", "group"))
    measured = {"area": per_mac, "delay_ps": 9.0, "recipe": "plain", "verified_vectors": 1}
    return {
        "label": design,
        "design": design,
        "weight_bits": bits,
        "area_per_mac": per_mac,
        "meets_target": True,
        **nothing,
        **measured,
        **fields,
    }


def quality(top1: float, sqnr: float) -> dict[str, Any]:
    return {"top1": top1, "sqnr_mean_db": sqnr}


def test_rows_from_areas_and_qualities() -> None:
    """The smallest exact element that meets the target, ratios to three bases, both fronts."""
    areas = [
        area("8x8", 8, 50.0, meets_target=False),
        area("8x8", 8, 100.0, label="8x8 booth"),
        area("8x8", 8, 120.0),
        area("8x8", 4, 80.0),
        area("2x8x8", 4, 40.0),
        area("2x4x8", 4, 20.0),
        area("sparq", 4, 30.0, format="2opt", vsparq=False, group=2),
    ]
    qualities = {
        4: {
            "a8w8": quality(90, 30.0),
            "a4w8 best": quality(91, 10.0),
            "2opt no vSPARQ group 2": quality(90, 20.0),
            "2opt trim no vSPARQ group 2": quality(91, 20.0),
        }
    }
    rows = {row["label"]: row for row in join(areas, qualities)}
    trimmed, rounded = "2opt trim no vSPARQ group 2", "2opt no vSPARQ group 2"
    assert list(rows) == ["2x4x8", rounded, trimmed, "2x8x8", "8x8"]
    for label in (trimmed, rounded):
        row = rows[label]
        assert row["ratio_to_8x8"] == 0.3  # not to the one that misses the target
        assert row["ratio_to_same_width"] == 30 / 80
        assert row["ratio_to_2x8x8"] == 30 / 40
        assert row["front"] == "SQNR"
    assert rows["2x4x8"]["front"] == "accuracy SQNR"
    assert rows["2x8x8"]["front"] == "SQNR"
    assert rows["8x8"]["front"] == ""
    missing = [row | {"meets_target": False} for row in areas]
    assert not any(row["front"] for row in join(missing, qualities))


def test_elements_are_measured_once() -> None:
    """All exact multipliers of each width, and of other widths what all is compared with."""
    units = elements(["5opt", "2opt"], [1, 8], [4, 5])
    assert len(set(units)) == len(units)
    assert sum(unit.element.kind == "sparq" for unit in units) == 2 * 2 * 2 * 2
    assert {unit.element.kind for unit in units if unit.element.weight_bits == 8} == {"8x8"}
    assert all(unit.format.rounding for unit in units if unit.format)
    assert all(unit.unit == "pe" and not unit.element.pipeline for unit in units)


@pytest.mark.full
def test_a_small_run(tmp_path: Path, monkeypatch: Any) -> None:
    """Rows, ratios, marks and files; by one recipe, of few multipliers, and in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gen.synthesis.measure.RECIPES", RECIPES[1:2])
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr(Pe8x8, "MULTIPLIERS", dict(list(Pe8x8.MULTIPLIERS.items())[:2]))
    for kind in (Pe2x8x8, Pe2x4x8):
        monkeypatch.setattr(kind, "MULTIPLIERS", dict(list(kind.MULTIPLIERS.items())[:1]))
    arguments = ["tradeoff", "--formats", "3opt", "--weight-bits", "4", "--group", "2"]
    arguments += ["--target-ps", "20000", "--json", "out.json"]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    stem = tmp_path / "build" / "area" / "tradeoff_generic"
    result = json.loads(stem.with_suffix(".json").read_text())
    assert json.loads(Path("out.json").read_text()) == result
    rows = {row["label"]: row for row in result["rows"]}
    assert len(rows) == 2 * 2 + 3
    areas = [row["area_per_mac"] for row in result["rows"]]
    assert areas == sorted(areas)

    # Every area is that of a verified netlist; rounding does not matter to it.
    workshop = Workshop("generic", Path("build/area"))
    unit = sparq_unit("pe", "3opt", vsparq=False, group=2, weight_bits=4)
    best = workshop.best(unit, result["target_ps"])
    for label in ("3opt no vSPARQ group 2", "3opt trim no vSPARQ group 2"):
        assert rows[label]["area"] == best.area == 2 * rows[label]["area_per_mac"]
    assert all(row["verified_vectors"] >= VECTORS for row in result["rows"])

    # Ratios: to the smallest of the exact elements.
    exact = {row["design"]: row["area_per_mac"] for row in result["rows"] if not row["format"]}
    assert set(exact) == {"8x8", "2x8x8", "2x4x8"}
    for row in result["rows"]:
        assert row["ratio_to_same_width"] == round(row["area_per_mac"] / exact["8x8"], 4)
        assert row["ratio_to_2x8x8"] == round(row["area_per_mac"] / exact["2x8x8"], 4)
        assert row["ratio_to_8x8"] < row["ratio_to_same_width"]  # 8-bit weights are larger

    # Accuracy and noise: as an evaluation of this one setting has it.
    inputs = load_demo_network()
    setting = Setting(NamedFormat("3opt", rounding=False, group=2), 4, "dense")
    evaluated = evaluate_model(
        *(inputs.model, inputs.images, inputs.calibration, [setting], Options(4)),
        Progress(disable=True),
    )
    noises = [layer["sqnr_db"][setting.label] for layer in evaluated["layers"] if layer["windowed"]]
    row = rows["3opt trim group 2"]
    assert row["top1"] == pytest.approx(evaluated["rows"][0]["top1"])
    assert row["sqnr_mean_db"] == round(np.mean(noises), 2)
    assert row["sqnr_lowest_db"] == round(min(noises), 2)
    assert result["images"] == 1000
    assert rows["2x8x8 radix4"]["sqnr_mean_db"] > rows["2x4x8 distributed"]["sqnr_mean_db"]

    # Marks, in the files too.
    for name, gain in FRONTS.items():
        marks = pareto([(row["area_per_mac"], row[gain]) for row in result["rows"]])
        assert marks == [name in row["front"].split() for row in result["rows"]]
        assert any(marks)
    with stem.with_suffix(".csv").open() as stream:
        written = list(csv.DictReader(stream))
    assert [row["front"] for row in written] == [row["front"] for row in result["rows"]]
    markdown = stem.with_suffix(".md").read_text()
    assert markdown.count("## ") == 2
    assert f"| {' | '.join(COLUMNS)} |" in markdown
    figure = stem.with_suffix(".svg").read_text()
    on_front = next(row["label"] for row in result["rows"] if row["front"])
    assert f"{on_front}, w4" in figure

    # The same result gives the same bytes.
    files = tradeoff_files(result, stem.parent)
    assert sorted(path.suffix for path in files) == [".csv", ".json", ".md", ".svg"]
    assert all(path.read_text() == text for path, text in files.items())


@pytest.mark.every(1)
@pytest.mark.parametrize("vsparq", [True, False], ids=["vSPARQ", "no-vSPARQ"])
@pytest.mark.parametrize("group", [1, 4, 8])
@pytest.mark.parametrize("name", ["3opt", "s4opt"])
def test_codes_of_shared_windows(name: str, group: int, vsparq: bool, tmp_path: Path) -> None:
    """What energy is measured on: the edges' codes of whole groups, as golden encodes them."""
    rng = np.random.default_rng(7)
    library = load_library("generic", tmp_path)
    unit = sparq_unit("pe", name, vsparq=vsparq, group=group, weight_bits=5)
    fmt = unit.sparq_format
    # Incomplete groups are filled with zeros.
    x = rng.integers(0, 256, (LANES, 18), dtype=np.uint8) >> rng.integers(0, 8, (LANES, 18))
    x = np.where(rng.random(x.shape) < 0.3, 0, x).astype(np.uint8)
    w = rng.integers(-16, 16, x.shape, dtype=np.int8)
    if fmt.signed:
        x = np.where(x == 128, 0, x).astype(np.uint8).view(np.int8)
    codes, weights = _codes(unit, library, x, w, fmt.signed)
    padded = np.pad(x, ((0, 0), (0, -18 % max(2, group))))
    expected = golden.pack_pairs(golden.encode_pairs(padded, fmt), fmt)
    places = np.arange(codes[0].shape[1], dtype=np.uint32)
    got = [(code.astype(np.uint32) << places).sum(axis=1) for code in codes]
    assert len(got) == len(weights) == expected.shape[1]
    np.testing.assert_array_equal(np.stack(got, axis=1), expected)


@pytest.mark.slow
def test_energy_of_shared_windows(tmp_path: Path) -> None:
    """An element of a group of several slices has an energy, on operands of any length."""
    library = load_library("generic", tmp_path)
    unit = sparq_unit("pe", "2opt", vsparq=False, group=8, weight_bits=4)
    (mapped,) = map_verilog(unit.verilog("unit"), "unit", library, RECIPES[:1])
    netlist = parse_netlist(mapped.json, library)
    zeros = np.zeros((LANES, 10), np.uint8), np.zeros((LANES, 10), np.int8)
    rng = np.random.default_rng(8)
    busy = (
        rng.integers(0, 256, (LANES, 10), dtype=np.uint8),
        rng.integers(-128, 128, (LANES, 10), dtype=np.int8),
    )
    idle, active = (
        energy_per_mac(unit, netlist, library, Operands("", [operands]), tmp_path)
        for operands in (zeros, busy)
    )
    assert 0 < idle.settled < active.settled
    assert active.settled < active.with_glitches < 2 * active.settled
    assert 0 < active.standard_error < 0.05 * active.with_glitches


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--formats", "5opt,9opt"],
            "format must be one of 5opt, 3opt, 2opt, 6opt, 7opt, or win",
        ),
        (
            ["--formats", "5opt,s4:0,1"],
            "format s4:0,1: shifts of a signed 4-bit window must reach 3",
        ),
        (
            ["--formats", "s4:3,0,2opt"],
            "format must be one of unsigned activations, as those of the network are, not s4:0,3",
        ),
        (["--group", "1,16"], "group must be some of 1, 2, 4, 8, not '16'"),
        (["--weight-bits", "3"], "weight-bits must be some of 4, 5, 6, 7, 8, not '3'"),
        (["--weight-bits", ""], "weight-bits must be some of 4, 5, 6, 7, 8, not ''"),
        (["--target-ps", "0"], "target-ps must be an integer of at least 1, not 0"),
        (["--target-ps", "fast"], "target-ps must be an integer of at least 1, not 'fast'"),
        (["--library", "tsmc"], "library must be one of generic, osu018, osu035, or a path"),
        (["--liberty", "no.lib"], "cannot read no.lib: No such file or directory"),
    ],
)
def test_bad_arguments(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: Any
) -> None:
    """One line that names the value and what is allowed, before anything is computed."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["tradeoff", *arguments], standalone_mode=False)
    error = result.exception
    assert isinstance(error, click.UsageError | ConfigurationError | LibraryError)
    assert str(error).startswith(message)
    assert "\n" not in str(error)


def test_help_explains_the_columns() -> None:
    text = CliRunner().invoke(cli, ["tradeoff", "--help"]).output
    for heading in set(COLUMNS) - {"design", "weights", "delay ps"}:
        assert heading in text
