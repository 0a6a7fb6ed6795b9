"""The documentation's tables are those that the kept results give."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gen.commands.library_options import keep_measured
from gen.documentation import results, tables
from gen.documentation.results import COMMANDS, KeptError, NotKeptError, keep, load
from gen.documentation.tables import MARKED, TABLES, rewritten, table
from sim_tb.repository.sources import ROOT

RESULTS = ROOT / results.FOLDER
NAMES = sorted(path.stem for path in RESULTS.glob("*.json"))
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_tables_stand_as_the_results_give_them(path: Path) -> None:
    """What differs was edited by hand, or kept and not written: make tables."""
    text = path.read_text(encoding="utf-8")
    assert rewritten(text, RESULTS) == text
    assert text.count("<!-- table:") == len(MARKED.findall(text)) == text.count("<!-- end -->")


def test_every_table_and_every_result_is_used() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    assert sorted(found["name"] for found in MARKED.finditer(text)) == sorted(TABLES)
    missing = {table.kept_by for table in TABLES.values() if not set(table.sources) <= set(NAMES)}
    assert not missing
    assert all(table.kept_by.startswith("make ") for table in TABLES.values() if table.sources)


@pytest.mark.parametrize("name", NAMES)
def test_a_result_says_where_it_comes_from(name: str) -> None:
    kept = load(name, RESULTS)
    assert re.fullmatch("[0-9a-f]{40}", kept.commit)
    assert kept.machine
    assert kept.cores >= 1
    assert kept.tools
    assert all(re.match(r"\d+\.\d+", number) for number in kept.tools.values())
    assert (RESULTS / f"{name}.json").stat().st_size < 200_000
    assert name.startswith(kept.command)


def proof(name: str, depth: str, seconds: float) -> dict[str, Any]:
    return {
        **{"property": name, "says": f"{name} holds", "method": "SAT", "depth": depth},
        **{"configuration": "x", "seconds": seconds},
    }


def test_keep(tmp_path: Path) -> None:
    """A result is trimmed to what tables show; the same one gives the same bytes."""
    proofs = [proof("rows", "3", 1.25), proof("rows", "4", 2.5), proof("grid", "3", 1.0)]
    result = {"proved": 3, "failed": 0, "proofs": proofs}
    path = keep("prove", "prove", result, tmp_path)
    before = path.read_bytes()
    kept = load("prove", tmp_path)
    assert not kept.stale
    assert tuple(kept.tools) == COMMANDS["prove"].distributions
    assert kept.result["rows"][0] == {
        **{"property": "rows", "says": "rows holds", "methods": ["SAT"]},
        **{"depths": ["3", "4"], "configurations": 2, "seconds": 3.75},
    }
    assert table("proofs", tmp_path).splitlines()[2:4] == [
        "| `rows` | rows holds | SAT | 3 or 4 | 2 | 4 |",
        "| `grid` | grid holds | SAT | 3 | 1 | 1 |",
    ]
    assert keep("prove", "prove", result, tmp_path).read_bytes() == before
    assert json.loads(before)["commit"][:7] in table("proofs", tmp_path)
    assert kept.sources != results.sources_digest("evaluate")
    assert replace(kept, sources="of other sources").stale
    assert replace(kept, sources=None).stale
    assert "with changes" in replace(kept, modified=True).caption


def area_row(**values: Any) -> dict[str, Any]:
    row = {
        **{"unit": "pe", "design": "8x8", "multiplier": "and", "format": None, "vsparq": None},
        **{"group": None, "rounding": None, "pairs": 1, "pipeline": 0, "rows": None, "cols": None},
        **{"flat": False, "target_ps": 9.0, "meets_target": True, "area_um2": 100.0},
        **{"gate_equivalents": 10.0, "delay_ps": 4000.0, "area_per_mac": 100.0},
        **{"ratio_to_8x8": 1.0, "ratio_to_2x8x8": 1.25, "energy_per_mac_ratio": 1.0},
        **{"recipe": "a", "cells": 3, "limited_by": "x"},
    }
    return row | values


def test_area_keeps_one_row_of_each_design(tmp_path: Path) -> None:
    """Those at the target; of an exact design the smallest multiplier counts."""
    sparq = {"design": "sparq", "format": "5opt", "vsparq": False, "group": 2, "rounding": True}
    rows = [
        area_row(),
        area_row(multiplier="radix4", area_um2=90.0, area_per_mac=90.0),
        area_row(target_ps=3.0, area_per_mac=1.0),
        area_row(unit="encoder", area_per_mac=None),
        area_row(**sparq, area_um2=50.0, ratio_to_8x8=0.5, meets_target=False),
        area_row(design="2x4x8", area_per_mac=40.0),
        area_row(unit="array", rows=4, cols=4, pairs=None),
        area_row(unit="array", rows=4, cols=4, flat=True, area_per_mac=1.0),
    ]
    keep("area", "area_osu018", {"library": "osu018", "target": 9.0, "rows": rows}, tmp_path)
    assert len(load("area_osu018", tmp_path).result["rows"]) == 5
    assert table("elements osu018", tmp_path).splitlines()[:5] == [
        "| design | stored bits | um2, osu018 | to 8x8 | to 2x8x8 | energy | delay ns |",
        "|---|---|---|---|---|---|---|",
        "| 8x8 | 8 | 90 | 1.000 | 1.250 | 1.000 | 4.00 |",
        "| 5opt, no vSPARQ, group 2 | 5.5 | 50 | 0.500 | 1.250 | 1.000 | 4.00* |",
        "| 2x4x8 | 4 | 100 | 1.000 | 1.250 | 1.000 | 4.00 |",
    ]
    assert table("machines osu018", tmp_path).splitlines()[:3] == [
        "| osu018 | array 4x4 |",
        "|---|---|",
        "| 8x8 | 1.000 (1.250) |",
    ]


@pytest.mark.parametrize("unit", ["engine", "accelerator"])
def test_systems_and_their_parts(unit: str, tmp_path: Path) -> None:
    """Logic beside bits of memory; neither is a machine. Without any, tables say so."""
    engine = {"unit": unit, "rows": 8, "cols": 8, "count": 1, "memory_bits": 0}
    rows = [
        area_row(**engine | {"memory_bits": 40}, part="all", share=1.0, area_um2=900.0),
        area_row(**engine | {"count": 2}, part="lane", share=0.2, area_um2=90.0),
        area_row(**engine, part="machine", share=0.7, area_um2=630.0),
        area_row(**engine | {"memory_bits": 40}, part="results", share=0.1),
        area_row(**engine, part="walk", share=0.05, design="2x8x8", area_um2=45.0),
        *(area_row(**engine, part=f"sign{k}", share=0.01, area_um2=9.0) for k in range(11)),
        area_row(**engine, part="walk", share=0.05, area_um2=40.0, multiplies=False),
    ]
    for kept in (rows, [area_row()]):
        result = {"library": "osu018", "target": 9.0, "rows": kept}
        keep("area", "area_osu018", result, tmp_path)
        whole, parts = (
            table(f"{name} osu018", tmp_path).splitlines() for name in (f"{unit}s", f"{unit} parts")
        )
        if kept is rows:
            assert whole[0].startswith(f"| {unit} 8x8 of | logic, um2, osu018 | memory bits |")
            assert whole[2] == "| 8x8 | 900 | 40 | 100 | 1.000 | 1.250 | 70.0 % |"
            assert parts[0] == "| part: um2, osu018 | 8x8 | 2x8x8 | 8x8, LANES=0 |"
            assert parts[2:7] == [
                "| `machine` | 630 | - | - |",
                "| `lane` | 2 x 90 | - | - |",
                "| `results` | 100 + 40 bits | - | - |",
                "| `walk` | - | 45 | 40 |",
                "| `sign` | 11 x 9 | - | - |",
            ]
            assert table("machines osu018", tmp_path).splitlines()[0] == "| osu018 |"
        else:
            assert whole == parts
            assert whole[0].startswith("Not measured yet: `make area LIBRARY=osu018 KEEP=1` keeps ")


def accuracy_row(label: str, bits: float, **values: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"label": label, "bits_per_activation": bits, "windowed_share": None}
    row |= {"top1": 90.0, "standard_error": 1.5, "difference": None, "difference_error": None}
    return row | {"within_error": None, "character_error": None} | values


def test_accuracy_of_a_network_with_signed_inputs(tmp_path: Path) -> None:
    """Four results beside each other, rows of both of groups once, block formats last."""
    different = {"difference": -1.25, "difference_error": 0.5, "within_error": False}
    exact = [accuracy_row("fp32", 32), accuracy_row("a8w8", 8, character_error=2.5)]
    each = [accuracy_row("mxfp4", 4.25), accuracy_row("s4opt", 7, windowed_share=92.04)]
    groups = [accuracy_row("s4opt group 4", 5.5, **different)]
    measured = {
        "natural": [*exact, *each],
        "natural_corrected": [*exact, *(row | different | {"top1": 91.0} for row in each)],
        "natural_groups": [*exact, *groups],
        "natural_groups_corrected": [*exact, *(row | {"character_error": 1.0} for row in groups)],
    }
    unmeasured = "Not measured yet: `make evaluate-modern KEEP=1` keeps what this table is made of."
    for name, rows in measured.items():
        assert table("accuracy recognition", tmp_path) == f"{unmeasured}\n"
        result = {"model": "recognition.onnx", "images": 8, "layers": [], "rows": rows}
        keep("evaluate", f"evaluate_recognition_{name}", result, tmp_path)
    assert table("accuracy recognition", tmp_path).splitlines()[:7] == [
        "| format | bits per activation | multiplications in it % | exact lines %, of 8 | - 8-bit "
        "| corrected | - 8-bit | characters wrong % | corrected |",
        "|---|---|---|---|---|---|---|---|---|",
        "| fp32 | 32 | - | 90.00 ± 1.50 |  | 90.00 ± 1.50 |  | - | - |",
        "| a8w8 | 8 | - | 90.00 ± 1.50 |  | 90.00 ± 1.50 |  | 2.50 | 2.50 |",
        "| s4opt | 7 | 92.0 | 90.00 ± 1.50 |  | 91.00 ± 1.50 | -1.25 ± 0.50 | - | - |",
        "| s4opt group 4 | 5.5 | - | 90.00 ± 1.50 | -1.25 ± 0.50 | 90.00 ± 1.50 | -1.25 ± 0.50 "
        "| - | 1.00 |",
        "| mxfp4 | 4.25 | - | 90.00 ± 1.50 |  | 91.00 ± 1.50 | -1.25 ± 0.50 | - | - |",
    ]
    keep("evaluate", "evaluate_recognition_natural", result | {"images": 9}, tmp_path)
    message = r"^results of recognition\.onnx must be of the same images, not of 9 and 8$"
    with pytest.raises(KeptError, match=message):
        table("accuracy recognition", tmp_path)


def test_a_library_is_called_as_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Liberty file calls itself what it likes; tables ask for the name of the option."""
    monkeypatch.chdir(tmp_path)
    measured = {"library": "osu018_stdcells", "target": 9.0, "rows": []}
    keep_measured(True, "area", ["osu018", Path("cells/mine.lib")], [measured, measured])
    for name in ("osu018", "mine"):
        assert load(f"area_{name}", results.FOLDER).result["library"] == name


