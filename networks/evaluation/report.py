"""An evaluation as a table of comma-separated values and as plots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from networks.evaluation.scoring import CLASSIFICATION, CTC, EMBEDDING, SIGNAL
from support.plots import new_figure, svg_text
from support.text import csv_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PER_LAYER_INCHES = 0.3
_MEASURES = {
    CLASSIFICATION: "top-1 accuracy in %",
    EMBEDDING: "top-1 accuracy in %",
    CTC: "exact lines in %",
    SIGNAL: "signal to noise in dB",
}
LINE_STYLES = ("-", "--", ":")


def plots(result: dict[str, Any]) -> dict[str, str]:
    """The plots of ``result`` (of ``evaluate``) as SVG texts, by name."""
    return {
        "accuracy": svg_text(_accuracy(result)),
        "placements": svg_text(_placements(result)),
        "noise": svg_text(_noise(result)),
    }


def report_files(result: dict[str, Any], folder: Path) -> dict[Path, str]:
    """The files of a report and their texts; their names begin with the model's."""
    stem = folder / Path(result["model"]).stem
    texts = {"accuracy.csv": csv_text(result["rows"])}
    texts |= {f"{name}.svg": text for name, text in plots(result).items()}
    return {stem.with_name(f"{stem.name}_{name}"): text for name, text in texts.items()}


def _accuracy(result: dict[str, Any]) -> Figure:
    rows = result["rows"]
    figure = new_figure(7, 1 + PER_LAYER_INCHES * len(rows))
    axes = figure.subplots()
    signal = result["task"] == SIGNAL
    measure = "output_sqnr_db" if signal else "top1"
    axes.errorbar(
        [np.nan if row[measure] is None else row[measure] for row in rows],
        range(len(rows)),
        xerr=[row["standard_error"] or 0.0 for row in rows],
        fmt="o",
        capsize=3,
    )
    axes.set_yticks(range(len(rows)), [row["label"] for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel(f"{_MEASURES[result['task']]} on {result['images']} images, ± standard error")
    axes.set_title(result["model"])
    axes.grid(axis="x", alpha=0.3)
    return figure


def _placements(result: dict[str, Any]) -> Figure:
    layers = [layer for layer in result["layers"] if layer["placements"]]
    labels = list(layers[0]["placements"]) if layers else []
    height = 1 + len(labels) * (0.8 + 0.6 * PER_LAYER_INCHES * len(layers))
    figure = new_figure(8, max(2, height))
    grid = figure.subplots(max(1, len(labels)), squeeze=False, sharex=True)[:, 0]
    for axes, label in zip(grid, labels, strict=False):
        left = [0.0] * len(layers)
        for shift in layers[0]["placements"][label]:
            shares = [layer["placements"][label][shift] for layer in layers]
            axes.barh(range(len(layers)), shares, left=left, label=shift)
            left = [before + share for before, share in zip(left, shares, strict=True)]
        axes.set_yticks(range(len(layers)), [layer["name"] for layer in layers], fontsize=6)
        axes.invert_yaxis()
        axes.set_title(f"{label}: shift of the window", fontsize=9)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7)
    if not labels:
        grid[0].set_title("no windowed layers")
    grid[-1].set_xlabel("% of non-zero activations")
    return figure


def _noise(result: dict[str, Any]) -> Figure:
    layers = result["layers"]
    figure = new_figure(max(6, 1 + PER_LAYER_INCHES * len(layers)), 5)
    axes = figure.subplots()
    for index, label in enumerate(layers[0]["sqnr_db"] if layers else []):
        values = [layer["sqnr_db"][label] for layer in layers]
        # The colours repeat after ten lines.
        style = LINE_STYLES[index // 10 % len(LINE_STYLES)]
        axes.plot(range(len(layers)), values, marker=".", linestyle=style, label=label)
    axes.set_xticks(
        range(len(layers)), [layer["name"] for layer in layers], rotation=90, fontsize=6
    )
    axes.set_ylabel("signal to quantization noise of the output, dB")
    axes.set_title(result["model"])
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7)
    axes.grid(alpha=0.3)
    return figure
