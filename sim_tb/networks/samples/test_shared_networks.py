"""The folder that ``make evaluate-shared`` and ``make run-shared`` take."""

import sys
from pathlib import Path

import pytest

from networks.samples import shared_networks

SOURCE = "; networks/samples/shared_networks.py says which files it holds"


def run(data: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["shared_networks", str(data), str(data / "out")])
    return shared_networks.main()


def test_a_folder_that_is_not_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "none"
    assert run(data, monkeypatch) == 2
    assert capsys.readouterr() == ("", f"SHARED must be a folder, not {data}{SOURCE}\n")
    assert not list(tmp_path.iterdir())


def test_files_that_are_missing_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{name}.onnx" for name in shared_networks.MODELS]
    names += ["cifar10_labels.npz", *shared_networks.CIFAR_CALIBRATION, *shared_networks.CIFAR_TEST]
    for name in (*names, *shared_networks.IMAGENET[2:]):
        (tmp_path / name).touch()
    assert run(tmp_path, monkeypatch) == 2
    missing = "imagenet_sample227_0.zip, imagenet_sample227_1.zip"
    assert capsys.readouterr() == (
        "",
        f"SHARED must be a folder with {missing}, not {tmp_path}{SOURCE}\n",
    )
    assert not (tmp_path / "out").exists()