def test_what_cannot_be_kept_or_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeptError, match=r"^table must be one of accuracy, .*, not 'nothing'$"):
        rewritten("<!-- table: nothing -->\n<!-- end -->", tmp_path)
    with pytest.raises(
        NotKeptError, match=r"^cannot read .*prove\.json: No such file or directory$"
    ):
        load("prove", tmp_path)
    assert table("proofs", tmp_path) == (
        "Not measured yet: `make prove KEEP=1` keeps what this table is made of.\n"
    )
    (tmp_path / "prove.json").mkdir()
    with pytest.raises(KeptError, match=r"^cannot read .*prove\.json: Is a directory$"):
        table("proofs", tmp_path)
    (tmp_path / "prove.json").rmdir()
    (tmp_path / "prove.json").write_text('{"command": "prove"}')
    with pytest.raises(KeptError, match=r"prove\.json is not a kept result: "):
        table("proofs", tmp_path)
    monkeypatch.setattr(results, "ROOT", tmp_path)
    with pytest.raises(KeptError, match=r"^cannot keep a result: .* is not a Git repository$"):
        keep("prove", "prove", {"proved": 0, "failed": 0, "proofs": []}, tmp_path)


def test_main_writes_tables_and_names_stale_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/results").symlink_to(RESULTS)
    page = tmp_path / "docs/page.md"
    page.write_text("A\n<!-- table: emission -->\nold\n<!-- end -->\nB\n")
    monkeypatch.chdir(tmp_path)
    tables.main()
    text = page.read_text()
    assert text.startswith("A\n<!-- table: emission -->\n| array | seconds |")
    assert text.endswith("</sub>\n<!-- end -->\nB\n")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "wrote docs/page.md"
    used = {name: each.kept_by for each in TABLES.values() for name in each.sources}
    stale = [name for name in NAMES if load(name, RESULTS).stale]
    assert sorted(lines[1:]) == sorted(
        [
            *(f"not kept: {name}, of {used[name]}" for name in used if name not in NAMES),
            *(
                f"stale: {name}, of commit {load(name, RESULTS).commit[:7]}: what it depends on "
                "has changed"
                for name in stale
                if name in used
            ),
        ]
    )
